package graph

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

const (
	// whole is the mass of 1 in the integers that activation is counted in. Integers, because their sums do not depend
	// on the order of adding: the order in which memories were stored shows in nothing.
	whole = 1 << 60
	// fullWeight is the weight 1 of an association; weights below half of 1/fullWeight pass nothing on.
	fullWeight = 1 << 24
	// chainDegree is what a memory's place in a session counts for where its associations are counted.
	chainDegree = 2
	// evenDegree is what stands for the number of associations of every memory that has no more, for Walk.Even: chosen.
	evenDegree = 16
)

// Walk are the numbers of one spreading.
type Walk struct {
	// Alpha in (0,1) is the probability of a walk to end at each step; larger keeps activation nearer to its seeds.
	Alpha float64
	// Epsilon in [1e-9,1] is the activation for each association below which a memory passes nothing on.
	Epsilon float64
	// MaxEdges, at least 1, is the number of associations gone through beyond which spreading stops where it is.
	MaxEdges int
	// Hops, if it is not nil, is how many associations a walk goes over at most, 0 or more: longer ones are left out.
	// Every row gets at most what it gets without, and the more the larger Hops is.
	Hops *int
	// Even leaves out that what a memory passes on is divided among its associations: each gets the share that one of
	// evenDegree of weight 1 gets, and what is not passed on stays. It is for measuring what the division is worth.
	Even bool
	// Trace keeps who gave what to whom, for Givers and Path: 24 bytes for each association gone through.
	Trace bool
}

// DefaultWalk returns the numbers that recall goes by. Alpha and Epsilon are HippoRAG's damping and a precision that
// is fine beside what a term of a score can show; MaxEdges is 40 % of what Alpha and Epsilon allow at most, measured to
// keep the worst of a million memories with twenty million associations in bounds (bench: spread).
func DefaultWalk() Walk { return Walk{Alpha: .5, Epsilon: 1e-4, MaxEdges: 8192} }

// Seed is a row where walks start.
type Seed struct {
	Row uint32
	// Mass is the share of walks that start here; 0 or less is none. Those of one spreading should add up to 1 at most.
	Mass float64
	// Keep leaves a row what it has by being a seed. Without it, only what came over associations counts: right for a
	// seed whose own evidence is counted elsewhere. A row may be given both ways.
	Keep bool
}

// Activation is personalised PageRank over a [Network], by local push; see the package comment. It holds the result of
// one Spread and the memory for the next: as much as the largest needed, whatever the size of the graph. The zero
// value is ready. It is not safe for concurrent use.
type Activation struct {
	table   []slot // open addressing, of a power of two
	mask    uint32
	stamp   uint32 // slots with another are free
	nodes   []node
	edges   []halfEdge // of nodes that were pushed, each once
	gifts   []gift
	touched []uint32 // nodes that received something since they were last looked at
	next    []uint32
	active  []uint32 // nodes pushed in this round

	walk      Walk
	epsilon   uint64 // Epsilon of whole
	alpha     uint64 // Alpha in parts of 1<<32
	round     uint32
	passed    int // associations gone through
	pushes    int
	truncated bool
}

type slot struct{ stamp, row, node uint32 }

// node is a row that activation came to. What is held is residual until it is pushed; mass is what stayed.
type node struct {
	row      uint32
	atLeast  uint32 // associations it has at least; exact if counted
	from, n  uint32 // its edges, if known
	first    uint32 // the round in which it was first reached
	counted  bool
	known    bool
	waiting  bool // in the list of the touched
	degree   uint64
	mass     uint64
	residual uint64
	taken    uint64 // what is pushed in this round
	unkept   uint64 // seed mass that was not to be kept
}

type halfEdge struct{ node, weight uint32 }

// gift is what a push gave to one neighbour.
type gift struct {
	from, to, round uint32
	mass            uint64
}

// Spread lets walks start at seeds and finds where they end: exactly in so far as the mass that has ended and the
// Residual add up to the mass of the seeds. Seeds that are no members start nothing. The result depends on the graph
// of members and the seeds alone, bit for bit: not on rows, nor on any order.
//
// Time: at most 1/(Epsilon*Alpha) and at most about MaxEdges associations are passed over, four times as many counted
// at most; and the places of a session's dead rows.
func (a *Activation) Spread(n *Network, seeds []Seed, w Walk) {
	a.reset(w)
	for _, s := range seeds {
		mass := toMass(s.Mass)
		if mass == 0 || !n.Member(s.Row) {
			continue
		}
		i := a.node(s.Row)
		a.nodes[i].residual += mass
		if !s.Keep {
			a.nodes[i].unkept += mass
		}
		a.touch(i)
	}
	for !a.truncated {
		a.round++
		a.touched, a.next = a.next, a.touched[:0]
		a.choose(n)
		if len(a.active) == 0 {
			return
		}
		last := w.Hops != nil && int(a.round) > *w.Hops
		if a.pushAll(n, last); last {
			return
		}
	}
}

