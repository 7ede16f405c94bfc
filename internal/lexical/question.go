package lexical

import (
	"bytes"
	"math/bits"
	"slices"
)

// Query is an analysed question: terms in the order in which they first occurred.
type Query struct {
	Terms []QueryTerm
}

// QueryTerm is one term of a question.
type QueryTerm struct {
	// Term is a term of the index, as analysis makes them.
	Term string
	// Weight multiplies the term's score: how often it occurs in the question. A term of weight 0 or less, or NaN, is
	// left out.
	Weight float64
	// For is the word of the question that the term stands in for, if it is not in the question itself. Terms that
	// stand in for one word follow each other.
	For string
	// Word numbers the words of the question from 1: terms with the same number are the same word, stemmed in several
	// languages. 0 is a word by itself.
	Word int
	// worded is 1 + the number of the term's wording in the question; 0 is for what has none, as numbers.
	worded uint16
	// Aside: a part or a whole of a name that stands beside it. It is not expanded.
	Aside bool
}

// AnyWording is the question without a preference for its own wording.
func (q Query) AnyWording() Query {
	terms := slices.Clone(q.Terms)
	for i := range terms {
		terms[i].worded = 0
	}
	return Query{Terms: terms}
}

// Analyze makes a question of text for the rows alive in v. It writes nothing.
//
// Words are stemmed in the language of the index and in every other one that a row alive in v is in, and each stem is a
// term. The question's own stop words are left out, unless it has nothing else: then they are looked up as they are,
// which finds them where they are names.
func (x *Index) Analyze(text string, v View) Query {
	a, _ := x.analysts.Get().(*analyst)
	if a == nil {
		a = x.analyst()
	}
	q := a.question(text, v)
	a.terms, a.seen, a.tokens = nil, nil, a.tokens[:0]
	if cap(a.tokenizer.ascii) <= 1<<16 {
		x.analysts.Put(a)
	}
	return q
}

// Words lists the words of a text in the language that d names or is found to be in, stemmed and without stop words,
// each once: what two texts have in common if they say the same.
func (x *Index) Words(d Document) []string {
	a := x.analyst()
	a.tokenizer.text(d.Content)
	l, _ := x.languageFor(d, a.tokens, a.tokenizer.wide)
	var out []string
	for i := range a.tokens {
		if t := &a.tokens[i]; t.kind&aside == 0 && !x.stops(t, l) {
			term, _ := a.term(t, l)
			a.add(term, QueryTerm{})
		}
	}
	for _, t := range a.terms {
		out = append(out, t.Term)
	}
	return out
}

// present lists the languages that terms of v are in, the index's own first.
func (x *Index) present(v View) []*language {
	in := make([]*language, 1, 4)
	in[0] = x.language
	for met := x.met.Load(); met != 0; met &= met - 1 {
		if l := &languages[bits.TrailingZeros32(met)]; x.held(languageTerm(l), v) {
			in = append(in, l)
		}
	}
	return in
}

// analyst makes questions; it is for one goroutine at a time.
type analyst struct {
	owner     *Index
	tokens    []token
	tokenizer tokenizer
	stemmer   stemmer
	terms     []QueryTerm
	seen      map[string]int // places in terms, once there are many
}

func (x *Index) analyst() *analyst {
	a := &analyst{owner: x}
	a.tokenizer.emit, a.tokenizer.plain, a.tokenizer.turkic = a.take, x.plain, x.language.turkic
	return a
}

// take is the tokenizer's emit.
func (a *analyst) take(text []byte, k kind, j joint) {
	t := token{text: text, hash: hashOf(text), kind: k, joint: j}
	if k&exact == 0 {
		t.lexeme = a.owner.lexicon.find(t.hash, text)
	}
	a.tokens = append(a.tokens, t)
}

