package graph

import (
	"iter"
	"math"
	"slices"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Links are the explicit associations between entries. An association has a direction, a type and a weight, and is
// found from both ends. It costs 56 bytes, plus the room that doubling arrays keep. Use NewLinks.
//
// Every association carries the log position that made it and the one that ended it, so that readers at any position
// find what held for them. Set, Remove and Clear are for the one writer; what they do shows to a reader once its
// position is at least theirs. Ended associations are dropped when an array has to grow and they are most of it; the
// [EndedKept] that ended last stay. So a reader with an old position is right unless, within its one call, more than
// EndedKept associations of one entry ended and others were added; it then misses those that ended longest ago, and
// never sees one that was not there.
type Links struct {
	entries isolate.Column[cell]   // by entry
	degrees isolate.Column[degree] // by entry, as long as entries
	types   isolate.Column[string] // by number
	numbers map[string]uint32      // the writer's: type -> number
}

// EndedKept is how many ended associations of an entry are kept at least for readers with an older position.
const EndedKept = 64

// Edge is an association as seen from one of its ends.
type Edge struct {
	To       uint32  // the entry at the other end
	Type     string  // as given to Set
	Weight   float32 // as given to Set, in [0,1]
	Outgoing bool    // it was made from this end to the other
}

type cell struct{ p atomic.Pointer[array] }

// degree is how many associations an entry has and the position from which on it has them, in one word: most of what
// spreading asks of most memories is this, and a word of its own is near where the lists of a large graph are not.
// Readers with an older position count for themselves.
type degree struct{ word atomic.Uint64 }

// The parts of a degree's word: the position above the count. What does not fit is told as never.
const (
	countBits = 24
	mostCount = 1<<countBits - 1
)

// at is the number of associations at position; false if the word does not tell.
func (d *degree) at(position uint64) (int, bool) {
	word := d.word.Load()
	return int(word & mostCount), word>>countBits <= position && word != math.MaxUint64
}

// set is the writer's.
func (d *degree) set(count int, position uint64) {
	word := position<<countBits | uint64(count)
	if count > mostCount || position >= 1<<(64-countBits) {
		word = math.MaxUint64
	}
	d.word.Store(word)
}

// shift is the writer's: there are so many more, from position on.
func (d *degree) shift(more int, position uint64) {
	if word := d.word.Load(); word != math.MaxUint64 {
		d.set(int(word&mostCount)+more, position)
	}
}

// array is the append-only list of an entry's associations, ended ones included. n is stored after number n-1 is
// filled; nothing but an end changes in one after that. What they are and when they were lie apart: as long as none has
// ended, nobody needs to look at the latter.
type array struct {
	n     atomic.Uint32
	arcs  []arc
	spans []span
}

// arc is what an association is, from one end, apart from its weight.
type arc struct {
	key
	weight float32
}

// key names an association from one end. kind is twice the number of its type, and one more if it is outgoing.
type key struct{ to, kind uint32 }

func outgoing(to, number uint32) key { return key{to, number<<1 | 1} }
func incoming(to, number uint32) key { return key{to, number << 1} }

// back is the same association from the other end, which is entry's.
func (k key) back(entry uint32) key { return key{entry, k.kind ^ 1} }

// span is when an association holds: from since on, and before ended: isolate.Never while it lasts, 0 if it is void.
type span struct {
	since uint64
	ended atomic.Uint64
}

func (s *span) at(position uint64) bool { return s.since <= position && position < s.ended.Load() }

func newArray(size int) *array { return &array{arcs: make([]arc, size), spans: make([]span, size)} }

// NewLinks returns links between no entries.
func NewLinks() *Links { return &Links{numbers: map[string]uint32{}} }

// Set makes an association of type kind from entry a to entry b, or changes the weight of the one there is, from
// position on. weight must be in [0,1]: others are brought into it. An entry may be associated with itself; it then
// finds the association once, as outgoing. Time: proportional to the fewer associations of the two ends.
//
// Only the writer may call it. undo takes it back; it is valid until the next call with a greater position, and undos
// of one position are called latest first. If Set panics, it has taken itself back.
func (l *Links) Set(a, b uint32, kind string, weight float32, position uint64) (undo func()) {
	if !(weight > 0) {
		weight = 0
	}
	weight = min(weight, 1)
	number := l.number(kind)
	return l.alter(func(step *change) {
		if l.find(a, b, number) != nil {
			l.end(step, a, b, number, position)
		}
		l.add(step, a, outgoing(b, number), weight, position)
		if a != b {
			l.add(step, b, incoming(a, number), weight, position)
		}
	})
}

// Remove ends the association of type kind from a to b at position. removed is false, and undo does nothing, if there
// is none. Otherwise it is like Set.
func (l *Links) Remove(a, b uint32, kind string, position uint64) (undo func(), removed bool) {
	number, known := l.numbers[kind]
	if !known || l.find(a, b, number) == nil {
		return func() {}, false
	}
	return l.alter(func(step *change) { l.end(step, a, b, number, position) }), true
}

// Clear ends every association of entry at position and returns how many there were: what Remove does to each, in one
// pass over the entry's own. Otherwise it is like Set.
func (l *Links) Clear(entry uint32, position uint64) (undo func(), removed int) {
	undo = l.alter(func(step *change) {
		for k, s := range l.live(entry) {
			if other := l.findIn(k.to, k.back(entry)); other != nil && k.to != entry {
				step.end(k.to, k.back(entry), other, position)
			}
			step.end(entry, k, s, position)
			removed++
		}
	})
	return undo, removed
}

// Edges lists the associations of entry at position, from both directions, in no promised order.
func (l *Links) Edges(entry uint32, position uint64) []Edge {
	var edges []Edge
	l.Each(entry, position, func(e Edge) bool {
		edges = append(edges, e)
		return true
	})
	return edges
}

// Each calls fn with each association of entry at position until fn returns false, in no promised order. It allocates
// nothing.
func (l *Links) Each(entry uint32, position uint64, fn func(Edge) bool) {
	l.walk(entry, position, func(a arc) bool {
		return fn(Edge{To: a.to, Type: l.types.Get(a.kind >> 1), Weight: a.weight, Outgoing: a.kind&1 == 1})
	})
}

// walk is Each without the names of types.
func (l *Links) walk(entry uint32, position uint64, fn func(arc) bool) {
	list := l.load(entry)
	if list == nil {
		return
	}
	n := list.n.Load()
	// The list was read before the degree: if that is as large and holds for the position, all in the list do.
	if count, ok := l.degrees.At(entry).at(position); ok && count == int(n) {
		for i := range list.arcs[:n] {
			if !fn(list.arcs[i]) {
				return
			}
		}
		return
	}
	for i := range n {
		if list.spans[i].at(position) && !fn(list.arcs[i]) {
			return
		}
	}
}

// Degree counts the associations of entry at position, up to limit.
func (l *Links) Degree(entry uint32, position uint64, limit int) int {
	if !l.degrees.Has(entry) {
		return 0
	}
	if n, ok := l.degrees.At(entry).at(position); ok {
		return min(n, limit)
	}
	list := l.load(entry)
	if list == nil {
		return 0
	}
	n := 0
	for i := range list.n.Load() {
		if n == limit {
			break
		}
		if list.spans[i].at(position) {
			n++
		}
	}
	return n
}

func (l *Links) load(entry uint32) *array {
	if !l.entries.Has(entry) {
		return nil
	}
	return l.entries.At(entry).p.Load()
}

// number gives a type its number.
func (l *Links) number(kind string) uint32 {
	if n, ok := l.numbers[kind]; ok {
		return n
	}
	n := uint32(len(l.numbers))
	l.types.Set(n, kind)
	l.numbers[kind] = n
	return n
}

// live gives the associations of entry that have not ended; the writer's.
func (l *Links) live(entry uint32) iter.Seq2[key, *span] {
	return func(yield func(key, *span) bool) {
		list := l.load(entry)
		if list == nil {
			return
		}
		for i := range list.n.Load() {
			if s := &list.spans[i]; s.ended.Load() == isolate.Never && !yield(list.arcs[i].key, s) {
				return
			}
		}
	}
}

// findIn gives when the association of entry with key k, which has not ended, holds; nil if there is none.
func (l *Links) findIn(entry uint32, k key) *span {
	for own, s := range l.live(entry) {
		if own == k {
			return s
		}
	}
	return nil
}

// find is findIn for the association from a to b, at the end with fewer.
func (l *Links) find(a, b, number uint32) *span {
	if l.length(a) <= l.length(b) {
		return l.findIn(a, outgoing(b, number))
	}
	return l.findIn(b, incoming(a, number))
}

func (l *Links) length(entry uint32) uint32 {
	if list := l.load(entry); list != nil {
		return list.n.Load()
	}
	return 0
}

// end ends the association from a to b at both ends.
func (l *Links) end(step *change, a, b, number uint32, position uint64) {
	if s := l.findIn(a, outgoing(b, number)); s != nil {
		step.end(a, outgoing(b, number), s, position)
	}
	if s := l.findIn(b, incoming(a, number)); s != nil {
		step.end(b, incoming(a, number), s, position)
	}
}

// add appends an association to entry's list.
func (l *Links) add(step *change, entry uint32, k key, weight float32, position uint64) {
	cell := l.entries.Slot(entry)
	l.degrees.Grow(entry + 1)
	list := cell.p.Load()
	if list == nil || int(list.n.Load()) == len(list.arcs) {
		list = list.grow(position)
		cell.p.Store(list)
	}
	n := list.n.Load()
	list.arcs[n] = arc{k, weight}
	list.spans[n].since = position
	list.spans[n].ended.Store(isolate.Never)
	step.done = append(step.done, altered{entry: entry, key: k, position: position, added: true})
	isolate.Point("graph/link")
	list.n.Store(n + 1)
	l.degrees.At(entry).shift(1, position)
}

// recount finds out how many associations entry has from position on.
func (l *Links) recount(entry uint32, position uint64) {
	n := 0
	for range l.live(entry) {
		n++
	}
	l.degrees.Slot(entry).set(n, position)
}

// grow returns a copy with room for more: twice as large, or of the same size without what ended long before position
// where that is much. Readers of the old array lose nothing: what changes later is beyond them.
func (a *array) grow(position uint64) *array {
	if a == nil {
		return newArray(1)
	}
	var ends []uint64
	for i := range a.spans {
		if end := a.spans[i].ended.Load(); end < position {
			ends = append(ends, end)
		}
	}
	from := uint64(0) // what ends below it is dropped
	if live := len(a.spans) - len(ends); len(ends) > live+EndedKept {
		slices.Sort(ends)
		from = max(ends[len(ends)-EndedKept], 1) // 0 is void: nobody ever saw it
	}
	grown := newArray(2 * max(a.kept(from), 1))
	n := uint32(0)
	for i := range a.spans {
		end := a.spans[i].ended.Load()
		if end < from {
			continue
		}
		grown.arcs[n] = a.arcs[i]
		grown.spans[n].since = a.spans[i].since
		grown.spans[n].ended.Store(end)
		n++
	}
	grown.n.Store(n)
	return grown
}

// kept counts what ends at position from or later.
func (a *array) kept(from uint64) int {
	n := 0
	for i := range a.spans {
		if a.spans[i].ended.Load() >= from {
			n++
		}
	}
	return n
}

// change is what one call did, so that it can be taken back.
type change struct {
	l    *Links
	done []altered
}

type altered struct {
	entry    uint32
	key      key
	position uint64
	added    bool // else ended
}

// end ends an association of entry.
func (c *change) end(entry uint32, k key, s *span, position uint64) {
	c.done = append(c.done, altered{entry: entry, key: k, position: position, added: false})
	s.ended.Store(position)
	isolate.Point("graph/unlink")
	c.l.degrees.At(entry).shift(-1, position)
}

// alter runs fn and returns what takes it back. If fn panics, what it did is taken back at once.
func (l *Links) alter(fn func(*change)) (undo func()) {
	step := &change{l: l}
	undo = func() {
		for _, done := range slices.Backward(step.done) {
			l.takeBack(done)
		}
		step.done = nil
	}
	finished := false
	defer func() {
		if !finished {
			undo()
		}
	}()
	fn(step)
	finished = true
	return undo
}

// takeBack makes what d added void, or what d ended last again. It is found by what it is, since the array may have
// been replaced in between.
func (l *Links) takeBack(d altered) {
	list := l.load(d.entry)
	if list == nil {
		return
	}
	defer func() { l.recount(d.entry, d.position) }()
	for i := int64(list.n.Load()) - 1; i >= 0; i-- {
		if list.arcs[i].key != d.key {
			continue
		}
		s := &list.spans[i]
		switch end := s.ended.Load(); {
		case d.added && s.since == d.position && end == isolate.Never:
			s.ended.Store(0)
			return
		case !d.added && end == d.position && end != 0:
			s.ended.Store(isolate.Never)
			return
		}
	}
}
