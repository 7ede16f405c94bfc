package engram_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

func say(t *testing.T, s *engram.Space, f engram.Feedback) engram.FeedbackReport {
	t.Helper()
	report, err := s.Feedback(t.Context(), f)
	if err != nil {
		t.Fatalf("Feedback(%+v) = %v", f, err)
	}
	return report
}

func idsOf(t *testing.T, s *engram.Space, cue engram.Cue) string {
	t.Helper()
	var ids []string
	for _, h := range answerOf(t, s, cue).Hits {
		ids = append(ids, h.ID)
	}
	return strings.Join(ids, " ")
}

// Being recalled and read changes nothing; being said to be of use, of none, or wrong shows in the order at once, and
// after a restart, a sealing, and years.
func TestFeedbackShowsInTheOrder(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for _, id := range []string{"a", "b", "c", "d"} {
		remember(t, w.def(), engram.Draft{ID: id, Content: "The ferry leaves at seven.", OccurredAt: day(1)})
	}
	cue := engram.Cue{Text: "ferry", Repeats: true}
	for n := range 20 {
		w.clock.set(day(2).Add(time.Duration(n) * 24 * time.Hour))
		if got := idsOf(t, w.def(), cue); got != "a b c d" {
			t.Fatalf("recalled %d times: %s", n, got)
		}
		m, err := w.def().Get(t.Context(), "a")
		if err != nil || !m.Use.LastUsed.Equal(day(1)) || m.Belief.Evidence != nil {
			t.Fatalf("looking changes %+v, %v", m, err)
		}
	}
	say(t, w.def(), engram.Feedback{Useful: []string{"d"}, Useless: []string{"a"}, Wrong: []string{"b"}, Source: "Bo"})
	for _, days := range []int{0, 1, 30, 800} {
		w.clock.set(day(21).Add(time.Duration(days) * 24 * time.Hour))
		got := idsOf(t, w.def(), cue)
		if !strings.HasPrefix(got, "d c ") || len(got) != 7 {
			t.Errorf("after %d days: %s, want d, which was useful, then c, then the others", days, got)
		}
		if err := w.def().Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		if again := idsOf(t, w.def(), cue); again != got {
			t.Errorf("after %d days and a restart %s, before %s", days, again, got)
		}
	}
	if got := idsOf(t, w.def(), engram.Cue{Text: "zeppelin"}); got != "" {
		t.Errorf("feedback alone finds %s", got)
	}
	if got := idsOf(t, w.def(), engram.Cue{Text: "ferry", MinConfidence: .8, Repeats: true}); got != "d c a" {
		t.Errorf("sure enough are %s, b was contradicted", got)
	}
	b, err := w.def().Get(t.Context(), "b")
	if err != nil || !b.Belief.Disputed || len(b.Belief.Evidence) != 2 || b.Belief.Probability != .5 {
		t.Errorf("b = %+v, %v, want one for and one against", b.Belief, err)
	}
}

// A recall can be judged as a whole, its terms go into the record, and one that is not known says what to do.
func TestFeedbackOnARecall(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "The ferry leaves at seven."})
	remember(t, w.def(), engram.Draft{ID: "b", Content: "The ferry is blue."})
	answer := answerOf(t, w.def(), engram.Cue{Text: "when does the ferry leave"})
	w.clock.set(day(4))
	report := say(t, w.def(), engram.Feedback{RecallID: answer.RecallID, Signal: engram.Useful})
	want(t, "report", report, engram.FeedbackReport{Reinforced: 2})
	n := 0
	for r, err := range w.def().FeedbackLog(t.Context()) {
		if err != nil || r.ID != answer.Hits[n].ID || r.Rank != n+1 || r.Score != answer.Hits[n].Score ||
			!r.Used || r.Grade != 3 || r.Days != 3 || len(r.Terms) != len(answer.Hits[n].Why) {
			t.Errorf("record %d = %+v, %v; the hit was %+v", n, r, err, answer.Hits[n])
		}
		n++
	}
	want(t, "records", n, 2)
	w.reopen()
	_, err := w.def().Feedback(t.Context(), engram.Feedback{RecallID: answer.RecallID, Signal: engram.Useful})
	if !errors.Is(err, engram.ErrNotFound) || !strings.Contains(err.Error(), "by their ids") {
		t.Errorf("Feedback on a forgotten recall = %v", err)
	}
	other := w.space("other")
	remember(t, other, engram.Draft{Content: "x"})
	answer = answerOf(t, w.def(), engram.Cue{Text: "ferry"})
	_, err = other.Feedback(t.Context(), engram.Feedback{RecallID: answer.RecallID, Signal: engram.Useful})
	if err == nil {
		t.Errorf("one space judges the recall of another")
	}
}

