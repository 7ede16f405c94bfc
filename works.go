package engram

import (
	"sync"
	"time"
)

// WorkStats tells how one kind of a space's background work is going.
type WorkStats struct {
	Running bool `json:"running"`
	// Runs counts those that ended well since the directory, and for sealings the space, was opened.
	Runs int `json:"runs"`
	// Error is why the last one failed, "" if it did not; NextTry is then when it is tried again, and zero if nothing
	// is tried until the space is reopened.
	Error   string    `json:"error,omitempty"`
	NextTry time.Time `json:"next_try,omitzero"`
}

// works are what is known of one kind of background work, by the names of spaces. The zero value is ready.
type works struct {
	mu  sync.Mutex
	all map[string]*work
}

// work is the background work of one space.
type work struct {
	WorkStats
	err      error
	failures int // in a row
}

// end notes how a run ended; next is when it is tried again if it failed.
func (w *work) end(err error, next time.Time) {
	if err == nil {
		*w = work{WorkStats: WorkStats{Runs: w.Runs + 1}}
		return
	}
	w.Running, w.err, w.Error, w.NextTry = false, err, err.Error(), next
	w.failures++
}

func (w *works) note(name string, change func(*work)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[string]*work{}
	}
	if w.all[name] == nil {
		w.all[name] = &work{}
	}
	change(w.all[name])
}

// forget forgets a space.
func (w *works) forget(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, name)
}

// told gives a space's state.
func (w *works) told(name string) (WorkStats, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one := w.all[name]; one != nil {
		return one.WorkStats, one.err
	}
	return WorkStats{}, nil
}
