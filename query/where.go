package query

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// or reads conditions joined by OR, which binds less than AND.
func (p *parser) or() Cond {
	all := Or{}
	for {
		c := p.and()
		if inner, ok := c.(Or); ok {
			all = append(all, inner...)
		} else {
			all = append(all, c)
		}
		if !p.word("OR") {
			break
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (p *parser) and() Cond {
	all := And{}
	for {
		c := p.not()
		if inner, ok := c.(And); ok {
			all = append(all, inner...)
		} else {
			all = append(all, c)
		}
		if !p.word("AND") {
			break
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// not reads a test, a condition in parentheses, or NOT and one of these.
func (p *parser) not() Cond {
	t := p.peek()
	p.nested++
	defer func() { p.nested-- }()
	if p.nested > maxNested {
		p.fail(t, fmt.Sprintf("conditions within each other are at most %d deep", maxNested), "")
		return nil
	}
	switch {
	case p.word("NOT"):
		c := p.not()
		if inner, ok := c.(Not); ok {
			return inner.Cond
		}
		return Not{c}
	case p.symbol("("):
		c := p.or()
		if p.err == nil && !p.symbol(")") {
			p.expected(p.peek(), "AND, OR or )", "AND", "OR")
		}
		return c
	}
	return p.test()
}

// test reads a field, an operator and what the operator takes.
func (p *parser) test() Cond {
	t := p.peek()
	name := p.fieldName()
	if p.err != nil {
		return nil
	}
	f, ok := find(name)
	if !ok {
		names := []string{metadata + "KEY"}
		for _, f := range fields() {
			names = append(names, f.name)
		}
		p.fail(t, fmt.Sprintf("there is no field %q", name), nearest(name, names))
		if p.err.(*Error).Meant == "" {
			p.err.(*Error).Problem += ": there are " + strings.Join(names, ", ")
		}
		return nil
	}
	if f.links {
		p.undated = append(p.undated, undated{t, "what a memory is associated with"})
	}
	c := Test{Field: name, Op: p.op(f)}
	switch one, list := c.Op.values(); {
	case p.err != nil:
	case one:
		c.Values = []Value{p.value(f)}
	case list:
		c.Values = p.list(f)
	}
	return c
}

// op reads an operator that the field has.
func (p *parser) op(f field) Op {
	t := p.take()
	has := make([]string, 0, 8)
	for _, op := range f.kind.ops() {
		has = append(has, string(op))
	}
	op := strings.ToUpper(t.raw)
	if (t.kind != tokenWord && t.kind != tokenSymbol) || !slices.Contains(has, op) {
		p.expected(t, fmt.Sprintf("one of %s (%s is %s)", strings.Join(has, " "), f.name, f.kind), has...)
	}
	return Op(op)
}

// list reads values in parentheses, each once.
func (p *parser) list(f field) (all []Value) {
	if !p.symbol("(") {
		p.expected(p.peek(), `a list such as ("a", "b")`)
	}
	for p.err == nil {
		t := p.peek()
		v := p.value(f)
		switch {
		case p.err != nil:
		case slices.Contains(all, v):
			p.fail(t, t.raw+" stands there twice: give each once", "")
		case len(all) == maxList:
			p.fail(t, fmt.Sprintf("the list is too long: at most %d are allowed", maxList), "")
		}
		all = append(all, v)
		if p.err == nil && !p.symbol(",") {
			break
		}
	}
	if p.err == nil && !p.symbol(")") {
		p.expected(p.peek(), "a comma or )")
	}
	return all
}

// value reads a literal of the field's kind.
func (p *parser) value(f field) (v Value) {
	if f.kind == Time {
		return Value{Time: p.moment()}
	}
	t := p.take()
	switch f.kind {
	case Number:
		var ok bool
		if v.Number, ok = number(t); !ok {
			p.expected(t, "a number ("+f.name+" is one)")
		}
	case Flag:
		v.Flag = strings.EqualFold(t.raw, "true")
		if t.kind != tokenWord || !v.Flag && !strings.EqualFold(t.raw, "false") {
			p.expected(t, "true or false ("+f.name+" is one of them)", "true", "false")
		}
	default:
		if v.Text = t.text; t.kind != tokenText {
			meant := ""
			if t.kind == tokenWord {
				meant = strconv.Quote(t.raw)
			}
			p.expected(t, "a text in quotes")
			p.err.(*Error).Meant = meant
		}
	}
	return v
}

// number reads a number in decimal digits.
func number(t token) (float64, bool) {
	foreign := func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) }
	if t.kind != tokenWord || strings.ContainsFunc(t.raw, foreign) {
		return 0, false
	}
	x, err := strconv.ParseFloat(t.raw, 64)
	if x == 0 {
		x = 0 // not -0, which is written otherwise and is the same
	}
	return x, err == nil && !math.IsInf(x, 0)
}
