package store

import (
	"errors"
	"math"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
)

// state is what the state file holds: what became of the rows and memories in the sealed segments.
type state struct {
	ends     map[uint32]rowEnd
	memories []memoryState
	links    []linkState
	keys     []Key
	dynamics dynamicsState
	mended   error     // the damage to one copy of the file, of which the other is whole; not in it
	again    *manifest // what it says again of the manifest; nil if it is of a version that does not
}

type rowEnd struct {
	position uint64
	erased   bool
}

type memoryState struct {
	row          uint32 // of its current version
	archivedAt   int64
	supersededBy string
	until        Time
	reinforced   uint32
	supersededAt int64
	absent       []Span
}

type linkState struct {
	from, to uint32 // rows of the current versions
	linkType string
	weight   float32
}

// applyState stages what became of the memories.
func (s *Space) applyState(st *state) error {
	for _, m := range st.memories {
		if s.t.ends.End(m.row) == 0 {
			continue // its segment is damaged
		}
		entry := s.t.facts.At(m.row).Entry
		cell := s.t.states.At(entry)
		now := s.t.state(entry, s.man.position)
		if now.row != m.row {
			continue // said of a row that could not be read then, and was replaced since
		}
		next := now.change(s.man.position)
		next.reinforced = m.reinforced
		own := next.alter()
		own.archivedAt, own.supersededBy, own.until = m.archivedAt, m.supersededBy, m.until
		own.supersededAt, own.absent = m.supersededAt, m.absent
		cell.p.Store(next)
		if m.supersededBy != "" {
			s.t.heirs.Insert(hashString(m.supersededBy), entry, nil)
		}
		switch {
		case m.archivedAt != NoTime:
			s.staged.Archived++
			s.staged.Memories--
		case m.supersededBy != "" && !s.carried[m.row].damaged:
			s.t.knownEnds(s.hot.base).Set(m.row, isolate.Never)
			s.staged.KnownDocs++
			s.staged.KnownTokens += int64(s.t.words.Length(m.row))
		}
	}
	for _, l := range st.links {
		if s.t.ends.End(l.from) == 0 || s.t.ends.End(l.to) == 0 {
			continue
		}
		from, to := s.t.facts.At(l.from).Entry, s.t.facts.At(l.to).Entry
		s.t.links.Set(from, to, l.linkType, l.weight, s.man.position)
		s.staged.LinkCount++
	}
	for _, k := range st.keys {
		s.stageKey(k)
	}
	s.applyDynamics(&st.dynamics)
	return nil
}

// maxKeys is how many idempotency keys a space knows: the newest ones. Older ones take their 100 or so bytes of memory
// until the space is opened again, since readers may be looking at them.
const maxKeys = 1 << 16

// encodeState collects the state as it was at a checkpoint. It runs beside writers.
func (s *Space) encodeState(cp checkpoint, r *replacement) []byte {
	var e codec.Encoder
	position := cp.position
	s.encodeEnds(&e, cp, r)
	var memories, links codec.Encoder
	memoryCount, linkCount := 0, 0
	for entry := range cp.entries {
		if !s.t.wanted(entry) {
			continue
		}
		cell := s.t.states.At(entry).at(position)
		if cell != nil && cell.erased {
			continue
		}
		st := s.t.state(entry, position)
		if cell != nil && st.told() {
			memoryCount++
			memories.U32(st.row)
			memories.U64(uint64(st.fate.archivedAt))
			memories.String(st.fate.supersededBy)
			appendTime(&memories, st.fate.until)
			memories.U32(st.reinforced)
			memories.U64(uint64(st.fate.supersededAt))
			appendSpans(&memories, st.fate.absent)
		}
		for _, edge := range s.t.links.Edges(entry, position) {
			if edge.Outgoing {
				linkCount++
				links.U32(st.row)
				links.U32(s.t.state(edge.To, position).row)
				links.String(edge.Type)
				links.F32(edge.Weight)
			}
		}
	}
	e.Uvarint(uint64(memoryCount))
	e.Raw(memories.Buf)
	e.Uvarint(uint64(linkCount))
	e.Raw(links.Buf)
	s.encodeKeys(&e, position, cp.keys)
	s.encodeDynamics(&e, &cp)
	return e.Buf
}

func (s *Space) encodeEnds(e *codec.Encoder, cp checkpoint, r *replacement) {
	var ends codec.Encoder
	count := 0
	for row := range cp.rows {
		end, ended := s.endAt(row, cp.position)
		if !ended || end.erased && s.leftOut(row, cp, r) {
			continue
		}
		count++
		ends.U32(row)
		ends.U64(end.position)
		ends.Bool(end.erased)
	}
	e.Uvarint(uint64(count))
	e.Raw(ends.Buf)
}

// leftOut reports whether an erased row is in no file any more: its place is void.
func (s *Space) leftOut(row uint32, cp checkpoint, r *replacement) bool {
	if row >= cp.hot.base {
		return true
	}
	info, err := s.rowInfo(row)
	if r != nil && row >= r.ref.base && row < r.ref.base+r.ref.rows {
		info, err = r.sealed.Row(row - r.ref.base)
	}
	return err == nil && info.Void
}

func (s *Space) encodeKeys(e *codec.Encoder, position uint64, keys uint32) {
	first := uint32(0)
	if keys > maxKeys {
		first = keys - maxKeys
	}
	var list codec.Encoder
	count := 0
	for i := first; i < keys; i++ {
		k := s.t.keyList.Get(i)
		if k == nil {
			continue // the write failed
		}
		if gone := k.gone.Load(); gone == 0 || gone > position {
			appendKey(&list, k.Key)
			count++
		}
	}
	e.Uvarint(uint64(count))
	e.Raw(list.Buf)
}

func (st *state) decode(d *codec.Decoder, version uint32) {
	for range d.Count(13) {
		row := d.U32()
		st.ends[row] = rowEnd{position: d.U64(), erased: d.Bool()}
	}
	for range d.Count(14) {
		m := memoryState{row: d.U32(), archivedAt: int64(d.U64()), supersededBy: d.String()}
		m.until = readTime(d)
		m.reinforced, m.supersededAt = d.U32(), NoTime
		if version > 1 {
			m.supersededAt, m.absent = int64(d.U64()), readSpans(d)
		}
		st.memories = append(st.memories, m)
	}
	for range d.Count(13) {
		l := linkState{from: d.U32(), to: d.U32(), linkType: d.String(), weight: d.F32()}
		if w := float64(l.weight); math.IsNaN(w) {
			d.Fail(errors.New("link without a weight"))
		}
		st.links = append(st.links, l)
	}
	for range d.Count(16) {
		st.keys = append(st.keys, readKey(d))
	}
	switch {
	case version > 3:
		st.dynamics.decode(d)
	case version > 2:
		st.dynamics.decodeUndated(d)
	}
	if version > 5 {
		st.again = decodeAgain(d)
	}
}
