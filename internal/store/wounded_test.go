package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// logRecord is where a record of the log is.
type logRecord struct {
	path string
	off  int64
	size int64 // of head and payload
	lsn  uint64
}

// logRecords lists the data records of the space's log, by docs/format/log.md.
func logRecords(t *testing.T, fsys *vfs.Mem) (list []logRecord) {
	t.Helper()
	for _, path := range fsys.Files() {
		if filepath.Ext(path) != ".wal" {
			continue
		}
		b, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		for off := 128; off+32 <= len(b) && b[off+24] != 0; {
			n := int(binary.LittleEndian.Uint32(b[off:]))
			if b[off+24] == 1 {
				list = append(list, logRecord{path, int64(off), int64(32 + n), binary.LittleEndian.Uint64(b[off+8:])})
			}
			off += 32 + (n+7)&^7
		}
	}
	return list
}

// places are offsets in a record: in its head, its operations, what it is of (in the hash, in a count, in each
// checksum).
func (r logRecord) places() map[string]int64 {
	end := r.size
	return map[string]int64{
		"length": 0, "lsn": 9, "kind": 24, "first byte": 32, "ops": 34, "hash": end - 24 - 8, "count": end - 24,
		"second count": end - 16, "sum of ops": end - 8, "sum of what it is of": end - 4,
	}
}

// damagedLog opens the space with a bit flipped, and again with it put right.
type damagedLog struct {
	b       *book
	record  logRecord
	refused []string // memories that the record is of
}

func (d damagedLog) at(t *testing.T, whole *vfs.Mem, place string, off int64) {
	t.Helper()
	name := fmt.Sprintf("%s of record %d", place, d.record.lsn)
	fsys := whole.CrashClone(0, vfs.KeepAll)
	flip := func() {
		if err := fsys.Corrupt(d.record.path, d.record.off+off, 4); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	damaged := fsys.CrashClone(0, vfs.KeepAll)
	for range 2 {
		s, err := open(fsys)
		if err != nil {
			t.Fatalf("%s: Open = %v", name, err)
		}
		d.holds(t, name, s, place == "first byte" || place == "ops" || place == "sum of ops")
		mustClose(t, s)
	}
	for _, path := range fsys.Files() {
		was, err := damaged.Bytes(path)
		if is, now := fsys.Bytes(path); err != nil || now != nil || !bytes.Equal(was, is) {
			t.Errorf("%s: opening it has changed %s", name, path)
		}
	}
	flip()
	s := mustOpen(t, fsys)
	d.b.holds(t, name+", put right", s)
	verified(t, s)
	mustClose(t, s)
}

// holds compares everything: with lost, what the record is of is refused.
func (d damagedLog) holds(t *testing.T, name string, s *store.Space, lost bool) {
	t.Helper()
	v := s.View()
	want := map[string]bool{}
	if lost {
		for _, id := range d.refused {
			want[id] = true
		}
	}
	memories, links, _ := read(v)
	for id := range d.b.memories {
		_, ok, err := v.Lookup(id)
		var corrupt *codec.CorruptError
		switch {
		case want[id] && (!errors.As(err, &corrupt) || corrupt.Path != d.record.path || corrupt.Offset != d.record.off):
			t.Errorf("%s: Lookup(%s) = %v, %v, want its damage", name, id, ok, err)
		case !want[id] && (err != nil || !ok || !reflect.DeepEqual(memories[id], d.b.memories[id])):
			t.Errorf("%s: %s is %+v (%v), want %+v", name, id, memories[id], err, d.b.memories[id])
		}
	}
	for id := range want {
		if _, ok, err := v.Lookup(id); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("%s: Lookup(%s) = %v, %v, want damage", name, id, ok, err)
		}
		if _, there := memories[id]; there {
			t.Errorf("%s: %s is given", name, id)
		}
	}
	if _, ok, err := v.Lookup("never there"); ok || err != nil {
		t.Errorf("%s: Lookup of what never was = %v, %v", name, ok, err)
	}
	kept := maps.Clone(d.b.links)
	maps.DeleteFunc(kept, func(l [3]string, _ float32) bool { return want[l[0]] || want[l[1]] })
	if !maps.Equal(links, kept) {
		t.Errorf("%s: links are %v, want %v", name, links, kept)
	}
	if n := len(v.Unreadable(100)); n != len(want) {
		t.Errorf("%s: %d memories are told to be unreadable, want %d", name, n, len(want))
	}
	for _, answer := range recalled(v) {
		for id := range want {
			if strings.Contains(answer, " "+id+"=") {
				t.Errorf("%s: recall gives %s: %s", name, id, answer)
			}
		}
	}
	d.refuses(t, name, s)
}

