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

// past is a store that is told things at times of its own, before the command comes to it.
type past struct {
	t     *testing.T
	now   time.Time
	rng   *rand.Rand
	space *engram.Space
}

// newPast stores drafts in a directory, which stays open until the test has done more in this past.
func newPast(t *testing.T, dir string, seed uint64, drafts []engram.Draft, more func(p *past)) {
	t.Helper()
	p := &past{t: t, now: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), rng: rand.New(rand.NewPCG(seed, 1))}
	db, err := engram.Options{Clock: func() time.Time { return p.now }}.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // of a test
	if p.space, err = db.Space(engram.DefaultSpace); err != nil {
		t.Fatal(err)
	}
	if _, err := p.space.RememberBatch(t.Context(), drafts); err != nil {
		t.Fatal(err)
	}
	more(p)
}

// judge says of each memory that it was useful with the probability that useful gives, and else that it was useless.
func (p *past) judge(f engram.Feedback, ids []string, useful func(id string) float64) {
	p.t.Helper()
	for _, id := range ids {
		if p.rng.Float64() < useful(id) {
			f.Useful = append(f.Useful, id)
		} else {
			f.Useless = append(f.Useless, id)
		}
	}
	if _, err := p.space.Feedback(p.t.Context(), f); err != nil {
		p.t.Fatal(err)
	}
}

// judgedStore is a directory with twelve judgements of each of 150 memories, which are forgotten faster than usual.
func judgedStore(t *testing.T, dir string) {
	t.Helper()
	drafts, ids := make([]engram.Draft, 150), make([]string, 150)
	for i := range drafts {
		ids[i] = fmt.Sprint("m", i)
		drafts[i] = engram.Draft{ID: ids[i], Content: fmt.Sprint("fact ", i)}
	}
	newPast(t, dir, 7, drafts, func(p *past) {
		for round := range 12 {
			p.now = p.now.Add(time.Duration(round+1) * 24 * time.Hour)
			p.judge(engram.Feedback{}, ids, func(string) float64 { return .35 + .3*math.Exp(-float64(round)) })
		}
	})
}

func TestFit(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	judgedStore(t, c.dir)
	wantIn(t, "fit --dry-run", c.ok("fit", "--dry-run"), "learnt from 1440 judgements, measured on 360",
		"held-out log loss", "better: without --dry-run",
		"no coefficients: there are 0 judgements of a recall's hits, at least 1000 are needed")
	wantIn(t, "fit", c.ok("fit"), "adopted: the space goes by the fitted weights from now on")
	r := decoded[engram.FitReport](c, "fit")
	if r.Better || r.Adopted || r.Forgetting.CurrentLoss != r.Forgetting.FittedLoss {
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
	var drafts []engram.Draft
	for topic := range 30 {
		drafts = append(drafts, engram.Draft{ID: fmt.Sprint("alone ", topic), Content: fmt.Sprintf("topic%dx", topic)})
		for i := range 4 {
			session := fmt.Sprint(topic, "-", i)
			said := fmt.Sprintf("topic%dx of %s", topic, session)
			drafts = append(
				drafts, engram.Draft{ID: "told " + session, Session: session, Content: said},
				engram.Draft{ID: "beside " + session, Session: session, Content: "beside " + session},
			)
		}
	}
	useful := map[string]float64{"beside": .8, "told": .2, "alone": .02}
	newPast(t, dir, 3, drafts, func(p *past) {
		for i := range 150 {
			p.now = p.now.Add(time.Minute)
			answer, err := p.space.Recall(t.Context(), engram.Cue{Text: fmt.Sprintf("topic%dx", i%30)})
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, h := range answer.Hits {
				ids = append(ids, h.ID)
			}
			p.judge(engram.Feedback{RecallID: answer.RecallID}, ids, func(id string) float64 {
				kind, _, _ := strings.Cut(id, " ")
				return useful[kind]
			})
		}
	})
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
	again := decoded[wire.Answer](c, "recall", "topic7x")
	if math.Abs(again.Hits[0].Score-before.Hits[0].Score) > 1e-6 {
		t.Errorf("after removal the best score is %v, before fitting it was %v",
			again.Hits[0].Score, before.Hits[0].Score)
	}
}
