package store

import (
	"errors"
	"iter"
	"maps"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
)

// Dynamics is what was made of a memory's uses and of what is said of it. It is replaced, never changed.
type Dynamics struct {
	State dynamics.State
	// Evidence is what sources say of it, the memory's own first.
	Evidence []dynamics.Evidence
}

// The bounds of what a space keeps beside its memories.
const (
	// MaxFeedback is how many records of feedback a space keeps: the newest, up to a chunk more.
	MaxFeedback = 100_000
	// maxSources is how many sources a space knows the reliability of; further ones stay at the prior.
	maxSources = 4096
)

// FeedbackRecord is one judgement of one memory as it was when it was given: what weights are fitted to.
type FeedbackRecord struct {
	Memory   string
	At       int64  // nanoseconds since 1970 UTC
	Position uint64 // the log position of the write that brought it
	Signal   string
	Grade    uint8 // as dynamics.Grade; 0 if the signal has none
	Used     bool
	// Retrievability is what the model predicted before the judgement, Days the time since the last use.
	Retrievability float64
	Days           float64
	Rank           int // in the recall that it came from, counted from 1; 0 if none was named
	Score          float64
	Terms          []FeedbackTerm // of that hit
}

// FeedbackTerm is one part of a hit's score.
type FeedbackTerm struct {
	Name  string
	Value float64
}

// feedbackChunk is how many records are allocated at a time: few, since most spaces have few. Chosen.
const feedbackChunk = 128

// feedbackLog is a list that only grows at its end, and loses whole chunks at its beginning. It is a value: who holds one
// sees what it was then, since what is added lies beyond its end.
type feedbackLog struct {
	chunks []*[feedbackChunk]FeedbackRecord
	n      int // records in chunks
}

// add is called by one writer at a time.
func (l *feedbackLog) add(r *FeedbackRecord) {
	if l.n == len(l.chunks)*feedbackChunk {
		l.chunks = append(slices.Clone(l.chunks), new([feedbackChunk]FeedbackRecord))
	}
	l.chunks[l.n/feedbackChunk][l.n%feedbackChunk] = *r
	l.n++
	if l.n >= MaxFeedback+feedbackChunk {
		l.chunks = slices.Clone(l.chunks[1:])
		l.n -= feedbackChunk
	}
}

func (l *feedbackLog) all() iter.Seq[*FeedbackRecord] {
	return func(yield func(*FeedbackRecord) bool) {
		for i := range l.n {
			if !yield(&l.chunks[i/feedbackChunk][i%feedbackChunk]) {
				return
			}
		}
	}
}

// Feedback goes through the records of feedback, oldest first. Nobody may write to them. Those of memories that were
// erased are gone with them.
func (v *View) Feedback() iter.Seq[*FeedbackRecord] {
	return func(yield func(*FeedbackRecord) bool) {
		for r := range v.feedback.all() {
			if v.s.remembers(r, v.Position) && !yield(r) {
				return
			}
		}
	}
}

// remembers reports whether the memory of a record is there at a position: one of that id that was stored before the
// judgement. Ids are told by their hashes.
func (s *Space) remembers(r *FeedbackRecord, position uint64) bool {
	_, ok := s.t.ids.Find(hashString(r.Memory), func(entry uint32) bool {
		if !s.t.wanted(entry) {
			return false
		}
		if st := s.t.states.At(entry).at(position); st != nil && st.erased {
			return false
		}
		info, err := s.rowInfo(s.t.first(entry))
		return err != nil || info.LSN <= r.Position
	})
	return ok
}

// Reliability is what is known of a source.
func (v *View) Reliability(source string) dynamics.Reliability {
	if r, ok := v.sources[source]; ok {
		return r
	}
	return dynamics.Prior()
}

// Dynamics is what was made of the memory's uses; nil if nobody said anything of it. Nobody may write to it.
func (f Found) Dynamics() *Dynamics { return f.state.dyn }

// History is the state of a row's memory; nil if nobody said anything of it.
func (s source) History(row uint32) *dynamics.State {
	st := s.s.t.states.At(s.s.t.facts.At(row).Entry).at(s.Position)
	if st == nil || st.dyn == nil {
		return nil
	}
	return &st.dyn.State
}

// dynamicsOp gives a memory its state: the outcome of what happened, with the weights of that time.
type dynamicsOp struct {
	id string
	Dynamics
}

