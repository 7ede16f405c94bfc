package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
)

// OS is the file system of the operating system. Its zero value is ready to use and holds no state: vfs.OS{}.
//
// Files are made with mode 0600 and directories with 0700, less the process's umask. System calls interrupted by a
// signal are repeated. On Windows a file that is open or mapped can be neither removed nor replaced.
type OS struct{}

var (
	_ FS      = OS{}
	_ File    = (*osFile)(nil)
	_ Mapping = (*osMapping)(nil)
)

const (
	fileMode = 0o600
	dirMode  = 0o700

	// zeroChunk is the length of one write of zeros by Preallocate: large enough that a 64-MiB segment takes 64 calls,
	// small enough to be of no weight (chosen).
	zeroChunk = 1 << 20
)

// Create implements [FS].
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	return newOSFile(f, name, true)
}

// Open implements [FS]. Only regular files are opened: a directory or a device is an error.
func (OS) Open(name string, write bool) (File, error) {
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := os.OpenFile(name, flag|openFlags, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = pathError("open", name, errNotRegular(info.IsDir()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return newOSFile(f, name, write)
}

// Rename implements [FS].
func (OS) Rename(oldname, newname string) error { return os.Rename(oldname, newname) }

// Remove implements [FS].
func (OS) Remove(name string) error { return os.Remove(name) }

// MkdirAll implements [FS].
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, dirMode) }

// ReadDir implements [FS].
func (OS) ReadDir(dir string) (names []string, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if names, err = d.Readdirnames(-1); err != nil {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// Stat implements [FS]. Symbolic links are followed.
func (OS) Stat(name string) (Info, error) {
	info, err := os.Stat(name)
	if err != nil {
		return Info{}, err
	}
	if info.IsDir() {
		return Info{Dir: true}, nil
	}
	return Info{Size: info.Size()}, nil
}

// SyncDir implements [FS]. On Windows it only checks that dir is a directory: see syncDir there.
func (OS) SyncDir(dir string) error { return syncDir(dir) }

// osFile is an open file of the operating system.
type osFile struct {
	f     *os.File
	raw   syscall.RawConn // keeps the descriptor open for the length of one call, whatever Close does meanwhile
	name  string
	write bool
}

func newOSFile(f *os.File, name string, write bool) (File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(pathError("open", name, err), f.Close())
	}
	return &osFile{f: f, raw: raw, name: name, write: write}, nil
}

func (f *osFile) Name() string { return f.name }

func (f *osFile) Close() error { return f.f.Close() }

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, pathError("read", f.name, fs.ErrInvalid)
	}
	return f.f.ReadAt(p, off)
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.writable("write", off); err != nil {
		return 0, err
	}
	n, err := f.f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = pathError("write", f.name, io.ErrShortWrite)
	}
	return n, err
}

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Preallocate reserves the blocks first, which fails early when the disk is full and keeps them together, and then
// writes zeros into what is new. A reservation alone is not enough: the first write into a reserved block changes the
// block's state from unwritten to written, and that is a metadata update in every following sync.
func (f *osFile) Preallocate(size int64) error {
	if err := f.writable("preallocate", size); err != nil {
		return err
	}
	have, err := f.Size()
	if err != nil || size == 0 {
		return err
	}
	return f.extend(have, size, reserve)
}

// extend is Preallocate for a file that is have bytes long, with reserve for getting the blocks.
func (f *osFile) extend(have, size int64, reserve func(fd uintptr, have, size int64) error) error {
	err := f.control(func(fd uintptr) error { return reserve(fd, have, size) })
	if err == nil {
		err = f.zero(have, size)
	}
	if err == nil {
		return nil
	}
	err = pathError("preallocate", f.name, err)
	if now, serr := f.Size(); serr == nil && now > have {
		err = errors.Join(err, f.f.Truncate(have)) // Gives back the blocks that a full disk needs most.
	}
	return err
}

// zero writes zeros from offset from up to offset to; nothing if there is nothing between them.
func (f *osFile) zero(from, to int64) error {
	if from >= to {
		return nil
	}
	zeros := make([]byte, min(zeroChunk, to-from))
	for from < to {
		n, err := f.f.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return withoutPath(err)
		}
		from += int64(n)
	}
	return nil
}

func (f *osFile) Truncate(size int64) error {
	if err := f.writable("truncate", size); err != nil {
		return err
	}
	return f.f.Truncate(size)
}

func (f *osFile) Sync() error {
	if err := f.writable("sync", 0); err != nil {
		return err
	}
	return f.f.Sync() // On darwin this is F_FULLFSYNC.
}

func (f *osFile) SyncData() error {
	if err := f.writable("sync", 0); err != nil {
		return err
	}
	return syncData(f)
}

func (f *osFile) Map(size int64) (Mapping, error) {
	have, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size <= 0 || size > have || size > math.MaxInt {
		return nil, mapSizeError(f.name, size, have)
	}
	var m *osMapping
	err = f.control(func(fd uintptr) error {
		data, err := mmap(fd, int(size))
		m = &osMapping{name: f.name}
		m.data.Store(&data)
		return err
	})
	if err != nil {
		return nil, pathError("map", f.name, err)
	}
	return m, nil
}

// writable refuses what changes a file that was opened for reading, and a negative offset or size.
func (f *osFile) writable(op string, n int64) error {
	if !f.write {
		return pathError(op, f.name, fs.ErrPermission)
	}
	if n < 0 {
		return pathError(op, f.name, fs.ErrInvalid)
	}
	return nil
}

// control runs fn with the descriptor, which stays open until fn returns.
func (f *osFile) control(fn func(fd uintptr) error) error {
	return control(f.raw, fn)
}

// control runs fn with the descriptor of c; fs.ErrClosed if it is closed.
func control(c syscall.RawConn, fn func(fd uintptr) error) error {
	var err error
	if c.Control(func(fd uintptr) { err = fn(fd) }) != nil {
		return fs.ErrClosed
	}
	return err
}

// osMapping is a mapped view; data is nil once it is closed.
type osMapping struct {
	name string
	data atomic.Pointer[[]byte]
}

func (m *osMapping) Bytes() []byte {
	if p := m.data.Load(); p != nil {
		return *p
	}
	return nil
}

func (m *osMapping) Close() error {
	p := m.data.Swap(nil)
	if p == nil {
		return pathError("unmap", m.name, fs.ErrClosed)
	}
	if err := munmap(*p); err != nil {
		return pathError("unmap", m.name, err)
	}
	return nil
}
