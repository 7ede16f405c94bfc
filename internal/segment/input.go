package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// input is where the bytes of a sealed segment come from: a mapping, or reads of the file. Reads of the file hand the
// processor over while they wait for the disk, which a fault in a mapping does not, so whatever goes through a whole
// file that may not be in memory reads it.
type input struct {
	data    []byte   // the mapping; nil without
	file    vfs.File // read from if there is no mapping
	windows *windows // for going through the file in order; nil without
}

// at gives n bytes from off on. They are a view of the mapping, or are read into *scratch, which grows as needed, and
// are valid until it is used again.
func (in *input) at(off uint64, n int, scratch *[]byte) ([]byte, error) {
	switch {
	case in.data != nil:
		return in.data[off : off+uint64(n) : off+uint64(n)], nil
	case in.windows != nil:
		return in.windows.at(in.file, int64(off), n)
	}
	b := sized(scratch, n)
	return b, readFull(in.file, b, int64(off))
}

// into reads all of b, from off on.
func (in *input) into(off uint64, b []byte) error {
	if in.data == nil && in.windows == nil {
		return readFull(in.file, b, int64(off))
	}
	view, err := in.at(off, len(b), nil)
	if err == nil {
		copy(b, view)
	}
	return err
}

// sized gives the first n bytes of *scratch, which grows as needed. They are as aligned as any memory is.
func sized(scratch *[]byte, n int) []byte {
	if cap(*scratch) < n {
		*scratch = make([]byte, n+n/4)
	}
	return (*scratch)[:n]
}

// readFull reads all of b. A file that is shorter, or that cannot be read, is a *readError.
func readFull(file vfs.File, b []byte, off int64) error {
	n, err := file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, fs.ErrClosed) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the file ends at byte %d: %w", off+int64(n), io.ErrUnexpectedEOF)
	}
	return &readError{off: off + int64(n), err: err}
}

// readError is a read of a file that failed: damage, as a fault in a mapping is.
type readError struct {
	off int64
	err error
}

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// windowBytes is how much is read of a file at once when it is gone through in order: chosen, and what Pace is told of.
const windowBytes = 256 << 10

// windows are pieces of a file, one for each part that is gone through at the same time. They are for one goroutine.
type windows struct {
	end  int64 // of the file
	pace func(bytes int) error
	list [4]window
	uses uint64
}

type window struct {
	off  int64
	buf  []byte
	used uint64
}

// at gives n bytes from off on, valid until the next call.
func (w *windows) at(file vfs.File, off int64, n int) ([]byte, error) {
	w.uses++
	oldest := &w.list[0]
	for i := range w.list {
		win := &w.list[i]
		if at := off - win.off; at >= 0 && at+int64(n) <= int64(len(win.buf)) {
			win.used = w.uses
			return win.buf[at : at+int64(n)], nil
		}
		// A window that is a little behind is the one that has come to its end.
		if at := off - win.off; at >= 0 && at <= int64(len(win.buf)) && len(win.buf) > 0 {
			oldest = win
			break
		}
		if win.used < oldest.used {
			oldest = win
		}
	}
	size := max(n, int(min(windowBytes, w.end-off)))
	oldest.off, oldest.used = off, w.uses
	buf := sized(&oldest.buf, size)
	oldest.buf = buf[:0] // nothing, if the read fails
	err := readFull(file, buf, off)
	if err != nil && size > n { // what is behind may be what cannot be read
		size, buf = n, buf[:n]
		err = readFull(file, buf, off)
	}
	if err != nil {
		return nil, err
	}
	oldest.buf = buf
	if w.pace != nil {
		if err := w.pace(size); err != nil {
			return nil, &stopError{err}
		}
	}
	return buf[:n], nil
}

// stopError is what Pace ended the work with.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// workspace is what is read into where nothing is mapped.
type workspace struct{ line, body, packed, vector []byte }

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

// noWorkspace is for mapped segments, which read into nothing and unpack nothing.
var noWorkspace workspace

func (in *input) workspace() *workspace {
	if in.data != nil {
		return &noWorkspace
	}
	ws, _ := workspaces.Get().(*workspace)
	return ws
}

func (in *input) done(ws *workspace) {
	if ws != &noWorkspace {
		workspaces.Put(ws)
	}
}

// guarded runs fn, which reads, so that what cannot be read is damage: a page of a mapping, or a piece of the file.
func (w *Sealed) guarded(fn func() error) error {
	err := w.faults(fn)
	runtime.KeepAlive(w) // the mapping or the file of a retired segment goes with its last reader
	if err == nil {
		return nil
	}
	switch failed := err.(type) { //nolint:errorlint // returned unwrapped
	case *vfs.FaultError:
		off, in := failed.Offset(w.in.data)
		if !in {
			off = -1
		}
		return w.corrupt("read segment", int64(off), failed)
	case *readError:
		return w.corrupt("read segment", failed.off, failed.err)
	case *stopError:
		return failed.err
	}
	return err
}

func (w *Sealed) faults(fn func() error) error {
	if w.in.data == nil {
		return fn()
	}
	return vfs.Guard(fn)
}

// InOrder is w for going through all of it in the order of its rows, on one goroutine: it reads the file, in large
// pieces, and not a mapping, so that others have the processor while it waits for the disk. pace, if not nil, is told
// of every piece; its error ends the read. end closes what was opened, and is called once.
func (w *Sealed) InOrder(pace func(bytes int) error) (_ *Sealed, end func() error, err error) {
	file, end := w.in.file, func() error { return nil }
	if file == nil {
		if file, err = w.file.FS.Open(w.path, false); err != nil {
			return nil, nil, fmt.Errorf("open segment to go through it: %w", err)
		}
		end = file.Close
	}
	return &Sealed{meta: w.meta, in: input{file: file, windows: &windows{end: w.SizeBytes(), pace: pace}}}, end, nil
}

func (w *Sealed) corrupt(op string, off int64, err error) error {
	return &codec.CorruptError{Op: op, Path: w.path, Offset: off, Err: err}
}
