// Package wire holds what every door that speaks JSON shares: a strict decoder (internal/strictjson) whose errors are
// problems, and the few forms in which the wire differs from the root package's types.
//
// # Invariants
//
// What the decoder accepts takes effect as it was written; everything else is refused with the field's path. Values are
// not judged here: ranges, lengths and defaults are the root package's.
//
// # Concurrency
//
// A [Decoder] is read-only after [NewDecoder] and may be used by any number of goroutines.
package wire

import (
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/strictjson"
	"github.com/orchard9/engram-go/server/problem"
)

// Decoder decodes JSON objects into T, a struct.
type Decoder[T any] struct{ strict *strictjson.Decoder[T] }

// NewDecoder derives the decoder for T. It panics if T has a field of a type that JSON bodies here do not use.
func NewDecoder[T any]() *Decoder[T] { return &Decoder[T]{strictjson.NewDecoder[T]()} }

// Names returns the names of T's fields, sorted and separated by commas.
func (d *Decoder[T]) Names() string { return d.strict.Names() }

// Decode decodes data, the whole of it. Every error is a *problem.Problem: "malformed_json", "unknown_field" or
// "invalid_argument" with the path of the field.
func (d *Decoder[T]) Decode(data []byte) (T, error) {
	v, err := d.strict.Decode(data)
	return v, asProblem(err)
}

// asProblem is an error of strictjson as a problem.
func asProblem(err error) error {
	e, ok := errors.AsType[*strictjson.Error](err)
	if !ok {
		return err
	}
	code := problem.CodeInvalid
	switch e.Kind {
	case strictjson.Malformed:
		code = problem.CodeMalformed
	case strictjson.Unknown:
		code = problem.CodeUnknownField
	}
	p := problem.New(code, e.Text)
	p.Field, p.Value, p.Allowed = e.Field, e.Value, e.Allowed
	return p
}

// invalid is an "invalid_argument" with its parts.
func invalid(field, value, allowed string) *problem.Problem {
	p := problem.New(problem.CodeInvalid, fmt.Sprintf("%s is %s: it %s", field, value, allowed))
	p.Field, p.Value, p.Allowed = field, value, allowed
	return p
}
