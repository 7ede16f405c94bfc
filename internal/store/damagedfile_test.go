package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestDamagedSegmentFile damages what a whole segment hangs on: the space is read-only, no memory in the segment is
// absent or older, the others are there, and nothing is lost when the file is repaired.
func TestDamagedSegmentFile(t *testing.T) {
	t.Run("warm", func(t *testing.T) { damageSegmentFiles(t, segment.Warm) })
	t.Run("cold", func(t *testing.T) { damageSegmentFiles(t, segment.Cold) })
}

func damageSegmentFiles(t *testing.T, tier segment.Tier) {
	fsys, b, rows := scarredIn(t, tier)
	paths := slices.Compact([]string{rows[0].path, rows[len(rows)-1].path})
	for _, path := range paths {
		for what, change := range map[string]func(fs *vfs.Mem) error{
			"header":  func(fs *vfs.Mem) error { return corruptTwice(fs, path, 20) },
			"summary": func(fs *vfs.Mem) error { return corruptTwice(fs, path, 70) },
			"missing": func(fs *vfs.Mem) error { return errors.Join(fs.Remove(path), fs.SyncDir(spaceDir)) },
			"shorter": func(fs *vfs.Mem) error {
				whole, err := fs.Bytes(path)
				return errors.Join(err, fs.SetBytes(path, whole[:200]))
			},
		} {
			t.Run(what+" of "+path, func(t *testing.T) {
				clone := fsys.CrashClone(0, vfs.KeepAll)
				whole, err := clone.Bytes(path)
				if err := errors.Join(err, change(clone)); err != nil {
					t.Fatal(err)
				}
				s := mustOpen(t, clone)
				lostSegment(t, s, b, rows, path)
				mustClose(t, s)
				if err := clone.SetBytes(path, whole); err != nil {
					t.Fatal(err)
				}
				s = mustOpen(t, clone)
				b.holds(t, "repaired", s)
				verified(t, s)
				mustClose(t, s)
			})
		}
	}
}

// corruptTwice damages a place in header or summary and in their copy.
func corruptTwice(fs *vfs.Mem, path string, off int64) error {
	whole, err := fs.Bytes(path)
	return errors.Join(err, fs.Corrupt(path, off, 1), fs.Corrupt(path, copyOf(whole)+off, 1))
}

// copyOf is where the copy of its front is in a segment file.
func copyOf(file []byte) int64 { return int64(binary.LittleEndian.Uint64(file[64+40:])+4095) &^ 4095 }

// TestMendedSegmentFile damages header, summary or a line, of which there are copies, or a copy: everything is there,
// the damage is told, and a compaction writes the file anew.
func TestMendedSegmentFile(t *testing.T) {
	fsys, b, _ := scarred(t)
	s := mustOpen(t, fsys)
	mustCompact(t, s)
	if report := mustCompact(t, s); report.Sources != 0 {
		t.Fatalf("Compact again = %+v, want nothing to do", report)
	}
	mustClose(t, s)
	files := fsys.Files()
	path := files[slices.IndexFunc(files, func(name string) bool { return strings.HasSuffix(name, ".seg") })]
	whole, err := fsys.Bytes(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{20, 70, 130, 64*4 + 20, copyOf(whole) + 20, copyOf(whole) + 130} {
		clone := fsys.CrashClone(0, vfs.KeepAll)
		if err := clone.Corrupt(path, off, 1); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, clone)
		b.holds(t, "mended", s)
		if _, ok, err := s.View().Lookup("never was"); ok || err != nil {
			t.Errorf("Lookup of what is not there = %v, %v", ok, err)
		}
		if off == copyOf(whole)+130 { // nobody reads it while the first is whole
			if err := s.Health(); err != nil {
				t.Errorf("Health before the copy of a line was looked at = %v", err)
			}
			if _, err := s.Verify(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Health(); !errors.Is(err, codec.ErrCorrupt) || errors.Is(err, store.ErrReadOnly) {
			t.Errorf("Health = %v, want the damage, and no more", err)
		}
		report, err := s.Verify(context.Background())
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != path {
			t.Errorf("Verify = %+v, %v, want the damage of %s", report.Problems, err, path)
		}
		salvaged, err := store.Salvage(options(clone), func(err error) {
			if strings.Contains(err.Error(), path) {
				t.Errorf("with a bit flipped at %d, Salvage loses %v", off, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := b.differs(salvaged.View()); diff != "" {
			t.Errorf("with a bit flipped at %d, Salvage: %s", off, diff)
		}
		mustClose(t, salvaged)
		if report := mustCompact(t, s); report.Sources != 1 {
			t.Errorf("Compact = %+v, want the file written anew", report)
		}
		b.holds(t, "compacted", s)
		mustClose(t, s)
		s = mustOpen(t, clone)
		b.holds(t, "reopened", s)
		verified(t, s)
		if err := s.Health(); err != nil {
			t.Errorf("Health = %v", err)
		}
		mustClose(t, s)
	}
}

func lostSegment(t *testing.T, s *store.Space, b *book, rows []sealedRow, path string) {
	t.Helper()
	if err := write(s, []action{b.put("z")}); !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Write = %v, want read-only and the damage", err)
	}
	if err := s.Seal(context.Background()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Seal = %v, want read-only", err)
	}
	if err := s.Health(); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Health = %v, want the damage", err)
	}
	inside, current := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		if r.path == path {
			inside[r.id] = true
			current[r.id] = current[r.id] || r.current
		}
	}
	v := s.View()
	for id, m := range b.memories {
		f, ok, err := v.Lookup(id)
		switch {
		case current[id]:
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("Lookup(%s), which is in the lost segment, = %v, %v, want damage", id, ok, err)
			}
		case err != nil || !ok:
			if !inside[id] {
				t.Errorf("Lookup(%s) = %v, %v", id, ok, err)
			}
		default:
			r, err := v.Record(f.Row)
			if err != nil || !reflect.DeepEqual(*r, m.Versions[len(m.Versions)-1].Record) {
				t.Errorf("Record of %s = %+v, %v, want %+v", id, r, err, m.Versions[len(m.Versions)-1].Record)
			}
		}
	}
	if _, ok, err := v.Lookup("never was"); ok || !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Lookup of an unknown id = %v, %v: it may be in the lost segment", ok, err)
	}
	recalled(v)
	s.Stats()
	report, err := s.Verify(context.Background())
	if err != nil || len(report.Problems) == 0 || report.Problems[0].File != path {
		t.Errorf("Verify = %+v, %v, want the damage of %s", report.Problems, err, path)
	}
}
