package isolate

import (
	"math/bits"
	"sync/atomic"
)

// Chunks of a Column double from 1<<firstBits elements to 1<<capBits and stay there, so that a space of ten memories
// costs little and a large one wastes at most one chunk.
const (
	firstBits = 6
	capBits   = 13
	// The doubling chunks 0..doubling-1 hold the first 1<<(capBits+1) - 1<<firstBits elements together.
	doubling = capBits - firstBits + 1
)

// locate gives the chunk that holds element i and the place in it.
//
// Counted from 1<<firstBits on instead of from 0, chunk k < doubling holds what has firstBits+1+k binary digits, so
// that the place is what stands behind the first digit; later chunks hold 1<<capBits each. Readers pay for every step
// of this: it has one branch, and is cheap enough that the compiler puts it, At and Stamps.Alive into their callers.
func locate(i uint32) (chunk, offset uint64) {
	n := uint64(i) + 1<<firstBits
	if n >= 1<<(capBits+1) {
		return n>>capBits + doubling - 2, n & (1<<capBits - 1)
	}
	k := bits.Len64(n) - 1
	return uint64(k - firstBits), n - 1<<k
}

// chunkLen is the number of elements in chunk k.
func chunkLen(k uint64) int {
	return 1 << min(firstBits+k, capBits)
}

// Column is an append-only sequence of T whose elements never move. The zero value is empty and ready.
//
// Readers may call Get and At for elements that the writer has made reachable (see the package comment); the writer
// may call everything. Growth allocates one chunk and copies only the directory of chunk pointers.
type Column[T any] struct {
	dir atomic.Pointer[[][]T]
}

// Grow makes room for elements 0..n-1. Elements not yet set hold T's zero value. Only the writer may call it.
func (c *Column[T]) Grow(n uint32) {
	if n == 0 {
		return
	}
	last, _ := locate(n - 1)
	var dir [][]T
	if p := c.dir.Load(); p != nil {
		dir = *p
	}
	if last < uint64(len(dir)) {
		return
	}
	grown := make([][]T, last+1)
	for k := uint64(copy(grown, dir)); k <= last; k++ {
		grown[k] = make([]T, chunkLen(k))
	}
	c.dir.Store(&grown)
}

// Set stores element i, growing as needed. Only the writer may call it, and only for an element no reader can reach.
func (c *Column[T]) Set(i uint32, v T) {
	*c.Slot(i) = v
}

// Slot returns the address of element i, growing as needed; it stays valid for the life of the column. Only the
// writer may call it.
func (c *Column[T]) Slot(i uint32) *T {
	Point("isolate/column")
	c.Grow(i + 1)
	return c.At(i)
}

// At returns the address of element i, which must exist; it stays valid for the life of the column.
func (c *Column[T]) At(i uint32) *T {
	chunk, offset := locate(i)
	return &(*c.dir.Load())[chunk][offset]
}

// Get returns element i, which must exist.
func (c *Column[T]) Get(i uint32) T { return *c.At(i) }

// Has reports whether element i has a place.
func (c *Column[T]) Has(i uint32) bool {
	p := c.dir.Load()
	if p == nil {
		return false
	}
	chunk, _ := locate(i)
	return chunk < uint64(len(*p))
}

// Places is how many elements a Column has a place for once it was grown to n: whole chunks.
func Places(n uint32) uint64 {
	if n == 0 {
		return 0
	}
	const before = 1 << firstBits // see locate
	if i := uint64(n) - 1 + before; i < 1<<(capBits+1) {
		return 1<<bits.Len64(i) - before
	}
	return (uint64(n)+before+1<<capBits-1)>>capBits<<capBits - before
}

// Stamps is a column of the log positions at which rows end. A row is alive at position p if its stamp is above p;
// a row that was never given a stamp is alive nowhere. The zero value is empty and ready.
//
// Stamps may be changed while readers look: each is one atomic word, and a reader's view decides by its own p, so a
// stamp beyond p changes nothing for that reader.
type Stamps struct {
	ends Column[atomic.Uint64]
}

// Never is the stamp of a row that has not ended.
const Never = ^uint64(0)

// Set gives row its end, the position from which on it is no longer alive: [Never] while it lives, 0 for a row that
// is void. Only the writer may call it.
func (s *Stamps) Set(row uint32, end uint64) { s.ends.Slot(row).Store(end) }

// End tells the row's end; 0 if it has none.
func (s *Stamps) End(row uint32) uint64 {
	if !s.ends.Has(row) {
		return 0
	}
	return s.ends.At(row).Load()
}

// EndsAfter is Alive for a row that has a place, as all have that a view covers. Readers ask it for every row they
// pass: it is small enough that the compiler puts it into its callers.
func (s *Stamps) EndsAfter(row uint32, p uint64) bool {
	chunk, offset := locate(row)
	return (*s.ends.dir.Load())[chunk][offset].Load() > p
}

// Alive reports whether row is alive at position p. A row without a place is not.
func (s *Stamps) Alive(row uint32, p uint64) bool {
	dir := s.ends.dir.Load()
	if dir == nil {
		return false
	}
	chunk, offset := locate(row)
	return chunk < uint64(len(*dir)) && (*dir)[chunk][offset].Load() > p
}
