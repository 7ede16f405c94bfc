package httpapi

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/server/problem"
)

// response notes whether an answer has begun, after which no problem can be told any more.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Isolate catches panics of next: the client gets a problem, log the stack, and other requests notice nothing. If the
// answer has begun, the connection is cut instead, so that half an answer never looks whole.
func Isolate(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &response{ResponseWriter: w}
		// The connection may have the deadline of its last answer.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // In-memory recorders have none.
		err := isolate.Do(r.Method+" "+r.URL.EscapedPath(), "", nil, func() error {
			next.ServeHTTP(out, r)
			return nil
		})
		if err == nil {
			return
		}
		if e, ok := errors.AsType[*isolate.PanicError](err); ok && e.Value == any(http.ErrAbortHandler) {
			panic(http.ErrAbortHandler)
		}
		answer(log, out, r, err)
	})
}

// fail answers with err as a problem.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer(a.log, w, r, err)
}

// answer writes err as a problem and logs it if it is not the client's to mend. It cuts the connection if the answer
// has begun.
func answer(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	p := told(log, r, err)
	if out, ok := w.(*response); ok && out.begun {
		panic(http.ErrAbortHandler)
	}
	if p.Code == problem.CodeOverloaded {
		w.Header().Set("Retry-After", "1")
	}
	setWriteDeadline(w)
	problem.Write(w, &p)
}

// told is err as a problem of this request, logged if it is not the client's to mend.
func told(log *slog.Logger, r *http.Request, err error) problem.Problem {
	p := *problem.From(err) // The error may be shared; the id is this request's.
	if p.Status >= http.StatusInternalServerError && !passing(p.Code) {
		p.ErrorID = rand.Text()
		logFailure(log, r, p.ErrorID, err)
	}
	return p
}

// passing reports whether a code tells of a state that the server is in or of a client that left, not of a failure.
func passing(code string) bool {
	switch code {
	case problem.CodeOverloaded, problem.CodeNotReady, problem.CodeClosed, problem.CodeCanceled:
		return true
	}
	return false
}

// logFailure writes the whole story under the id that the client was told.
func logFailure(log *slog.Logger, r *http.Request, id string, err error) {
	attrs := []any{"error_id", id, "method", r.Method, "path", r.URL.EscapedPath(), "error", err}
	if e, ok := errors.AsType[*engram.PanicError](err); ok {
		attrs = append(attrs, "stack", string(e.Stack))
	}
	log.ErrorContext(r.Context(), "request failed", attrs...)
}

// send answers with v as JSON.
func send(w http.ResponseWriter, status int, v any) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	header(w, mediaJSON)
	setWriteDeadline(w)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // Who asked has gone: nobody is left to tell.
	return nil
}

// list is s, or the empty list for nil: on the wire a list is never null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// header sets what every answer has.
func header(w http.ResponseWriter, kind string) {
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// setWriteDeadline gives the client stallTime from now to take what is written. It holds for the connection until it
// is set again, which every answer does.
func setWriteDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(stallTime)) // In-memory recorders have none.
}

// streamWriter begins the answer with the first byte, so that an error before it is still told as a problem.
type streamWriter struct {
	w    http.ResponseWriter
	kind string
	open bool
}

// begin sends the header, once.
func (s *streamWriter) begin() {
	if s.open {
		return
	}
	s.open = true
	header(s.w, s.kind)
	s.w.WriteHeader(http.StatusOK)
}

// Write sends some of the answer; a client that takes nothing for stallTime ends it.
func (s *streamWriter) Write(p []byte) (int, error) {
	setWriteDeadline(s.w)
	s.begin()
	return s.w.Write(p)
}
