package segment_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// manySamples have more vectors than a group.
func manySamples(dim int) []sample {
	var samples []sample
	for i := range segment.GroupSize + 9 {
		samples = append(samples, sample{body: fmt.Sprint(i), vector: vectorOf(dim, i)}, sample{body: "bare"})
	}
	return samples
}

// source lends vectors and codes, as both forms of a segment do.
type source interface {
	Groups() int
	Slots(g int) []uint32
	Codes(g int, scratch *[]byte) (segment.Codes, error)
	Exact(vector uint32, fn func(padded []float32, invNorm float32) error) error
}

// checkCodes compares what a source lends with the codes of the samples' vectors.
func checkCodes(t *testing.T, src source, samples []sample, dim int) {
	t.Helper()
	n := uint32(0)
	var scratch []byte
	want := make([]int8, vec.CodeLen(dim))
	for g := range src.Groups() {
		codes, err := src.Codes(g, &scratch)
		if err != nil || codes.Bad != 0 || !slices.Equal(codes.Slots, src.Slots(g)) {
			t.Fatalf("Codes(%d) = %d bad, of rows %v, %v", g, codes.Bad, codes.Slots, err)
		}
		for i, slot := range codes.Slots {
			v := samples[slot].vector
			scale, residual := vec.Quantize(v, want)
			got := codes.Codes[i*len(want) : (i+1)*len(want)]
			if !slices.Equal(got, want) || codes.Scale[i] != scale || codes.Residual[i] != residual ||
				codes.InvNorm[i] != 1/vec.Norm(v) {
				t.Fatalf("group %d: codes of row %d are not those of its vector", g, slot)
			}
			err := src.Exact(n, func(padded []float32, invNorm float32) error {
				if !sameVector(padded[:dim], v) || invNorm != 1/vec.Norm(v) {
					return errors.New("another vector")
				}
				return nil
			})
			if err != nil {
				t.Fatalf("Exact(%d) = %v", n, err)
			}
			n++
		}
	}
	count := uint32(0)
	for _, s := range samples {
		if s.vector != nil && !s.void {
			count++
		}
	}
	if n != count {
		t.Errorf("%d vectors have codes, want %d", n, count)
	}
}

func TestCodesAreThoseOfTheVectors(t *testing.T) {
	for _, dim := range []int{8, 64, 65, 300} {
		samples := manySamples(dim)
		checkCodes(t, fill(dim, samples), samples, dim)
		for _, tier := range tiers {
			f, size := sealedIn(t, newFS(t), tier, samples)
			checkCodes(t, opened(t, f, size), samples, dim)
		}
	}
}

// version1 is a file of samples as docs/format/segment.md tells of version 1.
func version1(dim int, samples []sample) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	le := binary.LittleEndian
	var lines, blocks, vectors, bodies []byte
	n := uint32(0)
	for i, s := range samples {
		at := len(lines)
		if s.void {
			lines = append(lines, make([]byte, 36)...)
			lines = le.AppendUint32(lines, math.MaxUint32)
			lines = le.AppendUint32(lines, 1)
		} else {
			lines = le.AppendUint64(lines, identity(i).LSN)
			lines = le.AppendUint64(lines, hash(i))
			lines = le.AppendUint64(lines, uint64(len(bodies)))
			lines = le.AppendUint32(lines, uint32(len(s.body)))
			lines = le.AppendUint32(lines, sum(5, uint64(i), []byte(s.body)))
			lines = le.AppendUint32(lines, identity(i).Index)
			bodies = append(bodies, s.body...)
			vector := uint32(math.MaxUint32)
			if s.vector != nil {
				vector = n
				b := make([]byte, (dim*4+63)/64*64)
				copy(b, vec.Bytes(s.vector))
				vectors = append(vectors, b...)
				block := le.AppendUint32(nil, uint32(i))
				block = le.AppendUint32(block, sum(4, uint64(n), b))
				block = le.AppendUint32(block, math.Float32bits(1/vec.Norm(s.vector)))
				blocks = append(blocks, le.AppendUint32(block, sum(3, uint64(n), block))...)
				n++
			}
			lines = le.AppendUint32(lines, vector)
			lines = le.AppendUint32(lines, 0)
		}
		lines = append(lines, make([]byte, 16)...)
		lines = le.AppendUint32(lines, sum(2, uint64(i), lines[at:]))
	}
	b := append([]byte("ENGRAMSG"), le.AppendUint32(nil, 1)...)
	b = append(le.AppendUint32(b, 64), storeID[:]...)
	b = append(le.AppendUint64(b, 5), make([]byte, 20)...)
	b = le.AppendUint32(b, crc32.Checksum(b, table))
	blocksOff := 128 + len(lines)
	vectorsOff := blocksOff + len(blocks)
	if n > 0 {
		vectorsOff = (vectorsOff + 4095) / 4096 * 4096
	} else {
		dim = 0
	}
	bodiesOff := vectorsOff + len(vectors)
	s := le.AppendUint32(le.AppendUint32(nil, uint32(len(samples))), n)
	s = le.AppendUint32(le.AppendUint32(s, uint32(dim)), 0)
	for _, v := range []int{blocksOff, vectorsOff, bodiesOff, bodiesOff + len(bodies)} {
		s = le.AppendUint64(s, uint64(v))
	}
	s = append(s, make([]byte, 12)...)
	b = append(append(b, s...), le.AppendUint32(nil, sum(1, 0, s))...)
	b = append(append(b, lines...), blocks...)
	b = append(b, make([]byte, vectorsOff-len(b))...)
	return append(append(b, vectors...), bodies...)
}

