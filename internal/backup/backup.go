// Package backup is the form in which spaces leave a machine and come back: one stream of checked items.
//
//	w, err := backup.NewWriter(out)
//	err = w.Space(backup.Space{Name: "default", Store: id, Full: true, To: 120})
//	err = w.File("MANIFEST", size); err = w.Data(chunk)
//	err = w.Frame(118, payload)
//	err = w.End()
//
// A stream has one section for each space: the files of a full backup, or the one that the log does not tell of, then
// frames of the log in order.
// Streams may be put one behind the other: a full backup and what followed it.
//
// # Invariants
//
//   - The checksum of every item covers the one before it: an item that is missing, doubled or moved is damage.
//   - A stream without its end item is not a backup: [Reader.Next] says so instead of ending.
//   - No length read is believed beyond what arrives: memory grows with the bytes that are there.
//
// # Concurrency
//
// A Writer and a Reader are for one goroutine at a time.
//
// # Format
//
// See docs/format/backup.md.
package backup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/orchard9/engram-go/internal/codec"
)

const (
	// Kind is that of the stream's header.
	Kind = "BK"
	// FormatVersion is the newest version that is read, and the one that is written. Version 1 has no files in
	// incremental sections.
	FormatVersion = 2

	// ChunkBytes is the size of the pieces that files come in; the last of a file is smaller.
	ChunkBytes = 1 << 20

	itemHeader = 1 + 4 + 4
	// maxItem is above the largest record of a log, 1 GiB at most by its own options, 32 MiB by default.
	maxItem = 1<<30 + 64
)

// Kind of an item as it stands in the stream; never renumbered.
type itemKind uint8

const (
	itemSpace itemKind = iota + 1
	itemFile
	itemData
	itemFrame
	itemEnd
)

// Space begins a section.
type Space struct {
	Name  string
	Store [16]byte
	// Full says that files come first; the frames then follow those of the files' checkpoint.
	Full bool
	// Frames are those of the positions in (From, To]. To is where the section ends even if it holds no frames.
	From, To uint64
	// WrittenAt is when the newest version in the files of a full section was written, in nanoseconds since 1970 UTC.
	WrittenAt int64
}

// File begins a file of a section: SizeBytes of Data follow.
type File struct {
	Name      string // of letters, digits, dot, hyphen and underscore
	SizeBytes uint64
}

// Frame is one record of the log.
type Frame struct {
	Position uint64
	Payload  []byte // valid until the next call of Next
}

// End is the last item of a stream.
type End struct{ Items uint64 }

// Data is a piece of a file; valid until the next call of Next.
type Data []byte

// Item is a [Space], [File], [Data], [Frame] or [End].
type Item any

// Writer writes a stream.
type Writer struct {
	out   io.Writer
	seed  uint32
	items uint64
	bytes int64
	e     codec.Encoder
}

// NewWriter begins a stream.
func NewWriter(out io.Writer) (*Writer, error) {
	w := &Writer{out: out}
	header := codec.AppendHeader(nil, codec.Header{Kind: Kind, Version: FormatVersion})
	w.seed = codec.Checksum(0, header)
	return w, w.write(header)
}

// Bytes is the size of what was written.
func (w *Writer) Bytes() int64 { return w.bytes }

func (w *Writer) write(b []byte) error {
	n, err := w.out.Write(b)
	w.bytes += int64(n)
	if err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	return nil
}

// item writes one item whose payload is the rest of w.e and then tail.
func (w *Writer) item(kind itemKind, tail []byte) error {
	size := len(w.e.Buf) + len(tail)
	if size > maxItem {
		return fmt.Errorf("write backup: item of %d bytes, at most %d are possible", size, maxItem)
	}
	var head [itemHeader]byte
	head[0] = byte(kind)
	binary.LittleEndian.PutUint32(head[1:], uint32(size))
	w.seed = codec.Checksum(w.seed, head[:5], w.e.Buf, tail)
	binary.LittleEndian.PutUint32(head[5:], w.seed)
	w.items++
	for _, part := range [][]byte{head[:], w.e.Buf, tail} {
		if err := w.write(part); err != nil {
			return err
		}
	}
	w.e.Buf = w.e.Buf[:0]
	return nil
}

// Space begins the section of a space.
func (w *Writer) Space(s Space) error {
	w.e.String(s.Name)
	w.e.Raw(s.Store[:])
	w.e.Bool(s.Full)
	w.e.U64(s.From)
	w.e.U64(s.To)
	w.e.U64(uint64(s.WrittenAt))
	return w.item(itemSpace, nil)
}

// File begins a file; the caller then writes exactly that many bytes with Data.
func (w *Writer) File(name string, sizeBytes uint64) error {
	w.e.String(name)
	w.e.U64(sizeBytes)
	return w.item(itemFile, nil)
}

// Data writes a piece of the file, at most ChunkBytes.
func (w *Writer) Data(chunk []byte) error { return w.item(itemData, chunk) }

