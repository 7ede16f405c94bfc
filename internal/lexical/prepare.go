package lexical

import (
	"strconv"
	"time"
)

// Prepared is the analysis of one document for one index: the terms that the vocabulary knew, and the words it did not
// know yet. The zero value is ready for [Index.PrepareInto], which reuses its memory, so callers may pool it.
//
// It is for one goroutine at a time, and keeps nothing of the document.
type Prepared struct {
	owner    *Index
	language *language
	detected *language // nil if the document named its language, or nothing much spoke for any
	length   uint32
	counts   []count
	unknowns []unknown
	texts    []byte   // of the unknown words and their stems
	slots    []uint32 // open-addressed: 1 + place in counts or, with unknownBit, in unknowns; a power of two of them
	used     int
	stopped  int      // stop words left out
	unsorted bool     // settleWordings has something to do
	saying   bool     // what is looked up are words of the content
	said     []uint32 // the terms of those, as far as they are known
	batch    [32]sighting

	tokens    []token
	tokenizer tokenizer
	stemmer   stemmer
	date      []byte
	when      when
	times     uint64 // what when found
}

// token is what the tokenizer found, with what can be told of it before the language is known.
type token struct {
	text   []byte // good until the next text
	hash   uint64
	lexeme *lexeme // nil for most
	kind   kind
	joint  joint
}

// count is one term of the document.
type count struct {
	id        uint32
	frequency uint32
	wording   uint8
}

func (c *count) use() use { return newUse(c.wording, c.frequency) }

// unknown is a word that the vocabulary did not know when the document was prepared.
type unknown struct {
	hash      uint64
	raw, stem span // in texts
	frequency uint32
	language  uint8
	kind      kind // of the first occurrence
	said      bool // it is a word of the content
}

type span struct{ from, to uint32 }

const (
	unknownBit = 1 << 31
	firstSlots = 128
)

// Prepare analyses d. Any goroutine may call it, beside anything.
func (x *Index) Prepare(d Document) *Prepared {
	p := new(Prepared)
	x.PrepareInto(p, d)
	return p
}

// PrepareInto is Prepare into the memory of p, whose former result is gone. It allocates for words that the index has
// not met and for what p lacks in room, else nothing.
func (x *Index) PrepareInto(p *Prepared, d Document) {
	p.reset(x)
	p.content(d)
	if d.Speaker != "" {
		p.name(d.Speaker)
	}
	for _, tag := range d.Tags {
		p.name(tag)
	}
	if !d.When.IsZero() && !x.undated {
		p.takeDate(d.When)
	}
	if p.language != x.language {
		p.takeAside(languageTerm(p.language))
	}
}

// content takes the text of d, in its language, and the expressions of time in it.
func (p *Prepared) content(d Document) {
	p.cut(d.Content)
	p.language, p.detected = p.owner.languageFor(d, p.tokens, p.tokenizer.wide)
	if p.language.turkic != p.tokenizer.turkic {
		p.tokenizer.turkic = p.language.turkic
		p.cut(d.Content)
	}
	p.saying = true
	p.look()
	p.saying = false
	if p.length == 0 && p.stopped > 0 && !p.owner.plain {
		for i := range p.tokens { // nothing else is left to find it by
			if t := &p.tokens[i]; p.owner.stops(t, p.language) && (t.kind&named == 0 || len(t.text) == 1) {
				p.takeExact(t)
			}
		}
	}
	p.when.reset(d.When)
	if p.language.dates() {
		for i := range p.tokens {
			if t := &p.tokens[i]; t.kind&aside == 0 {
				p.when.take(t)
			}
		}
	}
	p.when.finish()
	p.times = p.when.packed()
}

// Detected is the ISO 639 code of the language that the text was found to be in; "" if the document named one, or if
// nothing much speaks for any.
func (p *Prepared) Detected() string {
	if p.detected == nil {
		return ""
	}
	return p.detected.code
}

// Length is the number of tokens that count, stop words left out.
func (p *Prepared) Length() uint32 { return p.length }

