package store

import (
	"errors"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
)

// The vectors of a space are of a generation: one model, one dimension. Those of the generation that serves are in the
// segments of their rows, as long as it is the first. Those of the next one are built apart, in segments of their own
// whose rows are these vectors (docs/format/manifest.md), while the former go on serving. When all are there one record
// of the log makes the new generation the one that serves: every segment is then of a former generation, what it holds
// of vectors counts no more, and those apart do. A sealing or compaction that writes the rows of such a segment puts
// the vectors that count beside them, and when no segment is of a former generation any more the vectors apart are let
// go of.

// vectorSet is the vectors of one generation that are apart from their rows.
type vectorSet struct {
	number uint32 // of the generation
	model  string
	dim    int
	places isolate.Column[atomic.Uint32] // by row: its place in the set plus 1; 0 if it has none
	next   uint32                        // places given; the writer's
	hot    *side                         // what is added to; nil if there is none yet. The writer's
	// lost is why of some vectors it is not known which rows they are for: a row without a place may have one of them.
	// Opening finds it.
	lost error
}

// place finds the vector of a row.
func (set *vectorSet) place(row uint32) (place uint32, ok bool) {
	if set == nil || !set.places.Has(row) {
		return 0, false
	}
	place = set.places.At(row).Load()
	return place - 1, place > 0
}

func (set *vectorSet) has(row uint32) bool {
	_, ok := set.place(row)
	return ok
}

// side is a part of a set: in memory, or in a file.
type side struct {
	set    *vectorSet
	base   uint32 // the place of its slot 0
	hot    *segment.Hot
	sealed *segment.Sealed
	number uint64 // of its file; 0 in memory
	lost   error  // why the file cannot be read; hot and sealed are nil then
	// Constant, of a file: the row of each vector and of each slot, segment.NoRow where that is void or cannot be told.
	byVector, bySlot []uint32
	damaged          bool // some of its rows cannot be told
}

// A side as a source of package ann. Its slots are rows.

func (s *side) Groups() int {
	if s.hot != nil {
		return s.hot.Groups()
	}
	return s.sealed.Groups()
}

func (s *side) Slots(g int) []uint32 {
	if s.hot != nil {
		return s.hot.Slots(g)
	}
	return s.rowsOf(g)
}

// rowsOf tells the rows of the vectors of a group in a file.
func (s *side) rowsOf(g int) []uint32 {
	first := g * segment.GroupSize
	end := min(first+segment.GroupSize, len(s.byVector))
	return s.byVector[first:end:end]
}

// unknown has a bit for each vector whose row is not told.
func unknown(rows []uint32) (bad uint64) {
	for i, row := range rows {
		if row == segment.NoRow {
			bad |= 1 << i
		}
	}
	return bad
}

func (s *side) Codes(g int, scratch *[]byte) (codes segment.Codes, err error) {
	if s.hot != nil {
		codes, err = s.hot.Codes(g, scratch)
	} else if codes, err = s.sealed.Codes(g, scratch); err == nil || codes.Bad != 0 {
		codes.Slots = s.rowsOf(g)
	}
	codes.Bad |= unknown(codes.Slots)
	return codes, err
}

func (s *side) Group(g int, scratch *[]byte) (group segment.Group, err error) {
	if s.hot != nil {
		group, err = s.hot.Group(g, scratch)
	} else if group, err = s.sealed.Group(g, scratch); err == nil || group.Bad != 0 {
		group.Slots = s.rowsOf(g)
	}
	group.Bad |= unknown(group.Slots)
	return group, err
}

func (s *side) Exact(vector uint32, fn func(padded []float32, invNorm float32) error) error {
	if s.hot != nil {
		return s.hot.Exact(vector, fn)
	}
	return s.sealed.Exact(vector, fn)
}

// vectorOf calls fn with the verified vector of a slot.
func (s *side) vectorOf(slot uint32, fn func(padded []float32, invNorm float32) error) error {
	switch {
	case s.lost != nil:
		return s.lost
	case s.hot != nil:
		return s.hot.VectorOf(slot, fn)
	}
	return s.sealed.VectorOf(slot, fn)
}

// servingSide is a side of the generation that serves, as a view scans it: rows whose segment is of that generation by
// now are found there, and not again here.
type servingSide struct {
	*side
	v *View
	// folded says that there are such segments.
	folded bool
}

