package segment_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/orchard9/engram-go/internal/segment"
)

// TestReadersBesideTheWriter reads what was published while more is added. Run with -race.
func TestReadersBesideTheWriter(t *testing.T) {
	const rows, dim = 3000, 17
	h := segment.NewHot(0)
	var published atomic.Uint32
	bodyOf := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, i%97) }
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				n := published.Load()
				for _, slot := range []uint32{0, n / 2, n - 1} {
					if slot >= n {
						continue
					}
					readHot(t, h, slot, bodyOf(int(slot)))
				}
				for g := range h.Groups() {
					group, err := h.Group(g, nil)
					if err != nil {
						t.Errorf("Group(%d) = %v", g, err)
					}
					for i, slot := range group.Slots {
						if slot < n && !sameVector(group.Floats[i*group.Stride:][:dim], vectorOf(dim, int(slot))) {
							t.Errorf("group %d: vector of row %d is wrong", g, slot)
						}
					}
				}
				if n == rows {
					return
				}
			}
		})
	}
	for i := range rows {
		var v []float32
		if i%2 == 0 {
			v = vectorOf(dim, i)
		}
		h.Add(identity(i), hash(i), bodyOf(i), v)
		published.Store(uint32(i + 1))
	}
	readers.Wait()
}

func readHot(t *testing.T, h *segment.Hot, slot uint32, want []byte) {
	t.Helper()
	row, err := h.Row(slot)
	if err != nil || row.Identity != identity(int(slot)) || row.IDHash != hash(int(slot)) {
		t.Errorf("Row(%d) = %+v, %v", slot, row, err)
	}
	err = h.Read(slot, func(b []byte) error {
		if !bytes.Equal(b, want) {
			return fmt.Errorf("%q, want %q", b, want)
		}
		return nil
	})
	if err != nil {
		t.Errorf("Read(%d) = %v", slot, err)
	}
	v, err := h.Vector(slot)
	if err != nil || (v != nil) != (slot%2 == 0) || v != nil && !sameVector(v, vectorOf(len(v), int(slot))) {
		t.Errorf("Vector(%d) = %v, %v", slot, v, err)
	}
}

// TestInterruptedAddLeavesAVoidRow lets Add die half way, which a vector that does not fit does: the place stays void,
// and the next row has its own body and vector, in memory and sealed.
func TestInterruptedAddLeavesAVoidRow(t *testing.T) {
	const dim = 8
	h := segment.NewHot(dim)
	var samples []sample
	for i := range 50 {
		samples = append(samples, sample{body: fmt.Sprint("body ", i), vector: vectorOf(dim, i)})
		h.Add(identity(i), hash(i), []byte(samples[i].body), samples[i].vector)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Add of a vector that does not fit did not panic")
			}
		}()
		h.Add(identity(50), hash(50), []byte("dies"), make([]float32, 4096))
	}()
	samples = append(samples, sample{body: "dies", void: true})
	row, err := h.Row(50)
	if err != nil || !row.Void || row.Vector != segment.NoVector {
		t.Errorf("Row of the interrupted Add = %+v, %v, want void without a vector", row, err)
	}
	samples = append(samples, sample{body: "next", vector: vectorOf(dim, 51)})
	if slot := h.Add(identity(51), hash(51), []byte("next"), vectorOf(dim, 51)); slot != 51 {
		t.Errorf("slot after the interrupted one = %d, want 51", slot)
	}
	if v, err := h.Vector(51); err != nil || !sameVector(v, vectorOf(dim, 51)) {
		t.Errorf("Vector(51) = %v, %v", v, err)
	}
	f := segment.File{FS: newFS(t), Dir: dir, Store: storeID, Number: 5}
	size, err := segment.Seal(f, h)
	if err != nil {
		t.Fatalf("Seal = %v", err)
	}
	check(t, opened(t, f, size), samples)
}

// TestVoidOpensTheDimensionAgain takes back the first vector: the next one may be of any dimension.
func TestVoidOpensTheDimensionAgain(t *testing.T) {
	h := segment.NewHot(0)
	h.Add(identity(0), hash(0), []byte("a"), nil)
	first := h.Add(identity(1), hash(1), []byte("b"), vectorOf(8, 1))
	h.Add(identity(2), hash(2), []byte("c"), vectorOf(8, 2))
	h.Void(first)
	if h.Dim() != 0 || h.Groups() != 0 || h.SizeBytes() != 3 {
		t.Errorf("after Void: Dim = %d, Groups = %d, SizeBytes = %d, want 0, 0, 3", h.Dim(), h.Groups(), h.SizeBytes())
	}
	samples := []sample{{body: "a"}, {void: true}, {void: true}}
	for i := 3; i < 80; i++ {
		samples = append(samples, sample{body: "d", vector: vectorOf(100, i)})
		h.Add(identity(i), hash(i), []byte("d"), vectorOf(100, i))
	}
	// A later failure does not touch the dimension that stands.
	h.Void(h.Add(identity(80), hash(80), []byte("e"), vectorOf(100, 80)))
	samples = append(samples, sample{void: true})
	f := segment.File{FS: newFS(t), Dir: dir, Store: storeID, Number: 5}
	size, err := segment.Seal(f, h)
	if err != nil {
		t.Fatalf("Seal = %v", err)
	}
	w := opened(t, f, size)
	if w.Dim() != 100 {
		t.Errorf("Dim = %d, want 100", w.Dim())
	}
	check(t, w, samples)
}
