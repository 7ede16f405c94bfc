package engram_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

func TestRememberRecallGetReopen(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	full := engram.Draft{
		ID: "m1", Content: "Ada moved to Lisbon in spring.", Kind: "fact", Tags: []string{"people", "city"},
		Speaker: "Ada", Session: "chat-1", OccurredAt: time.Date(2026, 2, 3, 4, 5, 6, 7, time.FixedZone("", 3600)),
		ValidFrom: day(1), ValidUntil: day(20), ExpiresAt: day(25), Pin: true, Confidence: new(0.75), Source: "mail:7",
		Metadata:  map[string]string{"b": "2", "a": "1"},
		Embedding: []float32{1, 2, 3, 4, 5, 6, 7, 8},
	}
	want(t, "outcome", remember(t, s, full), engram.Outcome{
		ID: "m1", Result: engram.Created, Version: 1, Embedding: "stored",
	})
	expected := engram.Memory{
		ID: "m1", Content: full.Content, Kind: "fact", Tags: full.Tags, Speaker: "Ada", Session: "chat-1",
		OccurredAt: full.OccurredAt, ValidFrom: day(1), ValidUntil: day(20), ExpiresAt: day(25), Pin: true,
		Confidence: .75, GivenConfidence: new(.75), Source: "mail:7", Metadata: full.Metadata,
		Embedding: full.Embedding, CreatedAt: day(1), UpdatedAt: day(1), Version: 1, Tier: engram.TierHot,
		Use:    &engram.Usage{Stability: 2.3065, Difficulty: 2.118104, LastUsed: day(1), Retrievability: 1},
		Belief: &engram.Belief{Probability: .75, For: 1, Sources: 1, Low: .223607, High: .974679},
	}
	remember(t, s, engram.Draft{ID: "m2", Content: "The harbour is loud at night."})
	for _, stage := range []string{"fresh", "sealed", "reopened"} {
		got, err := s.Get(t.Context(), "m1")
		if err != nil {
			t.Fatalf("%s: Get = %v", stage, err)
		}
		want(t, stage, got, expected)
		want(t, stage+" recall", recall(t, s, engram.Cue{Text: "where did Ada move?", Explain: true}), []string{"m1"})
		want(t, stage+" nothing", recall(t, s, engram.Cue{Text: "zebra"}), []string{})
		if stage == "fresh" {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			expected.Tier = engram.TierWarm
			continue
		}
		w.reopen()
		s = w.def()
	}
}

func TestOutcomes(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	first := remember(t, s, engram.Draft{Content: "Tea at four."})
	again := remember(t, s, engram.Draft{Content: "Tea at four."})
	want(t, "reinforced", again, engram.Outcome{
		ID: first.ID, Result: engram.Reinforced, Version: 1, Embedding: "none",
	})
	for name, d := range map[string]engram.Draft{
		"other kind":    {Content: "Tea at four.", Kind: "event"},
		"other session": {Content: "Tea at four.", Session: "s"},
		"other speaker": {Content: "Tea at four.", Speaker: "Bo"},
		"other time":    {Content: "Tea at four.", OccurredAt: day(3)},
		"own id":        {Content: "Tea at four.", ID: "mine"},
		"other tag":     {Content: "Tea at four.", Tags: []string{"x"}},
	} {
		if out := remember(t, s, d); out.Result != engram.Created {
			t.Errorf("%s: %+v, want created", name, out)
		}
	}
	want(t, "same id, same content", remember(t, s, engram.Draft{Content: "Tea at four.", ID: "mine"}).Result,
		engram.Reinforced)
	_, err := s.Remember(t.Context(), engram.Draft{Content: "Tea at five.", ID: "mine"})
	if !errors.Is(err, engram.ErrConflict) || !strings.Contains(err.Error(), "update") {
		t.Errorf("same id, other content: %v, want a conflict that says to use update", err)
	}
	_, err = s.Remember(t.Context(), engram.Draft{Content: "Tea at four.", ID: "mine", Tags: []string{"new"}})
	if !errors.Is(err, engram.ErrConflict) || !strings.Contains(err.Error(), "tags") {
		t.Errorf("same id, other tags: %v, want a conflict that names tags", err)
	}
	m, err := s.Get(t.Context(), first.ID)
	if err != nil || m.Reinforced != 1 {
		t.Errorf("Get = %+v, %v, want reinforced once", m, err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	d := engram.Draft{Content: "Paid the rent.", IdempotencyKey: "k1"}
	first := remember(t, s, d)
	want(t, "retry", remember(t, s, d), first)
	w.reopen()
	s = w.def()
	want(t, "retry after reopening", remember(t, s, d), first)
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	s = w.def()
	want(t, "retry after sealing", remember(t, s, d), first)
	_, err := s.Remember(t.Context(), engram.Draft{Content: "Something else.", IdempotencyKey: "k1"})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("same key, other content: %v, want conflict", err)
	}
	stats, _ := s.Stats(t.Context())
	want(t, "memories", stats.Memories, 1)
}

// TestIdempotencyKeyTwiceInABatch is the same as with two batches: the second draft is a retry of the first, or
// refused.
func TestIdempotencyKeyTwiceInABatch(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "old", Content: "The rent is due."})
	_, err := s.RememberBatch(t.Context(), []engram.Draft{
		{Content: "Paid the rent.", IdempotencyKey: "k"}, {Content: "Paid the tax.", IdempotencyKey: "k"},
	})
	if !errors.Is(err, engram.ErrConflict) || !strings.Contains(err.Error(), "memories[1]") {
		t.Errorf("one key for two memories of a batch: %v, want a conflict of memories[1]", err)
	}
	d := engram.Draft{Content: "Paid the rent.", IdempotencyKey: "k", Supersedes: []string{"old"}}
	outs, err := s.RememberBatch(t.Context(), []engram.Draft{d, {Content: "Other."}, d})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "result", outs[0].Result, engram.Superseded)
	want(t, "the same draft again", outs[2], outs[0])
	want(t, "retry", remember(t, s, d), outs[0])
	stats, _ := s.Stats(t.Context())
	want(t, "memories", stats.Memories, 3)
}

