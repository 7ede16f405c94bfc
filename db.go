package engram

import (
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
	"github.com/orchard9/engram-go/internal/vfs"
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

	handles  handles
	troubles troubles
	// consolidations are those that run by themselves.
	consolidations works

	mu      sync.Mutex // held for moments, never for I/O; guards the field below and changes of handles
	closed  bool
	stop    chan struct{}
	janitor sync.WaitGroup
	openers sync.WaitGroup // goroutines that open spaces; added to under mu while not closed
}

// Open opens the directory dir with default options, making it if it does not exist. See [Options.Open].
func Open(dir string) (*DB, error) { return Options{}.Open(dir) }

// Open opens the directory dir, making it if it does not exist, and locks it against other processes: a directory in
// use is a *LockedError that names the holder. The default space exists afterwards; all others are opened on first use.
// A default space that is damaged, or of a newer format, does not keep the others from being used: Ready tells of it,
// and every call on it gives the error. Close releases everything.
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
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: whoever opens a directory must be allowed to write to it, also to read from it", err)
	}
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
	if err == nil && o.Budgets.FreeDiskBytes > 0 {
		_, err = vfs.Free(o.fs, abs)
	}
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
	h, err := db.acquire(context.Background(), DefaultSpace, true)
	switch {
	case err == nil:
		h.release()
	case !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormatVersion):
		return nil, err
	}
	db.every(max(o.IdleTimeout/4, time.Millisecond), "close idle spaces", db.closeIdle)
	db.startScrubber()
	db.startCompactor()
	if o.Consolidation.Every > 0 {
		known := map[string]*rounds{}
		db.every(o.Consolidation.Every, "consolidate", func(ctx context.Context) error {
			db.consolidateRound(ctx, known)
			return nil
		})
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
	return lexical.Options{
		K1: o.K1, B: o.B, Language: o.Language, Plain: slices.Contains(o.Without, offNames),
		Unstemmed: slices.Contains(o.Without, offStems), Undated: slices.Contains(o.Without, offDay),
	}
}

// Dir is the directory's absolute path.
func (db *DB) Dir() string { return db.dir }

// Close waits for calls in progress, closes every space and releases the directory. Later calls return ErrClosed, also
// those that what a call in progress runs makes; a second Close does nothing.
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
	db.openers.Wait()
	db.feed.close()
	var errs []error
	for h := range db.handles.all() {
		errs = append(errs, db.closeHandle(h, true))
	}
	return errors.Join(append(errs, db.lock.Close())...)
}

// Space gives the space of that name: 1 to 64 of a-z, 0-9, dot, underscore and hyphen. It does no I/O: a space comes to
// exist with the first write that stores something.
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
	return db.listSpaces()
}

func (db *DB) listSpaces() ([]string, error) {
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
