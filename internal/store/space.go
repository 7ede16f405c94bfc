// Package store is one space on disk: its log, its segments, the manifest that names them, and everything that is
// derived from these and kept in memory.
//
// # The life of a write
//
// [Space.Write] takes the space's lock and runs a function that looks things up, decides, and stages each decision:
// rows are added to the hot segment and to every index at places beyond what readers may see. The decisions, encoded
// as one frame, are then handed to the log, the lock is released, the log is synced together with whatever other
// writers have handed in, and one atomic store publishes the view that includes the write.
//
// # Invariants
//
//   - Readers go by a [View], one immutable value loaded atomically; nothing they can reach from it ever changes
//     except words that carry the position from which on they hold.
//   - A view is published only after the log has synced every frame up to its position.
//   - A write that fails before its frame is in the log leaves no trace but void rows; nothing has to be recovered.
//   - A frame carries decisions already taken: applying one calls no clock, no randomness, no embedder.
//   - Segments and the state file hold everything up to the manifest's position; the log what comes after.
//
// # Concurrency
//
// Any number of readers, without locks. Writers are serialised by mu while they stage, and wait for the log together.
// Lock order: filesMu, then mu, then pubMu. Sealing runs on a goroutine that Close waits for.
//
// # Durability
//
// When Write returns nil, the write survives any crash. After a failed sync the space is read-only until reopened.
package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// Options say how a space is opened. All fields are required unless said otherwise.
type Options struct {
	FS   vfs.FS
	Dir  string // the space's directory
	Name string // for errors
	// NewStore makes the id of a space that does not exist yet.
	NewStore func() ([16]byte, error)
	Settings Settings // of a space that does not exist yet
	Lexical  lexical.Options
	// HotBytes is the size at which the hot segment is sealed; HotLimit, above it, is where writers wait for a sealing
	// under way, and are refused while sealing fails. They are at twice as many bytes of unsealed log, too.
	HotBytes int64
	HotLimit int64
	// LogFileBytes is the largest size of a log file; 0 leaves it to the log.
	LogFileBytes int64
	// OpenLog opens the space's log; nil keeps it in files of the space's directory.
	OpenLog LogOpener
	// LogKeepBytes is how much of the log stays behind sealings for incremental backups; see wal.Options.KeepBytes.
	LogKeepBytes int64
	// LogMarkAfter is when a mark covers the last write; see wal.Options.MarkAfter.
	LogMarkAfter time.Duration
	// SealRetry is how long after a sealing failed it is tried again, twice as long after each further failure, up to
	// 64 times as long; 0 means a second.
	SealRetry time.Duration
	// Clock tells when that is, for Stats and errors; nil means time.Now.
	Clock func() time.Time
	// Admit, if not nil, may refuse what a write is about to add, before it is staged: rows, and bytes of about this
	// many. It is called with the lock of writers held and must not use the space but for SizeBytes.
	Admit func(s *Space, view *View, rows, sizeBytes int64) error
	// Beside are files in Dir that are the caller's, which are kept aside with the others before an upgrade.
	Beside []Beside
	// Room, if not nil, may refuse so many bytes, which are to be kept aside while the space is opened.
	Room func(sizeBytes int64) error
	// OnEvent is told of every change after it is visible, in order, while WantEvents, asked when the change is staged,
	// says so. It must not block.
	OnEvent    func(Event)
	WantEvents func() bool
}

