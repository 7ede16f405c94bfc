package engram

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// handle is a space that is open, being opened or being closed.
type handle struct {
	name  string
	ready chan struct{} // closed when space or err is set
	space *store.Space
	err   error
	// refs counts the calls that use the space; closing takes handleClosing from it for good, so that no call is added
	// while those that are counted end.
	refs atomic.Int64
	// left is set by the first of two: the opening that is done, and the call that began it and will not wait for it
	// any more. The second gives back the reference that the call was to have.
	left atomic.Bool
	// lastUse says when it was last acquired through the registry, in the registry's count.
	lastUse atomic.Uint64
	// used is set by every release; the janitor takes it back and notes the time, so that a call reads no clock for it.
	used     atomic.Bool
	idleFrom time.Time     // when the janitor last saw it used; the janitor's
	tiersAt  time.Time     // when it was last looked at what its segments were needed for; the compactor's
	gone     chan struct{} // closed when the space is closed
}

const handleClosing = int64(-1) << 40

// newHandle makes a handle that its maker has a reference to.
func newHandle(name string) *handle {
	h := &handle{name: name, ready: make(chan struct{}), gone: make(chan struct{})}
	h.refs.Store(1)
	return h
}

// acquire takes a reference unless the space is being closed.
func (h *handle) acquire() bool {
	if h.refs.Add(1) > 0 {
		return true
	}
	h.refs.Add(-1)
	return false
}

// acquireOpen takes a reference if the space is open now, without waiting and without counting as use of it. It is
// given back by refs.Add(-1).
func (h *handle) acquireOpen() bool {
	select {
	case <-h.ready:
	default:
		return false
	}
	return h.space != nil && h.acquire()
}

// release gives a reference back.
func (h *handle) release() {
	if !h.used.Load() {
		h.used.Store(true)
	}
	h.refs.Add(-1)
}

// handles are the spaces that are open, being opened or being closed, by name. Looking one up takes no lock, so that no
// call waits for another that opens, lists or closes spaces; changes are made under DB.mu.
type handles struct {
	byName sync.Map // string -> *handle
	count  int      // guarded by DB.mu
	uses   atomic.Uint64
}

// get finds a handle and counts that as use of it; nil if the space is not open.
func (hs *handles) get(name string) *handle {
	v, ok := hs.byName.Load(name)
	if !ok {
		return nil
	}
	h := v.(*handle)
	h.lastUse.Store(hs.uses.Add(1))
	return h
}

// add makes h the handle of its name, which has none. DB.mu must be held.
func (hs *handles) add(h *handle) {
	h.lastUse.Store(hs.uses.Add(1))
	hs.byName.Store(h.name, h)
	hs.count++
}

// remove takes h out if it is the handle of its name. DB.mu must be held.
func (hs *handles) remove(h *handle) {
	if hs.byName.CompareAndDelete(h.name, h) {
		hs.count--
	}
}

// all goes through the handles of this moment, in no order.
func (hs *handles) all() iter.Seq[*handle] {
	return func(yield func(*handle) bool) {
		hs.byName.Range(func(_, v any) bool { return yield(v.(*handle)) })
	}
}

// acquire gives an open space, opening it if need be. With create false a space that does not exist is ErrNotFound.
// The caller releases it. Where ctx ends first the opening goes on without it.
func (db *DB) acquire(ctx context.Context, name string, create bool) (*handle, error) {
	for {
		h := db.handles.get(name)
		if h == nil {
			if !create && !db.exists(name) && !db.isClosed() {
				return nil, fmt.Errorf("space %q: %w: a space comes to exist with its first memory", name, ErrNotFound)
			}
			var own bool
			var err error
			if h, own, err = db.reserve(name, db.openHandle); err != nil {
				return nil, err
			} else if own {
				return h, h.wait(ctx)
			}
		}
		select {
		case <-h.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if h.err != nil {
			return nil, h.err
		}
		if h.acquire() {
			return h, nil
		}
		select { // it is being closed; open it anew, unless that is for good
		case <-h.gone:
		case <-db.stop:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// wait waits for the opening that the caller began.
func (h *handle) wait(ctx context.Context) error {
	select {
	case <-h.ready:
		return h.err
	case <-ctx.Done():
	}
	if h.left.Swap(true) { // it is open by now
		h.release()
	}
	return ctx.Err()
}

// reserve makes a handle for a space that is not open, and lets a goroutine go on with it: own says that it did, that
// nobody else did before, and that the caller has a reference. It is refused if the DB is closed, or there are as many
// spaces as there may be. goOn nil leaves the handle to the caller.
func (db *DB) reserve(name string, goOn func(*handle)) (h *handle, own bool, err error) {
	names, err := db.spaceNames()
	if err != nil {
		return nil, false, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, false, ErrClosed
	}
	if h := db.handles.get(name); h != nil {
		return h, false, nil
	}
	if err := db.admitSpace(name, names); err != nil {
		return nil, false, err
	}
	h = newHandle(name)
	db.handles.add(h)
	if goOn != nil {
		db.openers.Go(func() { goOn(h) })
	}
	return h, true, nil
}
