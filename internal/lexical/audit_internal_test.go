package lexical

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// audited makes an index of random documents, of which some rows are left out.
func audited(t *testing.T, seed uint64) (*Index, map[uint32]Document, uint32) {
	t.Helper()
	x, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	words := strings.Fields("river rivers run running runs runner harbour getUserById the The IT yesterday 東京 café " +
		"gelaufen laufen und die")
	docs := map[uint32]Document{}
	row := uint32(0)
	for range 400 {
		if row++; rng.IntN(8) == 0 {
			continue
		}
		said := make([]string, 1+rng.IntN(20))
		for i := range said {
			said[i] = words[rng.IntN(len(words))]
		}
		d := Document{
			Content: strings.Join(said, " "), Speaker: []string{"", "Ines"}[rng.IntN(2)],
			Tags: []string{fmt.Sprint("t", row)},
		}
		if rng.IntN(2) == 0 {
			d.When = time.Date(2023, 5, rng.IntN(28)+1, 0, 0, 0, 0, time.UTC)
		}
		x.Add(row, x.Prepare(d))
		docs[row] = d
	}
	return x, docs, row + 1
}

// complaints are what an audit says, by row.
func complaints(t *testing.T, x *Index, docs map[uint32]Document, limit uint32) map[uint32]error {
	t.Helper()
	a, err := x.Audit(limit, nil)
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[uint32]error{}
	for row, d := range docs {
		if err := a.Check(row, x.Prepare(d)); err != nil {
			wrong[row] = err
		}
	}
	if a.Stray() != nil {
		wrong[limit] = a.Stray()
	}
	return wrong
}

func TestAuditOfWholeIndexes(t *testing.T) {
	for seed := range uint64(20) {
		x, docs, limit := audited(t, seed)
		if wrong := complaints(t, x, docs, limit); len(wrong) > 0 {
			t.Fatalf("seed %d: %v", seed, wrong)
		}
	}
}

// TestAudit corrupts one thing of a row at a time: in the lists, in the tail, and beside them.
func TestAudit(t *testing.T) {
	x, docs, limit := audited(t, 99)
	last := x.tail.Load()
	if last.first < 50 || last.n.Load() == 0 {
		t.Fatalf("rows from %d on are in the tail, %d of them: the test wants both", last.first, last.n.Load())
	}
	old, tailed := uint32(0), last.rows[0]
	for row := range docs {
		if row < last.first && (old == 0 || row < old) {
			old = row
		}
	}
	sure := func(name string, row uint32, change func()) {
		t.Helper()
		change()
		wrong := complaints(t, x, docs, limit)
		if len(wrong) != 1 || wrong[row] == nil {
			t.Errorf("%s of row %d: %v", name, row, wrong)
		}
	}
	length := x.Length(old)
	sure("length", old, func() { x.lengths.Set(old, length+1) })
	x.lengths.Set(old, length)
	sure("times", old, func() { x.times.Set(old, x.packedTimes(old)^1) })
	x.times.Set(old, x.packedTimes(old)^1)
	sketched := x.sketches.Get(old)
	sure("sketch", old, func() { x.sketches.Set(old, sketch{}) })
	x.sketches.Set(old, sketched)
	sure("use in the tail", tailed, func() { last.uses[0]++ })
	last.uses[0]--

	// The tag of a row is a term of its own, whose list has one posting in its first bytes.
	id, found := x.words.findTerm([]byte(docs[old].Tags[0]))
	if !found {
		t.Fatalf("no term %q", docs[old].Tags[0])
	}
	list := &x.words.term(id).list
	state := list.state.Load()
	sure("posting", old, func() { list.state.Store(0) })
	list.state.Store(state)
	sure("stray posting", limit, func() { // behind one that is whole
		at := x.postings.spot(list, state)
		x.postings.put(&at, limit+100, []use{newUse(0, 1)})
	})
	list.state.Store(state)
	if wrong := complaints(t, x, docs, limit); len(wrong) > 0 {
		t.Errorf("mended: %v", wrong)
	}
}
