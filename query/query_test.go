package query_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/query"
)

// TestCanonical gives what each text means in the one form that String writes.
func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		`RECALL`: `RECALL`,
		"recall\n\t'it''s \"here\"'  limit 5 asof 2024-03-01 explain": "",
		"explain recall\n\t'it''s \"here\"'  limit 5 asof 2024-03-01": "" +
			`EXPLAIN RECALL "it's \"here\"" ASOF 2024-03-01T00:00:00Z LIMIT 5`,
		`RECALL "\u00e4\n" WITHIN 1500ms`: `RECALL "ä\n" WITHIN 1500ms`,
		`RECALL WHERE (kind = "a" AND (speaker = "b" AND pin=TRUE))`: "" +
			`RECALL WHERE kind = "a" AND speaker = "b" AND pin = true`,
		`RECALL WHERE kind="a" AND kind="b" OR NOT NOT kind!="c"`: "" +
			`RECALL WHERE kind = "a" AND kind = "b" OR kind != "c"`,
		`RECALL WHERE (kind="a" OR kind="b") AND NOT (pin=true OR pin=false)`: "" +
			`RECALL WHERE (kind = "a" OR kind = "b") AND NOT (pin = true OR pin = false)`,
		`RECALL WHERE tags all ("x","y") and metadata.key exists and metadata."a b".`: "",
		`RECALL WHERE tags all ("x","y") and metadata.key exists AND metadata."a b"='1'`: "" +
			`RECALL WHERE tags ALL ("x", "y") AND metadata.key EXISTS AND metadata."a b" = "1"`,
		`RECALL WHERE occurred_at >= 2024-03-01T02:00:00+02:00 AND confidence < 5e-1`: "" +
			`RECALL WHERE occurred_at >= 2024-03-01T00:00:00Z AND confidence < 0.5`,
		`RECALL VALID 2024-03-01T00:00:00.5Z ASOF 2024-04-01 WHERE kind IN ("a")`: "" +
			`RECALL WHERE kind IN ("a") ASOF 2024-04-01T00:00:00Z VALID 2024-03-01T00:00:00.5Z`,
		`SPREAD "a","b" LIMIT 3 OVER "session"`: `SPREAD "a", "b" OVER "session" LIMIT 3`,
		`COMPLETE "x" WHERE metadata.p = "q" FIELDS speaker,metadata.z`: "" +
			`COMPLETE "x" FIELDS speaker, metadata.z WHERE metadata.p = "q"`,
		`PREDICT "a" STEPS 2`: `PREDICT "a" STEPS 2`,
		`explain CONSOLIDATE within 120s where kind in ("fact", "note")`: "" +
			`EXPLAIN CONSOLIDATE WHERE kind IN ("fact", "note") WITHIN 2m`,
	} {
		q, err := query.Parse(text)
		if want == "" {
			if err == nil {
				t.Errorf("Parse(%s) = %s, want an error", text, q)
			}
			continue
		}
		if err != nil || q.String() != want {
			t.Errorf("Parse(%s) = %v, %v, want %s", text, q, err, want)
		}
	}
}