// reset empties p, keeping its memory unless one large document had blown it up.
func (p *Prepared) reset(x *Index) {
	const keptCounts, keptText = 1 << 12, 1 << 16
	if cap(p.counts) > keptCounts || cap(p.texts) > keptText || cap(p.tokenizer.ascii) > keptText {
		*p = Prepared{}
	}
	p.owner = x
	p.length, p.used, p.stopped, p.times, p.unsorted, p.saying = 0, 0, 0, 0, false, false
	p.counts, p.unknowns, p.texts, p.said = p.counts[:0], p.unknowns[:0], p.texts[:0], p.said[:0]
	if len(p.slots) == 0 {
		p.slots = make([]uint32, firstSlots)
	}
	p.slots = p.slots[:firstSlots]
	clear(p.slots)
	if p.tokenizer.emit == nil {
		p.tokenizer.emit = p.take
		p.tokenizer.companions = true
	}
	p.tokenizer.plain, p.tokenizer.turkic = x.plain, x.language.turkic
}

// takeDate takes the day of when as the words "8 may 2023", which is how people ask for it.
func (p *Prepared) takeDate(when time.Time) {
	year, month, day := when.Date()
	p.date = strconv.AppendInt(p.date[:0], int64(day), 10)
	p.date = append(p.date, ' ')
	p.date = append(p.date, month.String()...)
	p.date = append(p.date, ' ')
	p.date = strconv.AppendInt(p.date, int64(year), 10)
	p.text(string(p.date))
}

// text takes all tokens of s.
func (p *Prepared) text(s string) {
	p.cut(s)
	p.look()
}

// name takes all tokens of a name, in which stop words count for what they are.
func (p *Prepared) name(s string) {
	p.cut(s)
	for i := range p.tokens {
		p.tokens[i].kind |= named
	}
	p.look()
}

// cut cuts s into p.tokens.
func (p *Prepared) cut(s string) {
	p.tokens = p.tokens[:0]
	p.tokenizer.text(s)
}

// take is the tokenizer's emit.
func (p *Prepared) take(text []byte, k kind, j joint) {
	hash := hashOf(text)
	t := token{text: text, hash: hash, kind: k, joint: j}
	if k&exact == 0 {
		t.lexeme = p.owner.lexicon.find(hash, text)
	}
	p.tokens = append(p.tokens, t)
}

// look looks up p.tokens and counts their terms.
func (p *Prepared) look() {
	n := 0
	for i := range p.tokens {
		t := &p.tokens[i]
		if p.owner.stops(t, p.language) {
			p.takeStopped(t)
			continue
		}
		p.batch[n] = sighting{token: t.text, hash: t.hash, kind: t.kind}
		if n++; n == len(p.batch) {
			p.lookUp(n)
			n = 0
		}
	}
	p.lookUp(n)
}

// lookUp looks up the first n tokens of the batch and counts their terms.
func (p *Prepared) lookUp(n int) {
	batch := p.batch[:n]
	p.owner.words.findAll(batch, p.language.id)
	for i := range batch {
		s := &batch[i]
		if s.kind&aside == 0 {
			p.length++
		}
		if s.found {
			p.count(s.id, s.wording, 1)
			if p.saying && s.kind&aside == 0 {
				p.said = append(p.said, s.id)
			}
		} else {
			p.takeUnknown(s.hash, s.token, s.kind)
		}
	}
}

// takeStopped leaves out a stop word, but for one that is a name.
func (p *Prepared) takeStopped(t *token) {
	p.stopped++
	if t.kind&named != 0 && !p.owner.plain && len(t.text) > 1 {
		p.takeExact(t)
	}
}

// takeExact counts a word as it is, aside.
func (p *Prepared) takeExact(t *token) {
	if id, _, found := p.owner.words.find(t.hash, t.text, exact, 0); found {
		p.count(id, 0, 1)
		return
	}
	p.takeUnknown(t.hash, t.text, exact|aside)
}

