package engram_test

import (
	"errors"
	"fmt"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestDistinct: what says the same takes one place and is named there; what differs in a number, a speaker or a word
// that matters keeps its own.
func TestDistinct(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	for i, d := range []engram.Draft{
		{Content: "the green bicycle stands in the shed", Session: "a"},
		{Content: "in the shed stands the green bicycle", Session: "b"},
		{Content: "the green bicycle stands in the shed", Session: "c"},
		{Content: "the green bicycle stands in the shed", Speaker: "Ada"},
		{Content: "the green bicycle stands not in the shed"},
		{Content: "the 2 green bicycles stand in the shed"},
		{Content: "a bicycle", Session: "d"},
		{Content: "a bicycle", Session: "e"},
		{Content: "the bicycle was sold in spring to somebody from the harbour"},
	} {
		d.ID = fmt.Sprint("m", i)
		remember(t, s, d)
	}
	hits := func(c engram.Cue) map[string][]string {
		t.Helper()
		answer, err := s.Recall(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, h := range answer.Hits {
			got[h.ID] = h.Similar
		}
		return got
	}
	q := engram.Cue{Text: "green bicycle shed", Limit: 20, Repeats: true}
	if got := hits(q); len(got) != 9 || got["m0"] != nil {
		t.Errorf("with repeats: %v, want 9 hits", got)
	}
	if got := hits(engram.Cue{Limit: 20}); len(got) != 9 {
		t.Errorf("a list of all: %v, want 9 memories", got)
	}
	q.Repeats = false
	want(t, "distinct", hits(q), map[string][]string{
		"m0": {"m1", "m2"}, "m3": nil, "m4": nil, "m5": nil, "m6": {"m7"}, "m8": nil,
	})
	q.Limit = 3
	if got := hits(q); len(got) != 3 {
		t.Errorf("%d distinct hits of 3 wanted: %v", len(got), got)
	}
	q.Compete = true
	answer, err := s.Recall(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	sum := *answer.None
	for i, h := range answer.Hits {
		sum += *h.Probability
		if i > 0 && *h.Probability > *answer.Hits[i-1].Probability {
			t.Errorf("probabilities rise: %v", answer.Hits)
		}
	}
	if sum >= 1 {
		t.Errorf("three of nine have all of the probability: %v", sum)
	}
	if _, err := s.Complete(t.Context(), engram.Partial{Cue: engram.Cue{Text: "x", Repeats: true}}); err == nil {
		t.Error("Complete(repeats) = nil error, want a refusal")
	}
	if _, err := s.Recall(t.Context(), engram.Cue{Repeats: true}); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Recall(repeats, no text) = %v, want a refusal", err)
	}
}

// TestContradictionsStayApart: what is known to contradict a hit has a place of its own, however alike the two are.
func TestContradictionsStayApart(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	for _, d := range []engram.Draft{
		{ID: "a", Content: "the green bicycle stands in the shed", Session: "a"},
		{ID: "b", Content: "in the shed stands the green bicycle", Session: "b"},
		{ID: "c", Content: "the green bicycle stands in the shed", Session: "c", Contradicts: []string{"a"}},
	} {
		remember(t, s, d)
	}
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "green bicycle"})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Hits) != 2 || len(answer.Hits[0].Similar) != 1 || len(answer.Hits[0].Contradicts) != 1 {
		t.Errorf("hits = %+v, want two, one of which says what one other says", answer.Hits)
	}
}

// TestRepeatsOfDamaged: a memory that cannot be read and would not be among the hits does not keep the others from
// being told what is the same.
func TestRepeatsOfDamaged(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for _, d := range []engram.Draft{
		{ID: "a", Content: "the green bicycle stands in the shed", Session: "a"},
		{ID: "b", Content: "in the shed stands the green bicycle", Session: "b"},
		{ID: "c", Content: "somebody told Marker77 of a bicycle that was sold in spring at the market by the harbour"},
	} {
		remember(t, s, d)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	mend := spoil(t, w.fs, segmentOf(t, w), "ker77")
	defer mend() // for the checks that follow
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "green bicycle", Limit: 1})
	if err != nil || len(answer.Hits) != 1 || len(answer.Hits[0].Similar) != 1 {
		t.Errorf("Recall = %+v, %v, want one hit and one that says the same", answer.Hits, err)
	}
	answer, err = s.Recall(t.Context(), engram.Cue{Text: "green bicycle"})
	if err != nil || len(answer.Hits) != 1 || len(answer.Hits[0].Similar) != 1 || len(answer.Damaged) != 1 {
		t.Errorf("Recall with the damaged one among the hits = %+v, %v, want that it is damaged", answer, err)
	}
}

// TestDistinctLooksFurther: however often one thing was said, other relevant memories find their place.
func TestDistinctLooksFurther(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	for i := range 60 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("copy", i), Content: "the green bicycle", Session: fmt.Sprint("s", i),
		})
	}
	others := []string{"harbour", "lighthouse", "market", "station", "museum", "bakery", "library", "theatre", "garden"}
	for _, place := range others {
		remember(t, s, engram.Draft{
			ID: place, Content: "somebody rode a green bicycle to the " + place + " and came back late in the evening",
		})
	}
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "green bicycle", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, h := range answer.Hits {
		found[h.ID] = true
	}
	if len(answer.Hits) != 10 || len(answer.Hits[0].Similar) != 59 {
		t.Errorf("%d hits, the first with %d like it, want 10 and 59", len(answer.Hits), len(answer.Hits[0].Similar))
	}
	for _, place := range others {
		if !found[place] {
			t.Errorf("%s is not among the hits %v", place, found)
		}
	}
}
