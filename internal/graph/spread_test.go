package graph_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/graph"
)

// network is a graph of n entries, each with its own number as row.
func network(l *graph.Links, score map[uint32]float64) *graph.Network {
	return &graph.Network{
		Chain: graph.NewChain(), Links: l, Position: 1, Alive: everyone, Member: everyone,
		Entry: func(row uint32) uint32 { return row }, Row: func(e uint32) (uint32, bool) { return e, true },
		Score: func(row uint32) float64 { return score[row] }, Lambda: .3,
	}
}

// TestHubNeitherFloodsNorStalls links 10,000 memories to one.
func TestHubNeitherFloodsNorStalls(t *testing.T) {
	const leaves, hub = 10_000, 0
	l := graph.NewLinks()
	score := map[uint32]float64{hub: 10}
	var all []uint32
	for leaf := uint32(1); leaf <= leaves; leaf++ {
		l.Set(hub, leaf, "has", 1, 1)
		score[leaf] = 1 + float64(leaf)/leaves
		all = append(all, leaf)
	}
	l.Set(1, 2, "by", 1, 1)
	n := network(l, score)
	// Asked for the hub alone: it passes nothing on.
	flow := n.Explicit([]uint32{hub})
	if got := len(flow.Rows()); got != 0 {
		t.Errorf("the hub activates %d memories", got)
	}
	// Asked for all leaves: the hub gets four shares of the strongest, not 10,000.
	all = append(all, hub)
	sources := n.Sources(all)
	if len(sources) > graph.MaxSources {
		t.Errorf("%d sources, at most %d are allowed", len(sources), graph.MaxSources)
	}
	flow = n.Explicit(sources)
	sum := graph.Sum(flow.Shares(hub))
	if want := .3 * (2 + 1.9999 + 1.9998 + 1.9997); sum < want-1e-9 || sum > want+1e-9 {
		t.Errorf("the hub receives %v, want %v", sum, want)
	}
	if got := len(flow.Rows()); got != 1 {
		t.Errorf("%d memories receive something, want the hub only", got)
	}
	// The mechanism off: all of it would be this much.
	naive := 0.0
	for _, row := range all {
		naive += .3 * score[row]
	}
	if naive < 100*sum {
		t.Errorf("without bounds the hub would receive %v: the test shows nothing", naive)
	}
}

func TestFanDividesWhatIsPassedOn(t *testing.T) {
	for _, c := range []struct {
		degree int
		want   float64
	}{{0, 1}, {1, 1}, {4, 1}, {16, 2}, {256, 8}} {
		if got := graph.Fan(c.degree); got != c.want {
			t.Errorf("Fan(%d) = %v, want %v", c.degree, got, c.want)
		}
	}
	l := graph.NewLinks()
	for leaf := uint32(1); leaf <= 16; leaf++ {
		l.Set(0, leaf, "a", .5, 1)
	}
	l.Set(0, 1, "b", 1, 1)  // the strongest between two counts
	l.Set(1, 0, "c", .1, 1) // 18 associations of 0
	flow := network(l, map[uint32]float64{0: 2}).Explicit([]uint32{0})
	for leaf, weight := range map[uint32]float64{1: 1, 2: .5, 16: .5} {
		want := .3 * 2 / graph.Fan(18) * weight
		if got := graph.Sum(flow.Shares(leaf)); got < want-1e-12 || got > want+1e-12 {
			t.Errorf("leaf %d receives %v, want %v", leaf, got, want)
		}
	}
}

func TestSourcesDoNotDependOnOrder(t *testing.T) {
	score := map[uint32]float64{}
	var rows []uint32
	rng := rand.New(rand.NewPCG(6, 6))
	for row := range uint32(3 * graph.MaxSources) {
		score[row] = float64(rng.IntN(graph.MaxSources))
		rows = append(rows, row)
	}
	n := network(graph.NewLinks(), score)
	sorted := func() []uint32 { return slices.Sorted(slices.Values(n.Sources(rows))) }
	want := sorted()
	if len(want) == 0 || len(want) > graph.MaxSources {
		t.Fatalf("%d sources", len(want))
	}
	for range 5 {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		if got := sorted(); !slices.Equal(got, want) {
			t.Error("another order of rows gives other sources")
		}
	}
	if got := n.Sources(rows[:10]); len(got) != 10 {
		t.Errorf("%d sources of 10", len(got))
	}
}

func TestNeighborsGiveTheirShare(t *testing.T) {
	n := network(graph.NewLinks(), map[uint32]float64{0: 2, 2: 5})
	for row := range uint32(4) {
		n.Chain.Insert(1, row, func(a, b uint32) bool { return a < b })
	}
	want := []graph.Share{{From: 0, Value: .6}, {From: 2, Value: 1.5}}
	if got := n.Neighbors(1, nil); !slices.Equal(got, want) {
		t.Errorf("Neighbors(1) = %v, want %v", got, want)
	}
	if got := n.Neighbors(0, nil); len(got) != 0 {
		t.Errorf("Neighbors(0) = %v, want none: 1 has nothing to give", got)
	}
}
