package wal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Log is an open log. Make one with [Open].
type Log struct {
	o Options // constant

	// Owned by whoever holds the turn: the leader of the batch that is l.writing.
	active   vfs.File // nil if rotation failed after closing it
	seed     uint32   // of the active file
	off      int64    // where the next record goes
	size     int64    // of the active file
	number   uint64   // of the active file
	clean    bool     // nothing was written since a record of kindClean stands at off, or before the session began
	writeBuf []byte   // what the last batch was written from, for the next one
	control  [recordHeader]byte
	alone    bool        // nobody waited for the last batch but its leader; written under mu, too
	marker   *time.Timer // of markLater; nil if there was none yet
	old      bool        // the active file is of version 1
	bound    int64       // the most that a mark behind the batch that is written takes
	marks    [2]span     // of the active file, where the last ones stand
	told     []byte      // payload of the next marks

	durable  atomic.Uint64 // LSN of the last durable record
	appended atomic.Uint64 // LSN of the last record; written under mu, read without it to see a batch grow

	announced atomic.Int64 // writers that will append soon
	starved   atomic.Bool  // noSpare is not nil; written under mu
	marking   atomic.Bool  // a mark is put off

	trimMu    sync.Mutex // held by Trim, one at a time; guards dirSynced and torn
	dirSynced bool       // nothing that an earlier life did to the directory is unsynced
	torn      []string   // what recoveries kept of what they dropped
	rescued   bool       // for reading alone; constant

	mu        sync.Mutex // guards all that follow; never held during I/O
	notes     notes      // of the last records appended
	pending   []byte     // records appended and in no batch that is being written
	gathering *batch     // the next batch; nil if nobody waits for pending records
	fresh     bool       // the next batch ends with a new file
	writing   *batch     // the batch being written; nil if none
	files     []*logFile // in order; the last one is active
	spares    []spare
	spareSeq  uint64        // number for the next spare's name
	preparing chan struct{} // closed when the spare being prepared is ready; nil if none is
	filled    span          // from behind the last batch that is done to the end of the active file
	oldFile   bool          // that file is of version 1
	flying    int64         // bytes of the batch being written
	nextBytes int64         // size of the file after the active one
	noSpare   error         // why there is no spare; nil if there is one or none was tried
	tryAgain  time.Time     // when it is tried again
	pause     time.Duration // until then, after the next failure
	err       error         // why the log failed; nil if it did not
	closed    atomic.Bool   // set under mu
	stats     Stats

	background sync.WaitGroup
}

// spare is an empty, zero-filled, durable file without a number.
type spare struct {
	path string
	size int64
}

// Next returns the LSN that the next Append gets, if nobody else appends.
func (l *Log) Next() LSN { return LSN(l.appended.Load()) + 1 }

// Durable returns the LSN of the last durable record; 0 or what Open's after was if there is none.
func (l *Log) Durable() LSN { return LSN(l.durable.Load()) }

// Err returns an error matching [ErrFailed] if the log has failed, else nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Stats returns the counts of this moment.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.First, s.Last, s.Durable = l.files[0].first, LSN(l.appended.Load()), l.Durable()
	s.Files, s.PendingBytes = len(l.files), int64(len(l.pending))
	for _, f := range l.files {
		s.SizeBytes += f.size
	}
	return s
}

// Append gives payload the next LSN and copies it into memory; [Log.Commit] makes it durable. It does no I/O, but where
// the active file is used up it waits for the next one, which is made in the background. What is held in memory is what
// callers have appended and not yet committed: callers bound that by bounding themselves.
//
// On error (ErrTooLarge, ErrFull, ErrFailed, ErrClosed) nothing was appended.
func (l *Log) Append(payload []byte) (LSN, error) {
	if len(payload) > l.o.MaxRecordBytes {
		return 0, fmt.Errorf("append %d bytes, at most %d are allowed: %w",
			len(payload), l.o.MaxRecordBytes, ErrTooLarge)
	}
	if err := isolate.Fault("wal/append"); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	size := recordSize(len(payload))
	l.awaitSpareLocked(size, payload)
	switch {
	case l.err != nil:
		return 0, l.err
	case l.closed.Load():
		return 0, ErrClosed
	}
	if err := l.fitsLocked(size, payload); err != nil {
		return 0, err
	}
	lsn := LSN(l.appended.Load()) + 1
	l.notes.add(lsn, payload)
	l.pending = appendRecord(l.pending, kindData, lsn, payload)
	l.pending = l.notes.record(l.pending, lsn)
	l.appended.Store(uint64(lsn))
	return lsn, nil
}

