package isolate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

func TestDoTurnsEveryRecoverableFailureIntoThatCallsError(t *testing.T) {
	var nilMap map[string]int
	var nilPointer *struct{ n int }
	var nothing any
	index := 5
	cause := errors.New("cause")
	cases := map[string]func() error{
		"panic":            func() error { panic("boom") },
		"panic error":      func() error { panic(cause) },
		"panic nil":        func() error { panic(nil) }, //nolint:govet // the point of the case
		"nil dereference":  func() error { _ = nilPointer.n; return nil },
		"index":            func() error { _ = []int{1}[index]; return nil },
		"nil map":          func() error { nilMap["a"] = 1; return nil },
		"type assertion":   func() error { _ = nothing.(string); return nil },
		"closed channel":   func() error { c := make(chan int); close(c); close(c); return nil },
		"panic in a defer": func() error { defer func() { panic("late") }(); return nil },
	}
	for name, fn := range cases {
		t.Run(name, func(t *testing.T) {
			err := isolate.Do("op", "space", nil, fn)
			var p *isolate.PanicError
			if !errors.As(err, &p) || p.Op != "op" || p.Space != "space" || p.Value == nil || len(p.Stack) == 0 {
				t.Fatalf("Do = %#v, want a *PanicError with op, space, value and stack", err)
			}
			if name == "panic error" && !errors.Is(err, cause) {
				t.Fatalf("Do = %v, want it to unwrap to the panic's error", err)
			}
		})
	}
}

func TestDoPassesResultsThrough(t *testing.T) {
	want := errors.New("plain")
	if err := isolate.Do("op", "", nil, func() error { return want }); err != want { //nolint:errorlint // identity is the claim
		t.Fatalf("Do = %v, want the very error", err)
	}
	if err := isolate.Do("op", "", nil, func() error { return nil }); err != nil {
		t.Fatalf("Do = %v, want nil", err)
	}
}

func TestGoSeesGoexit(t *testing.T) {
	err := isolate.Go("job", "s", func() error { runtime.Goexit(); return nil })
	var p *isolate.PanicError
	if !errors.As(err, &p) || p.Value != nil {
		t.Fatalf("Go = %v, want a *PanicError without a value", err)
	}
	if err := isolate.Go("job", "s", func() error { panic(1) }); !errors.As(err, &p) {
		t.Fatalf("Go = %v, want a *PanicError", err)
	}
}

func TestColumnElementsNeverMove(t *testing.T) {
	var c isolate.Column[uint32]
	const n = 200_000
	addresses := map[uint32]*uint32{}
	for i := range uint32(n) {
		c.Set(i, i*3)
		if i%977 == 0 {
			addresses[i] = c.At(i)
		}
	}
	for i := range uint32(n) {
		if got := c.Get(i); got != i*3 {
			t.Fatalf("Get(%d) = %d, want %d", i, got, i*3)
		}
	}
	for i, p := range addresses {
		if p != c.At(i) {
			t.Fatalf("element %d moved", i)
		}
	}
	if !c.Has(n-1) || c.Has(n+1<<16) {
		t.Fatal("Has is wrong about the column's end")
	}
}

func TestStampsDecideByPosition(t *testing.T) {
	var s isolate.Stamps
	if s.Alive(0, 0) {
		t.Error("Alive(0, 0) of no rows = true")
	}
	s.Set(3, isolate.Never)
	s.Set(4, 10)
	for _, c := range []struct {
		row  uint32
		at   uint64
		want bool
	}{{3, 1 << 40, true}, {4, 9, true}, {4, 10, false}, {4, 11, false}, {2, 0, false}, {1 << 20, 0, false}, {^uint32(0), 0, false}} {
		if got := s.Alive(c.row, c.at); got != c.want {
			t.Errorf("Alive(%d, %d) = %v, want %v", c.row, c.at, got, c.want)
		}
	}
	if s.End(1<<20) != 0 {
		t.Error("End of a row without a stamp is not 0")
	}
}

