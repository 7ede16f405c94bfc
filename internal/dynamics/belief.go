package dynamics

import (
	"math"
	"slices"
)

// Gamma is what each further report of the same tenor counts for, relative to the one before: independent in name,
// reports are often copies. Of 1, .8, .7, .6, .5 and .4 it was calibrated best in a simulation with copied
// reports (mean
// expected calibration error .039, at 1 .064).
const Gamma = .5

// MaxLogOdds bounds belief: no number of reports makes anything certain.
const MaxLogOdds = 4

// MaxSources is how many sources are kept for one memory; the one heard of longest ago makes room, its first
// excepted.
// By then a further one of the same tenor weighs next to nothing.
const MaxSources = 64

// Reliability is what is known of how often a source is right: Beta counts.
type Reliability struct {
	Right float32 // a
	Wrong float32 // b
}

// Prior is the reliability of a source that nothing is known of: four times right, once wrong. Chosen.
func Prior() Reliability { return Reliability{Right: 4, Wrong: 1} }

// Mean is the probability in (0,1) that what the source says is true.
func (r Reliability) Mean() float64 { return float64(r.Right) / (float64(r.Right) + float64(r.Wrong)) }

// Says is what a source of that reliability says.
func (r Reliability) Says(source string, supports bool) Evidence {
	if r == Prior() { // most are, and logarithms cost
		return Evidence{Source: source, Supports: supports, LogOdds: priorOdds}
	}
	return NewEvidence(source, supports, r.Mean())
}

// priorOdds are the log-odds of a source that nothing is known of: ln 4.
const priorOdds = float32(2 * math.Ln2)

// Judge counts a statement of the source that was verified or refuted.
func (r Reliability) Judge(right bool) Reliability {
	if right {
		r.Right++
	} else {
		r.Wrong++
	}
	return r
}

// Evidence is what one source says of a memory.
type Evidence struct {
	Source   string
	Supports bool    // or speaks against it
	LogOdds  float32 // of the source's being right, when it said so
	Counted  Verdicts
}

// Verdicts are those, of a source's statements on one memory, that its reliability counts already: each once, however
// often it is told. It is a set of [Right] and [Wrong].
type Verdicts uint8

// The verdicts.
const (
	Right Verdicts = 1 << iota
	Wrong
)

// Verify is what e and the reliability of its source are once what it says was verified to be right, or wrong; counted
// is false, and nothing changed, if that verdict on it had been counted before.
func (e Evidence) Verify(right bool, r Reliability) (_ Evidence, _ Reliability, counted bool) {
	verdict := Wrong
	if right {
		verdict = Right
	}
	if e.Counted&verdict != 0 {
		return e, r, false
	}
	e.Counted |= verdict
	return e, r.Judge(right), true
}

// NewEvidence is what a source that is right with probability p says.
func NewEvidence(source string, supports bool, p float64) Evidence {
	odds := math.Log(p) - math.Log1p(-p)
	return Evidence{Source: source, Supports: supports, LogOdds: float32(min(max(odds, -MaxLogOdds), MaxLogOdds))}
}

// Alone is the tally of evidence of one source in support.
func Alone(logOdds float32) Tally { return Tally{For: logOdds, NumFor: 1} }

// Tally is the sum of evidence: what belief is computed from.
type Tally struct {
	For, Against       float32 // sums of log-odds
	NumFor, NumAgainst uint16  // numbers of sources
}

// Count adds up evidence.
func Count(set []Evidence) Tally {
	var up, down float64
	var t Tally
	for _, e := range set {
		if e.Supports {
			up += float64(e.LogOdds)
			t.NumFor++
		} else {
			down += float64(e.LogOdds)
			t.NumAgainst++
		}
	}
	t.For, t.Against = float32(up), float32(down)
	return t
}

