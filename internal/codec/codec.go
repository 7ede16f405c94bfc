// Package codec turns values into bytes and back: checksums, a little-endian encoder and decoder, the header that every
// file of Engram begins with, and the errors that say a file is damaged or too new.
//
//	e := codec.Encoder{Buf: buf[:0]}
//	e.U64(id)
//	e.String(text)
//
//	d := codec.NewDecoder(e.Buf)
//	id, text := d.U64(), d.String()
//	if err := d.Done(); err != nil { … }
//
// # Invariants
//
//   - Decoding any bytes neither panics nor allocates more than the input's length.
//   - Each value has exactly one encoding: what decodes without error encodes to the same bytes again.
//   - The same bytes under two different seeds never have the same checksum.
//
// # Concurrency
//
// Functions are safe for concurrent use; an [Encoder] and a [Decoder] belong to one goroutine at a time.
//
// # Format
//
// Integers are little-endian; see [AppendHeader] for the common file header, and docs/format for each file kind.
//
// # Sources
//
// CRC-32C: Castagnoli, Bräuer and Herrmann, "Optimization of Cyclic Redundancy-Check Codes with 24 and 32 Parity
// Bits", IEEE Transactions on Communications 41 (1993); RFC 3720, section B.4 (test vectors). Variable-length integers
// are those of encoding/binary.
package codec
