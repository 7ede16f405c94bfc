package engram

import (
	"strconv"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/store"
)

// toTime keeps an instant and its zone offset.
func toTime(t time.Time) store.Time {
	if t.IsZero() {
		return store.Time{Nanos: store.NoTime}
	}
	_, offset := t.Zone()
	return store.Time{Nanos: t.UnixNano(), Offset: store.ZoneOffset(offset)}
}

func fromNanos(n int64) time.Time {
	return store.Time{Nanos: n}.Go()
}

func toPairs(m map[string]string) []store.Pair {
	if len(m) == 0 {
		return nil
	}
	pairs := make([]store.Pair, 0, len(m))
	for _, k := range sortedKeys(m) {
		pairs = append(pairs, store.Pair{Key: k, Value: m[k]})
	}
	return pairs
}

func fromPairs(pairs []store.Pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Key] = p.Value
	}
	return m
}

// memoryOf is a stored version as the API shows it, without embedding and links.
func memoryOf(r *store.Record) (m Memory) {
	m.set(r)
	return m
}

// set makes m the version r. A Memory is some 450 bytes: on the way of Get it is filled in where the caller has it.
func (m *Memory) set(r *store.Record) {
	*m = Memory{
		ID: r.ID, Content: r.Content, Kind: r.Kind, Tags: r.Tags, Speaker: r.Speaker, Session: r.Session,
		OccurredAt: r.OccurredAt.Go(), ValidFrom: r.ValidFrom.Go(), ValidUntil: r.ValidUntil.Go(),
		ExpiresAt: r.ExpiresAt.Go(), Pin: r.Pin, Confidence: r.Confidence, Source: r.Source,
		Metadata: fromPairs(r.Metadata), CreatedAt: r.CreatedAt.Go(), UpdatedAt: r.UpdatedAt.Go(),
		Version: int(r.Version), Reason: r.Reason,
		Language: r.Language, LanguageDetected: r.LanguageFrom == store.LanguageFound && r.Language != "",
	}
}

// withFate is the current version r of a memory with what became of it.
func withFate(v *store.View, f store.Found, r *store.Record, at lens) (m Memory) {
	m.setCurrent(v, f, r, at)
	return m
}

// setCurrent makes m the current version r with what became of it.
func (m *Memory) setCurrent(v *store.View, f store.Found, r *store.Record, at lens) {
	m.set(r)
	m.Tier = tierOf(v, f.Row)
	m.Reinforced = int(f.Reinforced())
	if d := f.Dynamics(); d != nil {
		now, past := f.AsOf()
		if !past {
			now = at.now().UnixNano()
		}
		m.Use, m.Belief = at.usage(d, now), beliefOf(d)
	}
	if f.Archived() {
		m.ArchivedAt = fromNanos(f.ArchivedAt())
	}
	if by := f.SupersededBy(); by != "" {
		m.SupersededBy = by
		m.ValidUntil = f.Until().Go()
		m.SupersededAt = fromNanos(f.SupersededAt())
	}
	for _, span := range f.Absent() {
		m.ArchivedSpans = append(m.ArchivedSpans, Span{From: fromNanos(span.From), Until: fromNanos(span.Until)})
	}
}

// lens is when memories are looked at: the clock is asked only where it matters.
type lens struct {
	model *dynamics.Model
	now   func() time.Time
}

// lens looks at memories at a time that is known already.
func (s *Space) lens(now time.Time) lens { return lens{s.model(), func() time.Time { return now }} }

func (at lens) usage(d *store.Dynamics, now int64) *Usage {
	st := &d.State
	u := &Usage{
		Stability: weight64(st.Stability), Difficulty: weight64(st.Difficulty), LastUsed: fromNanos(st.LastUse),
		Retrievability: at.model.StateRetrievability(st, now),
	}
	if st.LabileTill != 0 {
		u.LabileUntil = fromNanos(st.LabileTill)
	}
	return u
}

func beliefOf(d *store.Dynamics) *Belief {
	t := d.State.Tally
	b := &Belief{Probability: t.Probability(), Disputed: t.Disputed(), Evidence: make([]Evidence, len(d.Evidence))}
	b.Low, b.High = t.Interval()
	for i, e := range d.Evidence {
		b.Evidence[i] = Evidence{Source: e.Source, Supports: e.Supports, LogOdds: weight64(e.LogOdds)}
	}
	return b
}

func tierOf(v *store.View, row uint32) Tier {
	if v.Warm(row) {
		return TierWarm
	}
	return TierHot
}

// expired reports whether a stored version has stopped existing for readers.
func expired(expiresAt store.Time, now time.Time) bool {
	return !expiresAt.IsZero() && expiresAt.Nanos <= now.UnixNano()
}

// weight64 is a stored weight with the digits that the caller gave, as far as 32 bits hold them.
func weight64(w float32) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(float64(w), 'g', -1, 32), 64)
	if err != nil {
		return float64(w)
	}
	return x
}
