package engram_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

func TestApproxTokens(t *testing.T) {
	for text, want := range map[string]int{"": 0, "a": 1, "four": 1, "fives": 2, "日本": 2, "né": 2, "日本 ab": 2 + 1} {
		if got := engram.ApproxTokens(text); got != want {
			t.Errorf("ApproxTokens(%q) = %d, want %d", text, got, want)
		}
	}
}

// TestMaxTokens: the hits are the longest run from the best on whose contents fit.
func TestMaxTokens(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, blanks := range []int{120, 120, 4} { // 128 bytes are 32 tokens
		remember(t, s, engram.Draft{ID: string(rune('a' + i)), Content: "harbour " + strings.Repeat("-", blanks)})
	}
	all := []string{"a", "b", "c"} // equal scores are ordered by id
	for most, want := range map[int]int{64: 2, 66: 2, 67: 3, 1000: 3} {
		answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", MaxTokens: most, Repeats: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range answer.Hits {
			got = append(got, h.ID)
		}
		if !slices.Equal(got, all[:want]) || answer.Truncated != (want < 3) || answer.Searched != 3 {
			t.Errorf("within %d tokens: %v of %v, truncated %v", most, got, all, answer.Truncated)
		}
	}
	remember(t, s, engram.Draft{Content: "zeppelin " + strings.Repeat("-", 300)})
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "zeppelin", MaxTokens: 64})
	if err != nil || len(answer.Hits) != 0 || !answer.Truncated {
		t.Errorf("what does not fit at all: %+v, %v; want nothing, and truncated", answer, err)
	}
}

// TestMaxTime: a recall that cannot be finished in time is an error, and no partial answer. The clock that it looks at
// takes longer than it has.
func TestMaxTime(t *testing.T) {
	slow := false
	w := newWorld(t, engram.Options{Clock: func() time.Time {
		if slow {
			time.Sleep(250 * time.Millisecond)
		}
		return day(1)
	}})
	s := w.def()
	remember(t, s, engram.Draft{Content: "harbour"})
	slow = true
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", MaxTime: 1})
	slow = false
	if !errors.Is(err, context.DeadlineExceeded) || len(answer.Hits) != 0 {
		t.Errorf("Recall in too little time = %+v, %v; want DeadlineExceeded", answer, err)
	}
	if _, err := s.Recall(t.Context(), engram.Cue{Text: "harbour", MaxTime: 3_600_000}); err != nil {
		t.Errorf("Recall in an hour = %v", err)
	}
}

// TestRejected: a vector that finds nothing tells how near the nearest was.
func TestRejected(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	vector := func(i int) []float32 {
		v := make([]float32, 16)
		v[i], v[15] = 1, .1
		return v
	}
	for i := range 8 {
		remember(t, s, engram.Draft{Content: "gulls " + string(rune('a'+i)), Embedding: vector(i)})
	}
	answer, err := s.Recall(t.Context(), engram.Cue{Embedding: vector(12)})
	if err != nil || len(answer.Hits) != 0 || answer.Rejected == nil {
		t.Errorf("far from all: %+v, %v; want no hits and what was rejected", answer, err)
	}
	answer, err = s.Recall(t.Context(), engram.Cue{Text: "gulls"})
	if err != nil || len(answer.Hits) == 0 || answer.Rejected != nil {
		t.Errorf("with hits: rejected %v, %v; want none", answer.Rejected, err)
	}
}
