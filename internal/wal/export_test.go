package wal

import (
	"encoding/binary"

	"github.com/orchard9/engram-go/internal/codec"
)

// What tests need to know of the format.
const (
	FileHeader   = fileHeader
	RecordHeader = recordHeader
)

// LogPath is where log file number is.
func (o Options) LogPath(number uint64) string { return o.logPath(number) }

// RawRecord returns a whole data record as it is at off of file number of o's store.
func (o Options) RawRecord(number uint64, off int64, lsn, durable LSN, payload []byte) []byte {
	rec := appendRecord(nil, kindData, lsn, payload)
	stamp(rec, codec.Seed(o.Store, number), off, durable)
	return rec
}

// RawClean returns a whole record that ends a session, as it is at off of file number of o's store.
func (o Options) RawClean(number uint64, off int64, lsn LSN) []byte {
	rec := appendRecord(nil, kindClean, lsn, nil)
	stamp(rec, codec.Seed(o.Store, number), off, lsn)
	return rec
}

// Span is one record in a file.
type Span struct {
	Off, End int64
	Kind     string
	LSN      LSN
}

// Spans lists the records in b, the content of log file number, up to the first that is not whole.
func (o Options) Spans(number uint64, b []byte) []Span {
	seed := codec.Seed(o.Store, number)
	var spans []Span
	for off := int64(fileHeader); off+recordHeader <= int64(len(b)); {
		span, ok := spanAt(b, seed, off)
		if !ok || off > fileHeader && span.Kind == "clean" && off%pageBytes == 0 {
			break
		}
		spans = append(spans, span)
		off = span.End
	}
	return spans
}

func spanAt(b []byte, seed uint32, off int64) (s Span, ok bool) {
	rec, names := b[off:], [...]string{"", "data", "seal", "clean", "notes"}
	size := recordLen(rec)
	k := kind(rec[kindOff])
	if k < kindData || k > kindNotes || size > int64(len(rec)) ||
		checksum(rec[:size], codec.At(seed, off)) != binary.LittleEndian.Uint32(rec[checksumOff:]) {
		return Span{}, false
	}
	return Span{Off: off, End: off + size, Kind: names[k], LSN: LSN(binary.LittleEndian.Uint64(rec[lsnOff:]))}, true
}

// Marks lists the whole marks in b, the content of log file number, where a page begins.
func (o Options) Marks(number uint64, b []byte) (marks []Span) {
	for off := int64(pageBytes); off < int64(len(b)); off += pageBytes {
		if span, ok := spanAt(b, codec.Seed(o.Store, number), off); ok && span.Kind == "clean" {
			marks = append(marks, span)
		}
	}
	return marks
}
