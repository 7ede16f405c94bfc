package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// batch is a group of records that are made durable together.
//
// Life of a batch: the first goroutine that commits a pending record makes it l.gathering and leads it; others that
// commit pending records follow. When the batch before it is done, the leader takes the turn: it makes it l.writing,
// takes all that is pending, writes, syncs, and wakes the followers. The turn is never held by two.
type batch struct {
	last  LSN           // of its last record; set when it begins to be written
	fresh bool          // a new file is begun behind it
	err   error         // set before done is closed
	done  chan struct{} // nil while nobody waits
}

// wait returns a channel that is closed when the batch is done. Log.mu must be held and the batch not be done.
func (b *batch) wait() <-chan struct{} {
	if b.done == nil {
		b.done = make(chan struct{})
	}
	return b.done
}

// Commit returns nil when the record with this LSN, and so all before it, is on stable storage. Concurrent calls share
// a write and a sync. An error means that the record may or may not be there after the next Open: it matches ErrFailed,
// ErrUnknownLSN (nothing happened), or ErrClosed.
func (l *Log) Commit(lsn LSN) error {
	if lsn <= l.Durable() {
		return nil
	}
	l.mu.Lock()
	switch {
	case lsn <= l.Durable():
		l.mu.Unlock()
		return nil
	case l.err != nil:
		defer l.mu.Unlock()
		return l.err
	case lsn > LSN(l.appended.Load()):
		defer l.mu.Unlock()
		return fmt.Errorf("commit %d, the last is %d: %w", lsn, l.appended.Load(), ErrUnknownLSN)
	}
	b := l.gathering
	if w := l.writing; w != nil && lsn <= w.last {
		b = w
	}
	if b != nil { // Follow.
		done := b.wait()
		l.mu.Unlock()
		<-done
		return b.err
	}
	return l.leadNextLocked().err
}

// leadNextLocked gathers, writes and syncs the next batch, and returns it. mu must be held; it is released.
func (l *Log) leadNextLocked() *batch {
	b := &batch{}
	l.gathering = b
	alone := l.alone && l.writing == nil
	if w := l.writing; w != nil {
		done := w.wait()
		l.mu.Unlock()
		<-done
	} else {
		l.mu.Unlock()
	}
	if !alone || l.announced.Load() > 0 {
		l.gather()
	}

	l.mu.Lock()
	l.gathering = nil
	if l.err != nil {
		b.err = l.err
		l.mu.Unlock()
		b.wake()
		return b
	}
	records := l.pending
	l.pending, l.writeBuf = l.writeBuf[:0], nil
	b.last = LSN(l.appended.Load())
	b.fresh, l.fresh = l.fresh, false
	l.bound = l.notes.bound(0)
	l.writing, l.flying = b, int64(len(records))
	l.mu.Unlock()
	l.lead(b, records)
	return b
}

