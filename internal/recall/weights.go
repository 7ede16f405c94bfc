package recall

import (
	"fmt"
	"math"
)

// Weights are the numbers of the score, all in one place, each with what set it. k1 and b of words are options of the
// lexical index.
//
// "Measured" is on the 383 questions of categories 1 to 4 of three LoCoMo conversations (document = turn, pool = its
// conversation, gold = its evidence, R@10 and nDCG@10), for meaning with the sets of vectors of TestHybrid.
type Weights struct {
	// Lambda in [0,1] is the part of a memory's score that each of its neighbours receives. Measured: .649 and .507 at
	// 0, .678 and .524 at .3; at .5 recall gains as much again and ranking loses.
	Lambda float64
	// Linear, in standard deviations, is where surprise goes over into a straight line. Chosen: the tails of real
	// similarities are not known beyond it.
	Linear float64
	// Share in (0,.5] is the part of background memories that is nearer to a question than the floor of evidence, and
	// MaxChance their number at most. Measured: .05; .2 gains where vectors are weak and loses where they are random.
	Share     float64
	MaxChance float64
	// Alpha in (0,1] is the probability that a random vector finds anything by meaning alone. Chosen.
	Alpha float64
	// Middle and Strong, in nats of separation, are where meaning counts with half of its plain weight 1, and with half
	// of the weight Extra that it is worth in addition when it separates well. Overlap is how much meaning is held back
	// where it says what the words say. Measured together, chosen on five seeds of vectors and then checked on eight
	// others, against the better channel alone, means of R@10 and nDCG@10: random vectors -.001 and -.002 at most,
	// vectors made of the words +.014 and .000, of the gold +.007 and more. The questions were the same for both. What
	// they do not reach is told in the package comment.
	Middle  float64
	Strong  float64
	Extra   float64
	Overlap float64
	// Prior is the size of a population at which half of the background is its own, half that of random directions.
	// Chosen: below it a population is too small to tell what is unusual.
	Prior float64
}

// DefaultWeights returns the weights that measurements chose.
func DefaultWeights() Weights {
	return Weights{
		Lambda:    .3,
		Linear:    4,
		Share:     .05,
		MaxChance: 1024,
		Alpha:     .01,
		Middle:    3.5,
		Strong:    5,
		Extra:     1.5,
		Overlap:   5,
		Prior:     16,
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
		in("middle", w.Middle, -100, 100), in("strong", w.Strong, -100, 100), in("extra", w.Extra, 0, 100),
		in("overlap", w.Overlap, 0, 100), in("prior", w.Prior, 0, 1e6),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
