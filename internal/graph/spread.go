package graph

import (
	"cmp"
	"math"
	"slices"
)

// Bounds of one step of spreading. All are chosen; TestHubNeitherFloodsNorStalls shows what they do.
const (
	// MaxSources is how many memories pass activation on over explicit associations: the strongest.
	MaxSources = 512
	// MaxFan is the number of associations beyond which a memory passes nothing on: each would get less than an
	// eighth of its weight.
	MaxFan = 256
	// MaxShares is how many of the shares that a memory receives over explicit associations count: the largest.
	MaxShares = 4
	// freeFan associations are as strong as one alone.
	freeFan = 4
)

// Fan is by how much what a memory with degree associations passes on over each is divided.
func Fan(degree int) float64 { return math.Sqrt(max(1, float64(degree)/freeFan)) }

// Network is what a reader sees of the graph, and who takes part in one recall.
type Network struct {
	Chain    *Chain
	Links    *Links
	Position uint64
	// Alive tells which rows exist for the reader: neighbours in a session are the nearest of these. It must refuse
	// rows that are not published.
	Alive func(row uint32) bool
	// Member tells which rows, among those alive, receive activation.
	Member func(row uint32) bool
	// Entry gives a row's entry, Row the row of an entry that is alive for the reader; false if there is none.
	Entry func(row uint32) uint32
	Row   func(entry uint32) (uint32, bool)
	// Score is a row's activation before the step; 0 or less passes nothing on.
	Score func(row uint32) float64
	// Lambda is the part that is passed on in one step.
	Lambda float64
	// Session in [0,1] is the weight of the neighbours in a session as associations, for [Activation.Spread]; 0 leaves
	// them out. Types, if not nil, tells which types of explicit associations are gone over.
	Session float64
	Types   func(kind string) bool
}

// Share is what one row gives to another.
type Share struct {
	From  uint32  // the row that gives
	Value float64 // above 0
}

// Neighbors appends the shares that row receives from its neighbours in its session: two at most.
func (n *Network) Neighbors(row uint32, shares []Share) []Share {
	if p, ok := n.Chain.Prev(row, n.Alive); ok {
		shares = n.give(shares, p)
	}
	if p, ok := n.Chain.Next(row, n.Alive); ok {
		shares = n.give(shares, p)
	}
	return shares
}

func (n *Network) give(shares []Share, from uint32) []Share {
	if s := n.Score(from); s > 0 {
		shares = append(shares, Share{From: from, Value: n.Lambda * s})
	}
	return shares
}

// Sources picks the rows whose activation spreads over explicit associations: those of the strongest MaxSources. Rows
// whose score equals that of one that finds no room are left out with it, so that the choice does not depend on the
// order of rows. The order of the result is that of rows.
func (n *Network) Sources(rows []uint32) []uint32 {
	if len(rows) <= MaxSources {
		return rows
	}
	top := make(lowest, 0, MaxSources+1)
	for _, row := range rows {
		top.offer(n.Score(row), MaxSources+1)
	}
	cut := top[0]
	var sources []uint32
	for _, row := range rows {
		if n.Score(row) > cut {
			sources = append(sources, row)
		}
	}
	return sources
}

// Inflow is what rows receive over explicit associations. The zero value is empty.
type Inflow struct {
	places map[uint32]int // row -> place in boxes
	rows   []uint32
	boxes  []box
}

type box struct {
	n      int
	shares [MaxShares]Share // largest first
}

// Rows lists the rows that receive anything, in no promised order. Nobody may write to it.
func (f *Inflow) Rows() []uint32 { return f.rows }

// Shares lists what row receives, largest first; at most MaxShares.
func (f *Inflow) Shares(row uint32) []Share {
	i, ok := f.places[row]
	if !ok {
		return nil
	}
	return f.boxes[i].shares[:f.boxes[i].n]
}

// Explicit lets each of sources pass on its share over its associations; see the package comment.
func (n *Network) Explicit(sources []uint32) Inflow {
	var f Inflow
	if n.Links.Empty() {
		return f
	}
	for _, from := range sources {
		s := n.Score(from)
		if s <= 0 {
			continue
		}
		entry := n.Entry(from)
		degree := n.Links.Degree(entry, n.Position, MaxFan+1)
		if degree > MaxFan || degree == 0 {
			continue
		}
		each := n.Lambda * s / Fan(degree)
		n.Links.Each(entry, n.Position, func(e Edge) bool {
			to, ok := n.Row(e.To)
			if value := each * float64(e.Weight); ok && value > 0 && to != from && n.Member(to) {
				f.add(to, Share{From: from, Value: value})
			}
			return true
		})
	}
	return f
}

// add offers a share to row. Several associations between the same two count as the strongest of them.
func (f *Inflow) add(row uint32, share Share) {
	i, ok := f.places[row]
	if !ok {
		if f.places == nil {
			f.places = map[uint32]int{}
		}
		i = len(f.boxes)
		f.places[row] = i
		f.rows = append(f.rows, row)
		f.boxes = append(f.boxes, box{})
	}
	b := &f.boxes[i]
	for k := range b.n {
		if b.shares[k].From == share.From {
			b.shares[k].Value = max(b.shares[k].Value, share.Value)
			b.sort()
			return
		}
	}
	switch {
	case b.n < MaxShares:
		b.shares[b.n] = share
		b.n++
	case b.shares[MaxShares-1].Value < share.Value:
		b.shares[MaxShares-1] = share
	}
	b.sort()
}

func (b *box) sort() {
	slices.SortStableFunc(b.shares[:b.n], func(x, y Share) int { return cmp.Compare(y.Value, x.Value) })
}

// Sum adds shares up in an order that depends on nothing but their values.
func Sum(shares []Share) float64 {
	switch len(shares) {
	case 0:
		return 0
	case 1:
		return shares[0].Value
	case 2:
		return shares[0].Value + shares[1].Value
	}
	values := make([]float64, len(shares))
	for i, s := range shares {
		values[i] = s.Value
	}
	slices.Sort(values)
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

// lowest is a heap with the smallest of the largest values in front.
type lowest []float64

// offer adds v if it is among the largest size values so far.
func (h *lowest) offer(v float64, size int) {
	s := *h
	if len(s) < size {
		s = append(s, v)
		for i := len(s) - 1; i > 0 && s[i] < s[(i-1)/2]; i = (i - 1) / 2 {
			s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
		}
		*h = s
		return
	}
	if v <= s[0] {
		return
	}
	s[0] = v
	for i := 0; ; {
		small := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(s) && s[child] < s[small] {
				small = child
			}
		}
		if small == i {
			return
		}
		s[i], s[small] = s[small], s[i]
		i = small
	}
}
