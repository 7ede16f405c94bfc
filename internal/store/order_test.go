package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// TestSessionOrderBehindACompaction puts memories of one moment into a session, erases some of them, compacts, and
// writes more between: they are in the order of their ids, as they are after a restart.
func TestSessionOrderBehindACompaction(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		fsys := newFS(t)
		s := mustOpen(t, fsys)
		b := newBook()
		put := func(n int) {
			a := b.put(fmt.Sprintf("t%02d", n))
			a.version.Record.Session, a.version.Record.OccurredAt = "s1", store.Time{Nanos: 1}
			b.do(t, s, a)
		}
		order := rng.Perm(100)
		for _, n := range order[:80] {
			put(n)
		}
		mustSeal(t, s)
		for _, n := range order[:60] {
			b.do(t, s, action{kind: "erase", id: fmt.Sprintf("t%02d", n)})
		}
		mustCompact(t, s)
		for _, n := range order[80:] {
			put(n)
		}
		check := func(what string) {
			ids := b.ids()
			for i, id := range ids {
				f, _, err := s.View().Lookup(id)
				if err != nil {
					t.Fatal(err)
				}
				_, next, _, ok := s.View().Neighbors(f.Row, 0)
				if ok != (i+1 < len(ids)) {
					t.Fatalf("seed %d, %s: %s has a next one: %v", seed, what, id, ok)
				}
				if !ok {
					continue
				}
				if got, err := s.View().ID(next); got != ids[i+1] || err != nil {
					t.Fatalf("seed %d, %s: %s is followed by %s, %v, want %s", seed, what, id, got, err, ids[i+1])
				}
			}
		}
		check("compacted")
		mustClose(t, s)
		s = mustOpen(t, fsys)
		check("reopened")
		mustClose(t, s)
	}
}

// TestSessionOrderBehindAFailedWrite seals the row of a write that failed, which keeps its place in a session: what is
// written later is in order all the same, as it is after a restart.
func TestSessionOrderBehindAFailedWrite(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	put := func(id string) action {
		a := b.put(id)
		a.version.Record.Session, a.version.Record.OccurredAt = "s1", store.Time{Nanos: 1}
		return a
	}
	b.do(t, s, put("bb"))
	b.do(t, s, put("zz"))
	if err := write(s, []action{put("mm"), {kind: "no such"}}); err == nil {
		t.Fatal("a failing write succeeded")
	}
	b.do(t, s, put("yy"))
	mustSeal(t, s)
	b.do(t, s, put("aa"))
	for _, stage := range []string{"written", "reopened"} {
		f, _, err := s.View().Lookup("aa")
		if err != nil {
			t.Fatal(err)
		}
		_, next, before, ok := s.View().Neighbors(f.Row, 0)
		if id, err := s.View().ID(next); before || !ok || id != "bb" || err != nil {
			t.Errorf("%s: before aa is one: %t; it is followed by %s, %v, want none, and bb", stage, before, id, err)
		}
		verified(t, s)
		mustClose(t, s)
		s = mustOpen(t, fsys)
	}
	mustClose(t, s)
}

// TestListingBehindACompaction pages through the memories of a space from which the first ones were compacted away.
func TestListingBehindACompaction(t *testing.T) {
	s := mustOpen(t, newFS(t))
	b := newBook()
	for i := range 30 {
		b.do(t, s, b.put(fmt.Sprintf("m%02d", i)))
	}
	mustSeal(t, s)
	for i := range 20 {
		if i%3 != 1 {
			b.do(t, s, action{kind: "erase", id: fmt.Sprintf("m%02d", i)})
		}
	}
	mustCompact(t, s)
	v := s.View()
	var got []string
	v.Scan(0, func(entry uint32, f store.Found) bool {
		at, err := v.FirstIdentity(entry)
		if err != nil {
			t.Fatal(err)
		}
		id, _ := v.ID(f.Row)
		got = append(got, id)
		rest := 0
		v.Scan(v.EntryAfter(at), func(uint32, store.Found) bool { rest++; return true })
		if rest+len(got) != len(b.memories) {
			t.Errorf("behind %s there are %d memories, want %d", id, rest, len(b.memories)-len(got))
		}
		return true
	})
	if !slices.Equal(got, b.ids()) {
		t.Errorf("Scan = %v, want %v", got, b.ids())
	}
	mustClose(t, s)
}
