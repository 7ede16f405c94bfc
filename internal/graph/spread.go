package graph

import (
	"slices"
)

// Network is what a reader sees of the graph, and who takes part in one recall.
type Network struct {
	Chain    *Chain
	Links    *Links
	Position uint64
	// Alive tells which rows exist for the reader: neighbours in a session are the nearest of these. It must refuse
	// rows that are not published.
	Alive func(row uint32) bool
	// Member tells which rows, among those alive, receive activation.
	Member func(row uint32) bool
	// Entry gives a row's entry, Row the row of an entry that is alive for the reader; false if there is none.
	Entry func(row uint32) uint32
	Row   func(entry uint32) (uint32, bool)
	// Session in [0,1] is the weight of the neighbours in a session as associations, for [Activation.Spread]; 0 leaves
	// them out. Types, if not nil, tells which types of explicit associations are gone over.
	Session float64
	Types   func(kind string) bool
}

// Share is what one row gives to another.
type Share struct {
	From  uint32  // the row that gives
	Value float64 // above 0
}

// Sum adds shares up in an order that depends on nothing but their values.
func Sum(shares []Share) float64 {
	switch len(shares) {
	case 0:
		return 0
	case 1:
		return shares[0].Value
	case 2:
		return shares[0].Value + shares[1].Value
	}
	values := make([]float64, len(shares))
	for i, s := range shares {
		values[i] = s.Value
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}