func TestFeedbackRefuses(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "x"})
	for name, f := range map[string]engram.Feedback{
		"nothing":            {},
		"ids alone":          {IDs: []string{"a"}},
		"a signal alone":     {Signal: engram.Useful},
		"an unknown signal":  {IDs: []string{"a"}, Signal: "great"},
		"an id twice":        {Useful: []string{"a"}, Wrong: []string{"a"}},
		"a source's newline": {Useful: []string{"a"}, Source: "a\nb"},
	} {
		if _, err := w.def().Feedback(t.Context(), f); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("%s: Feedback = %v, want ErrInvalid", name, err)
		}
	}
	_, err := w.def().Feedback(t.Context(), engram.Feedback{Useful: []string{"a", "nobody"}})
	m, getErr := w.def().Get(t.Context(), "a")
	if !errors.Is(err, engram.ErrNotFound) || getErr != nil || !m.Use.LastUsed.Equal(day(1)) {
		t.Errorf("Feedback on nobody = %v, and a is %+v", err, m.Use)
	}
}

// Reconsolidation: within six hours of a use an update edits the memory, later or without a use it makes a new one.
func TestUpdateByUse(t *testing.T) {
	for _, tt := range []struct {
		name  string
		used  bool
		after time.Duration
		want  engram.Result
	}{
		{"an hour after a use", true, time.Hour, engram.Updated},
		{"seven hours after a use", true, 7 * time.Hour, engram.Superseded},
		{"without a use", false, time.Hour, engram.Superseded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, engram.Options{})
			remember(t, w.def(), engram.Draft{ID: "a", Content: "The ferry leaves at seven.", Tags: []string{"t"}})
			w.clock.set(day(9))
			if tt.used {
				say(t, w.def(), engram.Feedback{Useful: []string{"a"}})
			}
			before, err := w.def().Get(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			w.clock.set(day(9).Add(tt.after))
			change := engram.Change{Content: new("The ferry leaves at eight."), Mode: engram.UpdateByUse}
			out, err := w.def().Update(t.Context(), "a", change)
			if err != nil || out.Result != tt.want {
				t.Fatalf("Update = %+v, %v", out, err)
			}
			w.reopen()
			m, err := w.def().Get(t.Context(), out.ID)
			if err != nil || m.Content != "The ferry leaves at eight." || len(m.Tags) != 1 {
				t.Fatalf("Get = %+v, %v", m, err)
			}
			if tt.want == engram.Updated {
				want(t, "version", m.Version, 2)
				want(t, "stability", m.Use.Stability, before.Use.Stability)
				want(t, "difficulty", m.Use.Difficulty, before.Use.Difficulty)
				return
			}
			old, err := w.def().Get(t.Context(), "a")
			if err != nil || old.SupersededBy != out.ID || m.Version != 1 || m.Belief.Evidence != nil {
				t.Errorf("old %+v, %v; new %+v", old, err, m)
			}
			if got := idsOf(t, w.def(), engram.Cue{Text: "ferry"}); got != out.ID {
				t.Errorf("recalled are %s", got)
			}
		})
	}
}