func TestArenaKeepsEveryStringWhereItWas(t *testing.T) {
	a := isolate.NewArena()
	rng := rand.New(rand.NewPCG(1, 2))
	type item struct {
		ref  isolate.Ref
		want []byte
		view []byte
	}
	var items []item
	for range 3000 {
		n := rng.IntN(900)
		if rng.IntN(400) == 0 {
			n = 2 << 20
		}
		b := bytes.Repeat([]byte{byte(rng.Uint32())}, n)
		ref := a.Append(b[:n/2], b[n/2:])
		view, err := a.At(ref, n)
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item{ref, b, view})
	}
	for _, it := range items {
		got, err := a.At(it.ref, len(it.want))
		if err != nil || !bytes.Equal(got, it.want) || !bytes.Equal(it.view, it.want) {
			t.Fatalf("At(%x) changed", it.ref)
		}
		if len(got) > 0 && &got[0] != &it.view[0] {
			t.Fatalf("string at %x moved", it.ref)
		}
	}
	if _, err := a.At(isolate.Ref(1<<50), 1); err == nil {
		t.Error("At outside the arena gave no error")
	}
	if _, err := a.At(items[0].ref, 1<<30); err == nil {
		t.Error("At beyond a chunk gave no error")
	}
}

func TestTableFindsAllItWasGiven(t *testing.T) {
	var table isolate.Table
	hashOf := func(v uint32) uint64 { return uint64(v%5000) * 0x9e3779b97f4a7c15 } // values share hashes
	const n = 20_000
	gone := func(v uint32) bool { return v%7 == 3 }
	for v := range uint32(n) {
		table.Insert(hashOf(v), v, func(v uint32) bool { return !gone(v) })
	}
	for v := range uint32(n) {
		got, ok := table.Find(hashOf(v), func(c uint32) bool { return c == v })
		if !ok && !gone(v) || ok && got != v {
			t.Fatalf("Find(%d) = %d, %v", v, got, ok)
		}
	}
	if _, ok := table.Find(12345, func(uint32) bool { return false }); ok {
		t.Error("Find returned a value that match refused")
	}
}

// Readers run beside the writer and must see, for everything published, exactly what was written. Run with -race.
func TestReadersBesideOneWriter(t *testing.T) {
	var (
		column    isolate.Column[uint64]
		table     isolate.Table
		arena     = isolate.NewArena()
		refs      isolate.Column[isolate.Ref]
		published atomic.Uint32
		wg        sync.WaitGroup
	)
	hash := func(v uint32) uint64 { return uint64(v)*0x9e3779b97f4a7c15 + 1 }
	const n = 30_000
	failures := make(chan string, 4)
	for r := range 2 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(r)))
			for published.Load() < n {
				p := published.Load()
				if p == 0 {
					runtime.Gosched()
					continue
				}
				i := rng.Uint32N(p)
				b, err := arena.At(refs.Get(i), 8)
				_, found := table.Find(hash(i), func(v uint32) bool { return v == i })
				if err != nil || string(b) != fmt.Sprintf("%08d", i) || column.Get(i) != uint64(i)*2 || !found {
					failures <- fmt.Sprintf("element %d: %q %v found=%v", i, b, err, found)
					return
				}
			}
		})
	}
	for i := range uint32(n) {
		column.Set(i, uint64(i)*2)
		refs.Set(i, arena.Append(fmt.Appendf(nil, "%08d", i)))
		table.Insert(hash(i), i, nil)
		published.Store(i + 1)
	}
	wg.Wait()
	close(failures)
	for f := range failures {
		t.Error(f)
	}
}

func BenchmarkDo(b *testing.B) {
	fn := func() error { return nil }
	for b.Loop() {
		_ = isolate.Do("op", "space", nil, fn)
	}
}
