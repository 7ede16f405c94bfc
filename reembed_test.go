package engram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// wide is a vector of 12 numbers.
func wide(x float32) []float32 { return []float32{x, 1, 0, 0, 2, 0, 0, .5, 0, 0, 1, 0} }

// vectorLine is a line of Reembed.
func vectorLine(t *testing.T, id string, version int, vector []float32) string {
	t.Helper()
	line, err := json.Marshal(map[string]any{"id": id, "version": version, "embedding": vector})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// TestReembed replaces the vectors of a space in pieces: what is given is kept over restarts, the former ones serve
// until all are there, and a memory that was changed meanwhile is missing until its new version has a vector.
func TestReembed(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, id := range []string{"a", "b", "c"} {
		remember(t, s, engram.Draft{
			ID: id, Content: "bird " + id, Embedding: make8(float32(i)), EmbeddingModel: "small",
		})
	}
	remember(t, s, engram.Draft{ID: "plain", Content: "it never had a vector"})
	_, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"c"}})
	if err != nil {
		t.Fatal(err)
	}
	feed := func(o engram.ReembedOptions, lines ...string) (engram.ReembedReport, error) {
		t.Helper()
		o.Model = "large"
		return s.Reembed(t.Context(), strings.NewReader(strings.Join(lines, "")), o)
	}
	former := func(when string) {
		t.Helper()
		got := recall(t, s, engram.Cue{Embedding: make8(0), EmbeddingModel: "small", Limit: 1})
		if !slices.Equal(got, []string{"a"}) {
			t.Errorf("%s: the former vectors give %v, want a", when, got)
		}
		_, err := s.Recall(t.Context(), engram.Cue{Embedding: wide(0), EmbeddingModel: "large"})
		if !errors.Is(err, engram.ErrEmbeddingModel) {
			t.Errorf("%s: a cue of the new model = %v, want ErrEmbeddingModel", when, err)
		}
	}
	report, err := feed(engram.ReembedOptions{Partial: true}, vectorLine(t, "a", 1, wide(0)), `{"id":"b"}`+"\n",
		vectorLine(t, "nobody", 1, wide(1)), vectorLine(t, "b", 7, wide(1)), vectorLine(t, "b", 1, make8(1)))
	if err != nil || report.Embedded != 1 || report.BadCount != 4 || report.Built != 1 || report.Missing != 2 ||
		report.Served || !slices.Equal(report.MissingIDs, []string{"b", "c"}) || report.Dim != 12 {
		t.Errorf("Reembed of a part = %+v, %v", report, err)
	}
	for i, line := range []int{2, 3, 4, 5} {
		if report.Bad[i].Line != line {
			t.Errorf("bad line %d is told as %+v", line, report.Bad[i])
		}
	}
	former("begun")
	w.reopen()
	s = w.def()
	former("begun and reopened")
	_, err = feed(engram.ReembedOptions{}, vectorLine(t, "b", 1, wide(1)))
	if e, ok := errors.AsType[*engram.MissingError](err); !ok || e.Missing != 1 ||
		!slices.Equal(e.IDs, []string{"c"}) || !errors.Is(err, engram.ErrConflict) ||
		!strings.Contains(err.Error(), "c") {
		t.Errorf("Reembed with one missing = %v, want a MissingError that names it", err)
	}
	former("refused")
	vector := make8(5)
	_, err = s.Update(t.Context(), "b", engram.Change{Content: new("another bird"), Embedding: &vector})
	if err != nil {
		t.Fatal(err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.Reembedding == nil || stats.EmbeddingModel != "small" ||
		*stats.Reembedding != (engram.Reembedding{Model: "large", Dim: 12, Built: 1, Missing: 2}) {
		t.Errorf("Stats = %+v (%+v), %v", stats, stats.Reembedding, err)
	}
	other := engram.ReembedOptions{Model: "third"}
	_, err = s.Reembed(t.Context(), strings.NewReader(vectorLine(t, "a", 1, wide(0))), other)
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("vectors of a third model = %v, want ErrConflict", err)
	}
	report, err = feed(engram.ReembedOptions{}, vectorLine(t, "a", 1, wide(0)), vectorLine(t, "b", 2, wide(1)),
		vectorLine(t, "c", 1, wide(2)))
	if err != nil || !report.Served || report.Embedded != 2 || report.Unchanged != 1 || report.BadCount != 0 {
		t.Errorf("Reembed of the rest = %+v, %v", report, err)
	}
	for range 2 {
		stats, err := s.Stats(t.Context())
		if err != nil || stats.EmbeddingModel != "large" || stats.Dim != 12 || stats.Vectors != 2 ||
			stats.Reembedding != nil {
			t.Errorf("Stats after the swap = %+v, %v", stats, err)
		}
		got := recall(t, s, engram.Cue{Embedding: wide(1), EmbeddingModel: "large", Limit: 1})
		if !slices.Equal(got, []string{"b"}) {
			t.Errorf("the new vectors give %v, want b", got)
		}
		_, err = s.Recall(t.Context(), engram.Cue{Embedding: make8(0), EmbeddingModel: "small"})
		if !errors.Is(err, engram.ErrEmbeddingModel) {
			t.Errorf("a cue of the former model = %v, want ErrEmbeddingModel", err)
		}
		history, err := s.History(t.Context(), "b")
		if err != nil || !slices.Equal(history[0].Embedding, wide(1)) || !slices.Equal(history[1].Embedding, wide(1)) {
			t.Errorf("History = %+v, %v, want the new vectors of both versions", history, err)
		}
		if _, err := s.Compact(t.Context(), engram.CompactOptions{}); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
}

// TestReembedBy has an embedder make the vectors: of all memories, of those too that are written meanwhile, and after
// an error of the rest alone.
func TestReembedBy(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i := range 10 {
		remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint("text ", i)})
	}
	var asked []string
	stop := errors.New("the service is away")
	failAt := 2
	calls := 0
	embedder := func(_ context.Context, texts []string) (vectors [][]float32, err error) {
		if calls++; calls == failAt {
			return nil, stop
		}
		if calls == 4 { // while others write
			remember(t, s, engram.Draft{ID: "late", Content: "text 77"})
			if _, err := s.Update(t.Context(), "m3", engram.Change{Content: new("text 33")}); err != nil {
				t.Error(err)
			}
		}
		for _, text := range texts {
			var n float32
			if _, err := fmt.Sscanf(text, "text %f", &n); err != nil {
				t.Errorf("asked for %q", text)
			}
			vectors = append(vectors, wide(n))
		}
		asked = append(asked, texts...)
		return vectors, nil
	}
	o := engram.ReembedOptions{Model: "large", Batch: 4}
	report, err := s.ReembedBy(t.Context(), embedder, o)
	if !errors.Is(err, stop) || report.Embedded != 4 || report.Served {
		t.Errorf("ReembedBy a service that goes away = %+v, %v", report, err)
	}
	w.reopen()
	s = w.def()
	report, err = s.ReembedBy(t.Context(), embedder, o)
	if err != nil || !report.Served || report.Missing != 0 || report.Built != 11 {
		t.Errorf("ReembedBy = %+v, %v", report, err)
	}
	slices.Sort(asked)
	if want := 12; len(asked) != want || len(slices.Compact(asked)) != want {
		t.Errorf("asked for %v, want each of %d texts once", asked, want)
	}
	for id, n := range map[string]float32{"m0": 0, "m3": 33, "late": 77} {
		m, err := s.Get(t.Context(), id)
		if err != nil || !slices.Equal(m.Embedding, wide(n)) || m.EmbeddingModel != "large" {
			t.Errorf("Get(%s) = %v of %q, %v", id, m.Embedding, m.EmbeddingModel, err)
		}
	}
	for what, bad := range map[string]engram.Embedder{
		"too few": func(context.Context, []string) ([][]float32, error) { return nil, nil },
		"of no dimension": func(_ context.Context, in []string) ([][]float32, error) {
			return make([][]float32, len(in)), nil
		},
		"of two dimension": func(_ context.Context, in []string) ([][]float32, error) {
			return [][]float32{wide(1), make8(1)}[:len(in)], nil
		},
	} {
		if _, err := s.ReembedBy(t.Context(), bad, engram.ReembedOptions{Model: "next", Batch: 2}); err == nil {
			t.Errorf("vectors %s are taken", what)
		}
		if stats, err := s.Stats(t.Context()); err != nil || stats.EmbeddingModel != "large" {
			t.Errorf("Stats = %+v, %v", stats, err)
		}
	}
}