// Close makes what is pending durable, marks the log as closed in order, and lets go of its files. Nothing more is
// written or synced if the log has failed; the error then matches ErrFailed. Close again does nothing.
func (l *Log) Close() (err error) {
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return nil
	}
	l.closed.Store(true)
	l.mu.Unlock()
	defer func() { err = errors.Join(err, l.letGo()) }() // also where the file system panics

	if l.rescued {
		return nil
	}
	if err := isolate.Fault("wal/close"); err != nil {
		return err
	}
	if err := l.Commit(LSN(l.appended.Load())); err != nil {
		return err
	}
	return l.markClean()
}

// letGo waits for everybody who is at work in the log and closes its files.
func (l *Log) letGo() (err error) {
	l.mu.Lock()
	l.idleLocked() // Commit returns early, with a leader still at work, if Trim made the log fail.
	l.mu.Unlock()
	l.stopMarking()
	l.background.Wait()
	l.trimMu.Lock() // Waits for Trim.
	defer l.trimMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spares {
		err = errors.Join(err, l.o.drop(s.path))
	}
	l.spares = nil
	if l.active == nil {
		return err
	}
	if cerr := l.active.Close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("close log file: %w", cerr))
	}
	return err
}

// markClean writes and syncs a record that says that everything before it is durable, unless nothing was written since
// one was.
func (l *Log) markClean() error {
	l.mu.Lock()
	l.idleLocked()
	if l.err != nil || l.clean {
		defer l.mu.Unlock()
		return l.err
	}
	return l.takeTurnLocked(func() error {
		if err := isolate.Fault("wal/clean"); err != nil {
			return err
		}
		if err := l.putMarks(); err != nil {
			return err
		}
		if err := l.active.SyncData(); err != nil {
			return fmt.Errorf("sync log: %w", err)
		}
		l.clean = true
		return nil
	})
}

