package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

var errCaller = errors.New("the caller changed its mind")

// ends are the ways in which a write can die.
var ends = map[string]func() error{
	"error":  func() error { return errCaller },
	"panic":  func() error { panic("dies here") },
	"nil":    func() error { var p *int; return fmt.Errorf("%d", *p) },
	"goexit": func() error { runtime.Goexit(); return nil },
}

// dying stages the first n actions and dies. It runs on a goroutine of its own, which Goexit ends.
func dying(s *store.Space, actions []action, n int, end func() error) (err error, returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.Write(context.Background(), "die", nil, func(tx *store.Tx) error {
			for _, a := range actions[:n] {
				if err := a.stage(s, tx); err != nil {
					return fmt.Errorf("%v: %w", a, err)
				}
			}
			return end()
		})
		returned = true
	}()
	<-done
	return err, returned
}

// TestDyingWritesLeaveNothing lets a write that does everything die after each of its operations, in each way. Readers
// see what they saw, by every way of looking; the next write works; a restart finds what was acknowledged.
func TestDyingWritesLeaveNothing(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, end := range []string{"error", "panic", "nil", "goexit"} {
			t.Run(fmt.Sprintf("%s, sealed %v", end, sealed), func(t *testing.T) { dyingWrites(t, sealed, end) })
		}
	}
}

func dyingWrites(t *testing.T, sealed bool, end string) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff"} {
		b.do(t, s, b.put(id))
	}
	b.do(t, s, action{kind: "judge", id: "fff", other: "Ada", count: 3, at: 5})
	b.do(t, s, action{kind: "link", id: "a", other: "bb", linkType: "t", weight: .5},
		action{kind: "link", id: "bb", other: "ccc", linkType: "t", weight: .5},
		action{kind: "archive", id: "d", at: 1})
	if sealed {
		mustSeal(t, s)
	}
	actions := []action{
		b.put("new"), b.put("a"), b.put("d"), b.put("other new"),
		{kind: "link", id: "new", other: "a", linkType: "t", weight: 1},
		{kind: "link", id: "a", other: "bb", linkType: "t", weight: 1},
		{kind: "unlink", id: "bb", other: "ccc", linkType: "t"},
		{kind: "link", id: "bb", other: "ccc", linkType: "t", weight: .75},
		{kind: "supersede", id: "bb", other: "new", at: 9},
		{kind: "reinforce", id: "ccc", count: 4, at: 9},
		{kind: "judge", id: "ccc", other: "Ada", count: 4, at: 9},
		{kind: "judge", id: "fff", other: "Bo", count: 5, at: 9},
		{kind: "key", key: store.Key{Name: "k", ID: "new"}},
		{kind: "archive", id: "ee", at: 9},
		{kind: "archive", id: "a", at: 9},
		{kind: "archive", id: "bb", at: 9},
		{kind: "erase", id: "a"},
		{kind: "erase", id: "new"},
		{kind: "erase", id: "fff"},
	}
	for n := range len(actions) + 1 {
		view, before := s.View(), recalled(s.View())
		err, returned := dying(s, actions, n, ends[end])
		var panicked *isolate.PanicError
		switch {
		case returned == (end == "goexit"):
			t.Fatalf("after %d: Write returned: %v", n, returned)
		case end == "error" && !errors.Is(err, errCaller),
			(end == "panic" || end == "nil") && !errors.As(err, &panicked):
			t.Fatalf("after %d: Write = %v", n, err)
		}
		for what, v := range map[string]*store.View{"an old view": view, "the view": s.View()} {
			if diff := b.differs(v); diff != "" {
				t.Fatalf("after %d, %s: %s", n, what, diff)
			}
			if diff := changed(before, recalled(v)); diff != "" {
				t.Fatalf("after %d, %s: recall: %s", n, what, diff)
			}
		}
		keyless(t, s, "k")
		b.do(t, s, b.put(fmt.Sprint("next", n)), action{kind: "reinforce", id: "ccc", count: uint32(n), at: 1})
		verified(t, s)
	}
	b.holds(t, "at the end", s)
	before := recalled(s.View())
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	if diff := changed(before, recalled(s.View())); diff != "" {
		t.Errorf("recall reopened: %s", diff)
	}
	verified(t, s)
	mustClose(t, s)
}

