// Package engram is a memory for agents and applications: it remembers short texts with or without vectors, recalls
// them by words, meaning, time and association, says why, and never loses what it acknowledged.
//
//	db, err := engram.Open("/var/lib/app/memory")
//	space, err := db.Space(engram.DefaultSpace)
//	out, err := space.Remember(ctx, engram.Draft{Content: "Ada moved to Lisbon.", Speaker: "Bo"})
//	answer, err := space.Recall(ctx, engram.Cue{Text: "where does Ada live?"})
//
// A [DB] is a directory of spaces; a [Space] is an isolated memory with its own log, segments and indexes. There is no
// server, no model and no network involved.
//
// # Guarantees
//
//   - When a write returns nil it is on stable storage, and every recall that begins afterwards sees it. An expired
//     memory is gone from every answer; remembering or importing its content or its id again makes a new memory, and
//     erases what was left of it.
//   - A write that fails, by an error or a panic, leaves nothing: not visible, not after a restart. The next call
//     works. If the log's sync fails, the outcome of the writes that were waiting for it is open, their error says so,
//     and the space is read-only until it is opened again.
//   - Damaged bytes are refused with a *CorruptError that names file and offset; they are never returned, and never
//     reported as ErrNotFound.
//   - The same cue on the same memories gives the same answer to the last bit: before and after a restart, a sealing,
//     an export and import, in whatever order the memories came. Processors of another kind may round logarithms
//     otherwise: scores can differ there in their last bits.
//   - Everything accepted takes effect or is refused with an *InvalidError, ErrTooLarge or ErrConflict that says which
//     field, which value and what is allowed.
//
// # Concurrency
//
// A DB and its Spaces are safe for concurrent use by any number of goroutines. Reading takes no lock. One process at a
// time owns a directory; a second Open is a *LockedError that names the holder. A DB has goroutines that close
// unused spaces, compact and move segments between tiers, read through everything (Options.ScrubBytesPerSecond) and
// consolidate (Options.Consolidation), one for each space that is being opened or sealed, and one for each log that
// prepares its next file; Close waits for them.
//
// # Durability
//
// Every write is one record of the space's log, synced before the call returns; concurrent writers share a sync.
// docs/ARCHITECTURE.md follows a write and a recall through the rooms; docs/format describes every file.
package engram
