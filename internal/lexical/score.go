package lexical

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
)

// View is what a reader can see: the rows below Rows that Ends holds alive at log position At.
type View struct {
	Rows uint32          // rows from here on do not exist for the reader
	At   uint64          // log position
	Ends *isolate.Stamps // has a stamp for every row below Rows
	// Docs and Tokens are the number of rows alive in the view and the sum of their lengths; the store keeps them.
	Docs   int
	Tokens int64
}

// hit is one posting of a row that is alive in the view.
type hit struct {
	row       uint32
	frequency uint32
	exact     uint32 // times in the question's wording
}

func (h *hit) add(u use, wording uint8) {
	h.frequency += u.frequency()
	if u.wording() == wording && wording != noWording {
		h.exact += u.frequency()
	}
}

// exactWeight is what a term is worth, beside its own weight of 1, in the rows that say it as the question does.
// Measured: docs/design/0015 has the table.
const exactWeight = .2

// Score adds to scores[row] what q gives to each row alive in v, and appends to touched each row whose score was 0
// before; it returns touched. len(scores) must be v.Rows or more. Scores added are above 0.
//
// All postings of all terms are read: the time is proportional to their number. ctx is looked at now and then; with its
// error come the rows touched until then.
func (x *Index) Score(ctx context.Context, q Query, v View, scores []float64, touched []uint32) ([]uint32, error) {
	scratch, _ := x.scratch.Get().(*[]hit)
	if scratch == nil {
		scratch = new([]hit)
	}
	var err error
	for _, t := range q.Terms {
		var hits []hit
		if hits, err = x.aliveWithin(ctx, t, v, (*scratch)[:0]); err != nil {
			break
		}
		*scratch = hits
		w := x.weigh(t, v, hits)
		for _, h := range hits {
			if scores[h.row] == 0 {
				touched = append(touched, h.row)
			}
			scores[h.row] += w.score(h, x.lengths.Get(h.row))
		}
	}
	x.scratch.Put(scratch)
	return touched, err
}

// alive appends the postings of t in rows alive in v.
func (x *Index) alive(t QueryTerm, v View, hits []hit) []hit {
	hits, _ = x.aliveWithin(context.Background(), t, v, hits)
	return hits
}

// aliveWithin is alive until ctx is done.
func (x *Index) aliveWithin(ctx context.Context, t QueryTerm, v View, hits []hit) ([]hit, error) {
	const checkHits = 1 << 15
	if err := ctx.Err(); err != nil || !(t.Weight > 0) || v.Docs <= 0 {
		return hits, err
	}
	id, found := x.words.findTerm([]byte(t.Term))
	if !found {
		return hits, nil
	}
	first, wording := len(hits), t.wording()
	newest := x.tail.Load() // before the list is looked at: what the tail lacks is there then
	c := x.postings.read(&x.words.term(id).list)
	for limit := min(v.Rows, newest.listed()); ; {
		h, ok := c.next(wording)
		if !ok || h.row >= limit {
			break
		}
		if hits = append(hits, h); len(hits)%checkHits == 0 && ctx.Err() != nil {
			return hits, ctx.Err()
		}
	}
	hits = newest.hits(id, wording, v.Rows, hits)
	if v.Docs == int(v.Rows) {
		return hits, nil // no row has ended or is void
	}
	// A loop of its own: so the stamps of many rows are fetched at the same time.
	kept := first
	for _, h := range hits[first:] {
		hits[kept] = h
		if v.Ends.EndsAfter(h.row, v.At) {
			kept++
		}
	}
	return hits[:kept], nil
}

// weight is what is the same for all rows of one term in one view.
type weight struct {
	term       float64 // weight * idf * (k1+1)
	exact      float64 // the same for the question's wording, times exactWeight
	fixed, per float64 // c + fixed + per*len is the denominator
}

// weigh is the weight of a term that the rows of hits hold.
func (x *Index) weigh(t QueryTerm, v View, hits []hit) weight {
	if len(hits) == 0 {
		return weight{}
	}
	docs := float64(v.Docs)
	long := v.Long()
	k1, b := between(x.k1, long), between(x.b, long)
	w := weight{term: t.Weight * v.idf(len(hits)) * (k1 + 1), fixed: k1 * (1 - b)}
	if v.Tokens > 0 { // rows of nothing but emoji have no length
		w.per = k1 * b / (float64(v.Tokens) / docs)
	}
	if t.wording() == noWording {
		return w
	}
	exact := 0
	for _, h := range hits {
		if h.exact > 0 {
			exact++
		}
	}
	w.exact = exactWeight * v.idf(exact) * (k1 + 1)
	return w
}

