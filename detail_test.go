package engram_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestDetailOfHits: what is left out is left out of the tokens too, and is said.
func TestDetailOfHits(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	sentence := "The harbour light turns at four. "
	long := strings.Repeat(sentence, 20)
	words := "harbour " + strings.Repeat("wave after ", 40)
	dense := strings.Repeat("灯", 200) + " harbour" // no blank within the summary
	for id, content := range map[string]string{
		"long": long, "words": words, "dense": dense, "short": "The harbour is shut.",
	} {
		d := engram.Draft{ID: id, Content: content, Tags: []string{"t"}, Metadata: map[string]string{"k": "v"}}
		remember(t, s, d)
	}
	ask := func(how engram.Detail, tokens int) (map[string]engram.Hit, engram.Answer) {
		t.Helper()
		answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", Detail: how, MaxTokens: tokens})
		if err != nil {
			t.Fatal(err)
		}
		hits := map[string]engram.Hit{}
		for _, h := range answer.Hits {
			hits[h.ID] = h
		}
		return hits, answer
	}
	full, whole := ask("", 0)
	want(t, "hits", len(full), 4)
	_, named := ask(engram.DetailFull, 0)
	want(t, "full is the default", named, whole)
	summary, _ := ask(engram.DetailSummary, 0)
	ids, _ := ask(engram.DetailIDs, 0)
	for id, h := range full {
		sum, bare := summary[id], ids[id]
		if sum.Score != h.Score || bare.Score != h.Score || h.Shortened || !bare.Shortened || bare.Content != "" ||
			bare.Tags != nil || bare.Metadata != nil || bare.Confidence != h.Confidence {
			t.Errorf("%s: full %+v, summary %+v, ids %+v", id, h, sum, bare)
		}
		if !strings.HasPrefix(h.Content, sum.Content) || len(sum.Content) > engram.SummaryBytes ||
			sum.Shortened != (sum.Content != h.Content) {
			t.Errorf("%s: the summary is %q, shortened %v", id, sum.Content, sum.Shortened)
		}
	}
	want(t, "whole sentences", summary["long"].Content, strings.TrimSpace(long[:7*len(sentence)]))
	if got := summary["words"].Content; !strings.HasSuffix(got, "wave") && !strings.HasSuffix(got, "after") {
		t.Errorf("a summary ends in %q, want a whole word", got)
	}
	want(t, "whole characters", summary["dense"].Content, strings.Repeat("灯", engram.SummaryBytes/3))
	want(t, "short", summary["short"].Content, full["short"].Content)
	few, answer := ask(engram.DetailSummary, 300)
	if len(few) != 4 || answer.Truncated {
		t.Errorf("300 tokens hold %d summaries, truncated %v, want all four", len(few), answer.Truncated)
	}
	if few, answer = ask("", 300); len(few) == 4 || !answer.Truncated {
		t.Errorf("300 tokens hold %d whole contents, truncated %v", len(few), answer.Truncated)
	}
	if few, _ = ask(engram.DetailIDs, 64); len(few) != 4 {
		t.Errorf("64 tokens hold %d ids", len(few))
	}
	if _, err := s.Recall(t.Context(), engram.Cue{Text: "x", Detail: "some"}); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Recall with the detail \"some\" = %v", err)
	}
}

// TestHops: along a session activation comes as far as is asked for.
func TestHops(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, id := range []string{"harbour", "gulls", "anchor", "rope", "lantern"} {
		remember(t, s, engram.Draft{ID: id, Content: id, Session: "walk", OccurredAt: day(i + 1)})
	}
	order := []string{"harbour", "gulls", "anchor", "rope"}
	scores := map[string]float64{}
	for hops := range engram.MaxHops + 1 {
		answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", Hops: &hops})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range answer.Hits {
			got = append(got, h.ID)
			if h.Score < scores[h.ID] {
				t.Errorf("%s has %v with %d hops, and had %v with fewer", h.ID, h.Score, hops, scores[h.ID])
			}
			scores[h.ID] = h.Score
		}
		slices.Sort(got)
		want(t, "reached", got, slices.Sorted(slices.Values(order[:hops+1])))
	}
	if all := recall(t, s, engram.Cue{Text: "harbour"}); len(all) != 5 {
		t.Errorf("without a bound %v is reached, want all", all)
	}
	for _, cue := range []engram.Cue{
		{Text: "x", Hops: new(-1)}, {Text: "x", Hops: new(engram.MaxHops + 1)}, {Hops: new(1)},
	} {
		if _, err := s.Recall(t.Context(), cue); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Recall(%+v) = %v, want invalid", cue, err)
		}
	}
	_, err := s.Complete(t.Context(), engram.Partial{Cue: engram.Cue{Text: "x", Hops: new(1)}})
	if !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Complete with hops = %v, want invalid", err)
	}
}
