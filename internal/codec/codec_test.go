package codec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
)

func TestChecksumIsTheStandardOne(t *testing.T) {
	ascending := make([]byte, 32)
	for i := range ascending {
		ascending[i] = byte(i)
	}
	for _, tt := range []struct { // RFC 3720, B.4
		in   []byte
		want uint32
	}{
		{make([]byte, 32), 0x8a9136aa},
		{bytes.Repeat([]byte{0xff}, 32), 0x62a8ab43},
		{ascending, 0x46dd794e},
		{[]byte("123456789"), 0xe3069283},
	} {
		if got := codec.Checksum(0, tt.in); got != tt.want {
			t.Errorf("Checksum(0, %x) = %08x, want %08x", tt.in, got, tt.want)
		}
		if got := codec.Checksum(0, tt.in[:5], nil, tt.in[5:]); got != tt.want {
			t.Errorf("Checksum(0, %x in parts) = %08x, want %08x", tt.in, got, tt.want)
		}
	}
}

func TestChecksumDependsOnSeedFileAndPosition(t *testing.T) {
	b := []byte("the same bytes elsewhere")
	seen := map[uint32]string{}
	add := func(name string, sum uint32) {
		if prev, dup := seen[sum]; dup {
			t.Errorf("%s and %s have the same checksum %08x", prev, name, sum)
		}
		seen[sum] = name
	}
	store := [16]byte{1, 2, 3}
	for number := range uint64(100) {
		seed := codec.Seed(store, number)
		for offset := range int64(100) {
			add("file and offset", codec.Checksum(codec.At(seed, offset*8), b))
		}
	}
	add("offset above 4 GiB", codec.Checksum(codec.At(codec.Seed(store, 0), 1<<33+64), b))
	add("other store", codec.Checksum(codec.Seed([16]byte{1, 2, 4}, 0), b))
}

func TestChecksumDoesNotAllocate(t *testing.T) {
	head, body, seed := make([]byte, 24), make([]byte, 256), codec.Seed([16]byte{9}, 7)
	n := testing.AllocsPerRun(100, func() {
		codec.Checksum(codec.At(seed, 4096), head, body)
	})
	if n != 0 {
		t.Errorf("Checksum allocates %v times, want 0", n)
	}
}

func TestRoundTrip(t *testing.T) {
	var e codec.Encoder
	e.U8(200)
	e.Bool(true)
	e.Bool(false)
	e.U16(0xbeef)
	e.U32(0xdeadbeef)
	e.U64(math.MaxUint64)
	e.Uvarint(math.MaxUint64)
	e.Varint(math.MinInt64)
	e.Varint(math.MaxInt64)
	e.F32(float32(math.Inf(-1)))
	e.F64(math.Pi)
	e.Bytes([]byte{1, 2})
	e.Bytes(nil)
	e.String("größer")
	e.Raw([]byte("xyz"))
	e.Uvarint(3)

	d := codec.NewDecoder(e.Buf)
	check := func(name string, ok bool) {
		t.Helper()
		if !ok {
			t.Errorf("%s differs (Err = %v)", name, d.Err())
		}
	}
	check("U8", d.U8() == 200)
	check("Bool", d.Bool() && !d.Bool())
	check("U16", d.U16() == 0xbeef)
	check("U32", d.U32() == 0xdeadbeef)
	check("U64", d.U64() == math.MaxUint64)
	check("Uvarint", d.Uvarint() == math.MaxUint64)
	check("Varint", d.Varint() == math.MinInt64 && d.Varint() == math.MaxInt64)
	check("F32", d.F32() == float32(math.Inf(-1)))
	check("F64", d.F64() == math.Pi)
	b := d.Bytes()
	check("Bytes", bytes.Equal(b, []byte{1, 2}) && cap(b) == 2)
	b = d.Bytes()
	check("empty Bytes", b != nil && len(b) == 0)
	check("String", d.String() == "größer")
	check("Raw", string(d.Raw(3)) == "xyz")
	if err := d.Done(); !errors.Is(err, codec.ErrTrailing) {
		t.Errorf("Done() with a byte left = %v, want ErrTrailing", err)
	}
	check("Uvarint", d.Uvarint() == 3 && d.Offset() == len(e.Buf) && d.Remaining() == 0)
	if err := d.Done(); err != nil {
		t.Errorf("Done() = %v, want nil", err)
	}
}

func TestDecoderRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []byte
		read func(*codec.Decoder)
		want error
	}{
		{"u8 of nothing", nil, func(d *codec.Decoder) { d.U8() }, codec.ErrShort},
		{"u64 of 7 bytes", make([]byte, 7), func(d *codec.Decoder) { d.U64() }, codec.ErrShort},
		{"bool 2", []byte{2}, func(d *codec.Decoder) { d.Bool() }, codec.ErrValue},
		{"uvarint cut", []byte{0x80}, func(d *codec.Decoder) { d.Uvarint() }, codec.ErrShort},
		{"uvarint too long", []byte{0x80, 0}, func(d *codec.Decoder) { d.Uvarint() }, codec.ErrValue},
		{
			"uvarint over 64 bits", bytes.Repeat([]byte{0xff}, 11), func(d *codec.Decoder) { d.Uvarint() },
			codec.ErrValue,
		},
		{"bytes longer than input", []byte{5, 1, 2}, func(d *codec.Decoder) { d.Bytes() }, codec.ErrShort},
		{"string of 2^63", binary.AppendUvarint(nil, 1<<63), func(d *codec.Decoder) { _ = d.String() }, codec.ErrShort},
		{"count over what is left", []byte{3, 0, 0}, func(d *codec.Decoder) { d.Count(1) }, codec.ErrShort},
		{"count of large elements", []byte{2, 0, 0, 0}, func(d *codec.Decoder) { d.Count(2) }, codec.ErrShort},
		{"negative raw", []byte{1}, func(d *codec.Decoder) { d.Raw(-1) }, codec.ErrShort},
	} {
		d := codec.NewDecoder(tt.in)
		tt.read(d)
		first := d.Err()
		if !errors.Is(first, tt.want) {
			t.Errorf("%s: Err() = %v, want %v", tt.name, first, tt.want)
		}
		if d.U8() != 0 || d.Uvarint() != 0 || d.Bytes() != nil || d.Remaining() != 0 || d.Done() != first {
			t.Errorf("%s: the first error does not stick", tt.name)
		}
	}
	d := codec.NewDecoder([]byte{9})
	d.Fail(codec.ErrValue)
	d.Fail(codec.ErrShort)
	if d.U8() != 0 || d.Done() != codec.ErrValue {
		t.Errorf("Fail: Done() = %v, want the first error", d.Done())
	}
}

// FuzzDecoder reads the input as a random list of values: nothing panics, and what decoded encodes to the same bytes.
func FuzzDecoder(f *testing.F) {
	f.Add(uint64(1), []byte{})
	f.Add(uint64(2), []byte{3, 1, 2, 3, 0xff, 0xff, 1, 0x80, 0})
	f.Add(uint64(3), bytes.Repeat([]byte{0xff}, 40))
	f.Fuzz(func(t *testing.T, seed uint64, in []byte) {
		rng := rand.New(rand.NewPCG(seed, 0))
		d, e := codec.NewDecoder(in), codec.Encoder{}
		for d.Err() == nil && d.Remaining() > 0 {
			before := len(e.Buf)
			step(rng.IntN(10), d, &e)
			if d.Err() != nil {
				e.Buf = e.Buf[:before]
				break
			}
			if !bytes.Equal(e.Buf, in[:d.Offset()]) {
				t.Fatalf("decoded %x, encoded again %x", in[:d.Offset()], e.Buf)
			}
		}
	})
}