// TestErrors says for each bad query where it is wrong, in what, and what was meant.
func TestErrors(t *testing.T) {
	for _, tt := range []struct{ text, at, problem, meant string }{
		{``, "", "expected one of EXPLAIN, RECALL", ""},
		{`RECAL "x"`, "RECAL", "expected one of", "RECALL"},
		{`FORGET "x"`, "FORGET", "expected one of", ""},
		{`RECALL x`, "x", "expected one of WHERE, ASOF", ""},
		{`RECALL "x`, `"x`, "no closing", ""},
		{`RECALL "a\q"`, `\`, "escape", ""},
		{`RECALL "a\xff"`, `"a\xff"`, "UTF-8", ""},
		{`RECALL ""`, `""`, "empty", ""},
		{`RECALL "x" WHRE kind = "a"`, "WHRE", "expected one of WHERE", "WHERE"},
		{`RECALL "x" LIMIT 0`, "0", "whole number", ""},
		{`RECALL "x" LIMIT 5 LIMIT 6`, "LIMIT 6", "twice", ""},
		{`RECALL "x" LIMIT 5 "y"`, `"y"`, "or the end", ""},
		{`RECALL "x" WHERE`, "", "expected a field", ""},
		{`RECALL "x" WHERE speeker = "Ada"`, "speeker", "no field", "speaker"},
		{`RECALL "x" WHERE zzz = "Ada"`, "zzz", "there are metadata.KEY, id", ""},
		{`RECALL "x" WHERE Speaker = "Ada"`, "Speaker", "no field", "speaker"},
		{`RECALL "x" WHERE speaker == "Ada"`, "==", "no operator", "="},
		{`RECALL "x" WHERE speaker = Ada`, "Ada", "text in quotes", `"Ada"`},
		{`RECALL "x" WHERE speaker < "Ada"`, "<", "speaker is a text", ""},
		{`RECALL "x" WHERE tags = "a"`, "= ", "one of ALL ANY NONE", ""},
		{`RECALL "x" WHERE tags ALL "a"`, `"a"`, "a list", ""},
		{`RECALL "x" WHERE tags ALL ("a", "a")`, `"a")`, "twice", ""},
		{`RECALL "x" WHERE tags ALL ("a"`, "", "comma or )", ""},
		{`RECALL "x" WHERE confidence > high`, "high", "a number", ""},
		{`RECALL "x" WHERE confidence > Inf`, "Inf", "a number", ""},
		{`RECALL "x" WHERE pin = tru`, "tru", "true or false", "true"},
		{`RECALL "x" WHERE occurred_at > "2024-03-01"`, `"2024-03-01"`, "a time such as", ""},
		{`RECALL "x" WHERE occurred_at > 2024-03-01T00:00:00`, "2024-03-01T", "its zone", ""},
		{`RECALL "x" ASOF 3024-03-01`, "3024", "year", ""},
		{`RECALL "x" WHERE (kind = "a"`, "", "AND, OR or )", ""},
		{`RECALL "x" WHERE kind = "a" ADN pin = true`, "ADN", "expected one of WHERE", ""},
		{`RECALL "x" WHERE metadata. = "a"`, "metadata.", "no field", ""},
		{`RECALL "x" WITHIN 0s`, "0s", "duration", ""},
		{`RECALL "x" WITHIN 5`, "5", "duration", ""},
		{`RECALL "x" OVER "t"`, "OVER", "RECALL has no OVER", ""},
		{`SPREAD`, "", "an id in quotes", ""},
		{`SPREAD "a", "a"`, `"a"`, "twice", ""},
		{`SPREAD "a" STEPS 2`, "STEPS", "SPREAD has no STEPS", ""},
		{`SPREAD "a" OVER "session", "causes" ASOF 2024-03-01`, `"causes"`, "no dates", ""},
		{`SPREAD "a" ASOF 2024-03-01 OVER "causes"`, `"causes"`, "no dates", ""},
		{`RECALL "x" WHERE pin = true OR links ANY ("a") ASOF 2024-03-01`, "links", "no dates", ""},
		{`RECALL "x" ASOF 2024-03-01 WHERE NOT contradicts EXISTS`, "contradicts", "no dates", ""},
		{`RECALL "x" LIMIT 1001`, "1001", "from 1 to 1000", ""},
		{`SPREAD "a" LIMIT 99999`, "99999", "from 1 to 1000", ""},
		{`CONSOLIDATE LIMIT 200001`, "200001", "from 1 to 200000", ""},
		{`PREDICT "a" STEPS 17`, "17", "from 1 to 16", ""},
		{`PREDICT "a" VALID 2024-03-01`, "VALID", "whether or not it is true", ""},
		{`CONSOLIDATE WHERE pin = true ASOF 2024-03-01`, "ASOF", "the past cannot be written", ""},
		{`CONSOLIDATE REPEATS`, "REPEATS", "CONSOLIDATE has no REPEATS", ""},
		{`RECALL WHERE pin = true REPEATS`, "REPEATS", "a place of its own", ""},
		{`COMPLETE`, "", "a text in quotes or WHERE", ""},
		{`COMPLETE FIELDS speaker`, "", "a text in quotes or WHERE", ""},
		{"SPREAD \"a\", \"" + strings.Repeat("b", 129) + `"`, `"bb`, "at most 128", ""},
		{`SPREAD "a\u0001"`, `"a`, "control character", ""},
		{`SPREAD "a" OVER "` + strings.Repeat("t", 65) + `"`, `"tt`, "at most 64", ""},
		{"RECALL \"" + strings.Repeat("x", 8193) + `"`, `"xx`, "at most 8192", ""},
		{"SPREAD " + many(101), `"100"`, "at most 100", ""},
		{"PREDICT " + many(1001), `"1000"`, "at most 1000", ""},
		{`RECALL WHERE use.stabilty > 3`, "use.stabilty", "no field", "use.stability"},
		{`RECALL WHERE belief.disputed > 3`, ">", "belief.disputed is a flag", ""},
		{`RECALL WHERE links = "a"`, "=", "links is a set", ""},
		{`EXPLAIN SPREAD "a"`, "EXPLAIN", "no meaning for SPREAD", ""},
		{`COMPLETE "a" FIELDS speker`, "speker", "cannot be completed", "speaker"},
		{"RECALL \"x\"\nWHERE é = 1", "é", "line 2, column 7: there is no field", ""},
		{`RECALL "x" ; LIMIT 5`, ";", "begins nothing", ""},
	} {
		_, err := query.Parse(tt.text)
		bad, ok := errors.AsType[*query.Error](err)
		if !ok || !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Parse(%s) = %v, want an *Error", tt.text, err)
			continue
		}
		if !strings.HasPrefix(tt.text[bad.Offset:], tt.at) || tt.at == "" && bad.Offset != len(tt.text) {
			t.Errorf("Parse(%s) = %v at %d, want it at %q", tt.text, err, bad.Offset, tt.at)
		}
		if !strings.Contains(bad.Error(), tt.problem) || bad.Meant != tt.meant {
			t.Errorf("Parse(%s) = %v, meant %q, want %q, meant %q", tt.text, err, bad.Meant, tt.problem, tt.meant)
		}
	}
	deep := "RECALL WHERE " + strings.Repeat("(", 1000) + "pin = true" + strings.Repeat(")", 1000)
	if _, err := query.Parse(deep); err == nil || !strings.Contains(err.Error(), "deep") {
		t.Errorf("a thousand parentheses = %v", err)
	}
	_, err := query.Parse(strings.Repeat(" ", 1<<20))
	if err == nil || !strings.Contains(err.Error(), "at most 65536") {
		t.Errorf("a megabyte = %v", err)
	}
	if _, err := query.Parse("RECALL \xff"); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("not UTF-8 = %v", err)
	}
}

