package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// stages runs check on the space as it is, reopened, sealed, sealed and reopened, and as an import of its export.
func (w *world) stages(check func(s *engram.Space)) {
	w.t.Helper()
	check(w.def())
	w.reopen()
	check(w.def())
	if err := w.def().Seal(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	check(w.def())
	w.reopen()
	check(w.def())
	var lines bytes.Buffer
	if _, err := w.def().Export(w.t.Context(), &lines); err != nil {
		w.t.Fatal(err)
	}
	other := w.space("copy")
	if report, err := other.Import(w.t.Context(), &lines, engram.ImportOptions{}); err != nil || report.BadCount > 0 {
		w.t.Fatalf("Import = %+v, %v", report, err)
	}
	check(other)
}

// TestWhatWasBelieved tells the story of one fact: stated, corrected, replaced, and the replacement archived and
// restored.
func TestWhatWasBelieved(t *testing.T) {
	w := newWorld(t, engram.Options{})
	at := func(n int) { w.clock.set(day(n)) }
	s := w.def()
	at(1)
	remember(t, s, engram.Draft{ID: "home", Content: "Ada lives in Lisbon", ValidFrom: day(-30), ValidUntil: day(28)})
	at(5)
	_, err := s.Update(t.Context(), "home", engram.Change{Content: new("Ada lives in Lissabon harbour")})
	if err != nil {
		t.Fatal(err)
	}
	at(8)
	remember(t, s, engram.Draft{
		ID: "new", Content: "Ada lives in Porto", ValidFrom: day(7), Supersedes: []string{"home"},
	})
	at(10)
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	at(12)
	if _, err := s.Restore(t.Context(), "new"); err != nil {
		t.Fatal(err)
	}
	at(20)
	cue := engram.Cue{Text: "where does Ada live"}
	w.stages(func(s *engram.Space) {
		for _, tt := range []struct {
			asOf, validAt time.Time
			contents      []string
		}{
			{asOf: day(1).Add(-1)},
			{asOf: day(1), contents: []string{"Ada lives in Lisbon"}},
			{asOf: day(5).Add(-1), contents: []string{"Ada lives in Lisbon"}},
			{asOf: day(5), contents: []string{"Ada lives in Lissabon harbour"}},
			{asOf: day(8), contents: []string{"Ada lives in Porto"}},
			{asOf: day(11)}, // archived then
			{asOf: day(12), contents: []string{"Ada lives in Porto"}},
			{asOf: day(19), contents: []string{"Ada lives in Porto"}},
			// What was believed then of what was true at another time.
			{asOf: day(6), validAt: day(9), contents: []string{"Ada lives in Lissabon harbour"}},
			{asOf: day(9), validAt: day(9), contents: []string{"Ada lives in Porto"}},
			{asOf: day(9), validAt: day(3), contents: []string{"Ada lives in Lissabon harbour"}},
			{asOf: day(2), validAt: day(3), contents: []string{"Ada lives in Lisbon"}},
			{asOf: day(2), validAt: day(-40)},
			{asOf: day(2), validAt: day(29)},
		} {
			cue.AsOf, cue.ValidAt = tt.asOf, tt.validAt
			var got []string
			for _, h := range answerOf(t, s, cue).Hits {
				got = append(got, h.Content)
			}
			want(t, "as of "+tt.asOf.String()+" valid at "+tt.validAt.String(), got, tt.contents)
		}
		for _, tt := range []struct {
			id            string
			validAt, asOf time.Time
			held          engram.Held
		}{
			{"home", day(9), time.Time{}, engram.HeldNo},
			{"home", day(6), time.Time{}, engram.HeldYes},
			{"home", day(9), day(6), engram.HeldYes}, // nobody knew better
			{"home", day(-31), time.Time{}, engram.HeldNo},
			{"home", day(28), day(6), engram.HeldNo},
			{"new", day(100), day(11), engram.HeldYes},
		} {
			held, err := s.Held(t.Context(), tt.id, tt.validAt, tt.asOf)
			want(t, "held "+tt.id+" "+tt.validAt.String(), []any{held, err}, []any{tt.held, nil})
		}
		m, err := s.GetAt(t.Context(), "home", day(6))
		want(t, "home of day 6", []any{m.Version, m.SupersededBy, m.ValidUntil.Equal(day(28)), err},
			[]any{2, "", true, nil})
		m, err = s.GetAt(t.Context(), "new", day(11))
		want(t, "new of day 11", []any{m.ArchivedAt.Equal(day(10)), err}, []any{true, nil})
		if _, err := s.GetAt(t.Context(), "new", day(7)); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("GetAt before it was stored = %v, want not found", err)
		}
	})
}