// takeAside counts a term that is no word of the text.
func (p *Prepared) takeAside(text string) {
	p.tokens = p.tokens[:0]
	p.take([]byte(text), exact|aside, jointNone)
	p.look()
}

// count adds to the frequency of a term in a wording.
func (p *Prepared) count(id uint32, wording uint8, frequency uint32) {
	mask := uint32(len(p.slots) - 1)
	for i := spread(id) & mask; ; i = (i + 1) & mask {
		switch s := p.slots[i]; {
		case s == 0:
			p.slots[i] = uint32(len(p.counts)) + 1
			p.counts = append(p.counts, count{id, frequency, wording})
			p.fill()
			return
		case s&unknownBit == 0 && p.counts[s-1].id == id:
			c := &p.counts[s-1]
			if c.wording != wording {
				p.unsorted = true
				continue
			}
			c.frequency += frequency
			return
		}
	}
}

// spread makes of neighbouring ids places that are not neighbours.
func spread(id uint32) uint32 { return id * 0x9e3779b1 >> 7 }

// takeUnknown notes a word with its stem, or counts it if it is noted already.
func (p *Prepared) takeUnknown(hash uint64, token []byte, k kind) {
	mask := uint32(len(p.slots) - 1)
	i := uint32(hash) & mask
	for ; p.slots[i] != 0; i = (i + 1) & mask {
		s := p.slots[i]
		if s&unknownBit == 0 {
			continue
		}
		u := &p.unknowns[s&^unknownBit-1]
		if u.hash == hash && (u.kind^k)&exact == 0 && string(p.at(u.raw)) == string(token) {
			u.frequency++
			u.said = u.said || p.saying && k&aside == 0
			return
		}
	}
	u := unknown{hash: hash, kind: k, language: p.language.id, raw: p.keep(token), frequency: 1}
	u.said = p.saying && k&aside == 0
	u.stem = u.raw
	if k&exact == 0 {
		u.stem = p.keepStem(u.raw)
	}
	p.slots[i] = uint32(len(p.unknowns)+1) | unknownBit
	p.unknowns = append(p.unknowns, u)
	p.fill()
}

func (p *Prepared) at(s span) []byte { return p.texts[s.from:s.to] }

func (p *Prepared) keep(b []byte) span {
	from := len(p.texts)
	p.texts = append(p.texts, b...)
	return span{uint32(from), uint32(len(p.texts))}
}

// keepStem keeps the stem of the word at raw, which is raw itself where the word is its own.
func (p *Prepared) keepStem(raw span) span {
	w := p.at(raw)
	stem := p.owner.stem(&p.stemmer, w, p.language)
	if string(stem) == string(w) {
		return raw
	}
	return p.keep(clip(stem))
}

// fill notes that a slot was taken, and doubles the slots when half of them are.
func (p *Prepared) fill() {
	p.used++
	if p.used*2 < len(p.slots) {
		return
	}
	n := len(p.slots) * 2
	if cap(p.slots) < n {
		p.slots = make([]uint32, n)
	}
	p.slots = p.slots[:n]
	clear(p.slots)
	mask := uint32(n - 1)
	place := func(at, value uint32) {
		for at &= mask; p.slots[at] != 0; at = (at + 1) & mask {
		}
		p.slots[at] = value
	}
	for i, c := range p.counts {
		place(spread(c.id), uint32(i+1))
	}
	for i, u := range p.unknowns {
		place(uint32(u.hash), uint32(i+1)|unknownBit)
	}
}

// settle teaches the vocabulary the unknown words and counts their terms. Only the writer may call it, and a second
// call changes nothing.
func (p *Prepared) settle(x *Index) {
	for i := range p.unknowns {
		u := &p.unknowns[i]
		id, wording := x.words.learn(u, p.at(u.raw), p.at(u.stem))
		p.count(id, wording, u.frequency)
		if u.said {
			p.said = append(p.said, id)
		}
	}
	p.unknowns = p.unknowns[:0]
	if p.unsorted {
		p.counts, p.unsorted = settleWordings(p.counts), false
	}
}
