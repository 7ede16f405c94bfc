package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// vectorFiles lists the files of vectors that are apart from their rows.
func vectorFiles(fsys *vfs.Mem) (names []string) {
	for _, name := range fsys.Files() {
		if strings.HasSuffix(name, ".vec") {
			names = append(names, name)
		}
	}
	return names
}

// told is action embed for the newest version of a memory, with a vector of its own.
func (b *book) told(id string, dim int) action {
	seed := int64(0)
	for _, c := range id {
		seed = seed*31 + int64(c)
	}
	vector := vectorOf(seed, dim)
	vector[0] += .25 // unlike all that puts have
	return embedding(id, b.version(id), vector)
}

func embedding(id string, n uint32, vector []float32) action {
	return action{kind: "embed", id: id, version: version{Record: store.Record{Version: n}, Vector: vector}}
}

// reopened closes a space and opens it again.
func reopened(t *testing.T, fsys vfs.FS, s *store.Space) *store.Space {
	t.Helper()
	mustClose(t, s)
	return mustOpen(t, fsys)
}

// TestVectorsAreReplaced lives through the building of vectors of another dimension, with memories in segments, being
// sealed and in the log, and through their becoming those that serve: what a view shows of vectors is that of one
// generation at every step, also after a restart, and in the end no file holds one of the former.
func TestVectorsAreReplaced(t *testing.T) {
	fsys := newFS(t)
	s, b := mustOpen(t, fsys), newBook()
	step := func(what string, actions ...action) {
		t.Helper()
		for _, a := range actions {
			b.do(t, s, a)
		}
		b.holds(t, what, s)
		verified(t, s)
		before := recalled(s.View())
		s = reopened(t, fsys, s)
		b.holds(t, what+", reopened", s)
		if diff := changed(before, recalled(s.View())); diff != "" {
			t.Errorf("%s, reopened: %s", what, diff)
		}
	}
	former := vectorOf(1, 8)
	former[0] = math.Pi // unlike any other
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff", "g", "hh"} {
		put := b.put(id)
		put.version.Vector = former
		step("put", put)
		if id == "d" || id == "g" {
			mustSeal(t, s)
		}
	}
	step("begun", action{kind: "begin", other: "large", count: 12})
	step("some embedded", b.told("a", 12), b.told("bb", 12), b.told("hh", 12))
	mustSeal(t, s)
	step("more embedded", b.told("ccc", 12), b.told("g", 12), b.put("hh"), b.put("i"), action{
		kind: "archive", id: "a", at: 9,
	})
	mustCompact(t, s)
	step("the rest embedded", b.told("d", 12), b.told("ee", 12), b.told("fff", 12), b.told("hh", 12), b.told("i", 12))
	if len(vectorFiles(fsys)) == 0 {
		t.Error("no file has the vectors that are being built")
	}
	b.do(t, s, action{kind: "serve"})
	b.holds(t, "served", s)
	if v := s.View(); v.Dim != 12 || v.Model != "large" || v.Vectors != 8 {
		t.Errorf("after the swap %d vectors of dimension %d and model %q serve, want 8 of 12, large",
			v.Vectors, v.Dim, v.Model)
	}
	wrong := b.put("j")
	wrong.version.Vector = vectorOf(1, 8)
	if err := write(s, []action{wrong}); !errors.Is(err, ann.ErrDimension) {
		t.Errorf("a vector of the former dimension = %v, want ErrDimension", err)
	}
	for i := range 6 { // into a segment that was begun before
		b.do(t, s, b.put(fmt.Sprint("k", i)))
	}
	step("written after the swap")
	b.do(t, s, b.put("ccc"), action{kind: "erase", id: "bb"})
	mustSeal(t, s)
	step("sealed after the swap")
	view := s.View()
	now := recalled(view)
	report := mustCompact(t, s)
	if len(report.Left) > 0 || len(vectorFiles(fsys)) > 0 {
		t.Errorf("a compaction leaves %v and the files %v", report.Left, vectorFiles(fsys))
	}
	for i, v := range []*store.View{view, s.View()} { // the first has the segments of before
		if diff := changed(now, recalled(v)); diff != "" {
			t.Errorf("compacted, view %d: %s", i, diff)
		}
	}
	step("compacted")
	for _, name := range fsys.Files() {
		if content, err := fsys.Bytes(name); err != nil || bytes.Contains(content, vec.Bytes(former)) {
			t.Errorf("%s has a vector of the former model (%v)", name, err)
		}
	}
	if d, _ := s.Fragmentation(); d.Rows+int(d.Bytes) > 0 {
		t.Errorf("Fragmentation after a compaction = %+v", d)
	}
	step("another one", action{kind: "begin", other: "again", count: 8}, b.told("a", 8), action{kind: "serve"})
	mustClose(t, s)
}

