package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// sealedRow is a row in a segment file.
type sealedRow struct {
	row     uint32
	path    string
	slot    int
	id      string
	current bool // it is the current version of a memory
	gone    bool // no memory has it among its versions
	void    bool
	vector  bool
	places  map[string]int64 // an offset in each part: line, body, vector, block
	copies  int64            // how far behind it the copy of a line or block is
}

// scarred is a space with two segments and a log behind them, in which everything has happened to some memory.
func scarred(t *testing.T) (*vfs.Mem, *book, []sealedRow) {
	t.Helper()
	return scarredIn(t, segment.Warm)
}

// scarredIn is scarred with its segments in a tier; in the cold one they are put together.
func scarredIn(t *testing.T, tier segment.Tier) (*vfs.Mem, *book, []sealedRow) {
	t.Helper()
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff", "g", "hh", "iii", "j", "kk", "lll"} {
		b.do(t, s, b.put(id))
	}
	if err := write(s, []action{b.put("x"), {kind: "no such"}}); err == nil {
		t.Fatal("a failing write succeeded")
	}
	b.do(t, s, action{kind: "link", id: "a", other: "bb", linkType: "t", weight: .5},
		action{kind: "link", id: "ccc", other: "a", linkType: "t", weight: .25})
	b.do(t, s, b.put("a")) // a new version
	b.do(t, s, action{kind: "archive", id: "d", at: 5})
	b.do(t, s, action{kind: "supersede", id: "ee", other: "fff", at: 6})
	b.do(t, s, action{kind: "erase", id: "g"})
	b.do(t, s, action{kind: "reinforce", id: "hh", count: 3, at: 7})
	b.do(t, s, action{kind: "key", key: store.Key{Name: "k", Fingerprint: 1, ID: "a", Result: "created", Version: 1}})
	mustSeal(t, s)
	b.do(t, s, b.put("iii"))
	b.do(t, s, action{kind: "archive", id: "j", at: 8})
	b.do(t, s, b.put("j")) // restored
	b.do(t, s, b.put("m"))
	b.do(t, s, b.put("bb"), b.put("bb"))
	b.do(t, s, action{kind: "erase", id: "kk"})
	b.do(t, s, b.put("kk")) // anew
	b.do(t, s, action{kind: "link", id: "m", other: "iii", linkType: "u", weight: 1})
	mustSeal(t, s)
	if tier == segment.Cold {
		mustMove(t, s, toCold)
	}
	// In the log only.
	b.do(t, s, b.put("m"))
	b.do(t, s, action{kind: "archive", id: "fff", at: 9})
	b.do(t, s, action{kind: "erase", id: "lll"})
	b.do(t, s, action{kind: "link", id: "hh", other: "a", linkType: "t", weight: 1})
	b.do(t, s, b.put("n"))
	rows := sealedRows(t, fsys, s.View())
	b.holds(t, "before the damage", s)
	mustClose(t, s)
	return fsys, b, rows
}

// sealedRows lists the rows of all segment files, by docs/format/segment.md.
func sealedRows(t *testing.T, fsys *vfs.Mem, v *store.View) (rows []sealedRow) {
	t.Helper()
	for _, path := range fsys.Files() {
		if !strings.HasSuffix(path, ".seg") {
			continue
		}
		file, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		u64 := func(off int64) int64 { return int64(binary.LittleEndian.Uint64(file[off:])) }
		u32 := func(off int64) int64 { return int64(binary.LittleEndian.Uint32(file[off:])) }
		for slot := range u32(64) {
			line := 128 + 64*slot
			r := sealedRow{
				row: uint32(len(rows)), path: path, slot: int(slot), void: u32(line+40)&1 != 0,
				places: map[string]int64{"line": line + 8}, copies: copyOf(file),
			}
			if !r.void {
				r.places["body"] = u64(96) + u64(line+16) + 3
				if n := u32(line + 36); n != 0xffffffff {
					r.vector = true
					r.places["block"] = 128 + 64*u32(64) + 32*n + 8
					r.places["vector"] = u64(88) + 64*n + 4
				}
				rec, err := v.Record(r.row)
				if err != nil {
					t.Fatalf("Record(%d) = %v", r.row, err)
				}
				r.id = rec.ID
				f, ok, err := v.Lookup(r.id)
				if err != nil {
					t.Fatal(err)
				}
				r.current = ok && f.Row == r.row
				r.gone = !ok || !slices.Contains(v.Versions(f), r.row)
			}
			rows = append(rows, r)
		}
	}
	return rows
}

