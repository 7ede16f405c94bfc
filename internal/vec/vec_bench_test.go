package vec_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/vec"
)

var sink float32 // keeps results alive

// BenchmarkDot is bound by loads from the first-level cache: 8 bytes an element, 128
// bytes a cycle at best with AVX-512 on Intel, 64 on AMD Zen 4 (96 cycles for dim 768).
func BenchmarkDot(b *testing.B) {
	for _, impl := range vec.Impls() {
		for _, dim := range []int{8, 100, 384, 768, 1536, 4096} {
			r := rand.New(rand.NewPCG(1, 0))
			x, y := fill(r, vec.Alloc(dim), regimes[0].next), fill(r, vec.Alloc(dim), regimes[0].next)
			b.Run(fmt.Sprintf("dim=%d/impl=%s", dim, impl.Name), func(b *testing.B) {
				b.SetBytes(int64(8 * dim))
				for b.Loop() {
					sink += impl.Dot(x, y)
				}
			})
		}
	}
}

func BenchmarkDotActive(b *testing.B) {
	x, y := vec.Alloc(768), vec.Alloc(768)
	for b.Loop() {
		sink += vec.Dot(x, y)
	}
}

func BenchmarkValidate(b *testing.B) {
	x := fill(rand.New(rand.NewPCG(1, 0)), vec.Alloc(768), regimes[0].next)
	for b.Loop() {
		if err := vec.Validate(x); err != nil {
			b.Fatal(err)
		}
	}
}

const scanRows, scanDim = 100_000, 768 // 307 MB: far beyond every cache

func scanSet() (query, rows, out []float32) {
	query, rows, out = vec.Alloc(scanDim), vec.Alloc(scanRows*scanDim), vec.Alloc(scanRows)
	for i := range rows {
		rows[i] = float32(i%251) / 251 // every page is written, so that every page exists
	}
	for i := range query {
		query[i] = float32(i%17) / 17
	}
	return query, rows, out
}

// BenchmarkDotRows is the exact scan of 100,000 x 768 on one thread, bound by memory.
func BenchmarkDotRows(b *testing.B) {
	query, rows, out := scanSet()
	for _, impl := range vec.Impls() {
		b.Run("n=100k/dim=768/impl="+impl.Name, func(b *testing.B) {
			b.SetBytes(4 * scanRows * scanDim)
			for b.Loop() {
				impl.DotRows(query, rows, scanDim, out)
			}
		})
		b.Run("stream/impl="+impl.Name, func(b *testing.B) {
			b.SetBytes(4 * scanRows * scanDim)
			for b.Loop() {
				sink += impl.StreamSum(rows)
			}
		})
	}
}

// BenchmarkScanAgainstStream alternates the scan and the plain read of the same bytes,
// so that both meet the same neighbours on the machine, and reports the medians of
// both bandwidths and of the ratio within a pair.
func BenchmarkScanAgainstStream(b *testing.B) {
	query, rows, out := scanSet()
	for _, impl := range vec.Impls() {
		b.Run("impl="+impl.Name, func(b *testing.B) {
			var scans, streams, ratios []float64
			for b.Loop() {
				start := time.Now()
				impl.DotRows(query, rows, scanDim, out)
				middle := time.Now()
				sink += impl.StreamSum(rows)
				scan, stream := middle.Sub(start).Seconds(), time.Since(middle).Seconds()
				const gigabytes = 4e-9 * scanRows * scanDim
				scans, streams = append(scans, gigabytes/scan), append(streams, gigabytes/stream)
				ratios = append(ratios, stream/scan)
			}
			b.ReportMetric(median(scans), "scan-GB/s")
			b.ReportMetric(median(streams), "stream-GB/s")
			b.ReportMetric(median(ratios), "scan/stream")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
