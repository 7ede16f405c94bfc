package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxShown is how many bytes of a refused value an error shows.
const maxShown = 60

// walker compares JSON with a shape. data must be valid JSON; the walk then needs no syntax errors of its own. Its
// depth is the shape's, whatever the JSON's: what does not fit the shape is refused, not entered.
type walker struct {
	data []byte
	pos  int
	path []step
}

// step is one part of the path to the value at hand: a name, or an index if name is "".
type step struct {
	name  string
	index int
}

// value compares the value at pos and moves behind it.
func (w *walker) value(s *shape) error {
	w.blank()
	c := w.data[w.pos]
	switch {
	case c == 'n':
		return w.refuse("null", "must be left out, or "+s.wants()[len("must "):])
	case !s.takes(c):
		return w.refuse(w.shown(), s.wants())
	case c == '{':
		return w.object(s)
	case c == '[':
		return w.list(s)
	case c == '"':
		return w.text(s)
	}
	return w.scalar(s)
}

// object compares the object at pos: its names must be known and single.
func (w *walker) object(s *shape) error {
	seen := map[string]struct{}{}
	w.pos++ // {
	for w.more('}') {
		name, err := w.str()
		if err != nil {
			return err
		}
		elem := s.elem
		if s.sort == sortObject {
			elem = s.fields[name]
		}
		w.path = append(w.path, step{name: name})
		if elem == nil {
			return w.unknown(s)
		}
		if _, twice := seen[name]; twice {
			return w.refuse("given twice", "must be given once")
		}
		seen[name] = struct{}{}
		w.blank()
		w.pos++ // :
		if err := w.value(elem); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return nil
}

// list compares each element of the list at pos.
func (w *walker) list(s *shape) error {
	w.pos++ // [
	w.path = append(w.path, step{})
	for w.more(']') {
		if err := w.value(s.elem); err != nil {
			return err
		}
		w.path[len(w.path)-1].index++
	}
	n := w.path[len(w.path)-1].index
	w.path = w.path[:len(w.path)-1]
	if s.filled && n == 0 {
		return w.refuse("empty", "must have something in it, or be left out")
	}
	return nil
}

// more moves to the next member of a list or object and reports whether there is one; if not, it moves behind end.
func (w *walker) more(end byte) bool {
	w.blank()
	if w.data[w.pos] == ',' {
		w.pos++
		w.blank()
	}
	if w.data[w.pos] != end {
		return true
	}
	w.pos++
	return false
}

// text compares the string at pos.
func (w *walker) text(s *shape) error {
	start := w.pos
	v, err := w.str()
	if err != nil {
		return err
	}
	if s.filled && v == "" {
		return w.refuse("empty", "must have something in it, or be left out")
	}
	if s.sort != sortTime {
		return nil
	}
	var t time.Time
	if t.UnmarshalJSON(w.data[start:w.pos]) != nil {
		return w.refuse(strconv.Quote(shorten(v)), s.wants())
	}
	if t.IsZero() && !s.none {
		const later = "must be a later time: this one stands for none, for which it is left out"
		return w.refuse(strconv.Quote(shorten(v)), later)
	}
	return nil
}

// scalar compares the number or boolean at pos.
func (w *walker) scalar(s *shape) error {
	token := w.data[w.pos:]
	token = token[:scalarLen(token)]
	w.pos += len(token)
	if s.sort == sortInteger && bytes.ContainsAny(token, ".eE") {
		return w.refuse(shorten(string(token)), s.wants())
	}
	if s.filled && (string(token) == "0" || string(token) == "-0") {
		return w.refuse(shorten(string(token)), "must be a whole number from 1, or be left out")
	}
	return nil
}

// str moves behind the string at pos and returns its value.
func (w *walker) str() (string, error) {
	start := w.pos
	escaped := false
	w.pos++
	for w.data[w.pos] != '"' {
		if w.data[w.pos] == '\\' {
			escaped = true
			w.pos++
		}
		w.pos++
	}
	w.pos++
	token := w.data[start:w.pos]
	if !escaped {
		return string(token[1 : len(token)-1]), nil
	}
	if halfPair(token) {
		return "", w.refuse("a string with half of a surrogate pair", "must be text: escape both halves, or send UTF-8")
	}
	var v string
	if err := json.Unmarshal(token, &v); err != nil { // The whole was valid: cannot happen.
		return "", malformed(err.Error())
	}
	return v, nil
}

// halfPair reports whether a valid JSON string has a \u escape that is a surrogate without its other half.
func halfPair(token []byte) bool {
	for i := 0; i < len(token); {
		if token[i] != '\\' {
			i++
			continue
		}
		unit, ok := escape(token[i:])
		if !ok || !utf16.IsSurrogate(unit) {
			i += 2
			continue
		}
		second, ok := escape(token[i+6:])
		if !ok || utf16.DecodeRune(unit, second) == utf8.RuneError {
			return true
		}
		i += 12
	}
	return false
}

// escape reads a \uXXXX at the beginning of b.
func escape(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(unit), err == nil
}

// blank moves over white space.
func (w *walker) blank() {
	for w.pos < len(w.data) {
		switch w.data[w.pos] {
		case ' ', '\t', '\r', '\n':
			w.pos++
		default:
			return
		}
	}
}

// shown is the value at pos, shortened.
func (w *walker) shown() string {
	rest := w.data[w.pos:]
	switch rest[0] {
	case '{', '[':
		rest = rest[:nestedLen(rest, maxShown+1)]
	case '"':
		ahead := walker{data: w.data, pos: w.pos}
		_, _ = ahead.str() // Only for where it ends.
		rest = w.data[w.pos:ahead.pos]
	default:
		rest = rest[:scalarLen(rest)]
	}
	return shorten(string(rest))
}

// nestedLen is the length of the list or object that data begins with, or most if it is longer.
func nestedLen(data []byte, most int) int {
	ahead := walker{data: data}
	for depth := 0; ahead.pos < most; {
		switch data[ahead.pos] {
		case '"':
			_, _ = ahead.str() // Only for where it ends.
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		ahead.pos++
		if depth == 0 {
			break
		}
	}
	return min(ahead.pos, most)
}

// scalarLen is the length of the number or boolean that data begins with.
func scalarLen(data []byte) int {
	if end := bytes.IndexAny(data, ",]} \t\r\n"); end >= 0 {
		return end
	}
	return len(data)
}

// shorten cuts s to what an error shows, at a character's boundary.
func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// where is the path to the value at hand.
func (w *walker) where() string {
	var b strings.Builder
	for _, s := range w.path {
		switch {
		case s.name == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case b.Len() > 0:
			b.WriteString("." + shorten(s.name))
		default:
			b.WriteString(shorten(s.name))
		}
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

// refuse is the error for the value at hand.
func (w *walker) refuse(value, allowed string) error { return invalid(w.where(), value, allowed) }

// unknown is the error for a name that s does not have.
func (w *walker) unknown(s *shape) error {
	field := w.where()
	return &Error{
		Kind: Unknown, Field: field, Allowed: s.names,
		Text: fmt.Sprintf("unknown field %q: allowed are %s", field, s.names),
	}
}
