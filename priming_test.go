package engram_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// useful says that memories were of use.
func useful(t *testing.T, s *engram.Space, ids ...string) {
	t.Helper()
	if _, err := s.Feedback(t.Context(), engram.Feedback{IDs: ids, Signal: engram.Useful}); err != nil {
		t.Fatal(err)
	}
}

// rankOf counts the competitors ahead of the target.
func rankOf(t *testing.T, s *engram.Space, cue engram.Cue) int {
	t.Helper()
	answer, err := s.Recall(t.Context(), cue)
	if err != nil {
		t.Fatal(err)
	}
	rank := 0
	for _, h := range answer.Hits {
		if h.ID == "target" {
			return rank
		}
		if strings.HasPrefix(h.ID, "c") {
			rank++
		}
	}
	t.Fatal("the target is not found")
	return 0
}

// TestPriming (P5): a memory is found at a better rank after one that is associated with it was of use, the better the
// shorter ago that was; after the use of another it is not, nor with priming switched off; nor by being recalled.
func TestPriming(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	text := func(words int) string {
		var out strings.Builder
		out.WriteString("harbour")
		for i := range words {
			out.WriteString(fmt.Sprintf(" w%dx%d", words, i))
		}
		return out.String()
	}
	for i := range 40 { // the longer, the lower they score: each a little
		remember(t, s, engram.Draft{ID: fmt.Sprintf("c%02d", i), Content: text(4 + i)})
	}
	remember(t, s, engram.Draft{ID: "target", Content: text(44)})
	remember(t, s, engram.Draft{ID: "prime", Content: "gulls", Links: []engram.Link{{To: "target"}}})
	remember(t, s, engram.Draft{ID: "other", Content: "plums"})
	cue := engram.Cue{Text: "harbour", Limit: 100}
	off := engram.Cue{Text: "harbour", Limit: 100, Without: []string{"priming"}}
	w.clock.set(day(2))
	plain := rankOf(t, s, cue)
	for range 20 {
		if got := rankOf(t, s, cue); got != plain {
			t.Fatalf("being recalled moves the target from %d to %d", plain, got)
		}
	}
	useful(t, s, "other")
	w.clock.set(day(2).Add(time.Minute))
	if got := rankOf(t, s, cue); got != plain {
		t.Errorf("after the use of an unrelated memory %d are ahead, want %d", got, plain)
	}
	w.clock.set(day(3))
	useful(t, s, "prime")
	last := -1
	for _, minutes := range []int{1, 10, 100} {
		w.clock.set(day(3).Add(time.Duration(minutes) * time.Minute))
		got := rankOf(t, s, cue)
		if got <= last || got >= plain {
			t.Errorf("%d minutes after: %d ahead, want more than %d and fewer than %d", minutes, got, last, plain)
		}
		last = got
		if got := rankOf(t, s, off); got != plain {
			t.Errorf("with priming off %d are ahead, want %d", got, plain)
		}
		if minutes == 10 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		w.reopen()
		s = w.def()
		if again := rankOf(t, s, cue); again != last {
			t.Errorf("after a restart %d are ahead, before %d", again, last)
		}
	}
}

// TestPrimingOfItself (P6): without associations a hit has no term but its words; when it was of use it is primed.
func TestPrimingOfItself(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "the harbour"})
	priming := func() float64 {
		t.Helper()
		answer, err := s.Recall(t.Context(), engram.Cue{Text: "harbour"})
		if err != nil || len(answer.Hits) != 1 {
			t.Fatalf("Recall = %+v, %v", answer, err)
		}
		value := 0.0
		for _, term := range answer.Hits[0].Why {
			switch term.Name {
			case "association":
				t.Errorf("association %v without associations", term.Value)
			case "priming":
				value = term.Value
			}
		}
		return value
	}
	if got := priming(); got != 0 {
		t.Errorf("priming %v before any use", got)
	}
	w.clock.set(day(2))
	useful(t, s, "a")
	w.clock.set(day(2).Add(time.Minute))
	if got := priming(); !(got > 0) {
		t.Errorf("priming %v a minute after the use, want above 0", got)
	}
	answer, err := s.Recall(t.Context(), engram.Cue{Text: "zeppelin"})
	if err != nil || len(answer.Hits) != 0 {
		t.Errorf("a use alone makes it relevant: %+v, %v", answer, err)
	}
}

