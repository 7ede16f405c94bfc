package recall_test

import (
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// TestSwitches: each switch changes some answer, and no hit has a term that is switched off.
func TestSwitches(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	near, far := make([]float32, 8), make([]float32, 8)
	near[0], far[1] = 1, 1
	s.add(memory{id: "a", text: "harbour", session: "walk", at: 1})
	s.add(memory{id: "b", text: "lighthouse", session: "walk", at: 2})
	s.add(memory{id: "c", text: "gulls", vector: near})
	for range 40 {
		s.add(memory{id: name(len(s.rows)), text: "sand", vector: far})
	}
	q := ask("harbour")
	q.Embedding = near
	q.Ring = []recall.Used{{Row: s.entries["b"]}}
	all := terms(s.recall(q))
	for _, name := range []string{recall.TermWords, recall.TermMeaning, recall.TermAssociation, recall.TermPriming} {
		if !slices.Contains(all, name) || !slices.Contains(recall.Switches(), name) {
			t.Fatalf("terms are %v, switches %v; %q is missing", all, recall.Switches(), name)
		}
	}
	for _, name := range recall.Switches() {
		q.Without = []string{name}
		if got := terms(s.recall(q)); slices.Contains(got, name) {
			t.Errorf("without %q the terms are %v", name, got)
		}
	}
	q.Without = []string{"luck"}
	var engine recall.Engine
	if _, err := engine.Recall(t.Context(), s.corpus(), q); err == nil {
		t.Error("Recall without \"luck\" = nil error, want a refusal")
	}
}

// terms lists the names of the terms in an answer.
func terms(a recall.Answer) []string {
	var names []string
	for _, h := range a.Hits {
		for _, term := range h.Terms {
			if !slices.Contains(names, term.Name) {
				names = append(names, term.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
