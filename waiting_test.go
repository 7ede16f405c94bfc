package engram_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// gate holds up whoever comes while it is shut, until the test, which is told of each, lets him go.
type gate struct {
	shut    atomic.Bool
	arrived chan chan struct{} // each to be closed
}

func newGate() *gate { return &gate{arrived: make(chan chan struct{})} }

func (g *gate) pass() {
	if g.shut.Load() {
		leave := make(chan struct{})
		g.arrived <- leave
		<-leave
	}
}

// gatedRand is randomness behind a gate: a writer asks for it, for an id, while it holds its space's lock.
type gatedRand struct{ *gate }

func (r gatedRand) Read(p []byte) (int, error) {
	r.pass()
	return rand.Read(p)
}

// gatedFS lets the reading of directories wait that have the word in their name.
type gatedFS struct {
	vfs.FS
	*gate
	word string
}

func (f gatedFS) ReadDir(dir string) ([]string, error) {
	if strings.Contains(dir, f.word) {
		f.pass()
	}
	return f.FS.ReadDir(dir)
}

// meanwhile runs fn, and says so if it does not return while others are held up.
func meanwhile(t *testing.T, what string, fn func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("%s = %v", what, err)
		}
	case <-time.After(time.Minute): // not a bound on its time: else it waits for ever
		t.Errorf("%s waits", what)
	}
}

// TestNobodyWaitsForAWriter holds a writer up where it has its space's lock: readers of that space and of others,
// whoever asks for statistics and whether all is ready, and writers of other spaces go on.
func TestNobodyWaitsForAWriter(t *testing.T) {
	g := newGate()
	w := newWorld(t, engram.Options{Rand: gatedRand{g}})
	for _, name := range []string{"a", "b"} {
		remember(t, w.space(name), engram.Draft{ID: "m", Content: "Tea at four."})
	}
	g.shut.Store(true)
	written := make(chan error, 1)
	go func() {
		_, err := w.space("a").RememberBatch(t.Context(), unnamedDrafts(100)) // more ids than are read ahead
		written <- err
	}()
	leave := <-g.arrived
	meanwhile(t, "Ready", w.db.Ready)
	for _, name := range []string{"a", "b"} {
		meanwhile(t, "Get in "+name, func() error {
			_, err := w.space(name).Get(t.Context(), "m")
			return err
		})
		meanwhile(t, "Stats of "+name, func() error {
			_, err := w.space(name).Stats(t.Context())
			return err
		})
	}
	meanwhile(t, "Remember in b", func() error {
		_, err := w.space("b").Remember(t.Context(), engram.Draft{ID: "n", Content: "Cake at five."})
		return err
	})
	g.shut.Store(false)
	close(leave)
	if err := <-written; err != nil {
		t.Errorf("RememberBatch = %v", err)
	}
}

func unnamedDrafts(n int) []engram.Draft {
	drafts := make([]engram.Draft, n)
	for i := range drafts {
		drafts[i].Content = "Remark " + strings.Repeat("x", i+1)
	}
	return drafts
}

// TestNobodyWaitsForAnotherSpace holds up whoever looks whether a space exists, whoever opens one and whoever restores
// one: calls of other spaces go on.
func TestNobodyWaitsForAnotherSpace(t *testing.T) {
	g := newGate()
	w := &world{t: t, fs: vfs.NewMem(), clock: &clock{now: day(1)}}
	w.o.Clock = w.clock.tell
	db, err := w.o.On(gatedFS{w.fs, g, "slow"}).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	w.db = db
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}()
	for _, name := range []string{"a", "b"} {
		remember(t, w.space(name), engram.Draft{ID: "m", Content: "Tea at four."})
	}
	var stream strings.Builder
	if _, err := db.Backup(t.Context(), &stream, engram.BackupOptions{Spaces: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	for what, call := range map[string]func() error{
		"looking": func() error {
			_, err := w.space("slow-1").Recall(t.Context(), engram.Cue{Text: "tea"})
			if errors.Is(err, engram.ErrNotFound) {
				return nil
			}
			return err
		},
		"opening": func() error {
			_, err := w.space("slow-2").Remember(t.Context(), engram.Draft{Content: "x"})
			return err
		},
		"restoring": func() error {
			_, err := db.Restore(t.Context(), strings.NewReader(stream.String()), engram.RestoreOptions{
				As: "slow-3", Spaces: []string{"a"},
			})
			return err
		},
	} {
		g.shut.Store(true)
		held := make(chan error, 1)
		go func() { held <- call() }()
		looked := 0
		for going := true; going; {
			select {
			case leave := <-g.arrived:
				looked++
				others(t, w, what)
				close(leave)
			case err := <-held:
				going = false
				if err != nil || looked == 0 {
					t.Errorf("%s = %v after looking into %d directories", what, err, looked)
				}
			}
		}
		g.shut.Store(false)
	}
}

// others does what must not wait.
func others(t *testing.T, w *world, what string) {
	t.Helper()
	meanwhile(t, what+": Get", func() error {
		_, err := w.space("b").Get(t.Context(), "m")
		return err
	})
	meanwhile(t, what+": a space that does not exist", func() error {
		if _, err := w.space("nobody").Get(t.Context(), "m"); !errors.Is(err, engram.ErrNotFound) {
			return err
		}
		return nil
	})
	meanwhile(t, what+": Ready", w.db.Ready)
}
