package engram

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/store"
)

// What an export says of uses and of belief, and how an import reads it.

// stateLine is what was made of a memory's uses, and what was said of it, since an instant: a line of the current
// version has all that are kept, oldest first.
type stateLine struct {
	At          time.Time `json:"at"`
	Stability   float64   `json:"stability"`
	Difficulty  float64   `json:"difficulty"`
	Since       time.Time `json:"since"` // when it, or the first of what it stands for, was first stored
	LastUsed    time.Time `json:"last_used"`
	LabileUntil time.Time `json:"labile_until,omitzero"`
	LapsedAt    time.Time `json:"lapsed_at,omitzero"` // when it was last of no use, if that was after its last use
	During      string    `json:"during,omitempty"`
	Evidence    []saying  `json:"evidence"`
}

// saying is what a source says of a memory, and which verdicts on that its reliability counts already.
type saying struct {
	Evidence
	CountedRight bool `json:"counted_right,omitempty"`
	CountedWrong bool `json:"counted_wrong,omitempty"`
}

func stateLineOf(d *store.Dynamics) stateLine {
	st := &d.State
	l := stateLine{
		At: fromNanos(d.At), Stability: weight64(st.Stability), Difficulty: weight64(st.Difficulty),
		Since: fromNanos(st.Since), LastUsed: fromNanos(st.LastUse), During: d.During,
	}
	if st.LabileTill != 0 {
		l.LabileUntil = fromNanos(st.LabileTill)
	}
	if st.Lapse != 0 {
		l.LapsedAt = fromNanos(st.Lapse)
	}
	for _, e := range d.Evidence {
		l.Evidence = append(l.Evidence, saying{
			Evidence:     Evidence{Source: e.Source, Supports: e.Supports, LogOdds: weight64(e.LogOdds)},
			CountedRight: e.Counted&dynamics.Right != 0, CountedWrong: e.Counted&dynamics.Wrong != 0,
		})
	}
	return l
}

// statesOf lists what is kept of a memory's states, oldest first; nil if nobody said anything of it.
func statesOf(f store.Found) []stateLine {
	if !f.Touched() {
		return nil
	}
	var out []stateLine
	for _, d := range append(f.Past(), f.Dynamics()) {
		out = append(out, stateLineOf(d))
	}
	return out
}

// dynamics is the state as it is kept.
func (l *stateLine) dynamics() *store.Dynamics {
	d := &store.Dynamics{
		At: l.At.UnixNano(), During: l.During,
		State: dynamics.State{
			Stability: float32(l.Stability), Difficulty: float32(l.Difficulty), Since: l.Since.UnixNano(),
			LastUse: l.LastUsed.UnixNano(),
		},
	}
	if !l.LabileUntil.IsZero() {
		d.State.LabileTill = l.LabileUntil.UnixNano()
	}
	if !l.LapsedAt.IsZero() {
		d.State.Lapse = l.LapsedAt.UnixNano()
	}
	for _, e := range l.Evidence {
		x := dynamics.Evidence{Source: e.Source, Supports: e.Supports, LogOdds: float32(e.LogOdds)}
		if e.CountedRight {
			x.Counted |= dynamics.Right
		}
		if e.CountedWrong {
			x.Counted |= dynamics.Wrong
		}
		d.Evidence = append(d.Evidence, x)
	}
	d.State.Learn(d.Evidence)
	return d
}

// states are what a line says of the memory's uses and belief. Older exports tell what held then, and not since when:
// it counts from the last use on.
func (n *numbered) states() []stateLine {
	if n.Use == nil {
		return n.States
	}
	l := stateLine{
		At: n.Use.LastUsed, Stability: n.Use.Stability, Difficulty: n.Use.Difficulty, Since: n.CreatedAt,
		LastUsed: n.Use.LastUsed, LabileUntil: n.Use.LabileUntil,
	}
	for _, e := range n.Belief.Evidence {
		l.Evidence = append(l.Evidence, saying{Evidence: e})
	}
	return []stateLine{l}
}

