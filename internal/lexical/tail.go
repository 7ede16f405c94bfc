package lexical

import (
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

// A posting list per word is what a question wants, and what a write pays for: some thirty lists, each in another place
// in memory. So a row's postings go, one behind the other, into the tail first. When the tail is full its postings are
// sorted by term and appended to the lists together, a list once for all its rows, in the order in which terms lie in
// memory. Measured with BenchmarkPrepareAndAdd.
//
// Readers take the rows below tail.first from the lists and the others from the tail, so that merging, which puts into
// the lists what the tail still shows, changes no answer at any moment, wherever it ends: done again, it passes over
// what a list already has. A tail begins small and doubles with every merge, so that an index of a few memories stays
// small.
const (
	firstTailRows, tailRows         = 8, 128
	firstTailPostings, tailPostings = 256, 4096
	sieveWords                      = 128 // so that one bit tells of most terms that are not in a full tail
)

// tail is the newest rows with their postings. When it was merged a new one takes its place: who reads it goes on.
type tail struct {
	first uint32        // the rows below are in the lists
	n     atomic.Uint32 // rows in it
	rows  []uint32
	ends  []uint32 // the postings of rows[i] end before ends[i]
	ids   []uint32 // terms
	uses  []use
	sieve [sieveWords]atomic.Uint64
}

// newTail is an empty tail that holds twice as much as the one before; nil for the first.
func newTail(first uint32, before *tail) *tail {
	rows, postings := firstTailRows, firstTailPostings
	if before != nil {
		rows, postings = min(2*len(before.rows), tailRows), min(2*len(before.ids), tailPostings)
	}
	return &tail{
		first: first, rows: make([]uint32, rows), ends: make([]uint32, rows),
		ids: make([]uint32, postings), uses: make([]use, postings),
	}
}

// sizeBytes is the memory of a tail and of what sorts it, which is about as large as the tail needs; t may be nil.
func (t *tail) sizeBytes() int64 {
	const fixed = 8*sieveWords + 112
	if t == nil {
		return 0
	}
	return fixed + int64(8*len(t.rows)+(8+sorterBytes)*len(t.ids))
}

// sieveBit is the bit of a term. Ids are given one by one, so neighbours do not meet.
func sieveBit(id uint32) (word int, bit uint64) { return int(id >> 6 % sieveWords), 1 << (id & 63) }

// room reports whether a row with n postings fits.
func (t *tail) room(n int) bool { return int(t.n.Load()) < len(t.rows) && t.used()+n <= len(t.ids) }

func (t *tail) used() int {
	if rows := t.n.Load(); rows > 0 {
		return int(t.ends[rows-1])
	}
	return 0
}

// add appends a row, for which there is room. It publishes with its last statement: a row that a panic interrupts is
// not there.
func (t *tail) add(row uint32, counts []count) {
	rows, used := t.n.Load(), t.used()
	for i, c := range counts {
		t.ids[used+i], t.uses[used+i] = c.id, c.use()
		word, bit := sieveBit(c.id)
		if old := t.sieve[word].Load(); old&bit == 0 {
			t.sieve[word].Store(old | bit)
		}
	}
	isolate.Point("lexical/postings")
	t.rows[rows], t.ends[rows] = row, uint32(used+len(counts))
	t.n.Store(rows + 1)
}

// listed is the row from which on rows are not in the lists; t is nil while the index is empty.
func (t *tail) listed() uint32 {
	if t == nil {
		return 0
	}
	return t.first
}

// hits appends the postings of a term in rows below limit, with a wording; t may be nil.
func (t *tail) hits(id uint32, wording uint8, limit uint32, hits []hit) []hit {
	if t == nil {
		return hits
	}
	rows := t.n.Load()
	if word, bit := sieveBit(id); rows == 0 || t.sieve[word].Load()&bit == 0 {
		return hits
	}
	row, first := 0, len(hits)
	for i, other := range t.ids[:t.ends[rows-1]] {
		if other != id {
			continue
		}
		for uint32(i) >= t.ends[row] {
			row++
		}
		if t.rows[row] >= limit {
			break
		}
		if last := len(hits) - 1; last < first || hits[last].row != t.rows[row] {
			hits = append(hits, hit{row: t.rows[row]})
		}
		hits[len(hits)-1].add(t.uses[i], wording)
	}
	return hits
}

// put adds a row to the tail, which is merged before if the row does not fit.
func (x *Index) put(row uint32, counts []count) {
	t := x.tail.Load()
	if t == nil || !t.room(len(counts)) {
		if t != nil {
			x.merge(t)
		}
		t = newTail(row, t)
		if len(counts) > len(t.ids) {
			x.appendRow(row, counts) // by itself: no view has the row yet
			t.first = row + 1
			x.tail.Store(t)
			return
		}
		x.tail.Store(t)
	}
	t.add(row, counts)
}

// appendRow appends the postings of one row to the lists.
func (x *Index) appendRow(row uint32, counts []count) {
	var uses [maxWordings]use
	for from, to := 0, 0; from < len(counts); from = to {
		n := 0
		for to = from; to < len(counts) && counts[to].id == counts[from].id; to++ {
			uses[n] = counts[to].use()
			n++
		}
		list := &x.words.term(counts[from].id).list
		at := x.postings.spot(list, list.state.Load())
		x.postings.put(&at, row, uses[:n])
	}
}

// merge appends the postings of the tail to the lists. Only the writer may call it.
func (x *Index) merge(t *tail) {
	x.sorter.sort(t)
	for from := 0; from < len(x.sorter.order); {
		from = x.mergeBatch(t, from)
		isolate.Point("lexical/merge")
	}
}

// appendBatch is how many lists are looked up before they are written to. Measured with BenchmarkPrepareAndAdd.
const appendBatch = 16

// mergeBatch appends to the lists of up to appendBatch terms, from place from of the sorter's order on, and returns
// where it ended. Each loop asks for memory that the next one needs, and waits for none of it in between.
func (x *Index) mergeBatch(t *tail, from int) int {
	var lists [appendBatch]*postings
	var states [appendBatch]uint64
	var spots [appendBatch]spot
	var ends [appendBatch]int
	order := x.sorter.order
	n, to := 0, from
	for ; n < appendBatch && to < len(order); n++ {
		id := t.ids[order[to]]
		for to++; to < len(order) && t.ids[order[to]] == id; to++ {
		}
		lists[n], ends[n] = &x.words.term(id).list, to
		states[n] = lists[n].state.Load()
	}
	for i := range n {
		spots[i] = x.postings.spot(lists[i], states[i])
	}
	for i := range n {
		for from < ends[i] {
			from = x.mergeRow(t, from, ends[i], &spots[i])
		}
	}
	return to
}

// mergeRow appends to a list what its next row has of the term, and returns where that ended in the sorter's order.
func (x *Index) mergeRow(t *tail, from, end int, at *spot) int {
	order := x.sorter.order
	var uses [maxWordings]use
	row, n := x.sorter.rows[order[from]], 0
	for ; from < end && x.sorter.rows[order[from]] == row; from++ {
		uses[n] = t.uses[order[from]]
		n++
	}
	if int64(t.rows[row]) > at.last { // else an earlier merge came this far
		x.postings.put(at, t.rows[row], uses[:n])
	}
	return from
}

// sorter orders the places of a tail by term; it is the writer's.
type sorter struct {
	order, other []uint32
	rows         []uint8 // by place: which of the tail's rows has the posting
	counts       [1 << sortBits]uint32
}

const (
	sortBits    = 8
	sorterBytes = 4 + 4 + 1 // for each place
)

// sort fills order with the places of t's postings, by term, then by row; and rows.
func (s *sorter) sort(t *tail) {
	n := t.used()
	if cap(s.order) < n {
		s.order, s.other, s.rows = make([]uint32, n), make([]uint32, n), make([]uint8, n)
	}
	s.order, s.other, s.rows = s.order[:n], s.other[:n], s.rows[:n]
	most, row := uint32(0), 0
	for i := range n {
		for uint32(i) >= t.ends[row] {
			row++
		}
		s.rows[i], s.order[i] = uint8(row), uint32(i)
		most = max(most, t.ids[i])
	}
	for shift := 0; most>>shift > 0; shift += sortBits { // radix sort: what is equal stays in order
		s.pass(t, shift)
	}
}

// pass orders by one digit of the term.
func (s *sorter) pass(t *tail, shift int) {
	digit := func(place uint32) uint32 { return t.ids[place] >> shift & (1<<sortBits - 1) }
	clear(s.counts[:])
	for _, place := range s.order {
		s.counts[digit(place)]++
	}
	sum := uint32(0)
	for d, c := range s.counts {
		s.counts[d] = sum
		sum += c
	}
	for _, place := range s.order {
		d := digit(place)
		s.other[s.counts[d]] = place
		s.counts[d]++
	}
	s.order, s.other = s.other, s.order
}
