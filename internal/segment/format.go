package segment

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/orchard9/engram-go/internal/codec"
)

// Kind is the segment file's kind in its header; FormatVersion the newest version this program reads and writes.
const (
	Kind          = "SG"
	FormatVersion = 1
)

const (
	lineSize     = 64
	vecMetaSize  = 16
	summaryOff   = codec.HeaderSize
	summarySize  = 64
	linesOff     = summaryOff + summarySize
	vectorsAlign = 4096

	// MaxRows bounds the rows of one segment; a file that claims more is refused before anything is allocated.
	MaxRows = 1 << 24
	// MaxDim bounds the dimension.
	MaxDim = 4096

	flagVoid     = 1
	lineFlagsOff = 40
)

// Checksums of the parts of a file start from the file's seed mixed with a place that no two parts share.
const (
	placeSummary = int64(1) << 40
	placeLine    = int64(2) << 40
	placeVecMeta = int64(3) << 40
	placeVector  = int64(4) << 40
	placeBody    = int64(5) << 40
)

// summary is the fixed part behind the header: where everything is.
type summary struct {
	rows, vectors, dim uint32
	base               uint32 // the space's row that slot 0 is
	vecMetaOff         uint64
	vectorsOff         uint64
	bodiesOff          uint64
	sizeBytes          uint64
}

// layout computes the places of a file with these counts.
func layout(rows, vectors uint32, dim int, bodyBytes uint64) summary {
	s := summary{rows: rows, vectors: vectors, dim: uint32(dim)}
	s.vecMetaOff = linesOff + uint64(rows)*lineSize
	end := s.vecMetaOff + uint64(vectors)*vecMetaSize
	if vectors > 0 {
		end = (end + vectorsAlign - 1) &^ (vectorsAlign - 1)
	}
	s.vectorsOff = end
	s.bodiesOff = s.vectorsOff + uint64(vectors)*uint64(stride(dim))
	s.sizeBytes = s.bodiesOff + bodyBytes
	return s
}

func (s summary) append(b []byte, seed uint32) []byte {
	start := len(b)
	for _, v := range []uint32{s.rows, s.vectors, s.dim, s.base} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range []uint64{s.vecMetaOff, s.vectorsOff, s.bodiesOff, s.sizeBytes} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, make([]byte, summarySize-4-(len(b)-start))...)
	return binary.LittleEndian.AppendUint32(b, codec.Checksum(codec.At(seed, placeSummary), b[start:]))
}

// readSummary checks the summary against its checksum, the limits and the file's size.
func readSummary(b []byte, seed uint32, fileSize int64) (summary, error) {
	want := binary.LittleEndian.Uint32(b[summarySize-4:])
	if got := codec.Checksum(codec.At(seed, placeSummary), b[:summarySize-4]); got != want {
		return summary{}, fmt.Errorf("summary checksum is %08x, file says %08x", got, want)
	}
	u32 := binary.LittleEndian.Uint32
	u64 := binary.LittleEndian.Uint64
	s := summary{
		rows: u32(b), vectors: u32(b[4:]), dim: u32(b[8:]), base: u32(b[12:]),
		vecMetaOff: u64(b[16:]), vectorsOff: u64(b[24:]), bodiesOff: u64(b[32:]), sizeBytes: u64(b[40:]),
	}
	if s.rows > MaxRows || s.vectors > s.rows || s.dim > MaxDim || s.sizeBytes < s.bodiesOff ||
		(s.vectors == 0) != (s.dim == 0) {
		return summary{}, fmt.Errorf("summary of %d rows, %d vectors, dimension %d is impossible", s.rows, s.vectors, s.dim)
	}
	expected := layout(s.rows, s.vectors, int(s.dim), s.sizeBytes-s.bodiesOff)
	expected.base = s.base
	if s != expected {
		return summary{}, fmt.Errorf("summary %+v contradicts itself", s)
	}
	if s.sizeBytes != uint64(fileSize) {
		return summary{}, fmt.Errorf("file has %d bytes, its summary says %d", fileSize, s.sizeBytes)
	}
	return s, nil
}

// line is the fixed block of one row.
type line struct {
	Row
	off uint64 // of the body, from the start of the bodies
	len uint32
	crc uint32 // of the body
}

// appendLine appends the 64 bytes of a line.
func appendLine(b []byte, l line, seed, slot uint32) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, l.LSN)
	b = binary.LittleEndian.AppendUint64(b, l.IDHash)
	b = binary.LittleEndian.AppendUint64(b, l.off)
	flags := uint32(0)
	if l.Void {
		flags |= flagVoid
	}
	for _, v := range []uint32{l.len, l.crc, l.Index, l.Vector, flags} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, make([]byte, lineSize-4-(len(b)-start))...)
	return binary.LittleEndian.AppendUint32(b, codec.Checksum(codec.At(seed, placeLine+int64(slot)), b[start:]))
}

func readLine(b []byte, seed, slot uint32, s summary) (line, error) {
	want := binary.LittleEndian.Uint32(b[lineSize-4:])
	if got := codec.Checksum(codec.At(seed, placeLine+int64(slot)), b[:lineSize-4]); got != want {
		return line{}, fmt.Errorf("line of row %d: checksum is %08x, file says %08x", slot, got, want)
	}
	u32 := binary.LittleEndian.Uint32
	l := line{off: binary.LittleEndian.Uint64(b[16:]), len: u32(b[24:]), crc: u32(b[28:])}
	l.LSN = binary.LittleEndian.Uint64(b)
	l.IDHash = binary.LittleEndian.Uint64(b[8:])
	l.Index, l.Vector = u32(b[32:]), u32(b[36:])
	l.Void = u32(b[40:])&flagVoid != 0
	if bodies := s.sizeBytes - s.bodiesOff; l.off > bodies || uint64(l.len) > bodies-l.off {
		return line{}, fmt.Errorf("line of row %d: body at %d+%d is outside the file", slot, l.off, l.len)
	}
	if l.Vector != NoVector && l.Vector >= s.vectors {
		return line{}, fmt.Errorf("line of row %d: vector %d of %d", slot, l.Vector, s.vectors)
	}
	return l, nil
}

// vecMeta is the fixed block of one vector.
type vecMeta struct {
	slot    uint32
	crc     uint32 // of the vector's stride bytes
	invNorm float32
}

func appendVecMeta(b []byte, m vecMeta, seed, vector uint32) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, m.slot)
	b = binary.LittleEndian.AppendUint32(b, m.crc)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.invNorm))
	return binary.LittleEndian.AppendUint32(b, codec.Checksum(codec.At(seed, placeVecMeta+int64(vector)), b[start:]))
}

func readVecMeta(b []byte, seed, vector, rows uint32) (vecMeta, error) {
	want := binary.LittleEndian.Uint32(b[12:])
	if got := codec.Checksum(codec.At(seed, placeVecMeta+int64(vector)), b[:12]); got != want {
		return vecMeta{}, fmt.Errorf("block of vector %d: checksum is %08x, file says %08x", vector, got, want)
	}
	m := vecMeta{
		slot:    binary.LittleEndian.Uint32(b),
		crc:     binary.LittleEndian.Uint32(b[4:]),
		invNorm: math.Float32frombits(binary.LittleEndian.Uint32(b[8:])),
	}
	if m.slot >= rows {
		return vecMeta{}, fmt.Errorf("block of vector %d: row %d of %d", vector, m.slot, rows)
	}
	return m, nil
}