// TestViewsKeepTheirVectors: a view from before the swap answers from the former vectors, whatever is sealed and
// compacted after it.
func TestViewsKeepTheirVectors(t *testing.T) {
	fsys := newFS(t)
	s, b := mustOpen(t, fsys), newBook()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee"} {
		b.do(t, s, b.put(id))
		if id == "ccc" {
			mustSeal(t, s)
		}
	}
	b.do(t, s, action{kind: "begin", other: "next", count: 16})
	for _, id := range b.ids() {
		b.do(t, s, b.told(id, 16))
	}
	before, beforeBook := s.View(), b.clone()
	was := recalled(before)
	check := func(what string) {
		t.Helper()
		if diff := changed(was, recalled(before)); diff != "" {
			t.Errorf("the view from before, %s: %s", what, diff)
		}
		for id, m := range beforeBook.memories {
			f, _, err := before.Lookup(id)
			vector, vErr := before.Vector(f.Row)
			want := m.Versions[0].Vector
			if err != nil || vErr != nil || !bytes.Equal(vec.Bytes(vector), vec.Bytes(want)) {
				t.Errorf("the view from before, %s: vector of %s = %v, %v, want %v", what, id, vector,
					errors.Join(err, vErr), want)
			}
		}
	}
	b.do(t, s, action{kind: "serve"})
	check("after the swap")
	mustSeal(t, s)
	check("sealed")
	mustCompact(t, s)
	check("compacted")
	b.holds(t, "compacted", s)
	mustClose(t, s)
}

// TestBuildingIsRefused: what contradicts the vectors that are being built is refused, names what is there, and changes
// nothing.
func TestBuildingIsRefused(t *testing.T) {
	fsys := newFS(t)
	s, b := mustOpen(t, fsys), newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	b.do(t, s, b.put("a"))
	refused := func(what string, a action, want error) {
		t.Helper()
		if err := write(s, []action{a}); !errors.Is(err, want) {
			t.Errorf("%s = %v, want %v", what, err, want)
		}
		b.holds(t, what, s)
	}
	for _, kind := range []string{"serve", "cancel"} {
		refused(kind+" of nothing", action{kind: kind}, store.ErrNotBuilding)
	}
	refused("a vector of nothing", b.told("a", 8), store.ErrNotBuilding)
	refused("a small dimension", action{kind: "begin", count: 7}, ann.ErrDimension)
	b.do(t, s, action{kind: "begin", other: "next", count: 16})
	refused("a second one", action{kind: "begin", other: "other", count: 16}, store.ErrConflict)
	refused("another dimension", b.told("a", 8), ann.ErrDimension)
	refused("no such memory", embedding("nobody", 1, vectorOf(1, 16)), store.ErrNotFound)
	refused("no such version", embedding("a", 3, vectorOf(1, 16)), store.ErrConflict)
	b.do(t, s, embedding("a", 1, vectorOf(4, 16)), b.told("a", 16))
	refused("another vector", embedding("a", 2, vectorOf(5, 16)), store.ErrConflict)
	if err := write(s, []action{b.told("a", 16)}); err != nil { // the same: nothing to do
		t.Error(err)
	}
	b.holds(t, "told again", s)
	mustSeal(t, s)
	b.do(t, s, action{kind: "cancel"})
	b.holds(t, "canceled", s)
	mustSeal(t, s)
	if left := vectorFiles(fsys); len(left) > 0 {
		t.Errorf("%v are left of what was canceled", left)
	}
	s = reopened(t, fsys, s)
	b.holds(t, "canceled and reopened", s)
	mustClose(t, s)
}

