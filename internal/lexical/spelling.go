package lexical

import (
	"context"
	"math/bits"
	"sync/atomic"
)

// spelling tells which terms of a vocabulary may be near a word, without looking at them. Pairs and triples of letters
// are hashed to 64 places each, and a plane has for each place a bit of every term: set if one of the term's grams
// falls there. Seven more planes are the number of the term's grams. Adding up the planes of a word's grams as binary
// numbers, 64 terms with each operation, gives at least what each term has in common with the word. Measured with
// BenchmarkExpand: 2 ns for a term and word, where going through signatures of 16 bytes a term took 7 in the same run.
//
// Planes are cut into segments, the first of 64 terms, those from the fourth on of 512, so that a plane of one is a
// line of the cache. The zero value is ready. One writer adds terms; readers look at terms that were published to them.
type spelling struct {
	segments atomic.Pointer[[]*segment]
	grams    []uint32 // the writer's
}

const (
	gramPlanes  = 128
	countPlanes = 7 // a term has below 128 grams: its pairs and triples at most are 125
	allPlanes   = gramPlanes + countPlanes
	termBits    = 64 // terms in a word of a plane

	segmentTerms   = 512
	growingSegment = 4 // the first with segmentTerms: 64, 64, 128 and 256 are before it
)

// segment is the planes of some terms: of plane p the words from p*width on.
type segment struct {
	width  int
	planes []atomic.Uint64
}

// segmentOf gives the segment that a term is in and its place there.
func segmentOf(id uint32) (number int, place uint32) {
	switch {
	case id < termBits:
		return 0, id
	case id < segmentTerms:
		number = bits.Len32(id) - 6
		return number, id - termBits<<(number-1)
	}
	return growingSegment + int(id/segmentTerms) - 1, id % segmentTerms
}

// segmentWidth is how many words of each plane a segment has.
func segmentWidth(number int) int { return 1 << min(max(number-1, 0), 3) }

// firstTerm is the term at place 0 of a segment.
func firstTerm(number int) uint32 {
	switch {
	case number == 0:
		return 0
	case number < growingSegment:
		return termBits << (number - 1)
	}
	return segmentTerms * uint32(number-growingSegment+1)
}

// planeOf is the plane of a gram.
func planeOf(gram uint32) int {
	const factor, shift = 0x9e3779b1, 26
	plane := int(gram * factor >> shift)
	if gram&tripleGram != 0 {
		plane += gramPlanes / 2
	}
	return plane
}

// set notes the text of a term. An id may be set again: what the former text leaves makes its successor look nearer,
// never less near.
func (s *spelling) set(id uint32, text []byte) {
	number, place := segmentOf(id)
	g := s.segment(number)
	s.grams = s.grams[:0]
	if spelled(text) {
		s.grams = grams(s.grams, text)
	}
	word, bit := int(place/termBits), uint64(1)<<(place%termBits)
	for _, gram := range s.grams {
		plane := &g.planes[planeOf(gram)*g.width+word]
		plane.Store(plane.Load() | bit)
	}
	for i := range countPlanes {
		plane := &g.planes[(gramPlanes+i)*g.width+word]
		if len(s.grams)>>i&1 != 0 {
			plane.Store(plane.Load() | bit)
		} else {
			plane.Store(plane.Load() &^ bit)
		}
	}
}

// segment returns a segment that is there or the next one.
func (s *spelling) segment(number int) *segment {
	var all []*segment
	if p := s.segments.Load(); p != nil {
		all = *p
	}
	if number == len(all) {
		width := segmentWidth(number)
		all = append(all, &segment{width: width, planes: make([]atomic.Uint64, allPlanes*width)})
		s.segments.Store(&all)
	}
	return all[number]
}

// sizeBytes is the memory held for a vocabulary of n terms.
func (s *spelling) sizeBytes(n uint32) (size int64) {
	if n == 0 {
		return 0
	}
	last, _ := segmentOf(n - 1)
	for number := range min(last+1, growingSegment) {
		size += int64(8 * allPlanes * segmentWidth(number))
	}
	return size + int64(max(0, last+1-growingSegment))*8*allPlanes*segmentTerms/termBits
}

