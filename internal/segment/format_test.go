package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

const dir = "/s"

var storeID = [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// sample is one row of a test segment.
type sample struct {
	body   string
	vector []float32
	void   bool
}

func vectorOf(dim, seed int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32((i*7+seed*13)%29) - 14.5
	}
	return v
}

func hash(slot int) uint64 { return 0x9e3779b97f4a7c15 * uint64(slot+1) }

func identity(slot int) segment.Identity {
	return segment.Identity{LSN: uint64(100 + slot/2), Index: uint32(slot % 2)}
}

// fill makes a hot segment of samples.
func fill(dim int, samples []sample) *segment.Hot {
	h := segment.NewHot(dim)
	for i, s := range samples {
		slot := h.Add(identity(i), hash(i), []byte(s.body), s.vector)
		if s.void {
			h.Void(slot)
		}
	}
	return h
}

func newFS(t *testing.T) *vfs.Mem {
	t.Helper()
	fsys := vfs.NewMem()
	if err := errors.Join(fsys.MkdirAll(dir), fsys.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return fsys
}

// sealed writes samples as file 5 and gives the file and its size.
func sealed(t *testing.T, fsys vfs.FS, samples []sample) (segment.File, int64) {
	t.Helper()
	f := segment.File{FS: fsys, Dir: dir, Store: storeID, Number: 5}
	size, err := segment.Seal(f, fill(0, samples))
	if err != nil {
		t.Fatalf("Seal = %v", err)
	}
	return f, size
}

// tiers are those that a sealed segment can be in.
var tiers = []segment.Tier{segment.Warm, segment.Cold}

// sealedIn is sealed for a tier.
func sealedIn(t *testing.T, fsys vfs.FS, tier segment.Tier, samples []sample) (segment.File, int64) {
	t.Helper()
	f := segment.File{FS: fsys, Dir: dir, Store: storeID, Number: 5}
	built, err := segment.Build(f, segment.Plan{Sources: []segment.Source{fill(0, samples)}, Tier: tier})
	if err != nil {
		t.Fatalf("Build = %v", err)
	}
	return f, built.SizeBytes
}

func opened(t *testing.T, f segment.File, size int64) *segment.Sealed {
	t.Helper()
	w, err := segment.Open(f, size)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() { w.Close() }) //nolint:errcheck // a test's
	return w
}

func samplesOf(dim int) []sample {
	return []sample{
		{body: "first", vector: vectorOf(dim, 1)},
		{body: ""},
		{body: "void", vector: vectorOf(dim, 2), void: true},
		{body: strings.Repeat("long ", 30)},
		{body: "the last body", vector: vectorOf(dim, 3)},
		{body: "void too", void: true},
	}
}

