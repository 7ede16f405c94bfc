package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestCompactErasesFromEveryFile erases a memory and compacts: no file of the directory, whatever its name, has a byte
// of what was said in it or with it.
func TestCompactErasesFromEveryFile(t *testing.T) {
	dir := t.TempDir()
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	secret := engram.Draft{
		ID: "needle-id", Content: "needle-content", Speaker: "needle-speaker", Session: "needle-session",
		Source: "needle-source", Tags: []string{"needle-tag"},
		Metadata: map[string]string{"needle-key": "needle-value"}, IdempotencyKey: "needle-idempotency",
		Supersedes: []string{"old"},
	}
	remember(t, s, engram.Draft{ID: "old", Content: "It was otherwise."})
	remember(t, s, engram.Draft{ID: "other", Content: "Something else."})
	remember(t, s, secret)
	if err := s.Link(ctx, "other", engram.Link{To: "needle-id", Type: "needle-type"}); err != nil {
		t.Fatal(err)
	}
	judged := engram.Feedback{
		EventID: "needle-event", IDs: []string{"needle-id"}, Signal: engram.Useful, Reason: "needle-reason",
	}
	if _, err := s.Feedback(ctx, judged); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	erase(t, s, "needle-id")
	if n := needlesIn(t, dir); n == 0 {
		t.Error("no file has the memory before the compaction: the search finds nothing")
	}
	stats, err := s.Stats(ctx)
	if err != nil || stats.ErasedVersions != 1 || stats.ErasedBytes == 0 {
		t.Errorf("Stats = %+v, %v, want one erased version", stats, err)
	}
	report, err := s.Compact(ctx, engram.CompactOptions{})
	if err != nil || report.Dropped != 1 || len(report.Left) > 0 {
		t.Errorf("Compact = %+v, %v, want one version dropped", report, err)
	}
	if stats, err = s.Stats(ctx); err != nil || stats.ErasedVersions != 0 || stats.ErasedBytes != 0 {
		t.Errorf("Stats = %+v, %v, want nothing erased", stats, err)
	}
	if n := needlesIn(t, dir); n > 0 {
		t.Errorf("%d files still have a part of the memory", n)
	}
	old, err := s.Get(ctx, "old")
	if err != nil || old.SupersededBy != "(erased)" {
		t.Errorf("Get of the superseded memory = %+v, %v", old, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := needlesIn(t, dir); n > 0 {
		t.Errorf("%d files have a part of the memory after closing", n)
	}
}

func erase(t *testing.T, s *engram.Space, id string) {
	t.Helper()
	_, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{id}, Mode: engram.Erase})
	if err != nil {
		t.Fatalf("Forget(%s) = %v", id, err)
	}
}

// needlesIn counts the files under dir in which "needle" stands.
func needlesIn(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("needle")) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits until ok, for as long as a test may hang.
func eventually(t *testing.T, what string, ok func(engram.SpaceStats) bool, s *engram.Space) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ok(stats) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never happened: %+v", what, stats)
		}
	}
}

// TestSpacesAreCompactedByThemselves erases a little, which changes nothing, and then more than the share that counts.
func TestSpacesAreCompactedByThemselves(t *testing.T) {
	w := newWorld(t, engram.Options{Compaction: engram.BackgroundCompaction{ErasedShare: .5, Every: time.Millisecond}})
	s := w.def()
	for i := range 20 {
		remember(t, s, engram.Draft{ID: fmt.Sprint(i), Content: fmt.Sprint(i, strings.Repeat(" and more of it", 100))})
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	erase(t, s, "0")
	time.Sleep(20 * time.Millisecond) // long enough for one that should not be
	if stats, err := s.Stats(t.Context()); err != nil || stats.ErasedVersions != 1 || stats.Compaction.Runs != 0 {
		t.Errorf("Stats = %+v, %v, want one erased version left alone", stats, err)
	}
	for i := range 15 {
		if i > 0 {
			erase(t, s, fmt.Sprint(i))
		}
	}
	eventually(t, "a compaction", func(st engram.SpaceStats) bool {
		return st.Compaction.Runs > 0 && st.ErasedBytes < st.SegmentBytes/2
	}, s)
	if err := w.db.Ready(); err != nil {
		t.Errorf("Ready = %v", err)
	}
	want(t, "recall", recall(t, s, engram.Cue{Text: "17"}), []string{"17"})
}

// TestFailingCompactionsBackOff lets compactions in the background fail: readiness and Stats say so, the next one comes
// later, and works.
func TestFailingCompactionsBackOff(t *testing.T) {
	for name, failure := range map[string]func() error{
		"error": func() error { return syscall.EIO },
		"panic": func() error { panic("the disk driver has a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			fault := vfs.NewFault(mem)
			var broken atomic.Bool
			var tries atomic.Int32
			fault.Inject = func(op vfs.Op) error {
				if broken.Load() && op.Kind == vfs.OpCreate && strings.HasSuffix(op.Name, ".seg.tmp") {
					tries.Add(1)
					return failure()
				}
				return nil
			}
			clock := &clock{now: day(1)}
			o := engram.Options{
				Clock: clock.tell, Compaction: engram.BackgroundCompaction{ErasedShare: .1, Every: time.Millisecond},
			}
			db, err := o.On(fault).Open("/data")
			if err != nil {
				t.Fatal(err)
			}
			s, err := db.Space(engram.DefaultSpace)
			if err != nil {
				t.Fatal(err)
			}
			remember(t, s, engram.Draft{ID: "a", Content: strings.Repeat("one ", 200)})
			remember(t, s, engram.Draft{ID: "b", Content: "two"})
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			broken.Store(true)
			erase(t, s, "a")
			eventually(t, "a failure", func(st engram.SpaceStats) bool {
				return st.Compaction.Error != "" && st.Compaction.NextTry.Equal(day(1).Add(time.Minute))
			}, s)
			time.Sleep(20 * time.Millisecond) // long enough for tries that should not be
			if n := tries.Load(); n != 1 {
				t.Errorf("it was tried %d times before the next try was due", n)
			}
			if err := db.Ready(); err == nil || !strings.Contains(err.Error(), "compact in the background") {
				t.Errorf("Ready = %v, want the failure", err)
			}
			if st, err := s.Stats(t.Context()); err != nil || !slices.ContainsFunc(st.Problems, func(what string) bool {
				return strings.Contains(what, "compact in the background")
			}) {
				t.Errorf("Stats tell of %q, %v, want the failure", st.Problems, err)
			}
			if _, err := s.Get(t.Context(), "b"); err != nil {
				t.Errorf("Get = %v", err)
			}
			broken.Store(false)
			clock.set(day(1).Add(time.Hour))
			eventually(t, "a compaction", func(st engram.SpaceStats) bool {
				return st.Compaction.Runs == 1 && st.Compaction.Error == "" && st.ErasedVersions == 0
			}, s)
			if err := errors.Join(db.Ready(), db.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}