// refuses checks that the space says what is wrong, and takes nothing.
func (d damagedLog) refuses(t *testing.T, name string, s *store.Space) {
	t.Helper()
	err := write(s, []action{d.b.put("more")})
	if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, codec.ErrCorrupt) ||
		!strings.Contains(err.Error(), "repair") {
		t.Errorf("%s: Write = %v, want it refused with the damage and what to do", name, err)
	}
	if err := s.Seal(context.Background()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("%s: Seal = %v", name, err)
	}
	if err := s.Health(); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("%s: Health = %v", name, err)
	}
	report, err := s.Verify(context.Background())
	if err != nil || len(report.Problems) != 1 || report.Problems[0].File != d.record.path ||
		report.Problems[0].Offset != d.record.off {
		t.Errorf("%s: Verify = %+v, %v, want the damage and nothing else", name, report.Problems, err)
	}
	if told := s.Stats().Damaged; len(told) != 1 || !strings.Contains(told[0], d.record.path) {
		t.Errorf("%s: Stats tells of %q", name, told)
	}
}

// TestDamagedLogRecords damages every part of every record that only the log holds: what it is of is refused, and what
// it is not of is there to the last field; where its operations prove themselves all the same, nothing is refused.
func TestDamagedLogRecords(t *testing.T) {
	t.Parallel()
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	for _, id := range []string{"a", "bb", "ccc", "d", "ee", "fff", "g"} {
		b.do(t, s, b.put(id))
	}
	b.do(t, s, action{kind: "supersede", id: "ee", other: "fff", at: 6})
	b.do(t, s, action{kind: "archive", id: "d", at: 5})
	mustSeal(t, s)
	position := s.View().Position
	of := map[uint64][]string{}
	for _, step := range []struct {
		actions []action
		of      string
	}{
		{[]action{b.put("a")}, "a"}, // replaced once more below
		{[]action{b.put("new"), b.put("newer")}, "new newer"},
		{[]action{{kind: "archive", id: "bb", at: 9}}, "bb"},
		{[]action{b.put("d")}, "d"},
		{[]action{{kind: "erase", id: "fff"}}, "fff ee"}, // what ee says of its heir changes with it
		{[]action{{kind: "link", id: "ccc", other: "g", linkType: "t", weight: .5}}, "ccc g"},
		{[]action{{kind: "reinforce", id: "new", count: 2, at: 11}}, "new"},
		{[]action{{kind: "unlink", id: "ccc", other: "g", linkType: "t"}}, "ccc g"},
		{[]action{{kind: "key", key: store.Key{Name: "k", ID: "a", Result: "r"}}}, ""},
	} {
		b.do(t, s, step.actions...)
		of[s.View().Position] = strings.Fields(step.of)
	}
	mustClose(t, s)
	n := 0
	for _, r := range logRecords(t, fsys) {
		if r.lsn <= position {
			continue
		}
		n++
		places := r.places()
		if len(of[r.lsn]) == 0 {
			delete(places, "hash")
		}
		for _, place := range slices.Sorted(maps.Keys(places)) {
			damagedLog{b, r, of[r.lsn]}.at(t, fsys, place, places[place])
		}
	}
	if n != len(of) {
		t.Errorf("%d records behind the sealing, want %d", n, len(of))
	}
}

// TestDamagedLogOfSources damages a verdict on a source: memories whose confidence follows from it are refused.
func TestDamagedLogOfSources(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	by := b.put("by")
	by.version.Record.Source, by.version.Record.Confidence = "ada", 1
	b.do(t, s, by)
	err := s.Write(context.Background(), "verdict", nil, func(tx *store.Tx) error {
		return tx.SetSource(store.Source{Name: "ada", Reliability: action{count: 3}.source().Reliability, At: 3})
	})
	if err != nil {
		t.Fatal(err)
	}
	position := s.View().Position
	mustClose(t, s)
	for _, r := range logRecords(t, fsys) {
		if r.lsn == position {
			if err := fsys.Corrupt(r.path, r.off+34, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	s = mustOpen(t, fsys)
	for id, refused := range map[string]bool{"a": false, "bb": false, "by": true} {
		if _, ok, err := s.View().Lookup(id); errors.Is(err, codec.ErrCorrupt) != refused || ok == refused {
			t.Errorf("Lookup(%s) = %v, %v, want it refused: %v", id, ok, err, refused)
		}
	}
	mustClose(t, s)
}

// TestDamagedLogMixedUp puts the frame of one record, whole as it is, in the place of another's: it is not taken for
// that.
func TestDamagedLogMixedUp(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("aa"), b.put("bb"))
	b.do(t, s, action{kind: "reinforce", id: "aa", count: 2, at: 11})
	b.do(t, s, action{kind: "reinforce", id: "bb", count: 2, at: 11})
	b.do(t, s, b.put("cc"))
	mustClose(t, s)
	records := logRecords(t, fsys)
	from, to := records[1], records[2]
	if from.size != to.size {
		t.Fatalf("the records have %d and %d bytes", from.size, to.size)
	}
	content, err := fsys.Bytes(to.path)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[to.off+32:to.off+to.size], content[from.off+32:])
	if err := fsys.SetBytes(to.path, content); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fsys)
	for id, refused := range map[string]bool{"aa": false, "bb": true, "cc": false} {
		if _, ok, err := s.View().Lookup(id); ok == refused || errors.Is(err, codec.ErrCorrupt) != refused {
			t.Errorf("Lookup(%s) = %v, %v, want it refused: %v", id, ok, err, refused)
		}
	}
	mustClose(t, s)
}

