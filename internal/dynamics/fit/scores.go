package fit

import (
	"context"
	"math"
	"slices"
)

// Coefficient is what a nat of a term is worth, in nats of the odds of being of use.
type Coefficient struct {
	Name          string
	Value         float64
	StandardError float64
}

// Regression is what was learnt of the terms. Losses are means over the held-out events, in nats.
type Regression struct {
	Training int // events learnt from
	HeldOut  int // events measured on
	// Intercept is the logarithm of the odds of being of use where all terms are 0.
	Intercept    Coefficient
	Coefficients []Coefficient // by name
	Constant     []string      // terms that were the same in every event learnt from: nothing can be said of them
	Fitted       float64
	// Ones is the loss with all coefficients 1, the intercept alone being learnt.
	Ones    float64
	Applied Applied
}

// Scores learns coefficients from those of the events, in the order of their time, that have terms; a term that an
// event does not have is 0. Those of the terms named may be applied; current are the coefficients in use. What is given
// is the terms before any coefficient. Fewer than Minimum are a *TooFewError.
func Scores(ctx context.Context, events []Event, terms []string, current map[string]float64) (Regression, error) {
	events = slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return len(e.Terms) == 0 })
	if len(events) < Minimum {
		return Regression{}, &TooFewError{What: "judgements of a recall's hits", Have: len(events)}
	}
	r := Regression{Training: training(len(events))}
	r.HeldOut = len(events) - r.Training
	t := tabulate(events, r.Training)
	r.Constant = t.constant
	x, err := t.regress(ctx, r.Training, t.columns, nil, t.weakly(r.Training))
	if err != nil {
		return Regression{}, err
	}
	r.Intercept = Coefficient{Name: "intercept", Value: x.beta[0], StandardError: x.errors[0]}
	for i, name := range t.names {
		r.Coefficients = append(r.Coefficients, Coefficient{
			Name: name, Value: x.beta[i+1], StandardError: x.errors[i+1],
		})
	}
	ones, err := t.regress(ctx, r.Training, nil, t.sums, nil)
	if err != nil {
		return Regression{}, err
	}
	if r.Applied, err = t.apply(ctx, events, r.Training, terms, current, ones); err != nil {
		return Regression{}, err
	}
	for i := r.Training; i < len(events); i++ {
		r.Fitted += loss(x.predict(t.columns, nil, i), t.used[i])
		r.Ones += loss(ones.predict(nil, t.sums, i), t.used[i])
	}
	r.Fitted /= float64(r.HeldOut)
	r.Ones /= float64(r.HeldOut)
	return r, nil
}

// table is the events by columns.
type table struct {
	names    []string // of columns
	columns  [][]float64
	constant []string
	sums     []float64 // of all terms of an event
	used     []bool
}

func tabulate(events []Event, train int) *table {
	t := &table{sums: make([]float64, len(events)), used: make([]bool, len(events))}
	byName := map[string][]float64{}
	for i := range events {
		t.used[i] = events[i].Used
		for _, term := range events[i].Terms {
			if byName[term.Name] == nil {
				byName[term.Name] = make([]float64, len(events))
				t.names = append(t.names, term.Name)
			}
			byName[term.Name][i] += term.Value
			t.sums[i] += term.Value
		}
	}
	slices.Sort(t.names)
	t.names = slices.DeleteFunc(t.names, func(name string) bool {
		c := byName[name][:train]
		same := slices.Min(c) == slices.Max(c)
		if same {
			t.constant = append(t.constant, name)
		}
		return same
	})
	for _, name := range t.names {
		t.columns = append(t.columns, byName[name])
	}
	return t
}

// line is a logistic regression: the intercept first.
type line struct{ beta, errors []float64 }

func (l *line) predict(columns [][]float64, offset []float64, i int) float64 {
	z := l.beta[0]
	if offset != nil {
		z += offset[i]
	}
	for c := range columns {
		z += l.beta[c+1] * columns[c][i]
	}
	return bounded(1 / (1 + math.Exp(-z)))
}

// weak is the standard deviation, in nats for a term's own standard deviation, of the prior around 0 that keeps a
// coefficient finite where a term tells uses apart without fail, or repeats another. Chosen.
const weak = 10

// weakly are precisions that hold the coefficients of all columns to 0 weakly.
func (t *table) weakly(n int) []float64 {
	precisions := make([]float64, len(t.columns))
	for c := range t.columns {
		precisions[c] = variance(t.columns[c][:n]) / (weak * weak)
	}
	return precisions
}

// regress learns from the first n events, by Newton steps that are halved until the cost falls. precisions, one for
// each column, are those of a prior around 0.
func (t *table) regress(ctx context.Context, n int, columns [][]float64, offset, precisions []float64) (*line, error) {
	prior := append([]float64{1.0 / (weak * weak)}, precisions...)
	l := &line{beta: make([]float64, len(prior)), errors: make([]float64, len(prior))}
	cost := t.cost(l, n, columns, offset, prior)
	for range mostSteps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a, g := t.normal(l, n, columns, offset, prior)
		if !cholesky(a) {
			break // rounding: no direction is left
		}
		for i := range l.errors {
			unit := make([]float64, len(prior))
			unit[i] = 1
			l.errors[i] = math.Sqrt(solve(a, unit)[i])
		}
		before := cost
		delta := solve(a, g)
		for share := 1.0; share > 1e-6 && cost == before; share /= 2 {
			next := &line{beta: slices.Clone(l.beta), errors: l.errors}
			for i := range delta {
				next.beta[i] -= share * delta[i]
			}
			if c := t.cost(next, n, columns, offset, prior); c < cost {
				l, cost = next, c
			}
		}
		if before-cost <= enough*before {
			break
		}
	}
	return l, nil
}

func (t *table) cost(l *line, n int, columns [][]float64, offset, prior []float64) (sum float64) {
	for i := range n {
		sum += loss(l.predict(columns, offset, i), t.used[i])
	}
	for i, b := range l.beta {
		sum += prior[i] * b * b / 2
	}
	return sum
}

// normal gives the Fisher information and the gradient of the cost.
func (t *table) normal(l *line, n int, columns [][]float64, offset, prior []float64) (a [][]float64, g []float64) {
	a, g = square(len(prior)), make([]float64, len(prior))
	x := make([]float64, len(prior))
	x[0] = 1
	for k := range n {
		p := l.predict(columns, offset, k)
		for c := range columns {
			x[c+1] = columns[c][k]
		}
		for i := range x {
			g[i] += x[i] * (p - number(t.used[k]))
			for j := range i + 1 {
				a[i][j] += x[i] * x[j] * p * (1 - p)
			}
		}
	}
	for i := range x {
		g[i] += prior[i] * l.beta[i]
		a[i][i] += prior[i]
		for j := range i {
			a[j][i] = a[i][j]
		}
	}
	return a, g
}

func variance(x []float64) float64 {
	var sum, squares float64
	for _, v := range x {
		sum += v
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	return squares / float64(len(x))
}
