// Package wire holds what every door that speaks JSON shares: a strict decoder, and the few forms in which the wire
// differs from the root package's types.
//
// # Invariants
//
// What the decoder accepts takes effect as it was written; everything else is refused with the field's path: unknown
// and doubled names, names in another case, null, bytes that are not UTF-8, half surrogate pairs (which encoding/json
// would silently replace), times without a zone, trailing data. Values are not judged here: ranges, lengths and
// defaults are the root package's.
//
// # Concurrency
//
// A [Decoder] is read-only after [NewDecoder] and may be used by any number of goroutines.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/orchard9/engram-go/server/problem"
)

// Decoder decodes JSON objects into T, a struct.
type Decoder[T any] struct{ shape *shape }

// NewDecoder derives the decoder for T. It panics if T has a field of a type that JSON bodies here do not use.
func NewDecoder[T any]() *Decoder[T] {
	return &Decoder[T]{shape: shapeOf(reflect.TypeFor[T]())}
}

// Names returns the names of T's fields, sorted and separated by commas.
func (d *Decoder[T]) Names() string { return d.shape.names }

// Decode decodes data, the whole of it. Every error is a *problem.Problem: "malformed_json", "unknown_field" or
// "invalid_argument" with the path of the field.
func (d *Decoder[T]) Decode(data []byte) (T, error) {
	var v T
	if len(data) == 0 {
		return v, problem.New(problem.CodeMalformed, "the body is empty: send a JSON object with "+d.shape.names)
	}
	if at := firstBadUTF8(data); at >= 0 {
		return v, problem.New(problem.CodeMalformed, fmt.Sprintf("byte %d of the JSON is not UTF-8: encode it as UTF-8", at))
	}
	err := json.Unmarshal(data, &v)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		text := fmt.Sprintf("the JSON is malformed at byte %d: %v: send one JSON object and nothing after it", e.Offset, e)
		return v, problem.New(problem.CodeMalformed, text)
	}
	// The walk names the field where encoding/json cannot, and sees what encoding/json lets pass.
	w := walker{data: data}
	if bad := w.value(d.shape); bad != nil {
		return v, bad
	}
	if err != nil {
		return v, outOfRange(err)
	}
	return v, nil
}

// outOfRange is for what only encoding/json notices: a number that the Go type cannot hold.
func outOfRange(err error) error {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return problem.New(problem.CodeMalformed, err.Error())
	}
	field := e.Field
	// encoding/json counts embedded structs as parts of the path, by their Go names; fields here begin in lower case.
	for len(field) > 0 && unicode.IsUpper(rune(field[0])) {
		_, field, _ = strings.Cut(field, ".")
	}
	return invalid(field, e.Value, "must be within the range of "+e.Type.String())
}

// invalid is an "invalid_argument" with its parts.
func invalid(field, value, allowed string) *problem.Problem {
	p := problem.New(problem.CodeInvalid, fmt.Sprintf("%s is %s: it %s", field, value, allowed))
	p.Field, p.Value, p.Allowed = field, value, allowed
	return p
}

// firstBadUTF8 returns the offset of the first byte that is not UTF-8; -1 if all is.
func firstBadUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}
