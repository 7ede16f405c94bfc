package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/httpapi"
)

const memories = "/v1/spaces/default/memories"

// door is the API over an engine in a temporary directory, behind a real connection.
type door struct {
	t   *testing.T
	url string
	db  *engram.DB
	log *bytes.Buffer // not to be read before the server has stopped, or a request has been answered
}

func open(t *testing.T) *door {
	t.Helper()
	db, err := engram.Open(t.TempDir())
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	d := &door{t: t, db: db, log: &bytes.Buffer{}}
	api := httpapi.New(db, slog.New(slog.NewTextHandler(d.log, nil)))
	hs := httptest.NewServer(api)
	t.Cleanup(func() {
		api.EndStreams()
		hs.Close()
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	d.url = hs.URL
	return d
}

// send makes a request; headers are pairs, and a body is JSON unless they say otherwise.
func (d *door) send(method, path, body string, headers ...string) (*http.Response, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, string(data)
}

// want makes a request that must be answered with status, and decodes the answer into v unless v is nil.
func (d *door) want(status int, method, path, body string, v any, headers ...string) {
	d.t.Helper()
	resp, text := d.send(method, path, body, headers...)
	if resp.StatusCode != status {
		d.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, resp.StatusCode, text, status)
	}
	if v == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		d.t.Fatalf("%s %s = %s: %v", method, path, text, err)
	}
}

// hold posts to path and returns when the handler is reading the body, which is the caller's to write and close.
func (d *door) hold(path string) *io.PipeWriter {
	d.t.Helper()
	read, body := io.Pipe()
	reading := make(chan struct{})
	ctx := httptrace.WithClientTrace(d.t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url+path, read)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue") // Answered when the handler begins to read.
	done := make(chan error, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour, DisableKeepAlives: true}}
		resp, err := client.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	select {
	case <-reading:
	case err := <-done:
		d.t.Fatalf("POST %s ended before its body was read: %v", path, err)
	}
	return body
}
