package segment

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vec"
)

// Kind is the segment file's kind in its header; FormatVersion the newest version this program reads, and the one it
// writes. Version 1 has neither codes nor a second copy of header and summary, and is warm. Version 2 has no second
// copy of lines and blocks.
const (
	Kind          = "SG"
	FormatVersion = 3
)

const (
	lineSize     = 64
	blockSize    = 32 // of a vector
	blockSize1   = 16 // in version 1
	summaryOff   = codec.HeaderSize
	summarySize  = 64
	linesOff     = summaryOff + summarySize
	footerSize   = codec.HeaderSize + summarySize // of version 2
	vectorsAlign = 4096
	// page is what is lost at once, and what the copy of the front begins at a multiple of: it is then in other pages,
	// each byte at the same place of its page, so that no two pages that are swapped take both copies of anything.
	page = 4096

	// MaxRows bounds the rows of one segment; a file that claims more is refused before anything is allocated.
	MaxRows = 1 << 24
	// MaxDim bounds the dimension.
	MaxDim = 4096
	// MaxBody bounds a body, as it was before it was packed: more than a log record holds. A line that claims more is
	// refused before anything is allocated.
	MaxBody = 32 << 20

	// A body of up to shortBody bytes, such as the row that a vector apart is for, stands in its line and nowhere else,
	// from version 3 on: it is there twice then, and a page holds hundreds of them.
	shortBody = 8

	flagVoid   = 1
	flagPacked = 2
)

// Checksums of the parts of a file start from the file's seed mixed with a place that no two parts share.
const (
	placeSummary = int64(1) << 40
	placeLine    = int64(2) << 40
	placeBlock   = int64(3) << 40
	placeVector  = int64(4) << 40
	placeBody    = int64(5) << 40
	placeCodes   = int64(6) << 40
	placeWords   = int64(7) << 40 // the dictionary
)

// Tier is where a sealed segment's bytes are, as its summary says.
type Tier uint32

// The tiers of sealed segments.
const (
	Warm Tier = 1 // mapped; bodies as they are
	Cold Tier = 2 // read from the file; bodies packed
)

// String gives the tier's name.
func (t Tier) String() string {
	switch t {
	case Warm:
		return "warm"
	case Cold:
		return "cold"
	default:
		return fmt.Sprintf("tier %d", uint32(t))
	}
}

// summary is the fixed part behind the header: how much of everything there is, and where.
type summary struct {
	version            uint32
	rows, vectors, dim uint32
	base               uint32 // the space's row that slot 0 is
	tier               Tier
	rawBytes           uint64 // of the bodies before they were packed; not in version 1
	dictBytes, dictCRC uint32 // of the dictionary; 0 without
	bodyBytes          uint64
	// From here on by layout.
	blocksOff  uint64
	codesOff   uint64
	vectorsOff uint64
	dictOff    uint64
	bodiesOff  uint64
	bodiesEnd  uint64
	copyOff    uint64 // of the copy of the front; 0 before version 3
	sizeBytes  uint64
}

// layout computes the places of a file with these counts.
func (s summary) layout() summary {
	align := func(off uint64) uint64 {
		if s.vectors == 0 {
			return off
		}
		return (off + vectorsAlign - 1) &^ (vectorsAlign - 1)
	}
	vectors := uint64(s.vectors)
	s.blocksOff = linesOff + uint64(s.rows)*lineSize
	if s.version > 2 {
		s.dictOff = s.blocksOff + vectors*blockSize
		s.codesOff = align(s.frontBytes())
		s.vectorsOff = s.codesOff + vectors*uint64(vec.CodeLen(int(s.dim)))
		s.bodiesOff = s.vectorsOff + vectors*uint64(stride(int(s.dim)))
		s.bodiesEnd = s.bodiesOff + s.bodyBytes
		s.copyOff = (s.bodiesEnd + page - 1) &^ (page - 1)
		s.sizeBytes = s.copyOff + s.frontBytes()
		return s
	}
	footer := uint64(footerSize) + uint64(s.dictBytes)
	if s.version == 1 {
		s.codesOff = align(s.blocksOff + vectors*blockSize1)
		s.vectorsOff, footer = s.codesOff, 0
	} else {
		s.codesOff = align(s.blocksOff + vectors*blockSize)
		s.vectorsOff = s.codesOff + vectors*uint64(vec.CodeLen(int(s.dim)))
	}
	s.dictOff = s.vectorsOff + vectors*uint64(stride(int(s.dim)))
	s.bodiesOff = s.dictOff + uint64(s.dictBytes)
	s.bodiesEnd = s.bodiesOff + s.bodyBytes
	s.sizeBytes = s.bodiesEnd + footer
	return s
}

