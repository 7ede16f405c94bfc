package engram_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// An expired memory is gone: whoever remembers its content or its id again gets a new memory that is seen.
func TestRememberReplacesTheExpired(t *testing.T) {
	tests := []struct {
		name  string
		again engram.Draft
	}{
		{"same content", engram.Draft{Content: "The code is blue."}},
		{"same id, same content", engram.Draft{ID: "a", Content: "The code is blue."}},
		{"same id, other content", engram.Draft{ID: "a", Content: "The code is green."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, engram.Options{})
			remember(t, w.def(), engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
			remember(t, w.def(), engram.Draft{ID: "b", Content: "Bo knows it.", Links: []engram.Link{{To: "a"}}})
			w.clock.set(day(3))
			out, err := w.def().RememberBatch(t.Context(), []engram.Draft{tt.again, {Content: "Something else."}})
			if err != nil || out[0].Result != engram.Created || out[0].Version != 1 {
				t.Fatalf("RememberBatch = %+v, %v", out, err)
			}
			for range 2 {
				got, err := w.def().Get(t.Context(), out[0].ID)
				if err != nil || got.Content != tt.again.Content || got.Reinforced != 0 || len(got.Links) != 0 {
					t.Fatalf("Get = %+v, %v", got, err)
				}
				if !got.CreatedAt.Equal(day(3)) {
					t.Errorf("the memory is the old one")
				}
				w.reopen()
			}
		})
	}
}

// A batch that fails leaves the expired memory as it was: erasing it was part of the batch.
func TestFailedBatchErasesNothing(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
	w.clock.set(day(4))
	_, err := w.def().RememberBatch(t.Context(), []engram.Draft{
		{ID: "a", Content: "The code is green."}, {Content: "x", Links: []engram.Link{{To: "nobody"}}},
	})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Fatalf("RememberBatch = %v", err)
	}
	w.clock.set(day(2))
	if got, err := w.def().Get(t.Context(), "a"); err != nil || got.Content != "The code is blue." {
		t.Errorf("Get = %+v, %v", got, err)
	}
}

// Import treats an expired memory of the same id as gone, but not the expired version of the memory that it restores:
// a later version may have put off the end.
func TestImportReplacesTheExpired(t *testing.T) {
	w := newWorld(t, engram.Options{})
	from, to := w.space("from"), w.space("to")
	remember(t, from, engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
	later := day(20)
	if _, err := from.Update(t.Context(), "a", engram.Change{ExpiresAt: &later}); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	if _, err := from.Export(t.Context(), &lines); err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(2))
	remember(t, to, engram.Draft{ID: "a", Content: "Something else altogether.", ExpiresAt: day(4)})
	remember(t, to, engram.Draft{ID: "d", Content: "A draft.", ExpiresAt: day(4)})
	w.clock.set(day(5))
	lines.WriteString(`{"content":"A draft."}` + "\n")
	report, err := to.Import(t.Context(), strings.NewReader(lines.String()), engram.ImportOptions{})
	if err != nil || report.BadCount != 0 || report.Created != 2 || report.Versions != 1 {
		t.Fatalf("Import = %+v, %v", report, err)
	}
	versions, err := to.History(t.Context(), "a")
	if err != nil || len(versions) != 2 || versions[1].Content != "The code is blue." {
		t.Errorf("History = %+v, %v", versions, err)
	}
	report, err = to.Import(t.Context(), strings.NewReader(lines.String()), engram.ImportOptions{})
	if err != nil || report.BadCount != 0 || report.Created != 0 {
		t.Errorf("second Import = %+v, %v", report, err)
	}
}

