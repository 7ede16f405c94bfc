package store

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// Dynamics is what was made of a memory's uses, and what is said of it, since an event.
type Dynamics struct {
	State dynamics.State
	// Evidence is what sources say of it, the memory's own first.
	Evidence []dynamics.Evidence
	// At is when the event happened: a question as of then, or later, is answered by this.
	At int64
	// During is the session in which it was last of use; "" if nobody said.
	During string
}

// life is a Dynamics as it is kept: 64 bytes for a memory of which only its own source says something and which was of
// use once; it is replaced, never changed. Sources and sessions are numbers of the table's.
type life struct {
	stability, difficulty float32
	since, lastUse        int64
	labileTill            int64
	at                    int64
	gain                  float32
	own                   said
	more                  *lifeMore // nil if there is nothing of it
}

// lifeMore is what few lives have.
type lifeMore struct {
	evidence []said // all of it, the memory's own first; nil if that is all
	lapse    int64
	during   uint32
	depth    int32 // lives before it that are kept
	older    atomic.Pointer[life]
}

// said is what a source says.
type said struct {
	source uint32 // its number times 8, the verdicts counted times 2, and 1 if it supports
	odds   float32
}

// MaxStates is how many states of a memory, and of a source, are told of, each with its time, the one that holds now
// included: what it was before these is told as what the oldest of them was. Chosen, as historyDepth.
const MaxStates = 64

// keptLives are kept so that a reader whose view is some writes old, and a write that fails, miss none of these.
const keptLives = MaxStates + historyDepth

// cutLives stands where older lives were let go.
var cutLives = new(life)

func (t *table) pack(e dynamics.Evidence) said {
	x := said{source: t.sources.number(e.Source)<<3 | uint32(e.Counted)<<1, odds: e.LogOdds}
	if e.Supports {
		x.source |= 1
	}
	return x
}

func (t *table) unpack(x said) dynamics.Evidence {
	return dynamics.Evidence{
		Source: t.sources.name(x.source >> 3), Supports: x.source&1 != 0, LogOdds: x.odds,
		Counted: dynamics.Verdicts(x.source >> 1 & 3),
	}
}

// newLife makes of d what is kept behind older, nil if there is none. Only the writer may call it.
func (t *table) newLife(d *Dynamics, older *life) *life {
	st := &d.State
	l := &life{
		stability: st.Stability, difficulty: st.Difficulty, since: st.Since, lastUse: st.LastUse,
		labileTill: st.LabileTill, at: d.At, gain: st.Gain, own: t.pack(d.Evidence[0]),
	}
	if older != nil && older.at == d.At { // nobody can ask for what held before this and not before that
		older = older.older()
	}
	if len(d.Evidence) == 1 && st.Lapse == 0 && d.During == "" && older == nil {
		return l
	}
	l.more = &lifeMore{lapse: st.Lapse, during: t.symbols.intern(d.During)}
	if len(d.Evidence) > 1 {
		l.more.evidence = make([]said, len(d.Evidence))
		for i, e := range d.Evidence {
			l.more.evidence[i] = t.pack(e)
		}
	}
	if older == nil {
		return l
	}
	l.more.older.Store(older)
	if l.more.depth = 1; older.more != nil {
		l.more.depth = older.more.depth + 1
	}
	l.trim()
	return l
}

// trim lets go of lives that no question reaches.
func (l *life) trim() {
	if l.more.depth <= keptLives {
		return
	}
	last := l
	for range keptLives {
		last = last.more.older.Load()
		if last == cutLives {
			return
		}
	}
	if last.more != nil && last.more.older.Load() != nil {
		last.more.older.Store(cutLives)
	}
}

// older is the life before this one; nil if it is not known.
func (l *life) older() *life {
	if l.more == nil {
		return nil
	}
	if older := l.more.older.Load(); older != cutLives {
		return older
	}
	return nil
}

// begun reports whether there is none before l because nobody had said anything.
func (l *life) begun() bool { return l.more == nil || l.more.older.Load() == nil }

// asOf is the life that held at an instant; nil if nobody had said anything yet.
func (l *life) asOf(at int64) *life {
	for n := 1; l != nil; n++ {
		if l.at <= at {
			return l
		}
		if n == MaxStates && !l.begun() {
			return l
		}
		older := l.older()
		if older == nil && !l.begun() {
			return l
		}
		l = older
	}
	return nil
}

// evidence is what sources say, packed; nobody may write to it.
func (l *life) evidence(room *[1]said) []said {
	if l.more != nil && l.more.evidence != nil {
		return l.more.evidence
	}
	room[0] = l.own
	return room[:]
}

// tally adds up the evidence.
func (l *life) tally() (t dynamics.Tally) {
	var room [1]said
	var up, down float64
	for _, x := range l.evidence(&room) {
		if x.source&1 != 0 {
			up += float64(x.odds)
			t.NumFor++
		} else {
			down += float64(x.odds)
			t.NumAgainst++
		}
	}
	t.For, t.Against = float32(up), float32(down)
	return t
}

// state is what is computed with.
func (l *life) state() dynamics.State {
	st := dynamics.State{
		Stability: l.stability, Difficulty: l.difficulty, Since: l.since, LastUse: l.lastUse, LabileTill: l.labileTill,
		Gain: l.gain, Tally: l.tally(),
	}
	if l.more != nil {
		st.Lapse = l.more.lapse
	}
	return st
}

// standing is what a score asks of state.
func (l *life) standing() dynamics.Standing {
	return dynamics.Standing{Stability: l.stability, Gain: l.gain, Since: l.since, LastUse: l.lastUse}
}

// dynamics is l as callers see it.
func (t *table) dynamics(l *life) *Dynamics {
	var room [1]said
	d := &Dynamics{State: l.state(), At: l.at}
	kept := l.evidence(&room)
	d.Evidence = make([]dynamics.Evidence, len(kept))
	for i, x := range kept {
		d.Evidence[i] = t.unpack(x)
	}
	if l.more != nil && l.more.during != 0 {
		d.During = t.symbols.names.Get(l.more.during)
	}
	return d
}

// lives lists what is kept of a memory's lives, oldest first, the one that holds included.
func (l *life) lives() []*life {
	var out []*life
	for ; l != nil && len(out) < MaxStates; l = l.older() {
		out = append(out, l)
	}
	slices.Reverse(out)
	return out
}

// validOdds reports whether log-odds are some that a source can have.
func validOdds(x float32) bool { return math.Abs(float64(x)) <= dynamics.MaxLogOdds }
