package lab

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

func reaching(*published) []experiment {
	return []experiment{{
		row: Row{
			ID: "P3", Replicates: "activation is personalised PageRank, within its bounds of error and of work",
			Source: "Andersen, Chung, Lang 2006; exact vectors: closed forms and power iteration",
			Published: "error at most epsilon times the number of associations, never too much, work at most " +
				"1/(epsilon alpha)",
		},
		run:     func(b *bench) (finding, error) { return pageRank(b) },
		off:     "spreading: alpha = 1",
		ablated: func(b *bench) (finding, error) { return pageRank(b, "spreading") },
	}, {
		row: Row{
			ID: "P4", Replicates: "the same memories and associations, stored in another order, activate the same to " +
				"the last bit",
			Source:    "the engine's model: masses are integers, passed on in rounds",
			Published: "none: a rule of the model",
		},
		run: func(b *bench) (finding, error) { return shuffled(b, engineOrder) },
		off: "integers in rounds (the push as published, one memory after the other in floating point, beside the " +
			"engine)",
		ablated: func(b *bench) (finding, error) { return shuffled(b, queueOrder) },
	}}
}

// graph is a web by numbers, with the exact activation from its seeds.
type graph struct {
	name  string
	n     int // memories
	pairs [][2]int
	seeds []int
	exact []float64
}

// graphs are those of the reference, and one of some size that is made up.
func graphs(b *bench) []graph {
	var all []graph
	for _, c := range b.published.ppr.Exact {
		g := graph{name: c.ID, n: len(c.Adj), exact: c.Expect}
		for node := range c.Adj {
			for _, other := range c.Adj[node] {
				if node < other {
					g.pairs = append(g.pairs, [2]int{node, other})
				}
			}
			if c.Seed[fmt.Sprint(node)] > 0 {
				g.seeds = append(g.seeds, node)
			}
		}
		all = append(all, g)
	}
	const nodes, seed = 900, 2006
	made := made(rand.New(rand.NewPCG(seed, 0)), nodes)
	made.iterate(b.published.ppr.Exact[0].Alpha)
	return append(all, made)
}

// made is a graph that grew: each new memory is associated with some others, mostly with those that have many.
func made(r *rand.Rand, nodes int) graph {
	const each, preferred = 4, 7
	g := graph{name: fmt.Sprintf("%d memories", nodes), n: nodes, seeds: []int{nodes - 1, nodes / 2}}
	var ends []int
	seen := map[[2]int]bool{}
	for node := 1; node < nodes; node++ {
		for range each {
			other := r.IntN(node)
			if len(ends) > 0 && r.IntN(10) < preferred {
				other = ends[r.IntN(len(ends))]
			}
			pair := [2]int{min(node, other), max(node, other)}
			if node == other || seen[pair] {
				continue
			}
			seen[pair] = true
			g.pairs, ends = append(g.pairs, pair), append(ends, node, other)
		}
	}
	return g
}

func (g *graph) degrees() []float64 {
	degree := make([]float64, g.n)
	for _, p := range g.pairs {
		degree[p[0]]++
		degree[p[1]]++
	}
	return degree
}

// iterate fills in the exact activation, by power iteration.
func (g *graph) iterate(alpha float64) {
	degree, walking := g.degrees(), make([]float64, g.n)
	g.exact = make([]float64, g.n)
	for _, s := range g.seeds {
		walking[s] += 1 / float64(len(g.seeds))
	}
	const enough = 60 // rounds, after which no more than 2^-60 of the walks go on
	for range enough {
		next := make([]float64, g.n)
		for i, m := range walking {
			g.exact[i] += alpha * m
		}
		for _, p := range g.pairs {
			next[p[1]] += (1 - alpha) * walking[p[0]] / degree[p[0]]
			next[p[0]] += (1 - alpha) * walking[p[1]] / degree[p[1]]
		}
		walking = next
	}
}

// web is the graph as memories.
func (g *graph) web() (w web) {
	for range g.n {
		w.node()
	}
	for _, p := range g.pairs {
		w.pairs = append(w.pairs, [2]string{w.nodes[p[1]], w.nodes[p[0]]}) // from the one with fewer
	}
	return w
}

