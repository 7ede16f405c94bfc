package vfs

import (
	"fmt"
	"math"
)

// Freer is an [FS] that knows how much room there is.
type Freer interface {
	// Free is how many bytes an ordinary user can still write to the file system that dir is in; errors.ErrUnsupported
	// where the operating system is not asked.
	Free(dir string) (int64, error)
}

// Free is how many bytes can still be written to the file system that dir is in; as many as can be counted where fsys
// has no end, as in memory.
func Free(fsys FS, dir string) (int64, error) {
	f, ok := fsys.(Freer)
	if !ok {
		return math.MaxInt64, nil
	}
	n, err := f.Free(dir)
	if err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return n, nil
}

// Free implements [Freer].
func (OS) Free(dir string) (int64, error) { return freeBytes(dir) }

// Free implements [Freer], as the file system below does; it is no operation that fails.
func (f *Fault) Free(dir string) (int64, error) { return Free(f.base, dir) }
