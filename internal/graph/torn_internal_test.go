package graph

import (
	"slices"
	"testing"
)

// TestInterruptedInsertLeavesTheChainWhole stops an insertion after each of its stores, goes on with others, and
// expects that readers, for whom the row is dead, find all others both ways at every moment.
func TestInterruptedInsertLeavesTheChainWhole(t *testing.T) {
	for _, size := range []int{3, smallSession + 1, 3 * chunkRows} {
		for _, at := range []int{0, 1, size - 1, size} { // rows before it
			for stores := range 5 {
				interrupt(t, size, at, stores)
			}
		}
	}
}

func interrupt(t *testing.T, size, at, stores int) {
	t.Helper()
	c := NewChain()
	key := map[uint32]int{}
	before := func(a, b uint32) bool { return key[a] < key[b] }
	var living []uint32
	for row := range uint32(size) {
		key[row] = int(row) * 10
		c.Insert(1, row, before)
		living = append(living, row)
	}
	s := c.sessions[1]
	lost := uint32(size)
	alive := func(row uint32) bool { return row != lost }
	check := func(when string) {
		t.Helper()
		var there []uint32
		for row, ok := living[0], true; ok; row, ok = c.Next(row, alive) {
			there = append(there, row)
		}
		var back []uint32
		for row, ok := living[len(living)-1], true; ok; row, ok = c.Prev(row, alive) {
			back = append(back, row)
		}
		slices.Reverse(back)
		if !slices.Equal(there, living) || !slices.Equal(back, living) {
			t.Fatalf("size %d at %d after %d stores, %s: %d rows forward, %d back, want %d",
				size, at, stores, when, len(there), len(back), len(living))
		}
	}
	key[lost] = at*10 - 5
	c.links.Grow(lost + 1)
	// The stores of an insertion, in their order, as far as they got.
	steps := []func(){
		func() { s.torn = true },
		func() {
			if at < size {
				c.links.At(lost).next.Store(uint32(at) + 1)
			}
		},
		func() {
			if at > 0 {
				c.links.At(lost).prev.Store(uint32(at-1) + 1)
			}
		},
		func() {
			if at < size {
				c.links.At(uint32(at)).prev.Store(lost + 1)
			}
		},
		func() {
			if at > 0 {
				c.links.At(uint32(at - 1)).next.Store(lost + 1)
			} else {
				s.head = lost
			}
		},
	}
	for _, step := range steps[:stores+1] {
		step()
	}
	check("interrupted")
	for i, k := range []int{at*10 - 6, at*10 - 4, -100, size * 100, at*10 - 5} {
		row := uint32(size + 1 + i)
		key[row] = k
		c.Insert(1, row, before)
		living = append(living, row)
		slices.SortStableFunc(living, func(a, b uint32) int { return key[a] - key[b] })
		check("then others")
	}
}