// many are so many ids.
func many(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%q", fmt.Sprint(i))
	}
	return strings.Join(ids, ",")
}

// TestParseWithin: numbers are judged by the limits given.
func TestParseWithin(t *testing.T) {
	limits := engram.DefaultLimits()
	limits.Hits, limits.Query, limits.IDs = 5, 3, 2
	for text, ok := range map[string]bool{
		`RECALL "abc" LIMIT 5`: true, `RECALL "abc" LIMIT 6`: false, `RECALL "abcd"`: false, `PREDICT "a","b"`: true,
		`PREDICT "a","b","c"`: false, `SPREAD "a","b","c"`: true, `COMPLETE "a" LIMIT 6`: false,
		`CONSOLIDATE LIMIT 6`: true,
	} {
		if _, err := query.ParseWithin(text, limits); (err == nil) != ok {
			t.Errorf("ParseWithin(%s) = %v", text, err)
		}
	}
}

func TestCaret(t *testing.T) {
	for text, want := range map[string]string{
		`RECALL "x" WHERE speeker = "Ada"`: "RECALL \"x\" WHERE speeker = \"Ada\"\n                 ^^^^^^^",
		"RECALL 'ä'\nLIMIT\tx":             "LIMIT x\n      ^",
		`RECALL WHERE`:                     "RECALL WHERE\n            ^",
	} {
		_, err := query.Parse(text)
		bad, ok := errors.AsType[*query.Error](err)
		if !ok || bad.Caret() != want {
			t.Errorf("Caret of %s =\n%s\nwant\n%s", text, bad.Caret(), want)
		}
	}
}

// maker makes random queries. sets are fields that it uses besides those that go with everything.
type maker struct {
	rng  *rand.Rand
	sets []string
}

