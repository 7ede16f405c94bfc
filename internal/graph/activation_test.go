package graph_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/orchard9/engram-go/internal/graph"
)

// arc is an edge of a test's graph, to be read from both ends.
type arc struct {
	a, b   uint32
	weight float64
}

// web is a graph of n nodes.
type web struct {
	n    int
	arcs []arc
}

// network stores w; the same two may have several arcs.
func (w *web) network() *graph.Network {
	l := graph.NewLinks()
	for i, a := range w.arcs {
		l.Set(a.a, a.b, fmt.Sprint("type", i), float32(a.weight), 1)
	}
	return network(l)
}

// exact is personalised PageRank by power iteration: pi = alpha*s + (1-alpha)*pi*D^-1*A. What starts at a node without
// edges stays there.
func (w *web) exact(seeds []graph.Seed, alpha float64) []float64 {
	degree := make([]float64, w.n)
	for _, a := range w.arcs {
		degree[a.a] += a.weight
		if a.b != a.a {
			degree[a.b] += a.weight
		}
	}
	pi, walking := make([]float64, w.n), make([]float64, w.n)
	for _, s := range seeds {
		walking[s.Row] += s.Mass
	}
	for range 200 {
		next := make([]float64, w.n)
		for i, m := range walking {
			if degree[i] == 0 {
				pi[i] += m
				walking[i] = 0
				continue
			}
			pi[i] += alpha * m
		}
		for _, a := range w.arcs {
			if degree[a.a] > 0 {
				next[a.b] += (1 - alpha) * walking[a.a] * a.weight / degree[a.a]
			}
			if a.a != a.b && degree[a.b] > 0 {
				next[a.a] += (1 - alpha) * walking[a.b] * a.weight / degree[a.b]
			}
		}
		walking = next
	}
	return pi
}

func (w *web) degree(node uint32) (n int) {
	for _, a := range w.arcs {
		if a.a == node || a.b == node {
			n++
		}
	}
	return n
}

func keep(row uint32, mass float64) graph.Seed { return graph.Seed{Row: row, Mass: mass, Keep: true} }

// fine goes on until what is left is nothing.
func fine() graph.Walk { return graph.Walk{Alpha: .5, Epsilon: 1e-15, MaxEdges: 1 << 30} }

func near(x, y, within float64) bool { return math.Abs(x-y) <= within }

// reference is ppr_reference.json.
type reference struct {
	Note  string
	Exact []struct {
		ID     string
		Adj    [][]uint32
		Seed   map[string]float64
		Alpha  float64
		Expect []float64
		Tol    float64
		Note   string
	}
	Push struct {
		Graph string
		Rows  []struct {
			Eps, Alpha float64
			Edges      float64 `json:"edges_touched"`
			Bound      float64
			Microsec   float64 `json:"approx_us"`
		}
		Ratios        []float64 `json:"max_err_over_eps_deg"` // the largest error over its bound, in the rows: from, to
		Overestimates int
	} `json:"push_measurements"`
}

func loadReference(t *testing.T) (r reference) {
	t.Helper()
	raw, err := os.ReadFile("testdata/ppr_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || len(r.Exact) == 0 || len(r.Push.Rows) == 0 {
		t.Fatalf("read reference: %v, %d cases, %d measurements", err, len(r.Exact), len(r.Push.Rows))
	}
	return r
}

// preferential is a graph that grows as the one of the measurements did: each new node has m edges, of which a share
// goes to the ends of edges that there are, and the rest to any.
func preferential(rng *rand.Rand, nodes, m int, share float64) *web {
	w := &web{n: nodes}
	var ends []uint32
	for node := uint32(1); node < uint32(nodes); node++ {
		for range m {
			other := rng.Uint32N(node)
			if len(ends) > 0 && rng.Float64() < share {
				other = ends[rng.IntN(len(ends))]
			}
			w.arcs = append(w.arcs, arc{node, other, 1})
			ends = append(ends, node, other)
		}
	}
	return w
}

