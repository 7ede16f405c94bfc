package fit

import (
	"context"
	"math"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
)

const parameters = len(dynamics.Weights{})

// Low and High are the bounds of weights, as in fsrs-rs.
func Low() dynamics.Weights {
	return dynamics.Weights{
		.001, .001, .001, .001, 1, .001, .001, .001, 0, 0, .001, .001, .001, .001, 0, 0, 1, 0, 0, 0, .1,
	}
}

// High is the upper bound of each weight.
func High() dynamics.Weights {
	return dynamics.Weights{
		100, 100, 100, 100, 10, 4, 4, .75, 4.5, .8, 3.5, 5, .25, .9, 4, 1, 6, 2, 2, .8, .8,
	}
}

// Within reports whether every weight is a number within its bounds.
func Within(w dynamics.Weights) bool {
	low, high := Low(), High()
	for i, v := range w {
		if !(v >= low[i] && v <= high[i]) {
			return false
		}
	}
	return true
}

// Curve is what was learnt of forgetting. Losses are means over the held-out events, in nats.
type Curve struct {
	Weights  dynamics.Weights
	Training int // events learnt from
	HeldOut  int // events measured on
	Default  float64
	Current  float64 // of the weights that are in use
	Fitted   float64
	// StandardError is that of Default-Fitted, memories being independent of each other.
	StandardError float64
}

// Better reports whether the fitted weights predict better than the default ones, beyond two standard errors of the
// difference, and better than those in use.
func (c *Curve) Better() bool {
	return c.Default-c.Fitted > 2*c.StandardError && c.Fitted < c.Current
}

// Forgetting learns weights from events in the order of their time. Those less than half a day after the last use, or
// after the memory was of no use, are replayed, but predict nothing: the curve says 1 for them whatever the weights. A
// memory starts as one that was just stored; that it was told again in between is seen from Days. Fewer than Minimum
// that predict are a *TooFewError.
func Forgetting(ctx context.Context, events []Event, current dynamics.Weights) (Curve, error) {
	r := newReplay(events)
	if len(r.used) < Minimum {
		return Curve{}, &TooFewError{What: "judgements half a day or more after the last use", Have: len(r.used)}
	}
	c := Curve{Training: training(len(r.used)), Default: 0}
	c.HeldOut = len(r.used) - c.Training
	var err error
	if c.Weights, err = r.minimise(ctx, c.Training); err != nil {
		return Curve{}, err
	}
	was, is, now := r.predict(dynamics.DefaultWeights()), r.predict(c.Weights), r.predict(current)
	gains := make([]float64, r.memories)
	counts := make([]float64, r.memories)
	for i := c.Training; i < len(r.used); i++ {
		before, after := loss(was[i], r.used[i]), loss(is[i], r.used[i])
		c.Default += before
		c.Fitted += after
		c.Current += loss(now[i], r.used[i])
		gains[r.of[i]] += before - after
		counts[r.of[i]]++
	}
	n := float64(c.HeldOut)
	mean := (c.Default - c.Fitted) / n
	for m := range gains {
		d := gains[m] - mean*counts[m]
		c.StandardError += d * d
	}
	c.StandardError = math.Sqrt(c.StandardError) / n
	c.Default, c.Fitted, c.Current = c.Default/n, c.Fitted/n, c.Current/n
	return c, nil
}

// step is one event as it is replayed.
type step struct {
	memory int
	first  bool
	told   float64 // days after which it was told again before, negative if it was not
	days   float64
	grade  dynamics.Grade
	scored int // its prediction, negative if it has none
}

// replay is what does not depend on weights.
type replay struct {
	steps    []step
	memories int
	used     []bool // by prediction
	of       []int  // memory of a prediction
}

// clockSlack is how far times may be apart that are the same: days are kept as a fraction.
const clockSlack = int64(time.Second)

func newReplay(events []Event) *replay {
	r := &replay{}
	number := map[string]int{}
	var last, lapse []int64 // by memory: the last use, and when it was last of no use since
	for i := range events {
		e := &events[i]
		lastUse := e.At - int64(e.Days*float64(24*time.Hour))
		s := step{told: -1, days: e.Days, grade: e.Grade, scored: -1}
		known := false
		if s.memory, known = number[e.Memory]; !known {
			s.memory, s.first = len(last), true
			number[e.Memory] = s.memory
			last, lapse = append(last, lastUse), append(lapse, 0)
		} else if lastUse > last[s.memory]+clockSlack {
			s.told = dynamics.Days(last[s.memory], lastUse)
		}
		if last[s.memory] = max(last[s.memory], lastUse); lapse[s.memory] <= last[s.memory] {
			lapse[s.memory] = 0
		}
		if at := lapse[s.memory]; at != 0 && dynamics.Days(at, e.At) < dynamics.SameDay {
			if e.Grade == dynamics.Again {
				continue // said already
			}
			s.days = dynamics.Days(at, e.At)
		}
		if e.Grade == dynamics.Again {
			lapse[s.memory] = e.At
		} else {
			last[s.memory], lapse[s.memory] = max(last[s.memory], e.At), 0
		}
		if s.days >= dynamics.SameDay {
			s.scored = len(r.used)
			r.used = append(r.used, e.Used)
			r.of = append(r.of, s.memory)
		}
		r.steps = append(r.steps, s)
	}
	r.memories = len(last)
	return r
}

