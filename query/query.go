package query

import (
	"strconv"
	"strings"
	"time"
)

// Verb is what a query does.
type Verb string

// The verbs.
const (
	Recall      Verb = "RECALL"
	Spread      Verb = "SPREAD"
	Complete    Verb = "COMPLETE"
	Predict     Verb = "PREDICT"
	Consolidate Verb = "CONSOLIDATE"
)

// Query is one query as it was understood. Which parts a verb has stands in docs/query.md; the others are zero.
type Query struct {
	// Explain: a RECALL says where its scores come from, a CONSOLIDATE says what it would do.
	Explain bool
	Verb    Verb
	Text    string   // RECALL and COMPLETE: what is asked; "" if nothing is
	IDs     []string // SPREAD and PREDICT: where from
	Types   []string // SPREAD: over which associations; nil is all
	Fields  []string // COMPLETE: what is wanted; nil is what is not known
	Steps   int      // PREDICT: how far ahead; 0 is the engine's default
	Where   Cond     // nil is every memory
	// AsOf and Valid, in UTC, are zero if they are not given.
	AsOf  time.Time
	Valid time.Time
	// Repeats: a RECALL with a text gives each of what says the same a place of its own.
	Repeats bool
	Limit   int // 0 is the engine's default
	// Within is how long it may take; 0 is as long as it likes.
	Within time.Duration
}

// String writes the query in its canonical form: one line, keywords in upper case, clauses in one order, no parentheses
// that could be left out. Parse gives the same query for it.
func (q Query) String() string {
	var parts []string
	add := func(words ...string) { parts = append(parts, words...) }
	if q.Explain {
		add("EXPLAIN")
	}
	add(string(q.Verb))
	if q.Text != "" {
		add(strconv.Quote(q.Text))
	}
	if len(q.IDs) > 0 {
		add(quotes(q.IDs))
	}
	if len(q.Types) > 0 {
		add("OVER", quotes(q.Types))
	}
	if len(q.Fields) > 0 {
		names := make([]string, len(q.Fields))
		for i, name := range q.Fields {
			names[i] = fieldText(name)
		}
		add("FIELDS", strings.Join(names, ", "))
	}
	if q.Steps > 0 {
		add("STEPS", strconv.Itoa(q.Steps))
	}
	if q.Where != nil {
		add("WHERE", q.Where.String())
	}
	if !q.AsOf.IsZero() {
		add("ASOF", q.AsOf.Format(time.RFC3339Nano))
	}
	if !q.Valid.IsZero() {
		add("VALID", q.Valid.Format(time.RFC3339Nano))
	}
	if q.Repeats {
		add("REPEATS")
	}
	if q.Limit > 0 {
		add("LIMIT", strconv.Itoa(q.Limit))
	}
	if q.Within > 0 {
		add("WITHIN", durationText(q.Within))
	}
	return strings.Join(parts, " ")
}

func quotes(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = strconv.Quote(s)
	}
	return strings.Join(quoted, ", ")
}

// durationText writes a duration as a whole number of the largest unit that gives one.
func durationText(d time.Duration) string {
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}} {
		if d%unit.size == 0 {
			return strconv.FormatInt(int64(d/unit.size), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(d), 10) + "ns"
}