// sourceOp says how reliable a source is.
type sourceOp struct {
	name string
	dynamics.Reliability
}

// feedbackOp adds to the record of feedback.
type feedbackOp struct{ FeedbackRecord }

func (*dynamicsOp) kind() uint8 { return kindDynamics }
func (*sourceOp) kind() uint8   { return kindSource }
func (*feedbackOp) kind() uint8 { return kindFeedback }

func (o *dynamicsOp) append(e *codec.Encoder) { e.String(o.id); appendDynamics(e, &o.Dynamics) }
func (o *dynamicsOp) read(d *codec.Decoder)   { o.id = d.String(); o.Dynamics = readDynamics(d) }

func (o *sourceOp) append(e *codec.Encoder) { appendSource(e, o.name, o.Reliability) }
func (o *sourceOp) read(d *codec.Decoder)   { o.name, o.Reliability = readSource(d) }

func (o *feedbackOp) append(e *codec.Encoder) { appendFeedback(e, &o.FeedbackRecord) }
func (o *feedbackOp) read(d *codec.Decoder)   { o.FeedbackRecord = readFeedback(d) }

func (o *dynamicsOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	if f.state.dyn == nil {
		tx.view.Touched++
	}
	st := f.state.change(tx.position)
	st.dyn = &Dynamics{State: o.State, Evidence: o.Evidence}
	tx.setState(f.entry, st)
	tx.view.noteUse(f.entry, st.dyn)
	return nil
}

func (o *sourceOp) apply(tx *Tx) error {
	tx.view.setSource(o.name, o.Reliability)
	return nil
}

// setSource copies: views share the table.
func (v *View) setSource(name string, r dynamics.Reliability) {
	if _, known := v.sources[name]; !known && len(v.sources) >= maxSources {
		return
	}
	sources := make(map[string]dynamics.Reliability, len(v.sources)+1)
	maps.Copy(sources, v.sources)
	sources[name] = r
	v.sources = sources
}

func (o *feedbackOp) apply(tx *Tx) error {
	tx.view.feedback.add(&o.FeedbackRecord)
	return nil
}

// SetDynamics gives a memory the state that an event led to.
func (tx *Tx) SetDynamics(id string, d Dynamics) error {
	return tx.do(&dynamicsOp{id: id, Dynamics: d})
}

// SetReliability says how reliable a source is from now on.
func (tx *Tx) SetReliability(source string, r dynamics.Reliability) error {
	return tx.do(&sourceOp{name: source, Reliability: r})
}

// Feedback records a judgement; its position is filled in.
func (tx *Tx) Feedback(r FeedbackRecord) error {
	r.Position = tx.position
	return tx.do(&feedbackOp{FeedbackRecord: r})
}

func appendDynamics(e *codec.Encoder, d *Dynamics) {
	e.F32(d.State.Stability)
	e.F32(d.State.Difficulty)
	e.U64(uint64(d.State.Since))
	e.U64(uint64(d.State.LastUse))
	e.U64(uint64(d.State.LabileTill))
	e.Uvarint(uint64(len(d.Evidence)))
	for _, x := range d.Evidence {
		e.String(x.Source)
		e.Bool(x.Supports)
		e.F32(x.LogOdds)
	}
}

// readDynamics reads what appendDynamics wrote. Numbers that no event leads to are refused.
func readDynamics(d *codec.Decoder) (x Dynamics) {
	x.State.Stability, x.State.Difficulty = d.F32(), d.F32()
	x.State.Since, x.State.LastUse, x.State.LabileTill = int64(d.U64()), int64(d.U64()), int64(d.U64())
	if s := x.State.Strength(); d.Err() == nil && !s.Valid() {
		d.Fail(errors.New("stability or difficulty out of range"))
	}
	n := d.Count(6)
	if n > dynamics.MaxSources {
		d.Fail(errors.New("more sources than are kept for one memory"))
		return x
	}
	for range n {
		e := dynamics.Evidence{Source: d.String(), Supports: d.Bool(), LogOdds: d.F32()}
		if d.Err() == nil && !(math.Abs(float64(e.LogOdds)) <= dynamics.MaxLogOdds) {
			d.Fail(errors.New("log-odds of a source out of range"))
		}
		x.Evidence = append(x.Evidence, e)
	}
	x.State.Learn(x.Evidence)
	return x
}

