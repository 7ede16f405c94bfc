package graph_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/graph"
)

func everyone(uint32) bool { return true }

// walk lists the rows from first on, and checks the way back.
func walk(t testing.TB, c *graph.Chain, first uint32, alive func(uint32) bool) []uint32 {
	t.Helper()
	rows := []uint32{first}
	for row, ok := c.Next(first, alive); ok; row, ok = c.Next(row, alive) {
		rows = append(rows, row)
		if len(rows) > 1<<20 {
			t.Fatal("the chain has no end")
		}
	}
	back := []uint32{rows[len(rows)-1]}
	for row, ok := c.Prev(back[0], alive); ok; row, ok = c.Prev(row, alive) {
		back = append(back, row)
		if len(back) > 1<<20 {
			t.Fatal("the chain has no beginning")
		}
	}
	slices.Reverse(back)
	if !slices.Equal(rows, back) {
		t.Fatalf("forward %v, back %v", clip(rows), clip(back))
	}
	return rows
}

func clip(rows []uint32) []uint32 { return rows[:min(len(rows), 40)] }

func TestChainKeepsTheOrderOfTimeWhateverTheOrderOfArrival(t *testing.T) {
	const n = 5000
	for name, key := range map[string]func(row uint32, rng *rand.Rand) int{
		"ascending": func(row uint32, _ *rand.Rand) int { return int(row) },
		"reversed":  func(row uint32, _ *rand.Rand) int { return -int(row) },
		"shuffled":  func(_ uint32, rng *rand.Rand) int { return rng.IntN(1 << 30) },
		"equal":     func(uint32, *rand.Rand) int { return 0 },
		"few":       func(_ uint32, rng *rand.Rand) int { return rng.IntN(5) },
		"zigzag":    func(row uint32, _ *rand.Rand) int { return int(row) * (1 - 2*int(row%2)) },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			c := graph.NewChain()
			keys := make([]int, n)
			want := map[uint32][]uint32{}
			for row := range uint32(n) {
				keys[row] = key(row, rng)
				session := row % 3
				if session == 2 && row > 300 {
					session = 0 // one stays small
				}
				want[session] = append(want[session], row)
				c.Insert(session, row, func(a, b uint32) bool { return keys[a] < keys[b] })
			}
			for _, rows := range want {
				sort.SliceStable(rows, func(i, j int) bool { return keys[rows[i]] < keys[rows[j]] })
				if got := walk(t, c, rows[0], everyone); !slices.Equal(got, rows) {
					t.Errorf("chain = %v, want %v", clip(got), clip(rows))
				}
			}
		})
	}
}

// TestInsertIsNotLinear counts comparisons: a walk would need billions.
func TestInsertIsNotLinear(t *testing.T) {
	const n = 100_000
	for _, name := range []string{"reversed", "shuffled"} {
		keys := rand.New(rand.NewPCG(5, 5)).Perm(n)
		if name == "reversed" {
			for i := range keys {
				keys[i] = -i
			}
		}
		c := graph.NewChain()
		compared := 0
		for row := range uint32(n) {
			c.Insert(1, row, func(a, b uint32) bool { compared++; return keys[a] < keys[b] })
		}
		if compared > n*24 {
			t.Errorf("%s: %d comparisons for %d rows", name, compared, n)
		}
		first := uint32(slices.Index(keys, slices.Min(keys)))
		rows := walk(t, c, first, everyone)
		if len(rows) != n ||
			!slices.IsSortedFunc(rows, func(a, b uint32) int { return cmp.Compare(keys[a], keys[b]) }) {
			t.Errorf("%s: %d rows in the chain, want %d in order", name, len(rows), n)
		}
	}
}

func TestChainSkipsDeadRows(t *testing.T) {
	c := graph.NewChain()
	for row := range uint32(6) {
		c.Insert(7, row, func(a, b uint32) bool { return a < b })
	}
	alive := func(row uint32) bool { return row == 1 || row == 4 }
	if got := walk(t, c, 1, alive); !slices.Equal(got, []uint32{1, 4}) {
		t.Errorf("chain of the living = %v, want [1 4]", got)
	}
	if n, ok := c.Next(2, alive); !ok || n != 4 { // from a dead row
		t.Errorf("Next(2) = %d, %v, want 4", n, ok)
	}
	for _, row := range []uint32{6, 1 << 20} {
		if _, ok := c.Next(row, everyone); ok {
			t.Errorf("Next(%d) of no session found one", row)
		}
		if _, ok := c.Prev(row, everyone); ok {
			t.Errorf("Prev(%d) of no session found one", row)
		}
	}
}

