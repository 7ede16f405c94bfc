package fit

import (
	"context"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// Applied are coefficients that scores may go by. They differ from those of the regression: they are held to 1 by a
// prior and lie within [dynamics.LeastCoefficient, dynamics.MostCoefficient]. Losses are means over the held-out
// events, in nats, each with an intercept of its own.
type Applied struct {
	Coefficients map[string]float64 // to four decimals; of terms that vary and that may have one
	Loss         float64
	Current      float64 // of the coefficients in use
	// StandardError is that of the loss of ones less Loss: the greater of two, with memories independent of each other,
	// and with occasions of judging.
	StandardError float64
}

// near is the standard deviation of the prior that holds coefficients to 1. Chosen.
const near = .25

// Better reports whether the applied coefficients predict better than ones, beyond two standard errors of the
// difference, and better than those in use.
func (r *Regression) Better() bool {
	return r.Ones-r.Applied.Loss > 2*r.Applied.StandardError && r.Applied.Loss < r.Applied.Current
}

// apply learns coefficients for those columns that are named in terms. ones are the predictions with all of them 1.
func (t *table) apply(ctx context.Context, events []Event, n int, terms []string, current map[string]float64,
	ones *line,
) (Applied, error) {
	a := Applied{Coefficients: map[string]float64{}}
	var columns [][]float64
	var names []string
	for i, name := range t.names {
		if slices.Contains(terms, name) {
			names, columns = append(names, name), append(columns, t.columns[i])
		}
	}
	precisions := make([]float64, len(columns))
	for i := range precisions {
		precisions[i] = 1 / (near * near)
	}
	x, err := t.regress(ctx, n, columns, t.sums, precisions)
	if err != nil {
		return a, err
	}
	const decimals = 1e4
	for i, name := range names {
		c := math.Round((1+x.beta[i+1])*decimals) / decimals
		a.Coefficients[name] = min(max(c, dynamics.LeastCoefficient), dynamics.MostCoefficient)
	}
	with, err := t.withCoefficients(ctx, n, a.Coefficients)
	if err != nil {
		return a, err
	}
	was, err := t.withCoefficients(ctx, n, current)
	if err != nil {
		return a, err
	}
	byMemory, byOccasion := map[string]cluster{}, map[int64]cluster{}
	gain := 0.0
	for i := n; i < len(events); i++ {
		before, after := loss(ones.predict(nil, t.sums, i), t.used[i]), loss(with.predict(i), t.used[i])
		a.Loss += after
		a.Current += loss(was.predict(i), t.used[i])
		gain += before - after
		byMemory[events[i].Memory] = byMemory[events[i].Memory].add(before - after)
		byOccasion[events[i].At] = byOccasion[events[i].At].add(before - after)
	}
	held := float64(len(events) - n)
	a.Loss, a.Current = a.Loss/held, a.Current/held
	a.StandardError = max(spread(byMemory, gain/held), spread(byOccasion, gain/held)) / held
	return a, nil
}

// weighedLine is a regression of nothing but the intercept, with terms multiplied by coefficients.
type weighedLine struct {
	*line
	sums []float64
}

func (w *weighedLine) predict(i int) float64 { return w.line.predict(nil, w.sums, i) }

func (t *table) withCoefficients(ctx context.Context, n int, coefficients map[string]float64) (*weighedLine, error) {
	w := &weighedLine{sums: slices.Clone(t.sums)}
	for c, name := range t.names {
		by, ok := coefficients[name]
		if !ok {
			continue
		}
		for i, value := range t.columns[c] {
			w.sums[i] += (by - 1) * value
		}
	}
	var err error
	w.line, err = t.regress(ctx, n, nil, w.sums, nil)
	return w, err
}

// cluster are gains that depend on each other.
type cluster struct{ sum, n float64 }

func (c cluster) add(gain float64) cluster { return cluster{c.sum + gain, c.n + 1} }

// spread is the standard error of a sum over clusters, each event's mean being given.
func spread[K comparable](clusters map[K]cluster, mean float64) float64 {
	squares := make([]float64, 0, len(clusters))
	for _, c := range clusters {
		d := c.sum - mean*c.n
		squares = append(squares, d*d)
	}
	slices.Sort(squares) // the order of a map must not show
	sum := 0.0
	for _, s := range squares {
		sum += s
	}
	return math.Sqrt(sum)
}