// question makes the terms of text for the rows alive in v.
func (a *analyst) question(text string, v View) Query {
	x := a.owner
	in := x.present(v)
	a.tokenizer.text(text)
	own, _ := x.languageFor(Document{}, a.tokens, a.tokenizer.wide)
	shouted := bytes.IndexFunc([]byte(text), func(r rune) bool { return r >= 'a' && r <= 'z' }) < 0
	parts := 0 // of the token to come
	for i := range a.tokens {
		t := &a.tokens[i]
		if t.kind&part != 0 {
			parts++
			continue
		}
		if t.kind&aside == 0 {
			if parts > 0 && a.takesParts(t, v) {
				for k := i - parts; k < i; k++ {
					if !x.stops(&a.tokens[k], own) {
						a.translate(k+1, &a.tokens[k], in)
					}
				}
			}
			parts = 0
		}
		switch {
		case !x.stops(t, own):
			a.translate(i+1, t, in)
			a.whole(t, v)
		case t.kind&capital != 0 && !shouted && !x.plain:
			a.add(t.text, QueryTerm{})
		}
	}
	if len(a.terms) == 0 && !x.plain {
		for i := range a.tokens {
			if t := &a.tokens[i]; t.kind&exact == 0 {
				a.add(t.text, QueryTerm{})
			}
		}
	}
	return Query{Terms: a.terms}
}

// takesParts reports whether the parts of a name are asked for, too. Those of room77 are not if a row has room77: what
// else has room or 77 is not meant. Those of careConnect always are.
func (a *analyst) takesParts(t *token, v View) bool {
	x := a.owner
	return t.kind&exact == 0 || !x.held(string(t.text), v) && !x.held(string(wholeMark)+string(t.text), v)
}

// translate adds the terms that a token is in languages.
func (a *analyst) translate(number int, t *token, in []*language) {
	first := len(a.terms)
	for _, l := range in {
		if l != in[0] && t.kind&exact != 0 || a.owner.stops(t, l) {
			continue
		}
		term, worded := a.term(t, l)
		same := func(q QueryTerm) bool { return q.Term == string(term) }
		if !slices.ContainsFunc(a.terms[first:], same) {
			a.add(term, QueryTerm{Word: number, Aside: t.kind&aside != 0, worded: worded})
		}
	}
}

// whole adds what leads to the same name written otherwise, if a row alive in v has that: for a word the whole (node.js
// for nodejs), for a whole the word.
func (a *analyst) whole(t *token, v View) {
	var other []byte
	switch {
	case t.text[0] == wholeMark[0]:
		name := token{text: t.text[len(wholeMark):], kind: word}
		if hasDigit(name.text) {
			name.kind = exact
		}
		name.hash = hashOf(name.text)
		other, _ = a.term(&name, a.owner.language)
	case t.kind&aside == 0:
		other = clip(append(slices.Clone(wholeMark), t.text...))
	default:
		return
	}
	if a.owner.held(string(other), v) {
		a.add(other, QueryTerm{Aside: true})
	}
}

// term is what a token leads to in a language, and as which wording, as in QueryTerm.
func (a *analyst) term(t *token, l *language) (term []byte, worded uint16) {
	if t.kind&exact != 0 {
		return t.text, 0
	}
	words := &a.owner.words
	if id, _, found := words.find(t.hash, t.text, word, l.id); found {
		term = words.text(id)
	} else {
		term = clip(a.owner.stem(&a.stemmer, t.text, l))
	}
	if !a.owner.plain {
		worded = 1 + uint16(wordingOf(t.text, term))
	}
	return term, worded
}

// wording is what the cursor of a list is asked for.
func (t *QueryTerm) wording() uint8 {
	if t.worded == 0 {
		return noWording
	}
	return uint8(t.worded - 1)
}

// add counts a term, which is as like says. Questions are short; a pasted page gets a map.
func (a *analyst) add(token []byte, like QueryTerm) {
	const short = 16
	at := -1
	if a.seen != nil {
		if i, found := a.seen[string(token)]; found {
			at = i
		}
	} else {
		at = slices.IndexFunc(a.terms, func(t QueryTerm) bool { return t.Term == string(token) })
	}
	if at >= 0 {
		a.terms[at].Weight++
		a.terms[at].Aside = a.terms[at].Aside && like.Aside
		return
	}
	like.Term, like.Weight = string(token), 1
	a.terms = append(a.terms, like)
	switch {
	case a.seen != nil:
		a.seen[like.Term] = len(a.terms) - 1
	case len(a.terms) == short:
		a.seen = make(map[string]int, 4*short)
		for i, t := range a.terms {
			a.seen[t.Term] = i
		}
	}
}