// TestVersion1IsRead opens a file of the former version: everything in it is there, with codes, and a new file that is
// built of it is like one built of the rows themselves.
func TestVersion1IsRead(t *testing.T) {
	const dim = 17
	for name, samples := range map[string][]sample{
		"few": samplesOf(dim), "many": manySamples(dim), "none": nil, "no vectors": {{body: "a"}, {body: "b"}},
	} {
		fsys := newFS(t)
		f := segment.File{FS: fsys, Dir: dir, Store: storeID, Number: 5}
		raw := version1(dim, samples)
		if err := fsys.SetBytes(f.Path(), raw); err != nil {
			t.Fatal(err)
		}
		w := opened(t, f, int64(len(raw)))
		check(t, w, samples)
		for range 2 {
			checkCodes(t, w, samples, dim)
		}
		for i, tier := range tiers {
			next := f
			next.Number = uint64(6 + i)
			built, err := segment.Build(next, segment.Plan{Sources: []segment.Source{w}, Tier: tier})
			if err != nil {
				t.Fatalf("%s: Build of version 1 = %v", name, err)
			}
			v2 := opened(t, next, built.SizeBytes)
			check(t, v2, samples)
			checkCodes(t, v2, samples, dim)
		}
		for _, n := range []int{0, 127, 128 + 64*len(samples) - 1} {
			if err := fsys.SetBytes(f.Path(), raw[:n]); err != nil {
				t.Fatal(err)
			}
			if _, err := segment.Open(f, int64(len(raw))); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("%s: Open of %d bytes = %v, want damage", name, n, err)
			}
		}
	}
	// There is no copy of its header.
	raw := version1(dim, samplesOf(dim))
	for _, off := range []int{0, 9, 70, 100} {
		fsys := newFS(t)
		f := segment.File{FS: fsys, Dir: dir, Store: storeID, Number: 5}
		if err := errors.Join(fsys.SetBytes(f.Path(), raw), fsys.Corrupt(f.Path(), int64(off), 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := segment.Open(f, int64(len(raw))); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("Open with a bit flipped at %d = %v, want damage", off, err)
		}
	}
}