func (s servingSide) Codes(g int, scratch *[]byte) (segment.Codes, error) {
	codes, err := s.side.Codes(g, scratch)
	codes.Bad |= s.elsewhere(codes.Slots)
	s.v.s.noteDamage(err)
	return codes, err
}

func (s servingSide) Group(g int, scratch *[]byte) (segment.Group, error) {
	group, err := s.side.Group(g, scratch)
	group.Bad |= s.elsewhere(group.Slots)
	s.v.s.noteDamage(err)
	return group, err
}

func (s servingSide) Exact(vector uint32, fn func([]float32, float32) error) error {
	err := s.side.Exact(vector, fn)
	s.v.s.noteDamage(err)
	return err
}

// elsewhere has a bit for each row that another part holds the vector of.
func (s servingSide) elsewhere(rows []uint32) (bad uint64) {
	if !s.folded {
		return 0
	}
	for i, row := range rows {
		if row == segment.NoRow || row >= s.v.Rows {
			continue
		}
		if p, _ := s.v.part(row); p.generation == s.v.Generation {
			bad |= 1 << i
		}
	}
	return bad
}

// generationOf is the generation that a row was given its vector in.
func (t *table) generationOf(row uint32) uint32 {
	if !t.generations.Has(row) {
		return 0
	}
	return t.generations.Get(row)
}

// HasVector reports whether a row has a vector of the generation that serves.
func (v *View) HasVector(row uint32) bool {
	t := v.s.t
	return t.facts.At(row).StoredVector && t.generationOf(row) == v.Generation || v.serving.has(row)
}

// vectorAt calls fn with the vector that a row has in a set, which is there.
func (v *View) vectorAt(set *vectorSet, place uint32, fn func(padded []float32, invNorm float32) error) error {
	var in *side // the last that begins before the place: readers do not ask how far the one in memory has come
	for _, p := range *v.partsNow() {
		if p.side != nil && p.side.set == set && p.side.base <= place && (in == nil || p.side.base > in.base) {
			in = p.side
		}
	}
	if in == nil {
		return errors.New("a vector that was to be there is in no part")
	}
	err := in.vectorOf(place-in.base, fn)
	v.s.noteDamage(err)
	return err
}

// Vector reads a row's vector, nil if it has none. Nobody may write to it.
func (v *View) Vector(row uint32) (vector []float32, err error) {
	if err := v.s.doubt(row); err != nil {
		return nil, err
	}
	p, slot := v.part(row)
	switch {
	case p.lost != nil:
		return nil, p.lost
	case p.generation != v.Generation:
		place, ok := v.serving.place(row)
		if !ok && v.serving != nil {
			return nil, v.serving.lost
		}
		if !ok {
			return nil, nil
		}
		return v.vectorApart(place)
	case p.hot != nil:
		return p.hot.Vector(slot)
	}
	vector, err = p.sealed.Vector(slot)
	v.s.noteDamage(err)
	return vector, err
}

// vectorApart is a copy of the vector at a place of the set that serves. It is by itself so that its result, which the
// heap keeps because a function of its own fills it, costs nobody else.
func (v *View) vectorApart(place uint32) (vector []float32, err error) {
	err = v.vectorAt(v.serving, place, func(padded []float32, _ float32) error {
		vector = append(make([]float32, 0, v.Dim), padded[:v.Dim]...)
		return nil
	})
	return vector, err
}

// addApart stages the vector of a row in a set. scanned says that readers may scan the set by now.
func (tx *Tx) addApart(set *vectorSet, row uint32, hash uint64, vector []float32, scanned bool) {
	if set.hot == nil {
		set.hot = &side{set: set, base: set.next, hot: segment.NewHot(set.dim)}
		tx.s.setParts(append([]part{{side: set.hot}}, *tx.s.parts.Load()...))
	}
	to := set.hot
	first := to.hot.Rows()
	tx.undo = append(tx.undo, func() {
		set.places.Slot(row).Store(0)
		set.next = to.base + to.hot.Rows()
		if scanned {
			to.hot.Void(first) // its row is void, too
			return
		}
		to.hot.Withdraw(first)
	})
	isolate.Point("store/apart")
	body := codec.Encoder{}
	body.U32(row)
	slot := to.hot.AddFor(segment.Identity{LSN: tx.position, Index: tx.apart}, hash, body.Buf, vector, row)
	tx.apart++
	set.next = to.base + to.hot.Rows()
	isolate.Point("store/apart.place")
	set.places.Slot(row).Store(to.base + slot + 1)
}
