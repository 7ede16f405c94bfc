package vfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/orchard9/engram-go/internal/isolate"
)

const (
	// pidLen is the length of the line that a lock's holder writes: always the same, so that a later, shorter pid
	// covers an earlier one and the file never needs to be truncated.
	pidLen = 20

	// lockTries bounds how often Lock starts again because the lock file was replaced while it was being locked.
	lockTries = 8
)

// errHeld is what lockFile returns when the lock is taken.
var errHeld = errors.New("lock is held")

// Lock implements [FS] with flock on Unix and LockFileEx on Windows. Both belong to the open file, not to the
// process: a second Lock in the same process fails too, and the lock goes when the process does. The file is never
// truncated and stays when the lock ends. Do not remove it.
func (OS) Lock(name string) (io.Closer, error) {
	for range lockTries {
		l, err := tryLock(name)
		if l != nil || err != nil {
			return l, err
		}
	}
	return nil, pathError("lock", name, errors.New("file keeps being replaced: make sure that nothing removes it"))
}

// tryLock locks name once. Both results are nil if name came to stand for another file while this one was locked.
func tryLock(name string) (_ io.Closer, err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode) // Without O_TRUNC: the holder's pid is in it.
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, f.Close())
		}
	}()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	if err := control(raw, lockFile); errors.Is(err, errHeld) && !isolate.Off("lock") {
		return nil, &LockedError{Path: name, PID: readPID(f)}
	} else if err != nil && !errors.Is(err, errHeld) {
		return nil, pathError("lock", name, err)
	}
	if same, err := sameFile(f, name); !same || err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(pidLine(os.Getpid()), 0); err != nil {
		return nil, err
	}
	keep = true
	return &osLock{f: f}, nil
}

// sameFile reports whether name still stands for the open file f.
func sameFile(f *os.File, name string) (bool, error) {
	open, err := f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(name)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil && os.SameFile(open, named), err
}

// osLock is a held lock.
type osLock struct {
	f    *os.File
	once sync.Once
}

// Close takes the pid out of the file and ends the lock; fs.ErrClosed if it has been closed before.
func (l *osLock) Close() error {
	var err error
	l.once.Do(func() { _, err = l.f.WriteAt(pidLine(0), 0) })
	return errors.Join(err, l.f.Close())
}

// pidLine is what the holder of a lock writes into its file; pid 0 stands for nobody.
func pidLine(pid int) []byte { return fmt.Appendf(nil, "%-*d\n", pidLen-1, pid) }

// readPID reads what pidLine wrote; 0 if there is no such thing.
func readPID(r io.ReaderAt) int {
	var line [pidLen]byte
	n, _ := r.ReadAt(line[:], 0) // A short or unreadable line is a holder that has not written it yet.
	return parsePID(line[:n])
}

// parsePID reads what pidLine made; 0 if it is something else.
func parsePID(line []byte) int {
	pid, err := strconv.Atoi(strings.TrimSpace(string(line)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