// TestPanicInBeforeChangesNothing interrupts insertions at every comparison.
func TestPanicInBeforeChangesNothing(t *testing.T) {
	const n = 1500
	c := graph.NewChain()
	rng := rand.New(rand.NewPCG(3, 3))
	keys := make([]int, 2*n)
	var living []uint32
	dead := map[uint32]bool{}
	for row := range uint32(2 * n) {
		keys[row] = rng.IntN(1 << 20)
		left := 1 << 30
		if row%2 == 1 && row > 1 {
			left = rng.IntN(12)
		}
		func() {
			defer func() {
				if recover() != nil {
					dead[row] = true
				}
			}()
			c.Insert(1, row, func(a, b uint32) bool {
				if left--; left < 0 {
					panic("interrupted")
				}
				return keys[a] < keys[b]
			})
		}()
		if !dead[row] {
			living = append(living, row)
		}
	}
	slices.SortStableFunc(living, func(a, b uint32) int { return cmp.Compare(keys[a], keys[b]) })
	if got := walk(t, c, living[0], func(row uint32) bool { return !dead[row] }); !slices.Equal(got, living) {
		t.Errorf("chain = %v, want %v", clip(got), clip(living))
	}
	if len(dead) < n/4 {
		t.Errorf("only %d insertions were interrupted", len(dead))
	}
}

// TestReadersBesideTheWriterOfAChain see, of what was published, all and in order. Run with -race.
func TestReadersBesideTheWriterOfAChain(t *testing.T) {
	const n = 4000
	c := graph.NewChain()
	keys := rand.New(rand.NewPCG(9, 9)).Perm(n)
	first := uint32(slices.Index(keys, 0))
	keys[0], keys[first] = keys[first], keys[0] // row 0 is the earliest
	var published atomic.Uint32
	c.Insert(1, 0, nil)
	published.Store(1)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				rows := published.Load()
				alive := func(row uint32) bool { return row < rows }
				seen, last := uint32(1), 0
				for row, ok := c.Next(0, alive); ok; row, ok = c.Next(row, alive) {
					if keys[row] < last {
						t.Errorf("row %d out of order", row)
						return
					}
					last = keys[row]
					seen++
				}
				if seen != rows {
					t.Errorf("a reader saw %d of %d rows", seen, rows)
				}
				if rows == n || t.Failed() {
					return
				}
			}
		})
	}
	for row := uint32(1); row < n; row++ {
		c.Insert(1, row, func(a, b uint32) bool { return keys[a] < keys[b] })
		published.Store(row + 1)
	}
	wg.Wait()
}

// edges lists an entry's associations in a fixed form and order.
func edges(l *graph.Links, entry uint32, position uint64) []string {
	list := []string{}
	for _, e := range l.Edges(entry, position) {
		arrow := "<-"
		if e.Outgoing {
			arrow = "->"
		}
		list = append(list, fmt.Sprintf("%d%s%d %s %.2f", entry, arrow, e.To, e.Type, e.Weight))
	}
	slices.Sort(list)
	return list
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s = %q, want %q", what, got, want)
	}
}