// Frame writes a record of the log.
func (w *Writer) Frame(position uint64, payload []byte) error {
	w.e.U64(position)
	return w.item(itemFrame, payload)
}

// End ends the stream. Without it the stream is refused.
func (w *Writer) End() error {
	w.e.U64(w.items)
	return w.item(itemEnd, nil)
}

// Reader reads streams, one behind the other.
type Reader struct {
	in     io.Reader
	name   string
	offset int64
	seed   uint32
	items  uint64
	inside bool // a stream has begun and not ended
	body   bytes.Buffer
}

const adviceBackup = "take another copy of it, or another backup"

// NewReader reads from in; name is for errors.
func NewReader(in io.Reader, name string) *Reader { return &Reader{in: in, name: name} }

// Offset is the number of bytes read so far.
func (r *Reader) Offset() int64 { return r.offset }

func (r *Reader) corrupt(at int64, err error) error {
	return &codec.CorruptError{Op: "read backup", Path: r.name, Offset: at, Err: err, Advice: adviceBackup}
}

// full reads len(b) bytes; io.EOF only if there was none at all.
func (r *Reader) full(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.offset += int64(n)
	return err
}

// Next reads the next item. After the End of the last stream it returns io.EOF. What is damaged or cut off is a
// *codec.CorruptError, a stream of a newer version a *codec.FormatError.
func (r *Reader) Next() (Item, error) {
	if !r.inside {
		if err := r.begin(); err != nil {
			return nil, err
		}
	}
	at := r.offset
	var head [itemHeader]byte
	if err := r.full(head[:]); err != nil {
		return nil, r.cut(at, err)
	}
	size := binary.LittleEndian.Uint32(head[1:])
	if size > maxItem {
		return nil, r.corrupt(at, fmt.Errorf("an item of %d bytes, at most %d are possible", size, maxItem))
	}
	r.body.Reset()
	n, err := io.CopyN(&r.body, r.in, int64(size))
	r.offset += n
	if err != nil {
		return nil, r.cut(at, err)
	}
	want := binary.LittleEndian.Uint32(head[5:])
	if got := codec.Checksum(r.seed, head[:5], r.body.Bytes()); got != want {
		return nil, r.corrupt(at, fmt.Errorf("checksum is %08x, stream says %08x", got, want))
	}
	r.seed = want
	item, err := decode(itemKind(head[0]), r.body.Bytes())
	if err != nil {
		return nil, r.corrupt(at, err)
	}
	if end, ok := item.(End); ok {
		if end.Items != r.items {
			return nil, r.corrupt(at, fmt.Errorf("%d items came, the stream says %d", r.items, end.Items))
		}
		r.inside = false
	}
	r.items++
	return item, nil
}

// begin reads the header of a stream.
func (r *Reader) begin() error {
	at := r.offset
	header := make([]byte, codec.HeaderSize)
	switch err := r.full(header); {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return r.cut(at, err)
	}
	if _, err := codec.ReadHeader(r.name, header, Kind, FormatVersion); err != nil {
		return err
	}
	r.seed, r.items, r.inside = codec.Checksum(0, header), 0, true
	return nil
}

// cut explains a stream that ends too early; other errors of reading stay what they are.
func (r *Reader) cut(at int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.corrupt(at, errors.New("the stream ends before its end: the backup was interrupted or cut off"))
	}
	return fmt.Errorf("read backup: %w", err)
}

func decode(kind itemKind, body []byte) (Item, error) {
	d := codec.NewDecoder(body)
	var item Item
	switch kind {
	case itemSpace:
		s := Space{Name: d.String()}
		copy(s.Store[:], d.Raw(len(s.Store)))
		s.Full, s.From, s.To, s.WrittenAt = d.Bool(), d.U64(), d.U64(), int64(d.U64())
		if s.To < s.From {
			return nil, fmt.Errorf("section of space %q ends at %d, before it begins at %d", s.Name, s.To, s.From)
		}
		item = s
	case itemFile:
		f := File{Name: d.String(), SizeBytes: d.U64()}
		if !plainName(f.Name) {
			return nil, fmt.Errorf("%q is not the name of a file of a space", f.Name)
		}
		item = f
	case itemData:
		return Data(body), nil
	case itemFrame:
		f := Frame{Position: d.U64()}
		f.Payload = d.Raw(d.Remaining())
		item = f
	case itemEnd:
		item = End{Items: d.U64()}
	default:
		return nil, fmt.Errorf("item of unknown kind %d", kind)
	}
	return item, d.Done()
}

// plainName reports whether name is one that a space gives to its files: never one that leads out of its directory.
func plainName(name string) bool {
	if name == "" || len(name) > 128 || name[0] == '.' {
		return false
	}
	for _, c := range []byte(name) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' ||
			c == '_'
		if !plain {
			return false
		}
	}
	return true
}
