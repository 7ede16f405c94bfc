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

// field is a field of a memory by its name. One of the functions is set, that of its kind. A number or flag that a
// memory has not is given with false.
type field struct {
	name   string
	kind   Kind
	text   func(*engram.Memory) string
	number func(*engram.Memory) (float64, bool)
	time   func(*engram.Memory) time.Time
	flag   func(*engram.Memory) (flag, has bool)
	set    func(*engram.Memory) []string
	links  bool // it is made of the memory's links, which have no dates
}

// fields lists every field but those of the metadata, in the order of docs/query.md.
func fields() []field {
	all := []field{
		{name: "id", text: func(m *engram.Memory) string { return m.ID }},
		{name: "content", text: func(m *engram.Memory) string { return m.Content }},
		{name: "kind", text: func(m *engram.Memory) string { return m.Kind }},
		{name: "tags", kind: Set, set: func(m *engram.Memory) []string { return m.Tags }},
		{name: "speaker", text: func(m *engram.Memory) string { return m.Speaker }},
		{name: "session", text: func(m *engram.Memory) string { return m.Session }},
		{name: "source", text: func(m *engram.Memory) string { return m.Source }},
		{name: "reason", text: func(m *engram.Memory) string { return m.Reason }},
		{name: "language", text: func(m *engram.Memory) string { return m.Language }},
		{name: "superseded_by", text: func(m *engram.Memory) string { return m.SupersededBy }},
		{name: "embedding_model", text: func(m *engram.Memory) string { return m.EmbeddingModel }},
		{name: "tier", text: func(m *engram.Memory) string { return string(m.Tier) }},
		{name: "occurred_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.OccurredAt }},
		{name: "valid_from", kind: Time, time: func(m *engram.Memory) time.Time { return m.ValidFrom }},
		{name: "valid_until", kind: Time, time: func(m *engram.Memory) time.Time { return m.ValidUntil }},
		{name: "expires_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.ExpiresAt }},
		{name: "created_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.CreatedAt }},
		{name: "updated_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.UpdatedAt }},
		{name: "superseded_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.SupersededAt }},
		{name: "archived_at", kind: Time, time: func(m *engram.Memory) time.Time { return m.ArchivedAt }},
		{name: "confidence", kind: Number, number: always(func(m *engram.Memory) float64 { return m.Confidence })},
		{name: "given_confidence", kind: Number, number: func(m *engram.Memory) (float64, bool) {
			if m.GivenConfidence == nil {
				return 0, false
			}
			return *m.GivenConfidence, true
		}},
		{name: "version", kind: Number, number: always(func(m *engram.Memory) float64 { return float64(m.Version) })},
		{
			name: "reinforced", kind: Number,
			number: always(func(m *engram.Memory) float64 { return float64(m.Reinforced) }),
		},
		{name: "archived_spans", kind: Number, number: always(func(m *engram.Memory) float64 {
			return float64(len(m.ArchivedSpans))
		})},
		{name: "pin", kind: Flag, flag: func(m *engram.Memory) (flag, has bool) { return m.Pin, true }},
		{name: "links", kind: Set, links: true, set: func(m *engram.Memory) []string { return linked(m, "") }},
		{name: "contradicts", kind: Set, links: true, set: func(m *engram.Memory) []string {
			return linked(m, engram.Contradicts)
		}},
	}
	return append(append(all, usage()...), belief()...)
}

func always(of func(*engram.Memory) float64) func(*engram.Memory) (float64, bool) {
	return func(m *engram.Memory) (float64, bool) { return of(m), true }
}

// linked lists the memories that one is associated with by a type, "" for any.
func linked(m *engram.Memory, kind string) (ids []string) {
	for _, l := range m.Links {
		if kind == "" || l.Type == kind {
			ids = append(ids, l.To)
		}
	}
	return ids
}

// usage are the fields of what uses made of a memory.
func usage() []field {
	number := func(of func(*engram.Usage) float64) func(*engram.Memory) (float64, bool) {
		return func(m *engram.Memory) (float64, bool) {
			if m.Use == nil {
				return 0, false
			}
			return of(m.Use), true
		}
	}
	moment := func(of func(*engram.Usage) time.Time) func(*engram.Memory) time.Time {
		return func(m *engram.Memory) time.Time {
			if m.Use == nil {
				return time.Time{}
			}
			return of(m.Use)
		}
	}
	return []field{
		{name: "use.stability", kind: Number, number: number(func(u *engram.Usage) float64 { return u.Stability })},
		{name: "use.difficulty", kind: Number, number: number(func(u *engram.Usage) float64 { return u.Difficulty })},
		{
			name: "use.retrievability", kind: Number,
			number: number(func(u *engram.Usage) float64 { return u.Retrievability }),
		},
		{name: "use.last_used", kind: Time, time: moment(func(u *engram.Usage) time.Time { return u.LastUsed })},
		{name: "use.labile_until", kind: Time, time: moment(func(u *engram.Usage) time.Time { return u.LabileUntil })},
	}
}

// belief are the fields of how far a memory is believed, as far as the answer says it.
func belief() []field {
	number := func(of func(*engram.Belief) float64) func(*engram.Memory) (float64, bool) {
		return func(m *engram.Memory) (float64, bool) {
			if m.Belief == nil {
				return 0, false
			}
			return of(m.Belief), true
		}
	}
	return []field{
		{
			name: "belief.probability", kind: Number,
			number: number(func(b *engram.Belief) float64 { return b.Probability }),
		},
		{name: "belief.low", kind: Number, number: number(func(b *engram.Belief) float64 { return b.Low })},
		{name: "belief.high", kind: Number, number: number(func(b *engram.Belief) float64 { return b.High })},
		{name: "belief.for", kind: Number, number: number(func(b *engram.Belief) float64 { return float64(b.For) })},
		{
			name: "belief.against", kind: Number,
			number: number(func(b *engram.Belief) float64 { return float64(b.Against) }),
		},
		{name: "belief.disputed", kind: Flag, flag: func(m *engram.Memory) (flag, has bool) {
			return m.Belief != nil && m.Belief.Disputed, m.Belief != nil
		}},
		{name: "belief.sources", kind: Set, set: func(m *engram.Memory) (names []string) {
			if m.Belief == nil {
				return nil
			}
			if len(m.Belief.Evidence) == 0 {
				return []string{m.Source} // nobody else has spoken
			}
			for _, e := range m.Belief.Evidence {
				names = append(names, e.Source)
			}
			return names
		}},
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
		return []Op{Equal, Unequal, Less, AtMost, More, AtLeast, In, Exists}
	case Time:
		return []Op{Equal, Unequal, Less, AtMost, More, AtLeast, Exists}
	case Flag:
		return []Op{Equal, Unequal, Exists}
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
