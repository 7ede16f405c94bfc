package store

import (
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
)

// A frame ends with what tells which memories it is of, with checksums of its own, so that where it is damaged no
// others have to be doubted: docs/format/frame.md.

const (
	// frameVersion: 2 added the end.
	frameVersion = 2
	// frameEnd is the fixed part of the end: two counts, twice, and two checksums.
	frameEnd = 24
	// frameSeed starts both, so that zeros are the checksum of nothing.
	frameSeed = 0x6d617246
)

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

// endFrame ends a frame of ops that say something of of, which it sorts.
func endFrame(e *codec.Encoder, of touched) {
	ops := codec.Checksum(frameSeed, e.Buf)
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
	sum := codec.Checksum(frameSeed, e.Buf[from:])
	for range 2 {
		e.U32(counts[0])
		e.U32(counts[1])
	}
	e.U32(ops)
	e.U32(sum)
}

// readFrame decodes every op of a frame before any of them is applied.
func readFrame(payload []byte) ([]op, error) {
	d := codec.NewDecoder(payload)
	switch v := d.U8(); {
	case d.Err() != nil || v == 1:
	case v != frameVersion:
		return nil, fmt.Errorf("frame encoding %d is unknown, this program reads 1 to %d", v, frameVersion)
	default:
		ops, of, err := splitFrame(payload)
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
// what proves itself, ops or of, the other nil, or an error if neither does.
func splitFrame(payload []byte) (ops []byte, of *touched, err error) {
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
		if codec.Checksum(frameSeed, payload[:from]) == sumOps {
			ops = payload[:from]
		}
		if codec.Checksum(frameSeed, payload[from:at]) == sumOf {
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