// TestErasedVectorIsGone: a compaction leaves nothing of an erased memory's vector that is being built, also if one
// before it was cut off between the segments and the files of vectors.
func TestErasedVectorIsGone(t *testing.T) {
	fsys := newFS(t)
	s, b := mustOpen(t, fsys), newBook()
	b.do(t, s, b.put("a"), b.put("secret"), b.put("ccc"))
	b.do(t, s, action{kind: "begin", other: "next", count: 8})
	secret := vectorOf(7, 8)
	secret[0] = math.Pi
	b.do(t, s, b.told("a", 8), embedding("secret", 1, secret), b.told("ccc", 8))
	mustSeal(t, s)
	b.do(t, s, action{kind: "erase", id: "secret"})
	there := func() (names []string) {
		for _, name := range fsys.Files() {
			if content, err := fsys.Bytes(name); err != nil || bytes.Contains(content, vec.Bytes(secret)) {
				names = append(names, name)
			}
		}
		return names
	}
	if len(there()) == 0 {
		t.Fatal("the vector is in no file before")
	}
	// The segment is built anew by a move; the file of vectors is not.
	mustSeal(t, s)
	mustMove(t, s, toCold)
	s = reopened(t, fsys, s)
	if len(there()) == 0 {
		t.Fatal("the vector is in no file before the compaction")
	}
	mustCompact(t, s)
	if names := there(); len(names) > 0 {
		t.Errorf("%v have the vector of a memory that was erased", names)
	}
	b.holds(t, "compacted", s)
	verified(t, s)
	s = reopened(t, fsys, s)
	b.do(t, s, action{kind: "serve"})
	b.holds(t, "served", s)
	mustClose(t, s)
}

// TestDamagedVectorFile damages each byte of a file of vectors, before and after these serve: it is told of, no vector
// is given that was not stored, segments of the former vectors stay, and a generation with damage in its rows is not
// served.
func TestDamagedVectorFile(t *testing.T) {
	for _, serving := range []bool{false, true} {
		fsys := newFS(t)
		s, b := mustOpen(t, fsys), newBook()
		b.do(t, s, b.put("a"), b.put("bb"), b.put("ccc"), b.put("d"))
		mustSeal(t, s)
		b.do(t, s, action{kind: "begin", other: "next", count: 8})
		for _, id := range b.ids() {
			b.do(t, s, b.told(id, 8))
		}
		if serving {
			b.do(t, s, action{kind: "serve"})
		}
		mustSeal(t, s)
		mustClose(t, s)
		path := vectorFiles(fsys)[0]
		whole, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(whole); at += 1 + at/512*7 {
			clone := fsys.CrashClone(0, vfs.KeepAll)
			content := bytes.Clone(whole)
			content[at] ^= 0x40
			if err := clone.SetBytes(path, content); err != nil {
				t.Fatal(err)
			}
			damagedVectors(t, fmt.Sprintf("serving %v, byte %d", serving, at), clone, b.clone(), serving)
			if t.Failed() {
				return
			}
		}
		clone := fsys.CrashClone(0, vfs.KeepAll)
		if err := clone.Remove(path); err != nil {
			t.Fatal(err)
		}
		damagedVectors(t, fmt.Sprintf("serving %v, no file", serving), clone, b.clone(), serving)
	}
}

func damagedVectors(t *testing.T, what string, fsys *vfs.Mem, b *book, serving bool) {
	t.Helper()
	s := mustOpen(t, fsys)
	report, err := s.Verify(t.Context())
	if err != nil {
		t.Fatalf("%s: Verify = %v", what, err)
	}
	noticed := len(report.Problems) > 0
	exact := func(when string) {
		t.Helper()
		v := s.View()
		for id, m := range b.memories {
			f, ok, err := v.Lookup(id)
			if err != nil || !ok {
				t.Errorf("%s, %s: Lookup(%s) = %v, %v", what, when, id, ok, err)
				return
			}
			vector, err := v.Vector(f.Row)
			want := m.Versions[0].Vector
			switch {
			case err != nil && !errors.Is(err, codec.ErrCorrupt):
				t.Errorf("%s, %s: vector of %s: %v", what, when, id, err)
			case err == nil && !bytes.Equal(vec.Bytes(vector), vec.Bytes(want)) && (vector != nil || !noticed):
				t.Errorf("%s, %s: vector of %s = %v, want %v", what, when, id, vector, want)
			}
		}
	}
	exact("opened")
	if !serving {
		err := write(s, []action{{kind: "serve"}})
		if err == nil {
			b.note(action{kind: "serve"})
		} else if !errors.Is(err, codec.ErrCorrupt) || !noticed {
			t.Errorf("%s: serve = %v", what, err)
		}
		exact("served, or refused")
	}
	left, err := s.Compact(t.Context(), store.CompactOptions{})
	if err != nil && !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("%s: Compact = %v", what, err)
	}
	if noticed && err == nil && serving && len(left.Left) == 0 && len(vectorFiles(fsys)) > 0 {
		t.Errorf("%s: Compact keeps %v and says nothing", what, vectorFiles(fsys))
	}
	exact("compacted")
	mustClose(t, s)
}
