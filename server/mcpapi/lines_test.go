package mcpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/mcpapi"
)

const (
	hello = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
		`"capabilities":{},"clientInfo":{"name":"raw","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"
	ping = `{"jsonrpc":"2.0","id":"last","method":"ping"}`
)

// answer is a JSON-RPC answer as it is on the wire.
type answer struct {
	Version string `json:"jsonrpc"`
	ID      any    `json:"id"`
	Error   *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// answersTo gives what a session answers to an input that then ends.
func answersTo(t *testing.T, s *mcpapi.Server, in string) (answers []answer) {
	t.Helper()
	var out bytes.Buffer
	if err := s.Stdio(t.Context(), strings.NewReader(in), &out); err != nil {
		t.Fatalf("Stdio(%.80q) = %v", in, err)
	}
	for line := range strings.Lines(out.String()) {
		var a answer
		err := json.Unmarshal([]byte(line), &a)
		if err != nil || a.Version != "2.0" || !strings.Contains(line, `"id":`) {
			t.Fatalf("the answer %q to %.80q: %v", line, in, err)
		}
		answers = append(answers, a)
	}
	return answers
}

// TestBadLinesAreAnswered: a line that is no message is answered with the error that JSON-RPC has for it, and what
// comes after it is answered as if it had not been.
func TestBadLinesAreAnswered(t *testing.T) {
	s := newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{})
	long := `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"remember","arguments":{"content":"` +
		strings.Repeat("x", 4<<20) + `"}}}`
	for name, c := range map[string]struct {
		line string
		code int
		id   any
		says string
	}{
		"not JSON":             {`hello`, -32700, nil, "not JSON"},
		"half a message":       {`{"jsonrpc":"2.0","id":7,"method":"ping"`, -32700, nil, "unexpected end"},
		"two on a line":        {ping + ping, -32700, nil, "not JSON"},
		"too long":             {long, -32700, nil, "4194304 bytes"},
		"no object":            {`42`, -32600, nil, "not a JSON-RPC"},
		"no version":           {`{"id":7,"method":"ping"}`, -32600, 7., "version"},
		"another version":      {`{"jsonrpc":"1.0","id":"seven","method":"ping"}`, -32600, "seven", "version"},
		"an object as id":      {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, -32600, nil, "ID"},
		"neither":              {`{"jsonrpc":"2.0"}`, -32600, nil, "not a JSON-RPC"},
		"an empty batch":       {`[]`, -32600, nil, "empty"},
		"a bad one in a batch": {`[` + ping + `,{"id":7}]`, -32600, 7., "version"},
	} {
		answers := answersTo(t, s, hello+c.line+"\n\r\n  \n"+ping)
		if len(answers) != 3 {
			t.Errorf("%s: %d answers, want 3: %+v", name, len(answers), answers)
			continue
		}
		refused := 0
		for _, a := range answers {
			switch {
			case a.Error == nil:
			case a.Error.Code != c.code || a.ID != c.id || !strings.Contains(a.Error.Message, c.says):
				t.Errorf("%s: answered %+v %+v, want code %d, id %v and %q", name, a, *a.Error, c.code, c.id, c.says)
			default:
				refused++
			}
		}
		for _, id := range []any{0., "last"} {
			if !slices.ContainsFunc(answers, func(a answer) bool { return a.ID == id && a.Error == nil }) ||
				refused != 1 {
				t.Errorf("%s: %d refused of %+v, want 1, and answers to 0 and last", name, refused, answers)
			}
		}
	}
}

// TestCallsTheLibraryDrops: a batch with a notification, and a call under the id of one that goes on, are answered, and
// the session goes on.
func TestCallsTheLibraryDrops(t *testing.T) {
	b := &slowStats{Backend: mcpapi.Engine(openDB(t)), asked: make(chan struct{}), proceed: make(chan struct{})}
	s := newServer(t, b, mcpapi.Options{})
	serverIn, in := io.Pipe()
	out, serverOut := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Stdio(t.Context(), serverIn, serverOut)
		_ = serverOut.Close()
	}()
	answers := json.NewDecoder(out)
	say := func(lines string) {
		if _, err := io.WriteString(in, lines); err != nil {
			t.Error(err)
		}
	}
	next := func() (a answer) {
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	go say(hello)
	next()
	go say(`[` + ping + `,{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}]` + "\n")
	if a := next(); a.Error != nil || a.ID != "last" {
		t.Errorf("a batch is answered %+v", a)
	}
	status := `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"status","arguments":{}}}` + "\n"
	go say(status)
	<-b.asked
	go say(status)
	if a := next(); a.Error == nil || a.ID != nil || !strings.Contains(a.Error.Message, "the id 5 ") {
		t.Errorf("the id of a call that goes on is answered %+v", a)
	}
	close(b.proceed)
	if a := next(); a.Error != nil || a.ID != 5. {
		t.Errorf("the call is answered %+v", a)
	}
	go say(status)
	if a := next(); a.Error != nil || a.ID != 5. {
		t.Errorf("the same id afterwards is answered %+v", a)
	}
	_ = in.Close()
	if err := <-ended; err != nil {
		t.Errorf("Stdio() = %v", err)
	}
}

// slowStats is a backend whose first Stats waits.
type slowStats struct {
	mcpapi.Backend
	once           sync.Once
	asked, proceed chan struct{}
}

func (b *slowStats) Stats(ctx context.Context, space string) (engram.SpaceStats, error) {
	b.once.Do(func() {
		close(b.asked)
		<-b.proceed
	})
	return b.Backend.Stats(ctx, space)
}

// TestLinesOfAnySize: messages come through whole whatever their size up to the limit, and in whatever parts they are
// read.
func TestLinesOfAnySize(t *testing.T) {
	s := newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{})
	var in strings.Builder
	in.WriteString(hello)
	const n = 40
	for i := range n {
		in.WriteString(`{"jsonrpc":"2.0","id":` + strconv.Itoa(100+i) + strings.Repeat(" ", i*997))
		in.WriteString(`,"method":"ping"}` + []string{"\n", "\r\n"}[i%2])
		in.WriteString("no message\n")
	}
	fits := `{"jsonrpc":"2.0","id":2,"method":"ping","params":{}}`
	in.WriteString(fits + strings.Repeat(" ", 4<<20-len(fits)-1) + "\n")
	good, bad := 0, 0
	for _, a := range answersTo(t, s, in.String()) {
		if a.Error == nil {
			good++
		} else {
			bad++
		}
	}
	if good != n+2 || bad != n {
		t.Errorf("%d answered and %d refused, want %d and %d", good, bad, n+2, n)
	}
}

// TestInputThatFails: what cannot be read any more ends the session with that error.
func TestInputThatFails(t *testing.T) {
	s := newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{})
	broken := errors.New("the pipe is broken")
	var out bytes.Buffer
	err := s.Stdio(t.Context(), io.MultiReader(strings.NewReader(hello), failingReader{broken}), &out)
	if !errors.Is(err, broken) || !strings.Contains(out.String(), `"id":0`) {
		t.Errorf("Stdio() = %v, answered %q", err, out.String())
	}
	if err = s.Stdio(t.Context(), strings.NewReader("no message\n"), failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("Stdio() = %v to an output that fails", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
