package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// flipped is a small space in which everything has happened, and what is right to say of it.
type flipped struct {
	o       engram.Options
	fs      *vfs.Mem
	right   map[string]engram.Memory
	history map[string][]engram.Memory
	absent  []string
	touched int // the most memories that one write of it touched
}

// buildFlipped begins such a space, with a memory in another one. finish takes down what is right to say of so many
// memories, m0, m1, …, and leaves the files as they are closed, or as a kill leaves them.
func buildFlipped(t *testing.T) (c *clock, s *engram.Space, finish func(memories int, closed bool) *flipped) {
	t.Helper()
	c = &clock{now: day(1)}
	fs := vfs.NewMem()
	f := &flipped{
		o: engram.Options{Clock: c.tell}, right: map[string]engram.Memory{}, history: map[string][]engram.Memory{},
		absent: []string{"gone1", "gone2", "never"},
	}
	db, err := f.o.On(fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = db.Space(engram.DefaultSpace); err != nil {
		t.Fatal(err)
	}
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	remember(t, other, engram.Draft{ID: "o", Content: "Another space."})
	return c, s, func(memories int, closed bool) *flipped {
		t.Helper()
		var wrong [2]error
		for i := range memories {
			id := fmt.Sprint("m", i)
			f.right[id], wrong[0] = s.Get(t.Context(), id)
			f.history[id], wrong[1] = s.History(t.Context(), id)
			if err := errors.Join(wrong[:]...); err != nil {
				t.Fatal(err)
			}
		}
		if !closed {
			f.fs = fs.CrashClone(1, vfs.KeepAll)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if closed {
			f.fs = fs.CrashClone(1, vfs.KeepAll)
		}
		return f
	}
}

// flippable builds the space: sealed rows, a log with records behind the sealing and before it, each kind of write.
func flippable(t *testing.T, sealed, closed bool) *flipped {
	t.Helper()
	c, s, finish := buildFlipped(t)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	note := func(i int) engram.Draft {
		return engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprintf("Note %d of the harbour, told by the pilot.", i), Session: "s",
			Source: fmt.Sprint("source", i%2), Embedding: []float32{1, 2, float32(i), 4, 5, 6, 7, 8},
		}
	}
	for i := range 6 {
		remember(t, s, note(i))
	}
	must(s.Update(t.Context(), "m0", engram.Change{Content: new("Note 0 was corrected."), Reason: "new"}))
	must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m1"}}))
	remember(t, s, engram.Draft{ID: "gone1", Content: "To be erased before the sealing."})
	must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"gone1"}, Mode: engram.Erase}))
	must(nil, s.Link(t.Context(), "m2", engram.Link{To: "m3"}))
	if sealed {
		must(nil, s.Seal(t.Context()))
	}
	c.set(day(2))
	for i := 6; i < 12; i++ {
		remember(t, s, note(i))
	}
	must(s.Update(t.Context(), "m2", engram.Change{Content: new("Note 2 was corrected."), Reason: "new"}))
	must(s.Update(t.Context(), "m7", engram.Change{Content: new("Note 7 was corrected."), Reason: "new"}))
	must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m8"}}))
	remember(t, s, engram.Draft{
		ID: "m12", Content: "Note 9 is out of date.", Supersedes: []string{"m9"}, IdempotencyKey: "k",
	})
	must(nil, s.Link(t.Context(), "m4", engram.Link{To: "m10"}))
	must(s.Feedback(t.Context(), engram.Feedback{EventID: "e", IDs: []string{"m5"}, Signal: engram.Useful}))
	remember(t, s, engram.Draft{ID: "gone2", Content: "To be erased."})
	must(s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"gone2"}, Mode: engram.Erase}))
	last := note(13)
	last.Source = "pilot"
	remember(t, s, last)
	must(s.Feedback(t.Context(), engram.Feedback{
		EventID: "f", IDs: []string{"m13"}, Signal: engram.Confirmed, Source: "me",
	}))
	f := finish(14, closed)
	f.touched = 2
	return f
}

// spots are the places of bytes that are not zero, which most that nobody uses are, in the files of the space.
func (f *flipped) spots(t *testing.T) (spots []flip) {
	t.Helper()
	for path, content := range tree(t, f.fs, dataSpace) {
		for at := range len(content) {
			if content[at] != 0 {
				spots = append(spots, flip{path: path, at: at})
			}
		}
	}
	slices.SortFunc(spots, func(a, b flip) int {
		if c := strings.Compare(a.path, b.path); c != 0 {
			return c
		}
		return a.at - b.at
	})
	return spots
}

type flip struct {
	path string
	at   int
	bit  int
}

// The outcomes of a flip.
const (
	allRight      = "all right"
	someRefused   = "refused what was touched"
	moreRefused   = "refused more"
	spaceRefused  = "whole space refused"
	othersRefused = "other spaces refused"
)

