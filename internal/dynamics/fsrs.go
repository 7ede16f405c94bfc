// Package dynamics says how memories fade with time, what use does to them, and how far they are believed.
// It consists
// of pure functions of a state and a time: it reads no clock, and nothing fades by being written to.
//
// Forgetting is the FSRS-6 power curve (fsrs.go). A [State] holds the stability S, the days until the probability of
// being remembered has fallen to .9, and the difficulty D; [Model.Use] changes both when somebody says that a memory
// was used. The base level (score.go) is the logarithm of the odds that a memory is needed, by its age in units of
// its own stability. Belief (belief.go) adds up what independent sources say of a statement. events.go is the list of
// everything that changes a state.
//
// # Invariants
//
//   - S lies in [.001, 36500], D in [1,10], whatever the arguments; a clock that went back counts as no time passed.
//   - Arithmetic is in float64 from a state in float32, in a fixed order: the same events give the same bits.
//   - The same source saying the same thing twice changes nothing.
//
// # Sources
//
// Open Spaced Repetition, FSRS-6: the equations and default weights as in fsrs-rs 0cbb9d3, to whose results the tests
// conform. J. R. Anderson, L. J. Schooler: Reflections of the environment in memory (1991): the odds of being needed
// fall as a power of time. J. R. Anderson et al., ACT-R: the decay d = .5. A. Jøsang: Subjective Logic (2016), for
// evidence as Beta counts.
package dynamics

import (
	"math"
	"time"
)

// Grade is how well a memory served.
type Grade uint8

// The grades of FSRS. Hard is also what being told again counts for, Again that a memory was of no use.
const (
	Again Grade = iota + 1
	Hard
	Good
	Easy
)

// Weights are the 21 parameters w0 to w20 of FSRS-6.
type Weights [21]float64

// DefaultWeights returns the weights that FSRS-6 is published with, fitted to several hundred million reviews.
func DefaultWeights() Weights {
	return Weights{
		.212, 1.2931, 2.3065, 8.2956, 6.4133, .8334, 3.0194, .001, 1.8722, .1666, .796, 1.4835, .0614, .2629, 1.6483,
		.6014, 1.8729, .5425, .0912, .0658, .1542,
	}
}

// The bounds of stability, in days, and of difficulty.
const (
	MinStability  = .001
	MaxStability  = 36500
	MinDifficulty = 1
	MaxDifficulty = 10
)

// atStability is the retrievability after as many days as a memory is stable: what stability means.
const atStability = .9

// SameDay is the time in days below which a further use is massed, not spaced. On a public log of 12,580 reviews any
// value from .1 to .5 predicts best, and 1 worse (log loss .432 against .442).
const SameDay = .5

// Strength is what FSRS keeps of a memory.
type Strength struct {
	Stability  float64 // days, in [MinStability, MaxStability]
	Difficulty float64 // in [MinDifficulty, MaxDifficulty]
}

// Valid reports whether s is within its bounds.
func (s Strength) Valid() bool {
	return s.Stability >= MinStability*.999 && s.Stability <= MaxStability && // .001 as a float32 is a little less
		s.Difficulty >= MinDifficulty && s.Difficulty <= MaxDifficulty
}

// Model is a set of weights made ready. It is immutable. The zero value is of no use: see New.
type Model struct {
	w         Weights
	factor    float64 // F: makes R(S,S) = .9
	perNano   float64 // F for times in nanoseconds
	wholeDays bool
	off       off
}

// New makes a model of weights.
func New(w Weights) *Model {
	factor := math.Pow(atStability, -1/w[20]) - 1
	return &Model{w: w, factor: factor, perNano: factor / float64(24*time.Hour)}
}

// WholeDays is m with time counted in whole days, anything less being the same day, as flash-card programs
// do. It is for
// comparison with them: it takes 23 hours for no time at all.
func (m *Model) WholeDays() *Model {
	whole := *m
	whole.wholeDays = true
	return &whole
}