// check reads everything and compares it with samples.
func check(t *testing.T, w *segment.Sealed, samples []sample) {
	t.Helper()
	if int(w.Rows()) != len(samples) {
		t.Fatalf("Rows = %d, want %d", w.Rows(), len(samples))
	}
	for i, s := range samples {
		row, err := w.Row(uint32(i))
		if err != nil || row.Void != s.void {
			t.Fatalf("Row(%d) = %+v, %v, want void %v", i, row, err, s.void)
		}
		if s.void {
			continue
		}
		if row.Identity != identity(i) || row.IDHash != hash(i) ||
			(row.Vector != segment.NoVector) != (s.vector != nil) {
			t.Errorf("Row(%d) = %+v", i, row)
		}
		body := ""
		err = w.Read(uint32(i), func(b []byte) error { body = string(b); return nil })
		if err != nil || body != s.body {
			t.Errorf("Read(%d) = %q, %v, want %q", i, body, err, s.body)
		}
		v, err := w.Vector(uint32(i))
		if err != nil || !sameVector(v, s.vector) {
			t.Errorf("Vector(%d) = %v, %v, want %v", i, v, err, s.vector)
		}
	}
	if _, err := w.Verify(nil, func(err error) { t.Errorf("Verify reports %v", err) }); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

func sameVector(a, b []float32) bool {
	if (a == nil) != (b == nil) || len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return true
}

// sum is a checksum as docs/format/segment.md tells it: CRC-32C started from the file's seed mixed with the place.
func sum(part, index uint64, b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	id := binary.LittleEndian.AppendUint64(storeID[:], 5)
	place := part<<40 + index
	seed := crc32.Update(0, table, id) ^ uint32(place) ^ uint32(place>>32)*0x9e3779b1
	return crc32.Update(seed, table, b)
}

// TestFormatByHand decodes a file by the offsets of docs/format/segment.md alone.
func TestFormatByHand(t *testing.T) {
	const dim = 9
	fsys := newFS(t)
	samples := samplesOf(dim)
	f, size := sealed(t, fsys, samples)
	b, err := fsys.Bytes(f.Path())
	if err != nil || int64(len(b)) != size {
		t.Fatalf("Bytes = %d, %v, want %d", len(b), err, size)
	}
	if f.Path() != dir+"/0000000000000005.seg" {
		t.Errorf("Path = %s", f.Path())
	}
	u32 := func(off int) int { return int(binary.LittleEndian.Uint32(b[off:])) }
	u64 := func(off int) int { return int(binary.LittleEndian.Uint64(b[off:])) }
	zero := func(what string, from, to int) {
		t.Helper()
		if len(bytes.Trim(b[from:to], "\x00")) > 0 {
			t.Errorf("%s: bytes %d to %d are not zero", what, from, to)
		}
	}
	equal := func(what string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s = %d, want %d", what, got, want)
		}
	}
	// Header.
	if string(b[:8]) != "ENGRAMSG" || [16]byte(b[16:32]) != storeID {
		t.Errorf("header = %q", b[:64])
	}
	equal("version", u32(8), 3)
	equal("header length", u32(12), 64)
	equal("file number", u64(32), 5)
	zero("header", 40, 60)
	equal("header checksum", u32(60), int(crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli))))
	// Summary: of void rows neither vectors nor bodies are there.
	const rows, vectors, stride = 6, 2, 64
	meta := 128 + 64*rows
	floats := 4096 + 64*vectors
	bodies := floats + stride*vectors
	for what, want := range map[int]int{64: rows, 68: vectors, 72: dim, 76: 0} {
		equal(fmt.Sprintf("summary at %d", what-64), u32(what), want)
	}
	bodyBytes := len("the last body") + 5*30 // "first" is in its line
	for what, want := range map[int]int{80: bodyBytes, 88: floats, 96: bodies, 104: bodies + bodyBytes} {
		equal(fmt.Sprintf("summary at %d", what-64), u64(what), want)
	}
	zero("summary", 112, 116)
	equal("tier", u32(116), 1)
	zero("summary", 120, 124)
	equal("summary checksum", u32(124), int(sum(1, 0, b[64:124])))
	// Lines and bodies.
	bodyOff, vector := 0, 0
	for i, s := range samples {
		at := 128 + 64*i
		equal("line checksum", u32(at+60), int(sum(2, uint64(i), b[at:at+60])))
		zero("line", at+44, at+48)
		zero("line", at+56, at+60)
		if s.void {
			zero("void line", at+48, at+56)
			zero("void line", at, at+36)
			equal("void flags", u32(at+40), 1)
			equal("void vector", u32(at+36), math.MaxUint32)
			continue
		}
		equal("lsn", u64(at), int(identity(i).LSN))
		if binary.LittleEndian.Uint64(b[at+8:]) != hash(i) {
			t.Errorf("id hash of row %d = %x", i, u64(at+8))
		}
		equal("body offset", u64(at+16), bodyOff)
		equal("body length", u32(at+24), len(s.body))
		body := b[bodies+bodyOff:][:len(s.body)]
		if len(s.body) <= 8 {
			body = b[at+48:][:len(s.body)]
			zero("line behind the body", at+48+len(s.body), at+56)
		} else {
			bodyOff += len(s.body)
			zero("line without a body", at+48, at+56)
		}
		equal("body checksum", u32(at+28), int(sum(5, uint64(i), body)))
		if string(body) != s.body {
			t.Errorf("body of row %d = %q, want %q", i, body, s.body)
		}
		equal("index", u32(at+32), int(identity(i).Index))
		equal("flags", u32(at+40), 0)
		if s.vector == nil {
			equal("vector", u32(at+36), math.MaxUint32)
			continue
		}
		equal("vector", u32(at+36), vector)
		block, data, codes := meta+32*vector, b[floats+stride*vector:][:stride], b[4096+64*vector:][:64]
		equal("block row", u32(block), i)
		equal("vector checksum", u32(block+4), int(sum(4, uint64(vector), data)))
		equal("codes checksum", u32(block+20), int(sum(6, uint64(vector), codes)))
		zero("block", block+24, block+28)
		equal("block checksum", u32(block+28), int(sum(3, uint64(vector), b[block:block+28])))
		scale := math.Float32frombits(binary.LittleEndian.Uint32(b[block+12:]))
		norm, rest := 0.0, 0.0
		for d := range dim {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[4*d:]))
			if x != s.vector[d] {
				t.Errorf("vector of row %d: element %d is %v, want %v", i, d, x, s.vector[d])
			}
			norm += float64(x) * float64(x)
			d := float64(x) - float64(scale)*float64(int8(codes[d]))
			rest += d * d
		}
		zero("codes", 4096+64*vector+dim, 4096+64*vector+64)
		residual := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[block+16:])))
		if least := math.Sqrt(rest / norm); residual < least || residual > least*1.001+1e-9 || residual > .01 {
			t.Errorf("residual of vector %d = %v, want %v", vector, residual, least)
		}
		got := float64(math.Float32frombits(binary.LittleEndian.Uint32(b[block+8:])))
		if math.Abs(got*math.Sqrt(norm)-1) > 1e-6 {
			t.Errorf("inverse norm of vector %d = %v, want %v", vector, got, 1/math.Sqrt(norm))
		}
		vector++
	}
	zero("padding", meta+32*vectors, 4096)
	equal("length of the bodies", bodyOff, bodyBytes)
	zero("padding", bodies+bodyBytes, 8192)
	front := meta + 32*vectors
	equal("size", 8192+front, len(b))
	if !bytes.Equal(b[8192:], b[:front]) {
		t.Error("the copy of the front differs from it")
	}
	check(t, opened(t, f, size), samples)
}

