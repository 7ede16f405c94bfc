package engram

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// Spaces are opened and closed on goroutines of their own: however that ends, those who wait for it go on.

// openHandle opens the space of a handle that was reserved for it.
func (db *DB) openHandle(h *handle) {
	for _, v := range db.victims() {
		// An error of closing is in the space's own log and shows when it is opened again.
		_ = db.closeHandle(v, false)
	}
	h.err = isolate.Go("open", h.name, func() (err error) {
		h.space, err = db.openSpace(h.name)
		return err
	})
	db.troubles.note(chore{h.name, "open"}, h.err)
	if h.err == nil {
		db.troubles.note(chore{h.name, "close"}, nil)
	} else {
		db.mu.Lock()
		db.handles.remove(h)
		db.mu.Unlock()
		close(h.gone)
	}
	close(h.ready)
	if h.left.Swap(true) {
		h.release()
	}
}

// openSpace opens a space, with the weights that were fitted to it.
func (db *DB) openSpace(name string) (*store.Space, error) {
	sp, err := store.Open(db.storeOptions(name))
	if err != nil {
		return nil, err
	}
	kept := false
	defer func() { // also where reading the weights panics
		if !kept {
			err = errors.Join(err, sp.Close())
		}
	}()
	if err = db.loadModel(name, sp); err != nil {
		return nil, err
	}
	db.tellTorn(name, sp)
	kept = true
	return sp, nil
}

// tellTorn tells of a write that a crash cut off. What becomes of the telling is not the space's.
func (db *DB) tellTorn(name string, sp *store.Space) {
	torn := sp.Torn()
	if torn.Bytes == 0 || db.o.OnTorn == nil {
		return
	}
	_ = isolate.Do("tell of a torn log", name, nil, func() error {
		db.o.OnTorn(Torn{Space: name, File: torn.File, Offset: torn.Offset, Bytes: torn.Bytes, Kept: torn.Kept})
		return nil
	})
}

func (db *DB) storeOptions(name string) store.Options {
	return store.Options{
		FS: db.o.fs, Dir: db.spaceDir(name), Name: name, NewStore: db.ids.storeID, Settings: db.o.settings(),
		Lexical: db.o.lexical(), HotBytes: db.o.HotBytes, HotLimit: db.o.HotBytes * 8,
		LogKeepBytes: db.o.LogKeepBytes, LogMarkAfter: db.o.markAfter,
		Clock: db.o.Clock, Admit: db.admitter(), Beside: besides, Room: db.admitDisk,
		OnEvent: func(e store.Event) { db.feed.tell(name, e) }, WantEvents: db.feed.wanted,
	}
}

// victims picks unused spaces beyond the number to be kept open, least recently used first.
func (db *DB) victims() []*handle {
	db.mu.Lock()
	excess := db.handles.count - db.o.MaxOpenSpaces
	db.mu.Unlock()
	if excess <= 0 {
		return nil
	}
	var idle []*handle
	for h := range db.handles.all() {
		if h.refs.Load() == 0 {
			idle = append(idle, h)
		}
	}
	slices.SortFunc(idle, func(a, b *handle) int { return cmp.Compare(a.lastUse.Load(), b.lastUse.Load()) })
	return idle[:min(excess, len(idle))]
}

// closeHandle closes a space if nobody uses it; with wait it waits for those who do, and lets nobody use it any more.
func (db *DB) closeHandle(h *handle, wait bool) error {
	<-h.ready
	for {
		n := h.refs.Load()
		if n < 0 { // somebody else closes it
			<-h.gone
			return nil
		}
		if n > 0 && !wait {
			return nil
		}
		if h.refs.CompareAndSwap(n, n+handleClosing) {
			break
		}
	}
	for h.refs.Load() != handleClosing {
		time.Sleep(100 * time.Microsecond)
	}
	var err error
	if h.space != nil {
		err = isolate.Go("close", h.name, h.space.Close)
	}
	db.troubles.note(chore{h.name, "close"}, err)
	db.mu.Lock()
	db.handles.remove(h)
	db.mu.Unlock()
	close(h.gone)
	return err
}

// closeIdle closes spaces that nobody used for a while, and notes of the others how far they have come.
func (db *DB) closeIdle(context.Context) error {
	for _, h := range db.idle(db.o.Clock()) {
		_ = db.closeHandle(h, false) // as in openHandle
	}
	var errs []error
	for h := range db.handles.all() {
		if h.acquireOpen() {
			errs = append(errs, isolate.Do("note the end of the log", h.name, nil, h.space.NoteEnd))
			h.refs.Add(-1)
		}
	}
	return errors.Join(errs...)
}

// idle lists the spaces that nobody used for a while.
func (db *DB) idle(now time.Time) (idle []*handle) {
	for h := range db.handles.all() {
		if h.used.Swap(false) || h.idleFrom.IsZero() {
			h.idleFrom = now
		} else if h.refs.Load() == 0 && now.Sub(h.idleFrom) >= db.o.IdleTimeout {
			idle = append(idle, h)
		}
	}
	return idle
}
