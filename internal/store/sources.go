package store

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
)

// The bounds of what a space knows of sources.
const (
	// MaxSources is how many sources a space knows the reliability of. One more takes the place of the one of which a
	// verdict was counted longest ago, which is then as good as unknown.
	MaxSources = 4096
	// listedSources is how many names of sources rows are numbered by: where each memory has a source of its own, as a
	// URI is, the names would take more memory than all else that is kept of a row. Chosen.
	listedSources = 1 << 16
)

// Source is what is known of a source since an instant.
type Source struct {
	Name string
	dynamics.Reliability
	At int64 // when the last verdict was counted; NoTime if that is not known
}

// sources numbers the names of sources and keeps what is known of them. Number 0 is "".
type sources struct {
	index isolate.Table
	cells isolate.Column[sourceCell]
	next  uint32 // numbers given, without 0
}

type sourceCell struct {
	name string
	p    atomic.Pointer[sourceState] // nil while no verdict was counted
}

// sourceState is what was known of a source since a position, and since an instant. It is immutable and leads to older
// ones.
type sourceState struct {
	position uint64
	older    atomic.Pointer[sourceState]
	at       int64
	dynamics.Reliability
	depth   int32
	evicted bool
}

// cutSources stands where older states were let go.
var cutSources = new(sourceState)

func (s *sources) find(name string) (uint32, bool) {
	if name == "" {
		return 0, true
	}
	return s.index.Find(hashString(name), func(v uint32) bool { return s.cells.At(v).name == name })
}

// number gives the number of a source, making one if need be. Only the writer may call it.
func (s *sources) number(name string) uint32 {
	n, known := s.find(name)
	switch {
	case known && n > 0:
		return n
	case known:
		s.cells.Grow(1)
		return 0
	}
	n = s.next + 1
	s.cells.Slot(n).name = name
	s.next = n
	s.index.Insert(hashString(name), n, nil)
	return n
}

func (s *sources) name(n uint32) string {
	if n == 0 {
		return ""
	}
	return s.cells.At(n).name
}

// listed gives the number by which a row tells its source; noSource if the row's record must be read for it.
func (s *sources) listed(name string) uint32 {
	n, known := s.find(name)
	if known {
		return n
	}
	if s.next >= listedSources {
		return noSource
	}
	return s.number(name)
}

// noSource is the number of a source that has none.
const noSource = ^uint32(0)

// at is what was known of a source at a log position; nil if nothing was.
func (c *sourceCell) at(position uint64) *sourceState {
	st := c.p.Load()
	for st != nil && st.position > position {
		older := st.older.Load()
		if older == cutSources {
			return st
		}
		st = older
	}
	if st == nil || st.evicted {
		return nil
	}
	return st
}

// asOf is what was known at an instant; nil if nothing was.
func (st *sourceState) asOf(at int64) *sourceState {
	for n := 1; st != nil && !st.evicted; n++ {
		if st.at <= at {
			return st
		}
		older := st.older.Load()
		if older == cutSources || n == MaxStates && older != nil {
			return st
		}
		st = older
	}
	return nil
}

// states lists what is kept of a source, oldest first.
func (st *sourceState) states() (out []*sourceState) {
	for ; st != nil && st != cutSources && !st.evicted && len(out) < MaxStates; st = st.older.Load() {
		out = append(out, st)
	}
	slices.Reverse(out)
	return out
}

// cellOf is where what is known of a source is; nil if there is nothing.
func (s *sources) cellOf(name string) *sourceCell {
	n, ok := s.find(name)
	if !ok || !s.cells.Has(n) {
		return nil
	}
	return s.cells.At(n)
}

// Reliability is what is known of a source.
func (v *View) Reliability(source string) dynamics.Reliability {
	return v.ReliabilityAsOf(source, maxTime)
}

// maxTime is behind every instant.
const maxTime = int64(^uint64(0) >> 1)

// ReliabilityAsOf is what was known of a source at an instant.
func (v *View) ReliabilityAsOf(source string, at int64) dynamics.Reliability {
	if v.Verified == 0 {
		return dynamics.Prior()
	}
	if cell := v.s.t.sources.cellOf(source); cell != nil {
		if st := cell.at(v.Position).asOf(at); st != nil {
			return st.Reliability
		}
	}
	return dynamics.Prior()
}

// odds are the log-odds that a record's writer gave; NaN where the default, 1, leaves that to what is known of the
// source.
func (r *Record) odds() float32 {
	if r.Confidence < 1 {
		return dynamics.NewEvidence(r.Source, true, r.Confidence).LogOdds
	}
	return float32(math.NaN())
}

// Own is what a memory of which nobody said anything has: its own source's word, as that source stands now, or stood at
// the instant that the memory was asked for. What a writer gave as confidence, below the default of 1, stands in its
// place.
func (v *View) Own(f Found, r *Record) dynamics.Evidence {
	if r.Confidence < 1 {
		return dynamics.NewEvidence(r.Source, true, r.Confidence)
	}
	return v.ReliabilityAsOf(r.Source, f.at()).Says(r.Source, true)
}

