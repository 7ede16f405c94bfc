package vfs

import (
	"bytes"
	"io"
	"io/fs"
	"syscall"
)

// memFile is an open file of a Mem.
type memFile struct {
	m      *Mem
	f      *fileState
	name   string
	write  bool
	closed bool // guarded by m.mu
}

func (f *memFile) Name() string { return f.name }

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.RLock()
	defer f.m.mu.RUnlock()
	if f.closed {
		return 0, pathError("read", f.name, fs.ErrClosed)
	}
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	n := f.f.cur.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.changeable("write", off); err != nil {
		return 0, err
	}
	if int64(len(p)) > maxMemFile-off {
		return 0, pathError("write", f.name, syscall.EFBIG)
	}
	if len(p) > 0 {
		f.f.change(change{kind: writeData, off: off, data: bytes.Clone(p)})
	}
	return len(p), nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.RLock()
	defer f.m.mu.RUnlock()
	if f.closed {
		return 0, pathError("stat", f.name, fs.ErrClosed)
	}
	return f.f.cur.size, nil
}

func (f *memFile) Preallocate(size int64) error {
	return f.resize("preallocate", change{kind: growTo, off: size})
}

func (f *memFile) Truncate(size int64) error {
	return f.resize("truncate", change{kind: setSize, off: size})
}

func (f *memFile) resize(op string, c change) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.changeable(op, c.off); err != nil {
		return err
	}
	if c.off > maxMemFile {
		return pathError(op, f.name, syscall.EFBIG)
	}
	if size := f.f.cur.size; c.off != size && (c.kind == setSize || c.off > size) {
		f.f.change(c)
	}
	return nil
}

func (f *memFile) Sync() error { return f.settle((*fileState).sync) }

// SyncData is Sync: the model has no metadata that could be left out.
func (f *memFile) SyncData() error { return f.settle((*fileState).sync) }

// failSync lets the model know that a sync of this file has failed: see fileState.failSync.
func (f *memFile) failSync() error { return f.settle((*fileState).failSync) }

func (f *memFile) settle(how func(*fileState)) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.changeable("sync", 0); err != nil {
		return err
	}
	how(f.f)
	return nil
}

func (f *memFile) Map(size int64) (Mapping, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return nil, pathError("map", f.name, fs.ErrClosed)
	}
	if have := f.f.cur.size; size <= 0 || size > have {
		return nil, mapSizeError(f.name, size, have)
	}
	m := &memMapping{file: f, data: f.f.cur.bytes(size)}
	f.f.maps = append(f.f.maps, m)
	return m, nil
}

// changeable refuses what changes a file that is closed or was opened for reading, and a negative offset or size.
// f.m.mu must be held.
func (f *memFile) changeable(op string, n int64) error {
	switch {
	case f.closed:
		return pathError(op, f.name, fs.ErrClosed)
	case !f.write:
		return pathError(op, f.name, fs.ErrPermission)
	case n < 0:
		return pathError(op, f.name, fs.ErrInvalid)
	}
	return nil
}

// memMapping is a copy of a file's bytes.
type memMapping struct {
	file *memFile
	data []byte // nil once closed; guarded by file.m.mu
}

func (m *memMapping) Bytes() []byte {
	m.file.m.mu.RLock()
	defer m.file.m.mu.RUnlock()
	return m.data
}

func (m *memMapping) Close() error {
	m.file.m.mu.Lock()
	defer m.file.m.mu.Unlock()
	if m.data == nil {
		return pathError("unmap", m.file.name, fs.ErrClosed)
	}
	for i := range m.data { // whoever still reads it is to notice: the real one would end the process
		m.data[i] = 0xdb
	}
	m.data = nil
	m.file.f.unmap(m)
	return nil
}
