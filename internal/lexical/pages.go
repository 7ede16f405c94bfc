package lexical

import (
	"fmt"
	"math/bits"
	"sync/atomic"
)

// Pages double from 1<<firstPage to 1<<lastPage bytes and stay there: an index of one memory stays small, and a large
// one wastes at most one page.
const (
	firstPage = 8
	lastPage  = 18
	// Pages 0..doubling-1 hold the first 1<<lastPage bytes together.
	doubling = lastPage - firstPage + 1
)

// pages is an append-only store of bytes that never move, addressed from 0. The zero value is empty and ready.
//
// alloc and writes are for the one writer. Reading is for anybody who learned the address through something published
// after the bytes were written.
type pages struct {
	dir  atomic.Pointer[[][]byte]
	used atomic.Uint64 // bytes allocated, gaps at page ends included; the writer's
	held atomic.Int64  // bytes of the pages
}

// locatePage gives the page that holds address a and the place in it.
func locatePage(a uint64) (page, offset int) {
	if a >= 1<<lastPage {
		return doubling - 1 + int(a>>lastPage), int(a & (1<<lastPage - 1))
	}
	k := bits.Len64(a >> firstPage)
	if k == 0 {
		return 0, int(a)
	}
	return k, int(a) - 1<<(firstPage+k-1)
}

// pageStart is the address of the first byte of page k.
func pageStart(k int) uint64 {
	switch {
	case k == 0:
		return 0
	case k < doubling:
		return 1 << (firstPage + k - 1)
	default:
		return uint64(k-doubling+1) << lastPage
	}
}

// alloc returns the address of n zero bytes, n <= 1<<lastPage, in one page. It panics where that would pass limit.
func (p *pages) alloc(n int, limit uint64) uint64 {
	a := p.used.Load()
	page, _ := locatePage(a)
	for a+uint64(n) > pageStart(page+1) {
		page++
		a = pageStart(page)
	}
	if a+uint64(n) > limit {
		panic(fmt.Sprintf("lexical: index holds %d bytes of at most %d: it is full", a, limit))
	}
	p.grow(page)
	p.used.Store(a + uint64(n))
	return a
}

// grow makes pages up to last. Appending may copy the directory (24 bytes a page), never a page; a place beyond every
// published length is the writer's alone.
func (p *pages) grow(last int) {
	var dir [][]byte
	if d := p.dir.Load(); d != nil {
		dir = *d
	}
	if last < len(dir) {
		return
	}
	for k := len(dir); k <= last; k++ {
		size := int(pageStart(k+1) - pageStart(k))
		dir = append(dir, make([]byte, size))
		p.held.Add(int64(size))
	}
	p.dir.Store(&dir)
}

// at returns the bytes from address a to the end of its page.
func (p *pages) at(a uint64) []byte {
	page, offset := locatePage(a)
	return (*p.dir.Load())[page][offset:]
}

// sizeBytes is the memory held, the directory included.
func (p *pages) sizeBytes() int64 {
	held := p.held.Load()
	if held == 0 {
		return 0
	}
	return held + 24*(doubling+held>>lastPage)
}