// try opens the directory with one bit flipped, and compares everything with what is right.
func (f *flipped) try(t *testing.T, at flip) (outcome string) {
	t.Helper()
	fs := f.fs.CrashClone(1, vfs.KeepAll)
	edit(t, fs, at.path, func(b []byte) { b[at.at] ^= 1 << at.bit })
	db, err := f.o.On(fs).Open("/data")
	if err != nil {
		return othersRefused
	}
	defer db.Close() //nolint:errcheck // it may be damaged
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := other.Get(t.Context(), "o"); err != nil || m.Content != "Another space." {
		return othersRefused
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	refused := f.refused(t, s)
	f.found(t, s)
	switch n := len(refused); {
	case n == 0:
		return allRight
	case n <= f.touched:
		return someRefused
	case n < len(f.right)+len(f.absent):
		return moreRefused
	}
	return spaceRefused
}

// refused reads every memory by its id: it is right, or refused as damaged.
func (f *flipped) refused(t *testing.T, s *engram.Space) map[string]bool {
	t.Helper()
	refused := map[string]bool{} // true: not only an older version
	for id, err := range f.reads(t, s) {
		if err == nil {
			continue
		}
		if corrupt, ok := errors.AsType[*engram.CorruptError](err); !ok || corrupt.Path == "" {
			t.Errorf("Get(%s) = %v, want what is right, or damage by its file", id, err)
		}
		_, err = s.Get(t.Context(), id)
		refused[id] = err != nil
	}
	for id, want := range f.right {
		got, err := s.Get(t.Context(), id)
		if err != nil {
			continue // as above
		}
		// An association with a memory that is refused is not told of.
		want.Links = slices.DeleteFunc(slices.Clone(want.Links), func(l engram.Association) bool {
			return refused[l.To] && !slices.Contains(got.Links, l)
		})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Get(%s) is wrong (-want +got):\n%s", id, diff)
		}
	}
	return refused
}

// reads gives how reading of each id ended: by Get and by History, which is compared but for the last version.
func (f *flipped) reads(t *testing.T, s *engram.Space) map[string]error {
	t.Helper()
	out := map[string]error{}
	for id, want := range f.history {
		_, err := s.Get(t.Context(), id)
		if err == nil {
			var got []engram.Memory
			if got, err = s.History(t.Context(), id); err == nil {
				if diff := cmp.Diff(want[:len(want)-1], got[:len(got)-1]); diff != "" {
					t.Errorf("History(%s) is wrong (-want +got):\n%s", id, diff)
				}
			}
		}
		out[id] = err
	}
	for _, id := range f.absent {
		switch m, err := s.Get(t.Context(), id); {
		case err == nil:
			t.Errorf("Get(%s), which is not there, = %+v", id, m)
		case !errors.Is(err, engram.ErrNotFound):
			out[id] = err
		}
	}
	return out
}

// found recalls: every hit is right.
func (f *flipped) found(t *testing.T, s *engram.Space) {
	t.Helper()
	for _, cue := range []engram.Cue{
		{Text: "harbour note corrected", Limit: 50}, {Embedding: []float32{1, 2, 3, 4, 5, 6, 7, 8}, Limit: 50},
	} {
		answer, err := s.Recall(t.Context(), cue)
		if err != nil && !errors.Is(err, engram.ErrCorrupt) {
			t.Errorf("Recall = %v", err)
		}
		for _, h := range answer.Hits {
			want := f.right[h.ID]
			if h.Content != want.Content || h.Version != want.Version || !want.ArchivedAt.IsZero() ||
				want.SupersededBy != "" {
				t.Errorf("Recall gives %s, version %d: %q, want %d: %q",
					h.ID, h.Version, h.Content, want.Version, want.Content)
			}
		}
	}
}

// TestAnyFlip flips one bit anywhere in a space, closed or killed. Nothing that is read then is wrong, nothing is said
// not to be there for being damaged, no other space suffers, and no more is refused than what the damaged record was
// of.
func TestAnyFlip(t *testing.T) {
	seed, flips := uint64(envInt("ENGRAM_FLIP_SEED", 4)), envInt("ENGRAM_FLIPS", 150) // scripts/long.sh sets them
	for _, sealed := range []bool{false, true} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("sealed=%v,closed=%v", sealed, closed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 1))
				f := flippable(t, sealed, closed)
				spots := f.spots(t)
				outcomes := map[string]int{}
				for range flips {
					at := spots[rng.IntN(len(spots))]
					at.bit = rng.IntN(8)
					outcome := f.try(t, at)
					outcomes[outcome]++
					outcomes[filepath.Base(at.path)+": "+outcome]++
					if t.Failed() {
						t.Fatalf("seed %d: bit %d of %s at %d", seed, at.bit, at.path, at.at)
					}
				}
				var lines bytes.Buffer
				for _, what := range slices.Sorted(maps.Keys(outcomes)) {
					fmt.Fprintf(&lines, "\n%4d %s", outcomes[what], what)
				}
				t.Logf("seed %d, %d flips:%s", seed, flips, lines.String())
				if n := outcomes[othersRefused] + outcomes[spaceRefused]; n > 0 {
					t.Errorf("seed %d: %d flips refuse the whole space, or others", seed, n)
				}
				if n := outcomes[moreRefused]; n > 0 {
					t.Errorf("seed %d: %d flips refuse more than what one write touched", seed, n)
				}
			})
		}
	}
}
