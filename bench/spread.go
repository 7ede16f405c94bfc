package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/graph"
)

const (
	spreadSmall  = 10_000
	spreadLarge  = 1_000_000
	spreadDegree = 21 // associations made for each memory; each is read from both ends
	spreadSeeds  = 20
)

// spread measures activation over graphs of which one is a hundred times the other.
func spread(s *session) error {
	small, large := s.size(spreadSmall, 500), s.size(spreadLarge, 5000)
	asked := s.size(20_000, 200)
	settings(s,
		fmt.Sprintf("%d associations a memory, one in 10 with a hub: a memory is the other end with a probability "+
			"that falls as one over its number; the others with one of the 100 before it; weights from .1 to 1",
			spreadDegree),
		"each memory has a neighbour before and after it in sessions of 50",
		fmt.Sprintf("each question starts at %d memories at random with shares that fall as 2^-i/3; alpha .5, "+
			"epsilon 1e-4, at most 8,192 associations; one goroutine", spreadSeeds),
		"rounds take turns between the two graphs; percentiles are of all questions of all rounds")
	t := newTable("memories", "associations", "bytes each", "questions", "p50", "p99", "longest", "associations p50",
		"p99", "truncated")
	graphs := []*spreadGraph{newSpreadGraph(s.seed, small), newSpreadGraph(s.seed, large)}
	rounds := s.turns(3)
	err := rotate(s, rounds, len(graphs), func(round, i int) error {
		return graphs[i].ask(s, uint64(round), asked/rounds)
	})
	if err != nil {
		return err
	}
	for _, g := range graphs {
		slices.Sort(g.passed)
		t.row(thousands(float64(g.memories)), thousands(float64(g.associations)), fmt.Sprintf("%.0f", g.bytes),
			thousands(float64(len(g.times))), short(quantile(g.times, .5)), short(quantile(g.times, .99)),
			short(quantile(g.times, 1)), thousands(float64(g.passed[len(g.passed)/2])),
			thousands(float64(g.passed[len(g.passed)*99/100])), fmt.Sprint(g.truncated))
	}
	t.print(s.out)
	p99 := [2]float64{float64(quantile(graphs[0].times, .99)), float64(quantile(graphs[1].times, .99))}
	verdict(s, "spreading over the larger graph: p99 below 2 ms", p99[1] < 2e6)
	verdict(s, fmt.Sprintf("p99 over the larger graph at most twice that over the smaller (here %.2f)", p99[1]/p99[0]),
		p99[1] <= 2*p99[0])
	runtime.KeepAlive(graphs)
	return nil
}

// spreadGraph is a graph with what was measured of it.
type spreadGraph struct {
	memories     int
	associations int
	bytes        float64 // live heap for each association
	network      graph.Network
	activation   graph.Activation
	times        []time.Duration
	passed       []int
	truncated    int
}

func newSpreadGraph(seed uint64, memories int) *spreadGraph {
	before, _ := liveHeap()
	rng := rand.New(rand.NewPCG(seed, uint64(memories)))
	g := &spreadGraph{memories: memories}
	links, chain := graph.NewLinks(), graph.NewChain()
	for row := uint32(1); row < uint32(memories); row++ {
		for i := range spreadDegree {
			other := row - 1 - rng.Uint32N(min(row, 100))
			if i%10 == 0 {
				other = hub(rng, row)
			}
			kind := [2]string{"relates_to", "follows"}[i%2]
			links.Set(row, other, kind, .1+.9*rng.Float32(), 1)
		}
	}
	for row := range uint32(memories) {
		g.associations += links.Degree(row, 1, memories)
		chain.Insert(row/50+1, row, func(a, b uint32) bool { return a < b })
	}
	g.associations /= 2
	after, _ := liveHeap()
	g.bytes = (float64(after) - float64(before)) / float64(g.associations)
	all := func(uint32) bool { return true }
	g.network = graph.Network{
		Chain: chain, Links: links, Position: 1, Alive: all, Member: all, Session: 1,
		Entry: func(row uint32) uint32 { return row }, Row: func(entry uint32) (uint32, bool) { return entry, true },
	}
	return g
}

// hub draws a memory below row: m with a probability of about 1/((m+1) ln row).
func hub(rng *rand.Rand, row uint32) uint32 {
	return min(uint32(math.Pow(float64(row)+1, rng.Float64()))-1, row-1)
}

// ask lets activation spread n times.
func (g *spreadGraph) ask(s *session, round uint64, n int) error {
	rng := rand.New(rand.NewPCG(s.seed+round, 77))
	seeds := make([]graph.Seed, spreadSeeds)
	walk := graph.DefaultWalk()
	for range n {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		share, all := 1.0, 0.0
		for i := range seeds {
			seeds[i] = graph.Seed{Row: rng.Uint32N(uint32(g.memories)), Mass: share}
			all += share
			share *= .7937 // 2^(-1/3)
		}
		for i := range seeds {
			seeds[i].Mass /= all
		}
		start := time.Now()
		g.activation.Spread(&g.network, seeds, walk)
		g.times = append(g.times, time.Since(start))
		passed, _, truncated := g.activation.Work()
		g.passed = append(g.passed, passed)
		if truncated {
			g.truncated++
		}
	}
	return nil
}
