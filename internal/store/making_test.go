package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestMissingLog: a space whose log is gone is damaged, also one that was never sealed, of which the log holds all.
func TestMissingLog(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, written := range []bool{false, true} {
			fsys := newFS(t)
			s := mustOpen(t, fsys)
			b := newBook()
			if written {
				b.do(t, s, b.put("a"))
			}
			if sealed {
				mustSeal(t, s)
			}
			mustClose(t, s)
			for _, name := range fsys.Files() {
				if strings.HasPrefix(name, filepath.Join(spaceDir, "wal")) {
					if err := fsys.Remove(name); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, dir := range []bool{false, true} {
				if dir {
					if err := fsys.Remove(filepath.Join(spaceDir, "wal")); err != nil {
						t.Fatal(err)
					}
				}
				s, err := open(fsys)
				corrupt, ok := errors.AsType[*codec.CorruptError](err)
				if !ok || corrupt.Path != filepath.Join(spaceDir, "wal") {
					t.Errorf("sealed %v, written %v: Open without a log = %v, %v, want it damaged",
						sealed, written, s, err)
				}
			}
		}
	}
}

// TestMakingIsInterrupted cuts the power after each operation of the making of a space, and lets each fail: the next
// opening goes on and finds an empty space, and none finds one where there was none.
func TestMakingIsInterrupted(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	type crash struct {
		fsys *vfs.Mem
		op   vfs.Op
	}
	var crashes []crash
	modes := []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random, vfs.Random}
	fault.OnOp = func(op vfs.Op) {
		for seed, mode := range modes {
			crashes = append(crashes, crash{fsys.CrashClone(uint64(op.Index*len(modes)+seed), mode), op})
		}
	}
	mustClose(t, mustOpen(t, fault))
	ops := len(crashes) / len(modes)
	if ops < 10 {
		t.Fatalf("making a space took %d operations", ops)
	}
	made := func(what string, fsys vfs.FS, op vfs.Op) {
		t.Helper()
		s, err := open(fsys)
		if err != nil {
			t.Errorf("%s %v: Open = %v", what, op, err)
			return
		}
		b := newBook()
		b.holds(t, what, s)
		b.do(t, s, b.put("a"))
		mustClose(t, s)
		s = mustOpen(t, fsys)
		b.holds(t, what+", written to", s)
		mustClose(t, s)
	}
	for _, c := range crashes {
		made("the power cut after", c.fsys, c.op)
	}
	for n := range ops {
		fsys := newFS(t)
		fault := vfs.NewFault(fsys)
		fault.Inject = func(op vfs.Op) error {
			if op.Index == n {
				return syscall.EIO
			}
			return nil
		}
		s, err := open(fault)
		if err == nil {
			err = s.Close()
		}
		if err == nil {
			t.Errorf("operation %d failed and nobody said so", n)
		}
		made("failed", fsys, vfs.Op{Index: n})
	}
}

// TestLostManifest: a log that was written to is not taken for the beginning of a space that was being made.
func TestLostManifest(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	b.do(t, s, b.put("a"))
	mustClose(t, s)
	if err := fsys.Remove(manifestPath); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s, err := open(fsys); !errors.Is(err, codec.ErrCorrupt) {
			t.Fatalf("Open without a manifest = %v, %v, want it damaged", s, err)
		}
	}
}
