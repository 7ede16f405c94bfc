package vec_test

import (
	"syscall"
	"testing"
	"unsafe"

	"github.com/orchard9/engram-go/internal/vec"
)

// guarded returns memory between two inaccessible pages: a byte read or written before its
// start or behind its end is a fault that ends the test.
func guarded(t *testing.T, pages int) []byte {
	t.Helper()
	page := syscall.Getpagesize()
	all, err := syscall.Mmap(-1, 0, (pages+2)*page, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("Mmap: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Errorf("Munmap: %v", err)
		}
	})
	for _, outside := range [][]byte{all[:page], all[(pages+1)*page:]} {
		if err := syscall.Mprotect(outside, syscall.PROT_NONE); err != nil {
			t.Fatalf("Mprotect: %v", err)
		}
	}
	return all[page : (pages+1)*page]
}

// guardedFloats returns n float32 at the end and n at the start of guarded memory.
func guardedFloats(t *testing.T, n int) [2][]float32 {
	t.Helper()
	v, err := vec.Floats(guarded(t, 1+4*n/syscall.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	for i := range v {
		v[i] = 1
	}
	return [2][]float32{v[len(v)-n:], v[:n]}
}

func TestNothingOutsideTheSlicesIsTouched(t *testing.T) {
	const most, rows = 4096, 3
	as, bs, outs := guardedFloats(t, most), guardedFloats(t, rows*most), guardedFloats(t, rows)
	lastOf := func(v []float32, n int) []float32 { return v[len(v)-n:] }
	firstOf := func(v []float32, n int) []float32 { return v[:n] }
	for side, part := range []func([]float32, int) []float32{lastOf, firstOf} {
		for _, n := range lengths() {
			for _, impl := range vec.Impls() {
				a, b := part(as[side], n), part(bs[side], rows*n)
				if got := impl.Dot(a, part(b, n)); got != float32(n) {
					t.Fatalf("%s: Dot of %d ones = %v", impl.Name, n, got)
				}
				for count := 1; count <= rows; count++ {
					out := part(outs[side], count)
					impl.DotRows(a, part(b, count*n), n, out)
					if out[0] != float32(n) || out[count-1] != float32(n) {
						t.Fatalf("%s: DotRows of %d ones = %v", impl.Name, n, out)
					}
				}
				if got := impl.StreamSum(b); got != float32(rows*n) {
					t.Fatalf("%s: StreamSum of %d ones = %v", impl.Name, rows*n, got)
				}
			}
		}
	}
}

func TestNothingOutsideTheCodesIsTouched(t *testing.T) {
	const rows = 5
	queries, codes, outs := guarded(t, 2), guarded(t, rows), guarded(t, 1)
	for _, n := range codeLengths()[1:] {
		for count := 1; count <= rows; count++ {
			for _, end := range []bool{false, true} {
				part := func(b []byte, n int) []byte {
					if end {
						return b[len(b)-n:]
					}
					return b[:n]
				}
				query := unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(part(queries, 2*n)))), n)
				out := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(part(outs, 4*count)))), count)
				row := vec.Int8s(part(codes, n*count))
				for i := range query {
					query[i] = 1
				}
				for i := range row {
					row[i] = 1
				}
				for _, impl := range vec.CodesImpls() {
					if impl.Rows(query, row, out); out[0] != int32(n) || out[count-1] != int32(n) {
						t.Fatalf("%s: %d ones = %v", impl.Name, n, out)
					}
				}
			}
		}
	}
}