func pick[T any](m maker, all ...T) T { return all[m.rng.IntN(len(all))] }

func (m maker) text() string {
	return pick(m, "a", "b", "Ada", `q"u'o\te`, "two\nlines", "ünï", "\u0000", "\u00a0", "AND", "1", " ")
}

func (m maker) time() time.Time {
	return time.Date(2000+m.rng.IntN(50), 1, 1+m.rng.IntN(400), m.rng.IntN(24), 0, 0, m.rng.IntN(3)*5e8, time.UTC)
}

func (m maker) values(op query.Op, one func() query.Value) []query.Value {
	switch op {
	case query.Exists:
		return nil
	case query.In, query.All, query.Any, query.None:
		values := []query.Value{one()}
		for range m.rng.IntN(3) {
			if v := one(); !reflect.DeepEqual(v, values[0]) && len(values) < 2 {
				values = append(values, v)
			}
		}
		return values
	}
	return []query.Value{one()}
}

func (m maker) test() query.Cond {
	text := func() query.Value { return query.Value{Text: m.text()} }
	compare := []query.Op{query.Equal, query.Unequal, query.Less, query.AtMost, query.More, query.AtLeast}
	switch m.rng.IntN(5) {
	case 0:
		op := pick(m, append(compare, query.In, query.Exists)...)
		number := func() query.Value { return query.Value{Number: pick(m, 0, 1, .5, .25, .7, .8, 1e9, -3)} }
		field := pick(m, "confidence", "given_confidence", "version", "reinforced", "archived_spans", "use.stability",
			"use.difficulty", "use.retrievability", "belief.probability", "belief.low", "belief.high", "belief.for",
			"belief.against")
		return query.Test{Field: field, Op: op, Values: m.values(op, number)}
	case 1:
		op := pick(m, append(compare, query.Exists)...)
		at := func() query.Value { return query.Value{Time: m.time()} }
		field := pick(m, "occurred_at", "valid_from", "valid_until", "expires_at", "created_at", "updated_at",
			"superseded_at", "archived_at", "use.last_used", "use.labile_until")
		return query.Test{Field: field, Op: op, Values: m.values(op, at)}
	case 2:
		op := pick(m, query.All, query.Any, query.None, query.Exists)
		return query.Test{
			Field: pick(m, append(m.sets, "tags", "belief.sources")...), Op: op, Values: m.values(op, text),
		}
	case 3:
		op := pick(m, query.Equal, query.Unequal, query.Exists)
		flag := func() query.Value { return query.Value{Flag: m.rng.IntN(2) == 0} }
		return query.Test{Field: pick(m, "pin", "belief.disputed"), Op: op, Values: m.values(op, flag)}
	}
	op := pick(m, query.Equal, query.Unequal, query.In, query.Contains, query.Exists)
	field := pick(m, "id", "content", "kind", "speaker", "session", "source", "reason", "superseded_by",
		"embedding_model", "tier", "metadata.key",
		"metadata.a b", "metadata.x.", "metadata.ä-1", `metadata."`)
	return query.Test{Field: field, Op: op, Values: m.values(op, text)}
}

// cond makes a condition of the form that Parse gives.
func (m maker) cond(depth int) query.Cond {
	if depth == 0 {
		return m.test()
	}
	switch m.rng.IntN(4) {
	case 0:
		var all query.And
		for len(all) < 2+m.rng.IntN(2) {
			if c := m.cond(depth - 1); reflect.TypeOf(c) != reflect.TypeFor[query.And]() {
				all = append(all, c)
			}
		}
		return all
	case 1:
		var all query.Or
		for len(all) < 2+m.rng.IntN(2) {
			if c := m.cond(depth - 1); reflect.TypeOf(c) != reflect.TypeFor[query.Or]() {
				all = append(all, c)
			}
		}
		return all
	case 2:
		if c := m.cond(depth - 1); reflect.TypeOf(c) != reflect.TypeFor[query.Not]() {
			return query.Not{Cond: c}
		}
	}
	return m.test()
}