// Rotate makes everything appended so far durable and begins a new file behind it, so that [Log.Drop] can drop all of
// it: it returns the last LSN before that file. A file without records stays the one that is written to. Errors are
// those of Commit, and ErrFull, after which the log goes on.
func (l *Log) Rotate() (LSN, error) {
	if err := l.haveSpare(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	switch {
	case l.err != nil:
		defer l.mu.Unlock()
		return 0, l.err
	case l.closed.Load():
		defer l.mu.Unlock()
		return 0, ErrClosed
	}
	l.fresh = true
	b := l.gathering
	if b == nil {
		b = l.leadNextLocked()
		return b.last, b.err
	}
	done := b.wait()
	l.mu.Unlock()
	<-done
	return b.last, b.err
}

// gather lets goroutines that are about to append do so first: those that were announced, and those that the last batch
// woke and that are ready to run. Without this the leader, the first of them, would sync its one record while all
// others wait for the next sync. It never sleeps, and the turns it gives are bounded in number and, while others only
// compute, in time. A lone writer, with nobody announced and nobody who waited for the batch before, is spared it: to
// give a turn wakes another thread, which takes several microseconds.
func (l *Log) gather() {
	before := l.appended.Load()
	var start time.Time
	for turn := range maxYields {
		runtime.Gosched()
		now := l.appended.Load()
		if now == before && l.announced.Load() == 0 {
			return
		}
		before = now
		switch {
		case turn == 0:
			start = time.Now()
		case time.Since(start) > maxGather:
			return
		}
	}
}

// maxYields and maxGather bound gather. Waiting for announced writers can cost a batch the time of some syncs (a sync
// takes 150 microseconds and more) and gains as many records as were announced. With 64 writers that analyse and index
// texts, 500 and 1500 microseconds gave more than 1, 40 and 150; with 8 there was no difference beyond noise. That was
// measured with writers like bench durable's, two runs of each on a busy machine. The clock decides how long to wait
// here, never what is written.
const (
	maxYields = 256
	maxGather = 500 * time.Microsecond
)

// Announce says that an Append will follow soon, so that a batch about to be synced lets it in. Every call is followed
// by one of [Log.Retract], after the Append or instead of it.
func (l *Log) Announce() { l.announced.Add(1) }

// Retract ends what [Log.Announce] began.
func (l *Log) Retract() { l.announced.Add(-1) }

// lead writes and syncs records, ends the batch and wakes its followers. The caller has the turn; it ends here, also if
// the file system panics, so that one goroutine's failure leaves nobody waiting.
func (l *Log) lead(b *batch, records []byte) {
	err := errEnded
	var markErr error
	defer func() {
		l.mu.Lock()
		if err != nil {
			if b.err = err; !isolate.Off("stop after failure") {
				b.err = l.failLocked(err)
			}
		} else {
			l.stats.Commits++
		}
		if markErr != nil { // the batch is durable all the same
			l.failLocked(markErr) //nolint:errcheck // whoever comes next gets it
		}
		if cap(records) <= keptBuffer {
			l.writeBuf = records[:0]
		}
		l.measureLocked()
		l.writing, l.alone = nil, b.done == nil
		l.mu.Unlock()
		b.wake()
	}()
	outcome := l.write(records)
	if outcome == nil && b.fresh && l.off > fileHeader {
		outcome = l.rotate(0)
	}
	if outcome == nil && l.off > l.size/2 {
		l.prepare()
	}
	err = outcome // only now: until here the goroutine may have ended, whatever was done before
	if err != nil || !l.quiet() {
		return
	}
	if l.o.MarkAfter > 0 {
		l.markLater()
		return
	}
	markErr = errEnded
	markErr = l.mark()
}

// errEnded stands for the outcome of work whose goroutine ends before it is done.
var errEnded = errors.New("write log: the writing goroutine ended before it was done")

// keptBuffer is the largest buffer in bytes that is kept for the next batch; 64 writers of 4 KiB fit (chosen).
const keptBuffer = 512 << 10

// wake ends the wait of all who wait for b. It must have been taken out of gathering and writing.
func (b *batch) wake() {
	if b.done != nil {
		close(b.done)
	}
}

// write puts records into the active file, and into further ones as each is full, and makes each part durable before
// the next is written. The caller has the turn.
func (l *Log) write(records []byte) error {
	for len(records) > 0 {
		n, last := l.stampFitting(records)
		if n == 0 {
			if err := l.rotate(recordLen(records)); err != nil {
				return err
			}
			continue
		}
		if err := isolate.Fault("wal/write"); err != nil {
			return err
		}
		out := records[:n]
		if n == len(records) {
			out = l.over(out)
		}
		if err := writeAll(l.active, out, l.off); err != nil {
			return fmt.Errorf("write log: %w", err)
		}
		if err := isolate.Fault("wal/sync"); err != nil {
			return err
		}
		if !isolate.Off("sync log") {
			if err := l.active.SyncData(); err != nil {
				return fmt.Errorf("sync log: %w", err)
			}
		}
		isolate.Point("wal/synced")
		l.off += int64(n)
		l.clean = false
		l.durable.Store(uint64(last))
		records = records[n:]
	}
	return nil
}

// writeControl writes a record without a payload at off of the active file and syncs it. The caller has the turn.
func (l *Log) writeControl(k kind, off int64) error {
	if err := l.putControl(k, off); err != nil {
		return err
	}
	if err := l.active.SyncData(); err != nil {
		return fmt.Errorf("sync log: %w", err)
	}
	return nil
}

// putControl is writeControl without the sync.
func (l *Log) putControl(k kind, off int64) error {
	rec := appendRecord(l.control[:0], k, l.Durable(), nil)
	stamp(rec, l.seed, off, l.Durable())
	if err := writeAll(l.active, rec, off); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

// stampFitting completes those records at the front that fit into the active file and a seal behind them. It returns
// their length in bytes and the last one's LSN. The caller has the turn.
func (l *Log) stampFitting(records []byte) (n int, last LSN) {
	durable := l.Durable()
	for n < len(records) {
		rec := records[n:]
		size := recordLen(rec)
		if !l.holds(l.off + int64(n) + size) {
			break
		}
		stamp(rec[:size], l.seed, l.off+int64(n), durable)
		last = LSN(binary.LittleEndian.Uint64(rec[lsnOff:]))
		n += int(size)
	}
	return n, last
}

// holds reports whether records of the active file may end at off.
func (l *Log) holds(off int64) bool {
	if l.old {
		return off+recordHeader <= l.size
	}
	return fullAt(off, l.bound) <= l.size
}

// recordLen is the size in bytes of the record, made by appendRecord, that b begins with.
func recordLen(b []byte) int64 { return recordSize(int(binary.LittleEndian.Uint32(b[lengthOff:]))) }

// rotate makes a file with room for a record of need bytes the active one. All records before must be durable: the new
// file's first LSN says so. The old file is sealed when the new one exists, so that a missing last file is noticed.
// The caller has the turn.
func (l *Log) rotate(need int64) error {
	if err := isolate.Fault("wal/rotate"); err != nil {
		return err
	}
	f := &logFile{number: l.number + 1, first: l.Durable() + 1}
	want := max(l.nextSize(), roundUp(fullAt(fileHeader+need, l.bound), pageBytes))
	s, recycled := l.takeSpare(want)
	if !recycled {
		if err := l.o.makeSpare(s.path, s.size); err != nil {
			return err
		}
	}
	f.size = s.size
	file, err := l.o.adopt(s.path, *f)
	if err != nil {
		return err
	}
	if err := isolate.Fault("wal/rotated"); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := l.seal(); err != nil {
		return errors.Join(err, file.Close())
	}
	l.setActive(file, f, fileHeader)
	l.clean = false
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes.old = f.old
	l.files = append(l.files, f)
	l.stats.Rotations++
	if recycled {
		l.stats.Recycled++
	}
	return nil
}

// seal ends the active file with a record that says that there is a next one. The caller has the turn.
func (l *Log) seal() error {
	if err := l.writeControl(kindSeal, l.off); err != nil {
		return fmt.Errorf("seal log file: %w", err)
	}
	err := l.active.Close()
	l.active = nil
	if err != nil {
		return fmt.Errorf("close log file: %w", err)
	}
	return nil
}