func toMass(share float64) uint64 {
	if !(share > 0) {
		return 0
	}
	return uint64(min(share, 1) * whole)
}

func (a *Activation) reset(w Walk) {
	a.stamp++
	if a.stamp == 0 || a.table == nil { // once in four billion: stamps of old would count again
		a.table = make([]slot, 1<<10)
		a.mask, a.stamp = 1<<10-1, 1
	}
	a.nodes, a.edges, a.gifts = a.nodes[:0], a.edges[:0], a.gifts[:0]
	a.touched, a.next, a.active = a.touched[:0], a.next[:0], a.active[:0]
	a.walk, a.epsilon, a.alpha = w, max(toMass(w.Epsilon), 1), uint64(w.Alpha*(1<<32))
	a.round, a.passed, a.pushes, a.truncated = 0, 0, 0, false
}

// node finds the node of row, or makes it.
func (a *Activation) node(row uint32) uint32 {
	if i, ok := a.find(row); ok {
		return i
	}
	if 2*len(a.nodes) >= len(a.table) {
		a.grow()
	}
	i := uint32(len(a.nodes))
	a.nodes = append(a.nodes, node{row: row, first: a.round})
	a.put(row, i)
	return i
}

func place(row uint32) uint32 { return row * 0x9e3779b1 }

func (a *Activation) find(row uint32) (uint32, bool) {
	if a.table == nil {
		return 0, false
	}
	for at := place(row) >> 7 & a.mask; ; at = (at + 1) & a.mask {
		switch s := &a.table[at]; {
		case s.stamp != a.stamp:
			return 0, false
		case s.row == row:
			return s.node, true
		}
	}
}

func (a *Activation) put(row, i uint32) {
	at := place(row) >> 7 & a.mask
	for a.table[at].stamp == a.stamp {
		at = (at + 1) & a.mask
	}
	a.table[at] = slot{stamp: a.stamp, row: row, node: i}
}

func (a *Activation) grow() {
	a.table = make([]slot, 2*len(a.table))
	a.mask, a.stamp = uint32(len(a.table)-1), 1
	for i := range a.nodes {
		a.put(a.nodes[i].row, uint32(i))
	}
}

// touch has node i looked at in the next round.
func (a *Activation) touch(i uint32) {
	if n := &a.nodes[i]; !n.waiting {
		n.waiting = true
		a.next = append(a.next, i)
	}
}

// choose makes the list of the nodes that pass on what they hold: all that hold Epsilon for each of their associations.
// If these are too many in all, those that hold most, and spreading ends with them.
func (a *Activation) choose(n *Network) {
	a.active = a.active[:0]
	total := 0
	for _, i := range a.touched {
		node := &a.nodes[i]
		node.waiting = false
		if a.holdsEnough(n, node) {
			a.active = append(a.active, i)
			total += int(node.atLeast)
		}
	}
	if a.passed+total > a.walk.MaxEdges {
		a.truncated = true
		a.fit(a.walk.MaxEdges - a.passed)
	}
}

// holdsEnough counts associations no further than what the node holds is worth: a hub costs nothing before it matters.
func (a *Activation) holdsEnough(n *Network, node *node) bool {
	quota := node.residual / a.epsilon
	if quota < uint64(node.atLeast) {
		return false
	}
	if !node.counted {
		limit := max(quota+1, 2*uint64(node.atLeast)) // doubling: what was counted in vain is counted again seldom
		count := n.count(node.row, int(min(limit, math.MaxInt32)))
		node.counted = uint64(count) < limit
		node.atLeast = uint32(count)
	}
	return node.residual > 0 && quota >= uint64(node.atLeast)
}

// fit keeps of the active nodes those that hold most, as far as room goes. Of nodes that hold the same either all are
// kept or none.
func (a *Activation) fit(room int) {
	held := func(i uint32) uint64 { return a.nodes[i].residual }
	slices.SortFunc(a.active, func(x, y uint32) int { return cmp.Compare(held(y), held(x)) })
	kept := 0
	for from := 0; from < len(a.active); from = kept {
		to := from
		for ; to < len(a.active) && held(a.active[to]) == held(a.active[from]); to++ {
			room -= int(a.nodes[a.active[to]].atLeast)
		}
		if room < 0 {
			break
		}
		kept = to
	}
	a.active = a.active[:kept]
}

// pushAll lets all active nodes pass on what they held when the round began, or in the last one keep it.
func (a *Activation) pushAll(n *Network, last bool) {
	for _, i := range a.active {
		a.nodes[i].taken, a.nodes[i].residual = a.nodes[i].residual, 0
	}
	for _, i := range a.active {
		if !a.nodes[i].known {
			a.learn(n, i)
		}
		a.push(i, last)
	}
}

