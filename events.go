package engram

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// ErrEventsLost is yielded by Events when the listener fell behind; the text says how many events it missed.
var ErrEventsLost = errors.New("events lost")

// eventBuffer is how many events a listener may be behind.
const eventBuffer = 1024

// feed passes events on to whoever listens. Telling never waits for a listener.
type feed struct {
	clock func() time.Time

	count     atomic.Int64 // listeners, for writers to see whether anybody listens
	mu        sync.Mutex
	listeners map[*listener]struct{}
	closed    bool
}

type listener struct {
	space  string
	events chan Event
	missed int // since the channel was full; guarded by feed.mu
}

func newFeed(clock func() time.Time) *feed {
	return &feed{clock: clock, listeners: map[*listener]struct{}{}}
}

// wanted reports whether anybody listens, to any space.
func (f *feed) wanted() bool { return f.count.Load() > 0 }

func (f *feed) tell(space string, e store.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		if l.space != space {
			continue
		}
		ev := Event{
			Space: space, Position: e.Position, At: f.clock(), Kind: EventKind(e.Kind), ID: e.ID,
			Version: int(e.Version), Other: e.Other, Signal: Signal(e.Signal), Reason: e.Reason,
		}
		select {
		case l.events <- ev:
		default:
			l.missed++
		}
	}
}

func (f *feed) join(l *listener) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.listeners[l] = struct{}{}
		f.count.Add(1)
	}
	return !f.closed
}

func (f *feed) leave(l *listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.listeners[l]; ok {
		delete(f.listeners, l)
		f.count.Add(-1)
		close(l.events)
	}
}

// takeMissed tells how many events did not fit since the last time it was asked.
func (f *feed) takeMissed(l *listener) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := l.missed
	l.missed = 0
	return n
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		delete(f.listeners, l)
		close(l.events)
	}
}

// Events listens to the space: it yields every change made after the call, in the order of their positions, until ctx
// is done, the DB is closed or the loop is left. Writers never wait for a listener: one that falls more than 1,024
// events behind is yielded an error that matches ErrEventsLost, and then what came after. Listening begins with the
// call, not with the first iteration; range over the result exactly once.
func (s *Space) Events(ctx context.Context) iter.Seq2[Event, error] {
	l := &listener{space: s.name, events: make(chan Event, eventBuffer)}
	joined := s.db.feed.join(l)
	stop := context.AfterFunc(ctx, func() { s.db.feed.leave(l) })
	return func(yield func(Event, error) bool) {
		defer stop()
		defer s.db.feed.leave(l)
		if !joined {
			yield(Event{}, ErrClosed)
			return
		}
		for e := range l.events {
			if !yield(e, nil) {
				return
			}
			// The channel was full when events were missed, so they come after what it held.
			if len(l.events) > 0 {
				continue
			}
			if n := s.db.feed.takeMissed(l); n > 0 {
				if !yield(Event{}, fmt.Errorf("%d %w: the listener was more than %d behind",
					n, ErrEventsLost, eventBuffer)) {
					return
				}
			}
		}
	}
}
