// Package segment holds the one storage shape of memories: fixed-size blocks beside append-only content.
//
// A segment is a run of rows, numbered by slot from 0. Every row has a body (opaque bytes of variable length), an
// identity (log position and index within that record) and, if it has one, a vector of the segment's dimension. A row
// without a vector costs no vector space.
//
// There are two forms with the same reading methods. [Hot] is in memory and grows; its rows are also in the log.
// [Sealed] is a file that is never written again. [Seal] turns the first into the second; [Build] makes one of several,
// and leaves out what is to be forgotten. Rows keep their places: one that is left out becomes void, and costs its
// line.
//
// A sealed segment is [Warm], mapped, or [Cold], read from its file with its bodies packed. It can be built anew in the
// other tier, and reads the same in both.
//
// Beside every vector there are codes of it, see vec.Quantize: scans go through these, and look at few of the vectors.
//
// # Invariants
//
//   - Bytes once added never change and never move.
//   - Every read of a Sealed verifies, by checksum, the row's line and what it returns; the checksums are seeded by
//     store, file and slot, so that a block in the wrong place fails like a damaged one. What is lent for scanning is
//     verified if that is longer ago than a second. One damaged vector is one vector less.
//   - What tells of rows and vectors is in the file twice, in different pages: damage to one costs nothing, and is
//     told.
//   - A file is complete before its name exists: written aside, synced, renamed, directory synced.
//   - Whatever goes through a whole segment reads its file, not the mapping: others have the processor meanwhile.
//
// # Concurrency
//
// A Hot has one writer, serialised by the caller, and any number of readers, who may look at the rows that the caller
// has published. A Sealed is immutable and safe for concurrent use; Close it when nobody reads it any more.
//
// # Format
//
// docs/format/segment.md.
package segment

import (
	"errors"
	"fmt"
)

// ErrVoid is matched by the error of reading a row of a sealed segment that holds nothing: a failed write's place, or
// an erased memory's.
var ErrVoid = errors.New("the row holds nothing")

// Identity names a row across segments: the log position of the record that made it, and its index in that record.
type Identity struct {
	LSN   uint64
	Index uint32
}

// NoVector is the vector slot of a row that has none; NoRow the slot of a vector whose row cannot be told.
const (
	NoVector = ^uint32(0)
	NoRow    = ^uint32(0)
)

// GroupSize is the number of vectors that are lent and looked after together.
const GroupSize = 64

// Group is a run of vectors of a segment, for scanning. Nobody may write to it.
type Group struct {
	Slots   []uint32  // the row of each vector, as a slot of the segment; NoRow only if it is Bad
	Floats  []float32 // len(Slots) rows of Stride floats each; the first Dim of each are the vector
	Stride  int
	InvNorm []float32 // 1 / Euclidean norm of each vector
	Bad     uint64    // bit i: vector i is damaged, and must not be looked at
}

// Codes is a run of vectors of a segment by their codes, see vec.Quantize. Nobody may write to it.
type Codes struct {
	Slots    []uint32 // as in Group
	Codes    []int8   // len(Slots) rows of vec.CodeLen(Dim) codes each
	Scale    []float32
	Residual []float32
	InvNorm  []float32
	Bad      uint64 // as in Group
}

// Row is what is known of a row besides its body.
type Row struct {
	Identity
	IDHash uint64 // hash of the memory's id, so that a row with a damaged body is still found by its id
	Void   bool   // the row was never written: a failed operation's place
	Vector uint32 // vector slot, or NoVector
}

// stride is the distance of two vectors in bytes: a multiple of 64.
func stride(dim int) int { return (dim*4 + 63) &^ 63 }

func errSlot(slot, rows uint32) error {
	return fmt.Errorf("slot %d is outside the segment of %d rows", slot, rows)
}
