package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/wal"
)

// What no record tells is checked against what was written of it: what became of memories, their uses and belief in
// them, sources, the record of feedback, associations and idempotency keys. The state file says what held at its
// position, and the log what came after; both are read again, up to a view, while files are pinned, and then compared
// with that view. What was changed since the state file by several ops is compared by what the last one says: a state
// of use, a source, a record of feedback, the weight of an association. A sealing writes what memory holds, so what was
// wrong before one is what was written after it.

// written is what was written, up to a view.
type written struct {
	s        *Space
	v        *View
	position uint64 // of the state file
	st       *state
	ops      int            // of the log, so far
	erased   map[string]int // the op that erased an id last
	lives    map[string]numbered[*Dynamics]
	sources  map[string]Source
	keys     map[string]Key
	links    map[linkName]numbered[*float32] // nil: taken away
	feedback []numbered[*feedbackOp]
}

// numbered is what an op says, and which of the log it is.
type numbered[T any] struct {
	op int
	T  T
}

type linkName struct{ from, to, linkType string }

// errBehind says that the state file tells of more than is visible: a write is about to be.
var errBehind = errors.New("the view is behind the state file")

// checkedAtOnce is how many memories are gone through without asking whether to go on.
const checkedAtOnce = 1 << 16

// gather reads state file and log. An error is of what could not be read, which is told elsewhere, or of the context.
func (c *crossCheck) gather() (*written, error) {
	s := c.s
	s.pin()
	defer s.unpin()
	man := s.manifestNow()
	w := &written{
		s: s, v: s.View(), position: man.position, st: &state{ends: map[uint32]rowEnd{}},
		erased: map[string]int{}, lives: map[string]numbered[*Dynamics]{}, sources: map[string]Source{},
		keys: map[string]Key{}, links: map[linkName]numbered[*float32]{},
	}
	if w.v.Position < man.position {
		return nil, errBehind
	}
	if man.state.number != 0 {
		var err error
		if w.st, _, err = s.stateOf(man, false); err != nil {
			return nil, err
		}
	}
	const between = 1000
	for rec, err := range s.log.Read(wal.LSN(man.position + 1)) {
		if err != nil {
			return nil, err
		}
		if uint64(rec.LSN) > w.v.Position {
			break
		}
		ops, err := readFrame(rec.Payload, uint64(rec.LSN))
		if err != nil {
			return nil, err
		}
		for _, o := range ops {
			w.op(o)
		}
		if rec.LSN%between == 0 {
			if err := c.ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// op takes in what an op of the log says.
func (w *written) op(o op) {
	w.ops++
	switch o := o.(type) {
	case *eraseOp:
		w.erased[o.id] = w.ops
	case *dynamicsOp:
		w.lives[o.id] = numbered[*Dynamics]{w.ops, &o.Dynamics}
	case *sourceOp:
		w.sources[o.Name] = o.Source
	case *feedbackOp:
		w.feedback = append(w.feedback, numbered[*feedbackOp]{w.ops, o})
	case *linkOp:
		w.links[linkName{o.from, o.to, o.linkType}] = numbered[*float32]{w.ops, &o.weight}
	case *unlinkOp:
		w.links[linkName{o.from, o.to, o.linkType}] = numbered[*float32]{op: w.ops}
	case *keyOp:
		w.keys[o.Name] = o.Key
	}
}

// entry finds the memory that an op was of; false if it was erased since.
func (w *written) entry(id string, op int) (uint32, bool) {
	if w.erased[id] > op {
		return 0, false
	}
	f, ok, err := w.v.Find(id)
	return f.entry, ok && err == nil
}

// written compares. Where rows are damaged nothing is: what was said of them cannot be told.
func (c *crossCheck) written() error {
	if c.s.wounded || c.s.lost != nil {
		return nil
	}
	for _, row := range c.s.carried {
		if row.damaged {
			return nil
		}
	}
	for n := 1; ; n++ {
		if err := errors.Join(c.ctx.Err(), c.step(c.r)); err != nil {
			return err
		}
		w, err := c.gather()
		switch {
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case errors.Is(err, errBehind), errors.Is(err, wal.ErrTrimmed), errors.Is(err, fs.ErrNotExist):
			if n < looks {
				continue
			}
			return nil
		case err != nil:
			return nil //nolint:nilerr // damage to files was told with them
		}
		check := &writtenCheck{written: w, stop: c.ctx.Err}
		check.all()
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if len(check.found) > 0 && n < looks && c.s.View().Position != w.v.Position {
			continue
		}
		for _, err := range check.found {
			c.r.add(err)
		}
		return nil
	}
}

// writtenCheck is a comparison.
type writtenCheck struct {
	*written
	found []error
	stop  func() error
}

func (k *writtenCheck) wrong(entry uint32, format string, args ...any) {
	if len(k.found) > maxProblems {
		return
	}
	st := k.s.t.state(entry, k.v.Position)
	name := fmt.Sprintf("of row %d", st.row)
	if id, err := k.v.ID(st.row); err == nil {
		name = fmt.Sprintf("%q", id)
	}
	k.found = append(k.found, fmt.Errorf("memory %s: %s", name, fmt.Sprintf(format, args...)))
}

func (k *writtenCheck) all() {
	fates, lives, changed := map[uint32]*memoryState{}, map[uint32][]Dynamics{}, map[uint32]*Dynamics{}
	for i := range k.st.memories {
		if entry, ok := k.s.loadedAs(k.st.memories[i].row); ok {
			fates[entry] = &k.st.memories[i]
		}
	}
	for _, m := range k.st.dynamics.memories {
		if entry, ok := k.s.loadedAs(m.row); ok {
			lives[entry] = m.lives
		}
	}
	for id, d := range k.lives {
		if entry, ok := k.entry(id, d.op); ok {
			changed[entry] = d.T
		}
	}
	for entry := range k.v.Entries {
		if entry%checkedAtOnce == 0 && k.stop() != nil {
			return
		}
		st, since, ok := k.held(entry)
		if !ok {
			continue
		}
		if since <= k.position {
			k.fate(entry, st, fates[entry])
		}
		if d := changed[entry]; d != nil {
			k.life(entry, st.life, []Dynamics{*d}, true)
		} else {
			k.life(entry, st.life, lives[entry], false)
		}
	}
	k.associations()
	k.knownSources()
	k.judgements()
	for _, key := range k.st.keys {
		if _, again := k.keys[key.Name]; !again {
			k.key(key)
		}
	}
	for _, key := range k.keys {
		k.key(key)
	}
}

// held is the state of a memory in the view, and since when; false if there is none to compare.
func (k *writtenCheck) held(entry uint32) (st *entryState, since uint64, ok bool) {
	t := k.s.t
	if row := t.first(entry); row >= k.v.Rows || t.ends.End(row) == 0 {
		return nil, 0, false
	}
	if cell := t.states.At(entry).at(k.v.Position); cell != nil {
		since = cell.position
	}
	st = t.state(entry, k.v.Position)
	return st, since, !st.erased && since <= k.v.Position // a later one: those of then were cut
}

// fate compares what became of a memory besides its uses, of which nothing was written since the state file.
func (k *writtenCheck) fate(entry uint32, st *entryState, m *memoryState) {
	if m == nil {
		m = &memoryState{row: st.row, archivedAt: NoTime, until: noFate.until, supersededAt: NoTime}
	}
	f := st.fate
	for _, c := range []struct {
		what string
		same bool
	}{
		{"current version", st.row == m.row},
		{"time of archiving", f.archivedAt == m.archivedAt},
		{"successor", f.supersededBy == m.supersededBy},
		{"time of supersession", f.supersededAt == m.supersededAt},
		{"end of validity by supersession", f.until == m.until},
		{"count of meetings", st.reinforced == m.reinforced},
		{"record of having been archived", slices.Equal(f.absent, m.absent)},
	} {
		if !c.same {
			k.wrong(entry, "the %s that is kept is not the one that was written", c.what)
		}
	}
}

// life compares uses and belief: all that is kept of them, or only the newest.
func (k *writtenCheck) life(entry uint32, l *life, want []Dynamics, newest bool) {
	kept := l.lives()
	if newest && len(kept) > 1 {
		kept = kept[len(kept)-1:]
	}
	same := len(kept) == len(want)
	for i := 0; same && i < len(kept); i++ {
		d := k.s.t.dynamics(kept[i])
		same = bytes.Equal(encoded(d, appendDynamics), encoded(&want[i], appendDynamics)) &&
			math.Float32bits(d.State.Gain) == math.Float32bits(want[i].State.Gain)
	}
	if !same {
		k.wrong(entry, "the uses and the belief that are kept of it are not those that were written")
	}
}

func encoded[T any](x *T, appendTo func(*codec.Encoder, *T)) []byte {
	var e codec.Encoder
	appendTo(&e, x)
	return e.Buf
}

// associations compares weights, in both directions: none is missing, and none was never made.
func (k *writtenCheck) associations() {
	type pair struct {
		from, to uint32
		linkType string
	}
	want := map[pair]float32{}
	for _, l := range k.st.links {
		from, ok := k.s.loadedAs(l.from)
		to, also := k.s.loadedAs(l.to)
		if ok && also {
			want[pair{from, to, l.linkType}] = l.weight
		}
	}
	for name, l := range k.links {
		from, ok := k.entry(name.from, l.op)
		to, also := k.entry(name.to, l.op)
		switch p := (pair{from, to, name.linkType}); {
		case !ok || !also:
		case l.T == nil:
			delete(want, p)
		default:
			want[p] = *l.T
		}
	}
	there := func(entry uint32) bool {
		_, _, ok := k.held(entry)
		return ok
	}
	for entry := range k.v.Entries {
		if entry%checkedAtOnce == 0 && k.stop() != nil {
			return
		}
		if !there(entry) {
			continue
		}
		k.s.t.links.Each(entry, k.v.Position, func(e edge) bool {
			if !e.Outgoing || !there(e.To) {
				return true
			}
			p := pair{entry, e.To, e.Type}
			if weight, ok := want[p]; !ok || weight != e.Weight {
				k.wrong(entry, "an association of type %q and weight %v is kept, and was not written so",
					e.Type, e.Weight)
			}
			delete(want, p)
			return true
		})
	}
	for p := range want {
		if there(p.from) && there(p.to) {
			k.wrong(p.from, "an association of type %q is missing", p.linkType)
		}
	}
}

// knownSources compares how reliable sources are, and were.
func (k *writtenCheck) knownSources() {
	differs := func(name string) {
		k.found = append(k.found,
			fmt.Errorf("source %q: how reliable it is, as is kept, is not what was written", name))
	}
	written := map[string][]Source{}
	for _, history := range k.st.dynamics.sources {
		written[history[0].Name] = history
	}
	same := func(st *sourceState, s Source) bool { return st.at == s.At && st.Reliability == s.Reliability }
	k.s.t.sources.each(k.v.Position, func(name string, st *sourceState) {
		before, now := written[name], Source{}
		delete(written, name)
		states := st.states()
		switch later, ok := k.sources[name]; {
		case st.position > k.v.Position: // those of then were cut
			return
		case ok:
			before, now, states = []Source{later}, later, states[len(states)-1:]
		case len(before) > 0:
			now = before[len(before)-1]
		}
		ok := len(before) == len(states) && same(st, now)
		for i := 0; ok && i < len(states); i++ {
			ok = same(states[i], before[i])
		}
		if !ok {
			differs(name)
		}
	})
	for name := range written { // those of which nothing is kept made room, or nothing was written since
		cell := k.s.t.sources.cellOf(name)
		if cell == nil || cell.p.Load() == nil || cell.p.Load().position <= k.position {
			differs(name)
		}
	}
}

// judgements compares the record of feedback, from its end on: the oldest ones make room.
func (k *writtenCheck) judgements() {
	type one struct {
		entry uint32
		r     *FeedbackRecord
	}
	var want []one
	for i := range k.st.dynamics.feedback {
		r := &k.st.dynamics.feedback[i]
		if entry, ok := k.s.judgedEntry(r); ok {
			want = append(want, one{entry, r})
		}
	}
	for _, f := range k.feedback {
		if entry, ok := k.entry(f.T.Memory, f.op); ok {
			want = append(want, one{entry, &f.T.FeedbackRecord})
		}
	}
	want = slices.DeleteFunc(want, func(o one) bool {
		st := k.s.t.state(o.entry, k.v.Position)
		return st == nil || st.erased
	})
	kept := slices.Collect(k.v.Feedback())
	if n := len(want) - len(kept); n != 0 && (n < 0 || k.v.Judgements() < MaxFeedback) {
		k.found = append(k.found, fmt.Errorf("%d judgements are kept, %d were written", len(kept), len(want)))
		return
	}
	want = want[len(want)-len(kept):]
	text := func(e *codec.Encoder, r *FeedbackRecord) {
		appendJudgement(e, r)
		appendContext(e, &r.FeedbackContext)
	}
	for i := range kept {
		if kept[i].Entry != want[i].entry || !bytes.Equal(encoded(&kept[i], text), encoded(want[i].r, text)) {
			k.wrong(want[i].entry, "a judgement that is kept of it is not the one that was written")
		}
	}
}

// key compares what an idempotency key stands for, if it still does.
func (k *writtenCheck) key(want Key) {
	if kept, _ := k.s.t.key(want.Name); kept != nil && kept.Key != want {
		k.found = append(k.found, fmt.Errorf("idempotency key %q stands for %+v, and was written for %+v",
			want.Name, kept.Key, want))
	}
}
