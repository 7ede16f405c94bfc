package engram_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// restate stores n memories that say the same, each changed by change.
func restate(t *testing.T, s *engram.Space, n int, change func(i int, d *engram.Draft)) (ids []string) {
	t.Helper()
	for i := range n {
		d := engram.Draft{
			ID: fmt.Sprint("m", i), Content: []string{
				"Ada keeps the green bicycle in the shed", "in the shed Ada keeps a green bicycle",
				"the green bicycle: Ada keeps it in the shed", "Ada keeps her green bicycle in that shed",
			}[i%4], OccurredAt: day(1 + i),
		}
		if change != nil {
			change(i, &d)
		}
		ids = append(ids, remember(t, s, d).ID)
	}
	return ids
}

// TestWhatIsNotConsolidated: each rule alone keeps three restatements of four apart from the fourth, or all of them.
func TestWhatIsNotConsolidated(t *testing.T) {
	only := func(i int, change func(d *engram.Draft)) func(int, *engram.Draft) {
		return func(at int, d *engram.Draft) {
			if at == i {
				change(d)
			}
		}
	}
	for name, c := range map[string]struct {
		n      int
		change func(int, *engram.Draft)
		after  func(s *engram.Space)
		want   []string
	}{
		"all": {n: 4, want: []string{"m0", "m1", "m2", "m3"}},
		"two": {n: 2},
		"speaker": {
			n: 4, change: only(3, func(d *engram.Draft) { d.Speaker = "Bo" }), want: []string{"m0", "m1", "m2"},
		},
		"kind": {
			n: 4, change: only(0, func(d *engram.Draft) { d.Kind = "fact" }), want: []string{"m1", "m2", "m3"},
		},
		"events": {n: 4, change: func(_ int, d *engram.Draft) { d.Kind = "event" }},
		"validity": {
			n: 4, change: only(1, func(d *engram.Draft) { d.ValidFrom = day(1) }), want: []string{"m0", "m2", "m3"},
		},
		"expiring": {
			n: 4, change: only(2, func(d *engram.Draft) { d.ExpiresAt = day(300) }), want: []string{"m0", "m1", "m3"},
		},
		"pinned": {
			n: 4, change: only(2, func(d *engram.Draft) { d.Pin = true }), want: []string{"m0", "m1", "m3"},
		},
		"other words": {
			n: 4, change: only(2, func(d *engram.Draft) { d.Content += " with Bo's red kettle" }),
			want: []string{"m0", "m1", "m3"},
		},
		"archived": {n: 4, want: []string{"m0", "m1", "m3"}, after: func(s *engram.Space) {
			_, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m2"}})
			if err != nil {
				t.Fatal(err)
			}
		}},
		"superseded": {n: 4, want: []string{"m0", "m1", "m3"}, after: func(s *engram.Space) {
			remember(t, s, engram.Draft{ID: "new", Content: "the bicycle is gone", Supersedes: []string{"m2"}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t, engram.Options{}).def()
			restate(t, s, c.n, c.change)
			if c.after != nil {
				c.after(s)
			}
			report := consolidateIn(t, s, engram.ConsolidateOptions{})
			var got []string
			for _, concept := range report.Concepts {
				got = append(got, concept.Members...)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("consolidated %q, want %q", got, c.want)
			}
		})
	}
}

// TestConceptHasWhatAllHave: the fields of a concept, its text by a summariser, and the associations it takes over.
func TestConceptHasWhatAllHave(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "shed", Content: "The shed leaks"})
	restate(t, s, 3, func(i int, d *engram.Draft) {
		d.Tags = [][]string{{"a"}, {"b", "a"}, nil}[i]
		d.Metadata = map[string]string{"same": "1", "own": fmt.Sprint(i)}
		d.Source, d.Session = "book", fmt.Sprint("s", i)
		d.Confidence = new(.2 + .3*float64(i))
		d.Links = []engram.Link{{To: "shed", Type: "about", Weight: new(.1 * float64(i+1))}}
		d.Embedding = []float32{1, 0, 0, 0, 0, 0, 0, float32(i - 1)}
	})
	if err := s.Link(t.Context(), "shed", engram.Link{To: "m1", Type: "holds"}); err != nil {
		t.Fatal(err)
	}
	before := exported(t, s)
	report := consolidateIn(t, s, engram.ConsolidateOptions{
		Summarize: func(_ context.Context, members []engram.Memory) (string, error) {
			return fmt.Sprintf("%d times: %s", len(members), members[0].Content), nil
		},
	})
	m, err := s.Get(t.Context(), report.Concepts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "content", m.Content, "3 times: Ada keeps the green bicycle in the shed")
	want(t, "tags", m.Tags, []string{"a", "b"})
	want(t, "metadata", m.Metadata, map[string]string{"same": "1", "consolidates.kind": "note"})
	want(t, "shared, and of the latest", []string{m.Source, m.Session}, []string{"book", "s2"})
	want(t, "confidence", m.Confidence, .8)
	want(t, "direction", m.Embedding[0] > 1 && m.Embedding[7] == 0, true)
	want(t, "links", m.Links, []engram.Association{
		{To: "m0", Type: "consolidates", Weight: 1},
		{To: "m1", Type: "consolidates", Weight: 1},
		{To: "m2", Type: "consolidates", Weight: 1},
		{To: "shed", Type: "about", Weight: .3},
		{To: "shed", Type: "holds", Weight: .8, Incoming: true},
	})
	if _, err := s.UndoConsolidation(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "undone", memoriesIn(t, s), before)
	// A summariser that fails, or says nothing, costs its cluster.
	for name, summarize := range map[string]func(context.Context, []engram.Memory) (string, error){
		"error": func(context.Context, []engram.Memory) (string, error) { return "", errors.New("model is away") },
		"empty": func(context.Context, []engram.Memory) (string, error) { return " ", nil },
	} {
		report := consolidateIn(t, s, engram.ConsolidateOptions{Undone: true, Summarize: summarize})
		if len(report.Problems) != 1 || report.Archived != 0 || memoriesIn(t, s) != before {
			t.Errorf("summariser with %s: %+v", name, report)
		}
	}
	_, err = s.Consolidate(t.Context(), engram.ConsolidateOptions{
		Undone: true, Summarize: func(context.Context, []engram.Memory) (string, error) { panic("no") },
	})
	if _, ok := errors.AsType[*engram.PanicError](err); !ok || memoriesIn(t, s) != before {
		t.Errorf("summariser that panics: %v", err)
	}
}

