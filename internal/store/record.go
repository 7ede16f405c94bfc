package store

import (
	"fmt"

	"github.com/orchard9/engram-go/internal/codec"
)

// NoTime stands for a time that was not given; every other value is nanoseconds since 1970 UTC.
const NoTime = int64(-1 << 63)

// Time is an instant and the zone offset it was given in, in seconds east of UTC.
type Time struct {
	Nanos  int64
	Offset int32
}

// IsZero reports whether no time was given.
func (t Time) IsZero() bool { return t.Nanos == NoTime }

// Record is one version of a memory as it is stored: the body of a segment's row.
type Record struct {
	ID         string
	Version    uint32
	Content    string
	Kind       string
	Tags       []string
	Speaker    string
	Session    string
	Source     string
	Reason     string
	Metadata   []Pair // in ascending order of Key
	OccurredAt Time
	ValidFrom  Time
	ValidUntil Time
	ExpiresAt  Time
	CreatedAt  Time
	UpdatedAt  Time
	Confidence float64
	Pin        bool
}

// Pair is one entry of a record's metadata.
type Pair struct{ Key, Value string }

const recordVersion = 1

const (
	recordPin = 1 << iota
)

// appendRecord appends the encoding of r; see docs/format/record.md.
func appendRecord(b []byte, r *Record) []byte {
	e := codec.Encoder{Buf: b}
	e.U8(recordVersion)
	e.String(r.ID)
	e.Uvarint(uint64(r.Version))
	e.String(r.Content)
	for _, s := range []string{r.Kind, r.Speaker, r.Session, r.Source, r.Reason} {
		e.String(s)
	}
	e.Uvarint(uint64(len(r.Tags)))
	for _, tag := range r.Tags {
		e.String(tag)
	}
	e.Uvarint(uint64(len(r.Metadata)))
	for _, p := range r.Metadata {
		e.String(p.Key)
		e.String(p.Value)
	}
	for _, t := range []Time{r.OccurredAt, r.ValidFrom, r.ValidUntil, r.ExpiresAt, r.CreatedAt, r.UpdatedAt} {
		appendTime(&e, t)
	}
	e.F64(r.Confidence)
	flags := uint8(0)
	if r.Pin {
		flags |= recordPin
	}
	e.U8(flags)
	return e.Buf
}

// RoughSize is about the length of r's encoding, rather more than less.
func (r *Record) RoughSize() int {
	n := 128 + len(r.ID) + len(r.Content) + len(r.Kind) + len(r.Speaker) + len(r.Session) + len(r.Source) + len(r.Reason)
	for _, tag := range r.Tags {
		n += len(tag) + 2
	}
	for _, p := range r.Metadata {
		n += len(p.Key) + len(p.Value) + 6
	}
	return n
}

// appendTime writes a time as one byte 0 if there is none, else 1, the nanoseconds and the offset.
func appendTime(e *codec.Encoder, t Time) {
	e.Bool(!t.IsZero())
	if !t.IsZero() {
		e.U64(uint64(t.Nanos))
		e.Varint(int64(t.Offset))
	}
}

func readTime(d *codec.Decoder) Time {
	if !d.Bool() {
		return Time{Nanos: NoTime}
	}
	return Time{Nanos: int64(d.U64()), Offset: ZoneOffset(d.Varint())}
}

// ZoneOffset is an offset from UTC in seconds as times have it: whole minutes of less than a day, which RFC 3339 can state.
// Of any other the instant is kept, in UTC. Earlier versions stored them.
func ZoneOffset[I int | int64](seconds I) int32 {
	const day = 24 * 60 * 60
	if seconds%60 != 0 || seconds <= -day || seconds >= day {
		return 0
	}
	return int32(seconds)
}

// readRecord decodes what appendRecord wrote.
func readRecord(b []byte) (*Record, error) {
	r := new(Record)
	if err := r.decode(b); err != nil {
		return nil, err
	}
	return r, nil
}

// decode reads what appendRecord wrote into the zero Record r. It shares nothing with b: its strings are parts of one
// copy.
func (r *Record) decode(b []byte) error {
	d := codec.NewDecoder(b)
	if v := d.U8(); d.Err() == nil && v != recordVersion {
		return fmt.Errorf("decode record: encoding %d is unknown, this program reads %d", v, recordVersion)
	}
	whole := string(b)
	text := func() string {
		n := len(d.Bytes())
		return whole[d.Offset()-n : d.Offset()]
	}
	r.ID, r.Version, r.Content = text(), uint32(d.Uvarint()), text()
	for _, s := range [...]*string{&r.Kind, &r.Speaker, &r.Session, &r.Source, &r.Reason} {
		*s = text()
	}
	if n := d.Count(1); n > 0 {
		r.Tags = make([]string, n)
		for i := range r.Tags {
			r.Tags[i] = text()
		}
	}
	if n := d.Count(2); n > 0 {
		r.Metadata = make([]Pair, n)
		for i := range r.Metadata {
			r.Metadata[i] = Pair{text(), text()}
		}
	}
	for _, t := range [...]*Time{
		&r.OccurredAt, &r.ValidFrom, &r.ValidUntil, &r.ExpiresAt, &r.CreatedAt, &r.UpdatedAt,
	} {
		*t = readTime(d)
	}
	r.Confidence = d.F64()
	r.Pin = d.U8()&recordPin != 0
	if err := d.Done(); err != nil {
		return fmt.Errorf("decode record: %w", err)
	}
	return nil
}

// recordID reads the id alone, as a part of b.
func recordID(b []byte) ([]byte, error) {
	d := codec.NewDecoder(b)
	if v := d.U8(); d.Err() == nil && v != recordVersion {
		return nil, fmt.Errorf("decode record: encoding %d is unknown, this program reads %d", v, recordVersion)
	}
	id := d.Bytes()
	return id, d.Err()
}