// A source that is proven wrong again and again convinces less; the same told by ten sources is not certain; the same
// source again changes nothing.
func TestBelief(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "The ferry leaves at seven.", Source: "s0"})
	for n := 1; n < 10; n++ {
		for range 3 {
			remember(t, w.def(), engram.Draft{Content: "The ferry leaves at seven.", Source: fmt.Sprint("s", n)})
		}
	}
	m, err := w.def().Get(t.Context(), "a")
	if err != nil || len(m.Belief.Evidence) != 10 || !(m.Belief.Probability > .94 && m.Belief.Probability < .9411) {
		t.Fatalf("ten sources: %+v, %v", m.Belief, err)
	}
	for n := range 6 {
		id := fmt.Sprint("bad", n)
		remember(t, w.def(), engram.Draft{ID: id, Content: id, Source: "liar"})
		say(t, w.def(), engram.Feedback{Wrong: []string{id}, Source: "check", Verified: true})
	}
	remember(t, w.def(), engram.Draft{ID: "x", Content: "The ferry is green."})
	say(t, w.def(), engram.Feedback{IDs: []string{"x"}, Signal: engram.Confirmed, Source: "liar"})
	remember(t, w.def(), engram.Draft{ID: "y", Content: "The ferry is blue."})
	say(t, w.def(), engram.Feedback{IDs: []string{"y"}, Signal: engram.Confirmed, Source: "Ada"})
	x, errX := w.def().Get(t.Context(), "x")
	y, errY := w.def().Get(t.Context(), "y")
	if errX != nil || errY != nil || !(x.Belief.Probability < y.Belief.Probability-.1) {
		t.Errorf("confirmed by a liar %+v, by somebody unknown %+v", x.Belief, y.Belief)
	}
}

// K3: who has said something says it again, and nothing changes, however sure it was said and whatever became of the
// source in the meantime; who says the opposite has changed sides, and may change them back.
func TestRepeatingChangesNoBelief(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for id, sure := range map[string]float64{"sure": .95, "unsure": .3} {
		remember(t, s, engram.Draft{ID: id, Content: "The ferry is " + id, Source: "Ada", Confidence: &sure})
	}
	remember(t, s, engram.Draft{ID: "plain", Content: "The ferry is plain", Source: "Ada"})
	remember(t, s, engram.Draft{ID: "other", Content: "Bread is sold here", Source: "Ada"})
	belief := func(id string) engram.Belief {
		t.Helper()
		m, err := s.Get(t.Context(), id)
		if err != nil || m.Belief == nil {
			t.Fatalf("Get(%s) = %+v, %v", id, m, err)
		}
		return *m.Belief
	}
	ids := []string{"sure", "unsure", "plain"}
	say(t, s, engram.Feedback{Useful: ids}) // so that there is a belief to be read
	before := map[string]engram.Belief{}
	for _, id := range ids {
		before[id] = belief(id)
	}
	// What Ada says from now on weighs less, what she said before does not.
	say(t, s, engram.Feedback{Wrong: []string{"other"}, Source: "check", Verified: true})
	for range 3 {
		say(t, s, engram.Feedback{IDs: ids, Signal: engram.Confirmed, Source: "Ada"})
		remember(t, s, engram.Draft{ID: "plain", Content: "The ferry is plain", Source: "Ada"})
	}
	for _, id := range ids {
		want(t, "belief in "+id, belief(id), before[id])
	}
	for _, signal := range []engram.Signal{engram.Wrong, engram.Confirmed} {
		say(t, s, engram.Feedback{IDs: ids, Signal: signal, Source: "Ada"})
		for _, id := range ids {
			if got := belief(id); len(got.Evidence) != 1 || got.Evidence[0].Supports != (signal == engram.Confirmed) ||
				got.Evidence[0].LogOdds != belief("plain").Evidence[0].LogOdds {
				t.Errorf("%s after Ada said %s: %+v", id, signal, got)
			}
		}
	}
}

// A verified verdict counts once for each source and memory, however often it is told, and never for who gives it; the
// opposite verdict counts once too; and it counts again for other words.
func TestVerifiedVerdictsCountOnce(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "The ferry leaves at seven", Source: "Ada"})
	sources := func() map[string][2]float64 {
		t.Helper()
		list, err := w.def().Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][2]float64{}
		for _, r := range list {
			if r.Reliability != r.Right/(r.Right+r.Wrong) || !r.JudgedAt.Equal(w.clock.tell()) {
				t.Errorf("source %+v", r)
			}
			out[r.Source] = [2]float64{r.Right, r.Wrong}
		}
		return out
	}
	verdict := func(signal engram.Signal) {
		t.Helper()
		say(t, w.def(), engram.Feedback{IDs: []string{"a"}, Signal: signal, Source: "check", Verified: true})
	}
	want(t, "before", sources(), map[string][2]float64{})
	for i := range 20 {
		verdict(engram.Wrong)
		if i == 9 {
			if err := w.def().Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.reopen()
		}
	}
	want(t, "wrong 20 times", sources(), map[string][2]float64{"Ada": {4, 2}})
	verdict(engram.Confirmed)
	verdict(engram.Confirmed)
	want(t, "and right twice", sources(), map[string][2]float64{"Ada": {5, 2}})
	say(t, w.def(), engram.Feedback{IDs: []string{"a"}, Signal: engram.Wrong, Source: "other", Verified: true})
	want(t, "another judges", sources(), map[string][2]float64{"Ada": {5, 2}, "check": {4, 2}})
	_, err := w.def().Update(t.Context(), "a", engram.Change{Content: new("The ferry leaves at eight")})
	if err != nil {
		t.Fatal(err)
	}
	verdict(engram.Wrong)
	want(t, "other words", sources(), map[string][2]float64{"Ada": {5, 3}, "check": {4, 2}})
}

