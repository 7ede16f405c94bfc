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
	// Language is the ISO 639 code of what Content is in, "" if that is not known, and LanguageFrom says how it is
	// known.
	Language     string
	LanguageFrom LanguageSource
}

// LanguageSource says how the language of a record is known. Its values are stored.
type LanguageSource uint8

const (
	LanguageOpen   LanguageSource = iota // not at all: the index goes by its own, or finds it
	LanguageFound                        // found out when the record was made; "" if too little speaks for any
	LanguageStated                       // by whoever gave the memory
)

// Pair is one entry of a record's metadata.
type Pair struct{ Key, Value string }

// recordVersion: 2 added the language; version 1 has none.
const recordVersion = 2

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
	e.U8(uint8(r.LanguageFrom))
	e.String(r.Language)
	return e.Buf
}

// RoughSize is about the length of r's encoding, rather more than less.
func (r *Record) RoughSize() int {
	n := 128 + len(r.ID) + len(r.Content) + len(r.Kind) + len(r.Speaker) + len(r.Session) + len(r.Source) +
		len(r.Reason)
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

// ZoneOffset is an offset from UTC in seconds as times have it: whole minutes of less than a day, which RFC 3339 can
// state. Of any other the instant is kept, in UTC. Earlier versions stored them.
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
	v, err := recordEncoding(d)
	if err != nil {
		return err
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
	if v > 1 {
		r.LanguageFrom, r.Language = LanguageSource(d.U8()), text()
		if r.LanguageFrom > LanguageStated || len(r.Language) > maxLanguage {
			d.Fail(fmt.Errorf("language %.20q from source %d is impossible", r.Language, r.LanguageFrom))
		}
	}
	if err := d.Done(); err != nil {
		return fmt.Errorf("decode record: %w", err)
	}
	return nil
}

// maxLanguage bounds the code of a language, in bytes.
const maxLanguage = 16

// recordEncoding reads the version that a record begins with.
func recordEncoding(d *codec.Decoder) (uint8, error) {
	v := d.U8()
	if d.Err() == nil && (v == 0 || v > recordVersion) {
		return 0, fmt.Errorf("decode record: encoding %d is unknown, this program reads 1 to %d", v, recordVersion)
	}
	return v, nil
}

// recordID reads the id alone, as a part of b.
func recordID(b []byte) ([]byte, error) {
	d := codec.NewDecoder(b)
	if _, err := recordEncoding(d); err != nil {
		return nil, err
	}
	id := d.Bytes()
	return id, d.Err()
}
