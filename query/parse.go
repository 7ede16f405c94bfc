package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a query: chosen, far above what a person writes.
const (
	maxBytes  = 64 << 10
	maxNested = 64   // parentheses and NOTs within each other
	maxList   = 1000 // values of a list
)

// Parse understands the whole text or none of it; the error is an [*Error].
func Parse(text string) (Query, error) {
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
	p := &parser{text: text, tokens: tokens}
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
	q      Query
	err    error
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
	i := slices.IndexFunc(verbs, func(v verb) bool { return t.kind == tokenWord && strings.EqualFold(t.raw, string(v.name)) })
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
		p.q.IDs = p.texts("an id in quotes")
	case v.text && p.peek().kind == tokenText:
		if t := p.take(); t.text == "" {
			p.fail(t, "the text is empty: leave it out", "")
		} else {
			p.q.Text = t.text
		}
	}
	p.clauses(v)
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
		{name: Recall, text: true, explains: true, clauses: []string{"WHERE", "ASOF", "VALID", "DISTINCT", "LIMIT", "WITHIN"}},
		{name: Spread, from: true, clauses: []string{"OVER", "WHERE", "VALID", "LIMIT", "WITHIN"}},
		{name: Complete, text: true, clauses: []string{"FIELDS", "WHERE", "ASOF", "VALID", "LIMIT", "WITHIN"}},
		{name: Predict, from: true, clauses: []string{"STEPS", "LIMIT", "WITHIN"}},
		{name: Consolidate, explains: true, clauses: []string{"WHERE", "LIMIT", "WITHIN"}},
	}
}

// clauses reads clauses in any order, each at most once, to the end.
func (p *parser) clauses(v verb) {
	readers := map[string]func(){
		"OVER":     func() { p.q.Types = p.texts("a type of association in quotes") },
		"FIELDS":   p.fields,
		"STEPS":    func() { p.q.Steps = p.count() },
		"WHERE":    func() { p.where(v) },
		"ASOF":     func() { p.q.AsOf = p.moment() },
		"VALID":    func() { p.q.Valid = p.moment() },
		"LIMIT":    func() { p.q.Limit = p.count() },
		"WITHIN":   p.within,
		"DISTINCT": func() { p.q.Distinct = true },
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
			p.fail(t, fmt.Sprintf("%s has no %s: it takes %s", v.name, name, strings.Join(v.clauses, ", ")), "")
		case seen[name]:
			p.fail(t, name+" stands there twice: put all in one", "")
		default:
			seen[name] = true
			read()
		}
	}
}

// texts reads one or more texts in quotes, separated by commas, each once.
func (p *parser) texts(what string) (all []string) {
	for p.err == nil {
		t := p.take()
		switch {
		case t.kind != tokenText:
			p.expected(t, what)
		case t.text == "":
			p.fail(t, "it is empty: expected "+what, "")
		case slices.Contains(all, t.text):
			p.fail(t, t.raw+" stands there twice: give each once", "")
		case len(all) == maxList:
			p.fail(t, fmt.Sprintf("the list is too long: at most %d are allowed", maxList), "")
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
			p.fail(t, fmt.Sprintf("%q cannot be completed: use %s", name, strings.Join(known, ", ")), nearest(name, known))
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

// count reads a whole number from 1 on.
func (p *parser) count() int {
	t := p.take()
	n, err := strconv.ParseUint(t.raw, 10, 31)
	if t.kind != tokenWord || err != nil || n == 0 || t.raw[0] == '+' {
		p.expected(t, "a whole number from 1 on")
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
