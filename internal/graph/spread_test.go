package graph_test

import (
	"github.com/orchard9/engram-go/internal/graph"
)

// network is a graph of n entries, each with its own number as row.
func network(l *graph.Links) *graph.Network {
	return &graph.Network{
		Chain: graph.NewChain(), Links: l, Position: 1, Alive: everyone, Member: everyone,
		Entry: func(row uint32) uint32 { return row }, Row: func(e uint32) (uint32, bool) { return e, true },
	}
}
