package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/store"
)

const (
	spacesDir   = "spaces"
	spacePrefix = "space-" // so that a space may be called "." or "con"
	lockName    = "LOCK"
	// restoringDir is where spaces are built that come back from a backup; what is left there of one that was
	// interrupted is removed at the next opening.
	restoringDir = "restoring"
	maxDim       = segment.MaxDim
)

// DB is an open directory of spaces. It is safe for concurrent use.
type DB struct {
	// Constant after Open.
	o      Options
	dir    string
	lock   io.Closer
	ids    *idSource
	feed   *feed
	recall recall.Engine
	models *models
	// recents are what feedback can refer to.
	recents recents

	restoring sync.Mutex // held by Restore; before mu
	fitting   sync.Mutex // held by Fit; before the models'
	scrubber  *scrubber  // nil if it is off
	compactor *compactor

	handles handles

	mu      sync.Mutex // held for moments, never for I/O; guards the field below and changes of handles
	closed  bool
	stop    chan struct{}
	janitor sync.WaitGroup
}

// Open opens the directory dir with default options, making it if it does not exist. See [Options.Open].
func Open(dir string) (*DB, error) { return Options{}.Open(dir) }

// Open opens the directory dir, making it if it does not exist, and locks it against other processes: a directory in
// use is a *LockedError that names the holder. The default space exists afterwards; all others are opened on first
// use. Close releases everything.
func (o Options) Open(dir string) (_ *DB, err error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if _, err := lexical.New(o.lexical()); err != nil {
		return nil, &InvalidError{Field: "Options", Allowed: err.Error()}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	if err := o.makeDir(abs); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	lock, err := o.fs.Lock(filepath.Join(abs, lockName))
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	var db *DB
	defer func() {
		if db == nil { // also where this goroutine ends in the middle: the directory must not stay locked
			err = errors.Join(err, lock.Close())
		}
	}()
	err = o.fs.SyncDir(abs)
	if err == nil {
		err = store.RemoveAll(o.fs, filepath.Join(abs, restoringDir))
	}
	if err != nil {
		return nil, fmt.Errorf("prepare data directory: %w", err)
	}
	if db, err = o.start(abs, lock); err != nil {
		return nil, err
	}
	return db, nil
}

// start makes the DB of a directory that is locked, with its default space open and its background work running.
func (o Options) start(dir string, lock io.Closer) (*DB, error) {
	db := &DB{
		o: o, dir: dir, lock: lock, stop: make(chan struct{}),
		ids: newIDSource(o.Clock, o.Rand), feed: newFeed(o.Clock), models: newModels(o.modelWithout()),
	}
	h, err := db.acquire(DefaultSpace, true)
	if err != nil {
		return nil, err
	}
	h.release()
	db.janitor.Go(db.closeIdle)
	db.startScrubber()
	db.startCompactor()
	if o.Consolidation.Every > 0 {
		db.janitor.Go(db.consolidateRounds)
	}
	return db, nil
}

// makeDir makes the data directory with those above it, durably: the names of all that it makes are synced, and the
// directory's own in any case, because whoever made it may have died before. A directory that was there, below one that
// may not be read, is taken as it is.
func (o Options) makeDir(dir string) error {
	made := []string{dir}
	_, err := o.fs.Stat(dir)
	there := err == nil
	for d := filepath.Dir(dir); !there && d != filepath.Dir(d); d = filepath.Dir(d) {
		if _, err := o.fs.Stat(d); err == nil {
			break
		}
		made = append(made, d)
	}
	if err := o.fs.MkdirAll(filepath.Join(dir, spacesDir)); err != nil {
		return err
	}
	for _, d := range made {
		err := o.fs.SyncDir(filepath.Dir(d))
		if err != nil && !(there && errors.Is(err, fs.ErrPermission)) {
			return err
		}
	}
	return nil
}

func (o Options) lexical() lexical.Options {
	return lexical.Options{K1: o.K1, B: o.B, Language: o.Language}
}

// Dir is the directory's absolute path.
func (db *DB) Dir() string { return db.dir }

// Close waits for calls in progress, closes every space and releases the directory. Later calls return ErrClosed; a
// second Close does nothing.
func (db *DB) Close() error {
	db.scrubber.close()
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	close(db.stop)
	db.janitor.Wait()
	db.feed.close()
	var errs []error
	for h := range db.handles.all() {
		errs = append(errs, db.closeHandle(h, true))
	}
	return errors.Join(append(errs, db.lock.Close())...)
}

// Space gives the space of that name: 1 to 64 of a-z, 0-9, dot, underscore and hyphen. It does no I/O: a space comes to exist
// with its first write.
func (db *DB) Space(name string) (*Space, error) {
	if err := validSpaceName(name); err != nil {
		return nil, err
	}
	return &Space{db: db, name: name}, nil
}

// Spaces lists the names of the spaces that exist, in ascending order.
func (db *DB) Spaces(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := db.o.fs.ReadDir(filepath.Join(db.dir, spacesDir))
	if err != nil {
		return nil, fmt.Errorf("list spaces: %w", err)
	}
	names := []string{}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e, spacePrefix)
		if ok && validSpaceName(name) == nil && db.exists(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Ready is nil if every open space takes writes and serves all it holds, else it says which does not and why. It waits for
// no call in progress.
func (db *DB) Ready() error {
	if db.isClosed() {
		return ErrClosed
	}
	var errs []error
	if scrubbed := db.ScrubReport(); len(scrubbed.Problems) > 0 {
		p := scrubbed.Problems[0]
		errs = append(errs, fmt.Errorf("the scrubber found %d problems, such as in space %s: %s at %d: %s: %w",
			len(scrubbed.Problems), p.Space, p.File, p.Offset, p.What, ErrCorrupt))
	}
	open := slices.SortedFunc(db.handles.all(), func(a, b *handle) int { return strings.Compare(a.name, b.name) })
	for _, h := range open {
		if !h.acquireOpen() {
			continue
		}
		if err := h.space.Health(); err != nil {
			errs = append(errs, fmt.Errorf("space %s: %w", h.name, err))
		}
		if work, err := db.compactor.told(h.name); err != nil {
			errs = append(errs, fmt.Errorf("space %s: compact in the background, next try %s: %w", h.name,
				work.NextTry.Format(time.RFC3339), err))
		}
		h.refs.Add(-1)
	}
	return errors.Join(errs...)
}

func (db *DB) isClosed() bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.closed
}

func (db *DB) spaceDir(name string) string {
	return filepath.Join(db.dir, spacesDir, spacePrefix+name)
}

// exists reports whether a space was made: an empty directory is what a crash before its first write leaves.
func (db *DB) exists(name string) bool {
	names, err := db.o.fs.ReadDir(db.spaceDir(name))
	return err == nil && len(names) > 0
}

// openHandle opens the space of a handle that was reserved for it.
func (db *DB) openHandle(h *handle) error {
	for _, v := range db.victims() {
		// An error of closing is in the space's own log and shows when it is opened again.
		_ = db.closeHandle(v, false)
	}
	h.space, h.err = db.openSpace(h.name)
	if h.err != nil {
		db.mu.Lock()
		db.handles.remove(h)
		db.mu.Unlock()
		close(h.gone)
	}
	close(h.ready)
	return h.err
}

// openSpace opens a space, with the weights that were fitted to it.
func (db *DB) openSpace(name string) (*store.Space, error) {
	sp, err := store.Open(db.storeOptions(name))
	if err != nil {
		return nil, err
	}
	if err := db.loadModel(name); err != nil {
		return nil, errors.Join(err, sp.Close())
	}
	return sp, nil
}

func (db *DB) storeOptions(name string) store.Options {
	return store.Options{
		FS: db.o.fs, Dir: db.spaceDir(name), Name: name, NewStore: db.ids.storeID, Settings: db.o.settings(),
		Lexical: db.o.lexical(), HotBytes: db.o.HotBytes, HotLimit: db.o.HotBytes * 8, LogKeepBytes: db.o.LogKeepBytes,
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

// closeHandle closes a space if nobody uses it; with wait it waits until nobody does.
func (db *DB) closeHandle(h *handle, wait bool) error {
	<-h.ready
	for !h.refs.CompareAndSwap(0, handleClosing) {
		if !wait || h.refs.Load() < 0 {
			if h.refs.Load() < 0 {
				<-h.gone
			}
			return nil
		}
		time.Sleep(100 * time.Microsecond)
	}
	var err error
	if h.space != nil {
		err = h.space.Close()
	}
	db.mu.Lock()
	db.handles.remove(h)
	db.mu.Unlock()
	close(h.gone)
	return err
}

// closeIdle closes spaces that nobody used for a while, until Close.
func (db *DB) closeIdle() {
	tick := time.NewTicker(max(db.o.IdleTimeout/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-db.stop:
			return
		case <-tick.C:
		}
		now := db.o.Clock()
		var idle []*handle
		for h := range db.handles.all() {
			if h.used.Swap(false) || h.idleFrom.IsZero() {
				h.idleFrom = now
			} else if h.refs.Load() == 0 && now.Sub(h.idleFrom) >= db.o.IdleTimeout {
				idle = append(idle, h)
			}
		}
		for _, h := range idle {
			_ = db.closeHandle(h, false) // as in openHandle
		}
	}
}
