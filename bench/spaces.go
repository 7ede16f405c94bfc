package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go"
)

const (
	spaceMemories = 3
	spaceCallers  = 16
)

// tally is the largest use of resources that was seen.
type tally struct {
	descriptors, goroutines int
	heap                    uint64 // bytes in use, garbage included
}

// sampler looks at the process every few milliseconds until it is stopped.
type sampler struct {
	stop chan struct{}
	done sync.WaitGroup
	most tally
}

func startSampler() *sampler {
	p := &sampler{stop: make(chan struct{}), most: tally{descriptors: -1}}
	p.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			p.most.descriptors = max(p.most.descriptors, descriptors())
			p.most.goroutines = max(p.most.goroutines, runtime.NumGoroutine())
			if i%10 == 0 { // reading it stops the world
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				p.most.heap = max(p.most.heap, m.HeapInuse)
			}
			select {
			case <-p.stop:
				return
			case <-tick.C:
			}
		}
	})
	return p
}

func (p *sampler) end() tally {
	close(p.stop)
	p.done.Wait()
	return p.most
}

// phase is something done with every space.
type phase struct {
	name string
	run  func(space *engram.Space, i int) error
}

func spaces(s *session) (err error) {
	count := s.size(10_000, 300)
	options := engram.Options{} // the defaults
	settings(s,
		fmt.Sprintf("%s spaces of %d memories each, default options: 128 unused spaces stay open, the least recently "+
			"used is closed for the next", thousands(float64(count)), spaceMemories),
		fmt.Sprintf("%d goroutines go through all spaces twice, each time in another random order: a batch is "+
			"remembered in each, then each is asked by a word", spaceCallers),
		"an answer must begin with the space's own memory and be taken from no other space, else the run fails",
		"most: the largest of samples taken every 5 ms (descriptors, goroutines) and every 50 ms (heap in use, "+
			"garbage included)")
	db, err := options.Open(filepath.Join(s.dir, "engram"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	words := newCorpus(s.seed)
	t := newTable("phase", "took", "spaces a second", "most descriptors", "most heap", "most goroutines")
	for _, p := range []phase{
		{"make, remember, close", func(space *engram.Space, i int) error { return fillSpace(s, space, words, i) }},
		{"open, ask, close", func(space *engram.Space, i int) error { return askSpace(s, space, i) }},
	} {
		settle()
		sampler := startSampler()
		start := time.Now()
		err := eachSpace(s, db, count, p)
		took := time.Since(start)
		most := sampler.end()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		t.row(p.name, fmt.Sprintf("%.2f s", took.Seconds()), thousands(float64(count)/took.Seconds()),
			fmt.Sprint(most.descriptors), mebibytes(float64(most.heap)), fmt.Sprint(most.goroutines))
	}
	t.print(s.out)
	alloc, _ := liveHeap()
	names, err := db.Spaces(s.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "Afterwards, still open: %s spaces on disk, %d descriptors, %s of live heap (of it %s of "+
		"generated text); largest resident size of the process %s.\n", thousands(float64(len(names))), descriptors(),
		mebibytes(float64(alloc)), mebibytes(float64(len(words.ranks)*4)), mebibytes(float64(peakRSS())))
	runtime.KeepAlive(words)
	return nil
}

// eachSpace runs the phase on every space, in an order that the phase's name seeds, from spaceCallers goroutines.
func eachSpace(s *session, db *engram.DB, count int, p phase) error {
	order := rand.New(rand.NewPCG(s.seed, uint64(len(p.name)))).Perm(count)
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, spaceCallers)
	for caller := range spaceCallers {
		all.Go(func() {
			for errs[caller] == nil && s.ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= count {
					return
				}
				space, err := db.Space(spaceName(order[n]))
				if err == nil {
					err = p.run(space, order[n])
				}
				errs[caller] = err
			}
		})
	}
	all.Wait()
	return errors.Join(append(errs, s.ctx.Err())...)
}

func spaceName(i int) string { return fmt.Sprintf("space-%05d", i) }

func fillSpace(s *session, space *engram.Space, words *corpus, i int) error {
	drafts := make([]engram.Draft, spaceMemories)
	for k := range drafts {
		drafts[k] = engram.Draft{
			ID:      fmt.Sprintf("%s-%d", space.Name(), k),
			Content: fmt.Sprintf("harbour%d ", k) + words.text(i*spaceMemories+k, 120),
		}
	}
	_, err := space.RememberBatch(s.ctx, drafts)
	return err
}

// askSpace asks for one memory by a word that every space knows one of.
func askSpace(s *session, space *engram.Space, i int) error {
	k := i % spaceMemories
	answer, err := space.Recall(s.ctx, engram.Cue{Text: fmt.Sprintf("harbour%d", k)})
	if err != nil {
		return err
	}
	if len(answer.Hits) == 0 || answer.Hits[0].ID != fmt.Sprintf("%s-%d", space.Name(), k) ||
		answer.Searched != spaceMemories {
		return fmt.Errorf("space %s answered with %d hits of %d memories, not with its own memory", space.Name(),
			len(answer.Hits), answer.Searched)
	}
	return nil
}
