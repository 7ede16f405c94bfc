package engram_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// passed is what the background reports.
type passed struct {
	space string
	c     engram.Consolidation
	err   error
}

// background opens a world that consolidates all the time.
func background(t *testing.T, b engram.BackgroundConsolidation) (*world, chan passed) {
	t.Helper()
	reports := make(chan passed, 1000)
	b.Every = time.Millisecond
	b.Report = func(space string, c engram.Consolidation, err error) { reports <- passed{space, c, err} }
	return newWorld(t, engram.Options{Consolidation: b}), reports
}

// next waits for a report that fits.
func next(t *testing.T, reports chan passed, fits func(passed) bool) passed {
	t.Helper()
	for {
		select {
		case p := <-reports:
			if fits(p) {
				return p
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the background reports nothing of the kind")
		}
	}
}

func TestBackgroundConsolidation(t *testing.T) {
	w, reports := background(t, engram.BackgroundConsolidation{})
	restate(t, w.def(), 4, nil)
	total := 0
	for total < 4 { // the first pass may have begun after three
		p := next(t, reports, func(p passed) bool { return p.c.Archived > 0 || p.err != nil })
		if p.err != nil || p.space != engram.DefaultSpace {
			t.Fatalf("pass = %+v", p)
		}
		total += p.c.Archived
	}
	if len(conceptsIn(t, w.def())) != 1 {
		t.Errorf("concepts = %v, want one", conceptsIn(t, w.def()))
	}
	// Where nothing is written there are no more passes, but the one that sees its own work.
	quiet := 0
	for done := time.After(100 * time.Millisecond); ; {
		select {
		case <-reports:
			quiet++
			continue
		case <-done:
		}
		break
	}
	if quiet > 2 {
		t.Errorf("%d passes over a space to which nothing is written", quiet)
	}
}

// TestBackgroundIsIsolated: a pass that panics is reported, the next one works, and meanwhile everything else does.
func TestBackgroundIsIsolated(t *testing.T) {
	var calls atomic.Int32
	asked, release := make(chan struct{}, 100), make(chan struct{})
	w, reports := background(t, engram.BackgroundConsolidation{ConsolidateOptions: engram.ConsolidateOptions{
		Summarize: func(ctx context.Context, members []engram.Memory) (string, error) {
			if calls.Add(1) == 1 {
				panic("a defect of the summariser")
			}
			asked <- struct{}{}
			select {
			case <-release:
			case <-ctx.Done():
				return "", ctx.Err()
			}
			return "Ada keeps her bicycle in the shed", nil
		},
	}})
	s := w.def()
	restate(t, s, 3, nil)
	next(t, reports, func(p passed) bool {
		_, ok := errors.AsType[*engram.PanicError](p.err)
		return ok
	})
	<-asked
	// The summariser hangs: reading and writing go on, and what failed is told until the pass that runs has ended.
	if st, err := s.Stats(t.Context()); err != nil || !st.Consolidation.Running || st.Consolidation.Runs != 0 ||
		!strings.Contains(st.Consolidation.Error, "a defect of the summariser") || st.ReadOnly != "" {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if err := w.db.Ready(); err == nil || !strings.Contains(err.Error(), "a defect of the summariser") {
		t.Errorf("Ready = %v, want the failed consolidation", err)
	}
	remember(t, s, engram.Draft{ID: "other", Content: "The boiler leaks"})
	want(t, "recall", recall(t, s, engram.Cue{Text: "boiler"}), []string{"other"})
	want(t, "recall of the members", len(recall(t, s, engram.Cue{Text: "bicycle", Repeats: true})), 3)
	close(release)
	next(t, reports, func(p passed) bool { return p.c.Archived == 3 && p.err == nil })
	want(t, "recall of the concept", len(recall(t, s, engram.Cue{Text: "bicycle"})), 1)
	if st, err := s.Stats(t.Context()); err != nil || st.Consolidation.Runs == 0 || st.Consolidation.Error != "" {
		t.Errorf("Stats behind a pass that worked = %+v, %v", st, err)
	}
	if err := w.db.Ready(); err != nil {
		t.Errorf("Ready = %v", err)
	}
}

// TestCloseEndsThePass: Close does not wait for a summariser that heeds its context.
func TestCloseEndsThePass(t *testing.T) {
	asked := make(chan struct{}, 100)
	w, _ := background(t, engram.BackgroundConsolidation{ConsolidateOptions: engram.ConsolidateOptions{
		Summarize: func(ctx context.Context, _ []engram.Memory) (string, error) {
			asked <- struct{}{}
			<-ctx.Done()
			return "", ctx.Err()
		},
	}})
	restate(t, w.def(), 3, nil)
	before := exported(t, w.def())
	<-asked
	w.reopen()
	want(t, "nothing was written", exported(t, w.def()), before)
	for what, o := range map[string]engram.BackgroundConsolidation{
		"Every":        {Every: -1},
		"max_memories": {Every: time.Hour, ConsolidateOptions: engram.ConsolidateOptions{MaxMemories: -1}},
	} {
		if _, err := (engram.Options{Consolidation: o}).On(w.fs).Open("/other"); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Open with a wrong %s = %v", what, err)
		}
	}
}
