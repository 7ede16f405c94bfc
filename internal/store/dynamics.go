package store

import (
	"errors"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
)

// What is kept of uses, of belief and of sources: ops, and the part of a state file that tells of them.

// Dynamics is what was made of the memory's uses, and what is said of it; nil if nobody said anything of it.
func (f Found) Dynamics() *Dynamics {
	if f.state.life == nil {
		return nil
	}
	return f.table.dynamics(f.state.life)
}

// Touched reports whether somebody said something of the memory.
func (f Found) Touched() bool { return f.state.life != nil }

// State is that of its Dynamics; false if there is none.
func (f Found) State() (dynamics.State, bool) {
	if f.state.life == nil {
		return dynamics.State{}, false
	}
	return f.state.life.state(), true
}

// Past lists what is kept of what the memory's Dynamics were before, oldest first.
func (f Found) Past() []*Dynamics {
	lives := f.state.life.lives()
	if len(lives) < 2 {
		return nil
	}
	out := make([]*Dynamics, 0, len(lives)-1)
	for _, l := range lives[:len(lives)-1] {
		out = append(out, f.table.dynamics(l))
	}
	return out
}

// History is the state of a row's memory; false if nobody said anything of it.
func (s source) History(row uint32) (dynamics.State, bool) {
	st := s.s.t.states.At(s.s.t.facts.At(row).Entry).at(s.Position)
	if st == nil || st.life == nil {
		return dynamics.State{}, false
	}
	return st.life.state(), true
}

// Standing is what a score asks of the History of an entry.
func (s source) Standing(entry uint32) (dynamics.Standing, bool) {
	st := s.s.t.states.At(entry).at(s.Position)
	if st == nil || st.life == nil {
		return dynamics.Standing{}, false
	}
	return st.life.standing(), true
}

// dynamicsOp gives a memory its state: the outcome of what happened, with the weights of that time.
type dynamicsOp struct {
	id string
	Dynamics
	undated bool // as it was written before states were dated: a kind of its own
}

func (o *dynamicsOp) kind() uint8 {
	if o.undated {
		return kindDynamics
	}
	return kindDynamicsDated
}

func (o *dynamicsOp) takenAt() int64 { return o.At }

func (o *dynamicsOp) append(e *codec.Encoder) { e.String(o.id); appendDynamics(e, &o.Dynamics) }

func (o *dynamicsOp) read(d *codec.Decoder) {
	o.id = d.String()
	if o.undated {
		o.Dynamics = readUndated(d)
	} else {
		o.Dynamics = readDynamics(d)
	}
}

func (o *dynamicsOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	if f.state.life == nil {
		tx.view.Touched++
	}
	isolate.Point("store/dynamics")
	st := f.change(tx.position)
	st.life = tx.t.newLife(&o.Dynamics, f.state.life)
	tx.setState(f.entry, st)
	isolate.Point("store/dynamics.state")
	tx.view.noteUse(f.entry, st.life)
	return nil
}

// SetDynamics gives a memory the state that an event led to.
func (tx *Tx) SetDynamics(id string, d *Dynamics) error {
	return tx.do(&dynamicsOp{id: id, Dynamics: *d})
}

// SetSource says how reliable a source is from now on.
func (tx *Tx) SetSource(s Source) error { return tx.do(&sourceOp{Source: s}) }

// Feedback records a judgement of r.Memory; its position is filled in.
func (tx *Tx) Feedback(r FeedbackRecord) error {
	r.Position = tx.position
	if err := tx.do(&feedbackOp{FeedbackRecord: r}); err != nil {
		return err
	}
	if tx.event("judged", r.Memory, 0, r.By); tx.listened {
		tx.events[len(tx.events)-1].Signal = r.Signal
	}
	return nil
}

// The flags of what a source says, as they are written: bit 0 that it supports, and from bit 1 on the verdicts counted.
const flagSupports = 1

func appendDynamics(e *codec.Encoder, d *Dynamics) {
	e.U64(uint64(d.At))
	e.F32(d.State.Stability)
	e.F32(d.State.Difficulty)
	for _, at := range []int64{d.State.Since, d.State.LastUse, d.State.LabileTill, d.State.Lapse} {
		e.U64(uint64(at))
	}
	e.String(d.During)
	e.Uvarint(uint64(len(d.Evidence)))
	for _, x := range d.Evidence {
		flags := uint8(x.Counted) << 1
		if x.Supports {
			flags |= flagSupports
		}
		e.String(x.Source)
		e.U8(flags)
		e.F32(x.LogOdds)
	}
}

