package wal

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Trim drops files all of whose records are durable and have LSNs below before; the file being written stays, and so
// do the newest files as long as they hold less than Options.KeepBytes. Up to Options.Spares of those dropped are
// emptied and kept for later records. The caller must hold those records durably elsewhere.
// Files that a Read is in are left for the next Trim.
//
// An error leaves the log as it is, except that one from syncing the directory fails the log: which files a crash would
// leave is then unknown.
func (l *Log) Trim(before LSN) error { return l.trimTo(before, l.o.KeepBytes) }

// Drop is Trim that keeps nothing for those who follow the log: what the records hold is to be forgotten. Begin a new
// file behind them with [Log.Rotate] first. busy says that a Read keeps a file: try again when it is over.
func (l *Log) Drop(before LSN) (busy bool, err error) {
	if err := l.trimTo(before, 0); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.files) > 1 && l.files[0].pins > 0, nil
}

func (l *Log) trimTo(before LSN, keepBytes int64) error {
	l.trimMu.Lock()
	defer l.trimMu.Unlock()
	for {
		f, s, err := l.trimmable(before, keepBytes)
		if err != nil {
			return err
		}
		if f == nil {
			return l.dropTorn(keepBytes)
		}
		// What an earlier life dropped and did not sync must be gone before more is.
		if !l.dirSynced {
			if err := l.syncDir(); err != nil {
				return fmt.Errorf("trim log: %w", err)
			}
			l.dirSynced = true
		}
		if err := l.trim(f, s); err != nil {
			return fmt.Errorf("trim log: %w", err)
		}
	}
}

// dropTorn removes what recoveries kept of log files that are gone, and all of it if nothing is to be kept. trimMu must
// be held.
func (l *Log) dropTorn(keepBytes int64) error {
	if len(l.torn) == 0 {
		return nil
	}
	l.mu.Lock()
	first := l.o.tornPath(l.files[0].number)
	l.mu.Unlock()
	var left []string
	for i, path := range l.torn {
		if keepBytes > 0 && path >= first {
			left = append(left, path)
			continue
		}
		if err := l.o.drop(path); err != nil {
			l.torn = append(left, l.torn[i:]...)
			return fmt.Errorf("trim log: %w", err)
		}
	}
	l.torn = left
	return nil
}

// trimmable returns the first file if Trim may drop it, and the spare that it is to become (path "" if none); nil if
// there is nothing to drop. trimMu must be held.
func (l *Log) trimmable(before LSN, keepBytes int64) (*logFile, spare, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return nil, spare{}, l.err
	case l.closed.Load():
		return nil, spare{}, ErrClosed
	case len(l.files) == 1 || l.files[0].pins > 0:
		return nil, spare{}, nil
	case l.files[1].first > min(before, l.Durable()+1), l.keptLocked() < keepBytes:
		return nil, spare{}, nil
	}
	f, size := l.files[0], l.files[len(l.files)-1].size
	if len(l.spares) < l.o.Spares && l.preparing == nil && f.size <= l.o.MaxFileBytes &&
		f.size >= min(2*size, l.o.MaxFileBytes) {
		return f, l.newSpareLocked(f.size), nil
	}
	return f, spare{}, nil
}

// keptLocked is how many bytes the files hold that stay if the first one goes. mu must be held.
func (l *Log) keptLocked() int64 {
	size := int64(0)
	for _, f := range l.files[1:] {
		size += f.size
	}
	return size
}

// trim drops the first file, f. Files go one by one, each durably before the next, so that a crash never leaves a gap.
// trimMu must be held.
func (l *Log) trim(f *logFile, s spare) error {
	l.mu.Lock()
	if f.pins > 0 { // A Read came in between.
		l.mu.Unlock()
		return nil
	}
	l.files = l.files[1:]
	l.mu.Unlock()
	gone := false
	defer func() { // also where the file system panics: a file that stays must not be behind a gap
		if !gone && !isolate.Off("take back trim") {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.files = append([]*logFile{f}, l.files...)
		}
	}()
	isolate.Point("wal/trim")
	path := l.o.logPath(f.number)
	var err error
	if s.path != "" {
		err = l.o.FS.Rename(path, s.path)
	} else {
		err = l.o.FS.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// An earlier try did it, although it was told of an error. What it renamed to is removed by the next Open.
		s.path, err = "", nil
	}
	if err != nil {
		return err
	}
	gone = true
	if err := l.syncDir(); err != nil || s.path == "" {
		return err
	}
	return l.recycle(s)
}

// syncDir syncs the directory; an error fails the log.
func (l *Log) syncDir() error {
	err := l.o.FS.SyncDir(l.o.Dir)
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failLocked(err)
}

// recycle empties a file that is no longer a log file, durably, and keeps it as a spare. Its old name must be durably
// gone, or a crash could leave a log file without its records.
func (l *Log) recycle(s spare) error {
	if err := l.empty(s); err != nil {
		return l.o.drop(s.path)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, s)
	return nil
}

// empty overwrites the spare with zeros and syncs it; the sync of its next header would make the zeros durable too, but
// in the way of a commit.
func (l *Log) empty(s spare) error {
	f, err := l.o.FS.Open(s.path, true)
	if err != nil {
		return err
	}
	if !isolate.Off("zero recycled") {
		err = zero(f, 0, s.size)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
