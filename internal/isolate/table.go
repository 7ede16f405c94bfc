package isolate

import "sync/atomic"

// Table is a hash index from a 64-bit hash to 32-bit values: it remembers candidates, and the caller checks each
// against the real key. Several values may share a hash. It is open-addressed with linear probing, 8 bytes a slot.
// The zero value is empty and ready.
//
// Insert is for the one writer; Find is for any number of readers beside it. Values are never removed one by one: a
// value that its owner considers gone is skipped by the owner's check and dropped when the table grows.
type Table struct {
	slots atomic.Pointer[tableSlots]
	used  int // slots taken, stale ones included; the writer's
}

// A slot is 0 if free, else the hash's upper 31 bits << 33 | 1 << 32 | value. Those bits also give the slot's place, so
// that a table grows without asking for the hashes again.
type tableSlots struct {
	words []atomic.Uint64
	mask  uint64
}

const tableFirst = 16

func slotWord(hash uint64, value uint32) uint64 {
	return hash>>33<<33 | 1<<32 | uint64(value)
}

// Insert adds a value under hash. When the table has to grow, keep tells which of the values so far are still wanted;
// nil keeps all.
func (t *Table) Insert(hash uint64, value uint32, keep func(value uint32) bool) {
	Point("isolate/table")
	s := t.slots.Load()
	if s == nil || (t.used+1)*4 > len(s.words)*3 {
		s = t.grow(s, keep)
	}
	s.put(slotWord(hash, value))
	t.used++
}

// grow publishes a table that the kept values fill to three eighths at most.
func (t *Table) grow(old *tableSlots, keep func(uint32) bool) *tableSlots {
	var kept []uint64
	if old != nil {
		for i := range old.words {
			w := old.words[i].Load()
			if w == 0 {
				continue
			}
			if keep == nil || keep(uint32(w)) {
				kept = append(kept, w)
			}
		}
	}
	size := tableFirst
	for size*3 < (len(kept)+1)*8 {
		size *= 2
	}
	s := &tableSlots{words: make([]atomic.Uint64, size), mask: uint64(size - 1)}
	for _, w := range kept {
		s.put(w)
	}
	t.used = len(kept)
	t.slots.Store(s)
	return s
}

func (s *tableSlots) put(word uint64) {
	for i := word >> 33 & s.mask; ; i = (i + 1) & s.mask {
		if s.words[i].Load() == 0 {
			s.words[i].Store(word)
			return
		}
	}
}

// Find calls match with each value that may have been inserted under hash, oldest table position first, until match
// returns true; it returns that value. It allocates nothing.
func (t *Table) Find(hash uint64, match func(value uint32) bool) (uint32, bool) {
	s := t.slots.Load()
	if s == nil {
		return 0, false
	}
	tag := hash >> 33
	for i := tag & s.mask; ; i = (i + 1) & s.mask {
		w := s.words[i].Load()
		if w == 0 {
			return 0, false
		}
		if w>>33 == tag && match(uint32(w)) {
			return uint32(w), true
		}
	}
}

// SizeBytes is the memory held by the slots.
func (t *Table) SizeBytes() int64 {
	if s := t.slots.Load(); s != nil {
		return int64(len(s.words)) * 8
	}
	return 0
}
