package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server"
	"github.com/orchard9/engram-go/server/problem"
)

const memories = "/v1/spaces/default/memories"

// running is a server on a loopback port of its own.
type running struct {
	t    *testing.T
	db   *engram.DB
	url  string
	stop context.CancelFunc
	end  chan error
}

// start serves an engine in a temporary directory until the test ends.
func start(t *testing.T, o server.Options) *running {
	t.Helper()
	db, err := engram.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(db, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, db: db, url: "http://" + l.Addr().String(), stop: stop, end: make(chan error, 1)}
	go func() {
		r.end <- s.Serve(ctx, l)
		close(r.end)
	}()
	t.Cleanup(func() {
		stop()
		<-r.end
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return r
}

// send makes a request; headers are pairs.
func (r *running) send(method, path string, body io.Reader, headers ...string) (*http.Response, problem.Problem) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var p problem.Problem
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = json.Unmarshal(data, &p) // Not every answer is a problem.
	return resp, p
}

func TestHostsOverLoopback(t *testing.T) {
	r := start(t, server.Options{Hosts: []string{"Memory.example"}})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:7474": 200, "127.0.0.1": 200, "127.8.8.8:1": 200, "[::1]:7474": 200, "[::1]": 200,
		"memory.example": 200, "memory.example:80": 200,
		"evil.example": 403, "evil.example:7474": 403, "localhost.evil.example": 403, "10.0.0.1": 403,
	} {
		for _, path := range []string{"/v1/spaces", "/healthz"} {
			if resp, p := r.send("GET", path, nil, "Host", host); resp.StatusCode != want {
				t.Errorf("GET %s for %q = %d %s, want %d", path, host, resp.StatusCode, p.Code, want)
			}
		}
	}
	if resp, p := r.send("POST", "/mcp", strings.NewReader(`{}`), "Host", "evil.example"); p.Code != problem.CodeHost {
		t.Errorf("POST /mcp for evil.example = %d %s", resp.StatusCode, p.Code)
	}
}

func TestCrossOriginWrites(t *testing.T) {
	r := start(t, server.Options{})
	for _, path := range []string{memories, "/mcp"} {
		body := strings.NewReader(`{"content":"x"}`)
		resp, p := r.send("POST", path, body, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if resp.StatusCode != 403 || p.Code != problem.CodeCrossOrigin {
			t.Errorf("cross-origin POST %s = %d %s, want 403 cross_origin", path, resp.StatusCode, p.Code)
		}
	}
	body := strings.NewReader(`{"content":"x"}`)
	if resp, p := r.send("POST", memories, body, "Origin", r.url); resp.StatusCode != 201 {
		t.Errorf("same-origin POST = %d %s", resp.StatusCode, p.Code)
	}
}

func TestTooManyRequests(t *testing.T) {
	r := start(t, server.Options{MaxRequests: 1})
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/v1/spaces/default/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	events, err := http.DefaultClient.Do(req) // Takes the only place.
	if err != nil {
		t.Fatal(err)
	}
	resp, p := r.send("GET", "/v1/spaces", nil)
	if resp.StatusCode != 503 || p.Code != problem.CodeOverloaded || resp.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit = %d %s", resp.StatusCode, p.Code)
	}
	if resp, _ := r.send("GET", "/healthz", nil); resp.StatusCode != 200 {
		t.Errorf("healthz under load = %d", resp.StatusCode)
	}
	_ = events.Body.Close()
}

func TestAddressWhileServing(t *testing.T) {
	r := start(t, server.Options{})
	if resp, _ := r.send("GET", "/healthz", nil); resp.StatusCode != 200 {
		t.Fatalf("healthz = %d", resp.StatusCode)
	}
	a, err := server.ReadAddress(r.db.Dir())
	if err != nil || "http://"+a.Addr != r.url || a.PID == 0 {
		t.Errorf("ReadAddress() = %+v, %v, want %s", a, err, r.url)
	}
	r.stop()
	if err := <-r.end; err != nil {
		t.Errorf("Serve() = %v", err)
	}
	if _, err := server.ReadAddress(r.db.Dir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadAddress() after the end = %v, want fs.ErrNotExist", err)
	}
}

func TestShutdownWaits(t *testing.T) {
	r := start(t, server.Options{})
	h := r.hold()
	r.stop()
	select {
	case err := <-r.end:
		t.Fatalf("Serve() = %v while a request was in flight", err)
	case <-time.After(50 * time.Millisecond): // Long enough to end too early, were it to.
	}
	_, _ = io.WriteString(h.body, `{"content":"held"}`)
	_ = h.body.Close()
	if err := <-h.err; err != nil {
		t.Errorf("the request in flight ended with %v", err)
	}
	if err := <-r.end; err != nil {
		t.Errorf("Serve() = %v", err)
	}
}

func TestShutdownIsBounded(t *testing.T) {
	r := start(t, server.Options{Grace: time.Millisecond})
	h := r.hold()
	r.stop()
	if err := <-r.end; err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("Serve() = %v, want that requests were cut off", err)
	}
	_ = h.body.Close()
	if err := <-h.err; err == nil {
		t.Error("the request that was cut off was answered as if it were whole")
	}
}

func TestShutdownEndsEventStreams(t *testing.T) {
	r := start(t, server.Options{Grace: 10 * time.Second})
	resp, err := http.Get(r.url + "/v1/spaces/default/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	r.stop()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
	if err := <-r.end; err != nil {
		t.Errorf("Serve() = %v", err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []server.Options{{MaxRequests: -1}, {Grace: -1}} {
		if _, err := server.New(nil, o); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("New(%+v) = %v, want invalid", o, err)
		}
	}
}

// held is a request whose handler waits for the body.
type held struct {
	body *io.PipeWriter
	err  chan error
}

// hold sends a request and returns when its handler is reading the body.
func (r *running) hold() held {
	r.t.Helper()
	read, write := io.Pipe()
	reading := make(chan struct{})
	ctx := httptrace.WithClientTrace(r.t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+memories, read)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue") // Answered when the handler begins to read.
	h := held{body: write, err: make(chan error, 1)}
	go func() {
		client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode != http.StatusCreated {
				err = errors.Join(err, errors.New(resp.Status))
			}
		}
		h.err <- err
	}()
	select {
	case <-reading:
	case err := <-h.err:
		r.t.Fatalf("the request ended before its body was read: %v", err)
	}
	return h
}