func TestUpdateHistoryForgetRestore(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "The code is 1234.", Embedding: make8(1)})
	w.clock.set(day(2))
	out, err := s.Update(t.Context(), "a", engram.Change{
		Content: new("The code is 9876."), Reason: "changed", IfVersion: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "update", out, engram.Outcome{ID: "a", Result: engram.Updated, Version: 2, Embedding: "none"})
	out, err = s.Update(t.Context(), "a", engram.Change{
		Content: new("The code is 9876."), Mode: engram.UpdateReplace,
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "update to the same", out, engram.Outcome{ID: "a", Result: engram.Unchanged, Version: 2, Embedding: "none"})
	_, err = s.Update(t.Context(), "a", engram.Change{Pin: new(true), IfVersion: 1})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("stale version: %v, want conflict", err)
	}
	check := func(stage string) {
		t.Helper()
		history, err := s.History(t.Context(), "a")
		if err != nil || len(history) != 2 {
			t.Fatalf("%s: History = %v, %v", stage, history, err)
		}
		want(t, stage+" contents", []string{history[0].Content, history[1].Content, history[1].Reason},
			[]string{"The code is 1234.", "The code is 9876.", "changed"})
		want(t, stage+" created", []time.Time{history[1].CreatedAt, history[1].UpdatedAt}, []time.Time{day(1), day(2)})
		want(t, stage+" old words", recall(t, s, engram.Cue{Text: "1234"}), []string{})
	}
	check("updated")
	want(t, "new words", recall(t, s, engram.Cue{Text: "9876"}), []string{"a"})

	report, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a", "zz"}})
	want(t, "archive", report, engram.ForgetReport{Matched: 1, Archived: 1, Missing: []string{"zz"}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "archived", recall(t, s, engram.Cue{Text: "9876"}), []string{})
		m, err := s.Get(t.Context(), "a")
		if err != nil || !m.ArchivedAt.Equal(day(2)) {
			t.Errorf("Get of an archived memory = %+v, %v", m, err)
		}
		check("archived")
		if _, err := s.Update(t.Context(), "a", engram.Change{Pin: new(true)}); !errors.Is(err, engram.ErrConflict) {
			t.Errorf("update of an archived memory: %v, want conflict", err)
		}
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
	out, err = s.Restore(t.Context(), "a")
	want(t, "restore", out, engram.Outcome{ID: "a", Result: engram.Restored, Version: 2, Embedding: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "restored", recall(t, s, engram.Cue{Text: "9876"}), []string{"a"})
		check("restored")
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"a"}, Mode: engram.Erase}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("Get of an erased memory = %v, want not found", err)
		}
		want(t, "erased", recall(t, s, engram.Cue{Text: "9876"}), []string{})
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
	want(t, "id is free again", remember(t, s, engram.Draft{ID: "a", Content: "New."}).Result, engram.Created)
	w.reopen()
	s = w.def()
	m, err := s.Get(t.Context(), "a")
	if err != nil || m.Content != "New." || m.Version != 1 {
		t.Errorf("Get = %+v, %v", m, err)
	}
}

func TestSupersedeAndValidity(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "old", Content: "The office is in Porto.", OccurredAt: day(1)})
	out := remember(t, s, engram.Draft{
		ID: "new", Content: "The office is in Braga.", OccurredAt: day(10), Supersedes: []string{"old"},
	})
	want(t, "outcome", out.Result, engram.Superseded)
	for range 3 {
		want(t, "now", recall(t, s, engram.Cue{Text: "office"}), []string{"new"})
		want(t, "then", recall(t, s, engram.Cue{Text: "office Porto", ValidAt: day(5)})[0], "old")
		want(t, "after", recall(t, s, engram.Cue{Text: "office", ValidAt: day(11)}), []string{"new"})
		m, err := s.Get(t.Context(), "old")
		if err != nil || m.SupersededBy != "new" || !m.ValidUntil.Equal(day(10)) {
			t.Errorf("Get(old) = %+v, %v", m, err)
		}
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
	_, err := s.Remember(t.Context(), engram.Draft{Content: "Third.", Supersedes: []string{"old"}})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("superseding twice: %v, want conflict", err)
	}
	_, err = s.Remember(t.Context(), engram.Draft{Content: "Fourth.", Supersedes: []string{"nobody"}})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("superseding nobody: %v, want not found", err)
	}
	if got := recall(t, s, engram.Cue{Text: "Fourth"}); len(got) > 0 {
		t.Errorf("a refused write is visible: %v", got)
	}
}

