package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

var endPath = filepath.Join(spaceDir, "END")

// TestOlderLog puts the log of every earlier stage in the place of that of every later one. It is refused, also where
// nothing was sealed in between, and a salvage tells what is missing; put right again all is as it was.
func TestOlderLog(t *testing.T) {
	t.Parallel()
	byNote := 0
	for keep, change := range map[string]func(*store.Options){
		"trimmed log": func(*store.Options) {},
		"whole log":   func(o *store.Options) { o.LogKeepBytes = 1 << 20 },
	} {
		list := stages(t, 3, change)
		for j := range list {
			for i := range j {
				what := fmt.Sprintf("%s, log %d in stage %d", keep, i, j)
				fsys := list[j].fs.CrashClone(0, vfs.KeepAll)
				older(t, fsys, list[i])
				for range 2 { // the second opening finds what the first left
					s, err := open(fsys, change)
					if err == nil {
						mustClose(t, s)
					}
					if !errors.Is(err, codec.ErrCorrupt) {
						t.Errorf("%s: Open = %v, want damage", what, err)
					}
					if err != nil && strings.Contains(err.Error(), endPath) {
						byNote++
					}
				}
				var lost []error
				s, err := store.Salvage(options(fsys, change), func(err error) { lost = append(lost, err) })
				if err != nil || len(lost) == 0 {
					t.Errorf("%s: Salvage = %v, lost %v, want to be told what is missing", what, err, lost)
				} else {
					mustClose(t, s)
				}
				older(t, fsys, list[j])
				s = mustOpen(t, fsys, change)
				list[j].b.holds(t, what+", put right again", s)
				mustClose(t, s)
			}
		}
	}
	if byNote == 0 {
		t.Error("no log was refused for what was noted")
	}
}

// closedTwice is a space that was closed twice with writes in between, nothing of it sealed, as it was each time.
func closedTwice(t *testing.T) (before, after stage) {
	t.Helper()
	fsys, b := newFS(t), newBook()
	var list []stage
	for _, id := range []string{"a", "bb", "ccc"} {
		s := mustOpen(t, fsys)
		b.do(t, s, b.put(id))
		mustClose(t, s)
		list = append(list, stage{fs: fsys.CrashClone(0, vfs.KeepAll), b: b.clone()})
	}
	return list[1], list[2]
}

// TestOlderLogAccepted removes the note of a space whose log was replaced: it goes on with what there is.
func TestOlderLogAccepted(t *testing.T) {
	t.Parallel()
	before, after := closedTwice(t)
	fsys := after.fs.CrashClone(0, vfs.KeepAll)
	older(t, fsys, before)
	_, err := open(fsys)
	for _, want := range []string{
		filepath.Join(spaceDir, "wal"), "ends at position 2", "up to 3", "removing " + endPath,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open = %v, want it to say %q", err, want)
		}
	}
	if err := fsys.Remove(endPath); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, fsys)
	before.b.holds(t, "accepted", s)
	before.b.do(t, s, before.b.put("d"))
	mustClose(t, s)
	s = mustOpen(t, fsys)
	before.b.holds(t, "accepted, and opened again", s)
	mustClose(t, s)
}

// TestDamagedEnd damages the note, in each byte of both places: the other place counts, and where neither is whole, or
// there is no note, the space opens as it always did.
func TestDamagedEnd(t *testing.T) {
	t.Parallel()
	before, after := closedTwice(t)
	whole, err := after.fs.Bytes(endPath)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		fsys := after.fs.CrashClone(0, vfs.KeepAll)
		if err := fsys.Corrupt(endPath, int64(i), 1); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, fsys)
		after.b.holds(t, fmt.Sprint("byte ", i), s)
		verified(t, s)
		mustClose(t, s)
	}
	// The note that was made before the last one is of the second closing: a log of the first is older.
	fsys := after.fs.CrashClone(0, vfs.KeepAll)
	const place = 0 // of the third
	if err := fsys.Corrupt(endPath, place+20, 1); err != nil {
		t.Fatal(err)
	}
	older(t, fsys, before)
	s := mustOpen(t, fsys) // all that is known was in it
	before.b.holds(t, "the note of the second closing", s)
	mustClose(t, s)
	if err := fsys.Corrupt(endPath, 4096+20, 1); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, fsys)
	before.b.do(t, s, before.b.put("d"))
	mustClose(t, s)
	s = mustOpen(t, fsys)
	before.b.holds(t, "both places damaged", s)
	mustClose(t, s)
	if err := fsys.SetBytes(endPath, whole); err != nil { // of position 3, as the log is
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, fsys))
}

// TestLostManifestBesideItsEnd removes everything of a space but the note.
func TestLostManifestBesideItsEnd(t *testing.T) {
	t.Parallel()
	_, after := closedTwice(t)
	fsys := after.fs.CrashClone(0, vfs.KeepAll)
	for _, name := range fsys.Files() {
		if name != endPath {
			if err := fsys.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := fsys.Remove(filepath.Join(spaceDir, "wal")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(fsys); !errors.Is(err, codec.ErrCorrupt) || !strings.Contains(err.Error(), "MANIFEST") {
		t.Errorf("Open = %v, want the manifest missed", err)
	}
}
