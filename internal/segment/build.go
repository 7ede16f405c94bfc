package segment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// File names one segment file.
type File struct {
	FS     vfs.FS
	Dir    string
	Store  [16]byte
	Number uint64
}

// Path is where the file is.
func (f File) Path() string { return filepath.Join(f.Dir, fmt.Sprintf("%016x.seg", f.Number)) }

func (f File) seed() uint32 { return codec.Seed(f.Store, f.Number) }

// Source is a segment of either form that a new one is built from.
type Source interface {
	Rows() uint32
	Dim() int
	Row(slot uint32) (Row, error)
	Read(slot uint32, fn func(body []byte) error) error
	// vector calls fn with the row's verified vector, padded to the stride, and the inverse of its norm.
	vector(slot uint32, fn func(padded []float32, invNorm float32) error) error
}

var (
	_ Source = (*Hot)(nil)
	_ Source = (*Sealed)(nil)
)

// Plan says what a new segment is built from.
type Plan struct {
	// Sources are the runs of rows, one behind the other; each row keeps its place.
	Sources []Source
	// Base is the space's row that the first one is, for whoever finds the file without a manifest.
	Base uint32
	// Drop tells which rows, counted through all sources, become void: nothing of them is read or written. nil drops
	// none.
	Drop func(row uint32) bool
	// Pace, if not nil, is told of every so many bytes read and written; its error ends the work.
	Pace func(bytes int) error
}

// Built is what a plan became.
type Built struct {
	SizeBytes int64
	Rows      uint32 // all, void ones included
	Kept      uint32 // those that are not void
}

// Seal writes the rows of h, which nobody adds to any more, as a new file and returns its size in bytes; see [Build].
func Seal(f File, h *Hot) (sizeBytes int64, err error) {
	built, err := Build(f, Plan{Sources: []Source{h}})
	return built.SizeBytes, err
}

// Build writes the rows of a plan as a new file. Everything that it reads is verified: damage in a source is a
// *codec.CorruptError, and nothing is built. When it returns nil the file is durable under its name. On error it removes
// what it wrote, if the file system lets it, and the caller may try again with another number. A file of that name must
// not exist.
func Build(f File, p Plan) (built Built, err error) {
	b := builder{Plan: p, seed: f.seed()}
	for _, src := range p.Sources {
		b.rows += uint64(src.Rows())
	}
	if b.rows > MaxRows {
		return Built{}, fmt.Errorf("build segment of %d rows: at most %d fit into one file", b.rows, MaxRows)
	}
	aside := f.Path() + ".tmp"
	if err := removeIfThere(f.FS, aside); err != nil {
		return Built{}, fmt.Errorf("clear leftover of an earlier attempt: %w", err)
	}
	if err := isolate.Fault("segment/create"); err != nil {
		return Built{}, err
	}
	file, err := f.FS.Create(aside)
	if err != nil {
		return Built{}, fmt.Errorf("create segment: %w", err)
	}
	built, err = b.write(f, file)
	if err == nil {
		err = isolate.Fault("segment/sync")
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return Built{}, fmt.Errorf("write segment: %w", errors.Join(err, f.FS.Remove(aside)))
	}
	if err := isolate.Fault("segment/rename"); err != nil {
		return Built{}, err
	}
	if err := f.FS.Rename(aside, f.Path()); err != nil {
		return Built{}, fmt.Errorf("name segment: %w", errors.Join(err, f.FS.Remove(aside)))
	}
	if err := isolate.Fault("segment/directory"); err != nil {
		return Built{}, err
	}
	if err := f.FS.SyncDir(f.Dir); err != nil {
		return Built{}, fmt.Errorf("sync segment directory: %w", errors.Join(err, f.FS.Remove(f.Path())))
	}
	return built, nil
}

func removeIfThere(fs vfs.FS, name string) error {
	if _, err := fs.Stat(name); err != nil {
		return nil //nolint:nilerr // not there, or Create will say why not
	}
	return fs.Remove(name)
}

// builder goes through the rows of a plan several times: for the lines, the vectors' blocks, the vectors, the bodies.
type builder struct {
	Plan
	seed      uint32
	rows      uint64
	kept      uint32
	vectors   uint32
	dim       int
	bodyBytes uint64
	lines     []byte
	blocks    []byte
	unpaced   int
}

// paceBytes is how much is read or written between two calls of Pace: chosen.
const paceBytes = 256 << 10

func (b *builder) paced(n int) error {
	b.unpaced += n
	if b.Pace == nil || b.unpaced < paceBytes {
		return nil
	}
	n, b.unpaced = b.unpaced, 0
	return b.Pace(n)
}

