package codec

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/orchard9/engram-go/internal/isolate"
)

// castagnoli is constant; hash/crc32 recognises this table and uses the processor's instruction where there is one.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of the concatenated parts, started from seed. Seed 0 gives the standard CRC-32C.
//
// For the same bytes, different seeds always give different checksums (the start value passes through the polynomial
// as a bijection), so bytes read from another file or another position fail with certainty, not with probability.
// Any single flipped bit, and any burst of up to 32 bits, is detected. It does not allocate; but an array on the
// caller's stack that parts point into moves to the heap, because hash/crc32 calls through a function variable.
func Checksum(seed uint32, parts ...[]byte) uint32 {
	if isolate.Off("checksums") {
		return 0
	}
	for _, p := range parts {
		seed = crc32.Update(seed, castagnoli, p)
	}
	return seed
}

// Seed returns the start value for the checksums of one file: the checksum of the store's id and the file's number.
// Two numbers that differ only in their low or only in their high 32 bits have different seeds in the same store.
// A record mixes its position in with [At].
func Seed(store [16]byte, number uint64) uint32 {
	if isolate.Off("seeds") {
		return 0
	}
	var b [24]byte
	copy(b[:16], store[:])
	binary.LittleEndian.PutUint64(b[16:], number)
	return crc32.Update(0, castagnoli, b[:])
}

// At returns seed for the bytes at offset of a file. Offsets that differ only in their low 32 bits, as all offsets of a
// file below 4 GiB do, give different seeds.
func At(seed uint32, offset int64) uint32 {
	return seed ^ uint32(offset) ^ uint32(uint64(offset)>>32)*0x9e3779b1
}
