// Package actr is the declarative memory of ACT-R as pure functions: the reference that the engine's own model is
// argued against. Nothing on the way of a recall uses it.
//
// Times are in any one unit, ages above 0. Activations are logarithms of odds (nats).
//
// # Sources
//
// The ACT-R 7 tutorial, units 4 and 5, and reference manual ("declarative memory"); P. Pavlik, J. R. Anderson,
// "Practice and forgetting effects on vocabulary memory" (2005); A. Petrov, "Computationally efficient approximation of
// the base-level learning equation in ACT-R" (2006); C. Lebiere, B. Best (2009); the base level of Soar's semantic
// memory. The equations are re-derived from these; the tests hold them to the figures that they print.
package actr

import "math"

// Defaults that the sources recommend.
const (
	Decay = .5 // d of the base level (:bll)
	// PavlikA and PavlikC are a and c of the decay that depends on activation at the time of practice.
	PavlikA = .177
	PavlikC = .217
)

// BaseLevel is B = ln sum(age^-d) over the ages of all uses.
func BaseLevel(ages []float64, d float64) float64 {
	sum := 0.0
	for _, age := range ages {
		sum += math.Pow(age, -d)
	}
	return math.Log(sum)
}

// BaseLevelOptimized is ln(n/(1-d)) - d ln(life): n uses spread evenly over the life of the memory.
func BaseLevelOptimized(n int, life, d float64) float64 {
	return math.Log(float64(n)/(1-d)) - d*math.Log(life)
}

// BaseLevelHybrid keeps the k most recent ages, newest first, exactly, and takes the other n-k uses as spread evenly
// between the k-th age and first, the age of the memory (Petrov 2006). With n = len(recent) it is BaseLevel.
func BaseLevelHybrid(recent []float64, n int, first, d float64) float64 {
	sum := 0.0
	for _, age := range recent {
		sum += math.Pow(age, -d)
	}
	if k := len(recent); n > k {
		last := recent[k-1]
		sum += float64(n-k) * (math.Pow(first, 1-d) - math.Pow(last, 1-d)) / ((1 - d) * (first - last))
	}
	return math.Log(sum)
}

// Inhibited is the base level after short-term inhibition: B - ln(1 + (age/scale)^-d) with the age of the last use.
func Inhibited(base, age, scale, d float64) float64 {
	return base - math.Log1p(math.Pow(age/scale, -d))
}

// Strength is S_ji = S - ln(fan): how strongly a cue that takes part in fan facts, itself included, points at each.
func Strength(s, fan float64) float64 { return s - math.Log(fan) }

// Source is a cue of a spread: its share of attention and its fan.
type Source struct{ Weight, Fan float64 }

// Spread is the activation that sources give: sum of weight * (S - ln fan).
func Spread(s float64, sources ...Source) float64 {
	sum := 0.0
	for _, source := range sources {
		sum += source.Weight * Strength(s, source.Fan)
	}
	return sum
}

// Even divides attention evenly over cues with these fans.
func Even(fans ...float64) []Source {
	sources := make([]Source, len(fans))
	for i, fan := range fans {
		sources[i] = Source{Weight: 1 / float64(len(fans)), Fan: fan}
	}
	return sources
}

// Latency is F e^-A, the time that retrieving something of activation A takes. A failure takes that of the threshold.
func Latency(activation, factor float64) float64 { return factor * math.Exp(-activation) }

// Probability of retrieval with activation A, threshold tau and noise s: 1/(1+e^((tau-A)/s)).
func Probability(activation, tau, s float64) float64 {
	return 1 / (1 + math.Exp((tau-activation)/s))
}

// PavlikAnderson is the spacing model in which each practice gets a decay of its own, c e^m + a, by the activation m at
// its time. times are the instants of practice, ascending, and now comes after them. m[i] is the activation at the
// practice after i, the last one at now; d[i] is the decay of practice i.
func PavlikAnderson(times []float64, now, a, c float64) (m, d []float64) {
	for i := range times {
		at := now
		if i+1 < len(times) {
			at = times[i+1]
		}
		decay := a
		if i > 0 {
			decay = c*math.Exp(m[i-1]) + a
		}
		d = append(d, decay)
		sum := 0.0
		for j, t := range times[:i+1] {
			sum += math.Pow(at-t, -d[j])
		}
		m = append(m, math.Log(sum))
	}
	return m, d
}

// SoarBaseLevel is ln(s/(1+s)) with s = sum(age^-.5): Soar's, which is never above 0.
func SoarBaseLevel(ages []float64) float64 {
	s := math.Exp(BaseLevel(ages, Decay))
	return math.Log(s / (1 + s))
}

// Softmax gives the probabilities e^(A/t) / sum of these.
func Softmax(activations []float64, t float64) []float64 {
	top := math.Inf(-1)
	for _, a := range activations {
		top = max(top, a)
	}
	p, sum := make([]float64, len(activations)), 0.0
	for i, a := range activations {
		p[i] = math.Exp((a - top) / t)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// Blend is the value that squared dissimilarity weighed by probability is least for: for numbers the mean.
func Blend(values, activations []float64, t float64) float64 {
	sum := 0.0
	for i, p := range Softmax(activations, t) {
		sum += p * values[i]
	}
	return sum
}

// BlendedActivation is ln sum(e^A), what a blend as a whole is activated by.
func BlendedActivation(activations []float64) float64 {
	sum := 0.0
	for _, a := range activations {
		sum += math.Exp(a)
	}
	return math.Log(sum)
}
