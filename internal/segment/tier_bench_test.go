package segment_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
)

// BenchmarkTiers compares the tiers, files in the system's cache: reading a body of some 200 bytes, lending the codes
// of a group of 64 vectors of 768 dimensions, reading one vector, and building either from the other. A group has 48
// KiB of codes: from memory 3 µs at 15 GB/s, and 2 more for its checksums.
func BenchmarkTiers(b *testing.B) {
	const n, dim = 20_000, 768
	rng := rand.New(rand.NewPCG(1, 1))
	h := segment.NewHot(0)
	for i, s := range remarks(n, dim) {
		h.Add(identity(i), hash(i), []byte(s.body), s.vector)
	}
	for i, tier := range tiers {
		f := segment.File{FS: vfs.OS{}, Dir: b.TempDir(), Store: storeID, Number: uint64(i + 1)}
		var size int64
		b.Run(fmt.Sprintf("build/%v", tier), func(b *testing.B) {
			for b.Loop() {
				f.Number += 10
				built, err := segment.Build(f, segment.Plan{Sources: []segment.Source{h}, Tier: tier})
				if err != nil {
					b.Fatal(err)
				}
				size = built.SizeBytes
			}
			b.SetBytes(size)
		})
		w, err := segment.Open(f, size)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%v: %d bytes, bodies of %d bytes in %d", tier, size, w.RawBytes(), w.BodyBytes())
		b.Run(fmt.Sprintf("read/%v", tier), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Read(rng.Uint32N(n), func([]byte) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("codes/%v", tier), func(b *testing.B) {
			b.ReportAllocs()
			var scratch []byte
			g, sum := 0, 0
			for b.Loop() {
				codes, err := w.Codes(g%w.Groups(), &scratch)
				if err != nil {
					b.Fatal(err)
				}
				for i := 0; i < len(codes.Codes); i += 64 { // touches every line of what is mapped
					sum += int(codes.Codes[i])
				}
				g++
			}
			_ = sum
		})
		b.Run(fmt.Sprintf("vector/%v", tier), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := w.Exact(rng.Uint32N(uint32(w.Groups()-1)*64), func([]float32, float32) error { return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
