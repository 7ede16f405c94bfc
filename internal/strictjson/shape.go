package strictjson

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// sort of JSON value that a Go type takes.
type sort int

const (
	sortText sort = iota
	sortNumber
	sortInteger
	sortFlag
	sortTime
	sortObject // a struct: only its fields
	sortMap    // any names
	sortList
)

// shape is what JSON a Go type takes, derived once per type. It is read-only after shapeOf.
type shape struct {
	sort   sort
	fields map[string]*shape // of sortObject
	names  string            // of sortObject: the fields' names, for error texts
	elem   *shape            // of sortMap and sortList
	none   bool              // of sortTime: Go's zero time is taken, which stands for none
	filled bool              // a number is not 0, and a text or list is not empty
}

// shapeOf derives the shape of t: a struct of strings, numbers, booleans, times, and slices, maps, pointers and structs
// of such. Types outside that set are a defect of this package and panic when the decoder is made, never on input.
func shapeOf(t reflect.Type) *shape {
	if t == reflect.TypeFor[time.Time]() {
		return &shape{sort: sortTime}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := shapeOf(t.Elem())
		s.none = true // what is left out is nil, so that the zero value says something
		return s
	case reflect.Struct:
		return structShape(t)
	case reflect.Map:
		return &shape{sort: sortMap, elem: shapeOf(t.Elem())}
	case reflect.Slice:
		return &shape{sort: sortList, elem: shapeOf(t.Elem())}
	case reflect.String:
		return &shape{sort: sortText}
	case reflect.Bool:
		return &shape{sort: sortFlag}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return &shape{sort: sortInteger}
	case reflect.Float32, reflect.Float64:
		return &shape{sort: sortNumber}
	default:
		panic("strictjson: no shape for " + t.String())
	}
}

// structShape lists the fields that encoding/json would fill, with those of embedded structs.
func structShape(t reflect.Type) *shape {
	s := &shape{sort: sortObject, fields: map[string]*shape{}}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" || name == "-" {
			continue
		}
		s.fields[name] = shapeOf(f.Type)
		s.fields[name].filled = f.Tag.Get("min") == "1"
		names = append(names, name)
	}
	slices.Sort(names)
	s.names = strings.Join(names, ", ")
	return s
}

// takes reports whether a value that begins with c can be of this shape.
func (s *shape) takes(c byte) bool {
	switch s.sort {
	case sortObject, sortMap:
		return c == '{'
	case sortList:
		return c == '['
	case sortText, sortTime:
		return c == '"'
	case sortFlag:
		return c == 't' || c == 'f'
	default:
		return c == '-' || (c >= '0' && c <= '9')
	}
}

// wants says what the shape takes, for error texts.
func (s *shape) wants() string {
	switch s.sort {
	case sortObject:
		return "must be an object with " + s.names
	case sortMap:
		return "must be an object"
	case sortList:
		return "must be a list"
	case sortText:
		return "must be a string"
	case sortTime:
		return "must be a time as in RFC 3339, such as \"2026-01-31T09:30:00Z\""
	case sortFlag:
		return "must be true or false"
	case sortInteger:
		return "must be a whole number"
	default:
		return "must be a number"
	}
}
