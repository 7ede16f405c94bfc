package codec

import (
	"encoding/binary"
	"fmt"
)

// HeaderSize is the length in bytes of the header that every file begins with. It and the layout never change, whatever
// the format version says about the rest of the file, so that any program can name what any file is.
const HeaderSize = 64

const (
	magic        = "ENGRAM"
	headerCRCOff = HeaderSize - 4
)

// Header identifies a file: what it is, which store it belongs to and which file of that store it is.
type Header struct {
	Kind    string   // two letters, "WL" for a log file
	Version uint32   // format version of this kind, from 1
	Store   [16]byte // id of the store
	Number  uint64   // number of the file within its store and kind
	// Position is the log position up to which the file tells, where its kind says so; 0 where it does not, and in
	// files of programs that did not say yet.
	Position uint64
}

// AppendHeader appends the HeaderSize bytes of h to b:
//
//	offset  size  meaning
//	     0     8  "ENGRAM" and the two letters of the kind
//	     8     4  format version
//	    12     4  length of this header: 64
//	    16    16  id of the store
//	    32     8  file number
//	    40     8  log position that the file tells up to; 0 if it says nothing of that
//	    48    12  reserved: written as zeros, not interpreted
//	    60     4  CRC-32C of bytes 0 to 59
func AppendHeader(b []byte, h Header) []byte {
	var x [HeaderSize]byte
	copy(x[:], magic)
	copy(x[len(magic):8], h.Kind)
	binary.LittleEndian.PutUint32(x[8:], h.Version)
	binary.LittleEndian.PutUint32(x[12:], HeaderSize)
	copy(x[16:32], h.Store[:])
	binary.LittleEndian.PutUint64(x[32:], h.Number)
	binary.LittleEndian.PutUint64(x[40:], h.Position)
	binary.LittleEndian.PutUint32(x[headerCRCOff:], Checksum(0, x[:headerCRCOff]))
	return append(b, x[:]...)
}

// ReadHeader reads the header at the start of b, which may be longer. path is used in errors only. A header that is
// short, damaged, or of another kind is a *CorruptError; a whole header with a version other than 1 to newest is a
// *FormatError. The caller compares Store and Number, for instance with [Header.Check].
func ReadHeader(path string, b []byte, kind string, newest uint32) (Header, error) {
	damaged := func(format string, args ...any) (Header, error) {
		return Header{}, &CorruptError{Op: "read file header", Path: path, Err: fmt.Errorf(format, args...)}
	}
	if len(b) < HeaderSize {
		return damaged("%d bytes are too few for a header of %d: %w", len(b), HeaderSize, ErrShort)
	}
	if string(b[:len(magic)]) != magic {
		return damaged("not a file of engram: it begins with %q", b[:8])
	}
	if got, want := Checksum(0, b[:headerCRCOff]), binary.LittleEndian.Uint32(b[headerCRCOff:]); got != want {
		return damaged("checksum is %08x, header says %08x", got, want)
	}
	h := Header{
		Kind:     string(b[len(magic):8]),
		Version:  binary.LittleEndian.Uint32(b[8:]),
		Store:    [16]byte(b[16:32]),
		Number:   binary.LittleEndian.Uint64(b[32:]),
		Position: binary.LittleEndian.Uint64(b[40:]),
	}
	if h.Kind != kind {
		return damaged("file is of kind %q, want %q: it was put in place of another", h.Kind, kind)
	}
	if h.Version == 0 || h.Version > newest {
		return Header{}, &FormatError{Path: path, Kind: h.Kind, Found: h.Version, Newest: newest}
	}
	if n := binary.LittleEndian.Uint32(b[12:]); n != HeaderSize {
		return damaged("header length is %d, want %d", n, HeaderSize)
	}
	return h, nil
}

// Check returns a *CorruptError naming path unless the header is that of file number of the store.
func (h Header) Check(path string, store [16]byte, number uint64) error {
	var err error
	switch {
	case h.Store != store:
		err = fmt.Errorf("file belongs to store %x, want %x: it was put in place of another", h.Store, store)
	case h.Number != number:
		err = fmt.Errorf("file number is %d, want %d: it was put in place of another", h.Number, number)
	default:
		return nil
	}
	return &CorruptError{Op: "read file header", Path: path, Err: err}
}
