package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Sealed is a sealed segment: a file that is never written again.
type Sealed struct {
	meta
	in     input
	holder io.Closer // the mapping, or the file
	// When the vectors and the codes of each group were verified, and what was found; see freshness.
	vectorsSeen []seen
	codesSeen   []seen
	made        []atomic.Pointer[madeCodes] // of version 1, or in place of damaged ones; see madeCodes
	opened      time.Time
}

// meta is what Open reads of a segment; constant.
type meta struct {
	file File
	path string
	seed uint32
	sum  summary
	// What the vectors' blocks say: scans need it of every vector.
	slots     []uint32
	invNorms  []float32
	vecCRC    []uint32
	scales    []float32
	residuals []float32
	codesCRC  []uint32
	badBlock  map[uint32]error // vectors whose block is damaged
	// unpacker unpacks bodies, if they are packed; badDict is why it cannot be had.
	unpacker *unpacker
	badDict  error
	mends    *mends // damage that a second copy made up for
}

// Open opens a sealed segment whose size the manifest knows. It verifies header, summary and size; lines, bodies and
// vectors are verified as they are read. Damage of the former, or a missing file, is a *codec.CorruptError; a file of
// a newer version is a *codec.FormatError. Where something is damaged of which there is a copy that counts, see Mended.
// Of a file that is shorter than it is to be, what is there is read, if it has all lines.
func Open(f File, sizeBytes int64) (*Sealed, error) {
	w := &Sealed{meta: meta{file: f, path: f.Path(), seed: f.seed(), mends: &mends{}}, opened: time.Now()}
	file, err := f.FS.Open(w.path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, w.corrupt("open segment", -1, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	whole, err := w.open(file, sizeBytes)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if w.sum.tier == Cold || !whole {
		w.in, w.holder = input{file: file}, file
		return w, nil
	}
	mapping, err := file.Map(sizeBytes)
	if err = errors.Join(err, file.Close()); err != nil { // the mapping stays
		return nil, fmt.Errorf("map segment: %w", err)
	}
	w.in, w.holder = input{data: mapping.Bytes()}, mapping
	return w, nil
}

// open reads what is needed before the first read; whole is false if the end of the file is gone.
func (w *Sealed) open(file vfs.File, sizeBytes int64) (whole bool, err error) {
	size, err := file.Size()
	if err != nil {
		return false, fmt.Errorf("open segment: %w", err)
	}
	w.in = input{file: file, windows: &windows{end: size}}
	if err := w.guarded(func() error { return w.loadHead(sizeBytes) }); err != nil {
		if size != sizeBytes {
			err = w.corrupt("open segment", -1, errors.Join(sizeError(size, sizeBytes), err))
		}
		return false, err
	}
	if size != sizeBytes {
		damage := w.corrupt("open segment", min(size, sizeBytes), sizeError(size, sizeBytes))
		if uint64(size) < w.sum.linesEnd() {
			return false, damage
		}
		if uint64(size) >= w.sum.bodiesEnd {
			w.mends.add(damage) // a part of the copy is gone, or there is something behind it
		}
	}
	return size >= sizeBytes, w.guarded(w.load)
}

func sizeError(size, sizeBytes int64) error {
	return fmt.Errorf("it has %d bytes, the manifest says %d", size, sizeBytes)
}

// load reads the dictionary and the vectors' blocks.
func (w *Sealed) load() error {
	if err := w.loadDict(); err != nil {
		return err
	}
	n := int(w.sum.vectors)
	if n == 0 {
		return nil
	}
	w.slots, w.invNorms, w.vecCRC = make([]uint32, n), make([]float32, n), make([]uint32, n)
	w.vectorsSeen, w.codesSeen = make([]seen, w.Groups()), make([]seen, w.Groups())
	w.made = make([]atomic.Pointer[madeCodes], w.Groups())
	if w.sum.version > 1 {
		w.scales, w.residuals, w.codesCRC = make([]float32, n), make([]float32, n), make([]uint32, n)
	}
	w.badBlock = map[uint32]error{}
	for v := range w.sum.vectors {
		m, err := w.block(v)
		if errors.Is(err, codec.ErrCorrupt) {
			w.badBlock[v] = err
			m.slot = NoRow
		} else if err != nil {
			return err
		}
		w.slots[v], w.invNorms[v], w.vecCRC[v] = m.slot, m.invNorm, m.crc
		if w.sum.version > 1 {
			w.scales[v], w.residuals[v], w.codesCRC[v] = m.scale, m.residual, m.codesCRC
		}
	}
	return nil
}

// either is what became of a part that is there twice: damage to both is that to the first; to one it is mended.
func (w *Sealed) either(first, second error) error {
	if first != nil && (second != nil || !errors.Is(first, codec.ErrCorrupt) || isolate.Off("second copies")) {
		return first
	}
	for _, err := range []error{first, second} {
		if err != nil {
			w.mends.add(err)
		}
	}
	return nil
}

func (w *Sealed) readSummary(part []byte, version uint32, size, at int64) (summary, error) {
	s, err := readSummary(part[codec.HeaderSize:], version, w.seed, size)
	if err != nil {
		return summary{}, w.corrupt("open segment", at+codec.HeaderSize, err)
	}
	return s, nil
}

func (w *Sealed) readHead(b []byte, at int64) (codec.Header, error) {
	h, err := codec.ReadHeader(w.path, b, Kind, FormatVersion)
	if err == nil {
		err = h.Check(w.path, w.file.Store, w.file.Number)
	}
	var corrupt *codec.CorruptError
	if errors.As(err, &corrupt) {
		corrupt.Offset = at
	}
	return h, err
}

// Mended is the damage met so far in what there are two copies of, one of which is whole, once for each page of lines
// and blocks, and that Verify met in what Open has read: the segment serves all it holds, and should be written anew.
func (w *Sealed) Mended() []error { return w.mends.all() }

// Close lets go of the file. Nobody may read the segment any more.
func (w *Sealed) Close() error { return w.holder.Close() }

// Retire is Close for a segment that readers may still be in: the file is let go some time after the last of them has
// let go of w, when the garbage collector finds that out. Whoever uses what Group or Codes lent keeps w alive meanwhile
// (runtime.KeepAlive). Retire is called once, and Close not any more.
func (w *Sealed) Retire() {
	if isolate.Off("retire") {
		_ = w.holder.Close()
		return
	}
	runtime.AddCleanup(w, func(holder io.Closer) {
		_ = holder.Close() // nobody is left to be told; an address range or a descriptor is all that is lost
	}, w.holder)
}

// Path names the file.
func (w *Sealed) Path() string { return w.path }

// Tier is where the segment's bytes are.
func (w *Sealed) Tier() Tier { return w.sum.tier }

// Version is the format version of the file.
func (w *Sealed) Version() uint32 { return w.sum.version }

// Rows is the number of rows, void ones included.
func (w *Sealed) Rows() uint32 { return w.sum.rows }

// Base is the space's row that slot 0 is, as the file says.
func (w *Sealed) Base() uint32 { return w.sum.base }

// RawBytes is what the bodies take that are packed, before they are packed, and the others.
func (w *Sealed) RawBytes() int64 { return int64(w.sum.rawBytes) }

// BodyBytes is what the bodies take in the file, both copies of the dictionary included.
func (w *Sealed) BodyBytes() int64 { return int64(w.sum.bodyBytes) + 2*int64(w.sum.dictBytes) }

// SizeBytes is the file's size.
func (w *Sealed) SizeBytes() int64 { return int64(w.sum.sizeBytes) }

// Dim is the dimension of the vectors, 0 if there are none.
func (w *Sealed) Dim() int { return int(w.sum.dim) }

// lineOf is the line of a row, for who is not guarded.
func (w *Sealed) lineOf(slot uint32) (l line, err error) {
	err = w.withLine(slot, func(found line, _ *workspace) error {
		l = found
		return nil
	})
	return l, err
}

// Row tells what is known of a row; damage is a *codec.CorruptError.
func (w *Sealed) Row(slot uint32) (Row, error) {
	l, err := w.lineOf(slot)
	return l.Row, err
}

// RowBytes is what a row takes besides its line, body and vector together; false if it is void. A damaged one counts 0.
func (w *Sealed) RowBytes(slot uint32) (sizeBytes int64, held bool) {
	l, err := w.lineOf(slot)
	if err != nil {
		return 0, true // it is held, whatever it is
	}
	if !l.inLine {
		sizeBytes = int64(l.len)
	}
	if l.Vector != NoVector {
		sizeBytes += w.vectorBytes()
	}
	return sizeBytes, !l.Void
}

// VectorBytes is what all vectors take in the file.
func (w *Sealed) VectorBytes() int64 { return int64(w.sum.vectors) * w.vectorBytes() }

// vectorBytes is what a vector takes in the file.
func (w *Sealed) vectorBytes() int64 {
	n := int64(w.sum.blockBytes()) + int64(stride(w.Dim()))
	if w.sum.version > 2 {
		n += blockSize // its copy
	}
	if w.sum.version > 1 {
		n += int64(vec.CodeLen(w.Dim()))
	}
	return n
}

// Read calls fn with the row's verified body, which is valid during the call only and not to be written to. Damage,
// or a page that cannot be read, is a *codec.CorruptError, and fn is not called or its result is not used.
func (w *Sealed) Read(slot uint32, fn func(body []byte) error) error {
	return w.withLine(slot, func(l line, ws *workspace) error {
		if l.Void {
			return fmt.Errorf("row %d of %s: %w", slot, w.path, ErrVoid)
		}
		body, err := w.body(slot, l, ws)
		if err != nil {
			return err
		}
		return fn(body)
	})
}

// body reads and verifies the body of a line, and unpacks it. The caller is guarded.
func (w *Sealed) body(slot uint32, l line, ws *workspace) (body []byte, err error) {
	if l.inLine {
		body = bytes.Clone(l.short[:l.len])
		return body, w.checkBody(slot, l, body)
	}
	off := w.sum.bodiesOff + l.off
	if l.raw == 0 {
		body, err = w.in.at(off, int(l.len), &ws.body)
		if err == nil {
			err = w.checkBody(slot, l, body)
		}
		return body, err
	}
	frame := sized(&ws.packed, len(magic)+int(l.len))
	copy(frame, magic[:])
	stored := frame[len(magic):]
	if err := w.in.into(off, stored); err != nil {
		return nil, err
	}
	if err := w.checkBody(slot, l, stored); err != nil { // before a byte of it is looked at
		return nil, err
	}
	if w.badDict != nil {
		return nil, w.badDict
	}
	if body, err = w.unpacker.unpack(frame, int(l.raw), &ws.body); err != nil {
		return nil, w.corrupt("read row", int64(off), fmt.Errorf("row %d: %w", slot, err))
	}
	return body, nil
}

// checkBody compares what is stored of a body with its checksum.
func (w *Sealed) checkBody(slot uint32, l line, stored []byte) error {
	if got := codec.Checksum(codec.At(w.seed, placeBody+int64(slot)), stored); got != l.crc {
		return w.corrupt("read row", int64(w.sum.bodiesOff+l.off),
			fmt.Errorf("body of row %d: checksum is %08x, line says %08x", slot, got, l.crc))
	}
	return nil
}

// Vector returns a verified copy of the row's vector, nil if it has none.
func (w *Sealed) Vector(slot uint32) ([]float32, error) {
	if w.without(slot) { // else the heap would keep a result for nothing
		return nil, nil
	}
	var vector []float32
	err := w.VectorOf(slot, func(padded []float32, _ float32) error {
		vector = append(make([]float32, 0, w.Dim()), padded[:w.Dim()]...)
		return nil
	})
	return vector, err
}

// VectorOf calls fn with the row's verified vector and its padding, and the inverse of its norm; not at all if it has
// none.
func (w *Sealed) VectorOf(slot uint32, fn func(padded []float32, invNorm float32) error) error {
	if w.without(slot) {
		return nil
	}
	return w.withLine(slot, func(l line, ws *workspace) error {
		if l.Vector == NoVector {
			return nil
		}
		padded, err := w.verified(l.Vector, ws)
		if err != nil {
			return err
		}
		if w.slots[l.Vector] != slot {
			return w.corrupt("read vector", int64(w.sum.blocksOff+uint64(l.Vector)*w.sum.blockBytes()),
				fmt.Errorf("vector %d belongs to row %d, row %d claims it", l.Vector, w.slots[l.Vector], slot))
		}
		return fn(padded, w.invNorms[l.Vector])
	})
}

// without reports whether a row has no vector because none has.
func (w *Sealed) without(slot uint32) bool { return w.sum.vectors == 0 && slot < w.sum.rows }

// verified reads and verifies a vector. The caller is guarded.
func (w *Sealed) verified(v uint32, ws *workspace) (padded []float32, err error) {
	if err := w.badBlock[v]; err != nil {
		return nil, err
	}
	size := uint64(stride(w.Dim()))
	off := w.sum.vectorsOff + uint64(v)*size
	b, err := w.in.at(off, int(size), &ws.vector)
	if err != nil {
		return nil, err
	}
	if err := w.checkVector(v, b); err != nil {
		return nil, err
	}
	return vec.Floats(b)
}

// checkVector compares the bytes of a vector with its checksum.
func (w *Sealed) checkVector(v uint32, b []byte) error {
	if got := codec.Checksum(codec.At(w.seed, placeVector+int64(v)), b); got != w.vecCRC[v] {
		off := w.sum.vectorsOff + uint64(v)*uint64(stride(w.Dim()))
		return w.corrupt("read vector", int64(off),
			fmt.Errorf("vector %d: checksum is %08x, block says %08x", v, got, w.vecCRC[v]))
	}
	return nil
}

// checkCodes compares the codes of a vector with their checksum.
func (w *Sealed) checkCodes(v uint32, b []byte) error {
	if got := codec.Checksum(codec.At(w.seed, placeCodes+int64(v)), b); got != w.codesCRC[v] {
		off := w.sum.codesOff + uint64(v)*uint64(vec.CodeLen(w.Dim()))
		return w.corrupt("read vector", int64(off),
			fmt.Errorf("codes of vector %d: checksum is %08x, block says %08x", v, got, w.codesCRC[v]))
	}
	return nil
}
