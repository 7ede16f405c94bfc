package store

import (
	"cmp"
	"sync"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Sealing tells how the sealings of a space go.
type Sealing struct {
	Running bool
	Runs    int   // those that ended well since the space was opened
	Err     error // why the last one failed; nil if it did not
	NextTry time.Time
}

// A sealing that failed is tried again by itself: nobody may write for a long time, and what is not sealed takes memory
// and log meanwhile. Writes that are refused do not hurry it.

// sealPause is the first pause after a failure, mostPauses how often it is doubled at most. Chosen.
const (
	sealPause  = time.Second
	mostPauses = 6
)

// retries are the timer of failed sealings and what Stats tell of all. The zero value is ready.
type retries struct {
	mu       sync.Mutex // guards the fields below; readers do not wait for a writer
	running  bool
	runs     int
	failures int // in a row
	nextTry  time.Time
	timer    *time.Timer
}

func (r *retries) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = true
	r.disarm()
}

func (r *retries) succeeded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.failures = false, 0
	r.runs++
}

// failed makes the timer run again after a pause, and tells when that is.
func (r *retries) failed(o Options, again func()) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := cmp.Or(o.SealRetry, sealPause)
	if !isolate.Off("longer pauses") {
		pause <<= min(r.failures, mostPauses)
	}
	r.running = false
	r.failures++
	r.disarm()
	r.nextTry = o.now().Add(pause)
	r.timer = time.AfterFunc(pause, again)
	return r.nextTry
}

func (o Options) now() time.Time {
	if o.Clock != nil {
		return o.Clock()
	}
	return time.Now()
}

// stop ends it for good.
func (r *retries) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = false
	r.disarm()
}

// disarm stops the timer. r.mu must be held. One that has just run finds that there is nothing to do.
func (r *retries) disarm() {
	if r.timer != nil {
		r.timer.Stop()
	}
	r.timer, r.nextTry = nil, time.Time{}
}

func (r *retries) told(err error) Sealing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Sealing{Running: r.running, Runs: r.runs, Err: err, NextTry: r.nextTry}
}