// frontBytes is the length of what is there twice from version 3 on: header, summary, lines, blocks and dictionary.
func (s summary) frontBytes() uint64 { return s.dictOff + uint64(s.dictBytes) }

// linesEnd is the end of the lines, and of the blocks and the dictionary if these stand between lines and bodies.
func (s summary) linesEnd() uint64 { return s.blocksOff }

// dictCopy is where the second copy of the dictionary is.
func (s summary) dictCopy() uint64 {
	if s.version > 2 {
		return s.copyOff + s.dictOff
	}
	return s.bodiesEnd
}

// headCopy is where the second copy of header and summary is; false in version 1, which has none.
func (s summary) headCopy() (off uint64, has bool) {
	if s.version > 2 {
		return s.copyOff, true
	}
	return s.sizeBytes - footerSize, s.version > 1
}

// append appends the summary of a file that is written.
func (s summary) append(b []byte, seed uint32) []byte {
	start := len(b)
	for _, v := range []uint32{s.rows, s.vectors, s.dim, s.base} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	for _, v := range []uint64{s.rawBytes, s.vectorsOff, s.bodiesOff, s.bodiesEnd} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	for _, v := range []uint32{s.dictBytes, uint32(s.tier), s.dictCRC} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, codec.Checksum(codec.At(seed, placeSummary), b[start:]))
}

// readSummary checks the summary against its checksum, the limits and the size that the file is to have.
func readSummary(b []byte, version, seed uint32, sizeBytes int64) (summary, error) {
	want := binary.LittleEndian.Uint32(b[summarySize-4:])
	if got := codec.Checksum(codec.At(seed, placeSummary), b[:summarySize-4]); got != want {
		return summary{}, fmt.Errorf("summary checksum is %08x, file says %08x", got, want)
	}
	u32 := binary.LittleEndian.Uint32
	u64 := binary.LittleEndian.Uint64
	said := summary{
		version: version, rows: u32(b), vectors: u32(b[4:]), dim: u32(b[8:]), base: u32(b[12:]), tier: Warm,
		vectorsOff: u64(b[24:]), bodiesOff: u64(b[32:]),
	}
	if version > 2 {
		said.bodiesEnd = u64(b[40:])
	} else {
		said.sizeBytes = u64(b[40:])
	}
	if version == 1 {
		said.blocksOff = u64(b[16:])
	} else {
		said.rawBytes, said.dictBytes = u64(b[16:]), u32(b[48:])
		said.tier, said.dictCRC = Tier(u32(b[52:])), u32(b[56:])
	}
	if said.rows > MaxRows || said.vectors > said.rows || said.dim > MaxDim || (said.vectors == 0) != (said.dim == 0) {
		return summary{}, fmt.Errorf("summary of %d rows, %d vectors, dimension %d is impossible",
			said.rows, said.vectors, said.dim)
	}
	if said.tier != Warm && said.tier != Cold || said.dictBytes > maxDict || said.dictBytes > 0 && said.tier != Cold {
		return summary{}, fmt.Errorf("summary of %v with a dictionary of %d bytes is impossible",
			said.tier, said.dictBytes)
	}
	return said.complete(sizeBytes)
}

// complete computes from what a summary says where everything is, and compares.
func (s summary) complete(sizeBytes int64) (summary, error) {
	said := s
	empty := s.layout() // without bodies
	end, before := said.sizeBytes, empty.sizeBytes
	if s.version > 2 {
		end, before = said.bodiesEnd, empty.bodiesEnd
	}
	if end < before || end > math.MaxInt64-2*page {
		return summary{}, fmt.Errorf("summary says that it ends at %d, what it tells of takes %d", end, before)
	}
	s.bodyBytes = end - before
	if s.version == 1 {
		s.rawBytes = s.bodyBytes
	}
	s = s.layout()
	if s.sizeBytes != uint64(sizeBytes) {
		return summary{}, fmt.Errorf("file is to have %d bytes, its summary says %d", sizeBytes, s.sizeBytes)
	}
	if s.vectorsOff != said.vectorsOff || s.bodiesOff != said.bodiesOff ||
		s.version == 1 && s.blocksOff != said.blocksOff || s.rawBytes < s.bodyBytes ||
		s.tier == Warm && s.rawBytes != s.bodyBytes {
		return summary{}, fmt.Errorf("summary %+v contradicts itself: want %+v", said, s)
	}
	return s, nil
}