// Retrievability is R = (1 + F*days/S)^-w20, the probability in [0,1] that a memory of that stability is still usable
// that many days after it was last used.
func (m *Model) Retrievability(days, stability float64) float64 {
	if m.off.powerCurve {
		return math.Pow(atStability, max(0, days)/stability)
	}
	return math.Pow(1+m.factor*max(0, days)/stability, -m.w[20])
}

// Interval is the inverse of Retrievability: the days until it has fallen to r, in (0,1].
func (m *Model) Interval(r, stability float64) float64 {
	if m.off.powerCurve {
		return stability * math.Log(r) / math.Log(atStability)
	}
	return stability / m.factor * (math.Pow(r, -1/m.w[20]) - 1)
}

// Initial is the strength that a first grade gives.
func (m *Model) Initial(g Grade) Strength {
	return Strength{Stability: m.w[g-1], Difficulty: clampDifficulty(m.initialDifficulty(g))}
}

func (m *Model) initialDifficulty(g Grade) float64 { return m.w[4] - math.Exp(m.w[5]*float64(g-1)) + 1 }

// Step is the strength after a grade, so many days after the last.
func (m *Model) Step(s Strength, g Grade, days float64) Strength {
	days = max(0, days)
	massed := m.massed(days)
	if m.wholeDays {
		days = math.Floor(days)
	}
	r := m.Retrievability(days, s.Stability)
	next := Strength{Difficulty: m.nextDifficulty(s.Difficulty, g)}
	switch {
	case massed:
		next.Stability = m.sameDay(s.Stability, g)
	case g == Again:
		next.Stability = m.lapse(s, r)
	default:
		next.Stability = m.grow(s, r, g)
	}
	next.Stability = min(max(next.Stability, MinStability), MaxStability)
	return next
}

// massed reports whether what follows after so many days is massed, not spaced.
func (m *Model) massed(days float64) bool {
	if m.wholeDays {
		return days < 1
	}
	return days < SameDay && !m.off.sameDay
}

// grow is the stability after a spaced use. It gains the more, the lower r has fallen: the spacing effect.
func (m *Model) grow(s Strength, r float64, g Grade) float64 {
	gain := math.Exp(m.w[8]) * (11 - s.Difficulty) * math.Pow(s.Stability, -m.w[9]) * math.Expm1(m.w[10]*(1-r))
	switch g {
	case Hard:
		gain *= m.w[15]
	case Easy:
		gain *= m.w[16]
	}
	return s.Stability * (1 + gain)
}

// lapse is the stability after a spaced failure.
func (m *Model) lapse(s Strength, r float64) float64 {
	after := m.w[11] * math.Pow(s.Difficulty, -m.w[12]) * (math.Pow(s.Stability+1, m.w[13]) - 1) *
		math.Exp(m.w[14]*(1-r))
	return min(after, s.Stability/math.Exp(m.w[17]*m.w[18]))
}

// sameDay is the stability after a massed use or failure. As in fsrs-rs only Again may lower it.
func (m *Model) sameDay(stability float64, g Grade) float64 {
	by := math.Exp(m.w[17]*(float64(g)-3+m.w[18])) * math.Pow(stability, -m.w[19])
	if g >= Hard {
		by = max(by, 1)
	}
	return stability * by
}

func (m *Model) nextDifficulty(d float64, g Grade) float64 {
	return clampDifficulty(m.w[7]*m.initialDifficulty(Easy) + (1-m.w[7])*m.damped(d, g))
}

// damped moves difficulty by the grade, the less the nearer it is to its upper end.
func (m *Model) damped(d float64, g Grade) float64 { return d - m.w[6]*(float64(g)-3)*(10-d)/9 }

func clampDifficulty(d float64) float64 { return min(max(d, MinDifficulty), MaxDifficulty) }

// Days is the time between two instants in nanoseconds, in days; 0 if the second is not later.
func Days(from, to int64) float64 {
	if to <= from {
		return 0
	}
	return (float64(to) - float64(from)) / float64(24*time.Hour)
}
