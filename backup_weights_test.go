package engram_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
)

// goBy makes a space go by weights, as an export of a space that had them does.
func goBy(t *testing.T, s *engram.Space, w dynamics.Weights) {
	t.Helper()
	if _, err := s.Fit(t.Context(), engram.FitOptions{Remove: true}); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(w[:])
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf(`{"space":{"weights":{"fitted_at":"2026-01-02T03:04:05Z","training":1000,"weights":%s}}}`, list)
	report, err := s.Import(t.Context(), strings.NewReader(line), engram.ImportOptions{Strict: true})
	if err != nil || report.Others != 1 {
		t.Fatalf("Import of weights = %+v, %v", report, err)
	}
}

// goesBy are the weights that a space goes by; "" if they are the default ones.
func goesBy(t *testing.T, s *engram.Space) string {
	t.Helper()
	for line := range strings.Lines(exported(t, s)) {
		if strings.Contains(line, `"weights"`) {
			return line
		}
	}
	return ""
}

// Fitted weights are in full backups and in incremental ones, which also tell that they were removed. A restoration
// that stops within a backup has those of the one before.
func TestBackupsKeepFittedWeights(t *testing.T) {
	w := newWorld(t, engram.Options{LogKeepBytes: -1})
	s := w.def()
	slow := fast()
	slow[20] = .2
	states := []func(){
		func() { goBy(t, s, fast()) },
		func() {}, // the same
		func() { goBy(t, s, slow) },
		func() {
			if _, err := s.Fit(t.Context(), engram.FitOptions{Remove: true}); err != nil {
				t.Fatal(err)
			}
		},
		func() { goBy(t, s, fast()) },
	}
	var streams [][]byte
	var wants []string
	var ends []uint64
	for i, change := range states {
		for n := range 3 {
			remember(t, s, engram.Draft{ID: fmt.Sprint("m", i, n), Content: fmt.Sprint("note ", i, n)})
		}
		change()
		var o engram.BackupOptions
		if i > 0 {
			o.After = map[string]uint64{engram.DefaultSpace: ends[i-1]}
		}
		stream, report := backUp(t, w.db, o)
		if full := report.Spaces[0].Full; full != (i == 0) {
			t.Fatalf("backup %d: %+v", i, report)
		}
		streams = append(streams, stream)
		wants = append(wants, goesBy(t, s))
		ends = append(ends, report.Spaces[0].To)
	}
	if wants[0] == "" || wants[1] != wants[0] || wants[2] == wants[0] || wants[3] != "" || wants[4] != wants[0] {
		t.Fatalf("the space went by %q", wants)
	}
	for i := range states {
		other := newWorld(t, engram.Options{})
		restoreInto(t, other.db, engram.RestoreOptions{}, streams[:i+1]...)
		for range 2 {
			want(t, fmt.Sprint("restored up to backup ", i), goesBy(t, other.def()), wants[i])
			other.reopen()
		}
		for back, position := range []uint64{ends[i], ends[i] - 1} {
			o := engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "back", Position: position}
			other := newWorld(t, engram.Options{})
			restoreInto(t, other.db, o, streams...)
			want(t, fmt.Sprint("restored to position ", position), goesBy(t, other.space("back")),
				wants[max(0, i-back)])
		}
	}
	again := newWorld(t, engram.Options{}) // what was given twice changes nothing
	restoreInto(t, again.db, engram.RestoreOptions{}, streams[0], streams[1], streams[2], streams[1])
	want(t, "an earlier backup given again", goesBy(t, again.def()), wants[2])
	full, _ := backUp(t, w.db, engram.BackupOptions{})
	restoreInto(t, again.db, engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "full"}, full)
	want(t, "a full backup", goesBy(t, again.space("full")), wants[4])
}

// TestWeightsComeWithTheirSpace imports an export with fitted weights, and one of nothing else, into spaces that do not
// exist, and repairs a space that goes by some.
func TestWeightsComeWithTheirSpace(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.space("s")
	remember(t, s, engram.Draft{ID: "a", Content: "the boat in the harbour"})
	goBy(t, s, fast())
	whole, line := exported(t, s), goesBy(t, s)
	for name, in := range map[string]string{"all": whole, "weights": line} {
		other := newWorld(t, engram.Options{})
		copied := other.space("copy")
		report, err := copied.Import(t.Context(), strings.NewReader(in), engram.ImportOptions{Strict: true})
		if err != nil || report.Others != 1 {
			t.Errorf("%s: Import = %+v, %v", name, report, err)
			continue
		}
		for range 2 {
			want(t, name, exported(t, other.space("copy")), in)
			other.reopen()
		}
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := w.o.On(w.fs).Repair(t.Context(), "/data", "/saved")
	if err != nil {
		t.Fatalf("Repair = %+v, %v", report, err)
	}
	for _, one := range report.Spaces {
		if one.LostCount != 0 {
			t.Errorf("Repair = %+v, want nothing lost", one)
		}
	}
	saved, err := w.o.On(w.fs).Open("/saved")
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	of, err := saved.Space("s")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "repaired", goesBy(t, of), line)
	w.open()
}