// TestPushMeasurements: the work and the error of local push over a graph of 20,000 nodes are what another
// implementation, with a queue, came to on another graph of the kind: work of the same size and within its bound,
// errors within theirs, never too much.
func TestPushMeasurements(t *testing.T) {
	push := loadReference(t).Push
	const nodes, seeds, low, high = 20_000, 5, .6, 1.5
	rng := rand.New(rand.NewPCG(20, 6))
	w := preferential(rng, nodes, 4, .7)
	n, degrees := w.network(), make([]float64, nodes)
	for _, a := range w.arcs {
		degrees[a.a]++
		degrees[a.b]++
	}
	var at [seeds]graph.Seed
	for i := range at {
		at[i] = keep(rng.Uint32N(nodes), 1)
	}
	exact := map[float64][]float64{}
	for _, row := range push.Rows {
		if testing.Short() && row.Eps < 1e-5 {
			continue // a million associations for each seed
		}
		if exact[row.Alpha] == nil {
			exact[row.Alpha] = w.exact(at[:1], row.Alpha)
		}
		walk := graph.Walk{Alpha: row.Alpha, Epsilon: row.Eps, MaxEdges: 1 << 30}
		edges, worst, over := 0.0, 0.0, 0
		for i := range at {
			var a graph.Activation
			a.Spread(n, at[i:i+1], walk)
			passed, _, _ := a.Work()
			edges += float64(passed) / seeds
			if float64(passed) > row.Bound {
				t.Errorf("epsilon %v, alpha %v: %d edges, above the bound %v", row.Eps, row.Alpha, passed, row.Bound)
			}
			for node, want := range exact[row.Alpha] {
				if i > 0 || degrees[node] == 0 {
					continue
				}
				miss := want - a.Mass(uint32(node))
				if worst = max(worst, miss/(row.Eps*degrees[node])); miss < -1e-12 {
					over++
				}
			}
		}
		if edges < low*row.Edges || edges > high*row.Edges {
			t.Errorf("epsilon %v, alpha %v: %.0f edges, the other implementation had %.0f",
				row.Eps, row.Alpha, edges, row.Edges)
		}
		if worst > 1 || worst == 0 || over != push.Overestimates {
			t.Errorf("epsilon %v, alpha %v: error %v of its bound, measured were %v; %d overestimates", row.Eps,
				row.Alpha, worst, push.Ratios, over)
		}
	}
}

// TestActivationIsPersonalisedPageRank compares with closed forms.
func TestActivationIsPersonalisedPageRank(t *testing.T) {
	for _, c := range loadReference(t).Exact {
		w := &web{n: len(c.Adj)}
		for a, others := range c.Adj {
			for _, b := range others {
				if uint32(a) < b {
					w.arcs = append(w.arcs, arc{uint32(a), b, 1})
				}
			}
		}
		var seeds []graph.Seed
		for node, mass := range c.Seed {
			row, err := strconv.ParseUint(node, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, keep(uint32(row), mass))
		}
		exact := w.exact(seeds, c.Alpha)
		var a graph.Activation
		a.Spread(w.network(), seeds, fine())
		for i, want := range c.Expect {
			if !near(exact[i], want, c.Tol) {
				t.Errorf("%s: node %d = %.15f by power iteration, want %.15f", c.ID, i, exact[i], want)
			}
			if got := a.Mass(uint32(i)); !near(got, want, max(c.Tol, 1e-11)) {
				t.Errorf("%s: node %d = %.15f by push, want %.15f", c.ID, i, got, want)
			}
		}
		for _, epsilon := range []float64{1e-2, 1e-3, 1e-4} {
			w.checkPush(t, c.ID, seeds, graph.Walk{Alpha: c.Alpha, Epsilon: epsilon, MaxEdges: 1 << 30}, 1)
		}
	}
}

// checkPush checks what is promised of a push: nothing too large, nothing too small by more than epsilon times the
// degree (times the ratio of the largest weight to the smallest), all mass accounted for, work bounded.
func (w *web) checkPush(t *testing.T, name string, seeds []graph.Seed, walk graph.Walk, ratio float64) {
	t.Helper()
	exact := w.exact(seeds, walk.Alpha)
	var a graph.Activation
	a.Spread(w.network(), seeds, walk)
	total, seeded := a.Residual(), 0.0
	for i, want := range exact {
		got := a.Mass(uint32(i))
		total += got
		bound := walk.Epsilon * float64(w.degree(uint32(i))) * ratio
		if got > want+1e-12 || got < want-bound-1e-12 {
			t.Errorf("%s, epsilon %v: node %d = %v, want %v or at most %v less",
				name, walk.Epsilon, i, got, want, bound)
		}
	}
	for _, s := range seeds {
		seeded += s.Mass
	}
	if !near(total, seeded, 1e-9) {
		t.Errorf("%s, epsilon %v: mass %v, want %v", name, walk.Epsilon, total, seeded)
	}
	if edges, _, truncated := a.Work(); truncated || float64(edges) > 1/(walk.Epsilon*walk.Alpha) {
		t.Errorf("%s: %d associations (truncated: %v), want at most 1/(%v*%v)",
			name, edges, truncated, walk.Epsilon, walk.Alpha)
	}
}

