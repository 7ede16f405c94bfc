package engram_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

func TestSpaceNames(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for _, name := range []string{"default", "a", ".", "..", "con", "a.b-c_9", strings.Repeat("x", 64)} {
		s := w.space(name)
		remember(t, s, engram.Draft{ID: "m", Content: "In " + name})
	}
	for _, name := range []string{"", "A", "a/b", "ä", "a b", strings.Repeat("x", 65), "a\x00"} {
		_, err := w.db.Space(name)
		if !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Space(%q) = %v, want invalid", name, err)
		}
	}
	names, err := w.db.Spaces(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "names", names, []string{".", "..", "a", "a.b-c_9", "con", "default", strings.Repeat("x", 64)})
}

func TestSpacesAreIsolated(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.space("one"), engram.Draft{ID: "m", Content: "A secret about apples."})
	remember(t, w.space("two"), engram.Draft{ID: "n", Content: "Nothing here."})
	want(t, "two", recall(t, w.space("two"), engram.Cue{Text: "apples"}), []string{})
	if _, err := w.space("two").Get(t.Context(), "m"); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Get from another space = %v", err)
	}
}

func TestReadingASpaceThatDoesNotExist(t *testing.T) {
	w := newWorld(t, engram.Options{})
	_, err := w.space("tpyo").Recall(t.Context(), engram.Cue{Text: "x"})
	if !errors.Is(err, engram.ErrNotFound) || !strings.Contains(err.Error(), "tpyo") {
		t.Errorf("Recall = %v, want not found that names the space", err)
	}
	names, _ := w.db.Spaces(t.Context())
	want(t, "reading made no space", names, []string{"default"})
	want(t, "default exists", recall(t, w.def(), engram.Cue{Text: "x"}), []string{})
}

