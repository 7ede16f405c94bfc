package engram

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/segment"
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

// memoryOf is an older version of a memory as the API shows it, without embedding and links: believed as far as its
// writer was to be.
func memoryOf(v *store.View, f store.Found, r *store.Record) (m Memory) {
	m.set(r)
	m.Confidence = dynamics.Alone(v.Own(f, r).LogOdds).Confidence()
	return m
}

// set makes m the version r, without what is believed of it. A Memory is some 450 bytes: on the way of Get it is filled
// in where the caller has it.
func (m *Memory) set(r *store.Record) {
	*m = Memory{
		ID: r.ID, Content: r.Content, Kind: r.Kind, Tags: r.Tags, Speaker: r.Speaker, Session: r.Session,
		OccurredAt: r.OccurredAt.Go(), ValidFrom: r.ValidFrom.Go(), ValidUntil: r.ValidUntil.Go(),
		ExpiresAt: r.ExpiresAt.Go(), Pin: r.Pin, Source: r.Source,
		Metadata: fromPairs(r.Metadata), CreatedAt: r.CreatedAt.Go(), UpdatedAt: r.UpdatedAt.Go(),
		Version: int(r.Version), Reason: r.Reason,
		Language: r.Language, LanguageDetected: r.LanguageFrom == store.LanguageFound && r.Language != "",
	}
	if r.Confidence < 1 {
		m.GivenConfidence = new(r.Confidence)
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
	m.setStanding(v, f, r, at)
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

// lens is when memories are looked at, and by which model they fade.
type lens struct {
	model *faded
	now   time.Time
}

func (s *Space) lens(now time.Time) lens { return lens{s.faded(), now} }

// setStanding fills in how fresh m is and how far it is believed.
func (m *Memory) setStanding(v *store.View, f store.Found, r *store.Record, at lens) {
	now, past := f.AsOf()
	if !past {
		now = at.now.UnixNano()
	}
	both := &struct { // one place in memory for two
		u Usage
		b Belief
	}{}
	m.Use, m.Belief = &both.u, &both.b
	var t dynamics.Tally
	st, touched := f.State()
	if touched {
		t = st.Tally
		both.u.Stability, both.u.Difficulty = weight64(st.Stability), weight64(st.Difficulty)
		if st.LabileTill != 0 {
			both.u.LabileUntil = fromNanos(st.LabileTill)
		}
	} else { // the usual case
		t, st.LastUse = dynamics.Alone(v.Own(f, r).LogOdds), r.CreatedAt.Nanos
		both.u.Stability, both.u.Difficulty = at.model.fresh.Stability, at.model.fresh.Difficulty
		st.Stability = float32(both.u.Stability)
	}
	both.u.LastUsed = fromNanos(st.LastUse)
	both.u.Retrievability = sixDecimals(at.model.StateRetrievability(&st, now))
	m.Confidence = t.Confidence()
	both.b = Belief{
		Probability: m.Confidence, For: int(t.NumFor), Against: int(t.NumAgainst),
		Sources: int(t.NumFor) + int(t.NumAgainst), Disputed: t.Disputed(),
	}
	low, high := t.Interval()
	both.b.Low, both.b.High = sixDecimals(low), sixDecimals(high)
	if !touched {
		return
	}
	evidence := f.Dynamics().Evidence
	both.b.Evidence = make([]Evidence, len(evidence))
	for i, e := range evidence {
		both.b.Evidence[i] = Evidence{Source: e.Source, Supports: e.Supports, LogOdds: weight64(e.LogOdds)}
	}
}

// Standing says in a few words how far a memory is believed, by how many sources, how fresh it is, and whether it held
// at the instant that was asked for: for people to read.
func (m *Memory) Standing() string {
	text := fmt.Sprintf("confidence %.2f", m.Confidence)
	if b := m.Belief; b != nil {
		text += " (1 source"
		if b.Sources != 1 {
			text = fmt.Sprintf("confidence %.2f (%d sources", m.Confidence, b.Sources)
		}
		if b.Against > 0 {
			text += fmt.Sprintf(", %d against", b.Against)
		}
		if b.Disputed {
			text += ", disputed"
		}
		text += ")"
	}
	if m.Use != nil {
		text += fmt.Sprintf(", freshness %.2f", m.Use.Retrievability)
	}
	if m.Held != "" {
		text += ", held then: " + string(m.Held)
	}
	return text
}

// sixDecimals is a probability as it is shown.
func sixDecimals(p float64) float64 { return math.Round(p*1e6) / 1e6 }

func tierOf(v *store.View, row uint32) Tier {
	switch v.Tier(row) {
	case segment.Warm:
		return TierWarm
	case segment.Cold:
		return TierCold
	}
	return TierHot
}

// expired reports whether a stored version has stopped existing for readers.
func expired(expiresAt store.Time, now time.Time) bool {
	return !expiresAt.IsZero() && expiresAt.Nanos <= now.UnixNano()
}

// living finds a memory for whoever names it: one that has expired is not there any more.
func living(v *store.View, id string, now time.Time) (store.Found, error) {
	f, ok, err := v.Lookup(id)
	if err == nil && ok {
		ok = !expired(v.ExpiresAt(f.Row), now)
	}
	if err != nil || !ok {
		return f, orNotFound(err, id)
	}
	return f, nil
}

// weight64 is a stored weight with the digits that the caller gave, as far as 32 bits hold them.
func weight64(w float32) float64 {
	x, err := strconv.ParseFloat(strconv.FormatFloat(float64(w), 'g', -1, 32), 64)
	if err != nil {
		return float64(w)
	}
	return x
}
