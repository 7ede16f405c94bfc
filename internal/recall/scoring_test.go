package recall_test

import (
	"math"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// TestScoring: what is measured is what Recall gives: every hit is a candidate, with its score to the last bit.
func TestScoring(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	near, far := make([]float32, 8), make([]float32, 8)
	near[0], far[1] = 1, 1
	s.add(memory{id: "a", text: "harbour", session: "walk", at: 1, speaker: "Ada"})
	s.add(memory{id: "b", text: "lighthouse", session: "walk", at: 2})
	s.add(memory{id: "c", text: "gulls yesterday", vector: near})
	for range 40 {
		s.add(memory{id: name(len(s.rows)), text: "sand", vector: far})
	}
	q := ask("when did Ada see the harbour yesterday?")
	q.Embedding = near
	q.Ring = []recall.Used{{Row: s.entries["b"]}}
	var engine recall.Engine
	scoring, err := engine.Scoring(t.Context(), s.corpus(), q)
	if err != nil {
		t.Fatal(err)
	}
	hits := s.recall(q).Hits
	if len(hits) < 3 {
		t.Fatalf("%d hits", len(hits))
	}
	scores := make([]float64, len(hits))
	rows := make([]uint32, len(hits))
	for i, h := range hits {
		rows[i] = h.Row
	}
	scoring.Scores(rows, scores)
	for i, h := range hits {
		got := scores[i]
		if !slices.Contains(scoring.Candidates(), h.Row) || math.Float64bits(got) != math.Float64bits(h.Score) {
			t.Errorf("row %d scores %v, in the answer %v; candidates %v", h.Row, got, h.Score, scoring.Candidates())
		}
	}
	q.Limit = 0
	if _, err := engine.Scoring(t.Context(), s.corpus(), q); err == nil {
		t.Error("Scoring with no limit = nil error")
	}
}
