package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Files of a header, a body and a checksum: manifest, state and what was needed. Without one of the first two nothing
// of a space can be told, so these hold everything twice, in different pages: damage to one copy costs nothing, is
// told, and goes with the next file. So does damage to both, in pages of which one is whole.

const (
	// copyGrid is what the second copy begins at a multiple of.
	copyGrid = 4096
	// maxFileBody bounds what is read of a copy before its length is believed.
	maxFileBody = 1 << 30
	// fileFrame is what a copy has besides its body: header, length and checksum.
	fileFrame = codec.HeaderSize + 8 + 4
)

// fileKind is what one kind of these files is.
type fileKind struct {
	kind   string
	newest uint32 // version
	twice  uint32 // files of this version and of later ones hold everything twice; 0: none
	// check, if not nil, refuses a copy that is of another file.
	check func(codec.Header) error
	// later, if not nil, reports whether a copy is of a later file than another one. Without it there is no other file
	// of that name.
	later func(one, other framed) bool
}

// of is the kind for the file of a space and a number.
func (k fileKind) of(path string, store [16]byte, number uint64) fileKind {
	k.check = func(h codec.Header) error { return h.Check(path, store, number) }
	return k
}

var (
	manifestFile = fileKind{kind: manifestKind, newest: manifestVersion, twice: 4, later: laterManifest}
	stateFile    = fileKind{kind: stateKind, newest: stateVersion, twice: 5}
	needFile     = fileKind{kind: needKind, newest: needVersion}
)

// framed is such a file as it was read.
type framed struct {
	header    codec.Header
	body      []byte
	sizeBytes int64 // of the file
	mended    error // the damage to one copy, of which the other is whole
}

// writeFile makes a durable file of header, body and checksum under name, replacing what stood there in one step.
func writeFile(fsys vfs.FS, name string, h codec.Header, body []byte) (sizeBytes int64, err error) {
	b := fileBytes(h, body)
	return int64(len(b)), writeCopies(fsys, name, b, 0)
}

// writeTwice is writeFile of a file that holds everything twice.
func writeTwice(fsys vfs.FS, name string, h codec.Header, body []byte) (sizeBytes int64, err error) {
	b := fileBytes(h, body)
	second := secondAt(int64(len(b)))
	return second + int64(len(b)), writeCopies(fsys, name, b, second)
}

// secondAt is where the second copy of a file begins, the first of which has so many bytes: in another page.
func secondAt(firstBytes int64) int64 { return (firstBytes + copyGrid - 1) &^ (copyGrid - 1) }

// twice is a file of two copies of b.
func twice(b []byte) []byte {
	return append(append(b[:len(b):len(b)], make([]byte, secondAt(int64(len(b)))-int64(len(b)))...), b...)
}