var (
	errStrength    = errors.New("stability or difficulty out of range")
	errEvidence    = errors.New("a memory without a source, or with more than are kept for one")
	errOdds        = errors.New("log-odds of a source out of range")
	errReliability = errors.New("reliability of a source out of range")
	errFlags       = errors.New("unknown flags of what a source says")
)

// readDynamics reads what appendDynamics wrote. Numbers that no event leads to are refused.
func readDynamics(d *codec.Decoder) (x Dynamics) {
	x.At = int64(d.U64())
	x.State.Stability, x.State.Difficulty = d.F32(), d.F32()
	for _, at := range []*int64{&x.State.Since, &x.State.LastUse, &x.State.LabileTill, &x.State.Lapse} {
		*at = int64(d.U64())
	}
	x.During = d.String()
	readEvidence(d, &x, func() dynamics.Evidence {
		e := dynamics.Evidence{Source: d.String()}
		flags := d.U8()
		e.Supports, e.Counted = flags&flagSupports != 0, dynamics.Verdicts(flags>>1)
		if d.Err() == nil && e.Counted > dynamics.Right|dynamics.Wrong {
			d.Fail(errFlags)
		}
		return e
	})
	return x
}

// readUndated reads a state as it was written before states were dated. When it began is not known: it counts from the
// last use on.
func readUndated(d *codec.Decoder) (x Dynamics) {
	x.State.Stability, x.State.Difficulty = d.F32(), d.F32()
	x.State.Since, x.State.LastUse, x.State.LabileTill = int64(d.U64()), int64(d.U64()), int64(d.U64())
	x.At = x.State.LastUse
	readEvidence(d, &x, func() dynamics.Evidence {
		return dynamics.Evidence{Source: d.String(), Supports: d.Bool()}
	})
	return x
}

// readEvidence reads what sources say, each as one reads it and then its log-odds, and checks all of x.
func readEvidence(d *codec.Decoder, x *Dynamics, one func() dynamics.Evidence) {
	if s := x.State.Strength(); d.Err() == nil && !s.Valid() {
		d.Fail(errStrength)
	}
	n := d.Count(6)
	if d.Err() == nil && (n < 1 || n > dynamics.MaxSources) {
		d.Fail(errEvidence)
		return
	}
	for range n {
		e := one()
		if e.LogOdds = d.F32(); d.Err() == nil && !validOdds(e.LogOdds) {
			d.Fail(errOdds)
		}
		x.Evidence = append(x.Evidence, e)
	}
	if d.Err() == nil {
		x.State.Learn(x.Evidence)
	}
}

// dynamicsState is the part of a state file that this file is about.
type dynamicsState struct {
	memories []memoryDynamics
	sources  [][]Source // of each, oldest first
	feedback []FeedbackRecord
}

type memoryDynamics struct {
	row   uint32     // of its current version
	lives []Dynamics // oldest first
}

// encodeDynamics writes what held at a checkpoint.
func (s *Space) encodeDynamics(e *codec.Encoder, cp *checkpoint) {
	list := counted{e: e}
	for entry := range cp.entries {
		if !s.t.wanted(entry) {
			continue
		}
		st := s.t.states.At(entry).at(cp.position)
		if st == nil || st.life == nil || st.erased {
			continue
		}
		one := list.next()
		one.U32(st.row)
		lives := st.life.lives()
		one.Uvarint(uint64(len(lives)))
		for _, l := range lives {
			appendDynamics(one, s.t.dynamics(l))
		}
	}
	list.end()
	s.t.sources.each(cp.position, func(name string, st *sourceState) {
		one := list.next()
		one.String(name)
		states := st.states()
		one.Uvarint(uint64(len(states)))
		for _, st := range states {
			one.U64(uint64(st.at))
			appendReliability(one, st.Reliability)
		}
	})
	list.end()
	past := View{s: s, Position: cp.position, feedback: cp.feedback}
	for r := range past.Feedback() {
		one := list.next()
		one.U32(r.Row)
		appendJudgement(one, &r)
		appendContext(one, &r.FeedbackContext)
	}
	list.end()
}

// counted writes a list behind its length.
type counted struct {
	e     *codec.Encoder
	items codec.Encoder
	n     uint64
}

func (c *counted) next() *codec.Encoder {
	c.n++
	return &c.items
}

func (c *counted) end() {
	c.e.Uvarint(c.n)
	c.e.Raw(c.items.Buf)
	c.n, c.items.Buf = 0, c.items.Buf[:0]
}

