package graph

import "math"

// How a Network is read as a graph of rows, for Activation. Its edges are symmetric: neighbours in a session are each
// other's, and associations are found from both ends.

// each calls fn with the members at the other end of row's edges and the edges' weights in parts of fullWeight. Several
// associations between the same two are as many edges.
func (n *Network) each(row uint32, fn func(to, weight uint32)) {
	if weight := inParts(n.Session); weight > 0 {
		if p, ok := n.Chain.Prev(row, n.Alive); ok && n.Member(p) {
			fn(p, weight)
		}
		if next, ok := n.Chain.Next(row, n.Alive); ok && n.Member(next) {
			fn(next, weight)
		}
	}
	n.Links.walk(n.Entry(row), n.Position, func(a arc) bool {
		weight := inParts(float64(a.weight))
		if weight == 0 || n.Types != nil && !n.Types(n.Links.types.Get(a.kind>>1)) {
			return true
		}
		if to, ok := n.Row(a.to); ok && n.Member(to) {
			fn(to, weight)
		}
		return true
	})
}

func inParts(weight float64) uint32 { return uint32(math.Round(weight * fullWeight)) }

// count counts row's associations up to limit, those with memories that are no members included: whether these are
// members costs more to find out than they are worth.
func (n *Network) count(row uint32, limit int) int {
	count := n.Links.Degree(n.Entry(row), n.Position, limit)
	if inParts(n.Session) > 0 {
		count += chainDegree
	}
	return count
}

// Between calls fn with each association between the rows a and b as seen from a, until fn returns false, and tells
// whether they are neighbours in a session: b comes before a or after it.
func (n *Network) Between(a, b uint32, fn func(Edge) bool) (before, after bool) {
	if n.Session > 0 {
		p, ok := n.Chain.Prev(a, n.Alive)
		before = ok && p == b
		p, ok = n.Chain.Next(a, n.Alive)
		after = ok && p == b
	}
	other := n.Entry(b)
	n.Links.Each(n.Entry(a), n.Position, func(e Edge) bool {
		if e.To != other || n.Types != nil && !n.Types(e.Type) {
			return true
		}
		return fn(e)
	})
	return before, after
}