// TestThePastAnswersAsItDid: a question asked then gives the same answer when it is asked of then later, to the last
// bit: with what was of use then, what was believed, and what had been used just before.
func TestThePastAnswersAsItDid(t *testing.T) {
	w := newWorld(t, engram.Options{})
	rng := rand.New(rand.NewPCG(7, 7))
	type asked struct {
		cue    engram.Cue
		answer engram.Answer
	}
	var then []asked
	terms := map[string]int{}
	words := func(n int) (text string) {
		for range n {
			text += oracleWords[rng.IntN(len(oracleWords))] + " "
		}
		return text
	}
	s := w.def()
	remember(t, s, engram.Draft{ID: "all words", Content: strings.Join(oracleWords, " ")})
	for i := range 200 {
		w.clock.set(day(1).Add(time.Duration(i) * time.Hour))
		id := fmt.Sprintf("m%d", rng.IntN(40))
		v := make([]float32, 8)
		for j := range v {
			v[j] = float32(rng.NormFloat64())
		}
		_, err := s.Remember(t.Context(), engram.Draft{
			ID: id, Content: words(6), Embedding: v, Session: []string{"x", "y"}[i%2], OccurredAt: day(1 + rng.IntN(9)),
		})
		if errors.Is(err, engram.ErrConflict) {
			_, err = s.Update(t.Context(), id, engram.Change{Content: new(words(5)), Embedding: &v})
			if errors.Is(err, engram.ErrConflict) {
				_, err = s.Restore(t.Context(), id)
			} else if rng.IntN(2) == 0 {
				_, err = s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{id}})
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			f := engram.Feedback{
				IDs: []string{id}, Signal: engram.Signals()[rng.IntN(4)],
				Source: []string{"", "Ada", "Bo"}[rng.IntN(3)], Verified: rng.IntN(2) == 0,
			}
			say(t, s, f)
			w.clock.set(w.clock.tell().Add(time.Minute))
		}
		if i%10 == 0 {
			a := asked{
				cue: engram.Cue{Text: words(3), Explain: true, Limit: 50, MinConfidence: []float64{0, .6}[i/10%2]},
			}
			if i%20 == 0 {
				a.cue.Embedding = v
			}
			a.answer = answerOf(t, s, a.cue)
			for _, h := range a.answer.Hits {
				for _, term := range h.Why {
					terms[term.Name]++
				}
			}
			a.cue.AsOf = w.clock.tell()
			then = append(then, a)
		}
	}
	w.stages(func(s *engram.Space) {
		for _, a := range then {
			want(t, "answer as of "+a.cue.AsOf.String(), answerOf(t, s, a.cue), a.answer)
		}
	})
	for _, name := range []string{"words", "meaning", "association", "priming", "use", "belief"} {
		if terms[name] < 3 {
			t.Errorf("the term %s was in %d hits of then: too few to tell", name, terms[name])
		}
	}
}

// TestPastForgetsToo: what was erased or has expired is in no answer, whatever the moment asked for.
func TestPastForgetsToo(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "secret", Content: "the code is 7"})
	remember(t, s, engram.Draft{ID: "brief", Content: "the code is 8", ExpiresAt: day(3)})
	remember(t, s, engram.Draft{ID: "kept", Content: "the code is 9"})
	cue := engram.Cue{Text: "code", AsOf: day(1)}
	w.clock.set(day(2))
	want(t, "all three", len(recall(t, s, cue)), 3)
	want(t, "before", len(recall(t, s, engram.Cue{AsOf: day(1).Add(-time.Nanosecond)})), 0)
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"secret"}, Mode: engram.Erase}); err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(4))
	w.stages(func(s *engram.Space) {
		want(t, "one is left", recall(t, s, cue), []string{"kept"})
		for _, id := range []string{"secret", "brief"} {
			if m, err := s.GetAt(t.Context(), id, day(1)); !errors.Is(err, engram.ErrNotFound) {
				t.Errorf("GetAt(%s) = %+v, %v, want not found", id, m, err)
			}
		}
	})
}