// randomWeb has self-loops, several edges between the same two, isolated nodes, and a hub.
func randomWeb(rng *rand.Rand, n int, weights []float64) *web {
	w := &web{n: n}
	for range 3 * n {
		w.arcs = append(w.arcs, arc{
			uint32(rng.IntN(n * 3 / 4)), uint32(rng.IntN(n * 3 / 4)), weights[rng.IntN(len(weights))],
		})
	}
	for i := range n / 2 {
		w.arcs = append(w.arcs, arc{0, uint32(i), weights[rng.IntN(len(weights))]})
	}
	return w
}

func TestPushOfRandomGraphs(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 5))
		weights, ratio := []float64{1}, 1.0
		if seed%2 == 1 {
			weights, ratio = []float64{1, .5, .25}, 4
		}
		w := randomWeb(rng, 20+rng.IntN(60), weights)
		isolated, other, hub := keep(uint32(w.n-1), .25), keep(uint32(rng.IntN(w.n)), .5), keep(0, .25)
		seeds := []graph.Seed{isolated, other, hub}
		for _, epsilon := range []float64{1e-2, 1e-3, 1e-4} {
			for _, alpha := range []float64{.15, .5} {
				w.checkPush(t, fmt.Sprint("seed ", seed), seeds,
					graph.Walk{Alpha: alpha, Epsilon: epsilon, MaxEdges: 1 << 30}, ratio)
			}
		}
	}
}

// TestActivationDependsOnTheGraphAlone renames the nodes, stores the associations in another order and swaps seeds:
// every bit of the result stays, where MaxEdges ends it too.
func TestActivationDependsOnTheGraphAlone(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 6))
		w := randomWeb(rng, 200, []float64{1, .8, .31})
		seeds := []graph.Seed{keep(3, .3), {Row: 7, Mass: .2}, keep(9, .2), {Row: 3, Mass: .3}}
		for _, limit := range []int{1 << 30, 100, 1000} {
			walk := graph.Walk{Alpha: .5, Epsilon: 1e-4, MaxEdges: limit, Trace: true}
			var a, b graph.Activation
			a.Spread(w.network(), seeds, walk)
			names := rng.Perm(w.n)
			other := &web{n: w.n, arcs: slices.Clone(w.arcs)}
			for i := range other.arcs {
				x := &other.arcs[i]
				x.a, x.b = uint32(names[x.a]), uint32(names[x.b])
			}
			rng.Shuffle(len(other.arcs), func(i, j int) { other.arcs[i], other.arcs[j] = other.arcs[j], other.arcs[i] })
			var swapped []graph.Seed
			for _, s := range slices.Backward(seeds) {
				s.Row = uint32(names[s.Row])
				swapped = append(swapped, s)
			}
			b.Spread(other.network(), seeds, walk) // its memory is used before
			b.Spread(other.network(), swapped, walk)
			for i := range uint32(w.n) {
				if x, y := a.Pi(i), b.Pi(uint32(names[i])); x != y {
					t.Fatalf("seed %d, %d edges at most: node %d has %v, under another name %v", seed, limit, i, x, y)
				}
			}
			edges, pushes, _ := a.Work()
			if e, p, _ := b.Work(); e != edges || p != pushes {
				t.Errorf("seed %d: %d edges, %d pushes; under other names %d and %d", seed, edges, pushes, e, p)
			}
			if edges > limit {
				t.Errorf("seed %d: %d edges, at most %d are allowed", seed, edges, limit)
			}
		}
	}
}

