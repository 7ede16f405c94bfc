// Package graph holds how memories hang together: the order of the memories of a session, the explicit associations
// between memories, and how activation spreads over both.
//
//	chain := graph.NewChain()
//	chain.Insert(session, row, before)          // the writer
//	prev, ok := chain.Prev(row, view.Current)   // any reader
//
//	links := graph.NewLinks()
//	undo := links.Set(a, b, "relates_to", .8, position)
//	for _, edge := range links.Edges(b, view.Position) { ... }
//
//	var a graph.Activation
//	a.Spread(&network, []graph.Seed{{Row: row, Mass: 1}}, graph.DefaultWalk())
//
// A row is one version of a memory, an entry the memory over all its versions. Sessions order rows, links join
// entries.
//
// # Activation
//
// [Activation] is personalised PageRank: where walks end that start at the seeds s, end with probability alpha at each
// step, and else go over one of the associations, chosen by weight:
//
//	pi = alpha * s + (1-alpha) * pi * D^-1 * A
//
// A holds the weights, symmetric, and D their sums. The division by D is the fan effect: what a memory passes on is
// shared among its associations. It is found by local push: mass r waits at the seeds; as long as some memory u has
// r(u) >= epsilon * c(u), where c counts its associations, alpha * r(u) ends there and the rest goes to its neighbours.
// Then
//
//   - the mass that ended and the mass that waits add up to that of the seeds, exactly,
//   - nothing is too large, and with equal weights no pi(v) is too small by more than epsilon * c(v) (with weights that
//     differ, times the ratio of the largest c/D to that of v),
//   - at most 1/(epsilon*alpha) associations are passed over, whatever the size of the graph; and those of a memory are
//     counted only as far as what waits there is worth, so that a hub costs nothing until it matters.
//
// It goes in rounds: all memories that have enough pass on what they have when the round begins. Masses are integers,
// of which sums do not depend on the order. So the result is the same to the last bit in whatever order memories and
// associations were stored, on every processor. What starts at a memory without associations stays there.
//
// # Invariants
//
//   - Followed by Next from a session's first row, a chain holds each inserted row once, in order; Prev leads back
//     from each. A row between two stores of its insertion is dead for every reader, and both ways around it are whole.
//   - What a reader at a position sees of an entry's associations never changes.
//   - Nothing is undone in a chain: rows of failed writes stay in it, dead, and are skipped.
//
// # Concurrency
//
// One writer at a time (the caller serialises), any number of readers beside it, no locks, no goroutines. Readers see
// a row or an association once the caller has published the view that covers it.
//
// # Durability
//
// None: everything is derived, and rebuilt from what the store holds.
//
// # Sources
//
// J. R. Anderson, "A spreading activation theory of memory", Journal of Verbal Learning and Verbal Behavior 22, 1983,
// for the fan: what a memory passes on is shared among its associations.
//
// R. Andersen, F. Chung, K. Lang, "Local graph partitioning using PageRank vectors", FOCS 2006, for the local push,
// here without laziness and in rounds. B. J. Gutiérrez et al., "HippoRAG", 2024, for personalised PageRank with alpha
// .5 over a memory's graph.
package graph
