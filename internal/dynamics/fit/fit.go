// Package fit learns from judgements: the weights of forgetting, and what each term of a score is worth.
//
// [Forgetting] chooses the weights of FSRS-6 under which the recorded uses were least surprising: it replays every
// memory's judgements, predicts the retrievability R before each, and minimises the log loss of "it was of use" against
// R, held to the default weights by a Gaussian prior, by damped Gauss-Newton steps within the bounds of FSRS.
// [Scores] is the logistic regression of "it was of use" on the terms of the hit's score. Where the terms are what they
// are meant to be, logarithms of odds, each coefficient is 1; near 0 a term says nothing.
//
// Both learn from the first 80 % by time and are measured on the rest, which they never saw.
//
// # Invariants
//
//   - The same events give the same bits: nothing is drawn, and the order of everything is fixed.
//   - What is given is not changed.
//
// # Sources
//
// FSRS-6 and the bounds of its weights: Open Spaced Repetition, fsrs-rs. K. Levenberg (1944), D. Marquardt (1963): the
// damping. Standard errors are those of the inverse Fisher information.
package fit

import (
	"fmt"
	"math"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// Minimum is how many events a fit takes.
const Minimum = 1000

// trainingShare is the part of the events, the first by time, that is learnt from.
const trainingShare = .8

// Event is one judgement of one memory, with what was predicted of it.
type Event struct {
	Memory string
	At     int64          // nanoseconds since 1970 UTC
	Days   float64        // since it was last used or told again
	Grade  dynamics.Grade // 1 to 4
	Used   bool
	Terms  []Term // of the hit, if it came from a recall
}

// Term is one part of a hit's score, in nats.
type Term struct {
	Name  string
	Value float64
}

// TooFewError says that there is too little to learn from.
type TooFewError struct {
	What string
	Have int
}

// Error says how many there are.
func (e *TooFewError) Error() string {
	return fmt.Sprintf("there are %d %s, at least %d are needed", e.Have, e.What, Minimum)
}

// tooSure bounds predictions from below and, by 1 less it, from above: one that was certain and failed is not
// infinitely wrong. Chosen.
const tooSure = .001

func bounded(p float64) float64 { return min(max(p, tooSure), 1-tooSure) }

// loss is the log loss of a prediction, in nats.
func loss(p float64, used bool) float64 {
	if used {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// training is how many of n events are learnt from.
func training(n int) int { return int(float64(n) * trainingShare) }

// cholesky makes of a symmetric positive definite matrix its lower factor, in place; false if it is none.
func cholesky(a [][]float64) bool {
	for i := range a {
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			if i != j {
				a[i][j] = sum / a[j][j]
				continue
			}
			if !(sum > 0) {
				return false
			}
			a[i][i] = math.Sqrt(sum)
		}
	}
	return true
}

// solve gives x with L Lᵀ x = b.
func solve(l [][]float64, b []float64) []float64 {
	x := make([]float64, len(b))
	for i := range b {
		sum := b[i]
		for k := range i {
			sum -= l[i][k] * x[k]
		}
		x[i] = sum / l[i][i]
	}
	for i := len(b) - 1; i >= 0; i-- {
		sum := x[i]
		for k := i + 1; k < len(b); k++ {
			sum -= l[k][i] * x[k]
		}
		x[i] = sum / l[i][i]
	}
	return x
}

func square(n int) [][]float64 {
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n)
	}
	return a
}
