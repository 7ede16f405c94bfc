package vec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

const (
	floatBytes = 4  // bytes of one float32
	alignment  = 64 // bytes: a cache line and the widest register
)

// ErrLength is returned by Floats when the bytes are not a whole number of float32.
var ErrLength = errors.New("length is not a multiple of 4")

// littleEndian reports whether this processor keeps float32 in memory as files do.
func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

// Alloc returns n zeros that start on a 64-byte boundary, with length and capacity n. The
// slice is an ordinary one, moved and freed by nobody but the collector. Like make,
// Alloc panics if n is negative or too large: check lengths from outside against a limit first.
func Alloc(n int) []float32 {
	if n == 0 {
		return nil
	}
	const spare = alignment/floatBytes - 1
	buf := make([]float32, n+spare)
	past := uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % alignment / floatBytes
	skip := int((alignment/floatBytes - past) % (alignment / floatBytes))
	return buf[skip : skip+n : skip+n]
}

// Bytes returns the little-endian encoding of v, 4 bytes an element. On little-endian
// processors it is a view without a copy: it shares v's memory, shows every later change
// of v, and must not be written to unless v may be. On others it is a copy. Treat it
// as read-only and valid as long as v is. Without elements it is nil.
func Bytes(v []float32) []byte {
	if len(v) == 0 {
		return nil
	}
	if !littleEndian() {
		b := make([]byte, floatBytes*len(v))
		encode(b, v)
		return b
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), floatBytes*len(v))
}

// Floats returns the vector whose little-endian encoding is b, element i from
// b[4*i:4*i+4]; any bits are taken as they are, NaN included. If b starts on a multiple of
// 4 and the processor is little-endian it is a view without a copy: it shares b's
// memory and is valid as long as b is (for a mapped file, until it is unmapped).
// Otherwise it is a copy. Treat it as read-only either way: b may be mapped read-only.
// Without bytes it is nil. The error wraps ErrLength if len(b) is not a multiple of 4.
func Floats(b []byte) ([]float32, error) {
	if len(b)%floatBytes != 0 {
		return nil, fmt.Errorf("view %d bytes as float32, 4 bytes each: %w", len(b), ErrLength)
	}
	if len(b) == 0 {
		return nil, nil
	}
	start := unsafe.Pointer(unsafe.SliceData(b))
	if !littleEndian() || uintptr(start)%floatBytes != 0 {
		return decode(b), nil
	}
	return unsafe.Slice((*float32)(start), len(b)/floatBytes), nil
}

// encode is Bytes for any byte order, into the first 4*len(v) bytes of dst.
func encode(dst []byte, v []float32) {
	for i, x := range v {
		binary.LittleEndian.PutUint32(dst[floatBytes*i:], math.Float32bits(x))
	}
}

// decode is Floats by copying, for any byte order and alignment.
func decode(b []byte) []float32 {
	v := make([]float32, len(b)/floatBytes)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[floatBytes*i:]))
	}
	return v
}

// AllocCodes is Alloc for codes.
func AllocCodes(n int) []int8 {
	if n == 0 {
		return nil
	}
	floats := Alloc((n + floatBytes - 1) / floatBytes)
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(floats))), n)
}

// Int8s returns the codes whose encoding is b, an int8 a byte. It is a view without a copy, as Floats is.
func Int8s(b []byte) []int8 {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(b))), len(b))
}

// Int8Bytes is the inverse of Int8s.
func Int8Bytes(codes []int8) []byte {
	if len(codes) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(codes))), len(codes))
}