// TestLaterRestatementsJoin: a concept takes on what is said again, and one undo takes all of it apart.
func TestLaterRestatementsJoin(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	restate(t, s, 3, nil)
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	remember(t, s, engram.Draft{ID: "later", Content: "Ada keeps in the shed a bicycle, green"})
	before, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	report := consolidateIn(t, s, engram.ConsolidateOptions{})
	want(t, "joined", report.Concepts, []engram.Concept{
		{ID: id, Content: before.Content, Members: []string{"later"}, Joined: true},
	})
	after, err := s.Get(t.Context(), id)
	if err != nil || after.Reinforced != before.Reinforced+1 || after.Version != 1 {
		t.Errorf("after joining: %+v, %v", after, err)
	}
	// What somebody takes out of a concept by hand stays out.
	if _, err := s.Restore(t.Context(), "m1"); err != nil {
		t.Fatal(err)
	}
	if again := consolidateIn(t, s, engram.ConsolidateOptions{}); again.Archived > 0 {
		t.Errorf("a member restored by hand is archived again: %+v", again)
	}
	undone, err := s.UndoConsolidation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "restored", undone.Restored, []string{"later", "m0", "m2"})
	// Parted memories stay apart until they change.
	if again := consolidateIn(t, s, engram.ConsolidateOptions{}); again.Archived > 0 {
		t.Errorf("parted memories are consolidated again: %+v", again)
	}
	for _, m := range []string{"m0", "m1", "m2"} {
		if _, err := s.Update(t.Context(), m, engram.Change{Tags: &[]string{"new"}}); err != nil {
			t.Fatal(err)
		}
	}
	if again := consolidateIn(t, s, engram.ConsolidateOptions{}); again.Archived != 3 {
		t.Errorf("changed memories are not consolidated again: %+v", again)
	}
}

// TestMembersAreStillKnown: a concept hides its members from recall of today only.
func TestMembersAreStillKnown(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	ids := restate(t, s, 3, nil)
	w.clock.set(day(20))
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	w.clock.set(day(30))
	for range 2 {
		s = w.def()
		cue := engram.Cue{Text: "green bicycle", Repeats: true}
		want(t, "recall today", recall(t, s, cue), []string{id})
		cue.AsOf = day(10)
		then := recall(t, s, cue)
		slices.Sort(then)
		want(t, "recall as of before", then, ids)
		cue.AsOf = day(25)
		want(t, "recall as of after", recall(t, s, cue), []string{id})
		for _, member := range ids {
			m, err := s.Get(t.Context(), member)
			history, historyErr := s.History(t.Context(), member)
			if err != nil || historyErr != nil || m.ArchivedAt.IsZero() || len(history) != 1 {
				t.Errorf("member %s = %+v, %v; history %v, %v", member, m, err, history, historyErr)
			}
		}
		if err := s.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.reopen()
	}
}

