package vfs

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"syscall"
)

// Corrupt flips the bits of mask in the byte at offset off of a file, as a failing disk does: nothing counts as
// written, the damage is there after a CrashClone too (unless the byte is unsynced and lost), and open mappings show
// it. Nobody may read the byte through a mapping at the same time. It is an error if mask is 0 or off is not in the
// file.
func (m *Mem) Corrupt(name string, off int64, mask byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := m.file(name)
	switch {
	case err != nil:
	case mask == 0:
		err = fmt.Errorf("mask 0 changes nothing: %w", fs.ErrInvalid)
	case off < 0 || off >= f.cur.size:
		err = fmt.Errorf("offset %d is not in 0..%d: %w", off, f.cur.size-1, fs.ErrInvalid)
	}
	if err != nil {
		return pathError("corrupt", name, err)
	}
	f.damage(off, mask)
	return nil
}

// Bytes returns a copy of what the file holds now, synced or not.
func (m *Mem) Bytes(name string) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f, err := m.file(name)
	if err != nil {
		return nil, pathError("read", name, err)
	}
	return f.cur.bytes(f.cur.size), nil
}

// SetBytes makes b all that the file holds, durably and whatever was pending; if there is no such file, it and its
// name are made, durably too. The directory must be there. b is copied. Open mappings do not change.
func (m *Mem) SetBytes(name string, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, err := m.find(name)
	switch {
	case err != nil:
	case at.n != nil && at.n.dir != nil:
		err = syscall.EISDIR
	case len(b) > maxMemFile:
		err = syscall.EFBIG
	}
	if err != nil {
		return pathError("write", name, err)
	}
	if at.n == nil {
		at.n = newFileNode()
		at.dir.entries[at.base] = at.n
		at.dir.durable()[at.base] = at.n
	}
	var im image
	im.writeAt(b, 0)
	im.freeze()
	f := at.n.file
	f.cur, f.synced, f.pending, f.lost = im, im, nil, false
	return nil
}

// Files returns the names of all files, absolute and in ascending order of their elements.
func (m *Mem) Files() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return appendFiles(nil, "/", m.root.dir)
}

// appendFiles appends the names of all files below d, whose own name is dir.
func appendFiles(names []string, dir string, d *dirState) []string {
	for _, base := range sortedNames(d.entries) {
		name := path.Join(dir, base)
		if n := d.entries[base]; n.dir != nil {
			names = appendFiles(names, name, n.dir)
		} else {
			names = append(names, filepath.FromSlash(name))
		}
	}
	return names
}
