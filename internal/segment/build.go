package segment

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

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
	// Apart says that it holds the vectors of rows that are in other files.
	Apart bool
}

// Path is where the file is.
func (f File) Path() string {
	suffix := "seg"
	if f.Apart {
		suffix = "vec"
	}
	return filepath.Join(f.Dir, fmt.Sprintf("%016x.%s", f.Number, suffix))
}

func (f File) seed() uint32 { return codec.Seed(f.Store, f.Number) }

// Source is a segment of either form that a new one is built from.
type Source interface {
	Rows() uint32
	Dim() int
	Row(slot uint32) (Row, error)
	Read(slot uint32, fn func(body []byte) error) error
	// VectorOf calls fn with the row's verified vector, padded to the stride, and the inverse of its norm.
	VectorOf(slot uint32, fn func(padded []float32, invNorm float32) error) error
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
	// Tier is where the new segment is to be; 0 is Warm.
	Tier Tier
	// Drop tells which rows, counted through all sources, become void: nothing of them is read or written. nil drops
	// none.
	Drop func(row uint32) bool
	// Vectors, if not nil, has the vectors of the new segment, in place of those of the sources.
	Vectors Vectors
	// Pace, if not nil, is told of every so many bytes read and written; its error ends the work.
	Pace func(bytes int) error
}