// TestPendantLinkTakesFromAllOthers: another association of a cue lowers what every other memory gets (the fan effect).
func TestPendantLinkTakesFromAllOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	w := &web{n: 31}
	for i := uint32(1); i < 30; i++ {
		w.arcs = append(w.arcs, arc{i, rng.Uint32N(i), 1})
	}
	const cue, leaf = 0, 30
	seeds := []graph.Seed{keep(cue, 1)}
	var before, after graph.Activation
	before.Spread(w.network(), seeds, fine())
	w.arcs = append(w.arcs, arc{cue, leaf, 1})
	after.Spread(w.network(), seeds, fine())
	for i := range uint32(w.n) {
		if i != cue && i != leaf && !(after.Mass(i) < before.Mass(i)) {
			t.Errorf("node %d had %v and has %v with another association of the cue", i, before.Mass(i), after.Mass(i))
		}
	}
	if !(after.Mass(leaf) > 0) {
		t.Error("the new memory has nothing")
	}
}

func TestSeedsThatAreNotToKeepTheirOwn(t *testing.T) {
	w := &web{n: 4, arcs: []arc{{0, 1, 1}, {1, 2, 1}}}
	var a graph.Activation
	a.Spread(w.network(), []graph.Seed{{Row: 3, Mass: .5}, {Row: 0, Mass: .5}}, fine())
	if got := a.Pi(3); got != 0 {
		t.Errorf("an isolated question seed has %v, want 0", got)
	}
	if got := a.Mass(3); !near(got, .5, 1e-12) {
		t.Errorf("Mass of an isolated seed = %v, want .5", got)
	}
	if got, want := a.Pi(0), a.Mass(0)-.25; !near(got, want, 1e-12) {
		t.Errorf("Pi of a seed = %v, want its Mass without Alpha of its start, %v", got, want)
	}
	a.Spread(w.network(), []graph.Seed{keep(3, .25), {Row: 3, Mass: .5}}, fine())
	if got := a.Pi(3); !near(got, .25, 1e-12) {
		t.Errorf("kept = %v, want .25", got)
	}
}

func TestPathAndGivers(t *testing.T) {
	w := &web{n: 5, arcs: []arc{{0, 1, 1}, {0, 2, .5}, {1, 3, 1}, {2, 3, 1}}}
	walk := graph.DefaultWalk()
	walk.Trace = true
	var a graph.Activation
	a.Spread(w.network(), []graph.Seed{{Row: 0, Mass: 1}}, walk)
	less := func(x, y uint32) bool { return x < y }
	if got := a.Path(3, less); !slices.Equal(got, []uint32{0, 1, 3}) {
		t.Errorf("Path(3) = %v, want 0 1 3", got)
	}
	if got := a.Path(0, less); !slices.Equal(got, []uint32{0}) {
		t.Errorf("Path(0) = %v, want 0", got)
	}
	if got := a.Path(4, less); got != nil {
		t.Errorf("Path(4) = %v, want none", got)
	}
	sum := map[uint32]float64{}
	for _, s := range a.Givers(3) {
		sum[s.From] += s.Value
	}
	if !(sum[1] > sum[2] && sum[2] > 0) || len(sum) != 2 {
		t.Errorf("Givers(3) = %v, want more from 1 than from 2", sum)
	}
}

// TestHubPassesLittleAndCostsLittle: activation that comes to a memory with 100,000 associations goes no further, and
// these are not even counted to their end.
func TestHubPassesLittleAndCostsLittle(t *testing.T) {
	const hub = 0
	l := graph.NewLinks()
	for leaf := uint32(1); leaf <= 100_000; leaf++ {
		l.Set(hub, leaf, "has", 1, 1)
	}
	var a graph.Activation
	a.Spread(network(l), []graph.Seed{{Row: 1, Mass: 1}}, graph.DefaultWalk())
	found := 0
	a.Each(func(uint32, float64) { found++ })
	edges, _, _ := a.Work()
	if found != 0 || edges != 1 {
		t.Errorf("one leaf activates %d memories over %d associations, want none over 1", found, edges)
	}
	if got := a.Residual(); !near(got, .5, 1e-9) {
		t.Errorf("residual = %v, want the half that the hub holds", got)
	}
	w := graph.DefaultWalk()
	w.Epsilon = 1e-9 // the bound off
	w.MaxEdges = 1 << 30
	a.Spread(network(l), []graph.Seed{{Row: 1, Mass: 1}}, w)
	if edges, _, _ := a.Work(); edges < 100_000 {
		t.Errorf("without the bound %d associations: the test shows nothing", edges)
	}
}
