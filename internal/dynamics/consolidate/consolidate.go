// Package consolidate finds groups of memories that say the same thing, so that one can stand for all.
//
//	groups := consolidate.Groups(items, consolidate.Defaults())
//	for _, g := range groups { ... items[g.Members[0]] ..., items[g.Medoid] ... }
//
// # What is a restatement
//
// Two memories of one scope are restatements of each other if nothing in their texts says that they differ (the same
// numbers, the same words of negation, intention, possibility and condition, both a question or neither, common names
// in the same order) and if
//
//   - by words: all salient words of one are among the other's, and are at least the share Words of them; or
//   - by meaning: the cosine of their vectors is at least Cosine, neither is a memory that the other differs from in
//     just one salient word each way ("likes tea", "likes coffee": that pair is a contrast), nor does each name
//     somebody or something that the other does not.
//
// Words alone know no synonyms; they err towards keeping memories apart. The lists of guarding words are English.
//
// # Invariants
//
//   - Every two members of a group are restatements of each other (complete linkage): a group cannot drift.
//   - Groups are disjoint, of one scope, and have MinMembers or more, or hold one concept and at least one more.
//   - The result depends on the set of items alone: not on their order, not on the process. Whether two memories are
//     restatements depends on these two alone.
//   - A group found by words alone has a medoid that has every salient word of every member.
//
// # Cost
//
// Pairs are looked for in blocks: memories that share one of their rarest words (a prefix filter: no pair above the
// threshold escapes it), and memories on the same side of random hyperplanes (a pair at cosine .9 escapes all tables
// with a probability below .1, at .95 below .01). Within a block each memory is compared with the next Window of an
// order that brings like together, so that the number of comparisons is at most Window times the number of entries in
// blocks: linear in the number of memories. Pairs in blocks larger than Window may be missed for it.
//
// # Concurrency
//
// Pure functions: no state, no clock; the hyperplanes come from a fixed seed.
//
// # Durability
//
// None.
//
// # Sources
//
// R. J. Bayardo, Y. Ma, R. Srikant, "Scaling Up All Pairs Similarity Search", WWW 2007 (the prefix filter). M. S.
// Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002 (hyperplanes). T. Sørensen, 1948
// (complete linkage).
package consolidate

import (
	"cmp"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/vec"
)

// Item is a memory as far as it matters here.
type Item struct {
	ID    string // unique; ties go to the lesser
	Scope string // memories of different scopes are never grouped
	Text  string
	// Words are the salient words of Text, as the index has them (stemmed, without stop words), in any order.
	Words []string
	// Vector is nil or valid for package vec; those of one call have one dimension.
	Vector []float32
	// Concept says that the item stands for others already: a group takes at most one, and adds to it.
	Concept bool
}

// Options are the thresholds. Start from [Defaults].
type Options struct {
	Words      float64 // in (0,1]: the share of two memories' words that both have
	Cosine     float64 // in (0,1]
	MinMembers int     // 2 or more
	MaxMembers int     // at least MinMembers
	MinWords   int     // memories with fewer salient words say too little to be compared
	Window     int     // comparisons for a memory in a block
}

// Defaults are the thresholds that are used unless somebody says otherwise. Chosen: .7 lets three words gain a fourth,
// and five words two; cosine .9 is where common embedding models put rewordings; three words are a subject, a verb and
// an object.
func Defaults() Options {
	return Options{Words: .7, Cosine: .9, MinMembers: 3, MaxMembers: 200, MinWords: 3, Window: 64}
}

// Group is a set of restatements.
type Group struct {
	// Members are indices into the items, in ascending order of the ids.
	Members []int
	// Medoid is the index of the member that says most of what all say: with the greatest sum of coverages of the
	// others' words and, where all have vectors, of cosines; then the shortest text, then the least id. The group's
	// concept, if it has one, is its medoid.
	Medoid int
}

// item is an Item with what is derived from it.
type item struct {
	*Item
	shape  shape
	words  []int     // numbers of its words, rarest first, each once
	prefix int       // as many of its first words contain one of any restatement by words
	unit   []float32 // the vector brought to length 1
}

type grouper struct {
	o     Options
	items []item
	words int // different ones; they are numbered rarest first, then in alphabetical order
}

// Groups finds the groups of restatements among items, in ascending order of their first member's id.
func Groups(items []Item, o Options) []Group {
	g := &grouper{o: o}
	places := g.prepare(items)
	clusters := g.link(g.edges())
	var groups []Group
	for _, members := range clusters {
		if len(members) < 2 || len(members) < o.MinMembers && !g.items[members[0]].Concept {
			continue
		}
		group := Group{Medoid: places[g.medoid(members)]}
		slices.Sort(members) // items are in the order of their ids
		for _, m := range members {
			group.Members = append(group.Members, places[m])
		}
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b Group) int {
		return cmp.Compare(items[a.Members[0]].ID, items[b.Members[0]].ID)
	})
	return groups
}

// prepare derives what comparisons need, for the items in the order of their ids, and returns their places in items.
func (g *grouper) prepare(items []Item) (places []int) {
	places = make([]int, len(items))
	for i := range places {
		places[i] = i
	}
	slices.SortFunc(places, func(a, b int) int { return cmp.Compare(items[a].ID, items[b].ID) })
	numbers := g.number(items)
	for _, at := range places {
		it := item{Item: &items[at], shape: shapeOf(items[at].Text)}
		for _, w := range it.Words {
			it.words = append(it.words, numbers[w])
		}
		slices.Sort(it.words)
		it.words = slices.Compact(it.words)
		// A restatement shares Words of them at least: the others are fewer than that.
		it.prefix = len(it.words) - max(int(math.Ceil(g.o.Words*float64(len(it.words))-1e-9)), 1) + 1
		it.unit = Unit(it.Vector)
		g.items = append(g.items, it)
	}
	return places
}