// pageRank is P3. What a memory has by being where activation starts is not given, so seeds are not compared.
func pageRank(b *bench, without ...string) (f finding, err error) {
	ppr, worst, most := &b.published.bounds, 0.0, 0.0
	compared := 0
	for _, g := range graphs(b) {
		w := g.web()
		s, err := w.remembered(b, without...)
		if err != nil {
			return f, err
		}
		var from []string
		for _, i := range g.seeds {
			from = append(from, w.nodes[i])
		}
		found := s.spreading(from...)
		if s.err != nil {
			return f, s.err
		}
		pi, sum := map[string]float64{}, found.Residual
		for _, m := range found.Memories {
			pi[m.ID] = m.Pi
			sum += m.Pi
		}
		degree := g.degrees()
		for i, exact := range g.exact {
			if slices.Contains(g.seeds, i) {
				continue
			}
			compared++
			miss := (exact - pi[w.nodes[i]]) / (ppr.SpreadEpsilon * degree[i])
			worst = max(worst, miss)
			f.check(miss <= 1 && miss >= -1e-9, "%s, memory %d: %.6f, exact is %.6f", g.name, i, pi[w.nodes[i]], exact)
		}
		f.check(sum <= 1, "%s: %.12f has ended or waits, of 1", g.name, sum)
		work := float64(found.Associations) * ppr.SpreadEpsilon * ppr.SpreadAlpha
		most = max(most, work)
		f.check(work <= 1, "%s: %d associations were gone over", g.name, found.Associations)
	}
	f.misses = shortened(f.misses)
	f.engine = fmt.Sprintf("%d memories in %d graphs: error at most %.2f of the bound, never too much; work at most "+
		"%.3f of the bound",
		compared, len(b.published.ppr.Exact)+1, worst, most)
	return f, nil
}

// shortened are the first of many misses, and how many there are.
func shortened(misses []string) []string {
	const most = 5
	if len(misses) <= most {
		return misses
	}
	return append(misses[:most:most], fmt.Sprintf("and %d more", len(misses)-most))
}

// shuffled is P4: activation of one graph whose memories and associations are stored in other orders.
func shuffled(b *bench, activate func(*bench, *graph, *rand.Rand) (map[int]float64, error)) (f finding, err error) {
	const nodes, orders, seed = 120, 4, 1983
	g := made(rand.New(rand.NewPCG(seed, 0)), nodes)
	var first map[int]float64
	differ := 0
	for order := range uint64(orders) {
		pi, err := activate(b, &g, rand.New(rand.NewPCG(seed, order+1)))
		if err != nil {
			return f, err
		}
		if order == 0 {
			first = pi
			continue
		}
		for i := range nodes {
			if math.Float64bits(pi[i]) != math.Float64bits(first[i]) {
				differ++
			}
		}
	}
	f.engine = fmt.Sprintf("%d of %d activations differ among %d orders", differ, nodes*(orders-1), orders)
	f.check(differ == 0 && len(first) > nodes/2, "%d differ; %d memories are active", differ, len(first))
	return f, nil
}

func engineOrder(b *bench, g *graph, r *rand.Rand) (map[int]float64, error) {
	w := g.web()
	r.Shuffle(len(w.pairs), func(i, j int) { w.pairs[i], w.pairs[j] = w.pairs[j], w.pairs[i] })
	for i, p := range w.pairs {
		if r.IntN(2) == 0 {
			w.pairs[i] = [2]string{p[1], p[0]}
		}
	}
	nodes := slices.Clone(w.nodes)
	r.Shuffle(len(w.nodes), func(i, j int) { w.nodes[i], w.nodes[j] = w.nodes[j], w.nodes[i] })
	s, err := w.remembered(b)
	if err != nil {
		return nil, err
	}
	found, pi := s.spread(nodes[g.seeds[0]], nodes[g.seeds[1]]), map[int]float64{}
	for i, id := range nodes {
		if x, ok := found[id]; ok {
			pi[i] = x
		}
	}
	return pi, s.err
}

// queueOrder is the push of Andersen, Chung and Lang: whoever holds enough passes it on in the order of the queue, to
// its neighbours in the order in which they were stored.
func queueOrder(b *bench, g *graph, r *rand.Rand) (map[int]float64, error) {
	alpha, epsilon := b.published.bounds.SpreadAlpha, b.published.bounds.SpreadEpsilon
	neighbours := map[int][]int{}
	for _, p := range r.Perm(len(g.pairs)) {
		pair := g.pairs[p]
		neighbours[pair[0]] = append(neighbours[pair[0]], pair[1])
		neighbours[pair[1]] = append(neighbours[pair[1]], pair[0])
	}
	held, pi := map[int]float64{}, map[int]float64{}
	queue := slices.Clone(g.seeds)
	for _, s := range g.seeds {
		held[s] = 1 / float64(len(g.seeds))
	}
	for len(queue) > 0 {
		u := queue[0]
		queue = queue[1:]
		if held[u] < epsilon*float64(len(neighbours[u])) {
			continue
		}
		pi[u] += alpha * held[u]
		share := (1 - alpha) * held[u] / float64(len(neighbours[u]))
		held[u] = 0
		for _, v := range neighbours[u] {
			held[v] += share
			queue = append(queue, v)
		}
	}
	maps.DeleteFunc(pi, func(i int, _ float64) bool { return slices.Contains(g.seeds, i) })
	return pi, nil
}