// TestReembeddingIsKept: a backup taken while vectors are built brings them back, an incremental one the swap; an
// export has the vectors that serve; canceling goes back to before.
func TestReembeddingIsKept(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "gulls", Embedding: make8(1), EmbeddingModel: "small"})
	remember(t, s, engram.Draft{ID: "b", Content: "terns", Embedding: make8(2), EmbeddingModel: "small"})
	feed := func(s *engram.Space, o engram.ReembedOptions, lines ...string) engram.ReembedReport {
		t.Helper()
		o.Model = "large"
		report, err := s.Reembed(t.Context(), strings.NewReader(strings.Join(lines, "")), o)
		if err != nil || report.BadCount > 0 {
			t.Fatalf("Reembed = %+v, %v", report, err)
		}
		return report
	}
	feed(s, engram.ReembedOptions{Partial: true}, vectorLine(t, "a", 1, wide(1)))
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := s.Export(t.Context(), &export); err != nil || strings.Contains(export.String(), "large") {
		t.Errorf("Export while vectors are built: %v\n%s", err, &export)
	}
	full, report := backUp(t, w.db, engram.BackupOptions{})
	feed(s, engram.ReembedOptions{}, vectorLine(t, "b", 1, wide(2)))
	later, _ := backUp(t, w.db, engram.BackupOptions{
		After: map[string]uint64{engram.DefaultSpace: report.Spaces[0].To},
	})
	copied := newWorld(t, engram.Options{})
	restoreInto(t, copied.db, engram.RestoreOptions{}, full)
	stats, err := copied.def().Stats(t.Context())
	if err != nil || stats.Reembedding == nil || stats.Reembedding.Built != 1 {
		t.Errorf("Stats of the restored space = %+v, %v", stats, err)
	}
	restoreInto(t, copied.db, engram.RestoreOptions{Spaces: []string{engram.DefaultSpace}, As: "later"}, full, later)
	stats, err = copied.space("later").Stats(t.Context())
	if err != nil || stats.EmbeddingModel != "large" || stats.Vectors != 2 {
		t.Errorf("Stats of what was restored behind the swap = %+v, %v", stats, err)
	}
	if err := copied.def().CancelReembedding(t.Context()); err != nil {
		t.Errorf("CancelReembedding = %v", err)
	}
	if err := copied.def().CancelReembedding(t.Context()); !errors.Is(err, engram.ErrConflict) {
		t.Errorf("CancelReembedding of nothing = %v, want ErrConflict", err)
	}
	got := recall(t, copied.def(), engram.Cue{Embedding: make8(1), EmbeddingModel: "small", Limit: 1})
	if !slices.Equal(got, []string{"a"}) {
		t.Errorf("after canceling the former vectors give %v", got)
	}
	// Missing ones are left out if that is said.
	r := feed(copied.def(), engram.ReembedOptions{AllowMissing: true}, vectorLine(t, "b", 1, wide(2)))
	if m, err := copied.def().Get(t.Context(), "a"); err != nil || !r.Served || r.Missing != 1 || m.Embedding != nil {
		t.Errorf("Reembed that leaves one out = %+v; it has %v, %v", r, m.Embedding, err)
	}
}