// line is the fixed block of one row.
type line struct {
	Row
	off uint64 // of the body, from the start of the bodies
	len uint32
	crc uint32 // of the body
	raw uint32 // the body's length before it was packed; 0 if it is not
	// short is the body if that is in the line, which inLine says.
	short  [shortBody]byte
	inLine bool
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
	if l.raw > 0 {
		flags |= flagPacked
	}
	for _, v := range []uint32{l.len, l.crc, l.Index, l.Vector, flags, l.raw} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, l.short[:]...)
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
	packed := u32(b[40:])&flagPacked != 0
	if packed {
		l.raw = u32(b[44:])
	}
	if packed && (s.tier != Cold || l.raw <= l.len || l.raw > MaxBody) {
		return line{}, fmt.Errorf("line of row %d: a body of %d bytes packed into %d in a segment that is %v",
			slot, l.raw, l.len, s.tier)
	}
	if s.version > 2 && l.len <= shortBody && !packed {
		l.inLine = true
		copy(l.short[:], b[48:])
		return l, l.check(slot, s)
	}
	if l.off > s.bodyBytes || uint64(l.len) > s.bodyBytes-l.off {
		return line{}, fmt.Errorf("line of row %d: body at %d+%d is outside the file", slot, l.off, l.len)
	}
	return l, l.check(slot, s)
}

func (l *line) check(slot uint32, s summary) error {
	if l.Vector != NoVector && l.Vector >= s.vectors {
		return fmt.Errorf("line of row %d: vector %d of %d", slot, l.Vector, s.vectors)
	}
	return nil
}

// block is what is kept of one vector beside it.
type block struct {
	slot     uint32
	crc      uint32 // of the vector's stride bytes
	invNorm  float32
	scale    float32 // from here on not in version 1
	residual float32
	codesCRC uint32
}

func appendBlock(b []byte, m block, seed, vector uint32) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, m.slot)
	b = binary.LittleEndian.AppendUint32(b, m.crc)
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.invNorm))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.scale))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(m.residual))
	b = binary.LittleEndian.AppendUint32(b, m.codesCRC)
	b = binary.LittleEndian.AppendUint32(b, 0)
	return binary.LittleEndian.AppendUint32(b, codec.Checksum(codec.At(seed, placeBlock+int64(vector)), b[start:]))
}

// blockBytes is the size of a vector's block.
func (s summary) blockBytes() uint64 {
	if s.version == 1 {
		return blockSize1
	}
	return blockSize
}

// readBlock reads a block, of either version: b has its length.
func readBlock(b []byte, seed, vector, rows uint32) (block, error) {
	end := len(b) - 4
	want := binary.LittleEndian.Uint32(b[end:])
	if got := codec.Checksum(codec.At(seed, placeBlock+int64(vector)), b[:end]); got != want {
		return block{}, fmt.Errorf("block of vector %d: checksum is %08x, file says %08x", vector, got, want)
	}
	u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	m := block{slot: u32(0), crc: u32(4), invNorm: math.Float32frombits(u32(8))}
	if len(b) == blockSize {
		m.scale, m.residual, m.codesCRC = math.Float32frombits(u32(12)), math.Float32frombits(u32(16)), u32(20)
	}
	inRange := func(x float32) bool { return x > 0 && !math.IsInf(float64(x), 0) }
	switch {
	case m.slot >= rows:
		return block{}, fmt.Errorf("block of vector %d: row %d of %d", vector, m.slot, rows)
	case !inRange(m.invNorm):
		return block{}, fmt.Errorf("block of vector %d: inverse norm %v", vector, m.invNorm)
	case len(b) == blockSize && (!inRange(m.scale) || !(m.residual >= 0) || math.IsInf(float64(m.residual), 0)):
		return block{}, fmt.Errorf("block of vector %d: scale %v, residual %v", vector, m.scale, m.residual)
	}
	return m, nil
}