// Vectors are those of the rows of a plan. What they give must not change while a segment is built.
type Vectors interface {
	Dim() int
	Has(row uint32) bool
	// Vector calls fn with the verified vector of a row that has one, padded to the stride, and the inverse of its
	// norm.
	Vector(row uint32, fn func(padded []float32, invNorm float32) error) error
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
// *codec.CorruptError, and nothing is built. When it returns nil the file is durable under its name. On error it
// removes what it wrote, if the file system lets it, and the caller may try again with another number. A file of that
// name must not exist.
func Build(f File, p Plan) (built Built, err error) {
	rows := uint64(0)
	for _, src := range p.Sources {
		rows += uint64(src.Rows())
	}
	if rows > MaxRows {
		return Built{}, fmt.Errorf("build segment of %d rows: at most %d fit into one file", rows, MaxRows)
	}
	b := builder{Plan: p, f: f, seed: f.seed()}
	end, err := b.begin()
	if err != nil {
		return Built{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
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
	isOpen, made, name := true, false, aside
	defer func() { // also where it panics
		if made {
			return
		}
		if isOpen {
			err = errors.Join(err, file.Close())
		}
		err = errors.Join(err, f.FS.Remove(name))
	}()
	built, err = b.write(file)
	if err == nil {
		err = isolate.Fault("segment/sync")
	}
	if err == nil {
		err = file.Sync()
	}
	if err != nil {
		return Built{}, fmt.Errorf("write segment: %w", err)
	}
	isOpen = false
	if err = file.Close(); err != nil {
		return Built{}, fmt.Errorf("write segment: %w", err)
	}
	if err := isolate.Fault("segment/rename"); err != nil {
		return Built{}, err
	}
	if err := f.FS.Rename(aside, f.Path()); err != nil {
		return Built{}, fmt.Errorf("name segment: %w", err)
	}
	name = f.Path()
	if err := isolate.Fault("segment/directory"); err != nil {
		return Built{}, err
	}
	if err := f.FS.SyncDir(f.Dir); err != nil {
		return Built{}, fmt.Errorf("sync segment directory: %w", err)
	}
	made = true
	return built, nil
}

func removeIfThere(fs vfs.FS, name string) error {
	if _, err := fs.Stat(name); err != nil {
		return nil //nolint:nilerr // not there, or Create will say why not
	}
	return fs.Remove(name)
}

// builder goes through the rows of a plan twice: to decide which are kept, which says where everything will be, and to
// write them.
type builder struct {
	Plan
	f       File
	seed    uint32
	from    []Source // the plan's, as they are gone through
	kept    []bool   // by row
	sum     summary
	rows    uint32 // that are kept
	lines   []byte
	blocks  []byte
	bodies  part
	codes   part
	vectors part
	code    []int8
	dict    []byte
	packer  *packer // nil where bodies are not packed
	unpaced int
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

// begin opens the sources that are files for going through them in order. end closes what was opened.
func (b *builder) begin() (end func() error, err error) {
	var ends []func() error
	end = func() error {
		var errs []error
		for _, end := range ends {
			errs = append(errs, end())
		}
		return errors.Join(errs...)
	}
	for _, src := range b.Sources {
		if s, ok := src.(*Sealed); ok {
			in, done, err := s.InOrder(nil)
			if err != nil {
				return nil, errors.Join(err, end())
			}
			ends = append(ends, done)
			src = in
		}
		b.from = append(b.from, src)
	}
	return end, nil
}

// each calls fn with every row: its place in the new segment, and in its source.
func (b *builder) each(fn func(row uint32, src Source, slot uint32) error) error {
	row := uint32(0)
	for _, src := range b.from {
		for slot := range src.Rows() {
			if err := fn(row, src, slot); err != nil {
				return err
			}
			row++
		}
	}
	return nil
}

// part is a part of the file that is written from its beginning to its end, beside the others.
type part struct {
	*bufio.Writer
	written uint64
}

func newPart(file vfs.File, off uint64) part {
	return part{Writer: bufio.NewWriterSize(io.NewOffsetWriter(file, int64(off)), paceBytes)}
}

func (p *part) put(b []byte) error {
	n, err := p.Write(b)
	p.written += uint64(n)
	return err
}

// write writes vectors and bodies side by side, and then what tells of them, twice.
func (b *builder) write(file vfs.File) (Built, error) {
	b.sum = summary{version: FormatVersion, base: b.Base, tier: cmp.Or(b.Tier, Warm)}
	if err := b.each(b.decide); err != nil {
		return Built{}, err
	}
	if b.sum.tier == Cold {
		if err := b.preparePacking(); err != nil {
			return Built{}, err
		}
	}
	s := b.sum.layout()
	b.lines = make([]byte, 0, int(s.rows)*lineSize)
	b.code = make([]int8, vec.CodeLen(int(s.dim)))
	b.codes, b.vectors, b.bodies = newPart(file, s.codesOff), newPart(file, s.vectorsOff), newPart(file, s.bodiesOff)
	if err := b.each(b.row); err != nil {
		return Built{}, err
	}
	b.sum.bodyBytes = b.bodies.written
	s = b.sum.layout()
	head := codec.AppendHeader(nil, codec.Header{
		Kind: Kind, Version: FormatVersion, Store: b.f.Store, Number: b.f.Number,
	})
	head = s.append(head, b.seed)
	front, again := newPart(file, 0), newPart(file, s.bodiesEnd)
	err := again.put(make([]byte, s.copyOff-s.bodiesEnd))
	for _, p := range []*part{&front, &again} {
		err = errors.Join(err, p.put(head), p.put(b.lines), p.put(b.blocks), p.put(b.dict))
	}
	err = errors.Join(err, front.put(make([]byte, s.codesOff-s.frontBytes())))
	for _, p := range []*part{&b.codes, &b.vectors, &b.bodies, &front, &again} {
		err = errors.Join(err, p.Flush())
	}
	return Built{SizeBytes: int64(s.sizeBytes), Rows: s.rows, Kept: b.rows}, err
}

// decide tells of a row whether it is kept: what Drop says may change meanwhile.
func (b *builder) decide(row uint32, src Source, slot uint32) error {
	b.sum.rows++
	b.kept = append(b.kept, false)
	if b.Drop != nil && b.Drop(row) {
		return nil
	}
	info, err := src.Row(slot)
	if err != nil || info.Void {
		return err
	}
	b.kept[row] = true
	b.rows++
	if b.hasVector(row, info) {
		b.sum.vectors++
		b.sum.dim = uint32(src.Dim())
		if b.Vectors != nil {
			b.sum.dim = uint32(b.Vectors.Dim())
		}
	}
	return b.paced(lineSize)
}

func (b *builder) hasVector(row uint32, info Row) bool {
	if b.Vectors != nil {
		return b.Vectors.Has(row)
	}
	return info.Vector != NoVector
}

// preparePacking makes a dictionary of some of the bodies, if it helps: of those that are kept, anew for each segment,
// since it has pieces of them.
func (b *builder) preparePacking() error {
	if err := isolate.Fault("segment/dictionary"); err != nil {
		return err
	}
	var given [][]byte
	bytes, next, apart := 0, uint32(0), max(1, b.rows/samples)
	err := b.each(func(row uint32, src Source, slot uint32) error {
		if !b.kept[row] {
			return nil
		}
		if next++; next%apart != 0 || bytes >= sampleBytes {
			return nil
		}
		return src.Read(slot, func(body []byte) error {
			given = append(given, slices.Clone(body))
			bytes += len(body)
			return b.paced(len(body))
		})
	})
	if err != nil {
		return err
	}
	if len(given) > 0 {
		// A segment has 2^24 rows at most, and a sample 2 MiB and a body.
		total := int(int64(bytes) * int64(b.rows) / int64(len(given)))
		if b.dict, err = trainDict(given, total); err != nil {
			return err
		}
	}
	if b.dict != nil {
		b.sum.dictBytes = uint32(len(b.dict))
		b.sum.dictCRC = codec.Checksum(codec.At(b.seed, placeWords), b.dict)
	}
	b.packer, err = newPacker(b.dict)
	return err
}

// row writes one row.
func (b *builder) row(row uint32, src Source, slot uint32) error {
	if !b.kept[row] {
		b.lines = appendLine(b.lines, line{Row: Row{Void: true, Vector: NoVector}}, b.seed, row)
		return nil
	}
	info, err := src.Row(slot)
	if err != nil {
		return err
	}
	l := line{Row: info, off: b.bodies.written}
	err = src.Read(slot, func(body []byte) error { return b.body(row, &l, body) })
	l.Vector = NoVector
	if err == nil && b.hasVector(row, info) {
		l.Vector = uint32(len(b.blocks) / blockSize)
		fn := func(padded []float32, invNorm float32) error { return b.vector(row, padded, invNorm) }
		if b.Vectors != nil {
			err = b.Vectors.Vector(row, fn)
		} else {
			err = src.VectorOf(slot, fn)
		}
	}
	if err != nil {
		return err
	}
	b.lines = appendLine(b.lines, l, b.seed, row)
	return b.paced(lineSize + int(max(l.raw, l.len)) + int(l.len))
}

// body writes the body of a row, packed if that makes it shorter.
func (b *builder) body(row uint32, l *line, body []byte) error {
	if len(body) > MaxBody {
		return fmt.Errorf("build segment: the body of row %d has %d bytes, at most %d are possible",
			row, len(body), MaxBody)
	}
	if len(body) <= shortBody {
		copy(l.short[:], body)
		l.len, l.crc = uint32(len(body)), codec.Checksum(codec.At(b.seed, placeBody+int64(row)), body)
		return nil
	}
	b.sum.rawBytes += uint64(len(body))
	if b.packer != nil {
		isolate.Point("segment/pack")
		if packed, shorter := b.packer.pack(body); shorter {
			l.raw, body = uint32(len(body)), packed
		}
	}
	l.len = uint32(len(body))
	l.crc = codec.Checksum(codec.At(b.seed, placeBody+int64(row)), body)
	return b.bodies.put(body)
}

// vector writes the vector of a row. Its codes are made anew: they are its own, whatever file it came from.
func (b *builder) vector(row uint32, padded []float32, invNorm float32) error {
	v := uint32(len(b.blocks) / blockSize)
	m := block{slot: row, invNorm: invNorm}
	m.scale, m.residual = vec.Quantize(padded[:b.sum.dim], b.code)
	floats, codes := vec.Bytes(padded), vec.Int8Bytes(b.code)
	m.crc = codec.Checksum(codec.At(b.seed, placeVector+int64(v)), floats)
	m.codesCRC = codec.Checksum(codec.At(b.seed, placeCodes+int64(v)), codes)
	b.blocks = appendBlock(b.blocks, m, b.seed, v)
	if err := errors.Join(b.vectors.put(floats), b.codes.put(codes)); err != nil {
		return err
	}
	return b.paced(2*len(floats) + len(codes))
}