// TestHeldIsUnknownWithoutBounds: what does not say since when it is true is not called true.
func TestHeldIsUnknownWithoutBounds(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "open", Content: "tea is green"})
	remember(t, s, engram.Draft{ID: "until", Content: "tea is black", ValidUntil: day(9)})
	remember(t, s, engram.Draft{ID: "since", Content: "tea is white", ValidFrom: day(3)})
	for _, tt := range []struct {
		id   string
		at   time.Time
		held engram.Held
	}{
		{"open", day(5), engram.HeldUnknown},
		{"until", day(5), engram.HeldUnknown},
		{"until", day(9), engram.HeldNo},
		{"since", day(2), engram.HeldNo},
		{"since", day(3), engram.HeldYes},
		{"since", day(99), engram.HeldYes},
	} {
		held, err := s.Held(t.Context(), tt.id, tt.at, time.Time{})
		want(t, tt.id+" "+tt.at.String(), []any{held, err}, []any{tt.held, nil})
	}
	for _, at := range []time.Time{{}, time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := s.Held(t.Context(), "open", at, time.Time{}); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Held at %v = %v, want invalid", at, err)
		}
	}
	if _, err := s.GetAt(t.Context(), "open", time.Time{}); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("GetAt without a time = %v, want invalid", err)
	}
}

// TestHitsSayWhetherTheyHeld: an answer about an instant tells of each memory whether it was true then, or whether that
// is not known; one about now says nothing of it.
func TestHitsSayWhetherTheyHeld(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "open", Content: "tea is green"})
	remember(t, s, engram.Draft{
		ID: "since", Content: "tea is white", ValidFrom: day(3), Links: []engram.Link{{To: "open"}},
	})
	remember(t, s, engram.Draft{ID: "old", Content: "tea is black", ValidFrom: day(1), OccurredAt: day(1)})
	remember(t, s, engram.Draft{ID: "new", Content: "tea is red", ValidFrom: day(8), Supersedes: []string{"old"}})
	remember(t, s, engram.Draft{ID: "later", Content: "tea is blue", ValidFrom: day(20)})
	w.stages(func(s *engram.Space) {
		held := map[string]engram.Held{}
		for _, h := range answerOf(t, s, engram.Cue{Text: "tea", ValidAt: day(5)}).Hits {
			held[h.ID] = h.Held
		}
		want(t, "held on day 5", held, map[string]engram.Held{
			"open": engram.HeldUnknown, "since": engram.HeldYes, "old": engram.HeldYes,
		})
		near := spread(t, s, engram.SpreadRequest{IDs: []string{"since"}, ValidAt: day(5)}).Memories
		want(t, "held, spread", []any{len(near), near[0].ID, near[0].Held}, []any{1, "open", engram.HeldUnknown})
		for _, h := range answerOf(t, s, engram.Cue{Text: "tea"}).Hits {
			want(t, "held now", h.Held, engram.Held(""))
		}
	})
}

