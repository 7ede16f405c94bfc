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

// TestWordingOff: without the preference for the question's wording a word counts the same in any form.
func TestWordingOff(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	s.add(memory{id: "one", text: "she sails", at: 1})
	s.add(memory{id: "two", text: "he sailed", at: 2})
	q := ask("sailed")
	scores := func() map[string]float64 {
		got := map[string]float64{}
		for _, h := range s.recall(q).Hits {
			got[s.rows[h.Row].id] = h.Score
		}
		return got
	}
	q.Without = []string{recall.TermAssociation}
	if got := scores(); len(got) != 2 || !(got["two"] > got["one"]) {
		t.Errorf("sailed gives %v, want more where it is said so", got)
	}
	q.Without = append(q.Without, recall.StepWording)
	if got := scores(); len(got) != 2 || got["two"] != got["one"] {
		t.Errorf("without wording sailed gives %v, want the same", got)
	}
}
