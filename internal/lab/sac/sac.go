// Package sac is the delta-rule trace model of spacing: the laboratory model that the engine's FSRS state is compared
// with. Nothing on the way of a recall uses it, for it keeps a trace for every use.
//
// # Sources
//
// L. Reder, C. Schunn, "Metacognition does not imply awareness" (1996), for traces whose growth shrinks with what is
// there; V. Popov, "Optimal spacing of memory" (notes of popov-lab/optimal-spacing-memory@fb618a7), for the power decay
// without which no gap is optimal, and for the fitted parameters.
package sac

import "math"

// Params are the parameters of the model; times are in days.
type Params struct {
	Delta float64 // share of what is missing that a use adds, in (0,1]
	D     float64 // exponent of the decay
	Tau   float64 // its scale
	Theta float64 // trace strength at which half is recalled
	Sigma float64 // and how sharply
}

// Popov are the parameters fitted to Cepeda et al. (2008) in the source above.
func Popov() Params {
	return Params{Delta: .40129, D: .13667, Tau: .0318, Theta: .24653, Sigma: .02668}
}

// Strength is the strength of a memory used at these instants, ascending, at now: each use adds delta*(1-B), which
// decays as (1+t/tau)^-d.
func (p Params) Strength(uses []float64, now float64) float64 {
	var added []float64
	at := func(t float64, n int) float64 {
		b := 0.0
		for i := range n {
			b += added[i] * math.Pow(1+(t-uses[i])/p.Tau, -p.D)
		}
		return b
	}
	for i, t := range uses {
		added = append(added, p.Delta*(1-at(t, i)))
	}
	return at(now, len(uses))
}

// Recall is the probability of recall at a strength.
func (p Params) Recall(strength float64) float64 {
	return 1 / (1 + math.Exp((p.Theta-strength)/p.Sigma))
}