func TestDimensions(t *testing.T) {
	for _, dim := range []int{8, 9, 15, 16, 17, 33, 100, 768, 1000, 4095, 4096} {
		for _, tier := range tiers {
			samples := samplesOf(dim)
			f, size := sealedIn(t, newFS(t), tier, samples)
			w := opened(t, f, size)
			if w.Dim() != dim || w.Tier() != tier {
				t.Errorf("Dim = %d, Tier = %v, want %d, %v", w.Dim(), w.Tier(), dim, tier)
			}
			check(t, w, samples)
		}
	}
}

func TestManyVectorsInGroups(t *testing.T) {
	var samples []sample
	for i := range 2*segment.GroupSize + 5 {
		samples = append(samples, sample{body: fmt.Sprint(i), vector: vectorOf(8, i)}, sample{body: "bare"})
	}
	f, size := sealed(t, newFS(t), samples)
	w := opened(t, f, size)
	check(t, w, samples)
	f, size = sealedIn(t, newFS(t), segment.Cold, samples)
	cold := opened(t, f, size)
	check(t, cold, samples)
	for _, source := range []interface {
		Groups() int
		Group(g int, scratch *[]byte) (segment.Group, error)
	}{w, cold, fill(0, samples)} {
		n := 0
		for g := range source.Groups() {
			group, err := source.Group(g, new([]byte))
			if err != nil {
				t.Fatalf("Group(%d) = %v", g, err)
			}
			for i, slot := range group.Slots {
				if slot != uint32(2*n) || !sameVector(group.Floats[i*group.Stride:][:8], samples[slot].vector) {
					t.Fatalf("vector %d of group %d is of row %d", i, g, slot)
				}
				n++
			}
		}
		if n != 2*segment.GroupSize+5 {
			t.Errorf("groups hold %d vectors", n)
		}
	}
}

func TestRowsWithoutVectorsCostNoVectorSpace(t *testing.T) {
	samples := []sample{{body: "a"}, {body: "bc"}}
	for _, dim := range []int{0, 768} {
		h := fill(dim, samples)
		if h.SizeBytes() > 64 {
			t.Errorf("hot segment of dimension %d without vectors holds %d bytes", dim, h.SizeBytes())
		}
		f := segment.File{FS: newFS(t), Dir: dir, Store: storeID, Number: 5}
		size, err := segment.Seal(f, h)
		if want := int64(4096 + 128 + 2*64); err != nil || size != want {
			t.Errorf("Seal with dimension %d = %d bytes, %v, want %d", dim, size, err, want)
		}
		w := opened(t, f, size)
		if w.Dim() != 0 || w.Groups() != 0 {
			t.Errorf("Dim = %d, Groups = %d, want none", w.Dim(), w.Groups())
		}
		check(t, w, samples)
	}
}

func TestEmptySegment(t *testing.T) {
	fsys := newFS(t)
	f, size := sealed(t, fsys, nil)
	if want := int64(4096 + 128); size != want {
		t.Errorf("size = %d, want %d", size, want)
	}
	w := opened(t, f, size)
	check(t, w, nil)
	if _, err := w.Row(0); err == nil || errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("Row(0) of none = %v, want a plain error", err)
	}
}
