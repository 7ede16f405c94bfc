package engram_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// TestConfidenceIsWhatIsBelieved: in whatever answer, confidence is the believed probability with the numbers of
// sources beside it, and what the writer gave has its own name; a filter by that number keeps what shows it, and no
// other.
func TestConfidenceIsWhatIsBelieved(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for id, given := range map[string]*float64{
		"plain": nil, "certain": new(1.), "sure": new(.95), "unsure": new(.3), "denied": nil, "odd": new(.123456),
	} {
		remember(t, s, engram.Draft{ID: id, Content: "The ferry is " + id, Source: "of " + id, Confidence: given})
	}
	say(t, s, engram.Feedback{Wrong: []string{"denied"}, Source: "Bo"})
	say(t, s, engram.Feedback{IDs: []string{"unsure"}, Signal: engram.Confirmed, Source: "Bo"})
	say(t, s, engram.Feedback{IDs: []string{"unsure"}, Signal: engram.Confirmed, Source: "Cy"})
	type shown struct {
		confidence, given       float64
		forIt, against, sources int
		disputed                bool
	}
	unsure := math.Round(1e6/(1+math.Exp(-(math.Log(.3/.7)+2*math.Log(4))/3*1.75))) / 1e6
	expected := map[string]shown{
		"plain": {.8, -1, 1, 0, 1, false}, "certain": {.8, -1, 1, 0, 1, false}, "sure": {.95, .95, 1, 0, 1, false},
		"odd": {.123456, .123456, 1, 0, 1, false}, "denied": {.5, -1, 1, 1, 2, true},
		// three of a mind, the mean of their log-odds counted 1 + 1/2 + 1/4
		"unsure": {unsure, .3, 3, 0, 3, false},
	}
	check := func(what string, m *engram.Memory) {
		t.Helper()
		got := shown{m.Confidence, -1, m.Belief.For, m.Belief.Against, m.Belief.Sources, m.Belief.Disputed}
		if m.GivenConfidence != nil {
			got.given = *m.GivenConfidence
		}
		if got != expected[m.ID] || m.Belief.Probability != m.Confidence {
			t.Errorf("%s of %s: %+v, want %+v", what, m.ID, got, expected[m.ID])
		}
		sure := fmt.Sprintf("confidence %.2f (%d source", m.Confidence, m.Belief.Sources)
		if text := m.Standing(); !strings.Contains(text, sure) || !strings.Contains(text, "freshness") ||
			strings.Contains(text, "disputed") != m.Belief.Disputed {
			t.Errorf("standing of %s: %s", m.ID, text)
		}
	}
	w.stages(func(s *engram.Space) {
		for id := range expected {
			m, err := s.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			check("get", &m)
			versions, err := s.History(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			check("history", &versions[0])
		}
		page, err := s.List(t.Context(), "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Memories {
			check("list", &page.Memories[i])
		}
		for _, at := range []time.Time{{}, day(1)} {
			hits := answerOf(t, s, engram.Cue{Text: "ferry", AsOf: at}).Hits
			want(t, "hits", len(hits), len(expected))
			for i := range hits {
				check("recall", &hits[i].Memory)
			}
			for _, least := range []float64{.1, .123456, .123457, .5, unsure, unsure + 1e-6, .8, .95, .99} {
				var ids, asked []string
				for id, e := range expected {
					if e.confidence >= least {
						ids = append(ids, id)
					}
				}
				for _, h := range answerOf(t, s, engram.Cue{Text: "ferry", MinConfidence: least, AsOf: at}).Hits {
					asked = append(asked, h.ID)
				}
				slices.Sort(ids)
				slices.Sort(asked)
				want(t, fmt.Sprintf("at least %v", least), asked, ids)
			}
		}
	})
}

// TestASourceIsBelievedLessAtOnce: what a source said that nobody has judged is believed as the source is now, or was
// as of then, and filtered by that; the order of hits is not concerned.
func TestASourceIsBelievedLessAtOnce(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for i := range 6 {
		remember(t, w.def(), engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprint("The ferry, note ", i), Source: []string{"liar", "Ada"}[i%2],
		})
	}
	cue := engram.Cue{Text: "ferry"}
	order := idsOf(t, w.def(), cue)
	w.clock.set(day(2))
	remember(t, w.def(), engram.Draft{ID: "checked", Content: "Bread is sold here", Source: "liar"})
	say(t, w.def(), engram.Feedback{Wrong: []string{"checked"}, Source: "check", Verified: true})
	w.clock.set(day(3))
	w.stages(func(s *engram.Space) {
		for i := range 6 {
			m, err := s.Get(t.Context(), fmt.Sprint("m", i))
			if want := []float64{.666667, .8}[i%2]; err != nil || m.Confidence != want || m.Belief.Evidence != nil {
				t.Errorf("m%d is believed with %v (%+v, %v), want %v", i, m.Confidence, m.Belief, err, want)
			}
			before, err := s.GetAt(t.Context(), fmt.Sprint("m", i), day(1))
			want(t, "as of before", []any{before.Confidence, err}, []any{.8, nil})
		}
		want(t, "order", idsOf(t, s, cue), order)
		want(t, "sure enough now", idsOf(t, s, engram.Cue{Text: "ferry", MinConfidence: .7}), "m1 m3 m5")
		want(t, "sure enough then", idsOf(t, s, engram.Cue{Text: "ferry", MinConfidence: .7, AsOf: day(1)}), order)
	})
}

// TestSourcesBeyondThoseListed: rows are numbered by a bounded number of sources; a filter by confidence is right for
// the others, too.
func TestSourcesBeyondThoseListed(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	const many, batch = 1<<16 + 1000, 1000
	for i := 0; i < many; i += batch {
		drafts := make([]engram.Draft, 0, batch)
		for k := i; k < min(i+batch, many); k++ {
			drafts = append(drafts, engram.Draft{Content: fmt.Sprint("n", k), Source: fmt.Sprint("page ", k)})
		}
		if _, err := s.RememberBatch(t.Context(), drafts); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		remember(t, s, engram.Draft{
			ID: id, Content: "ferry " + id, Source: map[string]string{"a": "liar", "b": "liar", "c": "Ada"}[id],
		})
	}
	say(t, s, engram.Feedback{Wrong: []string{"a"}, Verified: true, Source: "check"})
	want(t, "believed", idsOf(t, s, engram.Cue{Text: "ferry", MinConfidence: .7}), "c")
	want(t, "all", len(answerOf(t, s, engram.Cue{Text: "ferry", MinConfidence: .1}).Hits), 3)
}

// TestMinusZeroIsZero: a confidence of -0 is 0, so that nothing shows a sign that means nothing.
func TestMinusZeroIsZero(t *testing.T) {
	w := newWorld(t, engram.Options{})
	minus := math.Copysign(0, -1)
	remember(t, w.def(), engram.Draft{ID: "a", Content: "one", Confidence: &minus})
	remember(t, w.def(), engram.Draft{ID: "b", Content: "two"})
	if _, err := w.def().Update(t.Context(), "b", engram.Change{Confidence: &minus}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		m, err := w.def().Get(t.Context(), id)
		if err != nil || m.GivenConfidence == nil || math.Signbit(*m.GivenConfidence) {
			t.Errorf("%s was given %v, %v, want 0", id, m.GivenConfidence, err)
		}
	}
}
