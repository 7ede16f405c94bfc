package engram

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// troubles are what failed last of the work that nobody waits for, until it works again. The zero value is ready.
type troubles struct {
	mu   sync.Mutex
	errs map[string]error // by what was being done
}

// note tells how some work ended; nil takes back what was told of it.
func (t *troubles) note(work string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		delete(t.errs, work)
		return
	}
	if t.errs == nil {
		t.errs = map[string]error{}
	}
	t.errs[work] = err
}

// all lists them in the order of the work's name.
func (t *troubles) all() (errs []error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, work := range slices.Sorted(maps.Keys(t.errs)) {
		errs = append(errs, fmt.Errorf("%s: %w", work, t.errs[work]))
	}
	return errs
}

// firstPause and lastPause bound how long work that failed is left alone, over its usual interval: twice as long after
// each failure. Chosen.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// every runs a round of some work in the background at intervals, until Close. A round that fails or panics is told by
// Ready until one works, and is tried again after a pause that grows.
func (db *DB) every(interval time.Duration, work string, round func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	db.janitor.Go(func() {
		<-db.stop
		cancel()
	})
	db.janitor.Go(func() {
		pause, failures := interval, 0
		for sleep(ctx, pause) == nil {
			err := isolate.Go(work, "", func() error { return round(ctx) })
			if ctx.Err() != nil {
				return
			}
			db.troubles.note(work, err)
			if pause = interval; err == nil {
				failures = 0
				continue
			}
			pause += min(firstPause<<min(failures, 10), lastPause)
			failures++
		}
	})
}