// Space is an open space.
type Space struct {
	// Constant after Open.
	o    Options
	fs   vfs.FS
	dir  string
	name string
	id   [16]byte
	log  Log
	t    *table
	torn wal.Tear // the unfinished write dropped by Open

	prepared sync.Pool // of *Prepared

	view   atomic.Pointer[View]
	logged atomic.Int64 // bytes of frames since the last sealing
	parts  atomic.Pointer[[]part]

	mu        sync.Mutex // serialises writers; guards the fields below
	staged    View       // as of the last frame handed to the log; without parts
	hot       hotPart
	nextEntry uint32
	nextKey   uint32
	lapsed    uint32  // the idempotency keys below are too old to be known
	frame     []byte  // memory of the last frame, for the next one
	of        touched // as frame
	keep      uint64  // states that hold at this position are kept: a snapshot is being made; maxPosition if none
	man       *manifest
	frozen    bool              // a segment is being sealed
	retryAt   int64             // size of the hot segment at which a failed sealing is tried again
	retry     checkpoint        // of the sealing under way, or of the one that failed
	sealed    chan struct{}     // closed when the sealing in progress ends
	goneIDs   map[uint32]string // ids of rows that are in no file, compacted away or void: sessions go by them
	room      room              // what the last write found out that was refused for want of it
	closed    bool
	work      sync.WaitGroup

	compacting chan struct{} // holds a token while a compaction runs

	filesMu sync.Mutex // held while files are removed; guards pins and litter
	litter  []string   // files that no manifest names, or will not once the new one is durable
	pins    int        // backups that read files: none is removed, and the log is not trimmed

	readOnly reason // why writes are refused; changed under mu
	sealErr  reason // why the last sealing failed; changed under mu
	sealing  retries
	trouble  reason // what happened last behind an acknowledged write

	pubMu   sync.Mutex
	pending []Event // of frames in the log but not yet visible, in order

	// Constant after Open.
	carried  map[uint32]carriedRow
	lostRuns []lostRun // rows without a readable line, ascending
	lost     error     // a damaged row whose id cannot be told, found by Open; nil if none
	// doubted are rows, whole as they are, of memories that a damaged record of the log was of, and why. The space is
	// then wounded: for reading alone.
	doubted map[uint32]error
	wounded bool
	logTold []error // what was found damaged in the log
	// asideLeft says that there is something of an interrupted keeping aside.
	asideLeft bool
	oldFrame  uint64 // the position of the last frame of an earlier version that Open applied; 0 if there was none
	// outdated are the hashes of ids that lost records of a salvaged space were of.
	outdated map[uint64]error

	damaged   atomic.Pointer[[]note] // never empty
	unread    unreadable
	fragments atomic.Pointer[fragments]
	aside     atomic.Pointer[aside]    // what is kept of it as it was before its upgrade; nil if nothing is
	inForce   atomic.Pointer[manifest] // man, but for the next number: for who does not wait for writers

	end            endNote
	needNew        atomic.Bool  // something was needed since that was written down
	cooled, warmed atomic.Int64 // segments that moved since Open
}

const maxPosition = ^uint64(0)

type hotPart struct {
	base       uint32
	seg        *segment.Hot
	generation uint32 // of the vectors in it
}

// part is a run of rows: the hot segment, one being sealed, a sealed one, or one that cannot be read. Rows belong to
// the last part whose base is not above them. In front of all these stand parts that hold vectors only, as a side.
type part struct {
	base       uint32
	hot        *segment.Hot // nil if sealed
	sealed     *segment.Sealed
	lost       error  // why a sealed segment cannot be read; hot and sealed are nil then
	generation uint32 // of the vectors in it: others than those of the view's generation do not count
	side       *side  // of a part that has no rows
}

func (s *Space) begin(position uint64) *Tx {
	tx := &Tx{
		s: s, t: s.t, position: position, view: s.staged, firstHot: s.hot.seg.Rows(),
		entries: s.nextEntry, of: s.of,
		listened: s.o.WantEvents != nil && s.o.WantEvents(),
	}
	tx.view.Position = position
	return tx
}

// Prepared is a memory's text made ready for the index.
type Prepared = prepared

type prepared = lexical.Prepared

// Prepare analyses a memory's text; safe for concurrent use, outside any lock. Give the result to Recycle when the
// write is over.
func (s *Space) Prepare(r *Record) *Prepared {
	p, _ := s.prepared.Get().(*Prepared)
	if p == nil {
		p = new(Prepared)
	}
	s.t.words.PrepareInto(p, document(r))
	return p
}

