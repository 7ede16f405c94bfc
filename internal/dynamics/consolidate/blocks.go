package consolidate

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/orchard9/engram-go/internal/vec"
)

// tables is the number of independent cuts of the vectors by hyperplanes. Chosen: a plane parts a pair at cosine c with
// probability arccos(c)/pi, .14 at .9, so that with 4 to 14 planes such a pair shares all sides of one table with
// probability .54 to .11.
const tables = 20

// edges finds the pairs of restatements by looking into blocks, some of them more than once.
func (g *grouper) edges() []edge {
	var out []edge
	look := func(block []int, worth func(a, b *item) bool) {
		for i, x := range block {
			for _, y := range block[i+1 : min(len(block), i+1+g.o.Window)] {
				a, b := min(x, y), max(x, y)
				if !worth(&g.items[a], &g.items[b]) {
					continue
				}
				if p := g.compare(&g.items[a], &g.items[b]); p.same {
					out = append(out, edge{a: a, b: b, near: p.near})
				}
			}
		}
	}
	all := func(*item, *item) bool { return true }
	near := func(a, b *item) bool { return float64(vec.Dot(a.unit, b.unit)) >= g.o.Cosine }
	g.wordBlocks(func(block []int) { look(block, all) })
	g.vectorBlocks(func(block []int) { look(block, near) })
	return out
}

// wordBlocks calls look with the items that share one of their rarest words, those with the same words side by side.
func (g *grouper) wordBlocks(look func([]int)) {
	blocks := make([][]int, g.words)
	for i := range g.items {
		it := &g.items[i]
		if len(it.words) < g.o.MinWords {
			continue
		}
		for _, w := range it.words[:it.prefix] {
			blocks[w] = append(blocks[w], i)
		}
	}
	for _, block := range blocks {
		if len(block) < 2 {
			continue
		}
		slices.SortFunc(block, func(a, b int) int {
			x, y := &g.items[a], &g.items[b]
			return cmp.Or(cmp.Compare(x.Scope, y.Scope), slices.Compare(x.words, y.words), cmp.Compare(a, b))
		})
		look(block)
	}
}

// sides is the number of hyperplanes of a table for n vectors: about 32 vectors share all sides if they lie evenly.
func sides(n int) int { return min(max(bits.Len(uint(n/32)), 4), 14) }

// vectorBlocks calls look with the items whose vectors lie on the same sides of a table's hyperplanes, those along one
// more direction side by side.
func (g *grouper) vectorBlocks(look func([]int)) {
	type placed struct {
		item  int
		sides uint32
		along float32
	}
	var with []int
	for i := range g.items {
		if len(g.items[i].unit) > 0 && len(g.items[i].words) >= g.o.MinWords {
			with = append(with, i)
		}
	}
	if len(with) < 2 {
		return
	}
	n := sides(len(with))
	random := signs(0x9e3779b97f4a7c15)
	plane := make([]float32, 0, len(g.items[with[0]].unit))
	for range tables {
		all := make([]placed, len(with))
		for i, item := range with {
			all[i].item = item
		}
		for bit := range n + 1 {
			plane = random.fill(plane[:0], cap(plane))
			for i := range all {
				along := vec.Dot(plane, g.items[all[i].item].unit)
				switch {
				case bit == n:
					all[i].along = along
				case along > 0:
					all[i].sides |= 1 << bit
				}
			}
		}
		slices.SortFunc(all, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.sides, b.sides), cmp.Compare(a.along, b.along), cmp.Compare(a.item, b.item))
		})
		for from := 0; from < len(all); {
			to := from
			var block []int
			for to < len(all) && all[to].sides == all[from].sides {
				block = append(block, all[to].item)
				to++
			}
			look(block)
			from = to
		}
	}
}

// signs is a source of hyperplanes whose normals have elements 1 and -1: splitmix64, the same on every machine.
type signs uint64

// fill appends n signs to plane.
func (s *signs) fill(plane []float32, n int) []float32 {
	var word uint64
	for i := range n {
		if i%64 == 0 {
			*s += 0x9e3779b97f4a7c15
			word = uint64(*s)
			word = (word ^ word>>30) * 0xbf58476d1ce4e5b9
			word = (word ^ word>>27) * 0x94d049bb133111eb
			word ^= word >> 31
		}
		plane = append(plane, float32(int(word&1)*2-1))
		word >>= 1
	}
	return plane
}
