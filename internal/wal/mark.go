package wal

import (
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// quiet reports whether nobody waits to write behind what was just made durable.
func (l *Log) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.pending) == 0
}

// mark writes, behind the last record, that it is durable: its watermark, which otherwise comes with the next record,
// so that damage to it is told from a torn write although nothing follows. It is not synced, as a process that is
// killed does not take it along, and takes no room: the next record is written over it. The caller has the turn.
func (l *Log) mark() error {
	if err := isolate.Fault("wal/mark"); err != nil {
		return err
	}
	if isolate.Off("mark") {
		return nil
	}
	return l.putControl(kindClean, l.off)
}

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
	b := &batch{last: l.Durable()}
	l.writing = b
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
	outcome := l.mark()
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