// PrepareNew is Prepare for a version that is about to be made. If its language is open and the space has none of its
// own, what it was found to be in is noted in r, so that it is stored with what was made of it.
func (s *Space) PrepareNew(r *Record) *Prepared {
	p := s.Prepare(r)
	if r.LanguageFrom == LanguageOpen && s.t.words.FindsLanguages() {
		r.Language, r.LanguageFrom = p.Detected(), LanguageFound
	}
	return p
}

// Recycle takes back what Prepare gave; nobody may use it any more. What a panicking write used is not given back.
func (s *Space) Recycle(p *Prepared) { s.prepared.Put(p) }

// Write runs fn, which takes decisions and stages them, and makes them durable and visible as one. If fn fails or
// panics, or the log does not take the frame, nothing of it happened. A nil error means acknowledged. An error that
// matches ErrInDoubt leaves the outcome open until the space is reopened: the log failed when it had the frame.
//
// prepare, if not nil, runs first, outside any lock: what it takes is known to the log, which lets this write share the
// next sync. ctx ends the wait for a sealing that writers have outrun, and nothing behind it: what is handed to the log
// is waited for, so that its outcome is known.
func (s *Space) Write(ctx context.Context, op string, prepare func(), fn func(*Tx) error) error {
	view, events, err := s.announce(ctx, op, prepare, fn)
	if err != nil {
		s.afterwards(false) // what it leaves takes memory too
		return s.settle(op, &view, err)
	}
	if err := s.acknowledge(op, &view); err != nil {
		return err
	}
	s.afterwards(events)
	return nil
}

// acknowledge makes a staged write durable and visible. A panic of the log leaves the outcome open, as its errors do;
// once the write is durable nothing makes it an error any more, and it is published whatever happens.
func (s *Space) acknowledge(op string, view *View) error {
	durable := false
	defer func() {
		if durable {
			s.publish(view) // does nothing if it was
		}
	}()
	err := isolate.Do(op, s.name, nil, func() error {
		if err := s.log.Commit(wal.LSN(view.Position)); err != nil {
			return err
		}
		durable = true
		isolate.Point("store/publish")
		s.publish(view)
		return nil
	})
	if durable && err != nil {
		s.trouble.set(err)
		return nil
	}
	if p, ok := errors.AsType[*isolate.PanicError](err); ok {
		p.InDoubt = true
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w: %w", op, ErrReadOnly, ErrInDoubt, err)
	}
	return nil
}

// afterwards does what follows an acknowledged write: it is there by now, so that nothing here may make it an error.
func (s *Space) afterwards(events bool) {
	err := isolate.Do("after a write", s.name, nil, func() error {
		isolate.Point("store/afterwards")
		if events {
			s.deliver()
		}
		s.sealIfFull()
		return nil
	})
	if err != nil {
		s.trouble.set(err)
	}
}

// settle waits until what a refused write has seen is there for everybody: else its caller could be told that an id is
// taken and then not find it. If the log fails meanwhile nobody knows whether the refusal is right, and its caller is
// told that instead.
func (s *Space) settle(op string, seen *View, refusal error) error {
	_, panicked := errors.AsType[*isolate.PanicError](refusal)
	if panicked || seen.Position <= s.view.Load().Position || isolate.Off("settle") {
		return refusal
	}
	if err := s.log.Commit(wal.LSN(seen.Position)); err != nil {
		return fmt.Errorf("%s: %w: what refused this write, which did not happen, may not have happened either: %w",
			op, ErrReadOnly, err)
	}
	s.publish(seen)
	return refusal
}

// announce tells the log of the write before it is staged.
func (s *Space) announce(ctx context.Context, op string, prepare func(), fn func(*Tx) error) (View, bool, error) {
	s.log.Announce()
	defer s.log.Retract()
	if prepare != nil {
		prepare()
	}
	return s.stage(ctx, op, fn)
}

