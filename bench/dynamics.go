package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/orchard9/engram-go"
)

const (
	dynamicsStates   = 50_000 // memories of which something is said
	dynamicsAsked    = 20_000 // memories that are asked
	dynamicsClusters = 300    // of three restatements each, beside them
	stateTarget      = 64     // bytes
)

// dynamics measures what the dynamics of memories cost: what is held of a memory's uses, and how long a recall takes
// beside feedback and beside consolidation.
func dynamics(s *session) error {
	settings(s,
		fmt.Sprintf("held: live heap (HeapAlloc) after two collections, of %s memories of 60 bytes, all sealed, less "+
			"the same before "+
			"anything was said of them; what is kept to be fitted to, one record for each judgement, is in it",
			thousands(float64(s.size(dynamicsStates, 2000)))),
		fmt.Sprintf("recall: one caller, four words of a memory, over %s texts of %d bytes and %d clusters of three "+
			"restatements, default options; beside nothing, beside a caller that says without pause what five "+
			"memories were worth, each time synced, and beside passes of consolidation, which find all clusters, "+
			"write them, and are undone",
			thousands(float64(s.size(dynamicsAsked, 1000))),
			largeText, s.size(dynamicsClusters, 20)),
		"rounds take turns; percentiles are of all recalls of all rounds")
	if err := stateBytes(s); err != nil {
		return err
	}
	return besides(s)
}

// telling is one thing that is said of every memory.
type telling struct {
	name string
	tell func(s *session, space *engram.Space, ids []string, texts []string) error
}

func tellings() []telling {
	feedback := func(f engram.Feedback) func(*session, *engram.Space, []string, []string) error {
		return func(s *session, space *engram.Space, ids, _ []string) error {
			f.IDs = ids
			return tellAll(s, space, []engram.Feedback{f})
		}
	}
	return []telling{
		{"told again by its own source: a state, and no judgement", func(s *session, space *engram.Space, ids,
			texts []string,
		) error {
			return rememberNamed(s, space, ids, texts, "a")
		}},
		{"of use once", feedback(engram.Feedback{Signal: engram.Useful})},
		{"told again by another source", func(s *session, space *engram.Space, ids, texts []string) error {
			return rememberNamed(s, space, ids, texts, "b")
		}},
	}
}

// rememberNamed stores texts under ids.
func rememberNamed(s *session, space *engram.Space, ids, texts []string, source string) error {
	for first := 0; first < len(ids); first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, len(ids)); i++ {
			drafts = append(drafts, engram.Draft{ID: ids[i], Content: texts[i], Source: source})
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
	}
	return nil
}

// stateBytes measures what is held of what was said.
func stateBytes(s *session) error {
	count := s.size(dynamicsStates, 2000)
	words := newCorpus(s.seed)
	texts := words.pool(count, 60)
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf("m%06d", i)
	}
	t := newTable("said of each memory", "bytes held each")
	first := 0.0
	for i, one := range tellings() {
		each, err := heldBy(s, filepath.Join(s.dir, fmt.Sprint("held-", i)), ids, texts, one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		if i == 0 {
			first = each
		}
		t.row(one.name, fmt.Sprintf("%.0f", each))
	}
	t.print(s.out)
	verdict(s, fmt.Sprintf("the state of a memory at most %d bytes (here %.0f with all that holds it)", stateTarget,
		first), first <= stateTarget)
	runtime.KeepAlive(words)
	return nil
}

func heldBy(s *session, dir string, ids, texts []string, one telling) (each float64, err error) {
	db, err := engram.Open(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return 0, err
	}
	if err := rememberNamed(s, space, ids, texts, "a"); err != nil {
		return 0, err
	}
	if err := sealAll(s.ctx, space); err != nil {
		return 0, err
	}
	settle()
	before, _ := liveHeap()
	if err := one.tell(s, space, ids, texts); err != nil {
		return 0, err
	}
	if err := sealAll(s.ctx, space); err != nil {
		return 0, err
	}
	settle()
	after, _ := liveHeap()
	return (float64(after) - float64(before)) / float64(len(ids)), nil
}

// company is what goes on beside recalls.
type company struct {
	name string
	work func(ctx context.Context, space *engram.Space, r *rand.Rand) error // one piece of work
	done int
	took histogram
}

