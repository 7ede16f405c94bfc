package graph_test

import (
	"math/rand/v2"
	"testing"

	"github.com/orchard9/engram-go/internal/graph"
)

// TestHops holds walks of at most so many steps against the series of personalised PageRank, cut off behind them.
func TestHops(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 20 {
		w := randomWeb(rng, 30, []float64{.25, .5, 1})
		seeds := []graph.Seed{keep(0, .7), keep(1, .3)}
		degree, at := make([]float64, w.n), make([]float64, w.n)
		for _, a := range w.arcs {
			degree[a.a] += a.weight
			if a.b != a.a {
				degree[a.b] += a.weight
			}
		}
		at[0], at[1] = .7, .3
		want, before := make([]float64, w.n), make([]float64, w.n)
		for hops := range 6 {
			next := make([]float64, w.n)
			for i, m := range at {
				if degree[i] == 0 {
					want[i] += m
				} else {
					want[i] += m / 2
				}
			}
			for _, arc := range w.arcs {
				next[arc.b] += at[arc.a] / 2 * arc.weight / degree[arc.a]
				if arc.a != arc.b {
					next[arc.a] += at[arc.b] / 2 * arc.weight / degree[arc.b]
				}
			}
			at = next
			walk := fine()
			walk.Hops = &hops
			var bounded, free graph.Activation
			bounded.Spread(w.network(), seeds, walk)
			free.Spread(w.network(), seeds, fine())
			all := bounded.Residual()
			for i := range w.n {
				mass := bounded.Mass(uint32(i))
				all += mass
				if !near(mass, want[i], 1e-9) || mass < before[i] || mass > free.Mass(uint32(i)) {
					t.Errorf("%d hops: mass of %d is %v, want %v, at least %v and at most %v",
						hops, i, mass, want[i], before[i], free.Mass(uint32(i)))
				}
				before[i] = mass
			}
			if !near(all, 1, 1e-12) {
				t.Errorf("%d hops: masses and residual add up to %v", hops, all)
			}
		}
	}
}
