package graph_test

import (
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
