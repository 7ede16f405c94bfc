package store

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
)

// A frame ends with what tells which memories it is of, with checksums of its own, so that where it is damaged no
// others have to be doubted: docs/format/frame.md.

const (
	// frameVersion: 2 added the end, 3 the position in its checksums.
	frameVersion = 3
	// frameEnd is the fixed part of the end: two counts, twice, and two checksums.
	frameEnd = 24
	// frameSeed starts both, so that zeros are the checksum of nothing.
	frameSeed = 0x6d617246
)

// seedOf starts the checksums of the frame of a position: another one, in its place by a disk that mixes up its blocks,
// does not prove itself.
func seedOf(position uint64) uint32 {
	if isolate.Off("position in frames") {
		return frameSeed
	}
	return codec.At(frameSeed, int64(position))
}

// startFrame begins a frame; appendOp adds to it, and endFrame ends it.
func startFrame(e *codec.Encoder) {
	e.Buf = append(e.Buf[:0], frameVersion)
}

func appendOp(e *codec.Encoder, o op) {
	e.U8(o.kind())
	o.append(e)
}

// touched is what the ops of a frame say something of, by hashes.
type touched struct {
	memories []uint64 // of ids
	others   []uint64 // of names of sources, and ofSettings
}

// ofSettings stands among others for what the whole space goes by: its model, and the generation of its vectors.
const ofSettings = 0

// endFrame ends the frame of a position, of ops that say something of of, which it sorts.
func endFrame(e *codec.Encoder, of touched, position uint64) {
	seed := seedOf(position)
	ops := codec.Checksum(seed, e.Buf)
	from := len(e.Buf)
	var counts [2]uint32
	for i, list := range [][]uint64{of.memories, of.others} {
		slices.Sort(list)
		list = slices.Compact(list)
		counts[i] = uint32(len(list))
		for _, hash := range list {
			e.U64(hash)
		}
	}
	sum := codec.Checksum(seed, e.Buf[from:])
	for range 2 {
		e.U32(counts[0])
		e.U32(counts[1])
	}
	e.U32(ops)
	e.U32(sum)
}

// readFrame decodes every op of the frame of a position before any of them is applied.
func readFrame(payload []byte, position uint64) ([]op, error) {
	d := codec.NewDecoder(payload)
	switch v := d.U8(); {
	case d.Err() != nil || v == 1:
	case v > frameVersion || v == 0:
		return nil, fmt.Errorf("frame encoding %d is unknown, this program reads 1 to %d", v, frameVersion)
	default:
		seed := seedOf(position)
		if v == 2 {
			seed = frameSeed
		}
		ops, of, err := splitFrame(payload, seed)
		if err == nil && (ops == nil || of == nil) {
			err = fmt.Errorf("%w: it has not the checksums that it says", codec.ErrValue)
		}
		if err != nil {
			return nil, fmt.Errorf("decode frame: %w", err)
		}
		d = codec.NewDecoder(ops[1:])
	}
	return readOps(d)
}

func readOps(d *codec.Decoder) ([]op, error) {
	var ops []op
	for d.Err() == nil && d.Remaining() > 0 {
		kind := d.U8()
		o := newOp(kind)
		if o == nil {
			return nil, fmt.Errorf("operation kind %d is unknown", kind)
		}
		o.read(d)
		ops = append(ops, o)
	}
	if err := d.Done(); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	return ops, nil
}

// splitFrame gives the ops of a frame, with its version before them, and what they are of. Of a damaged frame it gives
// what proves itself by checksums from seed, ops or of, the other nil, or an error if neither does.
func splitFrame(payload []byte, seed uint32) (ops []byte, of *touched, err error) {
	if len(payload) < 1+frameEnd {
		return nil, nil, codec.ErrShort
	}
	at := len(payload) - frameEnd
	d := codec.NewDecoder(payload[at:])
	counts := [][2]uint32{{d.U32(), d.U32()}, {d.U32(), d.U32()}}
	sumOps, sumOf := d.U32(), d.U32()
	for _, n := range slices.Compact(counts) {
		size := 8 * (int64(n[0]) + int64(n[1]))
		if size > int64(at-1) {
			continue
		}
		from := at - int(size)
		if codec.Checksum(seed, payload[:from]) == sumOps {
			ops = payload[:from]
		}
		if codec.Checksum(seed, payload[from:at]) == sumOf {
			of = &touched{memories: make([]uint64, n[0]), others: make([]uint64, n[1])}
			h := codec.NewDecoder(payload[from:at])
			for _, list := range [][]uint64{of.memories, of.others} {
				for i := range list {
					list[i] = h.U64()
				}
			}
		}
		if ops != nil || of != nil {
			return ops, of, nil
		}
	}
	return nil, nil, fmt.Errorf("%w: neither its operations nor what they are of have the checksum that it says",
		codec.ErrValue)
}

// frameNote appends the note of a frame, which the log tells again at a distance: what the frame is of, and the ops by
// which the whole space goes, as they are. Nothing for a frame of version 1, which does not tell. See
// docs/format/frame.md.
func frameNote(dst, payload []byte) []byte {
	if len(payload) < 1+frameEnd || payload[0] < 2 {
		return dst
	}
	at := len(payload) - frameEnd
	memories := int(binary.LittleEndian.Uint32(payload[at:]))
	others := int(binary.LittleEndian.Uint32(payload[at+4:]))
	from := at - 8*(memories+others)
	if from < 1 {
		return dst // of a version that this program does not know
	}
	between := from + 8*memories
	dst = binary.AppendUvarint(dst, uint64(memories))
	dst = append(dst, payload[from:between]...)
	if others == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(others))
	dst = append(dst, payload[between:at]...)
	if binary.LittleEndian.Uint64(payload[between:]) != ofSettings {
		return dst
	}
	ops, err := readOps(codec.NewDecoder(payload[1:from]))
	if err != nil {
		return dst
	}
	e := codec.Encoder{Buf: dst}
	for _, o := range ops {
		switch o.(type) {
		case *modelOp, *beginOp, *serveOp, *cancelOp:
			appendOp(&e, o)
		}
	}
	return e.Buf
}

// readFrameNote decodes what frameNote has made.
func readFrameNote(note []byte) (of *touched, settings []op, err error) {
	d := codec.NewDecoder(note)
	of = &touched{memories: readHashes(d)}
	if d.Err() == nil && d.Remaining() > 0 {
		of.others = readHashes(d)
		if settings, err = readOps(d); err != nil {
			return nil, nil, err
		}
	}
	return of, settings, d.Done()
}

func readHashes(d *codec.Decoder) []uint64 {
	list := make([]uint64, d.Count(8))
	for i := range list {
		list[i] = d.U64()
	}
	return list
}
