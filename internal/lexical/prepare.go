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
	language language
	length   uint32
	counts   []count
	unknowns []unknown
	texts    []byte   // of the unknown words and their stems
	slots    []uint32 // open-addressed: 1 + place in counts or, with unknownBit, in unknowns; a power of two of them
	used     int
	batch    [32]sighting // tokens not looked up yet
	batched  int

	tokenizer tokenizer
	stemmer   stemmer
	date      []byte
	when      when
	dating    bool   // tokens are of the content
	times     uint64 // what when found
}

// count is one term of the document.
type count struct {
	id        uint32
	frequency uint32
}

// unknown is a word that the vocabulary did not know when the document was prepared.
type unknown struct {
	hash      uint64
	raw, stem span // in texts
	frequency uint32
	language  uint8
	kind      kind
	stop      bool
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
	p.reset(x, x.languageFor(d.Language))
	p.content(d)
	if d.Speaker != "" {
		p.text(d.Speaker)
	}
	for _, tag := range d.Tags {
		p.text(tag)
	}
	if !d.When.IsZero() {
		p.takeDate(d.When)
	}
}

// content takes the text of d and the expressions of time in it.
func (p *Prepared) content(d Document) {
	p.when.reset(d.When)
	p.dating = p.language.dates()
	p.text(d.Content)
	p.dating = false
	p.when.finish()
	p.times = p.when.packed()
}

// Length is the number of tokens that count, stop words left out.
func (p *Prepared) Length() uint32 { return p.length }

// reset empties p, keeping its memory unless one large document had blown it up.
func (p *Prepared) reset(x *Index, l language) {
	const keptCounts, keptText = 1 << 12, 1 << 16
	if cap(p.counts) > keptCounts || cap(p.texts) > keptText || cap(p.tokenizer.ascii) > keptText {
		*p = Prepared{}
	}
	p.owner, p.language = x, l
	p.length, p.used, p.batched, p.times = 0, 0, 0, 0
	p.counts, p.unknowns, p.texts = p.counts[:0], p.unknowns[:0], p.texts[:0]
	if len(p.slots) == 0 {
		p.slots = make([]uint32, firstSlots)
	}
	p.slots = p.slots[:firstSlots]
	clear(p.slots)
	if p.tokenizer.emit == nil {
		p.tokenizer.emit = p.take
		p.tokenizer.companions = true
	}
	p.tokenizer.turkic = l.turkic
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
	p.tokenizer.text(s)
	p.look() // the tokens are good until the next text
}

// take is the tokenizer's emit.
func (p *Prepared) take(token []byte, k kind) {
	x := p.owner
	if p.dating {
		p.when.take(token)
	}
	if k != word && x.ownStops && x.stopped(token, p.language) {
		return // the vocabulary remembers stop words among words only
	}
	p.batch[p.batched] = sighting{token: token, hash: x.words.hash(token), kind: k}
	if p.batched++; p.batched == len(p.batch) {
		p.look()
	}
}

// look looks up the tokens taken and counts them.
func (p *Prepared) look() {
	batch := p.batch[:p.batched]
	p.batched = 0
	p.owner.words.findAll(batch, p.language.id)
	for i := range batch {
		switch s := &batch[i]; {
		case !s.found:
			p.takeUnknown(s.hash, s.token, s.kind)
		case s.id != noTerm:
			if s.kind != aside {
				p.length++
			}
			p.count(s.id, 1)
		}
	}
}

// count adds to a term's frequency.
func (p *Prepared) count(id, frequency uint32) {
	mask := uint32(len(p.slots) - 1)
	for i := spread(id) & mask; ; i = (i + 1) & mask {
		switch s := p.slots[i]; {
		case s == 0:
			p.slots[i] = uint32(len(p.counts)) + 1
			p.counts = append(p.counts, count{id, frequency})
			p.fill()
			return
		case s&unknownBit == 0 && p.counts[s-1].id == id:
			p.counts[s-1].frequency += frequency
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
		if u.hash == hash && (u.kind == word) == (k == word) && string(p.at(u.raw)) == string(token) {
			p.countUnknown(u, k)
			return
		}
	}
	u := unknown{hash: hash, kind: k, language: p.language.id, raw: p.keep(token)}
	u.stem = u.raw
	if k == word {
		if u.stop = p.owner.stopped(token, p.language); !u.stop {
			u.stem = p.keepStem(u.raw)
		}
	}
	p.countUnknown(&u, k)
	p.slots[i] = uint32(len(p.unknowns)+1) | unknownBit
	p.unknowns = append(p.unknowns, u)
	p.fill()
}

// countUnknown counts one occurrence. A letter may occur alone and beside pairs: each counts as its own kind.
func (p *Prepared) countUnknown(u *unknown, k kind) {
	u.frequency++
	if !u.stop && k != aside {
		p.length++
	}
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
	stem := p.stemmer.stem(w, p.language)
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
		if id := x.words.learn(u, p.at(u.raw), p.at(u.stem)); id != noTerm {
			p.count(id, u.frequency)
		}
	}
	p.unknowns = p.unknowns[:0]
}
