package engram_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
)

// goldenDirectories are the names of those in testdata/compat, and whether a file in them has an earlier version in its
// header than one of its kind that this program makes.
func goldenDirectories(t *testing.T) map[string]bool {
	t.Helper()
	root := filepath.Join("testdata", "compat")
	fresh := filepath.Join(t.TempDir(), "fresh")
	in(t, fresh, func(_ *engram.DB, s *engram.Space) {
		remember(t, s, engram.Draft{ID: "a", Content: "One.", Embedding: []float32{1, 2, 3, 4, 5, 6, 7, 8}})
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	today := map[string]uint32{}
	for _, b := range filesIn(t, fresh) {
		today[b[:8]] = binary.LittleEndian.Uint32([]byte(b[8:]))
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(today) < 5 {
		t.Fatalf("golden directories: %v; kinds of files: %v", err, today)
	}
	earlier := map[string]bool{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		for _, b := range filesIn(t, filepath.Join(root, e.Name(), "data")) {
			one := today[b[:8]] > binary.LittleEndian.Uint32([]byte(b[8:]))
			earlier[e.Name()] = earlier[e.Name()] || one
		}
	}
	if len(earlier) < 8 {
		t.Fatalf("only %d golden directories", len(earlier))
	}
	return earlier
}

// copyGolden copies the data of a golden directory.
func copyGolden(t *testing.T, name string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "compat", name, "data"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// filesIn are the files of a directory with what they hold, but for the lock.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || path == "LOCK" {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// in opens a directory, runs fn on its default space, and closes it.
func in(t *testing.T, dir string, fn func(*engram.DB, *engram.Space)) {
	t.Helper()
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	fn(db, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUpgradeOfGoldenDirectories opens every golden directory and writes to it, goes back, which gives every byte back,
// upgrades it, and finishes that: it holds what it held, in files of today's version, and nothing else is there.
func TestUpgradeOfGoldenDirectories(t *testing.T) {
	for name, earlier := range goldenDirectories(t) {
		t.Run(name, func(t *testing.T) {
			dir := copyGolden(t, name)
			before, held := filesIn(t, dir), ""
			in(t, dir, func(_ *engram.DB, s *engram.Space) {
				held = exported(t, s)
				stats := statsOf(t, s)
				if (stats.EarlierFiles > 0) != earlier || (stats.KeptAside != nil) != earlier {
					t.Errorf("opened: %d files of an earlier version, kept aside %+v; earlier: %t", stats.EarlierFiles,
						stats.KeptAside, earlier)
				}
				remember(t, s, engram.Draft{ID: "new", Content: "A new one."})
				if err := s.Seal(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if !earlier {
				if _, err := undo(t, dir, false); !errors.Is(err, engram.ErrNotFound) {
					t.Errorf("UndoUpgrade of what was not upgraded = %v, want ErrNotFound", err)
				}
				return
			}
			undone(t, dir, before)
			finishes(t, dir, held)
		})
	}
}

func undo(t *testing.T, dir string, discard bool) (engram.UndoReport, error) {
	t.Helper()
	return engram.Options{}.UndoUpgrade(t.Context(), dir, engram.UndoOptions{DiscardNewer: discard})
}

// undone goes back.
func undone(t *testing.T, dir string, before map[string]string) {
	t.Helper()
	written := filesIn(t, dir)
	_, err := undo(t, dir, false)
	if !errors.Is(err, engram.ErrConflict) || !strings.Contains(err.Error(), "1 write behind position") {
		t.Errorf("UndoUpgrade of what was written to = %v, want how much would be lost", err)
	}
	if diff := cmp.Diff(written, filesIn(t, dir)); diff != "" {
		t.Errorf("a refused UndoUpgrade changed files:\n%s", diff)
	}
	report, err := undo(t, dir, true)
	if err != nil || len(report.Spaces) != 1 || report.Spaces[0].Newer != 1 {
		t.Errorf("UndoUpgrade = %+v, %v", report, err)
	}
	now := filesIn(t, dir)
	for name := range now {
		if now[name] != before[name] {
			t.Errorf("undone, and %s is not what it was", name)
		}
	}
	if len(now) != len(before) {
		t.Errorf("undone, and there are %d files of %d", len(now), len(before))
	}
}

// finishes upgrades what was undone.
func finishes(t *testing.T, dir, held string) {
	t.Helper()
	in(t, dir, func(db *engram.DB, s *engram.Space) {
		report, err := db.Upgrade(t.Context(), engram.UpgradeOptions{})
		if err != nil || len(report.Spaces) != 1 || len(report.Spaces[0].Files) == 0 ||
			report.Spaces[0].KeptAside == nil {
			t.Errorf("Upgrade = %+v, %v", report, err)
		}
		if stats := statsOf(t, s); stats.EarlierFiles > 0 || stats.KeptAside == nil {
			t.Errorf("upgraded: %d files of an earlier version, kept aside %+v", stats.EarlierFiles, stats.KeptAside)
		}
	})
	if _, err := undo(t, dir, false); err != nil {
		t.Errorf("UndoUpgrade of an upgrade without a write = %v", err)
	}
	in(t, dir, func(db *engram.DB, _ *engram.Space) {
		report, err := db.Upgrade(t.Context(), engram.UpgradeOptions{Finish: true})
		if err != nil || len(report.Spaces) != 1 || !report.Spaces[0].Finished || report.Spaces[0].KeptAside != nil {
			t.Errorf("Upgrade that finishes = %+v, %v", report, err)
		}
		again, err := db.Upgrade(t.Context(), engram.UpgradeOptions{Finish: true})
		if err != nil || len(again.Spaces) != 1 || again.Spaces[0].Finished || len(again.Spaces[0].Files) > 0 {
			t.Errorf("the same again = %+v, %v", again, err)
		}
	})
	in(t, dir, func(_ *engram.DB, s *engram.Space) {
		if stats := statsOf(t, s); stats.EarlierFiles > 0 || stats.KeptAside != nil {
			t.Errorf("finished: %d files of an earlier version, kept aside %+v", stats.EarlierFiles, stats.KeptAside)
		}
		if diff := cmp.Diff(held, exported(t, s)); diff != "" {
			t.Errorf("finished (-before +now):\n%s", diff)
		}
		if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
			t.Errorf("Verify = %+v, %v", report, err)
		}
	})
	for name := range filesIn(t, dir) {
		if strings.Contains(name, "before-upgrade") {
			t.Errorf("finished, and %s is there", name)
		}
	}
	_, err := undo(t, dir, true)
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("UndoUpgrade behind the end = %v, want ErrNotFound", err)
	}
}

// TestUpgradeWritesFittedWeightsAnew: a file of fitted weights of an earlier version is kept aside by itself, written
// anew, and comes back; what was fitted since is told.
func TestUpgradeWritesFittedWeightsAnew(t *testing.T) {
	for _, name := range []string{"version-1.json", "version-2.json"} {
		file, err := os.ReadFile(filepath.Join("testdata", "model", name))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "data")
		in(t, dir, func(_ *engram.DB, s *engram.Space) {
			remember(t, s, engram.Draft{ID: "a", Content: "the boat in the harbour"})
		})
		path := filepath.Join(dir, "spaces", "space-default", "model.json")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, dir)
		in(t, dir, func(db *engram.DB, s *engram.Space) {
			line := goesBy(t, s)
			report, err := db.Upgrade(t.Context(), engram.UpgradeOptions{})
			if err != nil || len(report.Spaces) != 1 || !cmp.Equal(report.Spaces[0].Files, []string{"model.json"}) {
				t.Errorf("%s: Upgrade = %+v, %v", name, report, err)
			}
			want(t, name+" upgraded", goesBy(t, s), line)
		})
		if now, err := os.ReadFile(path); err != nil || !strings.Contains(string(now), `"version": 3`) {
			t.Errorf("%s: upgraded, and the file is %s, %v", name, now, err)
		}
		if _, err := undo(t, dir, false); err != nil {
			t.Errorf("%s: UndoUpgrade = %v", name, err)
		}
		if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
			t.Errorf("%s: undone (-before +now):\n%s", name, diff)
		}
		other := fast() // than those of the file, which are these
		other[2] = .75
		in(t, dir, func(_ *engram.DB, s *engram.Space) { goBy(t, s, other) })
		_, err = undo(t, dir, false)
		if !errors.Is(err, engram.ErrConflict) || !strings.Contains(err.Error(), "model.json") {
			t.Errorf("%s: UndoUpgrade of what was fitted since = %v, want that it is told", name, err)
		}
		if _, err := undo(t, dir, true); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
			t.Errorf("%s: undone again (-before +now):\n%s", name, diff)
		}
	}
}

// TestErasedStaysInWhatIsKept: a compaction says that what was erased is still in what is kept aside, and finishing
// takes the last byte of it away.
func TestErasedStaysInWhatIsKept(t *testing.T) {
	dir := copyGolden(t, "2026-11-state1")
	secret := []byte("boat has left")
	holds := func() bool {
		for _, b := range filesIn(t, dir) {
			if bytes.Contains([]byte(b), secret) {
				return true
			}
		}
		return false
	}
	in(t, dir, func(db *engram.DB, s *engram.Space) {
		erase(t, s, "a")
		report, err := s.Compact(t.Context(), engram.CompactOptions{})
		if err != nil || report.KeptAside == nil || report.KeptAside.Bytes == 0 {
			t.Errorf("Compact = %+v, %v, want that something is kept aside", report, err)
		}
		if !holds() {
			t.Error("what is kept aside does not hold what was erased since: this test tests nothing")
		}
		if _, err := db.Upgrade(t.Context(), engram.UpgradeOptions{Finish: true}); err != nil {
			t.Fatal(err)
		}
		if holds() {
			t.Error("finished, and a file holds what was erased")
		}
		if report, err = s.Compact(t.Context(), engram.CompactOptions{}); err != nil || report.KeptAside != nil {
			t.Errorf("Compact = %+v, %v, want nothing kept aside", report, err)
		}
	})
}

// TestUpgradeIsRefused: options that mean nothing, a directory that is in use, one that is none.
func TestUpgradeIsRefused(t *testing.T) {
	dir := copyGolden(t, "2026-11-state1")
	in(t, dir, func(db *engram.DB, _ *engram.Space) {
		_, err := db.Upgrade(t.Context(), engram.UpgradeOptions{BytesPerSecond: -1})
		if !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Upgrade at -1 bytes a second = %v", err)
		}
		_, err = db.Upgrade(t.Context(), engram.UpgradeOptions{Spaces: []string{"none"}})
		if !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("Upgrade of no space = %v", err)
		}
		if _, err := undo(t, dir, false); !errors.Is(err, engram.ErrLocked) {
			t.Errorf("UndoUpgrade of a directory in use = %v", err)
		}
	})
	_, err := undo(t, t.TempDir(), false)
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("UndoUpgrade of no data directory = %v", err)
	}
}

