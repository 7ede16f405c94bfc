package segment

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Sealed is a sealed segment, mapped read-only.
type Sealed struct {
	file    File
	path    string
	seed    uint32
	sum     summary
	mapping vfs.Mapping
	data    []byte
	floats  []float32 // the vectors section
	// blocks are read once, at opening: scans need the row and the norm of every vector.
	slots    []uint32
	invNorms []float32
	vecCRC   []uint32
	badBlock map[uint32]error // vectors whose block is damaged
	// checked has a bit for each group whose vectors were verified since opening.
	checked []atomic.Uint32
}

// Open maps a sealed segment whose size the manifest knows. It verifies header, summary and size; lines, bodies and
// vectors are verified as they are read. Damage of the former, or a missing file, is a *codec.CorruptError; a file of
// a newer version is a *codec.FormatError.
func Open(f File, sizeBytes int64) (*Sealed, error) {
	w := &Sealed{file: f, path: f.Path(), seed: f.seed()}
	file, err := f.FS.Open(w.path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, w.corrupt("open segment", -1, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer file.Close() //nolint:errcheck // opened for reading; the mapping stays
	size, err := file.Size()
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	if size != sizeBytes || size < linesOff {
		return nil, w.corrupt("open segment", -1, fmt.Errorf("it has %d bytes, the manifest says %d", size, sizeBytes))
	}
	if w.mapping, err = file.Map(size); err != nil {
		return nil, fmt.Errorf("map segment: %w", err)
	}
	w.data = w.mapping.Bytes()
	if err := w.guarded(w.load); err != nil {
		w.mapping.Close() //nolint:errcheck,gosec // the first error says more
		return nil, err
	}
	return w, nil
}

// load reads what is needed before the first read: header, summary and the vectors' blocks.
func (w *Sealed) load() error {
	h, err := codec.ReadHeader(w.path, w.data, Kind, FormatVersion)
	if err != nil {
		return err
	}
	if err := h.Check(w.path, w.file.Store, w.file.Number); err != nil {
		return err
	}
	if w.sum, err = readSummary(w.data[summaryOff:linesOff], w.seed, int64(len(w.data))); err != nil {
		return w.corrupt("open segment", summaryOff, err)
	}
	n := int(w.sum.vectors)
	if n == 0 {
		return nil
	}
	w.floats, err = vec.Floats(w.data[w.sum.vectorsOff:w.sum.bodiesOff])
	if err != nil {
		return w.corrupt("open segment", int64(w.sum.vectorsOff), err)
	}
	w.slots, w.invNorms, w.vecCRC = make([]uint32, n), make([]float32, n), make([]uint32, n)
	w.checked = make([]atomic.Uint32, w.Groups())
	w.badBlock = map[uint32]error{}
	for v := range w.sum.vectors {
		off := w.sum.vecMetaOff + uint64(v)*vecMetaSize
		m, err := readVecMeta(w.data[off:off+vecMetaSize], w.seed, v, w.sum.rows)
		if err != nil {
			w.badBlock[v] = w.corrupt("read vector", int64(off), err)
		}
		w.slots[v], w.invNorms[v], w.vecCRC[v] = m.slot, m.invNorm, m.crc
	}
	return nil
}

// Close unmaps the file. Nobody may read the segment any more.
func (w *Sealed) Close() error { return w.mapping.Close() }

// Retire is Close for a segment that readers may still be in: the file is unmapped some time after the last of them has
// let go of w, when the garbage collector finds that out. Whoever uses floats that Group lent keeps w alive meanwhile
// (runtime.KeepAlive). Retire is called once, and Close not any more.
func (w *Sealed) Retire() {
	runtime.AddCleanup(w, func(m vfs.Mapping) {
		_ = m.Close() // nobody is left to be told; the address range is all that is lost
	}, w.mapping)
}

// Path names the file.
func (w *Sealed) Path() string { return w.path }

// Rows is the number of rows, void ones included.
func (w *Sealed) Rows() uint32 { return w.sum.rows }

// Base is the space's row that slot 0 is, as the file says.
func (w *Sealed) Base() uint32 { return w.sum.base }

// SizeBytes is the file's size.
func (w *Sealed) SizeBytes() int64 { return int64(w.sum.sizeBytes) }

// Dim is the dimension of the vectors, 0 if there are none.
func (w *Sealed) Dim() int { return int(w.sum.dim) }

func (w *Sealed) corrupt(op string, off int64, err error) error {
	return &codec.CorruptError{Op: op, Path: w.path, Offset: off, Err: err}
}

// line reads and verifies a row's line. The caller is inside vfs.Guard.
func (w *Sealed) line(slot uint32) (line, error) {
	if slot >= w.sum.rows {
		return line{}, errSlot(slot, w.sum.rows)
	}
	off := linesOff + int64(slot)*lineSize
	l, err := readLine(w.data[off:off+lineSize], w.seed, slot, w.sum)
	if err != nil {
		return line{}, w.corrupt("read row", off, err)
	}
	return l, nil
}

// guarded runs fn so that a page that cannot be read is that read's error.
func (w *Sealed) guarded(fn func() error) error {
	err := vfs.Guard(fn)
	runtime.KeepAlive(w)                        // the mapping of a retired segment goes with its last reader
	if fault, ok := err.(*vfs.FaultError); ok { //nolint:errorlint // Guard returns it unwrapped
		off, in := fault.Offset(w.data)
		if !in {
			off = -1
		}
		return w.corrupt("read segment", int64(off), fault)
	}
	return err
}

// Row tells what is known of a row; damage is a *codec.CorruptError.
func (w *Sealed) Row(slot uint32) (Row, error) {
	var l line
	err := w.guarded(func() (err error) {
		l, err = w.line(slot)
		return err
	})
	return l.Row, err
}

// RowBytes is what a row takes besides its line, body and vector together; false if it is void. A damaged one counts 0.
func (w *Sealed) RowBytes(slot uint32) (sizeBytes int64, held bool) {
	var l line
	err := w.guarded(func() (err error) {
		l, err = w.line(slot)
		return err
	})
	if err != nil {
		return 0, true // it is held, whatever it is
	}
	sizeBytes = int64(l.len)
	if l.Vector != NoVector {
		sizeBytes += vecMetaSize + int64(stride(w.Dim()))
	}
	return sizeBytes, !l.Void
}

// Read calls fn with the row's verified body, which is valid during the call only and not to be written to. Damage,
// or a page that cannot be read, is a *codec.CorruptError, and fn is not called or its result is not used.
func (w *Sealed) Read(slot uint32, fn func(body []byte) error) error {
	return w.guarded(func() error {
		l, err := w.line(slot)
		if err != nil {
			return err
		}
		if l.Void {
			return fmt.Errorf("row %d of %s: %w", slot, w.path, ErrVoid)
		}
		off := w.sum.bodiesOff + l.off
		body := w.data[off : off+uint64(l.len) : off+uint64(l.len)]
		if got := codec.Checksum(codec.At(w.seed, placeBody+int64(slot)), body); got != l.crc {
			return w.corrupt("read row", int64(off),
				fmt.Errorf("body of row %d: checksum is %08x, line says %08x", slot, got, l.crc))
		}
		return fn(body)
	})
}

// Vector returns a verified copy of the row's vector, nil if it has none.
func (w *Sealed) Vector(slot uint32) (vector []float32, err error) {
	err = w.vector(slot, func(padded []float32, _ float32) error {
		vector = append(make([]float32, 0, w.Dim()), padded[:w.Dim()]...)
		return nil
	})
	return vector, err
}

func (w *Sealed) verifyVector(v uint32) error {
	if err := w.badBlock[v]; err != nil {
		return err
	}
	size := uint64(stride(w.Dim()))
	off := w.sum.vectorsOff + uint64(v)*size
	if got := codec.Checksum(codec.At(w.seed, placeVector+int64(v)), w.data[off:off+size]); got != w.vecCRC[v] {
		return w.corrupt("read vector", int64(off),
			fmt.Errorf("vector %d: checksum is %08x, block says %08x", v, got, w.vecCRC[v]))
	}
	if norm := w.invNorms[v]; !(norm > 0) || math.IsInf(float64(norm), 0) {
		return w.corrupt("read vector", int64(off), fmt.Errorf("vector %d has inverse norm %v", v, norm))
	}
	return nil
}

// vector calls fn with the row's verified vector and its padding.
func (w *Sealed) vector(slot uint32, fn func(padded []float32, invNorm float32) error) error {
	return w.guarded(func() error {
		l, err := w.line(slot)
		if err != nil || l.Vector == NoVector {
			return err
		}
		if err := w.verifyVector(l.Vector); err != nil {
			return err
		}
		if w.slots[l.Vector] != slot {
			return w.corrupt("read vector", int64(w.sum.vecMetaOff)+int64(l.Vector)*vecMetaSize,
				fmt.Errorf("vector %d belongs to row %d, row %d claims it", l.Vector, w.slots[l.Vector], slot))
		}
		floats := stride(w.Dim()) / 4
		at := int(l.Vector) * floats
		return fn(w.floats[at:at+floats:at+floats], w.invNorms[l.Vector])
	})
}

// Groups is the number of vector groups.
func (w *Sealed) Groups() int { return (int(w.sum.vectors) + GroupSize - 1) / GroupSize }

// Group lends group g of the mapped vectors, verified once after opening. Reading the floats of a file that shrank
// faults: scan inside vfs.Guard.
func (w *Sealed) Group(g int) (Group, error) {
	first := g * GroupSize
	end := min(first+GroupSize, int(w.sum.vectors))
	if w.checked[g].Load() == 0 {
		err := w.guarded(func() error {
			for v := first; v < end; v++ {
				if err := w.verifyVector(uint32(v)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return Group{}, err
		}
		w.checked[g].Store(1)
	}
	floats := stride(w.Dim()) / 4
	return Group{
		Slots: w.slots[first:end:end], Floats: w.floats[first*floats : end*floats], Stride: floats,
		InvNorm: w.invNorms[first:end:end],
	}, nil
}

// Verify reads the whole segment again and reports every damage through report, which gets *codec.CorruptErrors. It
// returns the number of rows read, void ones not counted.
func (w *Sealed) Verify(report func(error)) (rows int) {
	seen := make([]bool, w.sum.vectors)
	for slot := range w.sum.rows {
		row, err := w.Row(slot)
		if err != nil {
			report(err)
			continue
		}
		if row.Void {
			continue
		}
		rows++
		if err := w.Read(slot, func([]byte) error { return nil }); err != nil {
			report(err)
		}
		if row.Vector != NoVector {
			seen[row.Vector] = true
		}
		if _, err := w.Vector(slot); err != nil {
			report(err)
		}
	}
	// Vectors of void rows are scanned with their group, so damage to one hides the others.
	for v := range w.sum.vectors {
		if seen[v] {
			continue
		}
		if err := w.guarded(func() error { return w.verifyVector(v) }); err != nil {
			report(err)
		}
	}
	return rows
}
