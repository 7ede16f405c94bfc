package engram_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
)

var writeCompat = flag.String("write-compat", "",
	"write the golden directory of this name anew; for a new format version")

// TestGoldenDirectoriesOpen opens a copy of every directory in testdata/compat, each written by the format versions
// that its README names, and compares what is in it with what was exported from it then, to the last field. A change of
// a file format keeps these readable, or refuses them by name and says what to do; exports are read for ever.
//
// A new version gets a directory of its own: go test . -run GoldenDirectories -write-compat NAME
func TestGoldenDirectoriesOpen(t *testing.T) {
	root := filepath.Join("testdata", "compat")
	if *writeCompat != "" {
		writeGolden(t, filepath.Join(root, *writeCompat))
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) == 0 {
		t.Fatalf("golden directories: %v, %v", entries, err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		t.Run(e.Name(), func(t *testing.T) {
			dir := filepath.Join(root, e.Name())
			copied := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "data"))); err != nil {
				t.Fatal(err)
			}
			db, err := engram.Open(copied)
			if err != nil {
				t.Fatalf("Open = %v", err)
			}
			defer db.Close()
			s, err := db.Space(engram.DefaultSpace)
			if err != nil {
				t.Fatal(err)
			}
			export, err := os.ReadFile(filepath.Join(dir, "export.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			told, err := db.Space("told")
			if err != nil {
				t.Fatal(err)
			}
			report, err := told.Import(t.Context(), bytes.NewReader(export), engram.ImportOptions{Strict: true})
			if err != nil || report.Created == 0 {
				t.Fatalf("Import = %+v, %v", report, err)
			}
			what := exported
			if !bytes.Contains(export, []byte("\n{\"space\":")) {
				what = memoriesIn // exports told of nothing else then
			}
			if diff := cmp.Diff(what(t, told), what(t, s)); diff != "" {
				t.Errorf("what is in it (-as exported then +now):\n%s", diff)
			}
			if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Errorf("Verify = %+v, %v", report, err)
			}
			if ids := recall(t, s, engram.Cue{Text: "harbour"}); len(ids) == 0 {
				t.Error("Recall finds nothing")
			}
			before := what(t, s)
			restoreGolden(t, dir, before, what)
			goOn(t, db, copied, before, what)
		})
	}
}

// goOn writes to a directory of an earlier version, seals, which writes its files in today's, and opens it again: with
// what is new erased, it holds what it held.
func goOn(t *testing.T, db *engram.DB, dir, before string, what func(*testing.T, *engram.Space) string) {
	t.Helper()
	for range 2 {
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		remember(t, s, engram.Draft{ID: "new", Content: "A new one."})
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		erase(t, s, "new")
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = engram.Open(dir); err != nil {
			t.Fatal(err)
		}
	}
	defer db.Close() //nolint:errcheck // everything was looked at
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, what(t, s)); diff != "" {
		t.Errorf("sealed by this version and opened again (-before +now):\n%s", diff)
	}
	if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Errorf("Verify = %+v, %v", report, err)
	}
}

// restoreGolden restores the backups of a golden directory, if it has some.
func restoreGolden(t *testing.T, dir, want string, what func(*testing.T, *engram.Space) string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "backup.bk")); errors.Is(err, fs.ErrNotExist) {
		return
	}
	var streams [2][]byte
	for i, name := range []string{"backup.bk", "later.bk"} {
		var err error
		if streams[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, engram.Options{})
	restoreInto(t, w.db, engram.RestoreOptions{}, streams[0])
	if diff := cmp.Diff(want, what(t, w.def())); diff != "" {
		t.Errorf("what its backup restores (-in the directory +restored):\n%s", diff)
	}
	o := engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "later"}
	restoreInto(t, w.db, o, streams[0], streams[1])
	if _, err := w.space("later").Get(t.Context(), "e"); err != nil {
		t.Errorf("what the later backup brings = %v", err)
	}
}

// writeGolden makes a directory with one of everything: sealed, warm and cold, and in the log, versions, vectors, some
// of them apart from their rows, associations, an archived, a superseded, an erased and a judged memory.
func writeGolden(t *testing.T, dir string) {
	t.Helper()
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s is there: a golden directory is never written twice", dir)
	}
	c := &clock{now: day(1)}
	db, err := engram.Options{Clock: c.tell}.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	vector := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	remember(t, s, engram.Draft{
		ID: "a", Content: "The boat is in the harbour.", Speaker: "Ada", Session: "s", Tags: []string{"sea"},
		Embedding: vector,
	})
	remember(t, s, engram.Draft{
		ID: "b", Content: "The harbour master is Bo.", Session: "s", Metadata: map[string]string{"k": "v"},
	})
	remember(t, s, engram.Draft{ID: "c", Content: "An old note.", Kind: "fact", Pin: true, IdempotencyKey: "key-1"})
	remember(t, s, engram.Draft{ID: "gone", Content: "To be erased."})
	must(s.Link(t.Context(), "a", engram.Link{To: "b"}))
	c.set(day(2))
	_, err = s.Update(t.Context(), "a", engram.Change{
		Content: new("The boat has left the harbour."), Reason: "it left",
	})
	must(err)
	_, err = s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"gone"}, Mode: engram.Erase})
	must(err)
	must(s.Seal(t.Context()))
	_, err = s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold})
	must(err)
	remember(t, s, engram.Draft{ID: "w", Content: "The warm one is there, too.", Embedding: vector, Session: "s"})
	must(s.Seal(t.Context()))
	_, err = s.Reembed(t.Context(), strings.NewReader(vectorLine(t, "w", 1, wide(1))), engram.ReembedOptions{
		Model: "large", Partial: true,
	})
	must(err)
	must(s.Seal(t.Context()))
	c.set(day(3))
	_, err = s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"c"}})
	must(err)
	remember(t, s, engram.Draft{
		ID: "d", Content: "The harbour master is Cleo.", Supersedes: []string{"b"}, Session: "s",
	})
	_, err = s.Feedback(t.Context(), engram.Feedback{EventID: "e1", IDs: []string{"a"}, Signal: engram.Useful})
	must(err)
	var export bytes.Buffer
	_, err = s.Export(t.Context(), &export)
	must(err)
	backup, report := backUp(t, db, engram.BackupOptions{})
	must(os.WriteFile(filepath.Join(dir, "backup.bk"), backup, 0o644))
	must(db.Close())
	must(writeLater(t, filepath.Join(dir, "later.bk"), backup, report.Spaces[0].To))
	must(os.Remove(filepath.Join(data, "LOCK")))
	must(os.WriteFile(filepath.Join(dir, "export.jsonl"), export.Bytes(), 0o644))
}

// writeLater writes an incremental backup of a copy of the directory, in which there is one memory more.
func writeLater(t *testing.T, path string, backup []byte, to uint64) error {
	w := newWorld(t, engram.Options{})
	restoreInto(t, w.db, engram.RestoreOptions{}, backup)
	remember(t, w.def(), engram.Draft{ID: "e", Content: "The harbour is empty."})
	later, _ := backUp(t, w.db, engram.BackupOptions{After: map[string]uint64{engram.DefaultSpace: to}})
	return os.WriteFile(path, later, 0o644)
}