func TestLinksAreSeenFromBothEndsFromTheirPositionOn(t *testing.T) {
	l := graph.NewLinks()
	l.Set(1, 200, "causes", .5, 10)
	l.Set(200, 1, "causes", .25, 11)
	l.Set(1, 200, "causes", .75, 20) // another weight
	l.Set(3, 3, "is", 1, 21)
	expect(t, "before", edges(l, 1, 9))
	expect(t, "from 10", edges(l, 1, 10), "1->200 causes 0.50")
	expect(t, "other end", edges(l, 200, 10), "200<-1 causes 0.50")
	expect(t, "both ways", edges(l, 1, 19), "1->200 causes 0.50", "1<-200 causes 0.25")
	expect(t, "weight", edges(l, 200, 20), "200->1 causes 0.25", "200<-1 causes 0.75")
	expect(t, "itself", edges(l, 3, 21), "3->3 is 1.00")
	expect(t, "nobody", edges(l, 1<<20, 99))
	if _, removed := l.Remove(1, 200, "is", 30); removed {
		t.Error("Remove of another type found one")
	}
	if _, removed := l.Remove(1, 200, "causes", 30); !removed {
		t.Error("Remove found none")
	}
	expect(t, "old reader", edges(l, 1, 29), "1->200 causes 0.75", "1<-200 causes 0.25")
	expect(t, "after", edges(l, 1, 30), "1<-200 causes 0.25")
	if _, n := l.Clear(200, 31); n != 1 {
		t.Errorf("Clear ended %d, want 1", n)
	}
	if _, n := l.Clear(3, 31); n != 1 {
		t.Errorf("Clear of a self-link ended %d, want 1", n)
	}
	expect(t, "cleared", append(edges(l, 1, 31), append(edges(l, 200, 31), edges(l, 3, 31)...)...))
	expect(t, "before clearing", edges(l, 1, 30), "1<-200 causes 0.25")
}

func TestUndoLeavesWhatWas(t *testing.T) {
	l := graph.NewLinks()
	l.Set(1, 2, "a", .5, 10)
	l.Set(1, 3, "a", .5, 10)
	before := append(edges(l, 1, 99), edges(l, 2, 99)...)
	// One write that does many things, and then fails.
	var undo []func()
	undo = append(undo, l.Set(1, 2, "a", .7, 11), l.Set(1, 2, "a", .9, 11))
	u, _ := l.Remove(1, 2, "a", 11)
	undo = append(undo, u, l.Set(4, 1, "b", .1, 11))
	for i := range uint32(300) { // arrays grow within the write
		undo = append(undo, l.Set(1, 100+i, "a", .1, 11))
	}
	u, n := l.Clear(1, 11)
	undo = append(undo, u)
	if n != 302 {
		t.Errorf("Clear ended %d, want 302", n)
	}
	for _, u := range slices.Backward(undo) {
		u()
	}
	after := append(edges(l, 1, 99), edges(l, 2, 99)...)
	expect(t, "after undo", after, before...)
	expect(t, "new entry", edges(l, 4, 99))
	// The next write has the same position.
	l.Set(1, 5, "a", 1, 11)
	expect(t, "next write", edges(l, 1, 11), "1->2 a 0.50", "1->3 a 0.50", "1->5 a 1.00")
}

// model is links as a map.
type model map[[2]uint32]map[string]float32

func (m model) edges(entry uint32) []string {
	list := []string{}
	for ends, kinds := range m {
		for kind, weight := range kinds {
			if ends[0] == entry {
				list = append(list, fmt.Sprintf("%d->%d %s %.2f", entry, ends[1], kind, weight))
			} else if ends[1] == entry {
				list = append(list, fmt.Sprintf("%d<-%d %s %.2f", entry, ends[0], kind, weight))
			}
		}
	}
	slices.Sort(list)
	return list
}

func (m model) clone() model {
	c := model{}
	for ends, kinds := range m {
		c[ends] = map[string]float32{}
		maps.Copy(c[ends], kinds)
	}
	return c
}

func TestLinksAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		l, now := graph.NewLinks(), model{}
		var history []model // by position
		const entries = 6
		for position := range uint64(400) {
			next := now.clone()
			var undo []func()
			for range 1 + rng.IntN(4) {
				a, b, kind := rng.Uint32N(entries), rng.Uint32N(entries), []string{"x", "y"}[rng.IntN(2)]
				ends := [2]uint32{a, b}
				switch rng.IntN(8) {
				case 0, 1, 2, 3:
					weight := float32(rng.IntN(100)) / 100
					undo = append(undo, l.Set(a, b, kind, weight, position))
					if next[ends] == nil {
						next[ends] = map[string]float32{}
					}
					next[ends][kind] = weight
				case 4, 5, 6:
					u, removed := l.Remove(a, b, kind, position)
					_, want := next[ends][kind]
					if removed != want {
						t.Fatalf("seed %d: Remove = %v, want %v", seed, removed, want)
					}
					undo = append(undo, u)
					delete(next[ends], kind)
				default:
					u, n := l.Clear(a, position)
					if want := len(next.edges(a)); n != want {
						t.Fatalf("seed %d: Clear ended %d, want %d", seed, n, want)
					}
					undo = append(undo, u)
					for ends := range next {
						if ends[0] == a || ends[1] == a {
							delete(next, ends)
						}
					}
				}
			}
			if rng.IntN(4) == 0 { // the write fails; its position is used again
				for _, u := range slices.Backward(undo) {
					u()
				}
				next = now
			}
			now = next
			history = append(history, now)
			at := position - min(position, rng.Uint64N(4)) // readers with a slightly older view
			for entry := range uint32(entries) {
				expect(t, fmt.Sprintf("seed %d position %d of %d entry %d", seed, at, position, entry),
					edges(l, entry, at), history[at].edges(entry)...)
				if got := l.Degree(entry, at, 1000); got != len(history[at].edges(entry)) {
					t.Fatalf("Degree = %d", got)
				}
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestPositionsBeyondADegreesWord: what does not fit where degrees are kept is counted.
func TestPositionsBeyondADegreesWord(t *testing.T) {
	const far = 1 << 50
	l := graph.NewLinks()
	l.Set(1, 2, "a", .5, 7)
	l.Set(1, 3, "a", .5, far)
	l.Set(1, 4, "a", .5, far+1)
	for position, want := range map[uint64]int{6: 0, 7: 1, far - 1: 1, far: 2, far + 1: 3} {
		if got := l.Degree(1, position, 100); got != want || len(l.Edges(1, position)) != want {
			t.Errorf("at %d: degree %d, %d edges, want %d", position, got, len(l.Edges(1, position)), want)
		}
	}
}

// TestReadersBesideTheWriterOfLinks see whole writes only. Run with -race.
func TestReadersBesideTheWriterOfLinks(t *testing.T) {
	const hub, writes = 0, 1500
	l := graph.NewLinks()
	var published atomic.Uint64
	var behind [2]atomic.Uint64 // no reader's position is below its own
	var wg sync.WaitGroup
	for r := range behind {
		wg.Go(func() {
			defer behind[r].Store(writes)
			for position := uint64(0); position < writes && !t.Failed(); {
				behind[r].Store(position)
				position = published.Load()
				// Write p links the hub to p, and unlinks p-5.
				if got, want := l.Degree(hub, position, writes), int(min(position, 5)); got != want {
					t.Errorf("degree at %d = %d, want %d", position, got, want)
				}
				for _, e := range l.Edges(hub, position) {
					if uint64(e.To) > position || uint64(e.To)+5 <= position || e.Type != "t" {
						t.Errorf("edge to %d at %d", e.To, position)
					}
				}
			}
		})
	}
	for p := uint64(1); p <= writes; p++ {
		for r := range behind { // the list forgets what readers this far behind would have to see
			for p-behind[r].Load() > graph.EndedKept/2 && behind[r].Load() < p {
				runtime.Gosched()
			}
		}
		undo := l.Set(hub, uint32(p), "t", 1, p)
		if p%3 == 0 { // fails once
			undo()
			l.Set(hub, uint32(p), "t", 1, p)
		}
		if p > 5 {
			if _, removed := l.Remove(hub, uint32(p-5), "t", p); !removed {
				t.Errorf("no link to %d", p-5)
			}
		}
		published.Store(p)
	}
	wg.Wait()
}

// BenchmarkInsert: shuffled arrival of 100,000 rows of one session.
func BenchmarkInsert(b *testing.B) {
	keys := rand.New(rand.NewPCG(5, 5)).Perm(100_000)
	for b.Loop() {
		c := graph.NewChain()
		for row := range uint32(len(keys)) {
			c.Insert(1, row, func(a, b uint32) bool { return keys[a] < keys[b] })
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/row")
}

// BenchmarkHub: 10,000 links to one entry, one at a time.
func BenchmarkHub(b *testing.B) {
	for b.Loop() {
		l := graph.NewLinks()
		for leaf := uint32(1); leaf <= 10_000; leaf++ {
			l.Set(0, leaf, "has", 1, uint64(leaf))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/link")
}
