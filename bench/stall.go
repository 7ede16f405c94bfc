package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/isolate"
)

const stallSize = 512 // bytes of one content

// growth is one way to let content grow beside a reader.
type growth struct {
	name string
	how  string
	// run lets it grow and gives the gaps between the ends of successive reads, and how long it grew.
	run func(s *session, round int) (*histogram, time.Duration, error)
}

func stall(s *session) error {
	rounds := s.turns(3)
	growths := growthsOf(s)
	settings(s,
		fmt.Sprintf("one writer appends contents of %d bytes as fast as it can; one reader copies out random contents "+
			"that are published", stallSize),
		"a gap is the time from the end of one read to the end of the next, whatever the cause: lock, copying, "+
			"scheduler, collector, machine",
		fmt.Sprintf("%d rounds; quantiles and longest gap are medians of the rounds, worst is the longest of all",
			rounds))
	for _, g := range growths {
		settings(s, g.name+": "+g.how)
	}
	results := make([][]gaps, len(growths))
	err := rotate(s, rounds, len(growths), func(round, i int) error {
		debug.FreeOSMemory()
		h, took, err := growths[i].run(s, round)
		if err != nil {
			return fmt.Errorf("%s: %w", growths[i].name, err)
		}
		results[i] = append(results[i], gaps{
			float64(h.quantile(.5)), float64(h.quantile(.9999)), float64(h.max), took.Seconds(), float64(h.total),
		})
		return nil
	})
	if err != nil {
		return err
	}
	printStall(s, growths, results)
	return nil
}

// The growths that the verdict looks at.
const (
	growBusy  = "busy writer, no growth"
	growOwn   = "Engram's arena"
	stallMost = 5 * time.Millisecond
)

func growthsOf(s *session) []growth {
	total, apiTotal := s.size(1<<30, 16<<20), s.size(64<<20, 2<<20)
	quiet := time.Duration(s.size(int(time.Second), int(50*time.Millisecond)))
	return []growth{
		{
			"no writer", fmt.Sprintf("the reader alone for %v: what this machine itself does to a loop", quiet),
			idle(quiet, false),
		},
		{
			growBusy,
			"beside a goroutine that computes and touches nothing: what the scheduler and the machine do to it",
			idle(quiet, true),
		},
		{
			growOwn, "isolate.Arena and Column as the engine uses them, to " + mebibytes(float64(total)),
			func(s *session, round int) (*histogram, time.Duration, error) { return growArena(s, round, total) },
		},
		{
			"growing slice, RWMutex", "append to one []byte under the write lock, to " + mebibytes(float64(total)),
			func(s *session, round int) (*histogram, time.Duration, error) { return growSlice(s, round, total) },
		},
		{
			"Engram, Get beside RememberBatch",
			"the public API with default options, durable batches of 100, to " + mebibytes(float64(apiTotal)) +
				" of content: logging, indexing, sealing and garbage collection included",
			func(s *session, round int) (*histogram, time.Duration, error) { return growEngram(s, round, apiTotal) },
		},
	}
}

// gaps is what one round gave: nanoseconds, seconds of growing, reads.
type gaps struct{ p50, p9999, longest, seconds, reads float64 }

func printStall(s *session, growths []growth, results [][]gaps) {
	t := newTable("growth", "reads", "growing for", "p50", "p99.99", "longest", "worst of all rounds")
	worst := map[string]time.Duration{}
	for i, g := range growths {
		for _, r := range results[i] {
			worst[g.name] = max(worst[g.name], time.Duration(r.longest))
		}
		show := func(figure func(gaps) float64) string { return short(time.Duration(pick(results[i], figure))) }
		t.row(g.name, thousands(pick(results[i], func(g gaps) float64 { return g.reads })),
			fmt.Sprintf("%.2f s", pick(results[i], func(g gaps) float64 { return g.seconds })),
			show(func(g gaps) float64 { return g.p50 }), show(func(g gaps) float64 { return g.p9999 }),
			show(func(g gaps) float64 { return g.longest }), short(worst[g.name]))
	}
	t.print(s.out)
	verdict(s, "longest reader stall while content grows to 1 GiB below 5 ms, in every round",
		worst[growOwn] < stallMost)
	if worst[growBusy] >= stallMost {
		fmt.Fprintf(s.out, "This machine stalled a reader for %s without any growth beside it (%s).\n",
			short(worst[growBusy]), growBusy)
	}
}

