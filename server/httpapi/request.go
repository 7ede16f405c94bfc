package httpapi

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

const (
	// bodyTime is how long a held body may take to arrive.
	bodyTime = time.Minute
	// stallTime is how long a streamed body or answer may stand still.
	stallTime = time.Minute

	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
	mediaBytes = "application/octet-stream"
)

// call is one request as its route sees it.
type call struct {
	r      *http.Request
	query  map[string]string // the parameters given, each known to the route
	space  *engram.Space     // nil if the path names none
	body   []byte            // of bodyJSON
	stream io.Reader         // of bodyLines and bodyBytes
}

// params reads the query; every parameter must be one of known, be given once, and have a value.
func (q *call) params(known []string) error {
	values, err := url.ParseQuery(q.r.URL.RawQuery)
	if err != nil {
		return refuse("query", q.r.URL.RawQuery, "must be percent-encoded parameters, joined by &: "+err.Error())
	}
	q.query = make(map[string]string, len(values))
	for name, given := range values {
		if !slices.Contains(known, name) {
			return unknownParameter(name, known)
		}
		if len(given) > 1 {
			return refuse(name, "given more than once", "must be given once")
		}
		if !utf8.ValidString(given[0]) {
			return refuse(name, strconv.Quote(given[0]), "must be UTF-8")
		}
		if given[0] == "" && name != "cursor" { // of the first page it is empty
			return refuse(name, "empty", "must have a value, or be left out")
		}
		q.query[name] = given[0]
	}
	return nil
}

// unknownParameter says what the route takes instead.
func unknownParameter(name string, known []string) error {
	allowed := strings.Join(known, ", ")
	if allowed == "" {
		allowed = "none"
	}
	text := fmt.Sprintf("unknown query parameter %q: allowed are %s", name, allowed)
	p := problem.New(problem.CodeUnknownParameter, text)
	p.Field, p.Allowed = name, allowed
	return p
}

// flag reads a parameter that is true or false, false if it is not given.
func (q *call) flag(name string) (bool, error) {
	switch v, given := q.query[name]; {
	case !given || v == "false":
		return false, nil
	case v == "true":
		return true, nil
	default:
		return false, refuse(name, strconv.Quote(v), "must be true or false")
	}
}

// number reads a parameter that is a whole number from 1, 0 if it is not given.
func (q *call) number(name string) (int, error) {
	v, given := q.query[name]
	if !given {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, refuse(name, strconv.Quote(v), "must be a whole number from 1")
	}
	return n, nil
}