// TestTheExpiredAreGone: a memory that has expired is not there for any call, and is not counted. What it was
// associated with is told without it. Only erasing finds it: until then its bytes are on the disk.
func TestTheExpiredAreGone(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "The code is blue.", Session: "s", OccurredAt: day(1)})
	remember(t, s, engram.Draft{
		ID: "x", Content: "The code is green.", Session: "s", OccurredAt: day(2), Tags: []string{"t"},
		ExpiresAt: day(5),
	})
	remember(t, s, engram.Draft{
		ID: "b", Content: "The code is red.", Session: "s", OccurredAt: day(3),
		Links: []engram.Link{{To: "x"}, {To: "a"}},
	})
	remember(t, s, engram.Draft{ID: "y", Content: "The code is grey.", Tags: []string{"t"}, ExpiresAt: day(5)})
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"y"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Link(t.Context(), "x", engram.Link{To: "a"}); err != nil {
		t.Fatal(err)
	}
	stats := func() []int {
		st, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return []int{st.Memories, st.Archived, st.Expired}
	}
	want(t, "memories, archived, expired before", stats(), []int{3, 1, 0})
	w.clock.set(day(6))
	x, pinned := []string{"x"}, engram.Change{Pin: new(true)}
	for _, stage := range []string{"fresh", "sealed", "reopened"} {
		for what, call := range map[string]func() error{
			"Get":            func() error { _, err := s.Get(t.Context(), "x"); return err },
			"Update":         func() error { _, err := s.Update(t.Context(), "x", pinned); return err },
			"Link":           func() error { return s.Link(t.Context(), "x", engram.Link{To: "a"}) },
			"Link to":        func() error { return s.Link(t.Context(), "a", engram.Link{To: "x"}) },
			"Unlink":         func() error { _, err := s.Unlink(t.Context(), "x", "a", ""); return err },
			"Unlink from":    func() error { _, err := s.Unlink(t.Context(), "b", "x", ""); return err },
			"Restore":        func() error { _, err := s.Restore(t.Context(), "y"); return err },
			"Update archive": func() error { _, err := s.Update(t.Context(), "y", pinned); return err },
			"Neighbors":      func() error { _, err := s.Neighbors(t.Context(), "x"); return err },
			"Spread": func() error {
				_, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: x})
				return err
			},
			"Predict": func() error {
				_, err := s.Predict(t.Context(), engram.Precedent{IDs: x})
				return err
			},
			"Feedback": func() error {
				_, err := s.Feedback(t.Context(), engram.Feedback{IDs: x, Signal: engram.Useful})
				return err
			},
			"a link": func() error {
				_, err := s.Remember(t.Context(), engram.Draft{Content: "z", Links: []engram.Link{{To: "x"}}})
				return err
			},
			"contradicting": func() error {
				_, err := s.Remember(t.Context(), engram.Draft{Content: "z", Contradicts: []string{"x"}})
				return err
			},
			"superseding": func() error {
				_, err := s.Remember(t.Context(), engram.Draft{Content: "z", Supersedes: []string{"x"}})
				return err
			},
			"undoing": func() error { _, err := s.UndoConsolidation(t.Context(), "x"); return err },
		} {
			if err := call(); !errors.Is(err, engram.ErrNotFound) {
				t.Errorf("%s: %s = %v, want not found", stage, what, err)
			}
		}
		report, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"x", "y"}})
		want(t, stage+": archive", report, engram.ForgetReport{Missing: []string{"x", "y"}})
		if err != nil {
			t.Fatal(err)
		}
		report, err = s.Forget(t.Context(), engram.ForgetRequest{Tags: []string{"t"}})
		want(t, stage+": archive by tag", report, engram.ForgetReport{})
		if err != nil {
			t.Fatal(err)
		}
		want(t, stage+": memories, archived, expired", stats(), []int{2, 0, 2})
		m, err := s.Get(t.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		want(t, stage+": links", m.Links, []engram.Association{
			{To: "a", Type: "relates_to", Weight: engram.DefaultLinkWeight},
		})
		next, err := s.Neighbors(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		want(t, stage+": neighbours", next, []engram.Association{{To: "b", Type: "next", Weight: 1}})
		report2, err := importLines(t, w.space("copy-"+stage), engram.ImportOptions{Strict: true}, exported(t, s))
		if err != nil {
			t.Errorf("%s: import of the export = %+v, %v", stage, report2, err)
		}
		if stage == "fresh" {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		} else {
			w.reopen()
			s = w.def()
		}
	}
	report, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"x", "y"}, Mode: engram.Erase})
	want(t, "erase", report, engram.ForgetReport{Matched: 2, Erased: 2})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "memories, archived, expired at the end", stats(), []int{2, 0, 0})
}

// TestExpiredMemoriesGoByThemselves: some time after it has expired a memory is erased, which is told, and what it
// takes comes back; others, and those whose time has not come, stay.
func TestExpiredMemoriesGoByThemselves(t *testing.T) {
	w := newWorld(t, engram.Options{Compaction: engram.BackgroundCompaction{
		EraseExpired: 48 * time.Hour, ErasedShare: .1, Every: time.Millisecond,
	}})
	s := w.def()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	told := make(chan int, 1)
	ready := make(chan struct{})
	go func() {
		n := 0
		for e, err := range s.Events(ctx) {
			if err != nil {
				break
			}
			if e.Kind == engram.EventCreated && e.ID == "first" {
				close(ready)
			}
			if e.Kind == engram.EventErased && e.Reason == "expired" {
				if n++; n == 14 {
					break
				}
			}
		}
		told <- n
	}()
	for listening, i := false, 0; !listening; i++ { // nobody says when it listens
		_, err := s.Remember(ctx, engram.Draft{ID: "first", Content: "to be seen"})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-ready:
			listening = true
		case <-time.After(time.Millisecond):
			erase(t, s, "first")
		}
	}
	erase(t, s, "first")
	filler := strings.Repeat(" and more of it", 100)
	for i := range 20 {
		d := engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint(i, filler)}
		if i < 15 {
			d.ExpiresAt = day(2)
		}
		if i == 14 {
			d.ExpiresAt = day(4)
		}
		remember(t, s, d)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := stats(t, s)
	w.clock.set(day(4).Add(-time.Second)) // a day and some after the end of the first ones
	time.Sleep(20 * time.Millisecond)     // long enough for a round that should do nothing
	if st := stats(t, s); st.Expired != 14 || st.Memories != 6 {
		t.Errorf("before their time: %+v", st)
	}
	w.clock.set(day(4))
	eventually(t, "the erasing", func(st engram.SpaceStats) bool {
		return st.Expired == 1 && st.Memories == 5 && st.Compaction.Runs > 0 && st.SegmentBytes < before.SegmentBytes/2
	}, s)
	if n := <-told; n != 14 {
		t.Errorf("%d events tell that something expired was erased, want 14", n)
	}
	want(t, "recall", recall(t, s, engram.Cue{Text: "17"}), []string{"m17"})
}