// TestDamageKeepsAnUpgradeFromEnding: what is damaged is not written anew, and what was kept stays.
func TestDamageKeepsAnUpgradeFromEnding(t *testing.T) {
	dir := copyGolden(t, "2026-11-state1")
	path := filepath.Join(dir, "spaces", "space-default", "0000000000000001.seg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("boat has left"))] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	in(t, dir, func(db *engram.DB, s *engram.Space) {
		if _, err := db.Upgrade(t.Context(), engram.UpgradeOptions{Finish: true}); !errors.Is(err, engram.ErrCorrupt) {
			t.Errorf("Upgrade of a damaged segment = %v, want ErrCorrupt", err)
		}
		if stats := statsOf(t, s); stats.KeptAside == nil {
			t.Error("something is damaged, and what was kept is gone")
		}
	})
}

// TestDamagedWayBackCanBeFinished: where what is kept is damaged, verify and upgrade say so, and finishing removes it.
func TestDamagedWayBackCanBeFinished(t *testing.T) {
	dir := copyGolden(t, "2026-11-state1")
	in(t, dir, func(*engram.DB, *engram.Space) {})
	path := filepath.Join(dir, "spaces", "space-default", "before-upgrade", "wal", "0000000000000001.wal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[200] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	in(t, dir, func(db *engram.DB, s *engram.Space) {
		report, err := s.Verify(t.Context())
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != path {
			t.Errorf("Verify = %+v, %v, want what is kept damaged", report, err)
		}
		if _, err := db.Upgrade(t.Context(), engram.UpgradeOptions{}); !errors.Is(err, engram.ErrCorrupt) {
			t.Errorf("Upgrade with a damaged way back = %v, want that it is told", err)
		}
		if _, err := db.Upgrade(t.Context(), engram.UpgradeOptions{Finish: true}); err != nil {
			t.Errorf("Upgrade that finishes = %v", err)
		}
		if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
			t.Errorf("finished: Verify = %+v, %v", report, err)
		}
	})
}

func statsOf(t *testing.T, s *engram.Space) engram.SpaceStats {
	t.Helper()
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats
}