// Confidence is how far a row's memory is believed.
func (s source) Confidence(row uint32) float64 {
	if st := s.s.t.states.At(s.s.t.facts.At(row).Entry).at(s.Position); st != nil && st.life != nil {
		return st.life.tally().Confidence()
	}
	return s.untouched(row, maxTime)
}

// untouched is Confidence of a row of whose memory nobody had said anything at an instant.
func (s source) untouched(row uint32, at int64) float64 {
	facts := s.s.t.facts.At(row)
	if !math.IsNaN(float64(facts.Odds)) {
		return dynamics.Alone(facts.Odds).Confidence()
	}
	reliability := dynamics.Prior()
	switch {
	case s.Verified == 0:
	case facts.Source != noSource:
		if n := facts.Source; s.s.t.sources.cells.Has(n) {
			if st := s.s.t.sources.cells.At(n).at(s.Position).asOf(at); st != nil {
				reliability = st.Reliability
			}
		}
	default:
		r, err := s.Record(row)
		if err != nil {
			return 0
		}
		reliability = s.ReliabilityAsOf(r.Source, at)
	}
	return dynamics.Alone(reliability.Says("", true).LogOdds).Confidence()
}

// Sources lists the sources of which something is known, by name.
func (v *View) Sources() []Source {
	var out []Source
	if v.Verified == 0 {
		return nil
	}
	v.s.t.sources.each(v.Position, func(name string, st *sourceState) {
		out = append(out, Source{Name: name, Reliability: st.Reliability, At: st.at})
	})
	slices.SortFunc(out, func(a, b Source) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// SourceHistory lists what is kept of what was known of a source, oldest first.
func (v *View) SourceHistory(name string) (out []Source) {
	if cell := v.s.t.sources.cellOf(name); cell != nil {
		for _, st := range cell.at(v.Position).states() {
			out = append(out, Source{Name: name, Reliability: st.Reliability, At: st.at})
		}
	}
	return out
}

// each goes through the sources of which something was known at a position, in the order of their numbers, which is
// that in which this process met them.
func (s *sources) each(position uint64, fn func(name string, st *sourceState)) {
	for n := uint32(0); s.cells.Has(n); n++ {
		cell := s.cells.At(n)
		if st := cell.at(position); st != nil {
			fn(cell.name, st)
		}
	}
}

// sourceOp says how reliable a source is since a verdict.
type sourceOp struct {
	Source
	undated bool // At is not known: a kind of its own, no longer written
}

func (o *sourceOp) kind() uint8 {
	if o.undated {
		return kindSource
	}
	return kindSourceDated
}

func (o *sourceOp) append(e *codec.Encoder) {
	e.String(o.Name)
	if !o.undated {
		e.U64(uint64(o.At))
	}
	appendReliability(e, o.Reliability)
}

func (o *sourceOp) read(d *codec.Decoder) {
	o.Name, o.At = d.String(), NoTime
	if !o.undated {
		o.At = int64(d.U64())
	}
	o.Reliability = readReliability(d)
}

func (o *sourceOp) takenAt() int64 { return o.At }

func appendReliability(e *codec.Encoder, r dynamics.Reliability) {
	e.F32(r.Right)
	e.F32(r.Wrong)
}

func readReliability(d *codec.Decoder) dynamics.Reliability {
	r := dynamics.Reliability{Right: d.F32(), Wrong: d.F32()}
	if d.Err() == nil && !(r.Right > 0 && r.Wrong > 0) {
		d.Fail(errReliability)
	}
	return r
}

func (o *sourceOp) apply(tx *Tx) error {
	isolate.Point("store/source")
	known := &tx.t.sources
	n := known.number(o.Name)
	if known.cells.At(n).at(tx.position) == nil {
		if tx.view.Verified >= MaxSources {
			tx.setSource(known.oldest(tx.position), nil)
			tx.view.Verified--
		}
		tx.view.Verified++
	}
	tx.setSource(n, &o.Source)
	return nil
}

// oldest is the number of the source of which a verdict was counted longest ago, by name where that is the same.
func (s *sources) oldest(position uint64) (number uint32) {
	var least *sourceState
	for n := uint32(0); s.cells.Has(n); n++ {
		st := s.cells.At(n).at(position)
		if st == nil {
			continue
		}
		if least == nil || st.at < least.at || st.at == least.at && s.name(n) < s.name(number) {
			least, number = st, n
		}
	}
	return number
}

// setSource gives a source a new state; nil lets go of what is known of it.
func (tx *Tx) setSource(n uint32, known *Source) {
	cell := tx.t.sources.cells.At(n)
	old := cell.p.Load()
	next := &sourceState{position: tx.position, evicted: true}
	if known != nil {
		next.Reliability, next.at, next.evicted = known.Reliability, known.At, false
	}
	if old != nil {
		next.older.Store(old)
		next.depth = old.depth + 1
		next.trim()
	}
	cell.p.Store(next)
	tx.undo = append(tx.undo, func() { cell.p.Store(old) })
}

// trim lets go of states that no question reaches, as life.trim.
func (st *sourceState) trim() {
	if st.depth <= keptLives {
		return
	}
	last := st
	for range keptLives {
		if last = last.older.Load(); last == cutSources {
			return
		}
	}
	if last.older.Load() != nil {
		last.older.Store(cutSources)
	}
}
