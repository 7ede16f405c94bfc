package engram_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestConsolidationBudget: no more memories than allowed are compared, and no cluster is written when the time is up.
func TestConsolidationBudget(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	restate(t, s, 4, nil)
	report := consolidateIn(t, s, engram.ConsolidateOptions{MaxMemories: 2})
	if report.Considered != 2 || report.Left != 2 || report.Archived > 0 {
		t.Errorf("two of four: %+v", report)
	}
	for i := range 3 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("n", i), Content: "Bo lost " + strings.Repeat("his ", i) + "red kettle",
		})
	}
	report = consolidateIn(t, s, engram.ConsolidateOptions{
		MaxTime: time.Minute, Summarize: func(_ context.Context, m []engram.Memory) (string, error) {
			w.clock.set(w.clock.tell().Add(time.Hour)) // a slow model
			return m[0].Content, nil
		},
	})
	if len(report.Concepts) != 1 || report.Pending != 1 {
		t.Errorf("one minute: %+v", report)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Consolidate(ctx, engram.ConsolidateOptions{
		Undone: true,
		Summarize: func(context.Context, []engram.Memory) (string, error) {
			cancel()
			return "Bo lost it", nil
		},
	})
	if err != nil {
		t.Errorf("called off after the last cluster: %v", err)
	}
}

// conceptsIn are the concepts with the ids that they cite.
func conceptsIn(t *testing.T, s *engram.Space) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for m, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Links {
			if l.Type == engram.LinkConsolidates && !l.Incoming {
				out[m.ID] = append(out[m.ID], l.To)
			}
		}
	}
	return out
}

// TestConsolidationCrash is C3: after every operation of the file system, during passes and undos, power is cut. What
// is opened then has each cluster whole or not at all: taking every concept apart gives the memories as they were.
func TestConsolidationCrash(t *testing.T) {
	base := vfs.NewMem()
	if err := errors.Join(base.MkdirAll("/data"), base.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	fault := vfs.NewFault(base)
	var mu sync.Mutex
	crashing := false
	var clones []*vfs.Mem
	fault.OnOp = func(op vfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		if crashing {
			mode := []vfs.CrashMode{vfs.LoseAll, vfs.Random}[op.Index%2]
			clones = append(clones, base.CrashClone(uint64(op.Index), mode))
		}
	}
	crash := func(on bool) {
		mu.Lock()
		defer mu.Unlock()
		crashing = on
	}
	at := day(1)
	o := engram.Options{Clock: func() time.Time { return at }, HotBytes: 8 << 10}
	db, err := o.On(fault).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	for c := range 6 {
		for i := range 4 {
			remember(t, s, engram.Draft{
				ID:      fmt.Sprintf("m%d-%d", c, i),
				Content: fmt.Sprintf("Bo %s stored jar%d beside shelf%d", strings.Repeat("has ", i), c, c*7),
				Tags:    []string{fmt.Sprint("t", i)}, Embedding: embedded(16, fmt.Sprint(c)),
			})
		}
	}
	before := exported(t, s)
	crash(true)
	report := consolidateIn(t, s, engram.ConsolidateOptions{})
	want(t, "archived", report.Archived, 24)
	for _, c := range report.Concepts[:3] {
		if _, err := s.UndoConsolidation(t.Context(), c.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Seal(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	crash(false)
	seen := map[int]bool{}
	for i, clone := range clones {
		db, err := o.On(clone).Open("/data")
		if err != nil {
			t.Fatalf("crash %d: Open = %v", i, err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		concepts := conceptsIn(t, s)
		seen[len(concepts)] = true
		for id, members := range concepts {
			undone, err := s.UndoConsolidation(t.Context(), id)
			if err != nil || len(members) != 4 || len(undone.Restored) != 4 {
				t.Fatalf("crash %d: concept %s cites %v, undoing it restores %v, %v",
					i, id, members, undone.Restored, err)
			}
		}
		if got := memoriesIn(t, s); got != before {
			t.Fatalf("crash %d with %d concepts: undone, it holds\n%s", i, len(concepts), got)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 5 {
		t.Errorf("%d crashes left only these numbers of concepts: %v", len(clones), seen)
	}
}

// TestConsolidationThatFails: an error of the log, at each operation in turn, leaves whole clusters only.
func TestConsolidationThatFails(t *testing.T) {
	for n := range 12 {
		base := vfs.NewMem()
		fault := vfs.NewFault(base)
		var end atomic.Int64 // the index of the first operation that fails
		end.Store(math.MaxInt64)
		fault.Inject = func(op vfs.Op) error {
			if int64(op.Index) >= end.Load() {
				return errors.New("the disk is gone")
			}
			return nil
		}
		o := engram.Options{}
		db, err := o.On(fault).Open("/data")
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		restate(t, s, 4, nil)
		for i := range 3 {
			remember(t, s, engram.Draft{
				ID: fmt.Sprint("n", i), Content: "Bo lost " + strings.Repeat("his ", i) + "red kettle",
			})
		}
		before := exported(t, s)
		end.Store(int64(fault.Ops() + n))
		report, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{})
		concepts := conceptsIn(t, s)
		if err == nil && len(concepts) != 2 || err != nil && len(concepts) != len(report.Concepts) {
			t.Errorf("error at operation %d: %d concepts, reported %d, %v", n, len(concepts), len(report.Concepts), err)
		}
		if len(concepts) == 0 && exported(t, s) != before {
			t.Errorf("error at operation %d left something", n)
		}
		_ = db.Close() // it fails where the disk does
	}
}
