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
	seed, names := codec.Seed(o.Store, number), [...]string{"", "data", "seal", "clean"}
	var spans []Span
	for off := int64(fileHeader); off+recordHeader <= int64(len(b)); {
		rec := b[off:]
		size := recordLen(rec)
		k := kind(rec[kindOff])
		if k < kindData || k > kindClean || size > int64(len(rec)) ||
			checksum(rec[:size], codec.At(seed, off)) != binary.LittleEndian.Uint32(rec[checksumOff:]) {
			break
		}
		lsn := LSN(binary.LittleEndian.Uint64(rec[lsnOff:]))
		spans = append(spans, Span{Off: off, End: off + size, Kind: names[k], LSN: lsn})
		off += size
	}
	return spans
}