// TestUnnamedVectors: a name that comes later is not given to vectors that came without one, until somebody says so.
func TestUnnamedVectors(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "gulls", Embedding: make8(1)})
	named := engram.Draft{Content: "terns", Embedding: make8(2), EmbeddingModel: "small"}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, engram.ErrEmbeddingModel) || !strings.Contains(err.Error(), "without a model's name") {
			t.Errorf("%s = %v, want ErrEmbeddingModel that says why", what, err)
		}
	}
	_, err := s.Remember(t.Context(), named)
	refused("a named vector beside an unnamed one", err)
	_, err = s.RememberBatch(t.Context(), []engram.Draft{{Content: "x"}, named})
	refused("a batch with a named vector", err)
	batch := []engram.Draft{
		{Content: "x", Embedding: make8(3)}, {Content: "y", Embedding: make8(4), EmbeddingModel: "small"},
	}
	_, err = w.space("other").RememberBatch(t.Context(), batch)
	refused("a batch with one of each", err)
	if stats, err := s.Stats(t.Context()); err != nil || stats.UnnamedVectors != 1 || stats.EmbeddingModel != "" {
		t.Errorf("Stats = %+v, %v, want one unnamed vector", stats, err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Remember(t.Context(), named)
	refused("a named vector beside an unnamed one that is archived", err)
	if err := s.NameEmbeddings(t.Context(), ""); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("NameEmbeddings without a name = %v", err)
	}
	if err := s.NameEmbeddings(t.Context(), "small"); err != nil {
		t.Errorf("NameEmbeddings = %v", err)
	}
	remember(t, s, named)
	if err := s.NameEmbeddings(t.Context(), "large"); !errors.Is(err, engram.ErrEmbeddingModel) {
		t.Errorf("NameEmbeddings by another name = %v, want ErrEmbeddingModel", err)
	}
	if stats, err := s.Stats(t.Context()); err != nil || stats.UnnamedVectors != 0 || stats.EmbeddingModel != "small" {
		t.Errorf("Stats = %+v, %v", stats, err)
	}
}