// TestContradictionsAreNeverHidden: both sides are named, whichever a filter or the limit leaves out.
func TestContradictionsAreNeverHidden(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "b", Content: "the bridge is open", Speaker: "Bo"})
	out := remember(t, s, engram.Draft{
		ID: "a", Content: "the bridge is closed", Speaker: "Ada", Contradicts: []string{"b"},
	})
	want(t, "outcome", out.Contradicts, []string{"b"})
	remember(t, s, engram.Draft{ID: "c", Content: "the bridge is gone"})
	if err := s.Link(t.Context(), "c", engram.Link{To: "a", Type: engram.Contradicts, Weight: new(0.5)}); err != nil {
		t.Fatal(err)
	}
	// From the other end it is the same association.
	if err := s.Link(t.Context(), "b", engram.Link{To: "a", Type: engram.Contradicts, Weight: new(0.75)}); err != nil {
		t.Fatal(err)
	}
	pairs := []engram.Contradiction{
		{A: "a", B: "b", Weight: .75, Open: true}, {A: "a", B: "c", Weight: .5, Open: true},
	}
	w.stages(func(s *engram.Space) {
		got, err := s.Contradictions(t.Context(), "")
		want(t, "all", []any{got, err}, []any{pairs, nil})
		got, err = s.Contradictions(t.Context(), "b")
		want(t, "of b", []any{got, err}, []any{pairs[:1], nil})
		for _, cue := range []engram.Cue{
			{Text: "bridge closed", Speaker: "Ada"},
			{Text: "bridge closed", Limit: 1},
			{IDs: []string{"a"}},
			{Text: "bridge closed", Speaker: "Ada", AsOf: day(1)},
		} {
			hits := answerOf(t, s, cue).Hits
			want(t, "other sides", [][]string{{hits[0].ID}, hits[0].Contradicts}, [][]string{{"a"}, {"b", "c"}})
		}
	})
	s = w.def()
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"c"}}); err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "d", Content: "the bridge opened on Sunday", Supersedes: []string{"b"}})
	pairs[0].Open, pairs[1].Open = false, false
	got, err := s.Contradictions(t.Context(), "a")
	want(t, "settled", []any{got, err}, []any{pairs, nil})
	if removed, err := s.Unlink(t.Context(), "b", "a", engram.Contradicts); err != nil || !removed {
		t.Errorf("Unlink from the other end = %v, %v", removed, err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"c"}, Mode: engram.Erase}); err != nil {
		t.Fatal(err)
	}
	got, err = s.Contradictions(t.Context(), "")
	want(t, "none", []any{got, err}, []any{[]engram.Contradiction{}, nil})
	for _, d := range []engram.Draft{
		{ID: "x", Content: "x", Contradicts: []string{"x"}},
		{ID: "x", Content: "x", Contradicts: []string{"a", "a"}},
		{ID: "x", Content: "x", Contradicts: []string{"a"}, Supersedes: []string{"a"}},
	} {
		if _, err := s.Remember(t.Context(), d); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Remember(%+v) = %v, want invalid", d, err)
		}
	}
	_, err = s.Remember(t.Context(), engram.Draft{Content: "y", Contradicts: []string{"nobody"}})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("contradicting nobody = %v, want not found", err)
	}
	want(t, "nothing of it is left", len(recall(t, s, engram.Cue{Text: "y"})), 0)
}

// TestWhereFiltersBeforeRanking: a condition of the caller's decides before the limit does, and sees the memory of
// then.
func TestWhereFiltersBeforeRanking(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for _, id := range []string{"a", "b", "c"} {
		remember(t, s, engram.Draft{ID: id, Content: "the mill turns", Source: "book " + id, Speaker: id, Session: "s"})
	}
	w.clock.set(day(2))
	if _, err := s.Update(t.Context(), "c", engram.Change{Source: new("book z")}); err != nil {
		t.Fatal(err)
	}
	cue := engram.Cue{Text: "mill", Limit: 1, Where: func(m *engram.Memory) bool { return m.Source == "book c" }}
	answer := answerOf(t, s, cue)
	want(t, "now", []int{len(answer.Hits), answer.Searched}, []int{0, 0})
	cue.AsOf = day(1)
	answer = answerOf(t, s, cue)
	want(t, "then", []any{len(answer.Hits), answer.Searched, answer.Hits[0].ID}, []any{1, 1, "c"})
	completion, err := s.Complete(t.Context(), engram.Partial{Cue: cue, Fields: []string{"speaker"}})
	if err != nil || len(completion.Fields) != 1 || completion.Fields[0].Value != "c" {
		t.Errorf("Complete = %+v, %v, want c as speaker", completion, err)
	}
	cue.Where = func(*engram.Memory) bool { panic("no") }
	if _, err := s.Recall(t.Context(), cue); err == nil {
		t.Error("a condition that panics gave no error")
	}
}
