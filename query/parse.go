package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	engram "github.com/orchard9/engram-go"
)

// Bounds of a query: chosen, far above what a person writes.
const (
	maxBytes  = 64 << 10
	maxNested = 64   // parentheses and NOTs within each other
	maxList   = 1000 // values of a list
)

// The bounds of names, in bytes: those of the engine.
const (
	maxID   = 128
	maxType = 64
)

// Parse understands the whole text or none of it, by the default limits; the error is an [*Error].
func Parse(text string) (Query, error) { return ParseWithin(text, engram.DefaultLimits()) }

// ParseWithin is Parse by the limits of a database, such as those of [engram.Space.Limits]: a number above them is
// wrong where it stands.
func ParseWithin(text string, limits engram.Limits) (Query, error) {
	if len(text) > maxBytes {
		return Query{}, &Error{
			Query:   strings.ToValidUTF8(text[:maxBytes], ""),
			Problem: fmt.Sprintf("it has %d bytes: at most %d are allowed", len(text), maxBytes),
		}
	}
	tokens, err := lex(text)
	if err != nil {
		return Query{}, err
	}
	p := &parser{text: text, tokens: tokens, limits: limits}
	p.query()
	if p.err != nil {
		return Query{}, p.err
	}
	return p.q, nil
}

// parser reads tokens; the first error ends it, and every function does nothing after that.
type parser struct {
	text   string
	tokens []token
	at     int
	nested int
	limits engram.Limits
	q      Query
	err    error
	// undated are the places that ask for what has no dates, which ASOF cannot tell.
	undated []undated
}

// undated is a place, and what it asks for.
type undated struct {
	token token
	what  string
}

func (p *parser) peek() token { return p.tokens[p.at] }

