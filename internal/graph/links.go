package graph

import (
	"slices"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Links are the explicit associations between entries. An association has a direction, a type and a weight, and is
// found from both ends. It costs 64 bytes, plus the room that doubling arrays keep. Use NewLinks.
//
// Every association carries the log position that made it and the one that ended it, so that readers at any position
// find what held for them. Set, Remove and Clear are for the one writer; what they do shows to a reader once its
// position is at least theirs. Ended associations are dropped when an array has to grow and they are most of it; the
// [EndedKept] that ended last stay. So a reader with an old position is right unless, within its one call, more than
// EndedKept associations of one entry ended and others were added; it then misses those that ended longest ago, and
// never sees one that was not there.
type Links struct {
	entries isolate.Column[cell]   // by entry
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

// array is the append-only list of an entry's associations, ended ones included. n is stored after record n-1 is
// filled; nothing but ended changes in a record after that.
type array struct {
	n       atomic.Uint32
	records []record
}

type record struct {
	to       uint32
	weight   float32
	kind     uint32
	outgoing bool
	since    uint64        // it holds from this position on
	ended    atomic.Uint64 // and before this one: isolate.Never while it lasts, 0 if it is void
}

func (r *record) at(position uint64) bool { return r.since <= position && position < r.ended.Load() }

// key names an association from one end.
type key struct {
	to, kind uint32
	outgoing bool
}

func (r *record) is(k key) bool { return r.to == k.to && r.kind == k.kind && r.outgoing == k.outgoing }

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
		l.add(step, a, key{b, number, true}, weight, position)
		if a != b {
			l.add(step, b, key{a, number, false}, weight, position)
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
		for r := range l.live(entry) {
			if other := l.findIn(r.to, key{entry, r.kind, !r.outgoing}); other != nil && r.to != entry {
				step.end(r.to, other, position)
			}
			step.end(entry, r, position)
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
	list := l.load(entry)
	if list == nil {
		return
	}
	for i := range list.n.Load() {
		r := &list.records[i]
		if !r.at(position) {
			continue
		}
		if !fn(Edge{To: r.to, Type: l.types.Get(r.kind), Weight: r.weight, Outgoing: r.outgoing}) {
			return
		}
	}
}

// Degree counts the associations of entry at position, up to limit.
func (l *Links) Degree(entry uint32, position uint64, limit int) int {
	list := l.load(entry)
	if list == nil {
		return 0
	}
	n := 0
	for i := range list.n.Load() {
		if n == limit {
			break
		}
		if list.records[i].at(position) {
			n++
		}
	}
	return n
}

// Empty reports whether there never was an association.
func (l *Links) Empty() bool { return !l.entries.Has(0) }

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

// live gives the records of entry that have not ended; the writer's.
func (l *Links) live(entry uint32) func(func(*record) bool) {
	return func(yield func(*record) bool) {
		list := l.load(entry)
		if list == nil {
			return
		}
		for i := range list.n.Load() {
			if r := &list.records[i]; r.ended.Load() == isolate.Never && !yield(r) {
				return
			}
		}
	}
}

// findIn gives the record of entry with key k that has not ended, nil if there is none.
func (l *Links) findIn(entry uint32, k key) *record {
	for r := range l.live(entry) {
		if r.is(k) {
			return r
		}
	}
	return nil
}

// find gives a record of the association from a to b, of the end with fewer, or nil.
func (l *Links) find(a, b, kind uint32) *record {
	if l.length(a) <= l.length(b) {
		return l.findIn(a, key{b, kind, true})
	}
	return l.findIn(b, key{a, kind, false})
}

func (l *Links) length(entry uint32) uint32 {
	if list := l.load(entry); list != nil {
		return list.n.Load()
	}
	return 0
}

// end ends the association from a to b at both ends.
func (l *Links) end(step *change, a, b, kind uint32, position uint64) {
	if r := l.findIn(a, key{b, kind, true}); r != nil {
		step.end(a, r, position)
	}
	if r := l.findIn(b, key{a, kind, false}); r != nil {
		step.end(b, r, position)
	}
}

// add appends a record to entry's list.
func (l *Links) add(step *change, entry uint32, k key, weight float32, position uint64) {
	cell := l.entries.Slot(entry)
	list := cell.p.Load()
	if list == nil || int(list.n.Load()) == len(list.records) {
		list = list.grow(position)
		cell.p.Store(list)
	}
	n := list.n.Load()
	r := &list.records[n]
	r.to, r.kind, r.outgoing, r.weight, r.since = k.to, k.kind, k.outgoing, weight, position
	r.ended.Store(isolate.Never)
	step.done = append(step.done, altered{entry: entry, key: k, position: position, added: true})
	isolate.Point("graph/link")
	list.n.Store(n + 1)
}

// grow returns a copy with room for more: twice as large, or of the same size without the records that ended long
// before position where those are many. Readers of the old array lose nothing: what changes later is beyond them.
func (a *array) grow(position uint64) *array {
	if a == nil {
		return &array{records: make([]record, 1)}
	}
	var ends []uint64
	for i := range a.records {
		if end := a.records[i].ended.Load(); end < position {
			ends = append(ends, end)
		}
	}
	from := uint64(0) // records that end below it are dropped
	if live := len(a.records) - len(ends); len(ends) > live+EndedKept {
		slices.Sort(ends)
		from = max(ends[len(ends)-EndedKept], 1) // 0 is void: nobody ever saw it
	}
	grown := &array{records: make([]record, 2*max(a.kept(from), 1))}
	n := uint32(0)
	for i := range a.records {
		old := &a.records[i]
		end := old.ended.Load()
		if end < from {
			continue
		}
		r := &grown.records[n]
		r.to, r.kind, r.outgoing, r.weight, r.since = old.to, old.kind, old.outgoing, old.weight, old.since
		r.ended.Store(end)
		n++
	}
	grown.n.Store(n)
	return grown
}

// kept counts the records that end at position from or later.
func (a *array) kept(from uint64) int {
	n := 0
	for i := range a.records {
		if a.records[i].ended.Load() >= from {
			n++
		}
	}
	return n
}

// change is what one call did to records, so that it can be taken back.
type change struct{ done []altered }

type altered struct {
	entry    uint32
	key      key
	position uint64
	added    bool // else ended
}

// end ends a record of entry.
func (c *change) end(entry uint32, r *record, position uint64) {
	c.done = append(c.done, altered{
		entry: entry, key: key{r.to, r.kind, r.outgoing}, position: position, added: false,
	})
	r.ended.Store(position)
	isolate.Point("graph/unlink")
}

// alter runs fn and returns what takes it back. If fn panics, what it did is taken back at once.
func (l *Links) alter(fn func(*change)) (undo func()) {
	step := &change{}
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

// takeBack makes the record that d added void, or the one that d ended last again. Records are found by what they are,
// since the array may have been replaced in between.
func (l *Links) takeBack(d altered) {
	list := l.load(d.entry)
	if list == nil {
		return
	}
	for i := int64(list.n.Load()) - 1; i >= 0; i-- {
		r := &list.records[i]
		if !r.is(d.key) {
			continue
		}
		switch end := r.ended.Load(); {
		case d.added && r.since == d.position && end == isolate.Never:
			r.ended.Store(0)
			return
		case !d.added && end == d.position && end != 0:
			r.ended.Store(isolate.Never)
			return
		}
	}
}
