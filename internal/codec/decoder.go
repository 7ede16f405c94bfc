package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors that a Decoder wraps with the offset and the kind of value it was reading.
var (
	// ErrShort is returned when the input ends inside a value, or a length or count announces more than is left.
	ErrShort = errors.New("input ends early")
	// ErrValue is returned when bytes are not an encoding that Encoder produces: a boolean that is neither 0 nor 1, an
	// integer over 64 bits, or one written with more bytes than it needs.
	ErrValue = errors.New("not a valid encoding")
	// ErrTrailing is returned by Done when bytes are left.
	ErrTrailing = errors.New("bytes left after the last value")
)

// Decoder reads what an [Encoder] wrote. The first error sticks: every later read returns zero values, so that a
// caller reads all fields and checks once, with [Decoder.Err] or [Decoder.Done].
type Decoder struct {
	buf []byte // nil after an error, so that the usual cases below need not ask for one
	off int
	err error
}

// NewDecoder returns a Decoder at the start of b. It never writes to b; results of Bytes and Raw are parts of b.
func NewDecoder(b []byte) *Decoder { return &Decoder{buf: b} }

// Err returns the first error, or nil.
func (d *Decoder) Err() error { return d.err }

// Offset returns how many bytes were read.
func (d *Decoder) Offset() int { return d.off }

// Remaining returns how many bytes are left to read, 0 after an error.
func (d *Decoder) Remaining() int {
	if d.err != nil {
		return 0
	}
	return len(d.buf) - d.off
}

// Done returns the first error, or one matching [ErrTrailing] if bytes are left.
func (d *Decoder) Done() error {
	if n := d.Remaining(); n > 0 {
		return fmt.Errorf("%d of %d bytes: %w", n, len(d.buf), ErrTrailing)
	}
	return d.err
}

// Fail makes err the Decoder's error unless it already has one: for values that decode but are not allowed.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err, d.buf = err, nil
	}
}

// U8 reads one byte.
func (d *Decoder) U8() uint8 {
	if b := d.take(1, "u8"); b != nil {
		return b[0]
	}
	return 0
}

// Bool reads one byte that must be 0 or 1.
func (d *Decoder) Bool() bool {
	if d.off < len(d.buf) && d.buf[d.off] <= 1 { // the usual case
		d.off++
		return d.buf[d.off-1] == 1
	}
	return d.unusualBool()
}

func (d *Decoder) unusualBool() bool {
	b := d.take(1, "bool")
	if b != nil && b[0] > 1 {
		d.fail(d.off-1, "bool", ErrValue)
		return false
	}
	return b != nil && b[0] == 1
}

// U16 reads 2 bytes.
func (d *Decoder) U16() uint16 {
	if b := d.take(2, "u16"); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads 4 bytes.
func (d *Decoder) U32() uint32 {
	if b := d.take(4, "u32"); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads 8 bytes.
func (d *Decoder) U64() uint64 {
	if b := d.take(8, "u64"); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint reads what Encoder.Uvarint wrote; an encoding longer than needed is an error.
func (d *Decoder) Uvarint() uint64 {
	if d.off < len(d.buf) && d.buf[d.off] < 0x80 { // the usual case
		d.off++
		return uint64(d.buf[d.off-1])
	}
	return d.longUvarint()
}

func (d *Decoder) longUvarint() uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.buf[d.off:])
	switch {
	case n == 0:
		d.fail(d.off, "uvarint", ErrShort)
	case n < 0 || n > 1 && d.buf[d.off+n-1] == 0:
		d.fail(d.off, "uvarint", ErrValue)
	default:
		d.off += n
		return v
	}
	return 0
}

// Varint reads what Encoder.Varint wrote.
func (d *Decoder) Varint() int64 {
	u := d.Uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// F32 reads 4 bytes; any bit pattern is allowed, NaN and infinities included.
func (d *Decoder) F32() float32 { return math.Float32frombits(d.U32()) }

// F64 reads 8 bytes; any bit pattern is allowed, NaN and infinities included.
func (d *Decoder) F64() float64 { return math.Float64frombits(d.U64()) }

// Count reads a Uvarint that says how many elements follow, each at least minSize >= 1 bytes long. A count that cannot
// fit in what is left is an error, so a caller may allocate Count elements without trusting the input.
func (d *Decoder) Count(minSize int) int {
	start := d.off
	n, most := d.Uvarint(), uint64(d.Remaining())
	if n > most || n*uint64(max(minSize, 1)) > most { // a division would take longer than all else
		d.fail(start, "count", ErrShort)
		return 0
	}
	return int(n)
}

// Bytes reads what Encoder.Bytes wrote. The result is a part of the input with no spare capacity; it is empty, never
// nil, for length 0, and nil after an error.
func (d *Decoder) Bytes() []byte {
	if d.off < len(d.buf) { // the usual case: short
		from, n := d.off+1, int(d.buf[d.off])
		if n < 0x80 && n <= len(d.buf)-from {
			d.off = from + n
			return d.buf[from:d.off:d.off]
		}
	}
	n := d.Count(1)
	return d.take(n, "bytes")
}

// String reads what Encoder.String wrote, as a copy. It does not check for UTF-8.
func (d *Decoder) String() string { return string(d.Bytes()) }

// Raw reads n bytes that have no length before them, as Bytes does; a negative n is an error.
func (d *Decoder) Raw(n int) []byte { return d.take(n, "raw bytes") }

// take returns the next n bytes and moves past them, or nil with the error set.
func (d *Decoder) take(n int, what string) []byte {
	if d.err != nil {
		return nil
	}
	if n < 0 || n > len(d.buf)-d.off {
		d.fail(d.off, what, ErrShort)
		return nil
	}
	b := d.buf[d.off : d.off+n : d.off+n]
	d.off += n
	return b
}

// fail records the first error.
func (d *Decoder) fail(off int, what string, err error) {
	if d.err == nil {
		d.err = fmt.Errorf("read %s at byte %d of %d: %w", what, off, len(d.buf), err)
		d.buf = nil
	}
}