// candidates lists the terms below n that may have a likeness above 2/5 to the word with these grams: in its first
// element those for which it may be above 2/3, in its second above 1/2, in its third the others. It looks at ctx now
// and then and returns its error.
//
// With c grams in common, b of the term and a of the word, the likeness 2c/(a+b) is above 2/k if kc > a+b. As b is c or
// more, 5c > a+b takes 4c > a, which a comparison with a constant settles for most terms.
func (s *spelling) candidates(ctx context.Context, word []uint32, n uint32) (near [3][]uint32, err error) {
	const checkSegments = 64
	p := s.segments.Load()
	if p == nil {
		return near, nil
	}
	a := uint64(len(word))
	planes := make([]int, a)
	for i, gram := range word {
		planes[i] = planeOf(gram)
	}
	for number, g := range *p {
		if number%checkSegments == 0 && ctx.Err() != nil {
			return near, ctx.Err()
		}
		first := firstTerm(number)
		if first >= n {
			break
		}
		for j := range g.width {
			common := g.count(planes, j)
			left := atLeast(&common, a/4+1)
			for i, k := range [3]int{3, 4, 5} {
				if left == 0 {
					break
				}
				found := left & g.nearer(&common, a, k, j)
				for left &^= found; found != 0; found &= found - 1 {
					if id := first + uint32(j*termBits+bits.TrailingZeros64(found)); id < n {
						near[i] = append(near[i], id)
					}
				}
			}
		}
	}
	return near, nil
}

// tally is a number of up to 10 binary digits for each of 64 terms: digit i of all of them is element i.
type tally [10]uint64

// count adds up the planes for the terms of word j, two at a time. The sum is below 128.
func (g *segment) count(planes []int, j int) (sum tally) {
	for i := 0; i < len(planes); i += 2 {
		x, y := g.planes[planes[i]*g.width+j].Load(), uint64(0)
		if i+1 < len(planes) {
			y = g.planes[planes[i+1]*g.width+j].Load()
		}
		var carry uint64
		sum[0], carry = fullAdd(sum[0], x, y)
		for digit := 1; carry != 0 && digit < countPlanes; digit++ {
			sum[digit], carry = sum[digit]^carry, sum[digit]&carry
		}
	}
	return sum
}

// atLeast has the bits of the terms whose number, below 128, is least or more: adding 128-least carries.
func atLeast(n *tally, least uint64) (carry uint64) {
	add := 1<<countPlanes - least
	if least > 1<<countPlanes {
		return 0
	}
	for i := range countPlanes {
		if add>>i&1 != 0 {
			carry |= n[i]
		} else {
			carry &= n[i]
		}
	}
	return carry
}

// nearer has the bits of the terms of word j for which k times the number in common is above a and the number of the
// term's own grams together.
func (g *segment) nearer(common *tally, a uint64, k, j int) (above uint64) {
	var times, both tally
	shift := 2 // 4c, or 4c+c
	if k == 3 {
		shift = 1 // 2c+c
	}
	var carryTimes, carryBoth uint64
	for i := range times {
		var shifted, plain, own, word uint64
		if i >= shift {
			shifted = common[i-shift]
		}
		if k != 4 {
			plain = common[i]
		}
		times[i], carryTimes = fullAdd(shifted, plain, carryTimes)
		if i < countPlanes {
			own = g.planes[(gramPlanes+i)*g.width+j].Load()
		}
		if a>>i&1 != 0 {
			word = ^uint64(0)
		}
		both[i], carryBoth = fullAdd(own, word, carryBoth)
		// above is what subtracting times from both borrows.
		above = ^both[i]&(times[i]|above) | times[i]&above
	}
	return above
}

func fullAdd(x, y, carry uint64) (sum, out uint64) {
	return x ^ y ^ carry, x&y | carry&(x^y)
}
