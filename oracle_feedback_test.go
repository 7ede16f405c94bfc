package engram_test

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
)

// life is what a memory's uses must have led to, and what sources said of it.
type life struct {
	state    dynamics.State
	evidence []dynamics.Evidence
	verdicts map[[2]string]bool // counted: source, and whether it was right
}

// verdict is what a verified judgement said of a source.
type verdict struct {
	source string
	right  bool
	at     time.Time
}

var curve = dynamics.New(dynamics.DefaultWeights())

func (o *oracle) reliability(source string) dynamics.Reliability {
	if r, ok := o.sources[source]; ok {
		return r
	}
	return dynamics.Prior()
}

// lifeOf is the life of a memory, begun if there is none yet.
func (p *player) lifeOf(m *ideal) *life {
	if m.life == nil {
		own := dynamics.NewEvidence("", true, p.oracle.reliability("").Mean())
		m.life = &life{
			state: curve.Fresh(m.versions[0].CreatedAt.UnixNano(), own), evidence: []dynamics.Evidence{own},
			verdicts: map[[2]string]bool{},
		}
	}
	m.judgedAt = p.w.clock.tell()
	return m.life
}

// hear notes what a source says, unless it says nothing new.
func (l *life) hear(e dynamics.Evidence) {
	i := slices.IndexFunc(l.evidence, func(known dynamics.Evidence) bool { return known.Source == e.Source })
	switch {
	case i < 0:
		l.evidence = append(slices.Clone(l.evidence), e)
	case l.evidence[i].Supports != e.Supports:
		l.evidence = slices.Clone(l.evidence)
		l.evidence[i] = e
	}
	l.state.Learn(l.evidence)
}

// changedContent is what another content leaves of a life.
func (p *player) changedContent(m *ideal) {
	if m.life == nil {
		return
	}
	m.judgedAt, m.life.verdicts = p.w.clock.tell(), map[[2]string]bool{}
	m.life.evidence = []dynamics.Evidence{dynamics.NewEvidence("", true, p.oracle.reliability("").Mean())}
	m.life.state.Learn(m.life.evidence)
}

// toldAgain is what remembering the same again does.
func (p *player) toldAgain(m *ideal, source string) {
	l := p.lifeOf(m)
	l.state = curve.Use(l.state, dynamics.Hard, p.w.clock.tell().UnixNano())
	if source != "" {
		l.hear(dynamics.NewEvidence(source, true, p.oracle.reliability(source).Mean()))
	}
}

func (p *player) feedback() {
	p.next++
	f := engram.Feedback{
		EventID: fmt.Sprint("e", p.next), Signal: engram.Signals()[p.rng.IntN(len(engram.Signals()))],
		IDs: []string{p.anyID()}, Source: []string{"", "Ada", "Bo"}[p.rng.IntN(3)], Verified: p.rng.IntN(4) == 0,
		Reason: "r",
	}
	if f.Signal == engram.Contradicted && p.rng.IntN(3) > 0 {
		f.By = p.anyID()
	}
	f.During = []string{"", "s1"}[p.rng.IntN(2)]
	if other := p.anyID(); p.rng.IntN(3) == 0 && other != f.IDs[0] {
		f.Useful = []string{other}
	}
	report, err := p.w.def().Feedback(p.t.Context(), f)
	if f.By == f.IDs[0] {
		p.expect("a memory that contradicts itself", err, engram.ErrInvalid)
		return
	}
	if _, ok := p.oracle.memories[f.By]; f.By != "" && !ok {
		p.expect("contradicted by nobody", err, engram.ErrNotFound)
		return
	}
	said := []string{f.IDs[0]}
	said = append(said, f.Useful...)
	pins := f.Signal == engram.Pinned || f.Signal == engram.Unpinned
	for i, id := range said {
		m, ok := p.oracle.memories[id]
		if !ok {
			p.expect("feedback on nobody", err, engram.ErrNotFound)
			return
		}
		if i == 0 && pins && (m.archived() || m.supersededBy != "") {
			p.expect("pinning an inactive memory", err, engram.ErrConflict)
			return
		}
	}
	p.expect("feedback", err, nil)
	p.judge(p.oracle.memories[f.IDs[0]], f)
	p.note(f.IDs[0], f.Signal)
	if f.By != "" {
		k := [3]string{f.IDs[0], f.By, engram.Contradicts}
		if _, other := p.oracle.links[[3]string{k[1], k[0], k[2]}]; other {
			k[0], k[1] = k[1], k[0]
		}
		p.oracle.links[k] = 1
	}
	for _, id := range f.Useful {
		p.judge(p.oracle.memories[id], engram.Feedback{Signal: engram.Useful})
		p.note(id, engram.Useful)
	}
	if len(f.Useful) > 0 && (f.Signal == engram.Useful || f.Signal == engram.Confirmed) {
		p.usedTogether(f.IDs[0], f.Useful[0])
	}
	again, err := p.w.def().Feedback(p.t.Context(), f)
	p.expect("the same event", err, nil)
	report.Repeated = true
	want(p.t, "report of the same event", again, report)
	f.Source += "x"
	_, err = p.w.def().Feedback(p.t.Context(), f)
	p.expect("another event of that id", err, engram.ErrConflict)
}

