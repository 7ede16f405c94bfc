package engram_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) tell() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func day(n int) time.Time { return time.Date(2026, 3, n, 9, 0, 0, 0, time.UTC) }

// world is a DB on a file system in memory that can be reopened.
type world struct {
	t     *testing.T
	fs    *vfs.Mem
	clock *clock
	o     engram.Options
	db    *engram.DB
}

func newWorld(t *testing.T, o engram.Options) *world {
	t.Helper()
	w := &world{t: t, fs: vfs.NewMem(), clock: &clock{now: day(1)}, o: o}
	if w.o.Clock == nil {
		w.o.Clock = w.clock.tell
	}
	w.open()
	t.Cleanup(func() {
		w.check()
		if err := w.db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
	return w
}

func (w *world) open() {
	w.t.Helper()
	db, err := w.o.On(w.fs).Open("/data")
	if err != nil {
		w.t.Fatalf("Open = %v", err)
	}
	w.db = db
}

func (w *world) reopen() {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatalf("Close = %v", err)
	}
	w.open()
}

// check verifies every space.
func (w *world) check() {
	w.t.Helper()
	names, err := w.db.Spaces(context.Background())
	if err != nil {
		w.t.Errorf("Spaces = %v", err)
	}
	for _, name := range names {
		report, err := w.space(name).Verify(context.Background())
		if err != nil || len(report.Problems) > 0 {
			w.t.Errorf("Verify(%s) = %+v, %v", name, report, err)
		}
	}
}

func (w *world) space(name string) *engram.Space {
	w.t.Helper()
	s, err := w.db.Space(name)
	if err != nil {
		w.t.Fatalf("Space(%q) = %v", name, err)
	}
	return s
}

func (w *world) def() *engram.Space { return w.space(engram.DefaultSpace) }

func remember(t *testing.T, s *engram.Space, d engram.Draft) engram.Outcome {
	t.Helper()
	out, err := s.Remember(t.Context(), d)
	if err != nil {
		t.Fatalf("Remember(%q) = %v", d.Content, err)
	}
	return out
}

func recall(t *testing.T, s *engram.Space, cue engram.Cue) []string {
	t.Helper()
	answer, err := s.Recall(t.Context(), cue)
	if err != nil {
		t.Fatalf("Recall(%+v) = %v", cue, err)
	}
	ids := []string{}
	for _, h := range answer.Hits {
		sum := 0.0
		for _, term := range h.Why {
			sum += term.Value
			parts := 0.0
			for _, p := range term.Detail {
				parts += p.Value
			}
			if cue.Explain && math.Abs(parts-term.Value) > 1e-9 {
				t.Errorf("Recall(%q): parts of %s sum to %v, the term is %v", cue.Text, term.Name, parts, term.Value)
			}
		}
		if math.Abs(sum-h.Score) > 1e-9 {
			t.Errorf("Recall(%q): terms of %s sum to %v, the score is %v", cue.Text, h.ID, sum, h.Score)
		}
		ids = append(ids, h.ID)
	}
	return ids
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", what, diff)
	}
}

func make8(x float32) []float32 { return []float32{x, 1, 0, 0, 0, 0, 0, .5} }