func step(kind int, d *codec.Decoder, e *codec.Encoder) {
	switch kind {
	case 0:
		e.U8(d.U8())
	case 1:
		e.Bool(d.Bool())
	case 2:
		e.U16(d.U16())
	case 3:
		e.U32(d.U32())
	case 4:
		e.U64(d.U64())
	case 5:
		e.Uvarint(d.Uvarint())
	case 6:
		e.Varint(d.Varint())
	case 7:
		e.Bytes(d.Bytes())
	case 8:
		e.String(d.String())
	case 9:
		e.Uvarint(uint64(d.Count(1)))
	}
}

func header() codec.Header {
	return codec.Header{Kind: "WL", Version: 2, Store: [16]byte{1, 2, 3}, Number: 0xabcdef, Position: 0x1234567890}
}

func TestHeaderRoundTrip(t *testing.T) {
	want := header()
	b := codec.AppendHeader([]byte("before"), want)[6:]
	if len(b) != codec.HeaderSize || string(b[:8]) != "ENGRAMWL" {
		t.Fatalf("header is %d bytes beginning with %q", len(b), b[:8])
	}
	got, err := codec.ReadHeader("x.wal", append(b, "after"...), "WL", 2)
	if err != nil || got != want {
		t.Fatalf("ReadHeader = %+v, %v, want %+v", got, err, want)
	}
	if err := got.Check("x.wal", want.Store, want.Number); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
	if err := got.Check("x.wal", want.Store, 1); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Check with another number = %v, want ErrCorrupt", err)
	}
	if err := got.Check("x.wal", [16]byte{}, want.Number); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Check with another store = %v, want ErrCorrupt", err)
	}
}

func TestHeaderRefusesEveryBitFlipAndCut(t *testing.T) {
	good := codec.AppendHeader(nil, header())
	for bit := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := codec.ReadHeader("x.wal", bad, "WL", 2); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("bit %d flipped: %v, want ErrCorrupt", bit, err)
		}
	}
	for n := range len(good) {
		if _, err := codec.ReadHeader("x.wal", good[:n], "WL", 2); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v, want ErrCorrupt", n, err)
		}
	}
	if _, err := codec.ReadHeader("x.wal", good, "SG", 2); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("other kind: %v, want ErrCorrupt", err)
	}
}

func TestHeaderRefusesUnknownVersionByName(t *testing.T) {
	for _, version := range []uint32{0, 3, math.MaxUint32} {
		h := header()
		h.Version = version
		_, err := codec.ReadHeader("dir/x.wal", codec.AppendHeader(nil, h), "WL", 2)
		fe, ok := errors.AsType[*codec.FormatError](err)
		if !ok || fe.Found != version || fe.Newest != 2 || fe.Kind != "WL" || fe.Path != "dir/x.wal" {
			t.Errorf("version %d: %#v, want a *FormatError that names it", version, err)
		}
		if !errors.Is(err, codec.ErrFormatVersion) || errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("version %d: %v must match ErrFormatVersion and not ErrCorrupt", version, err)
		}
		if version > 2 && !strings.Contains(err.Error(), "upgrade") {
			t.Errorf("version %d: %q does not say what to do", version, err)
		}
	}
}

func TestCorruptErrorSaysWhatWhereAndWhatToDo(t *testing.T) {
	err := error(&codec.CorruptError{Op: "read record", Path: "a/b.wal", Offset: 4096, Err: codec.ErrShort})
	cause := codec.ErrShort.Error()
	for _, want := range []string{
		"read record", "a/b.wal", "offset 4096", cause, "engram verify", "backup", "engram repair",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not contain %q", err, want)
		}
	}
	if !errors.Is(err, codec.ErrCorrupt) || !errors.Is(err, codec.ErrShort) {
		t.Errorf("%v must match ErrCorrupt and its cause", err)
	}
	missing := &codec.CorruptError{Op: "open log", Path: "p", Offset: -1, Err: codec.ErrShort}
	if strings.Contains(missing.Error(), "offset") {
		t.Errorf("error %q names an offset though the unit has none", missing)
	}
}
