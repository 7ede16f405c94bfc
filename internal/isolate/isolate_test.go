package isolate_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
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
	err := isolate.Do("op", "", nil, func() error { return want })
	if err != want { //nolint:errorlint // identity is the claim
		t.Fatalf("Do = %v, want the very error", err)
	}
	if err := isolate.Do("op", "", nil, func() error { return nil }); err != nil {
		t.Fatalf("Do = %v, want nil", err)
	}
}

// TestReadingAllocatesNothing: a reader has no guard, and the boundary around it costs no memory.
func TestReadingAllocatesNothing(t *testing.T) {
	arena := isolate.NewArena()
	var refs isolate.Column[isolate.Ref]
	var table isolate.Table
	refs.Set(0, arena.Append([]byte("content")))
	table.Insert(7, 0, func(uint32) bool { return true })
	match := func(value uint32) bool { return value == 0 }
	read := func() error {
		row, ok := table.Find(7, match)
		if !ok || string(arena.View(refs.Get(row), 7)) != "content" {
			return errors.New("not found")
		}
		return nil
	}
	if n := testing.AllocsPerRun(100, func() {
		if err := isolate.Do("read", "space", nil, read); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a read inside the boundary allocates %v times", n)
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
	}{
		{3, 1 << 40, true},
		{4, 9, true},
		{4, 10, false},
		{4, 11, false},
		{2, 0, false},
		{1 << 20, 0, false},
		{^uint32(0), 0, false},
	} {
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
		view, err := a.At(ref, uint32(n))
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item{ref, b, view})
	}
	for _, it := range items {
		got, err := a.At(it.ref, uint32(len(it.want)))
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
	for _, ref := range []isolate.Ref{items[0].ref, items[0].ref | 0xffffffff} {
		if b, err := a.At(ref, 1<<32-1); err == nil || b != nil {
			t.Errorf("At(%x) beyond a chunk = %d bytes, %v, want an error", ref, len(b), err)
		}
	}
	if b, err := a.At(items[0].ref, 0); err != nil || b == nil {
		t.Errorf("At of no bytes = %v, %v, want what is empty and not nil", b, err)
	}
}

// TestChunksHoldEveryElementOnce goes over every border between chunks.
func TestChunksHoldEveryElementOnce(t *testing.T) {
	var c isolate.Column[uint64]
	const n = 100_000
	c.Grow(n)
	seen := map[*uint64]uint32{}
	for i := range uint32(n) {
		if other, twice := seen[c.At(i)]; twice {
			t.Fatalf("elements %d and %d have one place", other, i)
		}
		seen[c.At(i)] = i
	}
	// 64, 128, ... 8,192 elements, then 8,192 each: the last place of a chunk is there, the one behind it is not yet.
	var grown isolate.Column[uint64]
	end := uint32(0)
	for k := range 12 {
		size := uint32(64) << min(k, 7)
		grown.Grow(end + 1)
		if !grown.Has(end+size-1) || grown.Has(end+size) {
			t.Fatalf("chunk %d does not hold elements %d to %d", k, end, end+size-1)
		}
		for _, n := range []uint32{end + 1, end + size} {
			if got := isolate.Places(n); got != uint64(end+size) {
				t.Fatalf("Places(%d) = %d, want %d", n, got, end+size)
			}
		}
		end += size
	}
	if c.Has(1<<32 - 1) {
		t.Fatal("Has is wrong about the last element there can be")
	}
}

// TestReadersAreInlined asks the compiler whether the ways to published data are put into their callers, as their
// comments say: a call would cost a reader as much again.
func TestReadersAreInlined(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("the go command is not here: %v", err)
	}
	out, err := exec.CommandContext(t.Context(), goCommand, "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build -gcflags=-m: %v\n%s", err, out)
	}
	for _, want := range []string{
		`can inline locate\n`, `can inline \(\*Arena\)\.View\n`, `can inline \(\*Stamps\)\.EndsAfter\n`,
		`can inline \(\*Column\[.*\]\)\.At\n`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("the compiler does not say %q", want)
		}
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

// BenchmarkRead is a reader's way to 64 published bytes; bench isolation compares it with locks.
func BenchmarkRead(b *testing.B) {
	const n = 1 << 10
	arena := isolate.NewArena()
	var refs isolate.Column[isolate.Ref]
	for i := range uint32(n) {
		refs.Set(i, arena.Append(make([]byte, 64)))
	}
	b.ReportAllocs()
	random, sum := uint32(1), byte(0)
	for b.Loop() {
		random = random*1664525 + 1013904223
		view := arena.View(refs.Get(random>>4&(n-1)), 64)
		sum ^= view[0] ^ view[63]
	}
	if sum != 0 {
		b.Fatal("what was read is not what was written")
	}
}