// The least bytes that an element of each list has, in a state file of this version.
const (
	leastMemory   = 4 + 1 + 48 + 1 + 1 + 6
	leastSource   = 1 + 1 + 16
	leastFeedback = 4 + 8 + 1 + 2 + 3 + 12 + 9 + 1 + 5
)

func (st *dynamicsState) decode(d *codec.Decoder) {
	for range d.Count(leastMemory) {
		m := memoryDynamics{row: d.U32()}
		n := d.Count(leastMemory - 5)
		if d.Err() == nil && (n < 1 || n > MaxStates) {
			d.Fail(errors.New("a memory without a state, or with more than are kept"))
		}
		for range n {
			m.lives = append(m.lives, readDynamics(d))
		}
		st.memories = append(st.memories, m)
	}
	n := d.Count(leastSource)
	if n > MaxSources {
		d.Fail(errors.New("more sources than are kept"))
	}
	for range n {
		name := d.String()
		states := d.Count(leastSource - 2)
		if d.Err() == nil && (states < 1 || states > MaxStates) {
			d.Fail(errors.New("a source without a state, or with more than are kept"))
		}
		var history []Source
		for range states {
			history = append(history, Source{Name: name, At: int64(d.U64()), Reliability: readReliability(d)})
		}
		st.sources = append(st.sources, history)
	}
	for range d.Count(leastFeedback) {
		r := FeedbackRecord{Row: d.U32()}
		readJudgement(d, &r)
		r.FeedbackContext = readContext(d)
		st.feedback = append(st.feedback, r)
	}
}

// decodeUndated reads the part as it was in version 3.
func (st *dynamicsState) decodeUndated(d *codec.Decoder) {
	for range d.Count(37) {
		st.memories = append(st.memories, memoryDynamics{row: d.U32(), lives: []Dynamics{readUndated(d)}})
	}
	for range d.Count(9) {
		name := d.String()
		st.sources = append(st.sources, []Source{{Name: name, At: NoTime, Reliability: readReliability(d)}})
	}
	for range d.Count(40) {
		st.feedback = append(st.feedback, readBareFeedback(d))
	}
}

// applyDynamics stages what a state file says of the memories' uses.
func (s *Space) applyDynamics(st *dynamicsState) {
	for i := range st.memories {
		m := &st.memories[i]
		entry, ok := s.loadedAs(m.row)
		now := s.t.state(entry, s.man.position)
		if !ok || now.row != m.row {
			continue // said of a row that could not be read then, and was replaced since
		}
		next := now.change(s.man.position)
		for k := range m.lives {
			next.life = s.t.newLife(&m.lives[k], next.life)
		}
		s.t.states.At(entry).p.Store(next)
		s.staged.Touched++
		s.staged.noteUse(entry, next.life)
	}
	for _, history := range st.sources {
		n := s.t.sources.number(history[0].Name)
		for k := range history {
			s.loadSource(n, &history[k])
		}
		s.staged.Verified++
	}
	for i := range st.feedback {
		r := &st.feedback[i]
		if entry, ok := s.judgedEntry(r); ok {
			s.staged.feedback.add(s.t.judged(entry, r))
		}
	}
}

// loadedAs gives the entry of a row that a state file names; false if its segment is damaged.
func (s *Space) loadedAs(row uint32) (entry uint32, ok bool) {
	if !s.t.facts.Has(row) || s.t.ends.End(row) == 0 {
		return 0, false
	}
	return s.t.facts.At(row).Entry, true
}

// judgedEntry finds the memory of a record. Older state files tell the id: of that id, one stored before the judgement.
func (s *Space) judgedEntry(r *FeedbackRecord) (uint32, bool) {
	if r.Memory == "" {
		return s.loadedAs(r.Row)
	}
	return s.t.ids.Find(hashString(r.Memory), func(entry uint32) bool {
		if !s.t.wanted(entry) || s.t.state(entry, s.man.position).erased {
			return false
		}
		info, err := s.rowInfo(s.t.first(entry))
		return err != nil || info.LSN <= r.Position
	})
}

// loadSource gives a source a state that a state file tells of, behind the ones before it.
func (s *Space) loadSource(n uint32, known *Source) {
	cell := s.t.sources.cells.At(n)
	next := &sourceState{position: s.man.position, at: known.At, Reliability: known.Reliability}
	if old := cell.p.Load(); old != nil {
		next.older.Store(old)
		next.depth = old.depth + 1
	}
	cell.p.Store(next)
}