// checkStates checks what a line says of uses and belief.
func (n *numbered) checkStates(c *checks) {
	switch {
	case (n.Use == nil) != (n.Belief == nil):
		c.fail("use", "without belief, or belief without use", "give both, or neither")
		return
	case n.Use != nil && len(n.States) > 0:
		c.fail("states", "beside use and belief", "give the one or the other")
		return
	}
	states := n.states()
	if len(states) > store.MaxStates {
		c.fail("states", strconv.Itoa(len(states)), fmt.Sprintf("give at most %d", store.MaxStates))
		return
	}
	for i := range states {
		field := fmt.Sprintf("states[%d].", i)
		if n.Use != nil {
			field = "use."
		}
		states[i].check(c, field)
	}
}

func (l *stateLine) check(c *checks, field string) {
	if !(dynamics.Strength{Stability: l.Stability, Difficulty: l.Difficulty}).Valid() {
		c.fail(field+"stability", fmt.Sprintf("%v, difficulty %v", l.Stability, l.Difficulty),
			"stability lies in [0.001, 36500], difficulty in [1, 10]")
	}
	for _, t := range []struct {
		name string
		at   time.Time
		need bool
	}{
		{"at", l.At, true},
		{"since", l.Since, true},
		{"last_used", l.LastUsed, true},
		{"labile_until", l.LabileUntil, false},
		{"lapsed_at", l.LapsedAt, false},
	} {
		c.time(field+t.name, t.at)
		if t.need && t.at.IsZero() {
			c.fail(field+t.name, "missing", "say when; the time of creation if it was never used")
		}
	}
	c.name(field+"during", l.During, maxPersonBytes)
	if n := len(l.Evidence); n < 1 || n > dynamics.MaxSources {
		c.fail(field+"evidence", strconv.Itoa(n), fmt.Sprintf("give 1 to %d sources", dynamics.MaxSources))
	}
	seen := map[string]bool{}
	for _, e := range l.Evidence {
		c.name(field+"evidence source", e.Source, maxSourceBytes)
		if seen[e.Source] {
			c.fail(field+"evidence", quote(e.Source), "it is there twice: give each source once")
		}
		seen[e.Source] = true
		if !(e.LogOdds >= -dynamics.MaxLogOdds && e.LogOdds <= dynamics.MaxLogOdds) {
			c.fail(field+"evidence", fmt.Sprint(e.LogOdds), "log_odds lie in [-4, 4]")
		}
	}
}

// sameState reports whether two states are the same.
func sameState(a, b *store.Dynamics) bool {
	return a.At == b.At && a.During == b.During && a.State == b.State && slices.Equal(a.Evidence, b.Evidence)
}

// joined is what two copies of a memory that were judged apart know together. Each source speaks once, as the copy of
// the later state has it where they say otherwise, and with the lesser weight where they say the same; of the uses,
// those of the copy that was used last count. It is the same whichever copy it is made in, and made again it changes
// nothing.
func joined(a, b *store.Dynamics) *store.Dynamics {
	if later(a, b) {
		a, b = b, a
	}
	d := *b
	if a.State.LastUse > b.State.LastUse {
		d.State, d.During = a.State, a.During
	}
	d.State.Since = min(a.State.Since, b.State.Since)
	d.Evidence = slices.Clone(b.Evidence)
	for _, e := range a.Evidence {
		i := slices.IndexFunc(d.Evidence, func(known dynamics.Evidence) bool { return known.Source == e.Source })
		if i < 0 {
			d.Evidence = append(d.Evidence, e)
			continue
		}
		known := &d.Evidence[i]
		known.Counted |= e.Counted
		if known.Supports == e.Supports && math.Abs(float64(e.LogOdds)) < math.Abs(float64(known.LogOdds)) {
			known.LogOdds = e.LogOdds
		}
	}
	// The memory's own source stays the first, the others have an order of their own.
	slices.SortFunc(d.Evidence[1:], func(x, y dynamics.Evidence) int { return strings.Compare(x.Source, y.Source) })
	d.Evidence = d.Evidence[:min(len(d.Evidence), dynamics.MaxSources)]
	d.State.Learn(d.Evidence)
	return &d
}

// later reports whether a is the later of two states.
func later(a, b *store.Dynamics) bool {
	return cmp.Or(
		cmp.Compare(a.At, b.At), cmp.Compare(a.State.LastUse, b.State.LastUse),
		cmp.Compare(a.State.Stability, b.State.Stability),
		strings.Compare(fmt.Sprint(a.Evidence), fmt.Sprint(b.Evidence)),
	) > 0
}
