package vfs

import (
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Mem is a file system in memory that forgets on a power cut whatever POSIX allows it to forget.
//
// A file has the content in force and the content at its last sync, with the changes between them in order; a
// directory has the names in force and the names at its last SyncDir, likewise. [Mem.CrashClone] makes a second Mem
// of what a power cut at this moment would leave. Nothing is durable by accident: syncing a file does not sync its
// name, syncing a directory does not sync what is in its files, and a directory made by MkdirAll is a name in its
// parent that lasts after SyncDir of the parent.
//
// Names are absolute; a relative name means the same as with a slash before it. The root is always there. A file can
// be 16 GiB long. Zeros take no memory.
//
// A mapping shows the file as it was when Map was called, and does not follow later writes as a real one does: sealed
// files are not written after they are mapped. [Mem.Corrupt] does show in open mappings.
//
// A Mem is safe for concurrent use. CrashClone sees every other operation as done or not begun.
type Mem struct {
	mu   sync.RWMutex // guards the whole tree, so that a clone is of one moment
	root *node
}

var (
	_ FS      = (*Mem)(nil)
	_ File    = (*memFile)(nil)
	_ Mapping = (*memMapping)(nil)
)

// NewMem returns a file system with nothing in it but its root directory.
func NewMem() *Mem { return &Mem{root: newDirNode()} }

// Create implements [FS].
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.find(name)
	if err == nil && at.n != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{m: m, f: at.create().file, name: name, write: true}, nil
}

// Open implements [FS].
func (m *Mem) Open(name string, write bool) (File, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.file(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	return &memFile{m: m, f: f, name: name, write: write}, nil
}

// Rename implements [FS]. Within one directory it is one change, which a power cut leaves done or undone. Between
// two, the new name and the end of the old one are durable each with its own directory, so that a power cut can leave
// both names, or neither if only the old directory was synced.
func (m *Mem) Rename(oldname, newname string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, err := m.find(oldname)
	if err == nil && from.n == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return linkError(oldname, newname, err)
	}
	to, err := m.find(newname)
	switch {
	case err != nil:
		return linkError(oldname, newname, err)
	case from.dir == nil || from.n.dir != nil && strings.HasPrefix(clean(newname), clean(oldname)+"/"):
		return linkError(oldname, newname, syscall.EINVAL)
	case from.n == to.n:
		return nil
	case to.n != nil && to.n.dir != nil:
		return linkError(oldname, newname, fs.ErrExist)
	case to.n != nil && from.n.dir != nil:
		return linkError(oldname, newname, syscall.ENOTDIR)
	}
	if from.dir == to.dir {
		from.dir.change(nameOp{from: from.base, to: to.base, n: from.n})
		return nil
	}
	to.dir.change(nameOp{to: to.base, n: from.n})
	from.dir.change(nameOp{from: from.base, n: from.n})
	return nil
}

// Remove implements [FS]. A file that is open or mapped lives on without its name.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.find(name)
	switch {
	case err != nil:
	case at.n == nil:
		err = fs.ErrNotExist
	case at.dir == nil:
		err = syscall.EBUSY
	case at.n.dir != nil && len(at.n.dir.entries) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	at.dir.change(nameOp{from: at.base, n: at.n})
	return nil
}

// MkdirAll implements [FS].
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for _, base := range elements(dir) {
		next := n.dir.entries[base]
		if next == nil {
			next = newDirNode()
			n.dir.change(nameOp{to: base, n: next})
		}
		if next.dir == nil {
			return pathError("mkdir", dir, syscall.ENOTDIR)
		}
		n = next
	}
	return nil
}

// ReadDir implements [FS].
func (m *Mem) ReadDir(dir string) ([]string, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d, err := m.dir(dir)
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	return sortedNames(d.entries), nil
}

// Stat implements [FS].
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at, err := m.find(name)
	if err == nil && at.n == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, pathError("stat", name, err)
	}
	if at.n.dir != nil {
		return Info{Dir: true}, nil
	}
	return Info{Size: at.n.file.cur.size}, nil
}

// SyncDir implements [FS].
func (m *Mem) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, err := m.dir(dir)
	if err != nil {
		return pathError("sync", dir, err)
	}
	d.sync()
	return nil
}

// Lock implements [FS]. The lock belongs to the file, whatever its name becomes, and does not survive a CrashClone.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.find(name)
	if err == nil && at.n != nil && at.n.dir != nil {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("lock", name, err)
	}
	if at.n == nil {
		at.n = at.create()
	}
	f := &memFile{m: m, f: at.n.file, name: name, write: true}
	if f.f.locked {
		line := f.f.cur.bytes(pidLen)
		return nil, &LockedError{Path: name, PID: parsePID(line)}
	}
	f.f.locked = true
	f.f.change(change{kind: writeData, data: pidLine(os.Getpid())})
	return &memLock{f: f}, nil
}

// memLock is a held lock.
type memLock struct{ f *memFile }

// Close takes the pid out of the file and ends the lock; fs.ErrClosed if it has been closed before.
func (l *memLock) Close() error {
	l.f.m.mu.Lock()
	defer l.f.m.mu.Unlock()
	if l.f.closed {
		return pathError("close", l.f.name, fs.ErrClosed)
	}
	l.f.closed, l.f.f.locked = true, false
	l.f.f.change(change{kind: writeData, data: pidLine(0)})
	return nil
}

// place is where a name leads: the directory that holds it, its last element, and the node it stands for, if any.
// The root has neither directory nor element.
type place struct {
	dir  *dirState
	base string
	n    *node
}

// create makes an empty file here. There must be nothing here yet, and m.mu must be held for writing.
func (p *place) create() *node {
	n := newFileNode()
	p.dir.change(nameOp{to: p.base, n: n})
	return n
}

// find follows name. That its last element does not exist is no error, that anything before it does not is. m.mu
// must be held, as for all that follow.
func (m *Mem) find(name string) (place, error) {
	if name == "" {
		return place{}, fs.ErrNotExist
	}
	at := place{n: m.root}
	for _, base := range elements(name) {
		if at.n == nil {
			return place{}, fs.ErrNotExist
		}
		if at.n.dir == nil {
			return place{}, syscall.ENOTDIR
		}
		at = place{dir: at.n.dir, base: base, n: at.n.dir.entries[base]}
	}
	return at, nil
}

// file finds a file that is there.
func (m *Mem) file(name string) (*fileState, error) {
	at, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case at.n == nil:
		return nil, fs.ErrNotExist
	case at.n.dir != nil:
		return nil, syscall.EISDIR
	}
	return at.n.file, nil
}

// dir finds a directory that is there.
func (m *Mem) dir(name string) (*dirState, error) {
	at, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case at.n == nil:
		return nil, fs.ErrNotExist
	case at.n.dir == nil:
		return nil, syscall.ENOTDIR
	}
	return at.n.dir, nil
}

// clean returns the one form of name that all its spellings share: slashes, one of them at the front.
func clean(name string) string { return path.Clean("/" + filepath.ToSlash(name)) }

// elements returns the elements of name; none for the root.
func elements(name string) []string {
	c := clean(name)
	if c == "/" {
		return nil
	}
	return strings.Split(c[1:], "/")
}

// sortedNames returns the names in ascending byte order, never nil.
func sortedNames(entries map[string]*node) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