func appendSource(e *codec.Encoder, name string, r dynamics.Reliability) {
	e.String(name)
	e.F32(r.Right)
	e.F32(r.Wrong)
}

func readSource(d *codec.Decoder) (name string, r dynamics.Reliability) {
	name, r = d.String(), dynamics.Reliability{Right: d.F32(), Wrong: d.F32()}
	if d.Err() == nil && !(r.Right > 0 && r.Wrong > 0) {
		d.Fail(errors.New("reliability of a source out of range"))
	}
	return name, r
}

func appendFeedback(e *codec.Encoder, r *FeedbackRecord) {
	e.String(r.Memory)
	e.U64(uint64(r.At))
	e.Uvarint(r.Position)
	e.String(r.Signal)
	e.U8(r.Grade)
	e.Bool(r.Used)
	e.F64(r.Retrievability)
	e.F64(r.Days)
	e.Uvarint(uint64(r.Rank))
	e.F64(r.Score)
	e.Uvarint(uint64(len(r.Terms)))
	for _, t := range r.Terms {
		e.String(t.Name)
		e.F64(t.Value)
	}
}

func readFeedback(d *codec.Decoder) FeedbackRecord {
	r := FeedbackRecord{Memory: d.String(), At: int64(d.U64()), Position: d.Uvarint(), Signal: d.String()}
	r.Grade, r.Used, r.Retrievability, r.Days = d.U8(), d.Bool(), d.F64(), d.F64()
	r.Rank, r.Score = int(d.Uvarint()), d.F64()
	for range d.Count(9) {
		r.Terms = append(r.Terms, FeedbackTerm{Name: d.String(), Value: d.F64()})
	}
	return r
}

// dynamicsState is the part of a state file that this file is about.
type dynamicsState struct {
	memories []memoryDynamics
	sources  map[string]dynamics.Reliability
	feedback feedbackLog
}

type memoryDynamics struct {
	row uint32 // of its current version
	Dynamics
}

// encodeDynamics writes what held at a checkpoint.
func (s *Space) encodeDynamics(e *codec.Encoder, cp *checkpoint) {
	var list codec.Encoder
	count := 0
	for entry := range cp.entries {
		if !s.t.wanted(entry) {
			continue
		}
		st := s.t.states.At(entry).at(cp.position)
		if st == nil || st.dyn == nil || st.erased {
			continue
		}
		count++
		list.U32(st.row)
		appendDynamics(&list, st.dyn)
	}
	e.Uvarint(uint64(count))
	e.Raw(list.Buf)
	e.Uvarint(uint64(len(cp.sources)))
	for _, name := range slices.Sorted(maps.Keys(cp.sources)) {
		appendSource(e, name, cp.sources[name])
	}
	var judged codec.Encoder
	count = 0
	for r := range cp.feedback.all() {
		if s.remembers(r, cp.position) {
			count++
			appendFeedback(&judged, r)
		}
	}
	e.Uvarint(uint64(count))
	e.Raw(judged.Buf)
}

func (st *dynamicsState) decode(d *codec.Decoder) {
	for range d.Count(37) {
		st.memories = append(st.memories, memoryDynamics{row: d.U32(), Dynamics: readDynamics(d)})
	}
	if n := d.Count(9); n > 0 {
		st.sources = make(map[string]dynamics.Reliability, min(n, maxSources))
		for range n {
			name, r := readSource(d)
			st.sources[name] = r
		}
	}
	for range d.Count(40) {
		r := readFeedback(d)
		if d.Err() == nil {
			st.feedback.add(&r)
		}
	}
}

// applyDynamics stages what a state file says of the memories' uses.
func (s *Space) applyDynamics(st *dynamicsState) {
	for i := range st.memories {
		m := &st.memories[i]
		if s.t.ends.End(m.row) == 0 {
			continue // its segment is damaged
		}
		entry := s.t.facts.At(m.row).Entry
		now := s.t.state(entry, s.man.position)
		if now.row != m.row {
			continue // said of a row that could not be read then, and was replaced since
		}
		next := now.change(s.man.position)
		next.dyn = &m.Dynamics
		s.t.states.At(entry).p.Store(next)
		s.staged.Touched++
		s.staged.noteUse(entry, next.dyn)
	}
	s.staged.sources, s.staged.feedback = st.sources, st.feedback
}