// TestUseTogether: memories that are of use together become associated, more so each time, and the association is like
// any other.
func TestUseTogether(t *testing.T) {
	w := newWorld(t, engram.Options{LinkUsedTogether: true})
	s := w.def()
	for i, text := range []string{"the lock needs a code", "the code is in the blue book", "plums"} {
		remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: text})
	}
	links := func() []engram.Association {
		t.Helper()
		m, err := s.Get(t.Context(), "m1")
		if err != nil {
			t.Fatal(err)
		}
		return m.Links
	}
	useful(t, s, "m0")
	if got := links(); len(got) != 0 {
		t.Errorf("one alone: %+v", got)
	}
	last := 0.0
	for range 3 {
		useful(t, s, "m1", "m0")
		got := links()
		if len(got) != 1 || got[0].To != "m0" || got[0].Type != engram.LinkUsedWith || !(got[0].Weight > last) ||
			got[0].Weight >= 1 {
			t.Fatalf("links = %+v, want one of %s above %v", got, engram.LinkUsedWith, last)
		}
		last = got[0].Weight
	}
	_, err := s.Feedback(t.Context(), engram.Feedback{IDs: []string{"m1", "m2"}, Signal: engram.Useless})
	if err != nil {
		t.Fatal(err)
	}
	if got := links(); len(got) != 1 {
		t.Errorf("of no use together: %+v", got)
	}
	if got := activatedIDs(spread(t, s, engram.SpreadRequest{IDs: []string{"m1"}})); len(got) != 1 || got[0] != "m0" {
		t.Errorf("m1 brings to mind %v, want m0", got)
	}
	before := links()
	w.reopen()
	s = w.def()
	want(t, "after a restart", links(), before)
	if removed, err := s.Unlink(t.Context(), "m0", "m1", engram.LinkUsedWith); err != nil || !removed {
		t.Errorf("Unlink = %v, %v", removed, err)
	}
	// A memory that everything is used with keeps 32.
	for i := range 40 {
		id := fmt.Sprint("n", i)
		remember(t, s, engram.Draft{ID: id, Content: "note " + id})
		useful(t, s, "m1", id)
	}
	if got := links(); len(got) != 32 {
		t.Errorf("%d associations grew, want 32", len(got))
	}
}

// TestPrimingWithinASession: what was of use in one session primes what is asked during it, and not what is asked
// during another; who names none is primed by all. The session is told with the feedback, or is that of the recall;
// being told again counts for the session of the memory.
func TestPrimingWithinASession(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for _, id := range []string{"one", "two", "three", "all"} {
		remember(t, s, engram.Draft{ID: id, Content: "harbour " + id, Session: "old " + id})
	}
	w.clock.set(day(2))
	answer := answerOf(t, s, engram.Cue{Text: "harbour", During: "first", Limit: 4})
	say(t, s, engram.Feedback{RecallID: answer.RecallID, Useful: []string{"one"}})
	say(t, s, engram.Feedback{Useful: []string{"two"}, During: "second"})
	say(t, s, engram.Feedback{Useful: []string{"all"}})
	remember(t, s, engram.Draft{Content: "harbour three", Session: "old three"})
	asked := w.clock.tell().Add(time.Minute)
	primed := func(s *engram.Space, cue engram.Cue) string {
		t.Helper()
		var ids []string
		for _, h := range answerOf(t, s, cue).Hits {
			for _, term := range h.Why {
				if term.Name == "priming" {
					ids = append(ids, h.ID)
				}
			}
		}
		slices.Sort(ids)
		return strings.Join(ids, " ")
	}
	w.clock.set(asked)
	w.stages(func(s *engram.Space) {
		for _, at := range []time.Time{{}, asked} {
			for during, ids := range map[string]string{
				"": "all one three two", "first": "one", "second": "two", "old three": "three", "third": "",
			} {
				want(t, "primed during "+during, primed(s, engram.Cue{Text: "harbour", During: during, AsOf: at}), ids)
			}
		}
		w.clock.set(asked.Add(time.Hour))
		want(t, "as of then", primed(s, engram.Cue{Text: "harbour", During: "first", AsOf: asked}), "one")
		w.clock.set(asked)
	})
}

// TestManySessionsPrimeEach: a session that uses much leaves the others theirs.
func TestManySessionsPrimeEach(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	w.clock.set(day(2))
	ids := make([]string, 0, 300)
	for i := range 300 {
		id := fmt.Sprint("m", i)
		remember(t, s, engram.Draft{ID: id, Content: "note " + id})
		ids = append(ids, id)
	}
	remember(t, s, engram.Draft{ID: "mine", Content: "harbour"})
	w.clock.set(day(3))
	say(t, s, engram.Feedback{Useful: []string{"mine"}, During: "quiet"})
	for i, id := range ids {
		w.clock.set(day(3).Add(time.Duration(i) * time.Second))
		say(t, s, engram.Feedback{Useful: []string{id}, During: "busy"})
	}
	for _, name := range []string{"now", "reopened"} {
		hits := answerOf(t, w.def(), engram.Cue{Text: "harbour", During: "quiet"}).Hits
		if len(hits) != 1 ||
			!slices.ContainsFunc(hits[0].Why, func(t engram.Term) bool { return t.Name == "priming" }) {
			t.Errorf("%s: %+v", name, hits)
		}
		w.reopen()
	}
}