// position reads a parameter that is a position in a log, 0 if it is not given.
func (q *call) position(name string) (uint64, error) {
	v, given := q.query[name]
	if !given {
		return 0, nil
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n == 0 {
		return 0, refuse(name, strconv.Quote(v), "must be a position, above 0")
	}
	return n, nil
}

// duration reads a parameter that is a duration above 0, 0 if it is not given.
func (q *call) duration(name string) (time.Duration, error) {
	v, given := q.query[name]
	if !given {
		return 0, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d <= 0 {
		return 0, refuse(name, strconv.Quote(v), "must be a duration above 0, such as 720h")
	}
	return d, nil
}

// time reads a parameter that is a time, the zero time if it is not given.
func (q *call) time(name string) (t time.Time, err error) {
	v, given := q.query[name]
	if !given {
		return t, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, v); err != nil || t.IsZero() { // the zero time would be as if not given
		return t, refuse(name, strconv.Quote(v), `must be a time as in RFC 3339, such as "2026-01-31T09:30:00Z"`)
	}
	return t, nil
}

// words reads a parameter that lists some of the allowed words.
func (q *call) words(name string, allowed ...string) ([]string, error) {
	v, given := q.query[name]
	if !given {
		return nil, nil
	}
	words := strings.Split(v, ",")
	for _, w := range words {
		if !slices.Contains(allowed, w) {
			return nil, refuse(name, strconv.Quote(w),
				"must be some of "+strings.Join(allowed, ", ")+", separated by commas")
		}
	}
	return words, nil
}

// refuse is an "invalid_argument" with its parts.
func refuse(field, value, allowed string) error {
	p := problem.New(problem.CodeInvalid, fmt.Sprintf("%s is %s: it %s", field, value, allowed))
	p.Field, p.Value, p.Allowed = field, value, allowed
	return p
}

// body takes the body in the form that the route takes. The returned func gives back the bytes held for it.
func (a *API) body(w http.ResponseWriter, q *call, c route) (free func(), err error) {
	free = func() {}
	switch c.body {
	case bodyLines, bodyBytes:
		want := mediaLines
		if c.body == bodyBytes {
			want = mediaBytes
		}
		if err := media(q.r, want); err != nil {
			return free, err
		}
		q.stream = &steadyReader{body: q.r.Body, control: http.NewResponseController(w)}
		return free, nil
	case bodyJSON:
		if err := media(q.r, mediaJSON); err != nil {
			return free, err
		}
		return a.hold(w, q, c.max)
	}
	// Not ContentLength: a chunked body has none.
	if n, _ := io.ReadFull(q.r.Body, make([]byte, 1)); n > 0 {
		return free, refuse("body", "given", "must be empty: this route takes none")
	}
	return free, nil
}

// media checks the body's type.
func media(r *http.Request, want string) error {
	given := r.Header.Get("Content-Type")
	kind, params, err := mime.ParseMediaType(given)
	charset := params["charset"]
	if err != nil || kind != want || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		text := fmt.Sprintf("Content-Type is %q: send the body with Content-Type: %s", given, want)
		p := problem.New(problem.CodeMediaType, text)
		p.Field, p.Value, p.Allowed = "Content-Type", given, want
		return p
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		p := problem.New(problem.CodeMediaType, fmt.Sprintf("Content-Encoding is %q: send the body as it is", coding))
		p.Field, p.Value, p.Allowed = "Content-Encoding", coding, "identity"
		return p
	}
	return nil
}

// hold reads the whole body, at most limit bytes, against the budget of all bodies.
func (a *API) hold(w http.ResponseWriter, q *call, limit int64) (free func(), err error) {
	size := q.r.ContentLength
	if size > limit {
		return func() {}, bodyTooLarge(limit)
	}
	if size < 0 {
		size = limit
	}
	if a.held.Add(size) > maxHeld {
		a.held.Add(-size)
		return func() {}, problem.New(problem.CodeOverloaded, "too many large bodies at once: try again in a moment")
	}
	free = func() { a.held.Add(-size) }
	control := http.NewResponseController(w)
	setReadDeadline(control, time.Now().Add(bodyTime))
	q.body, err = io.ReadAll(http.MaxBytesReader(w, q.r.Body, limit))
	if err != nil {
		free()
		return func() {}, bodyError(err, limit)
	}
	setReadDeadline(control, time.Time{}) // Else the watch for a client that leaves would end the request.
	return free, nil
}

// bodyError tells a body that is too large from one that did not arrive.
func bodyError(err error, limit int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(limit)
	}
	return problem.New(problem.CodeMalformed, "the body did not arrive whole: "+err.Error())
}

// bodyTooLarge states the limit.
func bodyTooLarge(limit int64) error {
	text := fmt.Sprintf("the body is above the limit of %d bytes: send less at once, or use import", limit)
	p := problem.New(problem.CodeTooLarge, text)
	p.Field, p.Allowed = "body", fmt.Sprintf("at most %d bytes", limit)
	return p
}

// steadyReader reads a streamed body that may take as long as it likes but not stand still.
type steadyReader struct {
	body    io.Reader
	control *http.ResponseController
}

// Read reads some of the body.
func (s *steadyReader) Read(p []byte) (int, error) {
	setReadDeadline(s.control, time.Now().Add(stallTime))
	n, err := s.body.Read(p)
	if err != nil {
		setReadDeadline(s.control, time.Time{})
	}
	return n, err
}

// setReadDeadline sets it where the connection has one; in-memory recorders have none.
func setReadDeadline(c *http.ResponseController, t time.Time) { _ = c.SetReadDeadline(t) }