// some makes up to n different ones of what one makes, at least one.
func some(m maker, n int, one func() string) (all []string) {
	for range 1 + m.rng.IntN(n) {
		if s := one(); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

func (m maker) name() string {
	return pick(m, "a", "019-ferry", `q"u'o\te`, "ünï", "AND", "session", " ")
}

func (m maker) chance() bool { return m.rng.IntN(2) == 0 }

// query makes a query of any verb, with any of the clauses that it has, of the form that Parse gives.
func (m maker) query() (q query.Query) {
	q.Verb = pick(m, query.Recall, query.Spread, query.Complete, query.Predict, query.Consolidate)
	dated := m.chance() && q.Verb != query.Consolidate
	if dated {
		q.AsOf = m.time()
	} else {
		m.sets = []string{"links", "contradicts"}
	}
	if m.chance() {
		q.Where = m.cond(m.rng.IntN(4))
	}
	if m.chance() {
		q.Limit, q.Within = 1+m.rng.IntN(1000), time.Duration(1+m.rng.IntN(5000))
		q.Within *= pick(m, 1, time.Microsecond, time.Second, time.Hour)
	}
	valid := m.chance()
	switch q.Verb {
	case query.Recall:
		q.Explain = m.chance()
		if m.chance() {
			q.Text, q.Repeats = m.text(), m.chance()
		}
	case query.Spread:
		q.IDs = some(m, 4, m.name)
		switch {
		case m.chance():
		case dated:
			q.Types = []string{engram.SessionType}
		default:
			q.Types = some(m, 3, m.name)
		}
	case query.Complete:
		if q.Where == nil || m.chance() {
			q.Text = m.text()
		}
		if m.chance() {
			q.Fields = some(m, 3, func() string {
				return pick(m, "content", "speaker", "metadata.a b", "metadata.ü", "occurred_at")
			})
		}
	case query.Predict:
		q.IDs, q.Steps, valid = some(m, 4, m.name), m.rng.IntN(17), false
	case query.Consolidate:
		q.Explain, valid = m.chance(), false
	}
	if valid {
		q.Valid = m.time()
	}
	return q
}

// TestStringParsesBack makes random queries of every verb and writes and reads them.
func TestStringParsesBack(t *testing.T) {
	verbs := map[query.Verb]int{}
	for seed := range uint64(5000) {
		q := maker{rng: rand.New(rand.NewPCG(seed, 3))}.query()
		verbs[q.Verb]++
		text := q.String()
		again, err := query.Parse(text)
		if err != nil || !reflect.DeepEqual(again, q) || again.String() != text {
			t.Fatalf("seed %d: Parse(%s) = %+v, %v, want %+v", seed, text, again, err, q)
		}
	}
	if len(verbs) != 5 {
		t.Errorf("verbs are %v", verbs)
	}
}

// FuzzParse checks that nothing panics, that errors have a place, and that what is understood is written and read back.
func FuzzParse(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(maker{rng: rand.New(rand.NewPCG(seed, 4))}.query().String())
	}
	f.Add(`SPREAD "a", 'b''c' OVER "session" WITHIN 5ms`)
	f.Add(`COMPLETE "x" FIELDS metadata."a b", speaker`)
	f.Add(`EXPLAIN CONSOLIDATE WHERE kind IN ("a", "b")`)
	f.Add("RECALL \"\\\nx\" WHERE metadata.\"")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		if err != nil {
			bad, ok := errors.AsType[*query.Error](err)
			if !ok || bad.Offset < 0 || bad.Offset > len(bad.Query) || bad.Caret() == "" || bad.Error() == "" {
				t.Fatalf("Parse(%q) = %#v", text, err)
			}
			return
		}
		again, err := query.Parse(q.String())
		if err != nil || !reflect.DeepEqual(again, q) || again.String() != q.String() {
			t.Fatalf("Parse(%q) = %s, which parses as %+v, %v", text, q, again, err)
		}
	})
}

func ExampleParse() {
	_, err := query.Parse(`RECALL "where?" WHERE speeker = "Ada"`)
	fmt.Println(err)
	if bad, ok := errors.AsType[*query.Error](err); ok {
		fmt.Println(bad.Caret())
	}
	// Output:
	// query, column 23: there is no field "speeker"; did you mean speaker?
	// RECALL "where?" WHERE speeker = "Ada"
	//                       ^^^^^^^
}
