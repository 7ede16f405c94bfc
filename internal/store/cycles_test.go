package store_test

import (
	"math/rand/v2"
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// TestCyclesOfSealingAndReopening plays random histories, with failed writes in between, through many sealings and
// openings: what the space shows is always what the book says, and recall answers the same after an opening.
func TestCyclesOfSealingAndReopening(t *testing.T) {
	for seed := range uint64(seeds(t, 6)) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fsys := newFS(t)
		s := mustOpen(t, fsys)
		b := newBook()
		for step := range 60 {
			if rng.IntN(5) == 0 {
				failing := []action{b.random(rng), {kind: "no such"}}
				if err := write(s, failing); err == nil {
					t.Fatal("a failing write succeeded")
				}
			}
			b.do(t, s, b.random(rng))
			if rng.IntN(8) == 0 {
				mustSeal(t, s)
			}
			if rng.IntN(8) == 0 {
				recalls := recalled(s.View())
				mustCompact(t, s)
				b.holds(t, "compacted", s)
				verified(t, s)
				if diff := changed(recalls, recalled(s.View())); diff != "" {
					t.Errorf("recall behind a compaction: %s", diff)
				}
			}
			if rng.IntN(6) == 0 {
				recalls := recalled(s.View())
				mustMove(t, s, []store.MoveOptions{toCold, toWarm}[rng.IntN(2)])
				b.holds(t, "moved", s)
				verified(t, s)
				if diff := changed(recalls, recalled(s.View())); diff != "" {
					t.Errorf("recall behind a move: %s", diff)
				}
			}
			if rng.IntN(8) != 0 {
				continue
			}
			b.holds(t, "before closing", s)
			verified(t, s)
			before := recalled(s.View())
			mustClose(t, s)
			s = mustOpen(t, fsys)
			b.holds(t, "reopened", s)
			verified(t, s)
			if diff := changed(before, recalled(s.View())); diff != "" {
				t.Errorf("recall: %s", diff)
			}
			if t.Failed() {
				t.Fatalf("seed %d, step %d", seed, step)
			}
		}
		mustClose(t, s)
	}
}
