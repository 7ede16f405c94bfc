package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// costless lists places where damage costs nothing while the space is open, and whether one that is closed opens with
// it.
func costless(t *testing.T, fsys *vfs.Mem) map[string]func(*vfs.Mem) (path string, opens bool, err error) {
	t.Helper()
	list := map[string]func(*vfs.Mem) (string, bool, error){}
	at := func(path string, opens bool, places ...int64) func(*vfs.Mem) (string, bool, error) {
		return func(f *vfs.Mem) (string, bool, error) {
			var err error
			for _, off := range places {
				err = errors.Join(err, f.Corrupt(path, off, 1))
			}
			return path, opens, err
		}
	}
	for _, path := range fsys.Files() {
		b, err := fsys.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		name, size := filepath.Base(path), int64(len(b))
		switch filepath.Ext(path) {
		case ".seg":
			list[name+" header"] = at(path, true, 20)
			list[name+" summary"] = at(path, true, 70)
			list[name+" line"] = at(path, true, 150)
			list[name+" copy of the header"] = at(path, true, copyOf(b)+20)
			if vectors := int64(binary.LittleEndian.Uint64(b[88:])); binary.LittleEndian.Uint32(b[68:]) > 0 {
				list[name+" codes"] = at(path, true, vectors-60)
			}
			list[name+" copy of a line"] = at(path, true, copyOf(b)+150)
			list[name+" a line and the copy of another"] = at(path, true, 150, copyOf(b)+220)
			list[name+" summary, twice"] = at(path, false, 70, copyOf(b)+70)
		case ".state", "":
			if name != "MANIFEST" && filepath.Ext(name) == "" {
				continue
			}
			list[name+" first"] = at(path, true, 70)
			list[name+" second"] = at(path, true, size-3)
			list[name+" both"] = at(path, false, 70, size-3)
		}
	}
	return list
}

// TestCostlessDamageIsMended damages what there are two copies of, what memory holds as well, and records of the log
// that are sealed, or will be: a compaction that does only that writes it anew, and nothing is told of it any more.
func TestCostlessDamageIsMended(t *testing.T) {
	t.Parallel()
	for _, tier := range []segment.Tier{segment.Warm, segment.Cold} {
		whole, b, _ := scarredIn(t, tier)
		cases := costless(t, whole)
		for i, r := range logRecords(t, whole) {
			cases[fmt.Sprintf("log record %d", r.lsn)] = func(f *vfs.Mem) (string, bool, error) {
				return r.path, i < 3, f.Corrupt(r.path, r.off+33, 1)
			}
		}
		if len(cases) < 15 {
			t.Fatalf("only %d places", len(cases))
		}
		for what, damage := range cases {
			for _, open := range []bool{false, true} {
				mended(t, fmt.Sprintf("tier %d, %s, open: %t", tier, what, open), whole.CrashClone(0, vfs.KeepAll),
					b.clone(), damage, open)
			}
		}
	}
}

func mended(
	t *testing.T, what string, fsys *vfs.Mem, b *book, damage func(*vfs.Mem) (string, bool, error), whileOpen bool,
) {
	t.Helper()
	var s *store.Space
	if whileOpen {
		s = mustOpen(t, fsys)
	}
	path, opens, err := damage(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if !whileOpen {
		if !opens {
			return
		}
		s = mustOpen(t, fsys)
	}
	report, err := s.Verify(t.Context())
	if err != nil || len(report.Problems) == 0 {
		t.Errorf("%s: Verify = %+v, %v, want the damage", what, report, err)
	}
	free, mend := s.Mendable()
	if err := s.Health(); !free || !slices.Contains(mend, path) || !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("%s: Mendable = %t, %q, Health = %v, want what can be mended in %s", what, free, mend, err, path)
	}
	left, err := s.Compact(t.Context(), store.CompactOptions{MendOnly: true})
	if err != nil || len(left.Left) > 0 {
		t.Errorf("%s: Compact = %+v, %v", what, left, err)
	}
	again := func(what string) {
		t.Helper()
		if _, mend := s.Mendable(); s.Health() != nil || len(mend) > 0 || len(s.Stats().Damaged) > 0 {
			t.Errorf("%s: Health = %v, want nothing left", what, s.Health())
		}
		verified(t, s)
		b.holds(t, what, s)
	}
	again(what + ", mended")
	b.do(t, s, b.put("more"))
	mustClose(t, s)
	s = mustOpen(t, fsys)
	again(what + ", opened again")
	mustClose(t, s)
}

// TestDamageThatCostsIsLeftAlone damages a row, and beside it the copy of a header and a record of the log: nothing of
// it is for a compaction that mends, since the log may hold what the row did.
func TestDamageThatCostsIsLeftAlone(t *testing.T) {
	t.Parallel()
	fsys, _, rows := scarred(t)
	if err := fsys.Corrupt(rows[0].path, 20, 1); err != nil {
		t.Fatal(err)
	}
	r := logRecords(t, fsys)[0]
	if err := fsys.Corrupt(r.path, r.off+33, 1); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, fsys)
	if free, mend := s.Mendable(); !free || len(mend) == 0 {
		t.Errorf("before the row is damaged, Mendable = %t, %q", free, mend)
	}
	mustClose(t, s)
	if err := fsys.Corrupt(rows[0].path, rows[0].places["body"], 1); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fsys)
	if free, mend := s.Mendable(); free || len(mend) > 0 {
		t.Errorf("Mendable = %t, %q, want nothing to do", free, mend)
	}
	mustClose(t, s)
}

// TestFailingSealingIsNotHurried fails a sealing, and asks beside damage that could be mended.
func TestFailingSealingIsNotHurried(t *testing.T) {
	t.Parallel()
	fsys, b, _ := scarred(t)
	if err := fsys.Corrupt(manifestPath, 70, 1); err != nil {
		t.Fatal(err)
	}
	fault := vfs.NewFault(fsys)
	failing := false
	fault.Inject = func(op vfs.Op) error {
		if failing && op.Kind == vfs.OpCreate {
			return errors.New("no")
		}
		return nil
	}
	s := mustOpen(t, fault)
	b.do(t, s, b.put("more"))
	failing = true
	if err := s.Seal(context.Background()); err == nil {
		t.Fatal("the sealing worked")
	}
	failing = false
	if free, _ := s.Mendable(); free {
		t.Error("Mendable: something is to be done while sealing fails")
	}
	mustClose(t, s)
}
