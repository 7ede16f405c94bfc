package wal

import (
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// quiet reports whether nobody waits to write behind what was just made durable. If so, what marks are to tell is taken
// down. The caller has the turn.
func (l *Log) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		return false
	}
	l.takeNotesLocked()
	return true
}

// takeNotesLocked takes down what marks are to tell: what the last records were of, which is not told again often
// enough yet. Nothing may be pending. The caller has the turn; mu must be held.
func (l *Log) takeNotesLocked() { l.told = l.notes.appendTo(l.told[:0], len(l.notes.told)) }

// mark writes, behind the last record, that it is durable: its watermark, which otherwise comes with the next record,
// so that damage to it is told from a torn write although nothing follows; and what the last records were of. It is not
// synced, as a process that is killed does not take it along, and takes no room: the next records are written over it.
// takeNotesLocked was called before, and the caller has the turn.
func (l *Log) mark() error {
	if err := isolate.Fault("wal/mark"); err != nil {
		return err
	}
	if isolate.Off("mark") {
		return nil
	}
	return l.putMarks()
}

// putMarks writes the mark twice, each in pages of its own, so that no page that is lost takes along a record and what
// tells that it was there. All that earlier marks left is overwritten.
func (l *Log) putMarks() error {
	if l.old || isolate.Off("marks apart") {
		return l.putControl(kindClean, l.off)
	}
	size := recordSize(len(l.told))
	first := roundUp(l.off, pageBytes)
	second := first + roundUp(size, pageBytes)
	if second+size > l.size { // a file whose damaged records of notes leave more to tell than there is room for
		l.told, size = l.told[:0], recordHeader
		if second = first + pageBytes; second+size > l.size {
			return l.putControl(kindClean, l.off)
		}
	}
	from, to := first, second+size
	for _, m := range l.marks {
		to = max(to, m.to)
	}
	b := make([]byte, to-from) // not kept: there may be ten thousand open spaces, and none of them is writing
	for _, off := range []int64{first, second} {
		stamp(appendRecord(b[off-from:off-from], kindClean, l.Durable(), l.told), l.seed, off, l.Durable())
	}
	if err := writeAll(l.active, b, from); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	l.marks = [2]span{{first, first + size}, {second, second + size}}
	return nil
}

// span is a part of a file.
type span struct{ from, to int64 }

// over appends zeros to records that are about to be written at l.off, where they overwrite the beginning of a mark:
// what is left of it would look torn.
func (l *Log) over(records []byte) []byte {
	for i, m := range l.marks {
		if end := l.off + int64(len(records)); m.from < end && end < m.to {
			records = append(records, make([]byte, m.to-end)...)
			l.marks[i] = span{}
		}
	}
	return records
}

// fullAt is the least size of a file whose records end at off, with room for a seal or for marks of so many bytes.
func fullAt(off, mark int64) int64 { return roundUp(off, pageBytes) + roundUp(mark, pageBytes) + mark }

// markLater writes the mark after o.MarkAfter, if nobody writes then. Who does has it written later in turn, so a
// writer that goes on and on neither waits for marks nor has more than one in that time. The caller has the turn.
func (l *Log) markLater() {
	if l.closed.Load() || !l.marking.CompareAndSwap(false, true) {
		return
	}
	l.background.Add(1)
	if l.marker == nil {
		l.marker = time.AfterFunc(l.o.MarkAfter, l.markNow)
		return
	}
	l.marker.Reset(l.o.MarkAfter)
}

// markNow writes the mark that markLater put off. It runs in a goroutine of its own.
func (l *Log) markNow() {
	defer l.background.Done()
	l.marking.Store(false)
	isolate.Do("mark log", "", nil, l.markIfQuiet) //nolint:errcheck // the log has failed then: the next call says why
}

// markIfQuiet takes the turn and writes the mark, unless somebody is about to write: the mark comes behind that then.
func (l *Log) markIfQuiet() error {
	l.mu.Lock()
	if l.err != nil || l.closed.Load() || l.writing != nil || l.gathering != nil || len(l.pending) > 0 {
		l.mu.Unlock()
		return nil
	}
	return l.takeTurnLocked(l.mark)
}

// takeTurnLocked runs work, which writes marks, with the turn. Where work fails, or its goroutine ends, the log has
// failed. Nobody may have the turn and nothing be pending; mu must be held, and is released.
func (l *Log) takeTurnLocked(work func() error) error {
	b := &batch{last: l.Durable()}
	l.writing = b
	l.takeNotesLocked()
	l.mu.Unlock()
	err := errEnded
	defer func() { // as in lead
		l.mu.Lock()
		if err != nil {
			b.err = l.failLocked(err)
		}
		l.writing = nil
		l.mu.Unlock()
		b.wake()
	}()
	outcome := work()
	err = outcome
	return err
}

// stopMarking ends the wait for a mark that was put off. Nobody may lead a batch any more.
func (l *Log) stopMarking() {
	if l.marker != nil && l.marker.Stop() {
		l.marking.Store(false)
		l.background.Done()
	}
}
