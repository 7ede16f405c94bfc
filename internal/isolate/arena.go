package isolate

import (
	"fmt"
	"sync/atomic"
)

// Arena is an append-only store of byte strings that never move. The zero value is not ready; use NewArena.
//
// Append is for the one writer. At is for anybody who learned the Ref through something published after Append
// returned. Bytes once appended are never changed.
type Arena struct {
	chunks    atomic.Pointer[[][]byte]
	used      int // bytes used of the last chunk
	chunkSize int
	sizeBytes atomic.Int64 // bytes held by chunks
}

// Ref is a place in an Arena: chunk number in the upper 32 bits, offset in the lower.
type Ref uint64

// Chunk sizes of an Arena double from the first to the last.
const (
	arenaFirst = 4 << 10
	arenaLast  = 1 << 20
)

// NewArena returns an empty arena; it allocates with the first Append.
func NewArena() *Arena {
	a := &Arena{chunkSize: arenaFirst}
	a.chunks.Store(&[][]byte{}) // so that readers need not ask whether there is a directory
	return a
}

// Append copies the parts, one after the other, into one place and returns where that is. A string never straddles
// chunks; one larger than a chunk gets a chunk of its own.
func (a *Arena) Append(parts ...[]byte) Ref {
	Point("isolate/arena")
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	chunks := *a.chunks.Load()
	if len(chunks) == 0 || n > len(chunks[len(chunks)-1])-a.used {
		chunks = a.grow(chunks, n)
	}
	last := len(chunks) - 1
	ref := Ref(uint64(last)<<32 | uint64(a.used))
	for _, p := range parts {
		a.used += copy(chunks[last][a.used:], p)
	}
	return ref
}

func (a *Arena) grow(chunks [][]byte, n int) [][]byte {
	size := max(a.chunkSize, n)
	a.chunkSize = min(a.chunkSize*2, arenaLast)
	// Appending a pointer may copy the directory (24 bytes a chunk), never the chunks. A place beyond every published
	// length is the writer's alone.
	grown := append(chunks, nil)
	grown[len(chunks)] = make([]byte, size)
	a.used = 0
	a.chunks.Store(&grown)
	a.sizeBytes.Add(int64(size))
	return grown
}

// View returns the n bytes at ref without copying; nobody may write to them. nil says that the place is outside the
// arena; no bytes at a place that exists are not nil.
//
// It is small enough that the compiler puts it into its callers: a call makes reading 64 bytes half as slow again.
func (a *Arena) View(ref Ref, n uint32) []byte {
	chunks := *a.chunks.Load()
	from := uint64(ref & 0xffffffff)
	end := from + uint64(n)
	if chunk := uint64(ref >> 32); chunk < uint64(len(chunks)) && end <= uint64(len(chunks[chunk])) {
		return chunks[chunk][from:end:end]
	}
	return nil
}

// At is View with an error that names the place where that is outside the arena.
func (a *Arena) At(ref Ref, n uint32) ([]byte, error) {
	if b := a.View(ref, n); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("arena place %d+%d of chunk %d is outside the arena of %d chunks",
		ref&0xffffffff, n, ref>>32, len(*a.chunks.Load()))
}

// SizeBytes is the memory held by the chunks.
func (a *Arena) SizeBytes() int64 { return a.sizeBytes.Load() }