// each calls fn with every row: its place in the new segment, and in its source. drop says that it becomes void.
func (b *builder) each(fn func(row uint32, src Source, slot uint32, drop bool) error) error {
	row := uint32(0)
	for _, src := range b.Sources {
		for slot := range src.Rows() {
			if err := fn(row, src, slot, b.Drop != nil && b.Drop(row)); err != nil {
				return err
			}
			row++
		}
	}
	return nil
}

// write writes header, summary, lines, vector blocks, vectors and bodies, in file order.
func (b *builder) write(f File, file vfs.File) (Built, error) {
	b.lines = make([]byte, 0, int(b.rows)*lineSize)
	if err := b.each(b.line); err != nil {
		return Built{}, err
	}
	s := layout(uint32(b.rows), b.vectors, b.dim, b.bodyBytes)
	s.base = b.Base
	out := bufio.NewWriterSize(io.NewOffsetWriter(file, 0), 1<<20)
	head := codec.AppendHeader(nil, codec.Header{Kind: Kind, Version: FormatVersion, Store: f.Store, Number: f.Number})
	out.Write(s.append(head, b.seed)) //nolint:errcheck // bufio keeps the first error; Flush returns it
	out.Write(b.lines)                //nolint:errcheck // as above
	if b.vectors > 0 {
		pad := s.vectorsOff - s.vecMetaOff - uint64(len(b.blocks))
		out.Write(append(b.blocks, make([]byte, pad)...)) //nolint:errcheck // as above
		if err := b.each(b.vectorTo(out)); err != nil {
			return Built{}, err
		}
	}
	if err := b.each(b.bodyTo(out)); err != nil {
		return Built{}, err
	}
	return Built{SizeBytes: int64(s.sizeBytes), Rows: uint32(b.rows), Kept: b.kept}, out.Flush()
}

// line makes the line of a row and the block of its vector.
func (b *builder) line(row uint32, src Source, slot uint32, drop bool) error {
	void := line{Row: Row{Void: true, Vector: NoVector}}
	if drop {
		b.lines = appendLine(b.lines, void, b.seed, row)
		return nil
	}
	info, err := src.Row(slot)
	if err != nil {
		return err
	}
	if info.Void {
		b.lines = appendLine(b.lines, void, b.seed, row)
		return nil
	}
	l := line{Row: info, off: b.bodyBytes}
	err = src.Read(slot, func(body []byte) error {
		l.len = uint32(len(body))
		l.crc = codec.Checksum(codec.At(b.seed, placeBody+int64(row)), body)
		return nil
	})
	if err == nil && info.Vector != NoVector {
		l.Vector = b.vectors
		err = src.vector(slot, func(padded []float32, invNorm float32) error {
			bytes := vec.Bytes(padded)
			m := vecMeta{slot: row, invNorm: invNorm}
			m.crc = codec.Checksum(codec.At(b.seed, placeVector+int64(b.vectors)), bytes)
			b.blocks = appendVecMeta(b.blocks, m, b.seed, b.vectors)
			return b.paced(len(bytes))
		})
		b.dim = src.Dim()
		b.vectors++
	}
	if err != nil {
		return err
	}
	b.bodyBytes += uint64(l.len)
	b.kept++
	b.lines = appendLine(b.lines, l, b.seed, row)
	return b.paced(lineSize + int(l.len))
}

// vectorTo writes the vectors of the rows that are kept.
func (b *builder) vectorTo(out io.Writer) func(uint32, Source, uint32, bool) error {
	return func(row uint32, src Source, slot uint32, _ bool) error {
		if b.void(row) {
			return nil
		}
		info, err := src.Row(slot)
		if err != nil || info.Vector == NoVector {
			return err
		}
		return src.vector(slot, func(padded []float32, _ float32) error {
			bytes := vec.Bytes(padded)
			if _, err := out.Write(bytes); err != nil {
				return err
			}
			return b.paced(len(bytes))
		})
	}
}

// bodyTo writes the bodies of the rows that are kept.
func (b *builder) bodyTo(out io.Writer) func(uint32, Source, uint32, bool) error {
	return func(row uint32, src Source, slot uint32, _ bool) error {
		if b.void(row) {
			return nil
		}
		return src.Read(slot, func(body []byte) error {
			if _, err := out.Write(body); err != nil {
				return err
			}
			return b.paced(len(body))
		})
	}
}

// void tells what was decided of a row when its line was made: what Drop says may change meanwhile.
func (b *builder) void(row uint32) bool {
	return b.lines[int(row)*lineSize+lineFlagsOff]&flagVoid != 0
}
