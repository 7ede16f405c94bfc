// Package problem is the one table that says what an error means at every door: its stable code, its HTTP status and
// its exit code of the command line. It also is the form an error takes on the wire (RFC 9457, problem details).
//
// A door turns an error into an answer with [From]; a client turns that answer back into an error by decoding it into
// a [Problem], which errors.Is recognises as the root package's sentinel again. Both directions read the same table.
//
// # Invariants
//
// A code never changes its meaning and never goes away. Text of an error that is nobody's to act on (a panic, an
// unknown failure) does not leave the process; the answer then carries an id under which the log has it.
//
// # Concurrency
//
// The table is read-only. A Problem belongs to whoever made it.
package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/orchard9/engram-go"
)

// ContentType is the media type of an encoded Problem.
const ContentType = "application/problem+json"

// docs is where each code is explained; the code is the page's anchor.
const docs = "https://github.com/orchard9/engram-go/blob/main/docs/http.md#"

// Problem is an error on the wire. It is an error itself, so that a client can return what it decoded.
type Problem struct {
	// Type is the address of the code's explanation.
	Type string `json:"type"`
	// Title says in a few words what the code means, the same for every problem of that code.
	Title string `json:"title"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Code is the stable word for programs, one of [Kinds].
	Code string `json:"code"`
	// Detail says what went wrong this time and what to do.
	Detail string `json:"detail,omitempty"`
	// Field is the field, parameter or header that was refused, such as "memories[3].content".
	Field string `json:"field,omitempty"`
	// Value is what was given, shortened.
	Value string `json:"value,omitempty"`
	// Allowed says what the field may be.
	Allowed string `json:"allowed,omitempty"`
	// ErrorID names the entry of the server's log that has the whole story; "" if nothing was withheld or logged.
	ErrorID string `json:"error_id,omitempty"`
	// Report is how far an import came that ended with this problem.
	Report *engram.ImportReport `json:"report,omitempty"`
	// Reembed is how far a replacing of vectors came that ended with this problem.
	Reembed *engram.ReembedReport `json:"reembed,omitempty"`
}

// New returns a problem of the code with a detail. A code that is not in the table becomes "internal".
func New(code, detail string) *Problem {
	k := byCode(code)
	return &Problem{Type: docs + k.Code, Title: k.Title, Status: k.Status, Code: k.Code, Detail: detail}
}

// From returns err as a problem. An err that is, or wraps, a *Problem gives that problem; any other is looked up in
// the table. The text of a hidden kind is withheld. From(nil) is nil.
func From(err error) *Problem {
	if err == nil {
		return nil
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	kind := Of(err)
	if _, panicked := errors.AsType[*engram.PanicError](err); kind.Hidden || panicked {
		return New(kind.Code, kind.Advice)
	}
	p := New(kind.Code, err.Error())
	p.blame(err)
	return p
}

// blame says which field is at fault, if one is, what it was given and what it may be.
func (p *Problem) blame(err error) {
	at := ""
	if e, ok := errors.AsType[*engram.FieldError](err); ok {
		at = e.Field
	}
	below := func(name string) string {
		if at == "" {
			return name
		}
		return at + "." + name
	}
	p.Field = at
	if e, ok := errors.AsType[*engram.InvalidError](err); ok {
		p.Field, p.Value, p.Allowed = e.Field, e.Value, e.Allowed
	}
	if e, ok := errors.AsType[*engram.SizeError](err); ok {
		p.Field, p.Value = e.Field, fmt.Sprintf("%d %s", e.Got, e.Unit)
		p.Allowed = fmt.Sprintf("at most %d", e.Most)
	}
	if e, ok := errors.AsType[*engram.BudgetError](err); ok {
		p.Field, p.Value, p.Allowed = e.Budget.Name, strconv.FormatInt(e.Budget.Used, 10),
			strconv.FormatInt(e.Budget.Most, 10)
	}
	if e, ok := errors.AsType[*engram.DimensionError](err); ok {
		p.Field, p.Value, p.Allowed = below("embedding"), fmt.Sprintf("%d numbers", e.Got),
			fmt.Sprintf("%d numbers", e.Want)
	}
	if e, ok := errors.AsType[*engram.ModelError](err); ok {
		p.Field, p.Value, p.Allowed = below("embedding_model"), strconv.Quote(e.Got), strconv.Quote(e.Want)
	}
}

// Error returns the detail, or the title where there is none.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.ErrorID != "" {
		text += " (id " + p.ErrorID + ")"
	}
	return text
}

// Is reports whether target is the sentinel of the problem's code, so that errors.Is(p, engram.ErrNotFound) holds for
// a "not_found" that came over the wire. What is in doubt is read-only too, as in the engine.
func (p *Problem) Is(target error) bool {
	k := byCode(p.Code)
	return k.Sentinel != nil &&
		(target == k.Sentinel || k.Sentinel == engram.ErrInDoubt && target == engram.ErrReadOnly)
}

// Write answers a request with p. Nothing must have been written to w before.
func Write(w http.ResponseWriter, p *Problem) {
	body, err := json.Marshal(p)
	if err != nil { // Every field is a string or a number: cannot happen.
		body = []byte(`{"code":"internal","status":500}`)
	}
	w.Header().Set("Content-Type", ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // Who asked has gone: nobody is left to tell.
}
