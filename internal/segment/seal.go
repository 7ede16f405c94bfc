package segment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// File names one segment file.
type File struct {
	FS     vfs.FS
	Dir    string
	Store  [16]byte
	Number uint64
}

// Path is where the file is.
func (f File) Path() string { return filepath.Join(f.Dir, fmt.Sprintf("%016x.seg", f.Number)) }

func (f File) seed() uint32 { return codec.Seed(f.Store, f.Number) }

// Seal writes the rows of h, which nobody adds to any more, as a new file and returns its size in bytes. When it
// returns nil the file is durable under its name. On error it removes what it wrote, if the file system lets it, and
// the caller may try again with another number. A file of that name must not exist.
func Seal(f File, h *Hot) (sizeBytes int64, err error) {
	if h.Rows() > MaxRows {
		return 0, fmt.Errorf("seal segment of %d rows: at most %d fit into one file", h.Rows(), MaxRows)
	}
	aside := f.Path() + ".tmp"
	if err := removeIfThere(f.FS, aside); err != nil {
		return 0, fmt.Errorf("clear leftover of an earlier sealing: %w", err)
	}
	if err := isolate.Fault("segment/create"); err != nil {
		return 0, err
	}
	file, err := f.FS.Create(aside)
	if err != nil {
		return 0, fmt.Errorf("create segment: %w", err)
	}
	sizeBytes, err = writeSegment(f, file, h)
	if err == nil {
		err = isolate.Fault("segment/sync")
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("write segment: %w", errors.Join(err, f.FS.Remove(aside)))
	}
	if err := isolate.Fault("segment/rename"); err != nil {
		return 0, err
	}
	if err := f.FS.Rename(aside, f.Path()); err != nil {
		return 0, fmt.Errorf("name segment: %w", errors.Join(err, f.FS.Remove(aside)))
	}
	if err := isolate.Fault("segment/directory"); err != nil {
		return 0, err
	}
	if err := f.FS.SyncDir(f.Dir); err != nil {
		return 0, fmt.Errorf("sync segment directory: %w", errors.Join(err, f.FS.Remove(f.Path())))
	}
	return sizeBytes, nil
}

func removeIfThere(fs vfs.FS, name string) error {
	if _, err := fs.Stat(name); err != nil {
		return nil //nolint:nilerr // not there, or Create will say why not
	}
	return fs.Remove(name)
}

// writeSegment writes header, summary, lines, vector blocks, vectors and bodies, in file order.
func writeSegment(f File, file vfs.File, h *Hot) (int64, error) {
	seed := f.seed()
	lines, bodyBytes, err := sealLines(h, seed)
	if err != nil {
		return 0, err
	}
	dim := h.Dim()
	if h.vectors == 0 {
		dim = 0
	}
	s := layout(h.Rows(), h.vectors, dim, bodyBytes)
	out := bufio.NewWriterSize(io.NewOffsetWriter(file, 0), 1<<20)
	head := codec.AppendHeader(nil, codec.Header{Kind: Kind, Version: FormatVersion, Store: f.Store, Number: f.Number})
	out.Write(s.append(head, seed)) //nolint:errcheck // bufio keeps the first error; Flush returns it
	out.Write(lines)                //nolint:errcheck // as above
	if h.vectors > 0 {
		if err := writeVectors(out, h, s, seed); err != nil {
			return 0, err
		}
	}
	for slot := range h.Rows() {
		if row, err := h.Row(slot); err != nil || row.Void {
			continue // sealLines has seen the error
		}
		err := h.Read(slot, func(body []byte) error {
			_, err := out.Write(body)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return int64(s.sizeBytes), out.Flush()
}

func sealLines(h *Hot, seed uint32) (lines []byte, bodyBytes uint64, err error) {
	lines = make([]byte, 0, int(h.Rows())*lineSize)
	for slot := range h.Rows() {
		row, err := h.Row(slot)
		if err != nil {
			return nil, 0, err
		}
		l := line{Row: row, off: bodyBytes}
		if row.Void {
			lines = appendLine(lines, line{Row: Row{Void: true, Vector: NoVector}}, seed, slot)
			continue
		}
		err = h.Read(slot, func(body []byte) error {
			l.len = uint32(len(body))
			l.crc = codec.Checksum(codec.At(seed, placeBody+int64(slot)), body)
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		bodyBytes += uint64(l.len)
		lines = appendLine(lines, l, seed, slot)
	}
	return lines, bodyBytes, nil
}

// eachVector calls fn with every vector's stride bytes, in vector order.
func eachVector(h *Hot, fn func(vector, slot uint32, bytes []byte, invNorm float32) error) error {
	vector := uint32(0)
	for g := range h.Groups() {
		group, err := h.Group(g)
		if err != nil {
			return err
		}
		for i, slot := range group.Slots {
			bytes := vec.Bytes(group.Floats[i*group.Stride : (i+1)*group.Stride])
			if err := fn(vector, slot, bytes, group.InvNorm[i]); err != nil {
				return err
			}
			vector++
		}
	}
	return nil
}

func writeVectors(out io.Writer, h *Hot, s summary, seed uint32) error {
	blocks := make([]byte, 0, int(s.vectors)*vecMetaSize)
	err := eachVector(h, func(vector, slot uint32, bytes []byte, invNorm float32) error {
		m := vecMeta{slot: slot, invNorm: invNorm, crc: codec.Checksum(codec.At(seed, placeVector+int64(vector)), bytes)}
		blocks = appendVecMeta(blocks, m, seed, vector)
		return nil
	})
	if err != nil {
		return err
	}
	pad := s.vectorsOff - s.vecMetaOff - uint64(len(blocks))
	if _, err := out.Write(append(blocks, make([]byte, pad)...)); err != nil {
		return err
	}
	return eachVector(h, func(_, _ uint32, bytes []byte, _ float32) error {
		_, err := out.Write(bytes)
		return err
	})
}
