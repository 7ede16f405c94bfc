package query

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Cond is a condition on a memory: [And], [Or], [Not] or [Test].
type Cond interface {
	// String writes the condition as Parse reads it.
	String() string
	// match makes the function that decides.
	match() func(*engram.Memory) bool
	// linked reports whether it asks for the memory's links.
	linked() bool
}

// And holds if all of its two or more conditions do; none of them is an And.
type And []Cond

// Or holds if one of its two or more conditions does; none of them is an Or.
type Or []Cond

// Not holds if its condition, which is no Not, does not.
type Not struct{ Cond Cond }

// Test asks one thing of one field.
type Test struct {
	Field string // a name of docs/query.md, or "metadata." and a key
	Op    Op
	// Values are what the field is compared with: one, several for In, All, Any and None, none for Exists.
	Values []Value
}

// Value is a literal; the field's kind says which of the parts is set.
type Value struct {
	Text   string
	Number float64
	Time   time.Time // in UTC
	Flag   bool
}

// String writes the conditions with AND between them.
func (c And) String() string { return join(c, " AND ") }

// String writes the conditions with OR between them.
func (c Or) String() string { return join(c, " OR ") }

// String writes the condition behind NOT.
func (c Not) String() string { return "NOT " + enclosed(c.Cond) }

func join(all []Cond, word string) string {
	parts := make([]string, len(all))
	for i, c := range all {
		parts[i] = c.String()
		if _, or := c.(Or); or {
			parts[i] = enclosed(c)
		}
	}
	return strings.Join(parts, word)
}

// enclosed writes a condition so that it holds together.
func enclosed(c Cond) string {
	switch c.(type) {
	case And, Or:
		return "(" + c.String() + ")"
	}
	return c.String()
}

// String writes field, operator and values.
func (c Test) String() string {
	f, _ := find(c.Field)
	text := fieldText(c.Field) + " " + string(c.Op)
	switch one, list := c.Op.values(); {
	case one:
		text += " " + c.Values[0].string(f.kind)
	case list:
		parts := make([]string, len(c.Values))
		for i, v := range c.Values {
			parts[i] = v.string(f.kind)
		}
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	return text
}

// fieldText writes a field's name; a key of the metadata that is no word stands in quotes.
func fieldText(name string) string {
	key, ok := strings.CutPrefix(name, metadata)
	if !ok || strings.Trim(key, ".") == key && !strings.ContainsFunc(key, func(r rune) bool { return !wordRune(r) }) {
		return name
	}
	return metadata + strconv.Quote(key)
}

func (v Value) string(k Kind) string {
	switch k {
	case Number:
		return strconv.FormatFloat(v.Number, 'g', -1, 64)
	case Time:
		return v.Time.Format(time.RFC3339Nano)
	case Flag:
		return strconv.FormatBool(v.Flag)
	}
	return strconv.Quote(v.Text)
}

func (c And) match() func(*engram.Memory) bool {
	all := matches(c)
	return func(m *engram.Memory) bool {
		return !slices.ContainsFunc(all, func(f func(*engram.Memory) bool) bool { return !f(m) })
	}
}

func (c Or) match() func(*engram.Memory) bool {
	all := matches(c)
	return func(m *engram.Memory) bool {
		return slices.ContainsFunc(all, func(f func(*engram.Memory) bool) bool { return f(m) })
	}
}

func (c Not) match() func(*engram.Memory) bool {
	inner := c.Cond.match()
	return func(m *engram.Memory) bool { return !inner(m) }
}

func (c And) linked() bool { return slices.ContainsFunc(c, Cond.linked) }
func (c Or) linked() bool  { return slices.ContainsFunc(c, Cond.linked) }
func (c Not) linked() bool { return c.Cond.linked() }

func (c Test) linked() bool {
	f, _ := find(c.Field)
	return f.links
}

func matches(all []Cond) []func(*engram.Memory) bool {
	out := make([]func(*engram.Memory) bool, len(all))
	for i, c := range all {
		out[i] = c.match()
	}
	return out
}

func (c Test) match() func(*engram.Memory) bool {
	f, _ := find(c.Field)
	if c.Op == Unequal {
		return Not{Test{Field: c.Field, Op: Equal, Values: c.Values}}.match()
	}
	switch f.kind {
	case Text:
		return c.matchText(f)
	case Number:
		return c.matchNumber(f)
	case Time:
		return c.matchTime(f)
	case Flag:
		return func(m *engram.Memory) bool {
			flag, has := f.flag(m)
			return has && (c.Op == Exists || flag == c.Values[0].Flag)
		}
	default:
		return c.matchSet(f)
	}
}

func (c Test) matchText(f field) func(*engram.Memory) bool {
	switch c.Op {
	case Exists:
		return func(m *engram.Memory) bool { return f.text(m) != "" }
	case Contains:
		return func(m *engram.Memory) bool { return strings.Contains(f.text(m), c.Values[0].Text) }
	}
	return func(m *engram.Memory) bool {
		got := f.text(m)
		return slices.ContainsFunc(c.Values, func(v Value) bool { return v.Text == got })
	}
}

func (c Test) matchNumber(f field) func(*engram.Memory) bool {
	return func(m *engram.Memory) bool {
		got, has := f.number(m)
		if !has || c.Op == Exists {
			return has
		}
		return slices.ContainsFunc(c.Values, func(v Value) bool { return c.Op.holds(cmp.Compare(got, v.Number)) })
	}
}

func (c Test) matchTime(f field) func(*engram.Memory) bool {
	return func(m *engram.Memory) bool {
		t := f.time(m)
		return !t.IsZero() && (c.Op == Exists || c.Op.holds(t.Compare(c.Values[0].Time)))
	}
}

// holds tells what a comparison's result means.
func (o Op) holds(order int) bool {
	switch o {
	case Less:
		return order < 0
	case AtMost:
		return order <= 0
	case More:
		return order > 0
	case AtLeast:
		return order >= 0
	}
	return order == 0 // Equal, In
}

func (c Test) matchSet(f field) func(*engram.Memory) bool {
	if c.Op == Exists {
		return func(m *engram.Memory) bool { return len(f.set(m)) > 0 }
	}
	return func(m *engram.Memory) bool {
		count := 0
		got := f.set(m)
		for _, v := range c.Values {
			if slices.Contains(got, v.Text) {
				count++
			}
		}
		switch c.Op {
		case All:
			return count == len(c.Values)
		case Any:
			return count > 0
		}
		return count == 0
	}
}
