package codec

import (
	"encoding/binary"
	"math"
)

// Encoder appends values to Buf. The zero value is ready; the caller may set Buf to reuse memory and may read or
// truncate it at any time.
type Encoder struct {
	Buf []byte
}

// U8 appends one byte.
func (e *Encoder) U8(v uint8) { e.Buf = append(e.Buf, v) }

// Bool appends one byte, 0 or 1.
func (e *Encoder) Bool(v bool) {
	if v {
		e.U8(1)
		return
	}
	e.U8(0)
}

// U16 appends 2 bytes, little-endian.
func (e *Encoder) U16(v uint16) { e.Buf = binary.LittleEndian.AppendUint16(e.Buf, v) }

// U32 appends 4 bytes, little-endian.
func (e *Encoder) U32(v uint32) { e.Buf = binary.LittleEndian.AppendUint32(e.Buf, v) }

// U64 appends 8 bytes, little-endian.
func (e *Encoder) U64(v uint64) { e.Buf = binary.LittleEndian.AppendUint64(e.Buf, v) }

// Uvarint appends 1 to 10 bytes, the fewest that hold v.
func (e *Encoder) Uvarint(v uint64) { e.Buf = binary.AppendUvarint(e.Buf, v) }

// Varint appends v in zig-zag form, 1 to 10 bytes.
func (e *Encoder) Varint(v int64) { e.Buf = binary.AppendVarint(e.Buf, v) }

// F32 appends the 4 bytes of v's IEEE 754 bits.
func (e *Encoder) F32(v float32) { e.U32(math.Float32bits(v)) }

// F64 appends the 8 bytes of v's IEEE 754 bits.
func (e *Encoder) F64(v float64) { e.U64(math.Float64bits(v)) }

// Bytes appends the length of b as Uvarint, then b. nil and empty are the same.
func (e *Encoder) Bytes(b []byte) {
	e.Uvarint(uint64(len(b)))
	e.Buf = append(e.Buf, b...)
}

// String appends s as Bytes does.
func (e *Encoder) String(s string) {
	e.Uvarint(uint64(len(s)))
	e.Buf = append(e.Buf, s...)
}

// Raw appends b without a length.
func (e *Encoder) Raw(b []byte) { e.Buf = append(e.Buf, b...) }