// TestVersion2IsRead opens files of version 2, which were written by an earlier program: whole, with one copy of header
// or summary damaged, which is mended, and with a line damaged, of which there is no copy.
func TestVersion2IsRead(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/compat/2026-11-segment2/data/spaces/space-default/*.[sv]e[gc]")
	if err != nil || len(paths) != 3 {
		t.Fatalf("files: %v, %v", paths, err)
	}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size := int64(len(raw))
		for off, mended := range map[int64]int{-1: 0, 9: 1, 70: 1, size - 100: 1, size - 50: 1, 130: 0} {
			fsys := newFS(t)
			f := segment.File{
				FS: fsys, Dir: dir, Store: [16]byte(raw[16:32]), Number: binary.LittleEndian.Uint64(raw[32:]),
				Apart: filepath.Ext(path) == ".vec",
			}
			b := bytes.Clone(raw)
			if off >= 0 {
				b[off] ^= 4
			}
			if err := fsys.SetBytes(f.Path(), b); err != nil {
				t.Fatal(err)
			}
			w := opened(t, f, size)
			if n := len(w.Mended()); n != mended {
				t.Errorf("%s with a bit flipped at %d: Mended = %v, want %d", path, off, w.Mended(), mended)
			}
			for slot := range w.Rows() {
				err := w.Read(slot, func([]byte) error { return nil })
				if damaged := slot == 0 && off == 130; errors.Is(err, codec.ErrCorrupt) != damaged {
					t.Errorf("%s with a bit flipped at %d: Read(%d) = %v", path, off, slot, err)
				}
			}
			problems := 0
			if _, err := w.Verify(nil, func(error) { problems++ }); err != nil || problems != min(1, int(off+1)) {
				t.Errorf("%s with a bit flipped at %d: Verify finds %d problems, %v", path, off, problems, err)
			}
		}
	}
}

// TestDamageUnderAnOpenSegment turns a bit over in what is mapped and was verified. What is read by itself is refused
// at once, what is lent in groups when it is verified again: by age, or because Verify has found it. Only the vector
// that the bit belongs to is.
func TestDamageUnderAnOpenSegment(t *testing.T) {
	const dim = 64
	samples := manySamples(dim)
	places := func(w *segment.Sealed) map[string]int64 {
		n := int64(w.Groups()*segment.GroupSize - 55) // vectors
		codes := (128 + int64(w.Rows())*64 + 32*n + 4095) / 4096 * 4096
		return map[string]int64{"codes": codes + 3*64 + 5, "vector": codes + n*64 + 3*256 + 5}
	}
	for _, what := range []string{"codes", "vector"} {
		for _, how := range []string{"age", "verify", "cold"} { // what is cold is verified each time
			t.Run(what+" by "+how, func(t *testing.T) {
				fsys, tier := newFS(t), segment.Warm
				if how == "cold" {
					tier = segment.Cold
				}
				f, size := sealedIn(t, fsys, tier, samples)
				w := opened(t, f, size)
				lend := func() (bad uint64, err error) {
					group, err := w.Group(0, new([]byte))
					codes, codesErr := w.Codes(0, new([]byte))
					return group.Bad | codes.Bad, errors.Join(err, codesErr)
				}
				if bad, err := lend(); bad != 0 || err != nil {
					t.Fatalf("before there are %b bad, %v", bad, err)
				}
				if err := fsys.Corrupt(f.Path(), places(w)[what], 0x10); err != nil {
					t.Fatal(err)
				}
				err := w.Exact(3, func([]float32, float32) error { return nil })
				if damaged := errors.Is(err, codec.ErrCorrupt); damaged != (what == "vector") {
					t.Errorf("Exact = %v", err)
				}
				switch how {
				case "age":
					w.Age()
				case "verify":
					if _, err := w.Verify(nil, func(error) {}); err != nil {
						t.Fatal(err)
					}
				}
				for range 2 { // damage does not grow old
					bad, err := lend()
					if what == "codes" { // they are made anew
						if bad != 0 || err != nil || len(w.Mended()) != 1 {
							t.Errorf("after there are %b bad, %v, Mended = %v", bad, err, w.Mended())
						}
						checkCodes(t, w, samples, dim)
						continue
					}
					if bad != 1<<3 || !errors.Is(err, codec.ErrCorrupt) {
						t.Errorf("after there are %b bad, %v, want vector 3", bad, err)
					}
				}
				if err := fsys.Corrupt(f.Path(), places(w)[what], 0x10); err != nil {
					t.Fatal(err)
				}
				if bad, err := lend(); bad != 0 || err != nil {
					t.Errorf("repaired there are %b bad, %v", bad, err)
				}
			})
		}
	}
}

// TestBothCopiesDamaged damages header or summary in both places: there is nothing to go by.
func TestBothCopiesDamaged(t *testing.T) {
	for _, off := range []int64{0, 9, 40, 64, 100, 124} {
		fsys := newFS(t)
		f, size := sealed(t, fsys, samplesOf(8))
		err := errors.Join(fsys.Corrupt(f.Path(), off, 1), fsys.Corrupt(f.Path(), size/4096*4096+off, 2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := segment.Open(f, size); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("Open with both copies damaged at %d = %v, want damage", off, err)
		}
	}
	// One of each is enough.
	fsys := newFS(t)
	f, size := sealed(t, fsys, samplesOf(8))
	if err := errors.Join(fsys.Corrupt(f.Path(), 3, 1), fsys.Corrupt(f.Path(), size/4096*4096+64+3, 2)); err != nil {
		t.Fatal(err)
	}
	w, err := segment.Open(f, size)
	if err != nil || len(w.Mended()) != 2 {
		t.Fatalf("Open = %v, want it mended", err)
	}
	problems := 0
	if _, err := w.Verify(nil, func(error) { problems++ }); err != nil || problems != 1 {
		t.Errorf("Verify = %d problems, %v, want one", problems, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyIsPaced counts what Verify tells of its reading, and ends it: no more than a window is read after that.
func TestVerifyIsPaced(t *testing.T) {
	var samples []sample
	for i := range 400 {
		samples = append(samples, sample{body: fmt.Sprintf("%4096d", i), vector: vectorOf(768, i)})
	}
	for i, fsys := range []vfs.FS{newFS(t), newFS(t), vfs.OS{}, vfs.OS{}} {
		f := segment.File{FS: fsys, Dir: dir, Store: storeID, Number: 5}
		if _, ok := fsys.(vfs.OS); ok {
			f.Dir = t.TempDir()
		}
		built, err := segment.Build(f, segment.Plan{Sources: []segment.Source{fill(768, samples)}, Tier: tiers[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		size := built.SizeBytes
		w := opened(t, f, size)
		read, most, calls := 0, 0, 0
		rows, err := w.Verify(func(n int) error {
			read, most, calls = read+n, max(most, n), calls+1
			return nil
		}, func(err error) { t.Errorf("Verify reports %v", err) })
		if err != nil || rows != len(samples) {
			t.Errorf("Verify = %d rows, %v", rows, err)
		}
		if int64(read) < size || int64(read) > 2*size || most > 256<<10 {
			t.Errorf("%d bytes were told of in pieces of up to %d, of a file of %d", read, most, size)
		}
		stop := errors.New("enough")
		for n := range calls {
			left := n
			_, err := w.Verify(func(int) error {
				if left--; left < 0 {
					return stop
				}
				return nil
			}, func(err error) { t.Errorf("Verify reports %v", err) })
			if !errors.Is(err, stop) || left != -1 {
				t.Errorf("Verify ended at piece %d = %v, %d more pieces", n, err, -left-1)
			}
		}
	}
}