// predict gives the retrievability before each event that is scored.
func (r *replay) predict(w dynamics.Weights) []float64 {
	m := dynamics.New(w)
	p := make([]float64, len(r.used))
	states := make([]dynamics.Strength, r.memories)
	for i := range r.steps {
		s := &r.steps[i]
		now := states[s.memory]
		if s.first {
			now = m.Initial(dynamics.Good)
		}
		if s.told >= 0 {
			now = m.Step(now, dynamics.Hard, s.told)
		}
		if s.scored >= 0 {
			p[s.scored] = bounded(m.Retrievability(s.days, now.Stability))
		}
		states[s.memory] = m.Step(now, s.grade, s.days)
	}
	return p
}

// The prior and the search. Chosen: half of a weight's default is one standard deviation, .05 at least.
const (
	priorShare = .5
	priorLeast = .05
	difference = 1e-4 // of a standard deviation, for derivatives
	mostSteps  = 40
	enough     = 1e-7 // relative gain at which the search ends
)

func deviation(i int) float64 {
	return max(priorShare*math.Abs(dynamics.DefaultWeights()[i]), priorLeast)
}

// cost is the loss of the first n predictions, and what the prior adds.
func (r *replay) cost(w dynamics.Weights, p []float64, n int) (sum float64) {
	for i := range n {
		sum += loss(p[i], r.used[i])
	}
	usual := dynamics.DefaultWeights()
	for i := range w {
		d := (w[i] - usual[i]) / deviation(i)
		sum += d * d / 2
	}
	return sum
}

// minimise finds the weights of least cost on the first n predictions, starting at the default.
func (r *replay) minimise(ctx context.Context, n int) (dynamics.Weights, error) {
	w := dynamics.DefaultWeights()
	p := r.predict(w)
	cost := r.cost(w, p, n)
	damping := 1e-3
	for range mostSteps {
		if err := ctx.Err(); err != nil {
			return w, err
		}
		a, g := r.normal(w, p, n)
		before := cost
		for ; cost == before && damping < 1e8; damping *= 10 {
			next, ok := stepped(w, a, g, damping)
			if !ok {
				continue
			}
			q := r.predict(next)
			if c := r.cost(next, q, n); c < cost {
				w, p, cost = next, q, c
				damping /= 100 // the loop gives one ten back
			}
		}
		if before-cost <= enough*before {
			break
		}
		damping = max(damping, 1e-9)
	}
	return w, nil
}

// normal gives the Gauss-Newton matrix and the gradient of the cost at w, where p is predicted.
func (r *replay) normal(w dynamics.Weights, p []float64, n int) (a [][]float64, g []float64) {
	a, g = square(parameters), make([]float64, parameters)
	slopes := make([][]float64, parameters)
	usual := dynamics.DefaultWeights()
	for i := range parameters {
		h := difference * deviation(i)
		if w[i]+h > High()[i] {
			h = -h
		}
		moved := w
		moved[i] += h
		slopes[i] = r.predict(moved)
		for k := range n {
			slopes[i][k] = (slopes[i][k] - p[k]) / h
			g[i] += slopes[i][k] * (p[k] - number(r.used[k])) / (p[k] * (1 - p[k]))
		}
		for j := range i + 1 {
			for k := range n {
				a[i][j] += slopes[i][k] * slopes[j][k] / (p[k] * (1 - p[k]))
			}
			a[j][i] = a[i][j]
		}
		v := deviation(i) * deviation(i)
		a[i][i] += 1 / v
		g[i] += (w[i] - usual[i]) / v
	}
	return a, g
}

// stepped is w after one damped step, held within the bounds.
func stepped(w dynamics.Weights, a [][]float64, g []float64, damping float64) (dynamics.Weights, bool) {
	l := square(parameters)
	for i := range a {
		copy(l[i], a[i])
		l[i][i] *= 1 + damping
	}
	if !cholesky(l) {
		return w, false
	}
	low, high := Low(), High()
	for i, d := range solve(l, g) {
		w[i] = min(max(w[i]-d, low[i]), high[i])
	}
	return w, true
}
