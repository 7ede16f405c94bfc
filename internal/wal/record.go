package wal

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Layout of a record: see docs/format/log.md.
const (
	recordHeader = 32
	recordGrid   = 8

	lengthOff    = 0
	checksumOff  = 4
	lsnOff       = 8
	durableOff   = 16
	kindOff      = 24
	headCheckOff = 28
)

// kind says what a record is.
type kind uint8

const (
	kindData  kind = 1 // a payload; its LSN is one more than that of the data record before
	kindSeal  kind = 2 // the file is complete and the next one exists; LSN of the last data record before
	kindClean kind = 3 // a mark: everything before is durable; LSN of the last data record before
	kindNotes kind = 4 // what records before are of; LSN of the last data record before
)

// recordSize is how many bytes a record with a payload of n bytes takes in a file.
func recordSize(n int) int64 { return recordHeader + roundUp(int64(n), recordGrid) }

// appendRecord appends a record to b. What depends on where and when it is written is left for stamp.
func appendRecord(b []byte, k kind, lsn LSN, payload []byte) []byte {
	var h [recordHeader]byte
	binary.LittleEndian.PutUint32(h[lengthOff:], uint32(len(payload)))
	binary.LittleEndian.PutUint64(h[lsnOff:], uint64(lsn))
	h[kindOff] = byte(k)
	b = append(b, h[:]...)
	b = append(b, payload...)
	var pad [recordGrid]byte
	return append(b, pad[:-len(payload)&(recordGrid-1)]...)
}

// stamp completes the record that is all of rec for writing at off of the file with this seed.
func stamp(rec []byte, seed uint32, off int64, durable LSN) {
	seed = codec.At(seed, off)
	binary.LittleEndian.PutUint64(rec[durableOff:], uint64(durable))
	binary.LittleEndian.PutUint32(rec[headCheckOff:], headChecksum(rec, seed))
	binary.LittleEndian.PutUint32(rec[checksumOff:], checksum(rec, seed))
}

// headChecksum covers the header but the two checksums, so that a record's length is known to be right before it is
// used, and its watermark testifies even if its payload is torn.
func headChecksum(rec []byte, seed uint32) uint32 {
	return codec.Checksum(seed, rec[:checksumOff], rec[lsnOff:headCheckOff])
}

// checksum covers the record but itself, padding included.
func checksum(rec []byte, seed uint32) uint32 {
	return codec.Checksum(seed, rec[:checksumOff], rec[lsnOff:])
}

// head is the header of a record.
type head struct {
	length  int
	lsn     LSN
	durable LSN
	kind    kind
}

func (h head) size() int64 { return recordSize(h.length) }

// scanner reads records of one file through a window.
type scanner struct {
	file vfs.File
	seed uint32 // of the file
	size int64  // records end here
	buf  []byte // bytes of the file from base on
	base int64
}

// windowBytes is how much is read at once: large enough that a call is of no weight, small enough for ten thousand
// spaces (chosen).
const windowBytes = 256 << 10

// view returns n bytes at off, valid until the next call. The bytes must be inside the file.
func (s *scanner) view(off int64, n int) ([]byte, error) {
	if at := off - s.base; at >= 0 && at+int64(n) <= int64(len(s.buf)) {
		return s.buf[at : at+int64(n)], nil
	}
	if int64(n) > s.size-off {
		return nil, corrupt("read log", s.file.Name(), off, "%d bytes end behind the file's size of %d", n, s.size)
	}
	want := int(min(s.size-off, max(windowBytes, int64(n))))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.base = s.buf[:want], off
	got, err := s.file.ReadAt(s.buf, off)
	if got == want {
		return s.buf[:n], nil
	}
	s.buf = s.buf[:0]
	if err == nil || err == io.EOF {
		return nil, corrupt("read log", s.file.Name(), off+int64(got), "file ends here, it was %d bytes long", s.size)
	}
	return nil, fmt.Errorf("read log: %w", err)
}

// head returns the header of the record at off; ok is false if there is no whole header of a record that fits.
func (s *scanner) head(off int64) (h head, ok bool, err error) {
	if off+recordHeader > s.size {
		return head{}, false, nil
	}
	b, err := s.view(off, recordHeader)
	if err != nil {
		return head{}, false, err
	}
	h = head{
		length:  int(binary.LittleEndian.Uint32(b[lengthOff:])),
		lsn:     LSN(binary.LittleEndian.Uint64(b[lsnOff:])),
		durable: LSN(binary.LittleEndian.Uint64(b[durableOff:])),
		kind:    kind(b[kindOff]),
	}
	if h.kind < kindData || h.kind > kindNotes || int64(h.length) > s.size-off-recordHeader {
		return head{}, false, nil
	}
	want := binary.LittleEndian.Uint32(b[headCheckOff:])
	return h, headChecksum(b, codec.At(s.seed, off)) == want && off+h.size() <= s.size, nil
}

// record returns the record at off and its payload, valid until the next call; ok is false if it is not whole.
func (s *scanner) record(off int64) (h head, payload []byte, ok bool, err error) {
	if h, ok, err = s.head(off); !ok {
		return head{}, nil, false, err
	}
	b, err := s.view(off, int(h.size()))
	if err != nil {
		return head{}, nil, false, err
	}
	if checksum(b, codec.At(s.seed, off)) != binary.LittleEndian.Uint32(b[checksumOff:]) {
		return head{}, nil, false, nil
	}
	return h, b[recordHeader : recordHeader+h.length], true, nil
}

// before is the LSN of the last data record that comes before h in its file.
func (h head) before() LSN {
	if h.kind == kindData {
		return h.lsn - 1
	}
	return h.lsn
}

// next finds the first whole record at off or behind; ok is false if there is none.
func (s *scanner) next(off int64) (at int64, h head, ok bool, err error) {
	for ; off+recordHeader <= s.size; off += recordGrid {
		if h, _, ok, err = s.record(off); ok || err != nil {
			return off, h, ok, err
		}
	}
	return off, head{}, false, nil
}
