package vfs

import (
	"errors"
	"io"
)

// Create implements [FS].
func (f *Fault) Create(name string) (File, error) {
	return f.open(Op{Kind: OpCreate, Name: name}, func() (File, error) { return f.base.Create(name) })
}

// Open implements [FS].
func (f *Fault) Open(name string, write bool) (File, error) {
	return f.open(Op{Kind: OpOpen, Name: name}, func() (File, error) { return f.base.Open(name, write) })
}

func (f *Fault) open(op Op, open func() (File, error)) (File, error) {
	var file File
	err := f.do(op, func() (err error) {
		file, err = open()
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &faultFile{fault: f, base: file}, nil
}

// Rename implements [FS].
func (f *Fault) Rename(oldname, newname string) error {
	op := Op{Kind: OpRename, Name: oldname, NewName: newname}
	return f.do(op, func() error { return f.base.Rename(oldname, newname) }, nil)
}

// Remove implements [FS].
func (f *Fault) Remove(name string) error {
	return f.do(Op{Kind: OpRemove, Name: name}, func() error { return f.base.Remove(name) }, nil)
}

// MkdirAll implements [FS].
func (f *Fault) MkdirAll(dir string) error {
	return f.do(Op{Kind: OpMkdirAll, Name: dir}, func() error { return f.base.MkdirAll(dir) }, nil)
}

// ReadDir implements [FS].
func (f *Fault) ReadDir(dir string) (names []string, err error) {
	err = f.do(Op{Kind: OpReadDir, Name: dir}, func() (err error) {
		names, err = f.base.ReadDir(dir)
		return err
	}, nil)
	return names, err
}

// Stat implements [FS].
func (f *Fault) Stat(name string) (info Info, err error) {
	err = f.do(Op{Kind: OpStat, Name: name}, func() (err error) {
		info, err = f.base.Stat(name)
		return err
	}, nil)
	return info, err
}

// SyncDir implements [FS].
func (f *Fault) SyncDir(dir string) error {
	return f.do(Op{Kind: OpSyncDir, Name: dir}, func() error { return f.base.SyncDir(dir) }, nil)
}

// Lock implements [FS].
func (f *Fault) Lock(name string) (io.Closer, error) {
	var lock io.Closer
	err := f.do(Op{Kind: OpLock, Name: name}, func() (err error) {
		lock, err = f.base.Lock(name)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &faultLock{fault: f, base: lock, name: name}, nil
}

// close closes c, even if the operation is made to fail.
func (f *Fault) close(name string, c io.Closer) error {
	return f.do(Op{Kind: OpClose, Name: name}, c.Close, func(error) {
		_ = c.Close() // The caller gets the injected error, which stands for this one.
	})
}

// faultLock is a held lock.
type faultLock struct {
	fault *Fault
	base  io.Closer
	name  string
}

func (l *faultLock) Close() error { return l.fault.close(l.name, l.base) }

// faultMapping is a mapping whose Close counts.
type faultMapping struct {
	Mapping

	fault *Fault
	name  string
}

func (m *faultMapping) Close() error { return m.fault.close(m.name, m.Mapping) }

// faultFile is an open file whose operations count.
type faultFile struct {
	fault *Fault
	base  File
}

func (f *faultFile) Name() string { return f.base.Name() }

func (f *faultFile) Close() error { return f.fault.close(f.Name(), f.base) }

func (f *faultFile) op(kind OpKind, off int64, n int) Op {
	return Op{Kind: kind, Name: f.Name(), Off: off, Len: n}
}

func (f *faultFile) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.fault.do(f.op(OpRead, off, len(p)), func() (err error) {
		n, err = f.base.ReadAt(p, off)
		return err
	}, nil)
	return n, err
}

func (f *faultFile) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.fault.do(f.op(OpWrite, off, len(p)), func() (err error) {
		n, err = f.base.WriteAt(p, off)
		return err
	}, func(injected error) {
		if short, ok := errors.AsType[*ShortWrite](injected); ok {
			k := max(0, min(short.N, len(p)))
			n, _ = f.base.WriteAt(p[:k], off) // An error of its own is covered by the injected one.
		}
	})
	return n, err
}

func (f *faultFile) Size() (size int64, err error) {
	err = f.fault.do(f.op(OpStat, 0, 0), func() (err error) {
		size, err = f.base.Size()
		return err
	}, nil)
	return size, err
}

func (f *faultFile) Preallocate(size int64) error {
	return f.fault.do(f.op(OpPreallocate, size, 0), func() error { return f.base.Preallocate(size) }, nil)
}

func (f *faultFile) Truncate(size int64) error {
	return f.fault.do(f.op(OpTruncate, size, 0), func() error { return f.base.Truncate(size) }, nil)
}

func (f *faultFile) Sync() error {
	return f.fault.do(f.op(OpSync, 0, 0), f.base.Sync, func(error) { f.failSync() })
}

func (f *faultFile) SyncData() error {
	return f.fault.do(f.op(OpSyncData, 0, 0), f.base.SyncData, func(error) { f.failSync() })
}

// failSync tells the model of durability underneath, if there is one, that a sync of this file has failed.
func (f *faultFile) failSync() {
	switch base := f.base.(type) {
	case *memFile:
		_ = base.failSync() // It fails only where the sync would have failed anyway.
	case *faultFile:
		base.failSync()
	}
}

func (f *faultFile) Map(size int64) (Mapping, error) {
	var m Mapping
	err := f.fault.do(f.op(OpMap, size, 0), func() (err error) {
		m, err = f.base.Map(size)
		return err
	}, nil)
	if err != nil {
		return nil, err
	}
	return &faultMapping{Mapping: m, fault: f.fault, name: f.Name()}, nil
}
