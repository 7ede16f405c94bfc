package segment

import (
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
)

// Bodies of a cold segment are packed one by one, each a Zstandard frame of its own without the magic number, so that a
// read unpacks no more than it needs and damage stays in one body. What they have in common is in a dictionary: pieces
// of them, word for word, and tables of how often what occurs.

const (
	// maxDict bounds a dictionary. Chosen: of dialogue turns of 233 bytes what is packed is 1/1.58 with 4 KiB, 1/1.88
	// with 32 KiB, 1/1.97 with 64 KiB (1/1.10 without); of abstracts of 1,100 bytes 1/2.22, 1/2.56, 1/2.68 (1/1.83).
	maxDict = 64<<10 + 2<<10 // pieces, and tables
	pieces  = 64 << 10
	// dictShare is the part of all bodies that the pieces of a dictionary are at most: there are two copies of it.
	// Chosen: with 256 KiB of bodies twice as much or half as much makes no difference.
	dictShare = 32
	// samples are the bodies that a dictionary is made of and tested with, at most, and sampleBytes their size.
	samples     = 2048
	sampleBytes = 2 << 20
	// heldOut is which part of the samples tells whether a dictionary helps, leastGain by how much it has to.
	heldOut   = 10
	leastGain = .03
	// dictID is in every frame that needs the dictionary.
	dictID = 1
)

// magic begins every frame; it is left out of what is stored.
var magic = [4]byte{0x28, 0xb5, 0x2f, 0xfd}

// packer packs bodies.
type packer struct {
	enc *zstd.Encoder
	buf []byte
}

// newPacker makes a packer with a dictionary; nil for none.
func newPacker(dict []byte) (*packer, error) {
	o := []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true), // with the length in every frame
	}
	if dict != nil {
		o = append(o, zstd.WithEncoderDict(dict))
	}
	enc, err := zstd.NewWriter(nil, o...)
	if err != nil {
		return nil, fmt.Errorf("make packer: %w", err)
	}
	return &packer{enc: enc}, nil
}

// pack gives what to store of a body, valid until the next call; false if the body itself is to be stored, since it
// does not get shorter.
func (p *packer) pack(body []byte) ([]byte, bool) {
	p.buf = p.enc.EncodeAll(body, p.buf[:0])
	if len(p.buf) < len(magic) || [4]byte(p.buf) != magic || len(p.buf)-len(magic) >= len(body) {
		return body, false
	}
	return p.buf[len(magic):], true
}

// unpacker unpacks bodies, for any number of goroutines.
type unpacker struct{ dec *zstd.Decoder }

func newUnpacker(dict []byte) (*unpacker, error) {
	o := []zstd.DOption{
		zstd.WithDecoderConcurrency(min(4, runtime.GOMAXPROCS(0))), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxBody), zstd.WithDecodeAllCapLimit(true),
	}
	if dict != nil {
		o = append(o, zstd.WithDecoderDicts(dict))
	}
	dec, err := zstd.NewReader(nil, o...)
	if err != nil {
		return nil, fmt.Errorf("make unpacker: %w", err)
	}
	return &unpacker{dec: dec}, nil
}

// unpack gives the body of raw bytes that frame, with its magic number, holds, in *into. No more than raw bytes are
// allocated or written, whatever the frame says.
func (u *unpacker) unpack(frame []byte, raw int, into *[]byte) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return nil, fmt.Errorf("packed body: %w", err)
	}
	lies := h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(raw)
	if lies && !isolate.Off("packed lengths") {
		return nil, fmt.Errorf("packed body: it says that it holds %d bytes, its line says %d", h.FrameContentSize, raw)
	}
	body, err := u.dec.DecodeAll(frame, sized(into, raw)[:0:raw])
	if err == nil && len(body) != raw {
		err = fmt.Errorf("it holds %d bytes, its line says %d", len(body), raw)
	}
	if err != nil {
		return nil, fmt.Errorf("packed body: %w", err)
	}
	return body, nil
}

// trainDict makes a dictionary for bodies of which some are given, of all together about total bytes; nil if none
// would help. It holds pieces of them as they are.
func trainDict(given [][]byte, total int) (dict []byte, err error) {
	want := min(pieces, total/dictShare)
	var train, test [][]byte
	var history []byte
	for i, body := range given {
		switch {
		case i%heldOut == heldOut-1:
			test = append(test, body)
		case len(history) < want:
			history = append(history, body[:min(len(body), want-len(history))]...)
		default:
			train = append(train, body)
		}
	}
	const fewest = 8
	if want < 1<<10 || len(history) < want/2 || len(train) < fewest || len(test) < fewest {
		return nil, nil
	}
	// What the library cannot make a dictionary of, it says, or panics: there is none then.
	err = isolate.Do("make a dictionary", "", nil, func() (err error) {
		dict, err = zstd.BuildDict(zstd.BuildDictOptions{
			ID: dictID, Contents: train, History: history, Offsets: [3]int{1, 4, 8}, Level: zstd.SpeedBetterCompression,
		})
		return err
	})
	if err != nil || len(dict) > maxDict {
		return nil, nil //nolint:nilerr // as above
	}
	helps, err := dictHelps(dict, test, total)
	if err != nil || !helps {
		return nil, err
	}
	return dict, nil
}

// dictHelps packs bodies that the dictionary was not made of with and without it.
func dictHelps(dict []byte, test [][]byte, total int) (bool, error) {
	with, err := newPacker(dict)
	if err != nil {
		return false, err
	}
	without, err := newPacker(nil)
	if err != nil {
		return false, err
	}
	raw, packed, plain := 0, 0, 0
	for _, body := range test {
		b, _ := with.pack(body)
		packed += len(b)
		b, _ = without.pack(body)
		plain += len(b)
		raw += len(body)
	}
	if raw == 0 {
		return false, nil
	}
	all := float64(total) / float64(raw)
	return float64(packed)*all+2*float64(len(dict)) < (1-leastGain)*float64(plain)*all, nil
}

// loadDict reads the dictionary, of which there are two copies, and makes the unpacker. Where both are damaged, what is
// packed cannot be read.
func (w *Sealed) loadDict() error {
	if w.sum.tier != Cold {
		return nil
	}
	var dict []byte
	if n := int(w.sum.dictBytes); n > 0 {
		var copies [2][]byte
		var damage [2]error
		for i, off := range []uint64{w.sum.dictOff, w.sum.dictCopy()} {
			copies[i] = make([]byte, n)
			if damage[i] = w.unread(w.in.into(off, copies[i])); damage[i] == nil {
				damage[i] = w.checkDict(off, copies[i])
			}
		}
		if dict = copies[0]; damage[0] != nil {
			dict = copies[1]
		}
		if w.badDict = w.either(damage[0], damage[1]); w.badDict != nil {
			return nil
		}
	}
	var err error
	if w.unpacker, err = newUnpacker(dict); err != nil {
		w.badDict = w.corrupt("open segment", int64(w.sum.dictOff), err)
	}
	return nil
}

func (w *Sealed) checkDict(off uint64, b []byte) error {
	if got := codec.Checksum(codec.At(w.seed, placeWords), b); got != w.sum.dictCRC {
		return w.corrupt("open segment", int64(off),
			fmt.Errorf("dictionary: checksum is %08x, summary says %08x", got, w.sum.dictCRC))
	}
	return nil
}
