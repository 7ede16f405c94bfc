package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

const (
	isolationSize = 64 // bytes of one content
	// readable is how many contents are there at first and are read: a power of two, few enough for the cache, so that
	// what is measured is the way to them.
	readable = 1 << 10
)

// shelf is one way to keep contents that some read while others append. read is given a pseudo-random number and gives
// something of the content, so that reading it cannot be left out.
type shelf struct {
	name string
	how  string
	make func() (read func(random uint32) byte, add func())
}

func shelves() []shelf {
	return []shelf{
		{
			"lock", "sync.RWMutex around one growing slice; the content is copied out under the read lock",
			lockShelf(false),
		},
		{
			"lock, safe",
			"the same, with deferred unlock and recover, so that a panic neither holds the lock nor ends the process",
			lockShelf(true),
		},
		{
			"publication",
			"internal/isolate: the writer appends to an arena and publishes a count; readers take no lock and look " +
				"at the bytes where they are", publicationShelf(false),
		},
		{"publication, copied", "the same, and the content is copied out", publicationShelf(true)},
		{"(nothing)", "no content at all: what the measuring loop itself costs, and is in every figure above", noShelf},
	}
}

// lockShelf is a growing slice behind a lock.
//
// Like the other ways it must not be put into its caller: the compiler then puts nothing into the functions that it
// returns, and each would be measured with calls that no user of these types pays for.
//
//go:noinline
func lockShelf(safe bool) func() (func(uint32) byte, func()) {
	return func() (func(uint32) byte, func()) {
		var mu sync.RWMutex
		text := make([]byte, isolationSize)
		content := make([]byte, readable*isolationSize)
		read := func(random uint32) byte {
			var answer [isolationSize]byte
			mu.RLock()
			copy(answer[:], content[int(random&(readable-1))*isolationSize:])
			mu.RUnlock()
			return answer[0] ^ answer[isolationSize-1]
		}
		add := func() {
			mu.Lock()
			content = append(content, text...)
			mu.Unlock()
		}
		if !safe {
			return read, add
		}
		return func(random uint32) (b byte) {
				defer func() { _ = recover() }()
				var answer [isolationSize]byte
				mu.RLock()
				defer mu.RUnlock()
				copy(answer[:], content[int(random&(readable-1))*isolationSize:])
				return answer[0] ^ answer[isolationSize-1]
			}, func() {
				defer func() { _ = recover() }()
				mu.Lock()
				defer mu.Unlock()
				content = append(content, text...)
			}
	}
}

// publicationShelf is what the engine stands on.
//
//go:noinline
func publicationShelf(copied bool) func() (func(uint32) byte, func()) {
	return func() (func(uint32) byte, func()) {
		arena := isolate.NewArena()
		var refs isolate.Column[isolate.Ref]
		var published atomic.Uint32
		var mu sync.Mutex // writers take turns
		text := make([]byte, isolationSize)
		add := func() {
			mu.Lock()
			n := published.Load()
			refs.Set(n, arena.Append(text))
			published.Store(n + 1)
			mu.Unlock()
		}
		for range readable {
			add()
		}
		read := func(random uint32) byte {
			i := random & (readable - 1)
			if i >= published.Load() {
				return 0
			}
			b := arena.View(refs.Get(i), isolationSize)
			if b == nil {
				return 0
			}
			if copied {
				var answer [isolationSize]byte
				copy(answer[:], b)
				return answer[0] ^ answer[isolationSize-1]
			}
			return b[0] ^ b[isolationSize-1]
		}
		return read, add
	}
}

// noShelf keeps nothing.
//
//go:noinline
func noShelf() (func(uint32) byte, func()) {
	return func(random uint32) byte { return byte(random) }, func() {}
}

// isolation compares what reading costs under writers, and what the panic boundary costs.
func isolation(s *session) error {
	rounds, ops := s.turns(5), s.size(2_000_000, 20_000)
	list := shelves()
	settings(s,
		fmt.Sprintf("contents of %d bytes, %s to begin with; each goroutine does %s operations, of which every n-th "+
			"appends one and the others read a random one; nanoseconds an operation and goroutine, medians of %d "+
			"rounds", isolationSize, thousands(readable), thousands(float64(ops)), rounds))
	for _, one := range list {
		settings(s, one.name+": "+one.how)
	}
	t := newTable("ns an operation", "no writes, 1 goroutine", "2", "8", "5 % writes, 1", "2", "8", "50 % writes, 1",
		"2", "8")
	verdicts := map[string]float64{}
	for _, one := range list {
		cells := []string{one.name}
		for _, every := range []int{0, 20, 2} {
			for _, goroutines := range []int{1, 2, 8} {
				var samples []float64
				for range rounds {
					samples = append(samples, isolationRound(one, ops/goroutines, goroutines, every))
				}
				ns := median(samples)
				cells = append(cells, fmt.Sprintf("%.1f", ns))
				if goroutines == 1 {
					verdicts[fmt.Sprint(one.name, every)] = ns
				}
			}
		}
		t.row(cells...)
	}
	t.print(s.out)
	boundary := boundaryCost(rounds, ops)
	fmt.Fprintf(s.out, "\nThe panic boundary (isolate.Do around an empty function): %.1f ns.\n", boundary)
	verdict(s, "publication at 5 ns or less without writes", verdicts["publication0"] <= 5)
	verdict(s, "publication at 10 ns or less with 5 % writes", verdicts["publication20"] <= 10)
	verdict(s, "the boundary below 10 ns", boundary < 10)
	return nil
}

// isolationRound is the time of one operation in nanoseconds, as each goroutine saw it.
func isolationRound(one shelf, ops, goroutines, every int) float64 {
	read, add := one.make()
	var all sync.WaitGroup
	var sink atomic.Uint32
	start := time.Now()
	for g := range goroutines {
		all.Go(func() {
			random, sum := uint32(g)*2654435761+1, byte(0)
			left := every // until the next write; counted down, since a division costs more than a read
			for range ops {
				if left--; left == 0 {
					left = every
					add()
					continue
				}
				random = random*1664525 + 1013904223
				sum ^= read(random >> 4)
			}
			sink.Add(uint32(sum))
		})
	}
	all.Wait()
	return float64(time.Since(start).Nanoseconds()) / float64(ops)
}

// boundaryCost is the time of one call inside the boundary, less that of the call.
func boundaryCost(rounds, ops int) float64 {
	fn := func() error { return nil }
	var samples []float64
	for range rounds {
		start := time.Now()
		for range ops {
			if fn() != nil {
				return 0
			}
		}
		bare := time.Since(start)
		start = time.Now()
		for range ops {
			if isolate.Do("op", "space", nil, fn) != nil {
				return 0
			}
		}
		samples = append(samples, float64((time.Since(start)-bare).Nanoseconds())/float64(ops))
	}
	return median(samples)
}
