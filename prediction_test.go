package engram_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

func predictIn(t *testing.T, s *engram.Space, p engram.Precedent) engram.Prediction {
	t.Helper()
	out, err := s.Predict(t.Context(), p)
	if err != nil {
		t.Fatalf("Predict(%+v) = %v", p, err)
	}
	return out
}

// habits stores sessions in which one step leads to the next with known frequencies, in changing words.
func habits(t *testing.T, s *engram.Space, sessions int) (first string) {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 3))
	say := map[string][]string{
		"build": {"run the release build", "the release build is run", "build run for a release"},
		"test":  {"run all integration tests", "all integration tests are run", "integration tests: run them all"},
		"fix":   {"repair a flaky fixture", "repaired the flaky fixture", "flaky fixture repaired"},
		"ship":  {"upload the signed package", "signed package uploaded", "the package, signed, is uploaded"},
	}
	for i := range sessions {
		steps := []string{"build", "test", "ship"}
		if i%4 == 3 { // every fourth time
			steps = []string{"build", "fix", "test", "ship"}
		}
		for at, step := range steps {
			words := say[step]
			remember(t, s, engram.Draft{
				ID: fmt.Sprintf("s%02d-%d-%s", i, at, step), Content: words[r.IntN(len(words))], Kind: "event",
				Session: fmt.Sprint("session", i), OccurredAt: day(1).Add(time.Duration(i*24*60+at) * time.Minute),
			})
		}
	}
	return "s00-0-build"
}

func TestPredict(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	first := habits(t, s, 20)
	remember(t, s, engram.Draft{ID: "lonely", Content: "Nothing was ever said after this", Session: "end"})
	remember(t, s, engram.Draft{ID: "outside", Content: "A remark of no session"})
	got := predictIn(t, s, engram.Precedent{IDs: []string{first}})
	if got.Occurrences != 20 || got.Followed != 20 || len(got.Successors) != 2 {
		t.Fatalf("Predict = %+v", got)
	}
	test, fix := got.Successors[0], got.Successors[1]
	if test.Count != 15 || test.Share != .75 || fix.Count != 5 || !strings.Contains(test.Content, "integration") ||
		len(test.IDs) != 15 || !slices.IsSorted(test.IDs) || math.Abs(test.AtLeast-.5313) > 1e-4 {
		t.Errorf("successors = %+v", got.Successors)
	}
	// Two steps ahead, the test always comes.
	got = predictIn(t, s, engram.Precedent{IDs: []string{first}, Steps: 2, Limit: 1})
	if len(got.Successors) != 1 || got.Successors[0].Count != 20 || got.Successors[0].Share != 1 {
		t.Errorf("two steps = %+v", got)
	}
	for id, want := range map[string]engram.Prediction{
		"lonely": {Occurrences: 1, Successors: []engram.Successor{}}, "outside": {Successors: []engram.Successor{}},
	} {
		got := predictIn(t, s, engram.Precedent{IDs: []string{id}})
		if got.Occurrences != want.Occurrences || len(got.Successors) > 0 {
			t.Errorf("Predict(%s) = %+v", id, got)
		}
	}
	for what, p := range map[string]engram.Precedent{
		"ids": {}, "steps": {IDs: []string{first}, Steps: 17}, "limit": {IDs: []string{first}, Limit: -1},
	} {
		_, err := s.Predict(t.Context(), p)
		if !errors.Is(err, engram.ErrInvalid) || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("Predict(%+v) = %v, want %s refused", p, err, what)
		}
	}
	_, err := s.Predict(t.Context(), engram.Precedent{IDs: []string{"nobody"}})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Predict(nobody) = %v", err)
	}
}

// TestPredictionSurvives: the same after sealing, reopening, consolidating the very steps, export and import.
func TestPredictionSurvives(t *testing.T) {
	w := newWorld(t, engram.Options{})
	p := engram.Precedent{IDs: []string{habits(t, w.def(), 20)}, Steps: 2}
	before := predictIn(t, w.def(), p)
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, "sealed", predictIn(t, w.def(), p), before)
	report := consolidateIn(t, w.def(), engram.ConsolidateOptions{Kinds: []string{"event"}})
	if len(report.Concepts) != 4 {
		t.Fatalf("concepts = %+v", report.Concepts)
	}
	want(t, "consolidated", predictIn(t, w.def(), p), before)
	w.reopen()
	want(t, "reopened", predictIn(t, w.def(), p), before)
	byConcept := p
	byConcept.IDs = []string{report.Concepts[0].ID}
	want(t, "asked by the concept", predictIn(t, w.def(), byConcept), before)
	var export bytes.Buffer
	if _, err := w.def().Export(t.Context(), &export); err != nil {
		t.Fatal(err)
	}
	if _, err := w.space("copy").Import(t.Context(), &export, engram.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	want(t, "imported", predictIn(t, w.space("copy"), p), before)
}

// TestWilson holds the lower end of a share's interval to values calculated independently; its upper end is what the
// rest leaves.
func TestWilson(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("internal", "dynamics", "testdata", "confidence_reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct{ K, N, Lo, Hi float64 } `json:"wilson95"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("read reference: %v, %d cases", err, len(file.Cases))
	}
	for _, c := range file.Cases {
		low, high := engram.Wilson(c.K, c.N), 1-engram.Wilson(c.N-c.K, c.N)
		if math.Abs(low-c.Lo) > 1e-6 || math.Abs(high-c.Hi) > 1e-6 {
			t.Errorf("interval of %v in %v = %v to %v, want %v to %v", c.K, c.N, low, high, c.Lo, c.Hi)
		}
	}
}
