package recall

import (
	"fmt"
	"math"
)

// Weights are the numbers of the score, all in one place.
type Weights struct {
	// Lambda is the part of a memory's score that each of its neighbours receives.
	Lambda float64
	// Linear is the number of standard deviations from which on surprise grows in a straight line.
	Linear float64
	// Chance is how many memories of an average population of MaxChance/Share or more, or which Share of a smaller one,
	// are nearer to a question than the floor of evidence by chance.
	Share     float64
	MaxChance float64
	// Alpha is the probability that a random vector finds anything by meaning alone.
	Alpha float64
	// Middle and Slope say how the weight of meaning grows with its separation e, in nats:
	// 1/(1+exp((Middle-e)/Slope)).
	Middle float64
	Slope  float64
	// Prior is how many memories the isotropic background counts as beside the population.
	Prior float64
	Extra, Middle2, Top, Overlap, AlphaHybrid, Over, Upper, Scale, Words float64
}

// DefaultWeights returns the weights that measurements chose.
func DefaultWeights() Weights {
	return Weights{
		Lambda:    .3,
		Linear:    4,
		Share:     .05,
		MaxChance: 1024,
		Alpha: .05,
		Middle: 1,
		Slope:     1,
		Prior:     16, Top: 20, AlphaHybrid: 0.05, Upper: 1./16, Scale: 1, Words: 1,
	}
}

func (w *Weights) check() error {
	in := func(name string, v, low, high float64) error {
		if !(v >= low && v <= high) {
			return fmt.Errorf("check weights: %s is %v: it must lie in [%v,%v]", name, v, low, high)
		}
		return nil
	}
	for _, err := range []error{
		in("lambda", w.Lambda, 0, 1), in("linear", w.Linear, 1, 30), in("share", w.Share, 1e-9, .5),
		in("max chance", w.MaxChance, 1, math.MaxUint32), in("alpha", w.Alpha, 1e-12, 1),
		in("middle", w.Middle, -100, 100), in("slope", w.Slope, 1e-6, 100), in("prior", w.Prior, 0, 1e6),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
