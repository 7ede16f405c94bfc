// Package graph holds how memories hang together: the order of the memories of a session, the explicit associations
// between memories, and the one step by which activation spreads over both.
//
//	chain := graph.NewChain()
//	chain.Insert(session, row, before)          // the writer
//	prev, ok := chain.Prev(row, view.Current)   // any reader
//
//	links := graph.NewLinks()
//	undo := links.Set(a, b, "relates_to", .8, position)
//	for _, edge := range links.Edges(b, view.Position) { ... }
//
// A row is one version of a memory, an entry the memory over all its versions. Sessions order rows, links join
// entries.
//
// # Spreading
//
// With s(i) the score of memory i by itself, p and n its neighbours in its session, and w(i,j) in [0,1] the weight of
// an explicit association, one synchronous step adds to i
//
//	lambda * ( s(p) + s(n) + sum of the 4 largest of  w(i,j) * s(j) / fan(j) )      j among the sources
//	fan(j) = sqrt(max(1, degree(j)/4))
//
// The step is synchronous: what a memory receives it does not pass on. Sources of explicit associations are the
// [MaxSources] strongest memories; a memory with more than [MaxFan] associations passes nothing on. So a memory with
// 10,000 associations neither floods (what it gives is divided by their number, what it receives is at most four
// shares) nor stalls (its associations are looked at only until they prove too many); the work of a step is at most
// MaxSources * MaxFan associations however large the graph. None of it depends on the order of storing.
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
// for the fan: what a memory passes on is shared among its associations. The root instead of the number itself is
// chosen, as are 4, MaxFan and MaxSources; lambda .3 over session neighbours was measured (see package recall).
package graph