// take gives the next token and passes it, but for the end.
func (p *parser) take() token {
	t := p.peek()
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// fail says what is wrong with a token.
func (p *parser) fail(t token, problem, meant string) {
	if p.err == nil {
		p.err = &Error{Query: p.text, Offset: t.offset, Length: len(t.raw), Problem: problem, Meant: meant}
	}
}

// expected fails with what should stand in the place of t. words are those that could have been meant.
func (p *parser) expected(t token, what string, words ...string) {
	found := strconv.Quote(t.raw)
	if t.kind == tokenEnd {
		found = "the end"
	}
	meant := ""
	if t.kind == tokenWord {
		meant = nearest(t.raw, words)
	}
	p.fail(t, "expected "+what+", found "+found, meant)
}

// word reports whether the next token is a keyword, in any case, and passes it if so.
func (p *parser) word(word string) bool {
	t := p.peek()
	if p.err != nil || t.kind != tokenWord || !strings.EqualFold(t.raw, word) {
		return false
	}
	p.at++
	return true
}

func (p *parser) symbol(symbol string) bool {
	t := p.peek()
	if p.err != nil || t.kind != tokenSymbol || t.raw != symbol {
		return false
	}
	p.at++
	return true
}

// query reads a whole query.
func (p *parser) query() {
	begin := p.peek()
	p.q.Explain = p.word("EXPLAIN")
	t := p.take()
	verbs := verbs()
	i := slices.IndexFunc(verbs, func(v verb) bool {
		return t.kind == tokenWord && strings.EqualFold(t.raw, string(v.name))
	})
	if i < 0 {
		names := []string{"EXPLAIN"}
		for _, v := range verbs {
			names = append(names, string(v.name))
		}
		if p.q.Explain {
			names = names[1:]
		}
		p.expected(t, "one of "+strings.Join(names, ", "), names...)
		return
	}
	v := verbs[i]
	p.q.Verb = v.name
	if p.q.Explain && !v.explains {
		p.fail(begin, fmt.Sprintf("EXPLAIN has no meaning for %s: leave it out", v.name), "")
	}
	switch {
	case v.from:
		p.q.IDs = p.names("an id in quotes", maxID, v.ids(p.limits))
	case v.text && p.peek().kind == tokenText:
		p.q.Text = p.question()
	}
	p.clauses(v)
	if !p.q.AsOf.IsZero() {
		for _, u := range p.undated {
			p.fail(u.token, u.what+" has no dates: it cannot be asked for with ASOF", "")
		}
	}
	if p.q.Verb == Complete && p.q.Text == "" && p.q.Where == nil {
		p.expected(p.peek(), "a text in quotes or WHERE, to say what to complete from")
	}
}

// question reads a text that is asked.
func (p *parser) question() string {
	t := p.take()
	switch {
	case t.text == "":
		p.fail(t, "the text is empty: leave it out", "")
	case len(t.text) > p.limits.Query:
		p.fail(t, fmt.Sprintf("the text has %d bytes: at most %d are allowed", len(t.text), p.limits.Query), "")
	}
	return t.text
}

// verb says what a verb takes.
type verb struct {
	name     Verb
	text     bool // a text, or none
	from     bool // ids
	explains bool
	clauses  []string
}

func verbs() []verb {
	return []verb{
		{
			name: Recall, text: true, explains: true,
			clauses: []string{"WHERE", "ASOF", "VALID", "REPEATS", "LIMIT", "WITHIN"},
		},
		{name: Spread, from: true, clauses: []string{"OVER", "WHERE", "ASOF", "VALID", "LIMIT", "WITHIN"}},
		{name: Complete, text: true, clauses: []string{"FIELDS", "WHERE", "ASOF", "VALID", "LIMIT", "WITHIN"}},
		{name: Predict, from: true, clauses: []string{"STEPS", "WHERE", "ASOF", "LIMIT", "WITHIN"}},
		{name: Consolidate, explains: true, clauses: []string{"WHERE", "LIMIT", "WITHIN"}},
	}
}

// ids is how many ids the verb takes.
func (v verb) ids(limits engram.Limits) int {
	if v.name == Spread {
		return engram.MaxSeeds
	}
	return limits.IDs
}

// most is the largest LIMIT.
func (v verb) most(limits engram.Limits) int {
	if v.name == Consolidate {
		return engram.MaxConsidered
	}
	return limits.Hits
}

// clauses reads clauses in any order, each at most once, to the end.
func (p *parser) clauses(v verb) {
	readers := map[string]func(){
		"OVER":    p.over,
		"FIELDS":  p.fields,
		"STEPS":   func() { p.q.Steps = p.count(engram.MaxSteps) },
		"WHERE":   func() { p.q.Where = p.or() },
		"ASOF":    func() { p.q.AsOf = p.moment() },
		"VALID":   func() { p.q.Valid = p.moment() },
		"LIMIT":   func() { p.q.Limit = p.count(v.most(p.limits)) },
		"WITHIN":  p.within,
		"REPEATS": p.repeats,
	}
	seen := map[string]bool{}
	for p.err == nil && p.peek().kind != tokenEnd {
		t := p.take()
		name := strings.ToUpper(t.raw)
		read, known := readers[name]
		switch {
		case t.kind != tokenWord || !known:
			p.expected(t, "one of "+strings.Join(v.clauses, ", ")+", or the end", v.clauses...)
		case !slices.Contains(v.clauses, name):
			p.fail(t, v.refusal(name), "")
		case seen[name]:
			p.fail(t, name+" stands there twice: put all in one", "")
		default:
			seen[name] = true
			read()
		}
	}
}

// refusal says why a verb has not a clause that others have.
func (v verb) refusal(clause string) string {
	text := fmt.Sprintf("%s has no %s: it takes %s", v.name, clause, strings.Join(v.clauses, ", "))
	switch {
	case v.name == Consolidate && (clause == "ASOF" || clause == "VALID"):
		text += " (it writes, and the past cannot be written)"
	case v.name == Predict && clause == "VALID":
		text += " (it counts what was said after what, whether or not it is true)"
	}
	return text
}

// repeats reads REPEATS, which stands behind the text if there is one.
func (p *parser) repeats() {
	if p.q.Repeats = true; p.q.Text == "" {
		p.fail(p.tokens[p.at-1], "without a text every memory has a place of its own: leave it out", "")
	}
}

// over reads the types of associations of OVER.
func (p *parser) over() {
	begin := p.at
	p.q.Types = p.names("a type of association in quotes", maxType, p.limits.IDs)
	for _, t := range p.tokens[begin:p.at] {
		if t.kind == tokenText && t.text != engram.SessionType {
			p.undated = append(p.undated, undated{t, "an association"})
		}
	}
}

// names reads one or more names in quotes of so many bytes at most, separated by commas, each once.
func (p *parser) names(what string, size, most int) (all []string) {
	for p.err == nil {
		t := p.take()
		switch {
		case t.kind != tokenText:
			p.expected(t, what)
		case t.text == "":
			p.fail(t, "it is empty: expected "+what, "")
		case len(t.text) > size:
			p.fail(t, fmt.Sprintf("it has %d bytes: at most %d are allowed", len(t.text), size), "")
		case strings.ContainsFunc(t.text, unicode.IsControl):
			p.fail(t, "it has a control character: no name has one", "")
		case slices.Contains(all, t.text):
			p.fail(t, t.raw+" stands there twice: give each once", "")
		case len(all) == most:
			p.fail(t, fmt.Sprintf("the list is too long: at most %d are allowed", most), "")
		}
		all = append(all, t.text)
		if !p.symbol(",") {
			break
		}
	}
	return all
}

// completable are the fields that COMPLETE can be asked for, besides those of the metadata.
func completable() []string {
	return []string{"content", "kind", "speaker", "session", "source", "occurred_at"}
}

// fields reads the names of FIELDS.
func (p *parser) fields() {
	for p.err == nil {
		t := p.peek()
		name := p.fieldName()
		known := append(completable(), metadata+"KEY")
		switch {
		case p.err != nil:
			return
		case !strings.HasPrefix(name, metadata) && !slices.Contains(completable(), name):
			p.fail(t, fmt.Sprintf("%q cannot be completed: use %s", name, strings.Join(known, ", ")),
				nearest(name, known))
		case slices.Contains(p.q.Fields, name):
			p.fail(t, name+" stands there twice: give each once", "")
		}
		p.q.Fields = append(p.q.Fields, name)
		if !p.symbol(",") {
			return
		}
	}
}

// fieldName reads the name of a field; a key of the metadata may stand in quotes.
func (p *parser) fieldName() string {
	t := p.take()
	if t.kind != tokenWord {
		p.expected(t, "a field")
		return ""
	}
	if next := p.peek(); t.raw == metadata && next.kind == tokenText && next.offset == t.offset+len(t.raw) {
		p.at++
		if next.text == "" {
			p.fail(next, "the key is empty", "")
		}
		return metadata + next.text
	}
	return t.raw
}

// count reads a whole number from 1 to most.
func (p *parser) count(most int) int {
	t := p.take()
	n, err := strconv.ParseUint(t.raw, 10, 31)
	if t.kind != tokenWord || err != nil || n == 0 || t.raw[0] == '+' || n > uint64(most) {
		p.expected(t, fmt.Sprintf("a whole number from 1 to %d", most))
	}
	return int(n)
}

// The instants that the engine can hold.
const firstYear, lastYear = 1678, 2261

// moment reads a time.
func (p *parser) moment() time.Time {
	t := p.take()
	const what = "a time such as 2024-03-01 or 2024-03-01T09:30:00Z"
	if t.kind != tokenWord {
		p.expected(t, what)
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, t.raw); err == nil {
			if at = at.UTC(); at.Year() < firstYear || at.Year() > lastYear {
				p.fail(t, fmt.Sprintf("the year must lie between %d and %d", firstYear, lastYear), "")
			}
			return at
		}
	}
	p.expected(t, what+" (a date begins at midnight UTC, and a time has its zone)")
	return time.Time{}
}

// within reads a duration.
func (p *parser) within() {
	t := p.take()
	d, err := time.ParseDuration(t.raw)
	if t.kind != tokenWord || err != nil || d <= 0 || t.raw[0] == '+' {
		p.expected(t, "a duration above 0 such as 50ms or 2s")
	}
	p.q.Within = d
}