// TestManySpaces opens far more spaces than are kept open. ENGRAM_SPACES=10000 is the long form.
func TestManySpaces(t *testing.T) {
	n := envInt("ENGRAM_SPACES", 300)
	w := newWorld(t, engram.Options{MaxOpenSpaces: 16})
	for i := range n {
		remember(t, w.space(fmt.Sprintf("tenant-%d", i)), engram.Draft{
			ID: "m", Content: fmt.Sprintf("I am number%d.", i),
		})
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := g; i < n; i += 4 {
				s, err := w.db.Space(fmt.Sprintf("tenant-%d", (i*7919)%n))
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := s.Recall(context.Background(), engram.Cue{Text: fmt.Sprintf("number%d", (i*7919)%n)})
				if err != nil || len(answer.Hits) != 1 {
					t.Errorf("Recall in %s = %+v, %v", s.Name(), answer, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestOpenFilesAreBounded counts descriptors on a real file system.
func TestOpenFilesAreBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("descriptors are counted through /proc")
	}
	db, err := engram.Options{MaxOpenSpaces: 8}.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for round := range 2 {
		for i := range 60 {
			s, _ := db.Space(fmt.Sprintf("s%d", i))
			remember(t, s, engram.Draft{Content: fmt.Sprint("x", round)})
			if i%2 == 0 { // a cold segment is an open file, for as long as its space is open
				if _, err := s.Compact(t.Context(), engram.CompactOptions{Tier: engram.TierCold}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if after := count(); after > before+50 {
			t.Errorf("%d descriptors are open after using 60 spaces with 8 kept open, %d before", after, before)
		}
	}
}

func TestIdleSpacesAreClosed(t *testing.T) {
	w := newWorld(t, engram.Options{IdleTimeout: time.Millisecond * 4})
	s := w.space("idle")
	remember(t, s, engram.Draft{ID: "m", Content: "Still burning."})
	deadline := time.Now().Add(10 * time.Second)
	for w.db.OpenSpaces() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("an unused space stays open")
		}
		w.clock.set(w.clock.tell().Add(time.Hour)) // between any two looks of the janitor
		time.Sleep(time.Millisecond)
	}
	want(t, "opened again", recall(t, s, engram.Cue{Text: "burning"}), []string{"m"})
}

func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engram.Open(dir)
	locked, ok := errors.AsType[*engram.LockedError](err)
	if !ok || locked.PID != os.Getpid() || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open = %v, want a LockedError that names process %d", err, os.Getpid())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = engram.Open(dir)
	if err != nil {
		t.Fatalf("Open after Close = %v", err)
	}
	defer db.Close()
	if _, err := os.Stat(filepath.Join(dir, "LOCK")); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	fs := vfs.NewMem()
	db, err := engram.Options{}.On(fs).Open("/d")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Space("default")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close = %v", err)
	}
	if _, err := s.Remember(t.Context(), engram.Draft{Content: "x"}); !errors.Is(err, engram.ErrClosed) {
		t.Errorf("Remember = %v, want closed", err)
	}
	if err := db.Ready(); !errors.Is(err, engram.ErrClosed) {
		t.Errorf("Ready = %v, want closed", err)
	}
	for _, err := range s.Events(t.Context()) {
		if !errors.Is(err, engram.ErrClosed) {
			t.Errorf("Events yields %v, want closed", err)
		}
	}
}

// TestCallsDoNotKeepADirectoryOpen: Close waits for the calls that had begun, and for no later one, however many there
// are. A call that is made by what a call in progress runs is a later one, too.
func TestCallsDoNotKeepADirectoryOpen(t *testing.T) {
	db, err := engram.Options{}.On(vfs.NewMem()).Open("/d")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := db.Space("default")
	remember(t, s, engram.Draft{ID: "a", Content: "One."})
	began, goOn := make(chan struct{}), make(chan struct{})
	recalled, closed := make(chan error, 1), make(chan error, 1)
	var inner error
	go func() {
		_, err := s.Recall(t.Context(), engram.Cue{Where: func(*engram.Memory) bool {
			close(began)
			<-goOn
			_, inner = s.Get(t.Context(), "a")
			return true
		}})
		recalled <- err
	}()
	<-began
	go func() { closed <- db.Close() }()
	err = nil
	for range 2_000_000 {
		if _, err = s.Get(t.Context(), "a"); err != nil {
			break
		}
	}
	if !errors.Is(err, engram.ErrClosed) {
		t.Errorf("a call behind Close = %v, want closed", err)
	}
	select {
	case err := <-closed:
		t.Errorf("Close = %v beside a call in progress", err)
	default:
	}
	close(goOn)
	if err := <-recalled; err != nil {
		t.Errorf("the call in progress = %v", err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close = %v", err)
	}
	if !errors.Is(inner, engram.ErrClosed) {
		t.Errorf("a call from within the one in progress = %v, want closed", inner)
	}
}

// TestFreshDirectorySurvivesAPowerCut cuts the power right after the first write, where the file system keeps nothing
// that was not synced: the names of the directories that Open made neither.
func TestFreshDirectorySurvivesAPowerCut(t *testing.T) {
	for _, dir := range []string{"/d", "/new/newer/d"} {
		fs := vfs.NewMem()
		db, err := engram.Options{}.On(fs).Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, _ := db.Space("default")
		remember(t, s, engram.Draft{ID: "a", Content: "One."})
		left, err := engram.Options{}.On(fs.CrashClone(1, vfs.LoseAll)).Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		s, _ = left.Space("default")
		if _, err := s.Get(t.Context(), "a"); err != nil {
			t.Errorf("%s: Get after the power cut = %v", dir, err)
		}
		if err := errors.Join(db.Close(), left.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := s.Events(ctx)
	remember(t, s, engram.Draft{ID: "a", Content: "One."})
	remember(t, w.space("other"), engram.Draft{ID: "z", Content: "Elsewhere."})
	remember(t, s, engram.Draft{ID: "b", Content: "Two.", Links: []engram.Link{{To: "a"}}, Supersedes: []string{"a"}})
	if _, err := s.Update(t.Context(), "b", engram.Change{Pin: new(true), Reason: "keep"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"b"}, Reason: "tidy"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Restore(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"b"}, Mode: engram.Erase}); err != nil {
		t.Fatal(err)
	}
	var got []string
	last := uint64(0)
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if e.Position < last || e.Space != "default" {
			t.Errorf("event %+v after position %d", e, last)
		}
		last = e.Position
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Kind, e.ID, e.Other, e.Reason)))
		if e.Kind == engram.EventErased {
			cancel()
		}
	}
	want(t, "events", got, []string{
		"created a", "created b", "linked b a", "superseded a b", "updated b  keep", "archived b  tidy", "restored b",
		"erased b",
	})
}