// Of no use again and again within minutes is of no use once; what became of it is told by the API.
func TestUselessAgainAndAgain(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	var stability []float64
	for _, n := range []int{1, 20} {
		id := fmt.Sprint("m", n)
		w.clock.set(day(1))
		remember(t, s, engram.Draft{ID: id, Content: id})
		w.clock.set(day(11))
		for range n {
			say(t, s, engram.Feedback{Useless: []string{id}})
			w.clock.set(w.clock.tell().Add(time.Second))
			w.reopen()
			s = w.def()
		}
		m, err := s.Get(t.Context(), id)
		if err != nil || !m.Use.LastUsed.Equal(day(1)) {
			t.Fatalf("Get = %+v, %v", m, err)
		}
		stability = append(stability, m.Use.Stability)
	}
	want(t, "of no use 20 times", stability[1], stability[0])
	w.clock.set(day(11).Add(13 * time.Hour))
	say(t, s, engram.Feedback{Useless: []string{"m1"}})
	if m, err := s.Get(t.Context(), "m1"); err != nil || !(m.Use.Stability < stability[0]) {
		t.Errorf("of no use on another occasion: %+v, %v", m.Use, err)
	}
}

// A space knows so many sources: one more takes the place of the one that was judged longest ago.
func TestSourcesMakeRoom(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	const many, batch = 4096, 64
	for i := 0; i < many; i += batch {
		var drafts []engram.Draft
		var ids []string
		for k := i; k < i+batch; k++ {
			ids = append(ids, fmt.Sprint("m", k))
			drafts = append(drafts, engram.Draft{
				ID: ids[k-i], Content: fmt.Sprint("fact ", k), Source: fmt.Sprint("s", k),
			})
		}
		if _, err := s.RememberBatch(t.Context(), drafts); err != nil {
			t.Fatal(err)
		}
		w.clock.set(w.clock.tell().Add(time.Second))
		say(t, s, engram.Feedback{Wrong: ids, Verified: true, Source: "check"})
	}
	w.clock.set(day(20))
	say(t, s, engram.Feedback{IDs: []string{"m0"}, Signal: engram.Confirmed, Verified: true, Source: "check"}) // again
	remember(t, s, engram.Draft{ID: "new", Content: "a new fact", Source: "new"})
	say(t, s, engram.Feedback{Wrong: []string{"new"}, Verified: true, Source: "check"})
	w.stages(func(s *engram.Space) {
		list, err := s.Sources(t.Context())
		if err != nil || len(list) != many {
			t.Fatalf("%d sources, %v", len(list), err)
		}
		known := map[string]bool{}
		for _, r := range list {
			known[r.Source] = true
		}
		// s0 was judged again, so that of the others of its time the first by name has gone.
		want(t, "s0, s1, new", []bool{known["s0"], known["s1"], known["new"]}, []bool{true, false, true})
	})
}

