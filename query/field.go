package query

import (
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Kind is what a field holds.
type Kind int

// The kinds of fields.
const (
	Text   Kind = iota // UTF-8; "" if the memory has none
	Number             // whole or not
	Time               // an instant, or none
	Flag               // true or false
	Set                // of texts
)

// metadata is the beginning of the names of metadata fields; the key follows.
const metadata = "metadata."

// field is a field of a memory by its name. One of the functions is set, that of its kind.
type field struct {
	name   string
	kind   Kind
	text   func(*engram.Memory) string
	number func(*engram.Memory) float64
	time   func(*engram.Memory) time.Time
}

// fields lists every field but those of the metadata, in the order of docs/query.md.
func fields() []field {
	return []field{
		{name: "id", text: func(m *engram.Memory) string { return m.ID }},
		{name: "content", text: func(m *engram.Memory) string { return m.Content }},
		{name: "kind", text: func(m *engram.Memory) string { return m.Kind }},
		{name: "tags", kind: Set},
		{name: "speaker", text: func(m *engram.Memory) string { return m.Speaker }},
		{name: "session", text: func(m *engram.Memory) string { return m.Session }},
		{name: "source", text: func(m *engram.Memory) string { return m.Source }},
		{name: "reason", text: func(m *engram.Memory) string { return m.Reason }},
		{name: "superseded_by", text: func(m *engram.Memory) string { return m.SupersededBy }},
		{name: "occurred_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.OccurredAt }},
		{name: "valid_from", kind: Time, time: func(m *engram.Memory) time.Time { return m.ValidFrom }},
		{name: "valid_until", kind: Time, time: func(m *engram.Memory) time.Time { return m.ValidUntil }},
		{name: "expires_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.ExpiresAt }},
		{name: "created_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.CreatedAt }},
		{name: "updated_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.UpdatedAt }},
		{name: "superseded_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.SupersededAt }},
		{name: "confidence", kind: Number, number: func(m *engram.Memory) float64 { return m.Confidence }},
		{name: "version", kind: Number, number: func(m *engram.Memory) float64 { return float64(m.Version) }},
		{name: "reinforced", kind: Number, number: func(m *engram.Memory) float64 { return float64(m.Reinforced) }},
		{name: "pin", kind: Flag},
	}
}

// find finds a field; key is what follows "metadata.".
func find(name string) (field, bool) {
	if key, ok := strings.CutPrefix(name, metadata); ok {
		return field{name: name, kind: Text, text: func(m *engram.Memory) string { return m.Metadata[key] }}, key != ""
	}
	all := fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return all[i], true
}

// Op is what a test asks of a field.
type Op string

// The operators. Which kinds of fields have which stands in docs/query.md.
const (
	Equal    Op = "="
	Unequal  Op = "!="
	Less     Op = "<"
	AtMost   Op = "<="
	More     Op = ">"
	AtLeast  Op = ">="
	In       Op = "IN"
	All      Op = "ALL"
	Any      Op = "ANY"
	None     Op = "NONE"
	Contains Op = "CONTAINS"
	Exists   Op = "EXISTS"
)

// ops lists the operators that fields of a kind have.
func (k Kind) ops() []Op {
	switch k {
	case Text:
		return []Op{Equal, Unequal, In, Contains, Exists}
	case Number:
		return []Op{Equal, Unequal, Less, AtMost, More, AtLeast, In}
	case Time:
		return []Op{Equal, Unequal, Less, AtMost, More, AtLeast, Exists}
	case Flag:
		return []Op{Equal, Unequal}
	default:
		return []Op{All, Any, None, Exists}
	}
}

// values says how many values an operator takes: none, one, or a list.
func (o Op) values() (one, list bool) {
	switch o {
	case Exists:
		return false, false
	case In, All, Any, None:
		return false, true
	}
	return true, false
}

// String names the kind as errors do.
func (k Kind) String() string {
	return [...]string{"a text", "a number", "a time", "a flag", "a set of texts"}[k]
}
