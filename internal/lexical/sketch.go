package lexical

import (
	"math/bits"
	"slices"
)

// sketch tells of the set of words that a content says whether it can be part of another one. The first half has a bit
// for each of the words in a sample, the second the same for a sample of half as many, where the bits are placed
// otherwise. How many words are in the samples depends on how many there are, so that about a third of the bits are
// set, and two contents of like size have a sample in common.
//
//	bits 0-57 of half i  words of which level+i bits of the hash are 0
//	bits 58-63           of the number of words, 4095 for more, the lower six bits and the upper six; level is that
//	                     number over 16, in bits, less 1
//
// Words are known by the numbers of their terms, which show in no result: a sketch only says what cannot be.
type sketch [2]uint64

const (
	sketchBits  = 58
	sketchWords = 1<<12 - 1
	sketchLeast = 3 // words; fewer say the same only if they are the same
)

// sketch is that of the content's words.
func (p *Prepared) sketch() (s sketch) {
	slices.Sort(p.said)
	p.said = slices.Compact(p.said)
	n := uint64(min(len(p.said), sketchWords))
	s[0], s[1] = n&(1<<6-1)<<sketchBits, n>>6<<sketchBits
	level := s.level()
	for _, id := range p.said {
		h := uint64(id+1) * 0x9e3779b97f4a7c15
		h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
		h ^= h >> 32
		for i := range s {
			if h&(1<<(level+i)-1) == 0 {
				s[i] |= sketchBit(h, level+i)
			}
		}
	}
	return s
}

// sketchBit is the bit of a word in samples of a level; in those of the next one it is another, as if drawn again.
func sketchBit(hash uint64, level int) uint64 {
	if level%2 == 1 {
		hash *= 0xd6e8feb86659fd93
	}
	return 1 << (hash >> 32 % sketchBits)
}

// words is the number of words, as far as it is counted.
func (s sketch) words() int { return int(s[1]>>sketchBits<<6 | s[0]>>sketchBits) }

// level leaves 16 to 31 words in the larger sample, or all if there are fewer.
func (s sketch) level() int { return max(0, bits.Len(uint(s.words()/16))-1) }

// within reports whether the words that s is of can all be among those of t, which are as many or more, at most half.
func (s sketch) within(t sketch) bool {
	const sample = 1<<sketchBits - 1
	if from, to := s.level(), t.level(); from < to { // by one
		return s[1]&^t[0]&sample == 0
	} else if from > to {
		return s[0]&^t[1]&sample == 0
	}
	return (s[0]&^t[0]|s[1]&^t[1])&sample == 0
}

// MayRestate reports whether the words of the content of one of two rows can all be among those of the other, which has
// at most half as many more; of fewer than three words, whether they can be the same. If it is false that is not so; if
// it is true it mostly is. Both must have been added.
func (x *Index) MayRestate(a, b uint32) bool {
	s, t := x.sketches.Get(a), x.sketches.Get(b)
	few, many := s.words(), t.words()
	if few > many {
		s, t, few, many = t, s, many, few
	}
	switch {
	case few == sketchWords: // or more, either of them
		return s.within(t) || t.within(s)
	case few == many || few < sketchLeast:
		return s == t
	}
	return 2*many <= 3*few && s.within(t)
}