// learn looks up the edges of node i to members.
func (a *Activation) learn(n *Network, i uint32) {
	from, degree := uint32(len(a.edges)), uint64(0)
	n.each(a.nodes[i].row, func(to, weight uint32) {
		degree += uint64(weight)
		a.edges = append(a.edges, halfEdge{a.node(to), weight})
	})
	node := &a.nodes[i] // nodes may have moved
	node.from, node.n, node.degree, node.known = from, uint32(len(a.edges))-from, degree, true
}

// push ends Alpha of what node i holds here and shares the rest among its neighbours by weight. What division leaves
// stays here, so that no mass is lost. In the last round the rest has nowhere to go, and is residual.
func (a *Activation) push(i uint32, last bool) {
	node := &a.nodes[i]
	a.pushes++
	a.passed += int(node.atLeast)
	held := node.taken
	if node.degree == 0 {
		node.mass += held
		return
	}
	high, low := bits.Mul64(held, a.alpha)
	ended := high<<32 | low>>32
	rest, given, degree := held-ended, uint64(0), node.degree
	if last {
		node.mass += ended
		node.residual = rest
		return
	}
	if a.walk.Even {
		degree = max(degree, evenDegree*fullWeight)
	}
	for _, e := range a.edges[node.from : node.from+node.n] {
		high, low := bits.Mul64(rest, uint64(e.weight))
		share, _ := bits.Div64(high, low, degree)
		if share == 0 {
			continue
		}
		given += share
		a.nodes[e.node].residual += share
		a.touch(e.node)
		if a.walk.Trace {
			a.gifts = append(a.gifts, gift{from: i, to: e.node, round: a.round, mass: share})
		}
	}
	node.mass += ended + (rest - given)
}

// of is a mass as a share of 1.
func of(mass uint64) float64 { return float64(mass) / whole }

// Mass is the probability that a walk ends at row, all that ended there included.
func (a *Activation) Mass(row uint32) float64 {
	if i, ok := a.find(row); ok {
		return of(a.nodes[i].mass)
	}
	return 0
}

// Pi is row's activation in [0,1]: Mass without what the row has by being a seed that is not to keep it.
func (a *Activation) Pi(row uint32) float64 {
	if i, ok := a.find(row); ok {
		return of(a.pi(&a.nodes[i]))
	}
	return 0
}

func (a *Activation) pi(n *node) uint64 {
	own := n.unkept
	if n.degree > 0 {
		high, low := bits.Mul64(own, a.alpha)
		own = high<<32 | low>>32
	}
	return n.mass - min(own, n.mass)
}

// Each calls fn with every row whose Pi is above 0, in no promised order.
func (a *Activation) Each(fn func(row uint32, pi float64)) {
	for i := range a.nodes {
		if pi := a.pi(&a.nodes[i]); pi > 0 {
			fn(a.nodes[i].row, of(pi))
		}
	}
}

// Residual is the mass that was not passed on any more; no Mass is too small by more than it.
func (a *Activation) Residual() float64 {
	sum := uint64(0)
	for i := range a.nodes {
		sum += a.nodes[i].residual
	}
	return of(sum)
}

// Work tells how many associations were passed over and how often a memory passed something on, and whether MaxEdges
// ended it.
func (a *Activation) Work() (edges, pushes int, truncated bool) {
	return a.passed, a.pushes, a.truncated
}

// Givers lists what row received from whom, in no promised order; a walk may come back, so values may add up to more
// than Mass. It needs Walk.Trace.
func (a *Activation) Givers(row uint32) []Share {
	to, ok := a.find(row)
	if !ok {
		return nil
	}
	var shares []Share
	sums := map[uint32]uint64{}
	for _, g := range a.gifts {
		if g.to != to {
			continue
		}
		if _, ok := sums[g.from]; !ok {
			shares = append(shares, Share{From: a.nodes[g.from].row})
		}
		sums[g.from] += g.mass
	}
	for i := range shares {
		from, _ := a.find(shares[i].From)
		shares[i].Value = of(sums[from])
	}
	return shares
}

// Path tells how activation first came to row: the rows from a seed to it, both included. At each step it goes back to
// the one that gave most when the memory was first reached; before decides among equals, and must be a strict order of
// rows. A seed is its own path; a row that was not reached has none. It needs Walk.Trace.
func (a *Activation) Path(row uint32, before func(x, y uint32) bool) []uint32 {
	at, ok := a.find(row)
	if !ok {
		return nil
	}
	path := []uint32{row}
	for a.nodes[at].first > 0 {
		best := gift{to: at}
		for _, g := range a.gifts {
			if g.to != at || g.round != a.nodes[at].first || g.mass < best.mass {
				continue
			}
			if g.mass > best.mass || before(a.nodes[g.from].row, a.nodes[best.from].row) {
				best = g
			}
		}
		if best.mass == 0 {
			return nil
		}
		at = best.from
		path = append(path, a.nodes[at].row)
	}
	slices.Reverse(path)
	return path
}
