package vfs

import "slices"

const (
	// pageSize is the unit of copy-on-write: small, so that a write to a shared image copies little (chosen; that of
	// most machines).
	pageSize = 4096

	// maxMemFile is the largest file of a Mem in bytes: its page table is then at most 32 MiB.
	maxMemFile = 1 << 34
)

// epoch says who may change a page in place: the image whose own epoch it carries. It is not empty, so that every
// new one has an address of its own.
type epoch struct{ _ byte }

// page is pageSize bytes of a file, immutable once its epoch has ended.
type page struct {
	owner *epoch
	data  [pageSize]byte
}

// image is the content of a file. A copy made by freeze costs nothing however long the file is: both sides share pages
// until one of them writes.
type image struct {
	size  int64
	pages []*page // pages[i] begins at byte i*pageSize; nil, and what is behind the last one, reads as zeros
	own   *epoch  // nil: the page table is shared and is copied before the first change
}

// freeze returns a copy of the image and gives up the right to change anything in place.
func (im *image) freeze() image {
	im.own = nil
	return *im
}

// thaw makes the page table, and pages written from now on, the image's own.
func (im *image) thaw() {
	if im.own == nil {
		im.own = new(epoch)
		im.pages = slices.Clone(im.pages)
	}
}

// page returns page i for writing.
func (im *image) page(i int64) *page {
	for int64(len(im.pages)) <= i {
		im.pages = append(im.pages, nil)
	}
	p := im.pages[i]
	switch {
	case p == nil:
		p = &page{owner: im.own}
	case p.owner != im.own:
		p = &page{owner: im.own, data: p.data}
	}
	im.pages[i] = p
	return p
}

// readAt fills p from offset off and returns how many bytes there were.
func (im *image) readAt(p []byte, off int64) int {
	if off >= im.size {
		return 0
	}
	p = p[:min(int64(len(p)), im.size-off)]
	for rest := p; len(rest) > 0; {
		i, at := off/pageSize, off%pageSize
		n := min(len(rest), int(pageSize-at))
		if i < int64(len(im.pages)) && im.pages[i] != nil {
			copy(rest[:n], im.pages[i].data[at:])
		} else {
			clear(rest[:n])
		}
		rest, off = rest[n:], off+int64(n)
	}
	return len(p)
}

// writeAt puts p at offset off; the file grows as needed, and a gap reads as zeros.
func (im *image) writeAt(p []byte, off int64) {
	if len(p) == 0 {
		return
	}
	im.thaw()
	im.size = max(im.size, off+int64(len(p)))
	for len(p) > 0 {
		n := copy(im.page(off / pageSize).data[off%pageSize:], p)
		p, off = p[n:], off+int64(n)
	}
}

// truncate sets the size. What is cut off is gone: growing again reads as zeros.
func (im *image) truncate(size int64) {
	if size < im.size {
		im.thaw()
		keep := (size + pageSize - 1) / pageSize
		im.pages = im.pages[:min(int64(len(im.pages)), keep)]
		last := size / pageSize
		if last < int64(len(im.pages)) && im.pages[last] != nil {
			clear(im.page(last).data[size%pageSize:])
		}
	}
	im.size = size
}

// bytes returns a copy of the first size bytes.
func (im *image) bytes(size int64) []byte {
	b := make([]byte, size)
	im.readAt(b, 0)
	return b
}
