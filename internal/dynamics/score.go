package dynamics

import (
	"math"
	"time"
)

// Decay is d, the exponent with which the odds of being needed fall: ACT-R's .5.
const Decay = .5

// BaseLevel is -d*ln(1 + F*days/S): the logarithm of the odds that a memory is needed, that many days after it was
// last used, relative to right after its use. It is 0 or less, and -.693 at 3.06 S. It is d/w20 times ln R.
func (m *Model) BaseLevel(days, stability float64) float64 {
	if m.off.powerCurve {
		return Decay / m.w[20] * math.Log(atStability) * max(0, days) / stability
	}
	return -Decay * math.Log1p(m.factor*max(0, days)/stability)
}

// Base is the base level of a state at now.
func (m *Model) Base(s *State, now int64) float64 {
	return m.BaseLevel(Days(s.LastUse, now), float64(s.Stability))
}

// unresolved is the time in days below which Advantage tells nothing apart, so that what was said of a memory shows
// at once and not only when it has had time to fade.
const unresolved = SameDay

// Standing is what a score asks of a State.
type Standing struct {
	Stability      float32
	Gain           float32
	Since, LastUse int64
}

// Standing is what a score asks of s.
func (s *State) Standing() Standing {
	return Standing{Stability: s.Stability, Gain: s.Gain, Since: s.Since, LastUse: s.LastUse}
}

// LeastCoefficient and MostCoefficient bound what a term of a score is multiplied by where that was learnt. Chosen: a
// term keeps its sign and a quarter of what it claims, so that nothing that is found is lost by what was learnt.
const (
	LeastCoefficient = .25
	MostCoefficient  = 4
)

// Advantage is what a memory's history is worth: its base level less that of a memory of the same age that nobody
// ever used, in nats. It is 0 for such a one. Uses on different days make it positive, judgements of no use negative.
func (m *Model) Advantage(s Standing, now int64) float64 {
	stability, fresh := float64(s.Stability), float64(float32(m.w[Good-1]))
	if m.off.powerCurve {
		used, idle := max(unresolved, Days(s.LastUse, now)), max(unresolved, Days(s.Since, now))
		return m.BaseLevel(used, stability) - m.BaseLevel(idle, fresh)
	}
	// The difference of two logarithms is that of one quotient, and nanoseconds need not be divided: this is in the
	// score of every candidate.
	const least = unresolved * float64(24*time.Hour)
	used := max(least, float64(now)-float64(s.LastUse))
	idle := max(least, float64(now)-float64(s.Since))
	return Decay * math.Log((fresh+m.perNano*idle)*stability/((stability+m.perNano*used)*fresh))
}

// Corroboration is what other sources made of the belief in a memory, in nats: ln P of all that is known of it, less
// ln P by its first source alone. It is 0 if nobody else said anything, and negative if it was contradicted.
func Corroboration(first, all Tally) float64 { return all.LogProbability() - first.LogProbability() }
