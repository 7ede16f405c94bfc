package lexical

import (
	"errors"
	"fmt"
	"math"
	"runtime"
)

// Audit is what the postings say of every row, summed up, to be compared with what the documents say: going through
// all lists once costs what one question of every word does, and going through them for each row would cost that many
// times.
type Audit struct {
	x     *Index
	sums  []uint64 // by row
	stray error    // a posting that should not be
}

// auditTerms is after how many terms an audit lets others run.
const auditTerms = 1 << 10

// Audit goes through all postings of rows below limit, which must have been added. It takes 8 bytes a row. pace, if not
// nil, is called now and then; its error ends the work and is returned.
func (x *Index) Audit(limit uint32, pace func() error) (*Audit, error) {
	a := &Audit{x: x, sums: make([]uint64, limit)}
	t := x.tail.Load() // before the lists: what is merged meanwhile is in this tail still
	for id := range x.words.termCount.Load() {
		if id%auditTerms == auditTerms-1 {
			runtime.Gosched()
			if pace != nil {
				if err := pace(); err != nil {
					return nil, err
				}
			}
		}
		a.list(id, min(limit, t.listed()))
	}
	if t != nil {
		a.tail(t)
	}
	return a, nil
}

// Stray tells of the first posting that no list may have, such as one of a row behind all rows; nil if there is none.
func (a *Audit) Stray() error { return a.stray }

// list adds up the list of a term, of which rows from listed on are in the tail.
func (a *Audit) list(id, listed uint32) {
	list := &a.x.words.term(id).list
	c := a.x.postings.read(list)
	last := int64(-1)
	for {
		h, ok := c.next(list.usual)
		if !ok {
			return
		}
		if int64(h.row) <= last || uint64(h.row) >= a.x.next.Load() {
			if a.stray == nil {
				a.stray = fmt.Errorf("the postings of %q go from row %d to row %d", a.x.words.text(id), last, h.row)
			}
			return
		}
		last = int64(h.row)
		if h.row < listed {
			a.sums[h.row] += posted(id, h.frequency, h.exact)
		}
	}
}

func (a *Audit) tail(t *tail) {
	from := uint32(0)
	for i := range t.n.Load() {
		end := t.ends[i]
		if row := t.rows[i]; uint64(row) < uint64(len(a.sums)) {
			for from < end {
				to := from + 1
				for to < end && t.ids[to] == t.ids[from] {
					to++
				}
				h := hit{}
				for _, u := range t.uses[from:to] {
					h.add(u, a.x.words.term(t.ids[from]).list.usual)
				}
				a.sums[row] += posted(t.ids[from], h.frequency, h.exact)
				from = to
			}
		}
		from = end
	}
}

// posted is what a posting adds to the sum of its row: of 64 bits that depend on all of it.
func posted(id, frequency, exact uint32) uint64 {
	h := (uint64(id)<<32 | uint64(frequency)) * 0x9e3779b97f4a7c15
	h = (h ^ h>>29 ^ uint64(exact)) * 0xbf58476d1ce4e5b9
	return (h ^ h>>32) * 0x94d049bb133111eb
}

// Check says what of a row is not as it is in p, the analysis of its document that this index made just now; nil if
// nothing is. Nobody may add p after that.
func (a *Audit) Check(row uint32, p *Prepared) error {
	x := a.x
	if len(p.unknowns) > 0 { // the row itself taught its words
		return fmt.Errorf("the index does not know the word %q", p.at(p.unknowns[0].raw))
	}
	if p.unsorted {
		p.counts, p.unsorted = settleWordings(p.counts), false
	}
	if got := x.Length(row); got != p.length {
		return fmt.Errorf("the index has its length as %d words, it has %d", got, p.length)
	}
	if x.packedTimes(row) != p.times {
		return errors.New("the index has other times than it speaks of")
	}
	if x.sketches.Get(row) != p.sketch() {
		return errors.New("the index has another sketch of its words")
	}
	sum := uint64(0)
	hits := p.hits()
	for id, h := range hits {
		sum += posted(id, h.frequency, h.exact)
	}
	if sum == a.sums[row] {
		return nil
	}
	for id, h := range hits {
		if got := x.posting(id, row); got != h {
			return fmt.Errorf("the postings of %q have it %d times, it has the word %d times",
				x.words.text(id), got.frequency, h.frequency)
		}
	}
	return errors.New("the postings have it under words that it does not have")
}

// hits are the postings of p, by term, as those of a row are summed up.
func (p *Prepared) hits() map[uint32]hit {
	hits := make(map[uint32]hit, len(p.counts))
	for i := range p.counts {
		c := &p.counts[i]
		h := hits[c.id]
		h.add(c.use(), p.owner.words.term(c.id).list.usual)
		hits[c.id] = h
	}
	return hits
}

func (x *Index) packedTimes(row uint32) uint64 {
	if !x.times.Has(row) {
		return 0
	}
	return x.times.Get(row)
}

// posting is what the lists and the tail have of a term in a row, without the row.
func (x *Index) posting(id, row uint32) hit {
	t := x.tail.Load()
	list := &x.words.term(id).list
	if row >= t.listed() {
		for _, h := range t.hits(id, list.usual, math.MaxUint32, nil) {
			if h.row == row {
				h.row = 0
				return h
			}
		}
		return hit{}
	}
	for c := x.postings.read(list); ; {
		h, ok := c.next(list.usual)
		if !ok || h.row > row {
			return hit{}
		}
		if h.row == row {
			h.row = 0
			return h
		}
	}
}