// besides measures recalls beside other work.
func besides(s *session) (err error) {
	db, err := engram.Open(filepath.Join(s.dir, "beside"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return err
	}
	count := s.size(dynamicsAsked, 1000)
	words := newCorpus(s.seed)
	if err := rememberLarge(s, space, words, count); err != nil {
		return err
	}
	if err := rememberClusters(s, space, s.size(dynamicsClusters, 20)); err != nil {
		return err
	}
	all := companies(count)
	rounds := s.turns(3)
	slot := time.Duration(s.size(4_000, 40)) * time.Millisecond
	err = rotate(s, rounds, len(all), func(round, i int) error {
		return recallBeside(s, space, words, count, all[i], uint64(round), slot)
	})
	if err != nil {
		return err
	}
	t := newTable("beside", "done meanwhile", "recalls", "p50", "p99", "longest")
	for _, c := range all {
		t.row(c.name, thousands(float64(c.done)), thousands(float64(c.took.total)), short(c.took.quantile(.5)),
			short(c.took.quantile(.99)),
			short(c.took.max))
	}
	t.print(s.out)
	quiet := float64(all[0].took.quantile(.99))
	for _, c := range all[1:] {
		ratio := float64(c.took.quantile(.99)) / quiet
		verdict(s, fmt.Sprintf("p99 beside %s at most three times that beside nothing (here %.1f)", c.name, ratio),
			ratio <= 3)
	}
	return nil
}

func companies(count int) []*company {
	return []*company{
		{name: "nothing"},
		{name: "feedback", work: func(ctx context.Context, space *engram.Space, r *rand.Rand) error {
			var ids []string
			for i := range 5 {
				ids = append(ids, fmt.Sprintf("m%07d", (r.IntN(count)/5)*5+i))
			}
			_, err := space.Feedback(ctx, engram.Feedback{IDs: ids, Signal: engram.Signals()[r.IntN(2)]})
			return err
		}},
		{name: "consolidation", work: func(ctx context.Context, space *engram.Space, _ *rand.Rand) error {
			report, err := space.Consolidate(ctx, engram.ConsolidateOptions{Undone: true})
			if err != nil {
				return err
			}
			for _, c := range report.Concepts {
				if _, err := space.UndoConsolidation(ctx, c.ID); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// rememberClusters stores restatements.
func rememberClusters(s *session, space *engram.Space, clusters int) error {
	var drafts []engram.Draft
	for i := range clusters {
		for _, form := range []string{
			"the boat%d left harbour%d at dawn%d",
			"at dawn%[3]d boat%[1]d left the harbour%[2]d", "harbour%[2]d: boat%[1]d left at dawn%[3]d",
		} {
			drafts = append(drafts, engram.Draft{Content: fmt.Sprintf(form, i, i*7, i*3)})
		}
	}
	for len(drafts) > 0 {
		n := min(len(drafts), 1000)
		if _, err := space.RememberBatch(s.ctx, drafts[:n]); err != nil {
			return err
		}
		drafts = drafts[n:]
	}
	return nil
}

// recallBeside recalls for as long as slot while c works.
func recallBeside(s *session, space *engram.Space, words *corpus, count int, c *company, round uint64,
	slot time.Duration,
) error {
	ctx, stop := context.WithTimeout(s.ctx, slot)
	defer stop()
	var wait sync.WaitGroup
	var failed error
	if c.work != nil {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(s.seed, 100+round))
			for ctx.Err() == nil {
				if err := c.work(s.ctx, space, r); err != nil {
					failed = err
					return
				}
				c.done++
			}
		})
	}
	r := rand.New(rand.NewPCG(s.seed, round))
	var err error
	for ctx.Err() == nil && err == nil {
		said := strings.Fields(strings.TrimRight(words.text(r.IntN(count), largeText), "."))
		var asked []string
		for range 4 {
			asked = append(asked, said[r.IntN(len(said))])
		}
		began := time.Now()
		_, err = space.Recall(s.ctx, engram.Cue{Text: strings.Join(asked, " ")})
		c.took.add(time.Since(began))
	}
	wait.Wait()
	return errors.Join(err, failed)
}