// usedTogether strengthens the association of two memories by a quarter of what is missing to 1.
func (p *player) usedTogether(a, b string) {
	k := [3]string{min(a, b), max(a, b), engram.LinkUsedWith}
	grown := float32(p.oracle.links[k])
	grown += (1 - grown) / 4
	weight, err := strconv.ParseFloat(strconv.FormatFloat(float64(grown), 'g', -1, 32), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	p.oracle.links[k] = weight
}

func (p *player) note(id string, signal engram.Signal) {
	p.oracle.judged = append(p.oracle.judged, id+" "+string(signal))
}

// judge does to the oracle's memory what a signal means.
func (p *player) judge(m *ideal, f engram.Feedback) {
	now := p.w.clock.tell()
	if f.Signal == engram.Unpinned {
		p.pin(m, false, f.Reason)
		return
	}
	l := p.lifeOf(m)
	switch f.Signal {
	case engram.Useful, engram.Confirmed:
		l.state = curve.Use(l.state, dynamics.Good, now.UnixNano())
	case engram.Useless:
		l.state = curve.Use(l.state, dynamics.Again, now.UnixNano())
	case engram.Pinned:
		p.pin(m, true, f.Reason)
		l.state = curve.Use(l.state, dynamics.Easy, now.UnixNano())
	case engram.Wrong, engram.Contradicted, engram.Unpinned:
	}
	if f.Signal != engram.Confirmed && f.Signal != engram.Wrong && f.Signal != engram.Contradicted {
		return
	}
	supports, reliability := f.Signal == engram.Confirmed, p.oracle.reliability(f.Source).Mean()
	for _, e := range l.evidence {
		key := [2]string{e.Source, fmt.Sprint(e.Supports == supports)}
		if !f.Verified || e.Source == f.Source || l.verdicts[key] {
			continue
		}
		l.verdicts[key] = true
		p.oracle.sources[e.Source] = p.oracle.reliability(e.Source).Judge(e.Supports == supports)
		p.oracle.verdicts = append(p.oracle.verdicts, verdict{e.Source, e.Supports == supports, now})
	}
	l.hear(dynamics.NewEvidence(f.Source, supports, reliability))
}

func (p *player) pin(m *ideal, pin bool, reason string) {
	next := *m.current()
	if next.Pin == pin {
		return
	}
	next.Pin, next.Version, next.UpdatedAt, next.Reason = pin, next.Version+1, p.w.clock.tell(), reason
	m.versions = append(m.versions, next)
}

// clone is what holds now.
func (l *life) clone() *life {
	if l == nil {
		return nil
	}
	return &life{state: l.state, evidence: slices.Clone(l.evidence)}
}

// shown is what the API must show of a memory's life at an instant; one of which nobody said anything has one all the
// same.
func (p *player) shown(m *ideal, l *life, at time.Time) (confidence float64, u *engram.Usage, b *engram.Belief) {
	touched := l != nil
	if !touched {
		own := dynamics.NewEvidence("", true, p.oracle.reliabilityAt("", at).Mean())
		l = &life{state: curve.Fresh(m.versions[0].CreatedAt.UnixNano(), own)}
	}
	six := func(x float64) float64 { return math.Round(x*1e6) / 1e6 }
	st, t := &l.state, l.state.Tally
	u = &engram.Usage{
		Stability: float64(st.Stability), Difficulty: float64(st.Difficulty), LastUsed: instant(st.LastUse),
		Retrievability: six(curve.StateRetrievability(st, at.UnixNano())),
	}
	if st.LabileTill != 0 {
		u.LabileUntil = instant(st.LabileTill)
	}
	b = &engram.Belief{
		Probability: six(t.Probability()), Disputed: t.Disputed(), For: int(t.NumFor), Against: int(t.NumAgainst),
		Sources: int(t.NumFor + t.NumAgainst),
	}
	low, high := t.Interval()
	b.Low, b.High = six(low), six(high)
	if !touched {
		return b.Probability, u, b
	}
	for _, e := range l.evidence {
		b.Evidence = append(b.Evidence, engram.Evidence{
			Source: e.Source, Supports: e.Supports, LogOdds: float64(e.LogOdds),
		})
	}
	return b.Probability, u, b
}

// reliabilityAt is what was known of a source at an instant.
func (o *oracle) reliabilityAt(source string, at time.Time) dynamics.Reliability {
	r := dynamics.Prior()
	for _, v := range o.verdicts {
		if v.source == source && !v.at.After(at) {
			r = r.Judge(v.right)
		}
	}
	return r
}

// rounded takes numbers that are shown with the digits of 32 bits back to them.
func rounded(m *engram.Memory) {
	if m.Use == nil {
		return
	}
	m.Use.Stability, m.Use.Difficulty = float64(float32(m.Use.Stability)), float64(float32(m.Use.Difficulty))
	for i := range m.Belief.Evidence {
		m.Belief.Evidence[i].LogOdds = float64(float32(m.Belief.Evidence[i].LogOdds))
	}
}

// compareFeedback holds the record of feedback against the oracle's.
func (p *player) compareFeedback(s *engram.Space) {
	p.t.Helper()
	var got []string
	for r, err := range s.FeedbackLog(p.t.Context()) {
		p.expect("FeedbackLog", err, nil)
		if !(r.Retrievability > 0 && r.Retrievability <= 1) || r.Position == 0 || r.At.IsZero() {
			p.t.Fatalf("FeedbackLog gives %+v", r)
		}
		got = append(got, r.ID+" "+string(r.Signal))
	}
	want(p.t, "feedback log", strings.Join(got, ", "), strings.Join(p.oracle.judged, ", "))
	sources, err := s.Sources(p.t.Context())
	p.expect("Sources", err, nil)
	known := map[string]dynamics.Reliability{}
	for _, r := range sources {
		known[r.Source] = dynamics.Reliability{Right: float32(r.Right), Wrong: float32(r.Wrong)}
	}
	want(p.t, "sources", known, p.oracle.sources)
}

func instant(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
