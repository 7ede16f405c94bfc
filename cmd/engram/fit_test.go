package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// judgedStore is a directory with twelve judgements of each of 150 memories, which are forgotten faster than usual.
func judgedStore(t *testing.T, dir string) {
	t.Helper()
	now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	db, err := engram.Options{Clock: func() time.Time { return now }}.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // of a test
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	drafts := make([]engram.Draft, 150)
	for i := range drafts {
		drafts[i] = engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint("fact ", i)}
	}
	if _, err := s.RememberBatch(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 1))
	for round := range 12 {
		now = now.Add(time.Duration(round+1) * 24 * time.Hour)
		var f engram.Feedback
		for _, d := range drafts {
			if rng.Float64() < .35+.3*math.Exp(-float64(round)) {
				f.Useful = append(f.Useful, d.ID)
			} else {
				f.Useless = append(f.Useless, d.ID)
			}
		}
		if _, err := s.Feedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFit(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	judgedStore(t, c.dir)
	wantIn(t, "fit --dry-run", c.ok("fit", "--dry-run"), "learnt from 1440 judgements, measured on 360", "held-out log loss",
		"better: without --dry-run", "no coefficients: there are 0 judgements of a recall's hits, at least 1000 are needed")
	wantIn(t, "fit", c.ok("fit"), "adopted: the space goes by the fitted weights from now on")
	if r := decoded[engram.FitReport](c, "fit"); r.Better || r.Adopted || r.Forgetting.CurrentLoss != r.Forgetting.FittedLoss {
		t.Errorf("fit again = %+v", r)
	}
	wantIn(t, "fit --remove", c.ok("fit", "--remove"), "removed what was fitted")
	wantIn(t, "fit --remove", c.ok("fit", "--remove"), "there was nothing fitted")
	c.fails(2, "fit", "everything")
}
