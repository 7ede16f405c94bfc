//go:build faults

package engram_test

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/isolate"
)

// endings are the ways in which the goroutine at a point can fail.
var endings = map[string]func() error{
	"panic":  func() error { panic(errors.New("injected")) },
	"goexit": func() error { runtime.Goexit(); return nil },
	"error":  func() error { return errors.New("injected") },
}

// trap makes the first hit of a point fail.
func trap(point string, how func() error) (sprung *atomic.Bool, undo func()) {
	sprung = new(atomic.Bool)
	return sprung, isolate.OnPoint(func(name string) error {
		if name == point && sprung.CompareAndSwap(false, true) {
			return how()
		}
		return nil
	})
}

// TestOpeningFailsAlone lets the opening of a space fail in every way: the call that wanted it fails, the next one
// opens it, and Close waits for nobody.
func TestOpeningFailsAlone(t *testing.T) {
	for _, point := range []string{"store/open.state", "store/open.log", "wal/open"} {
		for kind, how := range endings {
			t.Run(point+" "+kind, func(t *testing.T) {
				w := newWorld(t, engram.Options{})
				remember(t, w.def(), engram.Draft{ID: "d", Content: "in the default space"})
				// It exists: what is written to a space that does not is tried in memory first.
				remember(t, w.space("other"), engram.Draft{ID: "y", Content: "zero"})
				w.reopen()
				sprung, undo := trap(point, how)
				defer undo()
				s := w.space("other")
				_, err := s.Remember(t.Context(), engram.Draft{ID: "x", Content: "one"})
				if err == nil || !sprung.Load() {
					t.Fatalf("Remember = %v, the point was reached: %v", err, sprung.Load())
				}
				if err := w.db.Ready(); err == nil || !strings.Contains(err.Error(), "other") {
					t.Errorf("Ready = %v, want it to name the space that did not open", err)
				}
				want(t, "the default space", recall(t, w.def(), engram.Cue{Text: "default"}), []string{"d"})
				remember(t, w.space("other"), engram.Draft{ID: "x", Content: "one"})
				if err := w.db.Ready(); err != nil {
					t.Errorf("Ready once it opened = %v", err)
				}
				w.reopen()
				want(t, "reopened", recall(t, w.space("other"), engram.Cue{Text: "one"}), []string{"x"})
			})
		}
	}
}

// TestIdleClosingFailsAlone lets closing a space that nobody uses fail: the process goes on, Ready says so, and the
// space opens again with all that it held.
func TestIdleClosingFailsAlone(t *testing.T) {
	for kind, how := range endings {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, engram.Options{IdleTimeout: 4 * time.Millisecond, Clock: time.Now})
			remember(t, w.space("other"), engram.Draft{ID: "x", Content: "one"})
			sprung, undo := trap("wal/close", how)
			defer undo()
			for !sprung.Load() {
				time.Sleep(time.Millisecond)
			}
			for w.db.Ready() == nil {
				time.Sleep(time.Millisecond)
			}
			want(t, "opened again", recall(t, w.space("other"), engram.Cue{Text: "one"}), []string{"x"})
			remember(t, w.space("other"), engram.Draft{ID: "y", Content: "two"})
			want(t, "whichever was closed", recall(t, w.def(), engram.Cue{Text: "one"}), []string{})
			if err := w.db.Ready(); err != nil {
				t.Errorf("Ready once it opened again = %v", err)
			}
		})
	}
}

// TestClosingToMakeRoomFailsAlone lets closing the space fail that makes room for another one: that one opens.
func TestClosingToMakeRoomFailsAlone(t *testing.T) {
	for kind, how := range endings {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, engram.Options{MaxOpenSpaces: 1})
			remember(t, w.space("third"), engram.Draft{ID: "z", Content: "zero"}) // which makes it, as above
			remember(t, w.space("other"), engram.Draft{ID: "x", Content: "one"})
			sprung, undo := trap("wal/close", how)
			defer undo()
			remember(t, w.space("third"), engram.Draft{ID: "y", Content: "two"})
			if !sprung.Load() {
				t.Fatal("nothing was closed")
			}
			undo()
			want(t, "the one that was closed", recall(t, w.space("other"), engram.Cue{Text: "one"}), []string{"x"})
			want(t, "the new one", recall(t, w.space("third"), engram.Cue{Text: "two"}), []string{"y"})
			w.reopen()
		})
	}
}

// TestExpiryFailsAlone lets the erasing of what has expired fail in every way: Stats and Ready say so, nothing is
// erased, everything serves, and the next try erases.
func TestExpiryFailsAlone(t *testing.T) {
	for kind, how := range endings {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, engram.Options{Compaction: engram.BackgroundCompaction{
				EraseExpired: time.Hour, Every: time.Millisecond,
			}})
			s := w.def()
			remember(t, s, engram.Draft{ID: "a", Content: "one", ExpiresAt: day(2)})
			remember(t, s, engram.Draft{ID: "b", Content: "two"})
			_, undo := trap("engram/expire", how)
			defer undo()
			w.clock.set(day(3))
			eventually(t, "a failure", func(st engram.SpaceStats) bool {
				return st.Compaction.Error != "" && st.Expired == 1
			}, s)
			if err := w.db.Ready(); err == nil || !strings.Contains(err.Error(), "compact in the background") {
				t.Errorf("Ready = %v, want the failure", err)
			}
			want(t, "recall", recall(t, s, engram.Cue{Text: "two"}), []string{"b"})
			w.clock.set(day(4))
			eventually(t, "the erasing", func(st engram.SpaceStats) bool {
				return st.Compaction.Error == "" && st.Expired == 0 && st.Memories == 1
			}, s)
			if err := w.db.Ready(); err != nil {
				t.Errorf("Ready = %v", err)
			}
		})
	}
}

// TestFirstWriteFailsAlone lets the opening fail that comes before the first write of a space, on which the write is
// tried in memory: that call fails and its caller goes on, Ready tells of it, and the next call makes the space.
func TestFirstWriteFailsAlone(t *testing.T) {
	for _, point := range []string{"store/open.state", "wal/open", "wal/close"} {
		for kind, how := range endings {
			t.Run(point+" "+kind, func(t *testing.T) {
				w := newWorld(t, engram.Options{})
				sprung, undo := trap(point, how)
				defer undo()
				_, err := w.space("new").Remember(t.Context(), engram.Draft{ID: "x", Content: "one"})
				failed := point != "wal/close"
				if (err != nil) != failed || (w.db.Ready() != nil) != failed || !sprung.Load() {
					t.Fatalf("Remember = %v, Ready = %v, the point was reached: %v", err, w.db.Ready(), sprung.Load())
				}
				undo()
				remember(t, w.space("new"), engram.Draft{ID: "x", Content: "one"})
				if err := w.db.Ready(); err != nil {
					t.Errorf("Ready once it opened = %v", err)
				}
				w.reopen()
				want(t, "reopened", recall(t, w.space("new"), engram.Cue{Text: "one"}), []string{"x"})
			})
		}
	}
}
