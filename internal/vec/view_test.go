package vec_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"unsafe"

	"github.com/orchard9/engram-go/internal/vec"
)

// sample has bits that arithmetic or conversion would change: NaN with a payload, -0.
func sample() ([]float32, []byte) {
	v := []float32{1, -2.5, float32(math.Copysign(0, -1)), math.Float32frombits(0x7fa12345), math.MaxFloat32, 0x1p-149}
	b := []byte{
		0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc0, 0x00, 0x00, 0x00, 0x80,
		0x45, 0x23, 0xa1, 0x7f, 0xff, 0xff, 0x7f, 0x7f, 0x01, 0x00, 0x00, 0x00,
	}
	return v, b
}

func sameBits(a, b []float32) bool { return bytes.Equal(vec.Encode(a), vec.Encode(b)) }

func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }

func TestBytesAndFloats(t *testing.T) {
	v, b := sample()
	if got := vec.Bytes(v); !bytes.Equal(got, b) {
		t.Errorf("Bytes = %x, want %x", got, b)
	}
	if got := vec.Encode(v); !bytes.Equal(got, b) {
		t.Errorf("Encode = %x, want %x", got, b)
	}
	if got := vec.Decode(b); !sameBits(got, v) {
		t.Errorf("Decode = %x, want %x", got, v)
	}
	for at := range 8 { // every alignment
		shifted := append(make([]byte, at, at+len(b)), b...)[at:]
		got, err := vec.Floats(shifted)
		if err != nil || !sameBits(got, v) {
			t.Errorf("Floats of bytes at %d = %x, %v; want %x", at, got, err, v)
		}
	}
}

func TestViewsShareMemory(t *testing.T) {
	if !littleEndian() {
		t.Skip("views are copies on this processor")
	}
	v := vec.Alloc(4)
	b := vec.Bytes(v)
	back, err := vec.Floats(b)
	if err != nil {
		t.Fatal(err)
	}
	v[3] = 1
	if b[15] != 0x3f || back[3] != 1 {
		t.Errorf("a change of v shows as %x in Bytes and %v in Floats, want both changed", b, back)
	}
	if cap(b) != 16 || cap(back) != 4 {
		t.Errorf("capacities = %d bytes and %d floats, want 16 and 4", cap(b), cap(back))
	}
	allocs := testing.AllocsPerRun(100, func() {
		b = vec.Bytes(v)
		back, _ = vec.Floats(b)
	})
	if allocs != 0 {
		t.Errorf("views allocate %v times, want 0", allocs)
	}
}

func TestMisalignedFloatsAreACopy(t *testing.T) {
	b := vec.Bytes(vec.Alloc(3))[1:9]
	v, err := vec.Floats(b)
	if err != nil {
		t.Fatal(err)
	}
	b[3] = 0x3f
	if v[0] != 0 {
		t.Errorf("Floats of misaligned bytes changed to %v with them, want a copy", v[0])
	}
}

func TestFloatsRefusesPartOfAFloat(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 4095} {
		if v, err := vec.Floats(make([]byte, n)); !errors.Is(err, vec.ErrLength) || v != nil {
			t.Errorf("Floats of %d bytes = %v, %v; want ErrLength", n, v, err)
		}
	}
}

func TestViewsOfNothing(t *testing.T) {
	if b := vec.Bytes([]float32{}); b != nil {
		t.Errorf("Bytes of nothing = %v, want nil", b)
	}
	if v, err := vec.Floats([]byte{}); v != nil || err != nil {
		t.Errorf("Floats of nothing = %v, %v; want nil", v, err)
	}
}

func TestAlloc(t *testing.T) {
	for n := range 300 {
		v := vec.Alloc(n)
		if len(v) != n || cap(v) != n {
			t.Fatalf("Alloc(%d) has length %d and capacity %d", n, len(v), cap(v))
		}
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(v))); at%64 != 0 {
			t.Fatalf("Alloc(%d) starts at %#x, want a multiple of 64", n, at)
		}
		for i, x := range v {
			if x != 0 {
				t.Fatalf("Alloc(%d)[%d] = %v, want 0", n, i, x)
			}
			v[i] = 1
		}
	}
}

func FuzzFloats(f *testing.F) {
	_, b := sample()
	f.Add(b)
	f.Add([]byte{})
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := vec.Floats(b)
		if (err != nil) != (len(b)%4 != 0) {
			t.Fatalf("Floats of %d bytes: %v", len(b), err)
		}
		if err == nil && !bytes.Equal(vec.Bytes(v), b) {
			t.Fatalf("Bytes(Floats(%x)) = %x", b, vec.Bytes(v))
		}
		_ = vec.Validate(v) // whatever the bits, an answer
	})
}