// keyless fails the test if the space knows the key.
func keyless(t *testing.T, s *store.Space, name string) {
	t.Helper()
	err := s.Write(context.Background(), "look", nil, func(tx *store.Tx) error {
		if k, ok := tx.Key(name); ok {
			return fmt.Errorf("Key(%s) = %+v, want none", name, k)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFailedFirstVectorFixesNoDimension lets the write with the first vector of a space fail: the next one may have
// any dimension.
func TestFailedFirstVectorFixesNoDimension(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	if err := write(s, []action{withVector(b.put("a"), 8), {kind: "no such"}}); err == nil {
		t.Fatal("a failing write succeeded")
	}
	for i := range 70 {
		b.do(t, s, withVector(b.put(fmt.Sprint("m", i)), 40))
	}
	var wrong *store.DimensionError
	err := write(s, []action{withVector(b.put("z"), 8)})
	if !errors.As(err, &wrong) || wrong.Got != 8 || wrong.Want != 40 {
		t.Errorf("a vector of another dimension = %v, want an error that names both", err)
	}
	b.holds(t, "before sealing", s)
	mustSeal(t, s)
	b.holds(t, "sealed", s)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	verified(t, s)
	mustClose(t, s)
}

func withVector(a action, dim int) action {
	a.version.Vector = make([]float32, dim)
	for i := range a.version.Vector {
		a.version.Vector[i] = float32(len(a.version.Record.ID)+i*i%7) - 3.5
	}
	return a
}

// TestWritersReadersAndDeaths runs writers, a third of whose writes die, beside readers and sealings. Each writer owns
// some memories and knows what they must be; a reader that looks later than an acknowledgement sees it, whole.
func TestWritersReadersAndDeaths(t *testing.T) {
	const writers, rounds = 4, 60
	fsys := newFS(t)
	s := mustOpen(t, fsys, func(o *store.Options) { o.HotBytes, o.HotLimit = 4<<10, 64<<10 })
	var acked [writers]atomic.Int64 // the version that both of a writer's memories have at least
	stop := make(chan struct{})
	var readers, all sync.WaitGroup
	for r := range 2 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				w := (i + r) % writers
				least := acked[w].Load()
				pairOf(t, s.View(), w, least)
				if i%16 == 0 {
					recalled(s.View())
				}
			}
		})
	}
	for w := range writers {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			for n := int64(1); n <= rounds; n++ {
				pair := []action{pairPut(w, "left", n), pairPut(w, "right", n)}
				if rng.IntN(3) == 0 {
					end := []string{"error", "panic", "goexit"}[rng.IntN(3)]
					dying(s, pair, 1+rng.IntN(2), ends[end])
				}
				if err := write(s, pair); err != nil {
					t.Errorf("Write = %v", err)
					return
				}
				acked[w].Store(n)
			}
		})
	}
	all.Wait()
	close(stop)
	readers.Wait()
	mustSeal(t, s)
	verified(t, s)
	if n := s.Stats().Segments; n < 2 {
		t.Errorf("%d segments: nothing was sealed beside the writers", n)
	}
	mustClose(t, s)
	s = mustOpen(t, fsys)
	for w := range writers {
		pairOf(t, s.View(), w, rounds)
	}
	if v := s.View(); v.Memories != 2*writers {
		t.Errorf("%d memories, want %d", v.Memories, 2*writers)
	}
	verified(t, s)
	mustClose(t, s)
}

func pairPut(w int, side string, n int64) action {
	none := store.Time{Nanos: store.NoTime}
	return action{kind: "put", version: version{Record: store.Record{
		ID: fmt.Sprint(side, w), Version: uint32(n),
		Content: fmt.Sprintf("river %d %s", n, strings.Repeat("stone ", int(n%20))), Kind: "fact", Session: "s",
		OccurredAt: store.Time{Nanos: n}, ValidFrom: none, ValidUntil: none, ExpiresAt: none,
	}, Vector: []float32{float32(n), 1, 2, 3, 4, 5, 6, float32(w)}}}
}

// pairOf reads both memories of a writer: they are written together, so one view has the same version of both.
func pairOf(t *testing.T, v *store.View, w int, least int64) {
	t.Helper()
	var seen [2]uint32
	for i, side := range []string{"left", "right"} {
		f, ok, err := v.Lookup(fmt.Sprint(side, w))
		if err != nil || !ok {
			if least > 0 || err != nil {
				t.Errorf("Lookup(%s%d) = %v, %v after version %d was acknowledged", side, w, ok, err, least)
			}
			continue
		}
		r, err := v.Record(f.Row)
		if err != nil {
			t.Errorf("Record(%s%d) = %v", side, w, err)
			continue
		}
		vector, err := v.Vector(f.Row)
		if err != nil || len(vector) != 8 || vector[0] != float32(r.Version) {
			t.Errorf("Vector(%s%d), version %d = %v, %v", side, w, r.Version, vector, err)
		}
		if n := len(v.Versions(f)); n != int(r.Version) {
			t.Errorf("%s%d has %d versions, the last is %d", side, w, n, r.Version)
		}
		seen[i] = r.Version
	}
	if seen[0] != seen[1] || int64(seen[0]) < least {
		t.Errorf("one view has versions %d of the pair, at least %d was acknowledged", seen, least)
	}
}