// TestDamagedRows damages each part of each sealed row in turn. Whatever it is: all other memories are there exactly,
// the damaged one says so and is never absent or older, through further writes, sealings and openings; and when the
// file is repaired, everything is as if nothing had been.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	for _, tier := range []segment.Tier{segment.Warm, segment.Cold} {
		fsys, b, rows := scarredIn(t, tier)
		if len(rows) < 20 {
			t.Fatalf("%d sealed rows", len(rows))
		}
		for _, r := range rows {
			for _, part := range slices.Sorted(maps.Keys(r.places)) {
				name := fmt.Sprintf("%s of %v row %d (%s, current %v, gone %v)",
					part, tier, r.row, r.id, r.current, r.gone)
				t.Run(name, func(t *testing.T) {
					clone := fsys.CrashClone(0, vfs.KeepAll)
					damagedRow(t, clone, b.clone(), r, part)
				})
			}
		}
	}
}

func damagedRow(t *testing.T, fsys *vfs.Mem, b *book, r sealedRow, part string) {
	flip := func() {
		if err := fsys.Corrupt(r.path, r.places[part], 0x10); err != nil {
			t.Fatal(err)
		}
		if part == "line" || part == "block" { // one copy of these costs nothing: TestMendedSegmentFile
			if err := fsys.Corrupt(r.path, r.copies+r.places[part], 0x10); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip()
	s := mustOpen(t, fsys)
	check := func(when string) {
		t.Helper()
		wounded{b, r, part}.check(t, when, s)
	}
	check("opened")
	writable := s.Health() == nil || !errors.Is(s.Health(), store.ErrReadOnly)
	if !writable && part != "line" {
		t.Errorf("damage to the %s makes the space read-only: %v", part, s.Health())
	}
	for cycle := range 2 {
		if writable {
			b.do(t, s, b.put(fmt.Sprint("new", cycle)), action{
				kind: "reinforce", id: "n", count: uint32(cycle + 5), at: 3,
			})
			if r.id != "j" {
				b.do(t, s, action{kind: []string{"archive", "erase"}[cycle], id: "j", at: 4})
			}
			mustSeal(t, s)
			check("sealed again")
		}
		mustClose(t, s)
		s = mustOpen(t, fsys)
		check("reopened")
	}
	mustClose(t, s)
	flip()
	s = mustOpen(t, fsys)
	b.holds(t, "repaired", s)
	verified(t, s)
	if err := s.Health(); err != nil {
		t.Errorf("repaired: Health = %v", err)
	}
	mustClose(t, s)
}

// wounded is a space with one damaged part.
type wounded struct {
	b    *book
	r    sealedRow
	part string
}

// check compares everything that s shows with what it must.
func (w wounded) check(t *testing.T, when string, s *store.Space) {
	t.Helper()
	v := s.View()
	unreadable := w.part == "line" || w.part == "body"
	for id, m := range w.b.memories {
		f, ok, err := v.Lookup(id)
		if id == w.r.id && w.r.current && unreadable {
			var corrupt *codec.CorruptError
			if !errors.As(err, &corrupt) || corrupt.Path != w.r.path {
				t.Errorf("%s: Lookup(%s) = %v, %v, want the damage of %s", when, id, ok, err, w.r.path)
			}
			continue
		}
		if err != nil || !ok {
			t.Errorf("%s: Lookup(%s) = %v, %v", when, id, ok, err)
			continue
		}
		w.memory(t, when, v, f, m)
	}
	if w.r.gone && w.part == "body" {
		if diff := w.b.differs(v); diff != "" {
			t.Errorf("%s: a row that no memory has is damaged: %s", when, diff)
		}
	}
	w.recall(t, when, v)
	report, err := s.Verify(context.Background())
	if err != nil {
		t.Errorf("%s: Verify = %v", when, err)
	}
	for _, p := range report.Problems {
		if p.File != w.r.path || p.Offset < 0 {
			t.Errorf("%s: Verify reports %+v, damaged is %s", when, p, w.r.path)
		}
	}
	if len(report.Problems) == 0 {
		t.Errorf("%s: Verify finds nothing", when)
	}
	if len(s.Stats().Damaged) == 0 {
		t.Errorf("%s: Stats lists nothing", when)
	}
}

// memory compares one readable memory.
func (w wounded) memory(t *testing.T, when string, v *store.View, f store.Found, m ideal) {
	t.Helper()
	id := m.Versions[0].Record.ID
	if f.ArchivedAt() != m.ArchivedAt || f.SupersededBy() != m.SupersededBy || f.Until() != m.Until ||
		f.Reinforced() != m.Reinforced {
		t.Errorf("%s: state of %s is archived %d, superseded by %q, met %d times, want %+v",
			when, id, f.ArchivedAt(), f.SupersededBy(), f.Reinforced(), m)
	}
	versions := v.Versions(f)
	if id == w.r.id && w.part == "line" {
		versions = versions[len(versions)-1:] // which memory an old version belongs to cannot be told
	}
	wanted := m.Versions[len(m.Versions)-len(versions):]
	for i, row := range versions {
		hit := id == w.r.id && row == w.r.row
		r, err := v.Record(row)
		if hit && w.part == "body" {
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("%s: Record(%d) of %s = %+v, %v, want damage", when, row, id, r, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(*r, wanted[i].Record) {
			t.Errorf("%s: Record(%d) of %s = %+v, %v, want %+v", when, row, id, r, err, wanted[i].Record)
		}
		vector, err := v.Vector(row)
		if hit && w.r.vector {
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("%s: Vector(%d) of %s = %v, %v, want damage", when, row, id, vector, err)
			}
			continue
		}
		if err != nil || !slices.Equal(vector, wanted[i].Vector) {
			t.Errorf("%s: Vector(%d) of %s = %v, %v, want %v", when, row, id, vector, err, wanted[i].Vector)
		}
	}
	w.links(t, when, v, f, id)
}

// links compares a memory's associations; those with a memory that cannot be read are left out.
func (w wounded) links(t *testing.T, when string, v *store.View, f store.Found, id string) {
	t.Helper()
	lost := w.r.id
	if !w.r.current && w.part != "line" || w.part == "vector" || w.part == "block" {
		lost = ""
	}
	// The state file names memories by rows: what it says of one whose row cannot be told is kept, but not shown.
	if id == lost {
		return
	}
	want := map[string]bool{}
	for l := range w.b.links {
		if l[0] == id && l[1] != lost {
			want["to "+l[1]+" "+l[2]] = true
		}
		if l[1] == id && l[0] != lost {
			want["from "+l[0]+" "+l[2]] = true
		}
	}
	links, err := v.Links(f)
	if err != nil {
		t.Errorf("%s: Links(%s) = %v", when, id, err)
	}
	got := map[string]bool{}
	for _, l := range links {
		other, err := v.ID(l.Other)
		if err != nil {
			t.Errorf("%s: Links(%s): %v", when, id, err)
		}
		if other == lost && !w.r.current {
			continue
		}
		got[map[bool]string{true: "to ", false: "from "}[l.Outgoing]+other+" "+l.Type] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s: links of %s are %v, want %v", when, id, got, want)
	}
}

// recall looks for every memory by its own words.
func (w wounded) recall(t *testing.T, when string, v *store.View) {
	t.Helper()
	var engine recall.Engine
	for id, m := range w.b.memories {
		last := m.Versions[len(m.Versions)-1]
		q := recall.Query{Text: last.Record.Content, Embedding: last.Vector, Limit: 50, Filters: recall.NoFilters()}
		answer, err := engine.Recall(context.Background(), v.Corpus(), q)
		if err != nil {
			t.Errorf("%s: Recall(%s) = %v", when, id, err)
		}
		found := false
		for _, h := range answer.Hits {
			got, err := v.ID(h.Row)
			if err != nil {
				t.Errorf("%s: Recall(%s) finds a row that cannot be read: %v", when, id, err)
			}
			found = found || got == id
		}
		hidden := m.ArchivedAt != store.NoTime || m.SupersededBy != ""
		unreadable := id == w.r.id && w.r.current && (w.part == "line" || w.part == "body")
		if found == (hidden || unreadable) {
			t.Errorf("%s: Recall(%s) finds it: %v", when, id, found)
		}
	}
}