// Contradicted says what is the other side: the memories become a contradiction, and the other's source is evidence
// against this one, by what that source is worth, or by what the writer gave; named, another source speaks. It is
// undone by nothing but the source's saying otherwise, and told in events and in the record with its reason.
func TestContradicted(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "seven", Content: "The ferry leaves at seven", Source: "Ada"})
	remember(t, s, engram.Draft{ID: "eight", Content: "The ferry leaves at eight", Source: "Bo", Confidence: new(.6)})
	remember(t, s, engram.Draft{ID: "nine", Content: "The ferry leaves at nine", Source: "Ada"})
	ctx, cancel := context.WithCancel(t.Context())
	events := s.Events(ctx)
	w.clock.set(day(2))
	report := say(t, s, engram.Feedback{
		IDs: []string{"seven"}, Signal: engram.Contradicted, By: "eight", Reason: "two timetables", EventID: "e",
	})
	want(t, "report", report, engram.FeedbackReport{Weakened: 1})
	say(t, s, engram.Feedback{IDs: []string{"nine"}, Signal: engram.Contradicted, Source: "Cy", Verified: true})
	remember(t, s, engram.Draft{ID: "end", Content: "end"})
	var told []engram.Event
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == engram.EventJudged {
			e.At, e.Position = time.Time{}, 0
			told = append(told, e)
		}
		if e.ID == "end" {
			break
		}
	}
	cancel()
	want(t, "events", told, []engram.Event{
		{
			Space: engram.DefaultSpace, Kind: engram.EventJudged, ID: "seven", Other: "eight",
			Signal: engram.Contradicted, Reason: "two timetables",
		},
		{Space: engram.DefaultSpace, Kind: engram.EventJudged, ID: "nine", Signal: engram.Contradicted},
	})
	w.stages(func(s *engram.Space) {
		seven, err := s.Get(t.Context(), "seven")
		against := seven.Belief.Evidence[1]
		want(t, "seven", []any{against.Source, against.Supports, seven.Belief.Against, err}, []any{"Bo", false, 1, nil})
		if want := 1 / (1 + math.Exp(-(math.Log(4) - math.Log(1.5)))); math.Abs(seven.Confidence-want) > 1e-6 {
			t.Errorf("seven is believed with %v, want %v", seven.Confidence, want)
		}
		pairs, err := s.Contradictions(t.Context(), "")
		want(t, "contradictions", []any{pairs, err}, []any{
			[]engram.Contradiction{{A: "eight", B: "seven", Weight: 1, Open: true}}, nil,
		})
		hits := answerOf(t, s, engram.Cue{Text: "when does the ferry leave at seven"}).Hits
		i := slices.IndexFunc(hits, func(h engram.Hit) bool { return h.ID == "seven" })
		want(t, "the other side", hits[i].Contradicts, []string{"eight"})
		nine, err := s.Get(t.Context(), "nine")
		want(t, "nine", []any{nine.Confidence, nine.Belief.Disputed, err}, []any{.5, true, nil})
		sources, err := s.Sources(t.Context())
		want(t, "sources", []any{len(sources), sources[0].Source, sources[0].Wrong, err}, []any{1, "Ada", 2., nil})
		var log []string
		for r, err := range s.FeedbackLog(t.Context()) {
			log = append(log, fmt.Sprint(r.ID, r.Signal, r.By, r.Source, r.Verified, r.Reason, r.EventID, r.Used,
				r.Grade, err))
		}
		want(t, "log", log, []string{
			fmt.Sprint("seven", "contradicted", "eight", "", false, "two timetables", "e", false, 0, nil),
			fmt.Sprint("nine", "contradicted", "", "Cy", true, "", "", false, 0, nil),
		})
	})
	for name, f := range map[string]engram.Feedback{
		"by with another signal": {IDs: []string{"seven"}, Signal: engram.Wrong, By: "eight"},
		"by itself":              {IDs: []string{"seven"}, Signal: engram.Contradicted, By: "seven"},
	} {
		if _, err := w.def().Feedback(t.Context(), f); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
	_, err := w.def().Feedback(t.Context(), engram.Feedback{
		IDs: []string{"seven"}, Signal: engram.Contradicted, By: "nobody",
	})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("by nobody: %v", err)
	}
}

// Every judgement is told to who listens.
func TestJudgementsAreEvents(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "The ferry leaves at seven"})
	events := s.Events(t.Context())
	for _, signal := range engram.Signals() {
		say(t, s, engram.Feedback{IDs: []string{"a"}, Signal: signal, Reason: "because"})
	}
	remember(t, s, engram.Draft{ID: "end", Content: "end"})
	var told []engram.Signal
	for e := range events {
		if e.Kind == engram.EventJudged && e.ID == "a" && e.Reason == "because" {
			told = append(told, e.Signal)
		}
		if e.ID == "end" {
			break
		}
	}
	want(t, "told", told, engram.Signals())
}
