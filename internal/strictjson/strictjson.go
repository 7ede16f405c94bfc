// Package strictjson decodes JSON objects into structs and takes nothing that would not take effect as it was written.
//
// # Invariants
//
// What it refuses, by the field's path: unknown and doubled names, names in another case, null, bytes that are not
// UTF-8 and half surrogate pairs (which encoding/json would silently replace), times without a zone, a time that is
// Go's zero time where that would stand for none, trailing data. A field with the tag `min:"1"` is one whose zero value
// in Go says that it was not given: the number 0, an empty text and an empty list are refused there. Values are not
// judged otherwise: ranges, lengths and defaults are the root package's.
//
// # Concurrency
//
// A [Decoder] is read-only after [NewDecoder] and may be used by any number of goroutines.
package strictjson

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what is wrong with a text.
type Kind int

// Kinds of errors.
const (
	Malformed Kind = iota // it is no JSON, or no UTF-8
	Unknown               // a name is not one of the fields
	Invalid               // a field has a value that it cannot have
)

// Error is what Decode returns. Field, Value and Allowed are empty if it is Malformed, Value if it is Unknown.
type Error struct {
	Kind    Kind
	Field   string // its path, such as "links[1].to"; "body" if it is the whole
	Value   string // what was given, shortened
	Allowed string
	Text    string // all of it in words
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Decoder decodes JSON objects into T, a struct.
type Decoder[T any] struct{ shape *shape }

// NewDecoder derives the decoder for T. It panics if T has a field of a type that JSON bodies here do not use.
func NewDecoder[T any]() *Decoder[T] {
	return &Decoder[T]{shape: shapeOf(reflect.TypeFor[T]())}
}

// Names returns the names of T's fields, sorted and separated by commas.
func (d *Decoder[T]) Names() string { return d.shape.names }

// Decode decodes data, the whole of it. Every error is an *Error.
func (d *Decoder[T]) Decode(data []byte) (T, error) {
	var v T
	if len(data) == 0 {
		return v, malformed("there is nothing: send a JSON object with " + d.shape.names)
	}
	if at := firstBadUTF8(data); at >= 0 {
		return v, malformed(fmt.Sprintf("byte %d of the JSON is not UTF-8: encode it as UTF-8", at))
	}
	err := json.Unmarshal(data, &v)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return v, malformed(fmt.Sprintf("the JSON is malformed at byte %d: %v: send one JSON object and nothing "+
			"after it", e.Offset, e))
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
		return malformed(err.Error())
	}
	field := e.Field
	// encoding/json counts embedded structs as parts of the path, by their Go names; fields here begin in lower case.
	for len(field) > 0 && unicode.IsUpper(rune(field[0])) {
		_, field, _ = strings.Cut(field, ".")
	}
	return invalid(field, e.Value, "must be within the range of "+e.Type.String())
}

func malformed(text string) error { return &Error{Kind: Malformed, Text: text} }

func invalid(field, value, allowed string) error {
	return &Error{
		Kind: Invalid, Field: field, Value: value, Allowed: allowed,
		Text: fmt.Sprintf("%s is %s: it %s", field, value, allowed),
	}
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

// vectorForms is what is accepted as a vector.
const vectorForms = "must be given once: as embedding (numbers) or as embedding_b64 (base64 of little-endian float32)"

// Vector returns the vector that was given in one of two forms, nil if in none. prefix leads to the field in errors,
// which are *Error.
func Vector(prefix string, numbers []float32, b64 *string) ([]float32, error) {
	if b64 == nil {
		return numbers, nil
	}
	field := prefix + "embedding_b64"
	if numbers != nil {
		return nil, invalid(field, "given beside embedding", vectorForms)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(*b64)
	if err != nil {
		return nil, invalid(field, "not base64 ("+err.Error()+")", vectorForms)
	}
	if len(raw)%4 != 0 {
		return nil, invalid(field, fmt.Sprintf("%d bytes long", len(raw)), "must have 4 bytes a number")
	}
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v, nil
}
