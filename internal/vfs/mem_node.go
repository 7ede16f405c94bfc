package vfs

import (
	"maps"
	"slices"
)

// node is a file or a directory of a Mem; Mem.mu guards all of it.
type node struct {
	dir  *dirState  // nil for a file
	file *fileState // nil for a directory
}

func newDirNode() *node {
	return &node{dir: &dirState{entries: map[string]*node{}, shared: true}}
}

func newFileNode() *node { return &node{file: &fileState{}} }

// nameOp is one change of a directory: node n loses the name from, gets the name to, or, when a file is renamed
// within its directory, both at once. A name that does not take part is empty.
type nameOp struct {
	from, to string
	n        *node
}

// apply makes the change in names. A name that by now stands for another node is left alone.
func (op nameOp) apply(names map[string]*node) {
	if op.from != "" && names[op.from] == op.n {
		delete(names, op.from)
	}
	if op.to != "" {
		names[op.to] = op.n
	}
}

// dirState is what a directory holds: the names in force, and those that a power cut leaves for certain.
type dirState struct {
	entries map[string]*node
	synced  map[string]*node // nil while shared
	shared  bool             // entries are all synced, and no second map has been needed yet
	pending []nameOp         // oldest first: what leads from synced to entries
}

// change does op and remembers that it is not durable.
func (d *dirState) change(op nameOp) {
	if d.shared {
		d.shared, d.synced = false, maps.Clone(d.entries)
	}
	op.apply(d.entries)
	d.pending = append(d.pending, op)
}

// sync makes all names durable.
func (d *dirState) sync() {
	for _, op := range d.pending {
		op.apply(d.synced)
	}
	d.pending = nil
}

// durable returns the names that a power cut leaves for certain; the caller must not change the map.
func (d *dirState) durable() map[string]*node {
	if d.shared {
		return d.entries
	}
	return d.synced
}

// changeKind says what a change of a file does.
type changeKind uint8

const (
	writeData changeKind = iota // data goes to offset off
	setSize                     // the size becomes off
	growTo                      // the size becomes off unless it is more
)

// change is one change of a file since its last sync.
type change struct {
	kind changeKind
	off  int64
	data []byte
	safe bool // a later sync made it durable, although one before it in the list is not
	lost bool // a sync failed after it: no later sync makes it durable
}

// apply makes the change in im.
func (c *change) apply(im *image) {
	switch c.kind {
	case writeData:
		im.writeAt(c.data, c.off)
	case setSize:
		im.truncate(c.off)
	case growTo:
		im.truncate(max(im.size, c.off))
	}
}

// fileState is what a file holds: the content in force, and what a power cut leaves of it.
type fileState struct {
	cur     image
	synced  image    // frozen
	pending []change // oldest first: what leads from synced to cur
	lost    bool     // a change in pending is lost
	locked  bool
	maps    []*memMapping
}

// change does c and remembers that it is not durable. The data of c is kept.
func (f *fileState) change(c change) {
	c.apply(&f.cur)
	f.pending = append(f.pending, c)
}

// sync makes all changes durable but those that a failed sync has lost.
func (f *fileState) sync() {
	if !f.lost {
		f.synced, f.pending = f.cur.freeze(), nil
		return
	}
	for i := range f.pending {
		f.pending[i].safe = !f.pending[i].lost
	}
}

// failSync notes that a sync failed. As on Linux, the pages then count as clean, so that the next sync says that all
// is well and writes none of them: what is pending now stays in doubt for ever.
func (f *fileState) failSync() {
	for i := range f.pending {
		if !f.pending[i].safe {
			f.pending[i].lost, f.lost = true, true
		}
	}
}

// damage flips the bits of mask in the byte at offset off, wherever the file system has it: in what is read, in what a
// power cut leaves, in writes that are under way, and in open mappings.
func (f *fileState) damage(off int64, mask byte) {
	flip := func(im *image) {
		var b [1]byte
		if im.readAt(b[:], off) == 1 {
			im.writeAt([]byte{b[0] ^ mask}, off)
		}
	}
	flip(&f.cur)
	flip(&f.synced)
	f.synced.freeze()
	for _, c := range f.pending {
		if i := off - c.off; c.kind == writeData && i >= 0 && i < int64(len(c.data)) {
			c.data[i] ^= mask
		}
	}
	for _, m := range f.maps {
		if off < int64(len(m.data)) {
			m.data[off] ^= mask
		}
	}
}

// unmap forgets an open mapping.
func (f *fileState) unmap(m *memMapping) {
	f.maps = slices.DeleteFunc(f.maps, func(have *memMapping) bool { return have == m })
}