func TestSessionNeighboursAreAssociated(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, text := range []string{"Shall we book the ferry?", "Yes, the early one.", "Bring the blue bag."} {
		remember(t, s, engram.Draft{ID: fmt.Sprintf("t%d", i), Content: text, Session: "trip", OccurredAt: day(2)})
	}
	remember(t, s, engram.Draft{ID: "x", Content: "Unrelated remark.", Session: "other", OccurredAt: day(2)})
	want(t, "spread", recall(t, s, engram.Cue{Text: "ferry"}), []string{"t0", "t1", "t2"})
	n, err := s.Neighbors(t.Context(), "t1")
	want(t, "neighbours", n, []engram.Association{
		{To: "t0", Type: "previous", Weight: 1}, {To: "t2", Type: "next", Weight: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Link(t.Context(), "t0", engram.Link{To: "x", Weight: new(0.9)}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		want(t, "link spreads", recall(t, s, engram.Cue{Text: "ferry"}), []string{"t0", "t1", "x", "t2"})
		m, err := s.Get(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		want(t, "read from the other end", m.Links, []engram.Association{
			{To: "t0", Type: "relates_to", Weight: .9, Incoming: true},
		})
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
		s = w.def()
	}
	removed, err := s.Unlink(t.Context(), "t0", "x", "")
	if err != nil || !removed {
		t.Fatalf("Unlink = %v, %v", removed, err)
	}
	want(t, "unlinked", recall(t, s, engram.Cue{Text: "ferry"}), []string{"t0", "t1", "t2"})
}

func TestBatchIsAtomicAndRefersToItself(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	outs, err := s.RememberBatch(t.Context(), []engram.Draft{
		{ID: "a", Content: "First.", Links: []engram.Link{{To: "b"}}},
		{ID: "b", Content: "Second."},
		{Content: "Second."},
		{Content: "Second."},
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "outcomes", []engram.Result{outs[0].Result, outs[1].Result, outs[2].Result, outs[3].Result},
		[]engram.Result{engram.Created, engram.Created, engram.Reinforced, engram.Reinforced})
	_, err = s.RememberBatch(t.Context(), []engram.Draft{{ID: "c", Content: "Third."}, {ID: "a", Content: "Other."}})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("batch with a conflict: %v", err)
	}
	if _, err := s.Get(t.Context(), "c"); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("half of a refused batch is there: %v", err)
	}
	_, err = s.RememberBatch(t.Context(), []engram.Draft{{Content: "ok"}, {Content: "x", Confidence: new(2.0)}})
	invalid, ok := errors.AsType[*engram.InvalidError](err)
	if !ok || invalid.Field != "memories[1].confidence" {
		t.Errorf("error = %v, want field memories[1].confidence", err)
	}
}

// TestLoopBodiesKeepTheirPanics: a panic in the body of a loop over memories is its caller's, as it is, and the space
// goes on as if the loop had been left.
func TestLoopBodiesKeepTheirPanics(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for _, id := range []string{"a", "b", "c"} {
		remember(t, w.def(), engram.Draft{ID: id, Content: "memory " + id})
	}
	if _, err := w.def().Feedback(t.Context(), engram.Feedback{Useful: []string{"a", "b"}}); err != nil {
		t.Fatal(err)
	}
	type mine struct{ what string }
	for name, loop := range map[string]func(){
		"All": func() {
			for range w.def().All(t.Context()) {
				panic(&mine{"body"})
			}
		},
		"FeedbackLog": func() {
			for range w.def().FeedbackLog(t.Context()) {
				panic(&mine{"body"})
			}
		},
	} {
		func() {
			defer func() {
				if m, ok := recover().(*mine); !ok || m.what != "body" {
					t.Errorf("%s: the caller got %v, want its own panic", name, m)
				}
			}()
			loop()
		}()
	}
	ended := make(chan int)
	go func() {
		n := 0
		defer func() { ended <- n }()
		for range w.def().All(t.Context()) {
			n++
			runtime.Goexit()
		}
	}()
	if n := <-ended; n != 1 {
		t.Errorf("Goexit ended the loop after %d memories, want 1", n)
	}
	n := 0
	for m, err := range w.def().All(t.Context()) {
		if err != nil || m.ID == "" {
			t.Errorf("All gives %+v, %v", m, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("All gives %d memories, want 3", n)
	}
}
