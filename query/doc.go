// Package query is a small language over the calls of the root package, for people and for tools.
//
//	RECALL "where does Ada live?" WHERE speaker = "Bo" AND NOT tags ANY ("rumour") ASOF 2024-03-01 LIMIT 5
//
// [Parse] makes a [Query] of a text, [Query.String] writes it back in one canonical form, [Run] answers it from a
// space. The grammar, the fields and what each clause does stand in docs/query.md.
//
// # Invariants
//
//   - What is accepted takes effect; everything else is an [*Error] with its place and, where there is one, what was
//     perhaps meant. Nothing runs before the whole text was understood.
//   - Parse(q.String()) gives q again, for every q that Parse gave; String gives the same text for it.
//   - A condition decides before ranking, limits and spreading, however it is put. What the engine has a filter for is
//     given to it; that only spares reading memories, and never changes what passes.
//
// # Concurrency
//
// A Query is not changed by anything here. All functions are safe for concurrent use.
package query
