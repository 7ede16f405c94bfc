package engram_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestEmbeddingModel: vectors of another model than the space's are refused by name, whatever brings them.
func TestEmbeddingModel(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "gulls", Embedding: make8(1), EmbeddingModel: "small"})
	remember(t, s, engram.Draft{ID: "b", Content: "terns", Embedding: make8(2)}) // judged by its dimension alone
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, engram.ErrEmbeddingModel) || !strings.Contains(err.Error(), `"large"`) ||
			!strings.Contains(err.Error(), `"small"`) {
			t.Errorf("%s with a vector of another model = %v, want an error that names both", what, err)
		}
	}
	for range 2 { // before and after a restart
		_, err := s.Remember(t.Context(), engram.Draft{Content: "x", Embedding: make8(3), EmbeddingModel: "large"})
		refused("Remember", err)
		vector := make8(3)
		_, err = s.Update(t.Context(), "a", engram.Change{Embedding: &vector, EmbeddingModel: "large"})
		refused("Update", err)
		cue := engram.Cue{Embedding: make8(1), EmbeddingModel: "large"}
		_, err = s.Recall(t.Context(), cue)
		refused("Recall", err)
		_, err = s.Complete(t.Context(), engram.Partial{Cue: cue})
		refused("Complete", err)
		line := `{"content":"y","embedding":[1,2,3,4,5,6,7,8],"embedding_model":"large"}`
		report, err := s.Import(t.Context(), strings.NewReader(line), engram.ImportOptions{})
		if err != nil || report.BadCount != 1 || !strings.Contains(report.Bad[0].Error, `"large"`) {
			t.Errorf("Import of another model's vector = %+v, %v; want one bad line", report, err)
		}
		if _, err := s.Recall(t.Context(), engram.Cue{Embedding: make8(1), EmbeddingModel: "small"}); err != nil {
			t.Errorf("Recall with the space's model = %v", err)
		}
		m, err := s.Get(t.Context(), "b")
		if stats, other := s.Stats(t.Context()); err != nil || other != nil || m.EmbeddingModel != "small" ||
			stats.EmbeddingModel != "small" || stats.Memories != 2 {
			t.Errorf("Get = %+v, Stats = %+v, %v, %v; want the model and two memories", m, stats, err, other)
		}
		w.reopen()
		s = w.def()
	}
	var lines bytes.Buffer
	if _, err := s.Export(t.Context(), &lines); err != nil {
		t.Fatal(err)
	}
	other, err := w.db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Import(t.Context(), &lines, engram.ImportOptions{Strict: true}); err != nil {
		t.Fatal(err)
	}
	if stats, err := other.Stats(t.Context()); err != nil || stats.EmbeddingModel != "small" {
		t.Errorf("Stats after export and import = %+v, %v; want the model", stats, err)
	}
}

// TestConfiguredModel: Options.EmbeddingModel names vectors that come without a name.
func TestConfiguredModel(t *testing.T) {
	w := newWorld(t, engram.Options{EmbeddingModel: "small"})
	s := w.def()
	remember(t, s, engram.Draft{Content: "gulls", Embedding: make8(1)})
	w.o.EmbeddingModel = "large"
	w.reopen()
	_, err := w.def().Recall(t.Context(), engram.Cue{Embedding: make8(1)})
	if !errors.Is(err, engram.ErrEmbeddingModel) {
		t.Errorf("Recall after the configured model changed = %v, want ErrEmbeddingModel", err)
	}
	if _, err := w.def().Recall(t.Context(), engram.Cue{Text: "gulls"}); err != nil {
		t.Errorf("Recall by words = %v", err)
	}
	for _, d := range []engram.Draft{
		{Content: "x", EmbeddingModel: "small"},
		{Content: "x", Embedding: make8(1), EmbeddingModel: strings.Repeat("m", 129)},
	} {
		if _, err := w.def().Remember(t.Context(), d); err == nil || !strings.Contains(err.Error(), "embedding_model") {
			t.Errorf("Remember %+v = %v, want a refusal of embedding_model", d, err)
		}
	}
}