// stage holds the lock while fn decides and the frame is handed to the log.
func (s *Space) stage(ctx context.Context, op string, fn func(*Tx) error) (view View, events bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx); err != nil {
		return View{}, false, err
	}
	tx := s.begin(s.staged.Position + 1)
	kept := false
	defer func() {
		if !kept {
			s.takeBack(tx)
		}
	}()
	err = isolate.Do(op, s.name, nil, func() error {
		if err := fn(tx); err != nil || tx.ops == 0 {
			return err
		}
		if err := isolate.Fault("store/append"); err != nil {
			return err
		}
		endFrame(&tx.frame, tx.of, tx.position)
		lsn, err := s.log.Append(tx.frame.Buf)
		if err == nil && uint64(lsn) != tx.position {
			// The frame is in the log at a place that the staged words do not carry: nothing may follow it.
			err = fmt.Errorf("%w: the log is at %d, the space at %d", ErrReadOnly, lsn, tx.position)
			s.readOnly.set(err)
		}
		return err
	})
	if err != nil {
		switch { // for good, or as noRoom has it
		case s.log.Err() != nil:
			err = fmt.Errorf("%w: %w", ErrReadOnly, err)
		case errors.Is(err, wal.ErrFull):
			err = fmt.Errorf("nothing was written: %w: %w", ErrReadOnly, err)
		}
		return s.staged, false, err
	}
	kept = true
	s.logged.Add(int64(len(tx.frame.Buf)))
	if tx.ops == 0 {
		// Nothing new, but what fn saw may not be durable yet: the caller waits for it.
		return s.staged, false, nil
	}
	s.staged = tx.view
	if len(tx.events) > 0 {
		s.pubMu.Lock()
		s.pending = append(s.pending, tx.events...)
		s.pubMu.Unlock()
		events = true
	}
	return tx.view, events, nil
}

// takeBack aborts tx. That is plain stores and cannot fail; if it does all the same, what is staged is no longer what
// is in the log, and nothing may follow it: the space reads, and is whole when it is opened again. s.mu must be held.
func (s *Space) takeBack(tx *Tx) {
	done := false
	defer func() {
		if !done {
			s.readOnly.set(fmt.Errorf("%w: a failed write could not be taken back; open the space again", ErrReadOnly))
		}
	}()
	tx.abort()
	done = true
}

// ID is the id that the space got when it was made. Every file of it says it.
func (s *Space) ID() [16]byte { return s.id }

// View returns the current view, for reading.
func (s *Space) View() *View { return s.view.Load() }

// Close waits for a sealing in progress, closes the log and unmaps the segments. The caller makes sure that nobody
// reads or writes any more.
func (s *Space) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.sealing.stop()
	s.mu.Unlock()
	s.work.Wait()
	if err := s.closeFiles(); err != nil {
		return fmt.Errorf("close space %s: %w", s.name, err)
	}
	return nil
}

// closeFiles closes the log, if it was opened, and unmaps the segments, also where closing the log panics.
func (s *Space) closeFiles() (err error) {
	defer func() { err = errors.Join(err, s.closeSegments()) }()
	if s.log == nil {
		return nil
	}
	defer func() { err = errors.Join(err, s.log.Close()) }()
	if s.readOnly.get() != nil || s.log.Err() != nil {
		return nil
	}
	return errors.Join(s.saveNeed(), s.NoteEnd())
}

func (s *Space) closeSegments() error {
	var errs []error
	if parts := s.parts.Load(); parts != nil {
		for _, p := range *parts {
			if p.sealed != nil {
				errs = append(errs, p.sealed.Close())
			}
			if p.side != nil && p.side.sealed != nil {
				errs = append(errs, p.side.sealed.Close())
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Space) stageKey(k Key) {
	*s.t.keyList.Slot(s.nextKey) = &keyCell{Key: k}
	staged := func(place uint32) bool { return s.t.keyList.Get(place) != nil }
	s.t.keys.Insert(hashString(k.Name), s.nextKey, staged)
	s.t.keysOf.Insert(hashString(k.ID), s.nextKey, staged)
	s.nextKey++
}
