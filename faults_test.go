//go:build faults

package engram_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/isolate"
)

// TestCallsFailAlone lets each call of the API fail where it decides, in each way: the call fails, nothing of it is
// there, and the same call then works.
func TestCallsFailAlone(t *testing.T) {
	calls := map[string]func(s *engram.Space) error{
		"engram/remember": func(s *engram.Space) error {
			_, err := s.RememberBatch(t.Context(), []engram.Draft{{ID: "x", Content: "one"}, {Content: "two"}})
			return err
		},
		"engram/update": func(s *engram.Space) error {
			_, err := s.Update(t.Context(), "a", engram.Change{Content: new("changed")})
			return err
		},
		"engram/room": func(s *engram.Space) error {
			_, err := s.RememberBatch(t.Context(), []engram.Draft{{ID: "x", Content: "one"}, {Content: "two"}})
			return err
		},
		"engram/link": func(s *engram.Space) error {
			return s.Link(t.Context(), "a", engram.Link{To: "b"})
		},
		"engram/inherit": func(s *engram.Space) error {
			_, err := s.Update(t.Context(), "c", engram.Change{Content: new("changed"), Mode: engram.UpdateReplace})
			return err
		},
		"engram/feedback": func(s *engram.Space) error {
			_, err := s.Feedback(t.Context(), engram.Feedback{Useful: []string{"a"}, Wrong: []string{"b"}})
			return err
		},
		"engram/fit": func(s *engram.Space) error {
			_, err := s.Fit(t.Context(), engram.FitOptions{Remove: true})
			return err
		},
		"engram/import": func(s *engram.Space) error {
			_, err := s.Import(t.Context(), strings.NewReader(`{"id":"z","content":"three"}`), engram.ImportOptions{})
			return err
		},
		"engram/consolidate": func(s *engram.Space) error {
			_, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{})
			return err
		},
		"engram/consolidate.cited": func(s *engram.Space) error {
			_, err := s.Consolidate(t.Context(), engram.ConsolidateOptions{})
			return err
		},
		"engram/undo": func(s *engram.Space) error {
			for id := range conceptsIn(t, s) {
				_, err := s.UndoConsolidation(t.Context(), id)
				return err
			}
			return errors.New("there is no concept")
		},
	}
	injected := errors.New("injected")
	for point, call := range calls {
		for _, kind := range []string{"panic", "goexit", "error"} {
			o := engram.Options{}
			if point == "engram/room" {
				o.MaxMemories = 6 // as many as there are before the call
			}
			w := newWorld(t, o)
			remember(t, w.def(), engram.Draft{ID: "a", Content: "the harbour"})
			remember(t, w.def(), engram.Draft{ID: "b", Content: "the boat"})
			if point == "engram/inherit" {
				remember(t, w.def(), engram.Draft{
					ID: "c", Content: "the mast", Links: []engram.Link{{To: "a"}, {To: "b"}},
				})
			}
			for i := range 3 {
				remember(t, w.def(), engram.Draft{Content: "Bo lost " + strings.Repeat("his ", i) + "red kettle"})
			}
			consolidateIn(t, w.def(), engram.ConsolidateOptions{})
			restate(t, w.def(), 3, nil)
			before := state(t, w.def())
			undo := isolate.OnPoint(func(name string) error {
				switch {
				case name != point:
					return nil
				case kind == "panic":
					panic(injected)
				case kind == "goexit":
					runtime.Goexit()
				}
				return injected
			})
			var err error
			returned := false
			done := make(chan struct{})
			go func() {
				defer close(done)
				err = call(w.def())
				returned = true
			}()
			<-done
			undo()
			var panicked *engram.PanicError
			switch {
			case returned == (kind == "goexit"), returned && !errors.Is(err, injected):
				t.Errorf("%s, %s: returned %v, %v", point, kind, returned, err)
			case kind == "panic" && (!errors.As(err, &panicked) || panicked.Space != engram.DefaultSpace):
				t.Errorf("%s, %s = %v, want a *PanicError that names the space", point, kind, err)
			}
			if diff := cmp.Diff(before, state(t, w.def())); diff != "" {
				t.Errorf("%s, %s left something (-before +after):\n%s", point, kind, diff)
			}
			if err := call(w.def()); err != nil {
				t.Errorf("%s after %s: the same call = %v", point, kind, err)
			}
			after := state(t, w.def())
			w.reopen()
			if diff := cmp.Diff(after, state(t, w.def())); diff != "" {
				t.Errorf("%s, %s, reopened (-before +after):\n%s", point, kind, diff)
			}
		}
	}
}
