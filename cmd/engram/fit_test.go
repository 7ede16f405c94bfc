package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
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

// recalledStore is a directory with judgements of the hits of recalls: what was found by its neighbour alone was of
// use, what has the word of the question was not, and least what has no neighbour.
func recalledStore(t *testing.T, dir string) {
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
	var drafts []engram.Draft
	for topic := range 30 {
		drafts = append(drafts, engram.Draft{ID: fmt.Sprint("alone ", topic), Content: fmt.Sprintf("topic%dx", topic)})
		for i := range 4 {
			session := fmt.Sprint(topic, "-", i)
			drafts = append(
				drafts, engram.Draft{ID: "told " + session, Session: session, Content: fmt.Sprintf("topic%dx of %s", topic, session)},
				engram.Draft{ID: "beside " + session, Session: session, Content: "beside " + session},
			)
		}
	}
	if _, err := s.RememberBatch(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	useful := map[string]float64{"beside": .8, "told": .2, "alone": .02}
	for i := range 150 {
		now = now.Add(time.Minute)
		answer, err := s.Recall(t.Context(), engram.Cue{Text: fmt.Sprintf("topic%dx", i%30)})
		if err != nil {
			t.Fatal(err)
		}
		f := engram.Feedback{RecallID: answer.RecallID}
		for _, h := range answer.Hits {
			kind, _, _ := strings.Cut(h.ID, " ")
			if rng.Float64() < useful[kind] {
				f.Useful = append(f.Useful, h.ID)
			} else {
				f.Useless = append(f.Useless, h.ID)
			}
		}
		if _, err := s.Feedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFitOfTerms(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	recalledStore(t, c.dir)
	wantIn(t, "fit --dry-run", c.ok("fit", "--dry-run"), "terms: learnt from ", "  held-out log loss  to apply ",
		"better: without --dry-run scores would go by the coefficients", ", to apply 0.2500\n", "intercept",
		"no weights of forgetting: there are 0 judgements half a day or more after the last use")
	before := decoded[wire.Answer](c, "recall", "topic7x")
	wantIn(t, "fit", c.ok("fit"), "adopted: scores go by the coefficients from now on")
	after := decoded[wire.Answer](c, "recall", "topic7x")
	place := func(a wire.Answer, id string) int {
		return slices.IndexFunc(a.Hits, func(h wire.Hit) bool { return h.ID == id })
	}
	if was, is := place(before, "alone 7"), place(after, "alone 7"); was < 0 || is >= 0 && is <= was {
		t.Errorf("what was of no use was at %d and is at %d", was, is)
	}
	if r := decoded[engram.FitReport](c, "fit"); r.Terms.Better || r.Terms.CurrentLoss != r.Terms.AppliedLoss {
		t.Errorf("fit again = %+v", r.Terms)
	}
	wantIn(t, "fit --remove", c.ok("fit", "--remove"), "removed what was fitted")
	if again := decoded[wire.Answer](c, "recall", "topic7x"); math.Abs(again.Hits[0].Score-before.Hits[0].Score) > 1e-6 {
		t.Errorf("after removal the best score is %v, before fitting it was %v", again.Hits[0].Score, before.Hits[0].Score)
	}
}
