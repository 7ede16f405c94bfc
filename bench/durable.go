package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	durableSize = 256 // bytes of one text
	slotTime    = 600 * time.Millisecond
)

// writer is a store that texts are written to, one durable write at a time, by any number of goroutines.
type writer interface {
	// put returns when text i is on stable storage.
	put(i int, text string) error
	// preload writes texts first to end-1 in large batches.
	preload(first int, texts []string) error
	close() error
}

// contender is one of the stores of durable.
type contender struct {
	name string
	how  string
	// distinct says that a text may not come twice, as that would be something else than a new one.
	distinct bool
	open     func(dir string, callers int) (writer, error)
}

// durableContenders lists them, the yardstick first.
func durableContenders() []contender {
	return []contender{
		{
			"bare log",
			"two preallocated files of 32 MiB, recycled; length, CRC-32C, number, text; group commit by leader and " +
				"followers; pwrite and fdatasync; no index, nothing can be read back",
			false, openBare,
		},
		{
			"Engram's log",
			"internal/wal alone, default sizes, marks as the engine puts them off, trimmed every 8 MiB so that files " +
				"are recycled",
			false, openLog,
		},
		{
			"Engram", "Space.Remember with default options: id assigned, text indexed, visible to the next recall",
			true, openEngram,
		},
		{"Pebble", "Set with Sync; memtable 64 MiB, else defaults", false, openPebble},
		{
			"SQLite", "journal_mode WAL, synchronous FULL, a transaction each, integer key, one connection, prepared",
			false, openSQLite,
		},
		{"bbolt", "Update; with several callers Batch of as many as there are callers", false, openBolt},
	}
}

func durable(s *session) error {
	contenders := durableContenders()
	preload, rounds := s.size(50_000, 1000), s.turns(5)
	d := slotTime
	if s.quick {
		d /= 20
	}
	settings(s,
		fmt.Sprintf("texts: %d bytes each, %s", durableSize, corpusText),
		fmt.Sprintf("each store first takes %s texts in batches of 1,000, and stays open for all rounds of a number "+
			"of callers", thousands(float64(preload))),
		fmt.Sprintf("%d rounds of %v for each contender and number of callers, after a tenth of that to warm up; "+
			"medians of acknowledged writes a second", rounds, d))
	for _, c := range contenders {
		settings(s, c.name+": "+c.how)
	}
	words := newCorpus(s.seed)
	// More than any contender that needs other texts writes in all its rounds: making one takes as long as storing it.
	texts := words.pool(preload+s.size(600_000, 3000), durableSize)
	callers := []int{1, 8, 64}
	rates := make([][]float64, len(callers)) // by callers and contender: medians
	for i, n := range callers {
		var err error
		if rates[i], err = durableLevel(s, &level{contenders, n, rounds, preload, d, words, texts}); err != nil {
			return fmt.Errorf("%s: %w", plural(n, "caller"), err)
		}
	}
	printDurable(s, contenders, callers, rates)
	return nil
}

// level is one number of callers.
type level struct {
	contenders []contender
	callers    int
	rounds     int
	preload    int
	slot       time.Duration
	corpus     *corpus
	texts      []string // the first texts of the corpus
}

// durableLevel opens every contender, lets them take turns, and gives each one's median rate.
func durableLevel(s *session, l *level) (rates []float64, err error) {
	stores := make([]writer, len(l.contenders))
	defer func() {
		for _, w := range stores {
			if w != nil {
				err = errors.Join(err, w.close())
			}
		}
	}()
	for i, c := range l.contenders {
		dir, err := s.folder(filepath.Join(fmt.Sprint(l.callers), c.name))
		if err != nil {
			return nil, err
		}
		if stores[i], err = c.open(dir, l.callers); err != nil {
			return nil, fmt.Errorf("open %s: %w", c.name, err)
		}
		for first := 0; first < l.preload; first += 1000 {
			if err := stores[i].preload(first, l.texts[first:min(first+1000, l.preload)]); err != nil {
				return nil, fmt.Errorf("load %s: %w", c.name, err)
			}
		}
	}
	next := make([]atomic.Int64, len(stores))
	samples := make([][]float64, len(stores))
	err = rotate(s, l.rounds, len(stores), func(_, i int) error {
		put := func() error {
			n := int(next[i].Add(1)) - 1 + l.preload
			return stores[i].put(n, l.text(n, l.contenders[i].distinct))
		}
		if _, err := drive(l.callers, l.slot/10, put); err != nil { // warms up
			return fmt.Errorf("%s: %w", l.contenders[i].name, err)
		}
		rate, err := drive(l.callers, l.slot, put)
		if err != nil {
			return fmt.Errorf("%s: %w", l.contenders[i].name, err)
		}
		samples[i] = append(samples[i], rate)
		return nil
	})
	for _, one := range samples {
		rates = append(rates, median(one))
	}
	return rates, err
}

// text is the n-th text to be written. Where there are more writes than texts were made ready, those who need no
// different ones get the same again, for nothing.
func (l *level) text(n int, distinct bool) string {
	switch {
	case n < len(l.texts):
		return l.texts[n]
	case distinct:
		return l.corpus.text(n, durableSize)
	default:
		return l.texts[n%len(l.texts)]
	}
}

// drive calls put from that many goroutines for that long and gives the number of calls that succeeded a second. The
// time runs until the last call has returned.
func drive(callers int, d time.Duration, put func() error) (rate float64, err error) {
	var stop atomic.Bool
	var done atomic.Int64
	var mu sync.Mutex
	var first error
	var all sync.WaitGroup
	start := time.Now()
	for range callers {
		all.Go(func() {
			n := int64(0)
			defer func() { done.Add(n) }()
			for !stop.Load() {
				if err := put(); err != nil {
					mu.Lock()
					first = errors.Join(first, err)
					mu.Unlock()
					return
				}
				n++
			}
		})
	}
	time.Sleep(d)
	stop.Store(true)
	all.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), first
}

func printDurable(s *session, contenders []contender, callers []int, rates [][]float64) {
	columns := []string{"writes a second"}
	for _, n := range callers {
		columns = append(columns, plural(n, "caller"), "of bare")
	}
	t := newTable(columns...)
	for c, contender := range contenders {
		cells := []string{contender.name}
		for i := range callers {
			cells = append(cells, thousands(rates[i][c]), fmt.Sprintf("%.2f", rates[i][c]/rates[i][0]))
		}
		t.row(cells...)
	}
	t.print(s.out)
	reached, ahead := true, true
	for i := range callers {
		engram := rates[i][indexOf(contenders, "Engram")]
		pebble, sqlite := rates[i][indexOf(contenders, "Pebble")], rates[i][indexOf(contenders, "SQLite")]
		reached = reached && engram >= .9*rates[i][0]
		ahead = ahead && engram > pebble && engram > sqlite
	}
	verdict(s, "Engram at .9 of the bare log or more, for every number of callers", reached)
	verdict(s, "Engram ahead of Pebble and SQLite, for every number of callers", ahead)
}

func indexOf(contenders []contender, name string) int {
	for i, c := range contenders {
		if c.name == name {
			return i
		}
	}
	return -1
}
