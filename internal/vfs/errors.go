package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrLocked is matched by every *LockedError.
var ErrLocked = errors.New("directory is in use")

// LockedError is returned by [FS.Lock] when somebody else holds the lock.
type LockedError struct {
	Path string // the lock file
	PID  int    // the holder's process id as it wrote it; 0 if unknown
}

// Error names the lock file and the holder and says what to do.
func (e *LockedError) Error() string {
	holder := "another process"
	if e.PID > 0 {
		holder = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is held by %s: stop it, use it through its server, or choose another directory",
		e.Path, holder)
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// pathError is err with the operation and the path it happened to.
func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

// linkError is err with the two names of a rename.
func linkError(oldname, newname string, err error) error {
	return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
}

// withoutPath takes a PathError off err, for wrapping it in another one.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// mapSizeError says that size bytes of a file have bytes long cannot be mapped.
func mapSizeError(name string, size, have int64) error {
	err := fmt.Errorf("size %d is not in 1..%d, the length of the file: %w", size, have, fs.ErrInvalid)
	return pathError("map", name, err)
}

// errNotRegular is the reason why Open refuses something that is not a regular file.
func errNotRegular(dir bool) error {
	if dir {
		return syscall.EISDIR
	}
	return errors.New("not a regular file")
}
