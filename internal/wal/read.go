package wal

import (
	"errors"
	"fmt"
	"iter"

	"github.com/orchard9/engram-go/internal/codec"
)

// Read yields the records from LSN from (0 means 1) to the last that is durable when the iteration begins, in order. To
// follow the log, call it again from the LSN after the last one seen. Writers do not wait for it, nor it for them.
//
// The last pair may be an error with a zero Record: one matching ErrTrimmed if from is before the first record that is
// kept (or became so meanwhile), ErrClosed, a *codec.CorruptError, or what the file system said. A log that has
// failed can still be read.
//
// The time to reach from is proportional to the bytes before it in its file.
func (l *Log) Read(from LSN) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := reader{l: l, next: max(from, 1), until: l.Durable(), yield: yield}
		for r.next <= r.until {
			if more, err := r.file(); err != nil {
				yield(Record{}, fmt.Errorf("read log from %d: %w", r.next, err))
				return
			} else if !more {
				return
			}
		}
	}
}

// reader is one iteration.
type reader struct {
	l           *Log
	next, until LSN
	yield       func(Record, error) bool
}

// file yields what the file that holds r.next has up to r.until; more is false if the iteration is over.
func (r *reader) file() (more bool, err error) {
	f, err := r.l.pin(r.next)
	if err != nil {
		return false, err
	}
	defer r.l.unpin(f)
	file, err := r.l.o.FS.Open(r.l.o.logPath(f.number), false)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	s := &scanner{file: file, seed: codec.Seed(r.l.o.Store, f.number), size: f.size}
	start := r.next
	for off, last := int64(fileHeader), f.first-1; r.next <= r.until; {
		h, payload, ok, err := s.record(off)
		if err != nil {
			return false, err
		}
		if !ok || h.kind == kindSeal || h.kind == kindData && h.lsn != last+1 {
			at, after, found, err := s.next(off)
			if err != nil {
				return false, err
			}
			before := after.before()
			if found && h.kind != kindSeal && before < r.next && (before > last || before == last && at > off) {
				off, last = at, before // what is damaged is not asked for, or notes
				continue
			}
			return true, r.ended(file.Name(), off, start)
		}
		off += h.size()
		if h.kind != kindData {
			continue
		}
		if last = h.lsn; last < r.next {
			continue
		}
		if r.l.closed.Load() {
			return false, ErrClosed
		}
		if !r.yield(Record{LSN: h.lsn, Payload: payload}, nil) {
			return false, nil
		}
		r.next++
	}
	return true, nil
}

// ended returns nil if a file may end at off: if it yielded something and the next file begins with r.next.
func (r *reader) ended(path string, off int64, start LSN) error {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	for _, f := range r.l.files {
		if f.first == r.next && r.next > start {
			return nil
		}
	}
	return corrupt("read log", path, off, "record %d, which was acknowledged, is damaged", r.next)
}

// pin returns the file that holds record lsn and keeps Trim from dropping it until unpin.
func (l *Log) pin(lsn LSN) (*logFile, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return nil, ErrClosed
	}
	if first := l.files[0].first; lsn < first {
		return nil, fmt.Errorf("log begins at %d: %w", first, ErrTrimmed)
	}
	i := len(l.files) - 1
	for l.files[i].first > lsn {
		i--
	}
	l.files[i].pins++
	return l.files[i], nil
}

func (l *Log) unpin(f *logFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.pins--
}
