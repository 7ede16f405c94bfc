package engram_test

import (
	"cmp"
	"fmt"
	"math"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// TestWhatWasReplacedStaysReplaced: a concept, or one of those that it stands for, is superseded, and taken apart or in
// part restored; what comes back is superseded as well, now, as of then, after a restart and in a copy.
func TestWhatWasReplacedStaysReplaced(t *testing.T) {
	for _, old := range []string{"", "m1"} { // "": the concept
		w := newWorld(t, engram.Options{})
		s := w.def()
		for i, text := range []string{
			"Ada keeps the green bicycle in the shed", "the green bicycle Ada keeps in the shed",
			"in the shed Ada keeps the green bicycle",
		} {
			remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: text})
		}
		w.clock.set(day(2))
		concept := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
		w.clock.set(day(3))
		remember(t, s, engram.Draft{
			ID: "new", Content: "Ada keeps the green bicycle in the garage", Supersedes: []string{cmp.Or(old, concept)},
		})
		w.clock.set(day(4))
		if _, err := s.Restore(t.Context(), "m2"); err != nil {
			t.Fatal(err)
		}
		cue := engram.Cue{Text: "where does Ada keep the green bicycle", Repeats: true}
		want(t, "one member restored", recall(t, s, cue), []string{"new"})
		undone, err := s.UndoConsolidation(t.Context(), concept)
		want(t, "undone", []any{undone.Restored, err}, []any{[]string{"m0", "m1"}, nil})
		w.stages(func(s *engram.Space) {
			want(t, "now", recall(t, s, cue), []string{"new"})
			then := cue
			then.AsOf = day(1)
			want(t, "as of before the concept", len(recall(t, s, then)), 3)
			then.AsOf = day(3)
			want(t, "as of when it was", recall(t, s, then), []string{"new"})
			for _, id := range []string{"m0", "m1", "m2"} {
				m, err := s.Get(t.Context(), id)
				if err != nil || m.SupersededBy != "new" || !m.SupersededAt.Equal(day(3)) || !m.ArchivedAt.IsZero() {
					t.Errorf("Get(%s) = %+v, %v", id, m, err)
				}
			}
		})
	}
}

// TestConsolidationKeepsUseAndBelief: what a statement's uses and sources have made of it is not lost when one memory
// comes to stand for its restatements, nor when another joins; and each member has its own again when they are taken
// apart.
func TestConsolidationKeepsUseAndBelief(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	texts := []string{
		"Ada keeps the green bicycle in the shed", "the green bicycle Ada keeps in the shed",
		"in the shed Ada keeps the green bicycle", "Ada keeps her green bicycle in the shed",
	}
	for i, text := range texts {
		w.clock.set(day(1 + i))
		remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: text, Source: fmt.Sprint("src", i)})
	}
	for i := range 6 {
		w.clock.set(day(8 + 4*i))
		say(t, s, engram.Feedback{IDs: []string{"m0"}, Signal: engram.Confirmed, Source: fmt.Sprint("c", i)})
	}
	say(t, s, engram.Feedback{IDs: []string{"m1"}, Signal: engram.Wrong, Source: "enemy", Verified: true})
	say(t, s, engram.Feedback{Useless: []string{"m2"}})
	get := func(id string) engram.Memory {
		t.Helper()
		m, err := w.def().Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	members := []engram.Memory{get("m0"), get("m1"), get("m2")}
	before := memoriesIn(t, s)
	w.clock.set(day(31))
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	check := func(what string) {
		t.Helper()
		c, best := get(id), members[0]
		said := map[string]bool{}
		for _, e := range c.Belief.Evidence {
			if _, twice := said[e.Source]; twice || e.LogOdds != best.Belief.Evidence[0].LogOdds {
				t.Errorf("%s: %s says %+v", what, e.Source, e)
			}
			said[e.Source] = e.Supports
		}
		all := map[string]bool{"enemy": false}
		for i := range 6 {
			all[fmt.Sprint("c", i)] = true
		}
		for i := range texts {
			all[fmt.Sprint("src", i)] = true
		}
		want(t, what+": who says what", said, all)
		want(t, what+": use", []any{c.Use.Stability, c.Use.Difficulty, c.Use.LastUsed, c.Use.LabileUntil},
			[]any{best.Use.Stability, best.Use.Difficulty, day(28), day(28).Add(6 * time.Hour)})
		terms := map[string]float64{}
		for _, term := range answerOf(t, w.def(), engram.Cue{Text: "where is the green bicycle"}).Hits[0].Why {
			terms[term.Name] = term.Value
		}
		if !(terms["use"] > 0) {
			t.Errorf("%s: the terms are %v, want use above 0", what, terms)
		}
		odds := math.Log(4)
		p := 1 / (1 + math.Exp(-(odds*(1-math.Pow(.5, 10))/.5 - odds))) // ten for it, one against
		if math.Abs(c.Belief.Probability-p) > 1e-6 {
			t.Errorf("%s: believed with %v, want %v", what, c.Belief.Probability, p)
		}
	}
	check("consolidated")
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	check("sealed and reopened")
	// What was verified of src1 counts no more for the concept than it did for its member.
	say(t, w.def(), engram.Feedback{IDs: []string{id}, Signal: engram.Wrong, Source: "enemy", Verified: true})
	sources, err := w.def().Sources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range sources {
		want(t, "verdicts on "+r.Source, []float64{r.Right, r.Wrong}, []float64{4, 2})
	}
	want(t, "sources", len(sources), 10)
	if _, err := w.def().UndoConsolidation(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	want(t, "undone", memoriesIn(t, w.def()), before)
}

// TestJoiningAddsUseAndBelief: a restatement that joins a concept adds what is known of it.
func TestJoiningAddsUseAndBelief(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	restate(t, s, 3, nil)
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	w.clock.set(day(5))
	say(t, s, engram.Feedback{Useful: []string{id}})
	concept, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "late", Content: concept.Content + "!", Source: "Bo"})
	w.clock.set(day(9))
	say(t, s, engram.Feedback{IDs: []string{"late"}, Signal: engram.Confirmed, Source: "Cy"})
	want(t, "joined", consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].Joined, true)
	joined, err := s.Get(t.Context(), id)
	if err != nil || joined.Use.Stability != concept.Use.Stability || !joined.Use.LastUsed.Equal(day(9)) ||
		len(joined.Belief.Evidence) != 3 {
		t.Errorf("joined: %+v, %+v, %v; before %+v", joined.Use, joined.Belief, err, concept.Use)
	}
}