// TestUndoBesideDamage: a concept of which a member cannot be read is not taken apart.
func TestUndoBesideDamage(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	restate(t, s, 3, func(i int, d *engram.Draft) { d.Source = fmt.Sprint("book", i) })
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	mend := spoil(t, w.fs, segmentOf(t, w), "book1")
	if _, err := s.UndoConsolidation(t.Context(), id); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("UndoConsolidation beside damage = %v", err)
	}
	if m, err := s.Get(t.Context(), id); err != nil || m.Kind != engram.KindConcept {
		t.Errorf("Get of the concept = %+v, %v", m, err)
	}
	mend()
	if undone, err := s.UndoConsolidation(t.Context(), id); err != nil || len(undone.Restored) != 3 {
		t.Errorf("UndoConsolidation = %+v, %v", undone, err)
	}
}

func TestConceptsAreSuperseded(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	restate(t, s, 3, nil)
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	remember(t, s, engram.Draft{ID: "sold", Content: "Ada sold the green bicycle", Supersedes: []string{"m1"}})
	if m, err := s.Get(t.Context(), id); err != nil || m.SupersededBy != "sold" {
		t.Errorf("the concept of a superseded member = %+v, %v", m, err)
	}
	want(t, "recall", recall(t, s, engram.Cue{Text: "green bicycle"}), []string{"sold"})
}

func TestConsolidateRefuses(t *testing.T) {
	s := newWorld(t, engram.Options{}).def()
	restate(t, s, 3, nil)
	id := consolidateIn(t, s, engram.ConsolidateOptions{}).Concepts[0].ID
	remember(t, s, engram.Draft{ID: "plain", Content: "The shed leaks"})
	link := engram.Link{To: "plain", Type: engram.LinkConsolidates}
	draft := engram.Draft{Content: "x", Links: []engram.Link{link}}
	undo := func(id string) func() error {
		return func() error {
			_, err := s.UndoConsolidation(t.Context(), id)
			return err
		}
	}
	for what, c := range map[string]struct {
		call func() error
		want error
	}{
		"undo of a memory":   {undo("plain"), engram.ErrConflict},
		"undo of nobody":     {undo("none"), engram.ErrNotFound},
		"undo of a member":   {undo("m0"), engram.ErrConflict},
		"undo of nothing":    {undo(""), engram.ErrInvalid},
		"a link of its type": {func() error { return s.Link(t.Context(), "m0", link) }, engram.ErrInvalid},
		"a draft with one": {func() error {
			_, err := s.Remember(t.Context(), draft)
			return err
		}, engram.ErrInvalid},
		"unlink": {func() error {
			_, err := s.Unlink(t.Context(), id, "m0", engram.LinkConsolidates)
			return err
		}, engram.ErrInvalid},
		"too many": {func() error {
			_, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{MaxMemories: 1 << 20})
			return err
		}, engram.ErrInvalid},
		"negative time": {func() error {
			_, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{MaxTime: -1})
			return err
		}, engram.ErrInvalid},
	} {
		if err := c.call(); !errors.Is(err, c.want) {
			t.Errorf("%s = %v, want %v", what, err, c.want)
		}
	}
}

// TestConceptsAreTransferred: a concept, its members and what it cites survive export and import, and are undone there.
func TestConceptsAreTransferred(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	ids := restate(t, s, 90, nil) // more than a draft may have links
	consolidateIn(t, s, engram.ConsolidateOptions{})
	after := exported(t, s)
	other := w.space("copy")
	for range 2 {
		report, err := other.Import(t.Context(), strings.NewReader(after), engram.ImportOptions{Strict: true})
		if err != nil || report.BadCount > 0 {
			t.Fatalf("Import = %+v, %v", report, err)
		}
	}
	want(t, "the import", exported(t, other), after)
	for _, space := range []*engram.Space{s, other} {
		for id := range conceptsIn(t, space) {
			undone, err := space.UndoConsolidation(t.Context(), id)
			if err != nil || len(undone.Restored) != len(ids) {
				t.Errorf("UndoConsolidation = %d restored, %v", len(undone.Restored), err)
			}
		}
	}
	want(t, "both undone", exported(t, other), exported(t, s))
	// Drafts are held to their limits all the same.
	report, err := other.Import(t.Context(), strings.NewReader(
		`{"content":"x","links":[{"to":"m0","type":"consolidates"}]}`), engram.ImportOptions{})
	if err != nil || report.BadCount != 1 {
		t.Errorf("Import of a draft that claims to consolidate = %+v, %v", report, err)
	}
}
