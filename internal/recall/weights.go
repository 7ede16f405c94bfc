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
	// Association, Pi0, Temperature and Seeds make the term of association. Walks start at Seeds memories, the best by
	// themselves: those of words and those of meaning in shares of a softmax each, in which Temperature is beside a
	// best score of 1, and of both by their best scores. Where walks end with probability pi, the term is Association
	// times the best score times ln(1+pi/Pi0)/ln(1+1/Pi0). Measured: .649 and .507 at 0, .726 and .543 as set; in the
	// three conversations R@10 goes from .646, .731 and .681 with one step of spreading to .718, .781 and .705. Some
	// hundred settings were tried on these three conversations, and not all gained: the form ln(1+pi/.05) with
	// temperatures of 1 to 4 stayed below one step. Lower temperatures find more here (.752 at .12), but then vectors
	// that repeat the words cost .02. Ten seeds instead of twenty: R@10 .796 to .799 and nDCG@10 .617 to .618, R@10
	// .806 to .814 and nDCG@10 .626 to .628 with Speaker at .3 (docs/design/0012 has each conversation). At Association
	// 1 nothing that only association speaks for outranks the best by itself.
	Association float64
	Pi0         float64
	Temperature float64
	Seeds       int
	// Priming, PrimedPi0 and Ring make the term of priming: what was used lately starts walks, in shares of Ring that
	// fall as 1/sqrt(1+minutes since), and a row that ends the share pi of them has Priming times the best score times
	// ln(1+pi/PrimedPi0)/ln(1+1/PrimedPi0). Chosen: no collection that was measured has uses. A memory used just now
	// and no other has .14 of the best score, after 100 minutes .02.
	Priming   float64
	PrimedPi0 float64
	Ring      float64
	// Speaker, When and Dated are the parts of the best score by words and meaning that a memory found by these gains
	// if the question names its speaker, if the question asks when and the memory has an expression of time, and if the
	// memory is of a time that the question names: of the best, so that they weigh the same beside vectors. Measured
	// with the default analysis: Speaker .15, .2, .25 and .3 give R@10 .778, .796, .802 and .806, nDCG@10 .609, .617,
	// .622 and .626, and no conversation loses from one to the next; .4 gains no more of R@10. Dated is chosen: few
	// questions name a date. docs/design/0012 has what else was tried.
	Speaker float64
	When    float64
	Dated   float64
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
	// of the weight Extra that it is worth in addition when it separates well; Steep is how fast. A weight of 1 makes
	// the nearest memory worth as much as the best by words. Repeat is how much of the weight is held back for a unit
	// of correlation with the words, beyond Chance standard deviations of what chance gives; less and less from a
	// separation of Beyond on, which is further for more correlation. Chosen together on vectors of the seeds 1 to 118,
	// 2001, 2002 and 5001 to 5004, which were looked at often; TestHybrid holds them to 9001 to 9004. docs/design has
	// what else was tried.
	Middle float64
	Strong float64
	Extra  float64
	Steep  float64
	Repeat float64
	Chance float64
	Beyond float64
	// Use and Belief, in [0,1], are what a nat of advantage by use and of corroboration counts for. Both are logarithms
	// of odds, as the shares of words and meaning are, so 1 is what theory says. They are 0 for memories of which
	// nobody said anything, so a collection without feedback cannot measure them.
	Use, Belief float64
	// Sway in [0,1) is how much of what a memory is relevant by these two together may add or take: relevance decides
	// what is found, they order it. Chosen: at .5 the most useful memory draws level with one that is nobody's and
	// three times as relevant, if that was judged as bad as can be.
	Sway float64
	// Prior is the size of a population at which half of the background is its own, half that of random directions.
	// Chosen: below it a population is too small to tell what is unusual.
	Prior float64
}

// DefaultWeights returns the weights that measurements chose.
func DefaultWeights() Weights {
	return Weights{
		Association: 1, Pi0: .002, Temperature: .2, Seeds: 10,
		Priming: .3, PrimedPi0: .05, Ring: .3,
		Speaker: .3, When: .12, Dated: .12,
		Linear:    4,
		Share:     .05,
		MaxChance: 1024,
		Alpha:     .01,
		Middle:    3.5,
		Strong:    5.5,
		Extra:     2,
		Steep:     1.5,
		Repeat:    260,
		Chance:    2.5,
		Beyond:    16,
		Prior:     16,
		Use:       1,
		Belief:    1,
		Sway:      .5,
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
		in("speaker", w.Speaker, 0, 1), in("when", w.When, 0, 1),
		in("dated", w.Dated, 0, 1),
		in("association", w.Association, 0, 10), in("pi0", w.Pi0, 1e-9, 1), in("temperature", w.Temperature, .01, 100),
		in("seeds", float64(w.Seeds), 1, 1000), in("priming", w.Priming, 0, 10), in("primed pi0", w.PrimedPi0, 1e-9, 1),
		in("ring", w.Ring, 0, 1), in("linear", w.Linear, 1, 30), in("share", w.Share, 1e-9, .5),
		in("max chance", w.MaxChance, 1, math.MaxUint32), in("alpha", w.Alpha, 1e-12, 1),
		in("middle", w.Middle, -100, 100), in("strong", w.Strong, -100, 100), in("extra", w.Extra, 0, 100),
		in("steep", w.Steep, .01, 100), in("repeat", w.Repeat, 0, 1e6), in("chance", w.Chance, 0, 100),
		in("beyond", w.Beyond, 0, 1000), in("prior", w.Prior, 0, 1e6),
		in("use", w.Use, 0, 1), in("belief", w.Belief, 0, 1), in("sway", w.Sway, 0, .99),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}