// Hear is the evidence with what a source says now. Who says the same again changes nothing: it counts as it did when
// it was first said, so that repeating can neither raise belief nor lower it. Who says the opposite has changed sides;
// which verdicts were counted stays. The set given is not changed; the result is in the order in which the sources were
// first heard.
func Hear(set []Evidence, e Evidence) []Evidence {
	i := slices.IndexFunc(set, func(known Evidence) bool { return known.Source == e.Source })
	if i >= 0 && set[i].Supports == e.Supports {
		return set
	}
	next := slices.Clone(set)
	switch {
	case i >= 0:
		e.Counted = set[i].Counted
		next[i] = e
	case len(next) >= MaxSources:
		next = append(slices.Delete(next, 1, 2), e)
	default:
		next = append(next, e)
	}
	return next
}

// LogOdds is belief: in [-MaxLogOdds, MaxLogOdds], 0 without evidence.
func (t Tally) LogOdds() float64 {
	return min(max(saturate(t.For, t.NumFor)-saturate(t.Against, t.NumAgainst), -MaxLogOdds), MaxLogOdds)
}

// Probability is that of the statement being true.
func (t Tally) Probability() float64 { return 1 / (1 + math.Exp(-t.LogOdds())) }

// Confidence is Probability to six decimals, as far as log-odds of 32 bits tell it: .7 where .7 was given, so that
// memories can be asked for by what is shown of them.
func (t Tally) Confidence() float64 { return math.Round(t.Probability()*1e6) / 1e6 }

// LogProbability is ln Probability.
func (t Tally) LogProbability() float64 { return -math.Log1p(math.Exp(-t.LogOdds())) }

// Disputed reports whether somebody denies it and it is not believed in spite of that.
func (t Tally) Disputed() bool { return t.NumAgainst > 0 && t.Probability() < .6 }

// Interval is where the share of sources that support it lies with probability .9: the .05 and .95 quantiles of
// Beta(1+NumFor, 1+NumAgainst).
func (t Tally) Interval() (low, high float64) {
	a, b := 1+float64(t.NumFor), 1+float64(t.NumAgainst)
	switch { // those that have a closed form
	case t.NumAgainst == 0 && t.NumFor == 1:
		return math.Sqrt(.05), math.Sqrt(.95)
	case t.NumAgainst == 0:
		return math.Pow(.05, 1/a), math.Pow(.95, 1/a)
	case t.NumFor == 0:
		return 1 - math.Pow(.95, 1/b), 1 - math.Pow(.05, 1/b)
	}
	return BetaQuantile(.05, a, b), BetaQuantile(.95, a, b)
}

// saturate is z/n * (1-gamma^n)/(1-gamma): the mean of n log-odds, counted 1 + gamma + gamma^2 + ...
func saturate(z float32, n uint16) float64 {
	switch n {
	case 0:
		return 0
	case 1:
		return float64(z)
	}
	return float64(z) / float64(n) * (1 - math.Pow(Gamma, float64(n))) / (1 - Gamma)
}

// BetaQuantile is the x in [0,1] below which Beta(a,b) has probability p, to 1e-9. a and b are above 0.
func BetaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for high-low > 1e-10 {
		middle := (low + high) / 2
		if betaCDF(middle, a, b) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// betaCDF is the regularised incomplete beta function I_x(a,b).
func betaCDF(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction below converges slowly
		return 1 - betaCDF(1-x, b, a)
	}
	ab, _ := math.Lgamma(a + b)
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	return math.Exp(ab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a * betaFraction(x, a, b)
}

// betaFraction is the continued fraction of I_x(a,b), DLMF 8.17.22, by Lentz's method.
func betaFraction(x, a, b float64) float64 {
	const tiny, enough, most = 1e-300, 1e-14, 500
	guard := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/guard(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i <= most; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		for _, term := range [2]float64{even, odd} {
			d = 1 / guard(1+term*d)
			c = guard(1 + term/c)
			f *= c * d
		}
		if math.Abs(c*d-1) < enough {
			break
		}
	}
	return f
}
