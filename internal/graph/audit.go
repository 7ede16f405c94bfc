package graph

import (
	"hash/maphash"
	"math"
	"slices"
)

// Lopsided lists the entries below limit, ascending, whose associations at position are not seen alike from both of
// their ends, or are not as many as is counted. It takes 8 bytes an entry, and time proportional to the number of
// associations.
func (l *Links) Lopsided(limit uint32, position uint64) (wrong []uint32) {
	// What the end that made an association adds to the sum of the other, that one takes from it.
	sums := make([]uint64, limit)
	seed := maphash.MakeSeed()
	for entry := range limit {
		counted := l.Degree(entry, position, math.MaxInt)
		n, stray := 0, false
		for a := range l.at(entry, position) {
			n++
			switch made := a.kind&1 == 1; {
			case a.to >= limit:
				stray = true
			case made && a.to == entry: // found once
			case made:
				sums[a.to] += maphash.Comparable(seed, association{entry, a.to, a.kind >> 1, a.weight})
			default:
				sums[entry] -= maphash.Comparable(seed, association{a.to, entry, a.kind >> 1, a.weight})
			}
		}
		if stray || n != counted {
			wrong = append(wrong, entry)
		}
	}
	for entry, sum := range sums {
		if sum != 0 {
			wrong = append(wrong, uint32(entry))
		}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong)
}

// at gives the associations of entry at position by their spans alone, whatever its degree says.
func (l *Links) at(entry uint32, position uint64) func(yield func(arc) bool) {
	return func(yield func(arc) bool) {
		list := l.load(entry)
		if list == nil {
			return
		}
		for i := range list.n.Load() {
			if list.spans[i].at(position) && !yield(list.arcs[i]) {
				return
			}
		}
	}
}

// association is one by itself, from the end that made it.
type association struct {
	from, to, kind uint32
	weight         float32
}