// Unit gives a vector of the same direction with length 1; nil for none.
func Unit(vector []float32) []float32 {
	if len(vector) == 0 {
		return nil
	}
	unit := make([]float32, len(vector))
	norm := vec.Norm(vector)
	for d, x := range vector {
		unit[d] = x / norm
	}
	return unit
}

// Near reports whether two vectors of length 1 are as near as those of restatements by meaning; not if one is missing.
func Near(a, b []float32, o Options) bool {
	return len(a) > 0 && len(a) == len(b) && float64(vec.Dot(a, b)) >= o.Cosine
}

// number numbers the words of all items, rarest first.
func (g *grouper) number(items []Item) map[string]int {
	frequency := map[string]int{}
	for i := range items {
		seen := map[string]bool{}
		for _, w := range items[i].Words {
			if !seen[w] {
				frequency[w]++
				seen[w] = true
			}
		}
	}
	words := make([]string, 0, len(frequency))
	for w := range frequency {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Or(cmp.Compare(frequency[a], frequency[b]), cmp.Compare(a, b))
	})
	numbers := make(map[string]int, len(words))
	g.words = len(words)
	for i, w := range words {
		numbers[w] = i
	}
	return numbers
}

// pair is a comparison of two items.
type pair struct {
	same   bool
	near   float64 // the better of both measures
	shared int     // words that both have
	cosine float64 // -1 if one has no vector
}

// compare decides whether two items are restatements of each other.
func (g *grouper) compare(a, b *item) pair {
	p := pair{cosine: -1}
	i, j := 0, 0
	for i < len(a.words) && j < len(b.words) {
		switch c := cmp.Compare(a.words[i], b.words[j]); {
		case c < 0:
			i++
		case c > 0:
			j++
		default:
			p.shared++
			i, j = i+1, j+1
		}
	}
	onlyA, onlyB := len(a.words)-p.shared, len(b.words)-p.shared
	if len(a.unit) > 0 && len(a.unit) == len(b.unit) {
		p.cosine = float64(vec.Dot(a.unit, b.unit))
	}
	if a.Scope != b.Scope || a.Concept && b.Concept ||
		min(len(a.words), len(b.words)) < g.o.MinWords || !a.shape.agrees(&b.shape) {
		return p
	}
	share := float64(p.shared) / float64(p.shared+onlyA+onlyB)
	byWords := min(onlyA, onlyB) == 0 && share >= g.o.Words
	contrast := onlyA == 1 && onlyB == 1
	byMeaning := p.cosine >= g.o.Cosine && !contrast && !a.shape.namesDiffer(&b.shape)
	p.same = byWords || byMeaning
	p.near = max(share, p.cosine)
	return p
}

// edge is a pair of restatements, a < b.
type edge struct {
	a, b int
	near float64
}

// link joins items to clusters along the edges, the nearest first, where every member of the one is a restatement of
// every member of the other.
func (g *grouper) link(edges []edge) (clusters [][]int) {
	slices.SortFunc(edges, func(x, y edge) int {
		return cmp.Or(cmp.Compare(y.near, x.near), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	edges = slices.Compact(edges)
	of := make([]int, len(g.items)) // cluster by item
	clusters = make([][]int, len(g.items))
	for i := range g.items {
		of[i], clusters[i] = i, []int{i}
	}
	for _, e := range edges {
		a, b := of[e.a], of[e.b]
		if a == b || len(clusters[a])+len(clusters[b]) > g.o.MaxMembers || !g.allSame(clusters[a], clusters[b]) {
			continue
		}
		joined := append(clusters[a], clusters[b]...)
		if g.items[clusters[b][0]].Concept {
			joined = append(slices.Clone(clusters[b]), clusters[a]...) // a concept stays in front
		}
		for _, i := range clusters[b] {
			of[i] = a
		}
		clusters[a], clusters[b] = joined, nil
	}
	return clusters
}

func (g *grouper) allSame(a, b []int) bool {
	for _, i := range a {
		for _, j := range b {
			if !g.compare(&g.items[i], &g.items[j]).same {
				return false
			}
		}
	}
	return true
}

// medoid picks the member that stands for the others; see [Group]. A concept is in front.
func (g *grouper) medoid(members []int) int {
	if g.items[members[0]].Concept {
		return members[0]
	}
	best, most := -1, 0.0
	for _, i := range members {
		a, sum := &g.items[i], 0.0
		for _, j := range members {
			b := &g.items[j]
			p := g.compare(a, b)
			sum += float64(p.shared) / float64(len(b.words))
			if p.cosine > -1 {
				sum += p.cosine
			}
		}
		sum = math.Round(sum*1e9) / 1e9 // sums of the same numbers in another order are the same
		if best >= 0 && cmp.Or(cmp.Compare(most, sum), cmp.Compare(len(a.Text), len(g.items[best].Text)),
			cmp.Compare(a.ID, g.items[best].ID)) >= 0 {
			continue
		}
		best, most = i, sum
	}
	return best
}

// Restates tells for each of items whether it is the same statement as items[0], by the rules of [Groups]; the first
// is.
func Restates(items []Item, o Options) []bool {
	g := &grouper{o: o}
	first := 0
	places := g.prepare(items)
	for i, at := range places {
		if at == 0 {
			first = i
		}
	}
	out := make([]bool, len(items))
	for i, at := range places {
		out[at] = at == 0 || g.compare(&g.items[i], &g.items[first]).same
	}
	return out
}