// idf tells how much a term says that n rows alive in v hold.
func (v *View) idf(n int) float64 {
	docs, holders := float64(v.Docs), float64(n)
	return ln(1 + (docs-holders+.5)/(holders+.5))
}

// Holders counts the rows alive in v that hold a term.
func (x *Index) Holders(term string, v View) int {
	scratch, _ := x.scratch.Get().(*[]hit)
	if scratch == nil {
		scratch = new([]hit)
	}
	*scratch = x.alive(QueryTerm{Term: term, Weight: 1}, v, (*scratch)[:0])
	n := len(*scratch)
	x.scratch.Put(scratch)
	return n
}

// Long tells, in [0,1], how long the rows of v are on average: 0 up to ShortText tokens, 1 from LongText on.
func (v *View) Long() float64 {
	if v.Docs <= 0 {
		return 0
	}
	return min(1, max(0, (float64(v.Tokens)/float64(v.Docs)-ShortText)/(LongText-ShortText)))
}

// between is the point of [ends[0],ends[1]] that lies at part of the way; exactly the ends where they are equal.
func between(ends [2]float64, part float64) float64 {
	return ends[0] + float64(float64(ends[1]-ends[0])*part)
}

// ln is the natural logarithm of a finite x above 0, exact to about the last bit. math.Log may give other bits on other
// machines; replicas must not.
//
// With x = 2^k * m, m in [sqrt(1/2), sqrt(2)), and s = (m-1)/(m+1): ln x = k ln 2 + 2s(1 + s^2/3 + s^4/5 + ...), where
// s^2 < .03, so that 12 terms reach below the last bit.
func ln(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		k--
	}
	s := (m - 1) / (m + 1)
	square := float64(s * s)
	series := 0.0
	for n := 23; n >= 1; n -= 2 {
		series = float64(series*square) + 1/float64(n)
	}
	return float64(float64(k)*math.Ln2) + float64(2*s*series)
}

// score is the term's score in a row. The conversions forbid fused multiply-add, which would give other bits on other
// machines, and other bits here than in a sum taken elsewhere.
func (w *weight) score(h hit, length uint32) float64 {
	c := float64(h.frequency)
	norm := w.fixed + float64(w.per*float64(length))
	score := float64(w.term * c / (c + norm))
	if h.exact > 0 {
		c = float64(h.exact)
		score += float64(w.exact * c / (c + norm))
	}
	return score
}

// TermScore is what one term of a question gives to one row.
type TermScore struct {
	Term         string
	For          string  // as in QueryTerm
	Frequency    uint32  // occurrences in the row
	Exact        uint32  // those written as in the question
	DocFrequency int     // rows alive in the view that hold the term
	Score        float64 // weight included
}

// Explain tells what each term of q that row holds gives to it, in the order of q. The scores add up, in that order,
// to exactly what Score adds to a score of 0. A row that is not alive in v has no terms.
func (x *Index) Explain(q Query, v View, row uint32) []TermScore {
	return x.ExplainRows(q, v, []uint32{row})[0]
}

// ExplainRows is Explain for several rows in one pass over the postings: about the time of one Score. The result has
// an element for each of rows, in its order.
func (x *Index) ExplainRows(q Query, v View, rows []uint32) [][]TermScore {
	explained := make([][]TermScore, len(rows))
	order := make([]int, len(rows)) // places in rows, by row
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(rows[a], rows[b]) })
	var hits []hit
	for _, t := range q.Terms {
		hits = x.alive(t, v, hits[:0])
		w := x.weigh(t, v, hits)
		rest := hits
		for _, i := range order {
			at, found := slices.BinarySearchFunc(rest, rows[i],
				func(h hit, row uint32) int { return cmp.Compare(h.row, row) })
			rest = rest[at:] // the same row may be asked for twice
			if !found {
				continue
			}
			explained[i] = append(explained[i], TermScore{
				Term:         t.Term,
				For:          t.For,
				Frequency:    rest[0].frequency,
				Exact:        rest[0].exact,
				DocFrequency: len(hits),
				Score:        w.score(rest[0], x.lengths.Get(rows[i])),
			})
		}
	}
	return explained
}
