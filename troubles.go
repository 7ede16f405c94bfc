package engram

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// troubles are what failed last of the work that nobody waits for, until it works again. The zero value is ready.
type troubles struct {
	mu   sync.Mutex
	errs map[chore]error
}

// chore is something that is done in the background, to a space or, with "", to the directory.
type chore struct{ space, what string }

// note tells how some work ended; nil takes back what was told of it.
func (t *troubles) note(c chore, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		delete(t.errs, c)
		return
	}
	if t.errs == nil {
		t.errs = map[chore]error{}
	}
	t.errs[c] = err
}

// of lists those of a space, or with "" of the directory, in the order of what was done.
func (t *troubles) of(space string) (errs []error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []chore
	for c := range t.errs {
		if c.space == space {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b chore) int { return strings.Compare(a.what, b.what) })
	for _, c := range all {
		errs = append(errs, fmt.Errorf("%s: %w", c.what, t.errs[c]))
	}
	return errs
}

// spaces names those of which there are any, in no order.
func (t *troubles) spaces() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.errs {
		if c.space != "" {
			names = append(names, c.space)
		}
	}
	return names
}

// firstPause and lastPause bound how long work that failed is left alone, over its usual interval: twice as long after
// each failure. Chosen.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// every runs a round of some work in the background at intervals, until Close. A round that fails or panics is told by
// Ready until one works, and is tried again after a pause that grows.
func (db *DB) every(interval time.Duration, what string, round func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	db.janitor.Go(func() {
		<-db.stop
		cancel()
	})
	db.janitor.Go(func() {
		pause, failures := interval, 0
		for sleep(ctx, pause) == nil {
			err := isolate.Go(what, "", func() error { return round(ctx) })
			if ctx.Err() != nil {
				return
			}
			db.troubles.note(chore{what: what}, err)
			if pause = interval; err == nil {
				failures = 0
				continue
			}
			pause += min(firstPause<<min(failures, 10), lastPause)
			failures++
		}
	})
}
