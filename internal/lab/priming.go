package lab

import (
	"fmt"
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

func priming(*published) []experiment {
	return []experiment{{
		row: Row{
			ID: "P5", Replicates: "priming: what is associated with what was useful is found sooner, most at first",
			Source:    "Hutchison et al. 2013 (Semantic Priming Project)",
			Published: "no number compared: the order alone",
		},
		run:     func(b *bench) (finding, error) { return primed(b) },
		off:     "priming (Cue.Without)",
		ablated: func(b *bench) (finding, error) { return primed(b, "priming") },
	}, {
		row: Row{
			ID: "P6", Replicates: "a memory that is found does not activate itself, only others",
			Source: "the engine's model: activation is that of other memories", Published: "none: a rule of the model",
		},
		run:     func(b *bench) (finding, error) { return restart(b) },
		off:     "association (Cue.Without)",
		ablated: func(b *bench) (finding, error) { return restart(b, "association") },
	}}
}

// primed counts the rivals ahead of a target before anything was of use, after the use of an unrelated memory, and some
// minutes after that of an associated one. All rivals have the word asked for; the longer they are, the lower their
// score.
func primed(b *bench, without ...string) (finding, error) {
	s, err := b.space()
	if err != nil {
		return finding{}, err
	}
	const rivals, shortest = 40, 4
	var drafts []engram.Draft
	for i := range rivals {
		drafts = append(drafts, engram.Draft{ID: fmt.Sprintf("rival%d", i), Content: harbour(shortest + i)})
	}
	s.rememberAll(append(
		drafts, engram.Draft{ID: "target", Content: harbour(shortest + rivals)}, engram.Draft{
			ID:      "other",
			Content: "plums",
		},
		engram.Draft{ID: "prime", Content: "gulls", Links: []engram.Link{{To: "target"}}},
	))
	ahead := func() int { return s.ahead(engram.Cue{Text: "harbour", Limit: 100, Without: without}) }
	const minute = 1. / (24 * 60)
	s.day(2)
	plain := ahead()
	s.feedback(engram.Feedback{Useful: []string{"other"}})
	s.day(2 + minute)
	unrelated := ahead()
	s.day(3)
	s.feedback(engram.Feedback{Useful: []string{"prime"}})
	var f finding
	f.engine = fmt.Sprintf("rivals ahead: %d, after an unrelated use %d", plain, unrelated)
	f.check(unrelated == plain, "an unrelated use moves the target from %d to %d", plain, unrelated)
	last := -1
	for _, minutes := range []float64{1, 10, 100} {
		s.day(3 + minutes*minute)
		n := ahead()
		f.engine += fmt.Sprintf(", %.0f minutes after a related one %d", minutes, n)
		f.check(n < plain && n > last, "%.0f minutes after: %d ahead, want more than %d and fewer than %d", minutes, n,
			last,
			plain)
		last = n
	}
	return f, s.err
}

// harbour is a text of its own with the word asked for and some more.
func harbour(words int) string {
	var text strings.Builder
	text.WriteString("harbour")
	for i := range words {
		text.WriteString(fmt.Sprintf(" w%dx%d", words, i))
	}
	return text.String()
}

// ahead counts the rivals ahead of the target.
func (s *subject) ahead(q engram.Cue) (n int) {
	for _, h := range s.recall(q).Hits {
		if h.ID == "target" {
			return n
		}
		if strings.HasPrefix(h.ID, "rival") {
			n++
		}
	}
	s.keep(fmt.Errorf("the target is not found"))
	return n
}

// restart asks for a memory by its words, with a neighbour that has none of them and a third that nobody is linked to.
func restart(b *bench, without ...string) (finding, error) {
	s, err := b.space()
	if err != nil {
		return finding{}, err
	}
	s.rememberAll([]engram.Draft{
		{ID: "alone", Content: "the copper lantern hangs in the hall"},
		{ID: "linked", Content: "the copper lantern stands in the attic", Links: []engram.Link{{To: "neighbour"}}},
		{ID: "neighbour", Content: "rain came through the roof"},
	})
	got := map[string]float64{}
	answer := s.recall(engram.Cue{Text: "copper lantern", Without: without})
	for _, h := range answer.Hits {
		i := slices.IndexFunc(h.Why, func(t engram.Term) bool { return t.Name == "association" })
		if i >= 0 {
			got[h.ID] = h.Why[i].Value
		}
	}
	var f finding
	f.check(got["alone"] == 0, "what has no associations gets %.3f nats", got["alone"])
	f.check(got["neighbour"] > 0, "the neighbour gets nothing")
	f.engine = fmt.Sprintf("association in nats: found, without links %.3f; its neighbour %.3f", got["alone"],
		got["neighbour"])
	return f, s.err
}