// writeCopies writes b, and again at offset second if that is not 0.
func writeCopies(fsys vfs.FS, name string, b []byte, second int64) (err error) {
	if len(b) > maxFileBody {
		return fmt.Errorf("write file of %d bytes: at most %d can be read again", len(b), maxFileBody)
	}
	aside := name + ".tmp"
	if err := fsys.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear leftover: %w", err)
	}
	if err := isolate.Fault("store/file.create"); err != nil {
		return err
	}
	f, err := fsys.Create(aside)
	if err != nil {
		return fmt.Errorf("create file: %w", err)
	}
	if _, err = f.WriteAt(b, 0); err == nil && second > 0 {
		_, err = f.WriteAt(b, second)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write file: %w", errors.Join(err, fsys.Remove(aside)))
	}
	if err := isolate.Fault("store/file.rename"); err != nil {
		return err
	}
	if err := fsys.Rename(aside, name); err != nil {
		return fmt.Errorf("name file: %w", errors.Join(err, fsys.Remove(aside)))
	}
	if err := isolate.Fault("store/file.directory"); err != nil {
		return err
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// fileBytes is what a file of header and body holds.
func fileBytes(h codec.Header, body []byte) []byte {
	e := codec.Encoder{Buf: codec.AppendHeader(make([]byte, 0, fileFrame+len(body)), h)}
	e.U64(uint64(len(body)))
	e.Raw(body)
	e.U32(codec.Checksum(codec.Seed(h.Store, h.Number), e.Buf[codec.HeaderSize:]))
	return e.Buf
}

// read reads what writeFile or writeTwice wrote. Damage is a *codec.CorruptError. The second copy is looked at if the
// first is not whole, or with both.
func (k fileKind) read(fsys vfs.FS, name string, both bool) (r framed, err error) {
	f, err := fsys.Open(name, false)
	if err != nil {
		return r, fmt.Errorf("open file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	size, err := f.Size()
	if err != nil {
		return r, fmt.Errorf("read file: %w", err)
	}
	r, end, first := k.copyAt(f, 0, size)
	r.sizeBytes = size
	switch {
	case first == nil && (k.twice == 0 || r.header.Version < k.twice):
		if end != size {
			return framed{}, corruptFile(name, end, "it has %d bytes, more than it says", size)
		}
		return r, nil
	case first == nil && !both && size == secondAt(end)+end:
		return r, nil
	case first != nil && (k.twice == 0 || !errors.Is(first, codec.ErrCorrupt)):
		return framed{}, first
	case first == nil:
		return k.compared(f, r, end, size)
	}
	if isolate.Off("second copies") {
		return framed{}, first
	}
	r, err = k.last(f, size)
	if errors.Is(err, codec.ErrCorrupt) {
		r, err = k.together(f, size)
	}
	if errors.Is(err, codec.ErrCorrupt) {
		err = first
	}
	if err != nil {
		return framed{}, err
	}
	r.sizeBytes, r.mended = size, oneOfTwo(first)
	return r, nil
}

// compared looks at the second copy, behind the first, which is whole and ends at an offset.
func (k fileKind) compared(f vfs.File, r framed, end, size int64) (framed, error) {
	other, last, second := k.copyAt(f, secondAt(end), size)
	if second == nil && last != size {
		second = corruptFile(f.Name(), last, "it has %d bytes, more than it says", size)
	}
	if errors.Is(second, codec.ErrCorrupt) { // of another length than the first?
		if found, err := k.last(f, size); err == nil {
			other, second = found, nil
		}
	}
	if second != nil && !errors.Is(second, codec.ErrCorrupt) {
		return framed{}, second
	}
	if second == nil && (other.header != r.header || !bytes.Equal(other.body, r.body)) {
		second = corruptFile(f.Name(), secondAt(end), "the second copy differs from the first")
		if k.later != nil && k.later(other, r) &&
			!isolate.Off("the later copy") { // a page of an earlier file has come back
			second = corruptFile(f.Name(), 0, "the first copy is of an earlier file than the second")
			r = other
		}
	}
	r.sizeBytes, r.mended = size, oneOfTwo(second)
	return r, nil
}

// last reads the second copy by itself: it ends the file, and begins where one of its length does.
func (k fileKind) last(f vfs.File, size int64) (framed, error) {
	at := secondAt((size + 1) / 2)
	r, end, err := k.copyAt(f, at, size)
	if err == nil && (end != size || at != secondAt(size-at) || r.header.Version < k.twice) {
		err = corruptFile(f.Name(), at, "it is no second copy")
	}
	return r, err
}

// maxDiffering bounds the pages in which two copies may differ that are put together. Chosen: 256 ways, of which one
// that is wrong has the right checksum, by chance, in one of 16 million files that are damaged so.
const maxDiffering = 8

// together puts a whole copy together of two that are damaged in different pages, as where one page of the first has
// been swapped with another one of the second: of pages that differ, each may be the right one.
func (k fileKind) together(f vfs.File, size int64) (framed, error) {
	at := secondAt((size + 1) / 2)
	n := size - at
	none := corruptFile(f.Name(), 0, "its copies cannot be put together")
	if isolate.Off("copies put together") || n < fileFrame || at != secondAt(n) || n > maxFileBody {
		return framed{}, none
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return framed{}, fmt.Errorf("read file: %w", err)
	}
	first, second := b[:n], b[at:]
	var differ []int
	for from := 0; from < len(first); from += copyGrid {
		if to := min(from+copyGrid, len(first)); !bytes.Equal(first[from:to], second[from:to]) {
			differ = append(differ, from)
		}
	}
	if len(differ) > maxDiffering {
		return framed{}, none
	}
	mixed := make([]byte, n)
	for way := range 1 << len(differ) {
		copy(mixed, first)
		for i, from := range differ {
			if way>>i&1 != 0 {
				copy(mixed[from:min(from+copyGrid, len(mixed))], second[from:])
			}
		}
		r, end, err := k.copyAt(named{bytes.NewReader(mixed), f.Name()}, 0, n)
		if err == nil && end == n && r.header.Version >= k.twice {
			return r, nil
		}
	}
	return framed{}, none
}

// fileSource is what copies are read from.
type fileSource interface {
	io.ReaderAt
	Name() string
}

// named is what was put together, by the name of its file.
type named struct {
	*bytes.Reader
	name string
}

func (n named) Name() string { return n.name }

// oneOfTwo tells of damage that costs nothing.
func oneOfTwo(damage error) error {
	var corrupt *codec.CorruptError
	if !errors.As(damage, &corrupt) {
		return nil
	}
	told := *corrupt
	told.Err = fmt.Errorf("%w; a second copy of it is whole there, and the next sealing writes both anew", corrupt.Err)
	return &told
}

func corruptFile(name string, offset int64, format string, args ...any) error {
	return &codec.CorruptError{Op: "read file", Path: name, Offset: offset, Err: fmt.Errorf(format, args...)}
}

// copyAt reads the copy at an offset of a file of so many bytes; end is where it ends.
func (k fileKind) copyAt(f fileSource, at, size int64) (r framed, end int64, err error) {
	if size-at < fileFrame {
		return r, 0, corruptFile(f.Name(), at, "it ends too early")
	}
	start := make([]byte, codec.HeaderSize+8)
	if n, err := f.ReadAt(start, at); n < len(start) {
		return r, 0, fmt.Errorf("read file: %w", err)
	}
	if r.header, err = codec.ReadHeader(f.Name(), start, k.kind, k.newest); err != nil {
		return r, 0, err
	}
	if k.check != nil {
		if err := k.check(r.header); err != nil {
			return r, 0, err
		}
	}
	n := codec.NewDecoder(start[codec.HeaderSize:]).U64()
	if n > maxFileBody || int64(n) > size-at-fileFrame {
		return r, 0, corruptFile(f.Name(), at+codec.HeaderSize, "it says that its body has %d bytes, the file has %d",
			n, size)
	}
	b := make([]byte, 8+n+4)
	if n, err := f.ReadAt(b, at+codec.HeaderSize); n < len(b) {
		return r, 0, fmt.Errorf("read file: %w", err)
	}
	want := codec.NewDecoder(b[len(b)-4:]).U32()
	if got := codec.Checksum(codec.Seed(r.header.Store, r.header.Number), b[:len(b)-4]); got != want {
		return r, 0, corruptFile(f.Name(), at+codec.HeaderSize, "checksum is %08x, file says %08x", got, want)
	}
	r.body = b[8 : len(b)-4]
	return r, at + codec.HeaderSize + int64(len(b)), nil
}
