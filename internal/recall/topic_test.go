package recall_test

import (
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// TestTopic: where memories are long, one that has no word of the question is found by what the best have in common,
// and its terms say so; where they are short, and where the step is off, it is not.
func TestTopic(t *testing.T) {
	filler := func(words string, n int) string { return strings.TrimSpace(strings.Repeat(words+" ", n)) }
	for _, c := range []struct {
		what    string
		repeats int
		want    bool
	}{{"long", 20, true}, {"short", 2, false}} {
		s := newSpace(t, lexical.Options{})
		s.add(memory{id: "wing", text: "flutter " + filler("wing vibration at speed", c.repeats)})
		s.add(memory{id: "tail", text: "flutter " + filler("wing vibration near stall", c.repeats)})
		s.add(memory{id: "panel", text: filler("wing vibration of panels", c.repeats)})
		for i := range 20 {
			s.add(memory{id: name(i), text: filler("heat through walls", c.repeats)})
		}
		q := ask("flutter")
		q.Explain = true
		answer := s.recall(q)
		found := s.idsOf(answer)
		if got := len(found) == 3; got != c.want || len(found) < 2 {
			t.Errorf("%s memories: %v is found, want the third: %v", c.what, found, c.want)
		}
		if !c.want {
			continue
		}
		if detail := answer.Hits[2].Terms[0].Detail[0].Name; !strings.HasPrefix(detail, "topic ~ ") {
			t.Errorf("the third is found by %q, want a word of the topic", detail)
		}
		q.Without = []string{recall.StepTopic}
		if got := s.ids(q); len(got) != 2 {
			t.Errorf("without the step: %v, want two", got)
		}
		s.damaged[0], s.damaged[1] = true, true // what cannot be read has no topic, and is no error
		q.Without = nil
		if got := s.recall(q); len(got.Hits) != 2 {
			t.Errorf("with damaged memories: %v, want two", s.idsOf(got))
		}
	}
}
