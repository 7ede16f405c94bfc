package graph

import (
	"slices"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

const (
	// smallSession is how many rows a session may have while its places are found by walking its links; beyond that
	// it gets an index of chunks. Chosen: a walk of 64 costs about what the index's allocations do.
	smallSession = 64
	// chunkRows is the size of an index chunk: inserting moves at most this many row numbers (2 KiB).
	chunkRows = 512
)

// Chain is the order of memories within their sessions: doubly linked lists over rows. A row costs 8 bytes up to the
// highest one inserted, a session some 100 bytes, and one of more than 64 rows 4 to 8 bytes more a row. Use NewChain.
//
// Insert is for the one writer; Prev and Next are for anybody.
type Chain struct {
	links isolate.Column[link]
	// sessions is the writer's. It is keyed by the session's symbol.
	sessions map[uint32]*session
}

// link holds row+1 of both neighbours, 0 where there is none.
type link struct{ prev, next atomic.Uint32 }

// session is the writer's view of one list. Its truth are the forward links from head; chunks is an index over them.
type session struct {
	head, tail uint32 // rows
	count      int
	// torn is set while links and index are being changed. If an insertion finds it set, the last one was interrupted,
	// and tail, count and chunks are made anew from the links.
	torn   bool
	chunks [][]uint32 // all rows in order, no chunk empty; nil while the session is small
}

// NewChain returns an empty chain.
func NewChain() *Chain { return &Chain{sessions: map[uint32]*session{}} }

// Insert puts row into the order of session, behind all rows that it is not before. before(a, b) tells whether row a
// belongs ahead of row b; it must be a strict weak order over row and the rows of the session, and is called about
// log2(n) times (once if row comes last). Each row is inserted at most once.
//
// Only the writer may call it, before it publishes row. If before panics, nothing has changed; if anything else
// interrupts Insert, the chain stays whole and row must not become alive.
func (c *Chain) Insert(sessionID, row uint32, before func(a, b uint32) bool) {
	c.links.Grow(row + 1)
	s := c.sessions[sessionID]
	if s == nil {
		c.sessions[sessionID] = &session{head: row, tail: row, count: 1}
		return
	}
	if s.torn {
		c.restore(s)
	}
	if !before(row, s.tail) {
		c.appendTo(s, row)
		return
	}
	if s.chunks == nil {
		c.insertSmall(s, row, before)
		return
	}
	at, _ := slices.BinarySearchFunc(s.chunks, row, func(chunk []uint32, row uint32) int {
		return side(before(row, chunk[len(chunk)-1]))
	})
	chunk := s.chunks[at]
	i, _ := slices.BinarySearchFunc(chunk, row, func(other, row uint32) int { return side(before(row, other)) })
	ahead := uint32(0) // of the head there is none
	switch {
	case i > 0:
		ahead = chunk[i-1]
	case at > 0:
		ahead = s.chunks[at-1][len(s.chunks[at-1])-1]
	}
	s.torn = true
	c.join(s, ahead, row, chunk[i])
	s.insert(at, i, row)
	s.count++
	s.torn = false
}

// side is the comparison that makes a binary search find the first element that the new row is before.
func side(rowIsBefore bool) int {
	if rowIsBefore {
		return 1
	}
	return -1
}

// appendTo puts row behind the last row.
func (c *Chain) appendTo(s *session, row uint32) {
	s.torn = true
	c.links.At(row).prev.Store(s.tail + 1)
	c.links.At(s.tail).next.Store(row + 1)
	isolate.Point("graph/chain.append")
	s.tail = row
	s.count++
	switch {
	case s.chunks != nil:
		s.insert(len(s.chunks)-1, len(s.chunks[len(s.chunks)-1]), row)
	case s.count > smallSession:
		c.restore(s)
	}
	s.torn = false
}

// insertSmall finds the place by walking: row is before the tail.
func (c *Chain) insertSmall(s *session, row uint32, before func(a, b uint32) bool) {
	var rows [smallSession]uint32
	n := 0
	for at, ok := s.head, true; ok && n < len(rows); at, ok = c.next(at) {
		rows[n] = at
		n++
	}
	i, _ := slices.BinarySearchFunc(rows[:n], row, func(other, row uint32) int { return side(before(row, other)) })
	s.torn = true
	c.join(s, rows[max(i, 1)-1], row, rows[i])
	s.count++
	if s.count > smallSession {
		c.restore(s)
	}
	s.torn = false
}

// join links row between ahead and follower, neighbours by the forward links; ahead does not count if follower is the
// head. The forward link that makes row part of the list comes last.
func (c *Chain) join(s *session, ahead, row, follower uint32) {
	own, behind := c.links.At(row), c.links.At(follower)
	own.next.Store(follower + 1)
	if follower == s.head {
		behind.prev.Store(row + 1)
		isolate.Point("graph/chain.head")
		s.head = row
		return
	}
	own.prev.Store(ahead + 1)
	behind.prev.Store(row + 1)
	isolate.Point("graph/chain.join")
	c.links.At(ahead).next.Store(row + 1)
}

// restore makes what the writer keeps of a session from its forward links.
func (c *Chain) restore(s *session) {
	var rows []uint32
	s.count = 0
	for at, ok := s.head, true; ok; at, ok = c.next(at) {
		rows = append(rows, at)
		s.tail = at
		s.count++
	}
	s.chunks = nil
	if s.count > smallSession {
		s.chunks = slices.Collect(slices.Chunk(rows, chunkRows))
		for i, chunk := range s.chunks { // chunks grow: each needs an array of its own
			s.chunks[i] = slices.Clone(chunk)
		}
	}
	s.torn = false
}

// insert puts row at place i of chunk at, splitting a full chunk.
func (s *session) insert(at, i int, row uint32) {
	chunk := s.chunks[at]
	if len(chunk) < chunkRows {
		s.chunks[at] = slices.Insert(chunk, i, row)
		return
	}
	switch {
	case i == len(chunk): // behind everything: leave the chunk full
		s.chunks = slices.Insert(s.chunks, at+1, []uint32{row})
	case i == 0 && at == 0: // ahead of everything: likewise
		s.chunks = slices.Insert(s.chunks, 0, []uint32{row})
	default:
		half := chunkRows / 2
		right := slices.Clone(chunk[half:])
		s.chunks = slices.Insert(s.chunks, at+1, right)
		s.chunks[at] = chunk[:half]
		if i > half {
			at, i = at+1, i-half
		}
		s.chunks[at] = slices.Insert(s.chunks[at], i, row)
	}
}

func (c *Chain) next(row uint32) (uint32, bool) {
	n := c.links.At(row).next.Load()
	return n - 1, n != 0
}

// Next gives the next row of row's session for which alive is true; false if there is none or row is in no session.
// alive must refuse rows that are not published to the caller. Runs of dead rows are walked.
func (c *Chain) Next(row uint32, alive func(row uint32) bool) (uint32, bool) {
	if !c.links.Has(row) {
		return 0, false
	}
	for n := c.links.At(row).next.Load(); n != 0; n = c.links.At(n - 1).next.Load() {
		if alive(n - 1) {
			return n - 1, true
		}
	}
	return 0, false
}

// Prev gives the previous row of row's session for which alive is true; otherwise like Next.
func (c *Chain) Prev(row uint32, alive func(row uint32) bool) (uint32, bool) {
	if !c.links.Has(row) {
		return 0, false
	}
	for p := c.links.At(row).prev.Load(); p != 0; p = c.links.At(p - 1).prev.Load() {
		if alive(p - 1) {
			return p - 1, true
		}
	}
	return 0, false
}