// watch reads until stop is set and counts the gaps.
func watch(stop *atomic.Bool, read func() error) (*histogram, error) {
	h := &histogram{}
	start := time.Now()
	last := time.Since(start)
	for !stop.Load() {
		if err := read(); err != nil {
			return h, err
		}
		now := time.Since(start)
		h.add(now - last)
		last = now
	}
	return h, nil
}

// beside runs write while read is watched.
func beside(write, read func() error) (*histogram, time.Duration, error) {
	var stop atomic.Bool
	var h *histogram
	var readErr error
	var reader sync.WaitGroup
	reader.Go(func() { h, readErr = watch(&stop, read) })
	start := time.Now()
	err := write()
	took := time.Since(start)
	stop.Store(true)
	reader.Wait()
	return h, took, errors.Join(err, readErr)
}

func randomOf(s *session, round int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(round))) }

// idle gives a run that reads from content that does not grow, beside a sleeping or a computing goroutine.
func idle(d time.Duration, busy bool) func(*session, int) (*histogram, time.Duration, error) {
	return func(s *session, round int) (*histogram, time.Duration, error) {
		content, random := make([]byte, 4<<20), randomOf(s, round)
		var answer [stallSize]byte
		wait := func() error {
			if !busy {
				time.Sleep(d)
				return nil
			}
			for start := time.Now(); time.Since(start) < d; {
			}
			return nil
		}
		return beside(wait, func() error {
			copy(answer[:], content[random.IntN(len(content)/stallSize)*stallSize:])
			return nil
		})
	}
}

// growArena grows as a hot segment's content does: bytes into the arena, their place into a column, and one atomic
// store that publishes both.
func growArena(s *session, round, total int) (*histogram, time.Duration, error) {
	type place struct {
		ref isolate.Ref
		len uint32
	}
	arena, rows := isolate.NewArena(), isolate.Column[place]{}
	var published atomic.Uint32
	text, random := make([]byte, stallSize), randomOf(s, round)
	add := func(i int) {
		rows.Set(uint32(i), place{arena.Append(text), stallSize})
		published.Store(uint32(i + 1))
	}
	add(0)
	var answer [stallSize]byte
	write := func() error {
		for i := 1; i < total/stallSize; i++ {
			add(i)
		}
		return nil
	}
	return beside(write, func() error {
		p := rows.Get(random.Uint32N(published.Load()))
		b, err := arena.At(p.ref, p.len)
		copy(answer[:], b)
		return err
	})
}

// growSlice is what growth looks like when it copies: one slice, one lock.
func growSlice(s *session, round, total int) (*histogram, time.Duration, error) {
	var mu sync.RWMutex
	text, random := make([]byte, stallSize), randomOf(s, round)
	content := append([]byte(nil), text...)
	var answer [stallSize]byte
	write := func() error {
		for range total/stallSize - 1 {
			mu.Lock()
			content = append(content, text...)
			mu.Unlock()
		}
		return nil
	}
	return beside(write, func() error {
		mu.RLock()
		copy(answer[:], content[random.IntN(len(content)/stallSize)*stallSize:])
		mu.RUnlock()
		return nil
	})
}

// growEngram reads through the API what another goroutine remembers through it.
func growEngram(s *session, round, total int) (_ *histogram, _ time.Duration, err error) {
	db, err := engram.Open(filepath.Join(s.dir, fmt.Sprintf("stall-%d", round)))
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return nil, 0, err
	}
	const batch = 100
	count := max(total/stallSize/batch, 2) * batch
	texts, ids := newCorpus(s.seed).pool(count, stallSize), make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf("memory-%09d", i)
	}
	var published atomic.Uint32
	add := func(first int) error {
		drafts := make([]engram.Draft, batch)
		for i := range drafts {
			drafts[i] = engram.Draft{ID: ids[first+i], Content: texts[first+i]}
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
		published.Store(uint32(first + batch))
		return nil
	}
	if err := add(0); err != nil {
		return nil, 0, err
	}
	write := func() error {
		for first := batch; first < count; first += batch {
			if err := add(first); err != nil {
				return err
			}
		}
		return nil
	}
	random, ctx := randomOf(s, round), context.Background()
	return beside(write, func() error {
		_, err := space.Get(ctx, ids[random.Uint32N(published.Load())])
		return err
	})
}