// idleLocked waits until nobody has the turn. mu must be held; it is given up meanwhile.
func (l *Log) idleLocked() {
	for l.writing != nil {
		done := l.writing.wait()
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
}

// failLocked makes the log failed for good and returns the error that everybody gets from now on. mu must be held.
func (l *Log) failLocked(cause error) error {
	if l.err == nil {
		l.err = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	return l.err
}

// Full is an error matching [ErrFull] if the active file is all but used up and no next one could be made: what is
// appended may be refused. It is then tried again, in the background, now and then.
func (l *Log) Full() error {
	if !l.starved.Load() {
		return nil // the usual case
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prepareLocked()
	return l.fitsLocked(min(l.nextBytes/8, fullMargin), nil)
}

// fullMargin is the room at which Full says that there is none: for a batch of records (chosen).
const fullMargin = 64 << 10

// fitsLocked refuses a record of so many bytes if it would need a file that could not be made. mu must be held.
func (l *Log) fitsLocked(size int64, payload []byte) error {
	if l.noSpare == nil || len(l.spares) > 0 || l.hasRoomLocked(size, payload) {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFull, l.noSpare)
}

// hasRoomLocked reports whether a record of so many bytes fits into the active file behind all that waits, and one of
// notes behind it. mu must be held.
func (l *Log) hasRoomLocked(size int64, payload []byte) bool {
	return l.roomLocked(size, len(payload)) || l.roomLocked(size, l.notes.size(payload))
}

// roomLocked is hasRoomLocked for a record with a note of at most so many bytes. No note is longer than its payload.
func (l *Log) roomLocked(size int64, note int) bool {
	end, mark := l.filled.from+l.flying+int64(len(l.pending))+size, l.notes.bound(note)
	if l.oldFile {
		return end+recordHeader <= l.filled.to
	}
	return fullAt(end+mark, mark) <= l.filled.to
}

// awaitSpareLocked waits until it is known whether there is a next file for a record that needs one: once the record is
// appended it is too late to refuse it. mu must be held; it is given up meanwhile.
func (l *Log) awaitSpareLocked(size int64, payload []byte) {
	if l.o.Spares == 0 || l.hasRoomLocked(size, payload) || len(l.spares) > 0 {
		return // the usual case
	}
	l.prepareLocked()
	for l.preparing != nil {
		done := l.preparing
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
}

// prepare makes a spare in the background if there is none and none is being made. Where that fails, records are taken
// as long as the active file has room for them.
func (l *Log) prepare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.prepareLocked()
}

// prepareLocked is prepare; mu must be held.
func (l *Log) prepareLocked() {
	if len(l.spares) >= l.o.Spares || l.preparing != nil || l.closed.Load() || l.err != nil ||
		l.noSpare != nil && time.Now().Before(l.tryAgain) {
		return
	}
	s, done := l.newSpareLocked(l.nextBytes), make(chan struct{})
	l.preparing = done
	l.background.Go(func() {
		err := errors.New("prepare log file: the goroutine ended before it was done")
		defer func() { // also where the goroutine ends: a rotation waits for this
			l.mu.Lock()
			defer l.mu.Unlock()
			l.prepared(s, err)
			l.preparing = nil
			if !isolate.Off("wake waiters") {
				close(done)
			}
		}()
		err = isolate.Do("prepare log file", "", nil, func() error {
			if err := isolate.Fault("wal/spare"); err != nil {
				return err
			}
			return l.o.makeSpare(s.path, s.size)
		})
	})
}

// The first and the longest pause between two tries to make a spare, twice as long after each failure (chosen): each
// may write zeros until the disk is full.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// prepared notes a spare, or why there is none. mu must be held.
func (l *Log) prepared(s spare, err error) {
	l.starved.Store(err != nil)
	if err == nil {
		l.spares, l.noSpare, l.pause = append(l.spares, s), nil, firstPause
		return
	}
	l.noSpare, l.tryAgain = err, time.Now().Add(l.pause)
	l.pause = min(2*l.pause, lastPause)
}

// haveSpare makes a spare, unless there is one or none is to be kept.
func (l *Log) haveSpare() error {
	l.mu.Lock()
	l.tryAgain = time.Time{}
	l.prepareLocked()
	done := l.preparing
	l.mu.Unlock()
	if done != nil {
		<-done
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.noSpare == nil || len(l.spares) > 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFull, l.noSpare)
}

// newSpareLocked names a spare that is to be made. mu must be held.
func (l *Log) newSpareLocked(size int64) spare {
	l.spareSeq++
	return spare{path: l.o.sparePath(l.spareSeq), size: size}
}

// nextSize is the size of the file after the active one, unless a record needs a larger one. The caller has the turn.
func (l *Log) nextSize() int64 { return min(2*l.size, l.o.MaxFileBytes) }

// measureLocked notes what room the active file has. The caller has the turn, or is alone; mu must be held.
func (l *Log) measureLocked() {
	l.filled, l.oldFile, l.nextBytes, l.flying = span{l.off, l.size}, l.old, l.nextSize(), 0
}

// takeSpare returns a spare of at least size bytes, waiting for one that is being prepared. If there is none, ok is
// false and s says which one to make.
func (l *Log) takeSpare(size int64) (s spare, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if done := l.preparing; done != nil {
		l.mu.Unlock()
		<-done
		l.mu.Lock()
	}
	for i, s := range l.spares {
		if s.size >= size {
			l.spares = append(l.spares[:i], l.spares[i+1:]...)
			return s, true
		}
	}
	return l.newSpareLocked(size), false
}

// setActive makes file, which is log file f, the one that records go to. The caller has the turn or is alone.
func (l *Log) setActive(file vfs.File, f *logFile, off int64) {
	l.active, l.off, l.size, l.number = file, off, f.size, f.number
	l.seed, l.old, l.marks = codec.Seed(l.o.Store, f.number), f.old, [2]span{}
}