// TestDamagedLogThatDoesNotTell damages a record that says what the whole space goes by, and both parts of another one.
// What they were of was told again in the marks: with one of these the space opens, without both it is refused.
func TestDamagedLogThatDoesNotTell(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, action{kind: "model", other: "m1"})
	b.do(t, s, b.put("a"))
	b.do(t, s, b.put("bb"))
	mustClose(t, s)
	records := logRecords(t, fsys)
	marks := []int64{4096 + 9, 8192 + 9} // in the heads of the two, docs/format/log.md
	for i, offs := range [][]int64{{34}, {34, records[1].size - 24 - 8}} {
		for damaged := range len(marks) + 1 {
			clone := fsys.CrashClone(0, vfs.KeepAll)
			for _, off := range offs {
				if err := clone.Corrupt(records[i].path, records[i].off+off, 1); err != nil {
					t.Fatal(err)
				}
			}
			for _, off := range marks[:damaged] {
				if err := clone.Corrupt(records[i].path, off, 1); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				s, err := open(clone)
				if damaged == len(marks) {
					var corrupt *codec.CorruptError
					at := records[i]
					if !errors.As(err, &corrupt) || corrupt.Path != at.path || corrupt.Offset != at.off {
						t.Errorf("record %d damaged: Open = %v, want it refused by the record's place", i+1, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("record %d damaged, and %d marks: Open = %v", i+1, damaged, err)
				}
				for id, refused := range map[string]bool{"a": i == 1, "bb": false} {
					if _, ok, err := s.View().Lookup(id); ok == refused || errors.Is(err, codec.ErrCorrupt) != refused {
						t.Errorf("record %d damaged: Lookup(%s) = %v, %v, refused: %v", i+1, id, ok, err, refused)
					}
				}
				if got := s.View().Model; got != "m1" {
					t.Errorf("record %d damaged: the model is %q", i+1, got)
				}
				mustClose(t, s)
			}
		}
	}
}

// TestDamageBehindTheSealing damages every record of the log that is sealed: everything is there, the space takes
// writes, and verify tells of it until the file is gone.
func TestDamageBehindTheSealing(t *testing.T) {
	whole, b, _ := scarred(t)
	s := mustOpen(t, whole)
	position := s.View().Position - 5 // scarred writes five times behind its last sealing
	mustClose(t, s)
	n := 0
	for _, r := range logRecords(t, whole) {
		if r.lsn > position {
			continue
		}
		n++
		fsys, b := whole.CrashClone(0, vfs.KeepAll), b.clone()
		if err := fsys.Corrupt(r.path, r.off+33, 1); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, fsys)
		b.holds(t, fmt.Sprint("record ", r.lsn), s)
		report, err := s.Verify(context.Background())
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != r.path ||
			report.Problems[0].Offset != r.off {
			t.Errorf("record %d: Verify = %+v, %v, want its place", r.lsn, report.Problems, err)
		}
		mustClose(t, s)

		// The same to a space that is open: it finds the record damaged when it looks.
		fsys = whole.CrashClone(0, vfs.KeepAll)
		s = mustOpen(t, fsys)
		verified(t, s)
		if err := fsys.Corrupt(r.path, r.off+33, 1); err != nil {
			t.Fatal(err)
		}
		report, err = s.Verify(context.Background())
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != r.path ||
			report.Problems[0].Offset != r.off {
			t.Errorf("record %d, open: Verify = %+v, %v, want its place", r.lsn, report.Problems, err)
		}
		b.do(t, s, b.put("more"))
		mustSeal(t, s)
		b.do(t, s, b.put("still more"))
		mustClose(t, s)
		s = mustOpen(t, fsys)
		b.holds(t, fmt.Sprint("reopened, record ", r.lsn), s)
		mustClose(t, s)
	}
	if n == 0 {
		t.Error("the log holds no record that is sealed")
	}
}