func TestSlowListenerIsToldWhatItMissed(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := s.Events(ctx)
	for i := range 1500 {
		remember(t, s, engram.Draft{ID: fmt.Sprint(i), Content: "x"})
	}
	got := 0
	for _, err := range events {
		if err != nil {
			if !errors.Is(err, engram.ErrEventsLost) || !strings.Contains(err.Error(), "476") {
				t.Errorf("error = %v, want 476 events lost", err)
			}
			cancel()
			continue
		}
		got++
	}
	want(t, "events", got, 1024)
}

// TestWhatStoresNothingMakesNoSpace: a write that is refused, or has nothing to store, leaves no space behind, and one
// that stores something afterwards is none the worse for it.
func TestWhatStoresNothingMakesNoSpace(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.space("ghost")
	ctx := t.Context()
	nobody := engram.Draft{Content: "x", Links: []engram.Link{{To: "nobody"}}}
	for name, run := range map[string]func() error{
		"remember": func() error { _, err := s.Remember(ctx, nobody); return err },
		"batch":    func() error { _, err := s.RememberBatch(ctx, []engram.Draft{{Content: "y"}, nobody}); return err },
		"import of nothing": func() error {
			r, err := s.Import(ctx, strings.NewReader("\n"), engram.ImportOptions{})
			if err == nil && r.Lines == 0 {
				err = engram.ErrNotFound
			}
			return err
		},
		"import of bad lines": func() error {
			r, err := s.Import(ctx, strings.NewReader("{}\n{\"content\":\"x\",\"supersedes\":[\"nobody\"]}\n"),
				engram.ImportOptions{})
			if err == nil && r.BadCount == 2 && r.Created == 0 {
				err = engram.ErrNotFound
			}
			return err
		},
	} {
		if err := run(); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("%s = %v", name, err)
		}
		names, err := w.db.Spaces(ctx)
		if err != nil || !slices.Equal(names, []string{engram.DefaultSpace}) {
			t.Errorf("after %s there are the spaces %q, %v", name, names, err)
		}
		if _, err := s.Stats(ctx); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("after %s Stats = %v", name, err)
		}
	}
	r, err := s.Import(ctx, strings.NewReader(`{"content":"one","supersedes":["nobody"]}
{"id":"a","content":"two","links":[{"to":"b"}],"idempotency_key":"k"}
{}
{"id":"b","content":"three"}`), engram.ImportOptions{})
	if err != nil || r.Created != 2 || r.BadCount != 2 || r.Lines != 4 {
		t.Errorf("Import = %+v, %v", r, err)
	}
	if m, err := s.Get(ctx, "a"); err != nil || len(m.Links) != 1 {
		t.Errorf("Get = %+v, %v", m, err)
	}
	out, err := w.space("new").RememberBatch(ctx, []engram.Draft{
		{Content: "one"}, {Content: "one"}, {ID: "c", Content: "two"},
	})
	if err != nil || out[0].Result != engram.Created || out[1].Result != engram.Reinforced || out[1].ID != out[0].ID {
		t.Errorf("RememberBatch = %+v, %v", out, err)
	}
	if st, err := w.space("new").Stats(ctx); err != nil || st.Memories != 2 || st.Position != 1 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
}
