package ann_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

func random(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// hot makes a segment; every third row has no vector.
func hot(rng *rand.Rand, rows, dim int) (*segment.Hot, map[uint32][]float32) {
	h := segment.NewHot(dim)
	vectors := map[uint32][]float32{}
	for range rows {
		var v []float32
		if rng.IntN(3) > 0 {
			v = random(rng, dim)
		}
		slot := h.Add(segment.Identity{}, 0, nil, v)
		if v != nil {
			vectors[slot] = v
		}
	}
	return h, vectors
}

func TestScanFindsEveryAcceptedRowExactly(t *testing.T) {
	for _, dim := range []int{8, 17, 64, 384} {
		rng := rand.New(rand.NewPCG(uint64(dim), 1))
		first, vectors := hot(rng, 300, dim)
		second, more := hot(rng, 500, dim)
		for slot, v := range more {
			vectors[1000+slot] = v
		}
		parts := []ann.Part{{Source: first}, {Base: 1000, Source: second, Mapped: true}}
		query := random(rng, dim)
		for name, accept := range map[string]func(uint32) bool{
			"all": nil, "few": func(row uint32) bool { return row%41 == 0 }, "none": func(uint32) bool { return false },
			"half": func(row uint32) bool { return row%2 == 0 },
		} {
			for _, metric := range []ann.Metric{ann.Cosine, ann.Dot} {
				t.Run(fmt.Sprint(dim, name, metric), func(t *testing.T) {
					var r ann.Result
					q := ann.Query{Vector: query, Dim: dim, Metric: metric, Parts: parts, Accept: accept}
					for range 2 { // a result may be used again
						if err := ann.Scan(t.Context(), q, &r); err != nil {
							t.Fatal(err)
						}
					}
					check(t, &r, q, vectors)
				})
			}
		}
	}
}

func check(t *testing.T, r *ann.Result, q ann.Query, vectors map[uint32][]float32) {
	t.Helper()
	want, best := 0, math.Inf(-1)
	for row, v := range vectors {
		if q.Accept != nil && !q.Accept(row) {
			continue
		}
		want++
		i := slices.Index(r.Rows, row)
		if i < 0 {
			t.Fatalf("row %d is missing", row)
		}
		dot, norms := 0.0, float64(vec.Norm(v))*float64(vec.Norm(q.Vector))
		for k := range v {
			dot += float64(v[k]) * float64(q.Vector[k])
		}
		best = max(best, dot/norms)
		similarity := dot
		if q.Metric == ann.Cosine {
			similarity /= norms
		}
		if got := float64(r.Similarities[i]); math.Abs(got-similarity) > 1e-4*max(1, norms) {
			t.Fatalf("similarity of row %d = %v, want %v", row, got, similarity)
		}
	}
	if len(r.Rows) != want || len(r.Similarities) != want {
		t.Errorf("%d rows, want %d", len(r.Rows), want)
	}
	if want > 0 && math.Abs(float64(r.Cosine)-best) > 1e-4 {
		t.Errorf("Cosine = %v, want %v", r.Cosine, best)
	}
}

// TestSimilarityIsTheSameHoweverItIsReached: alone, among others, in another part.
func TestSimilarityIsTheSameHoweverItIsReached(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	h, vectors := hot(rng, 200, 100)
	query := random(rng, 100)
	scan := func(parts []ann.Part, accept func(uint32) bool) map[uint32]float32 {
		var r ann.Result
		if err := ann.Scan(t.Context(), ann.Query{Vector: query, Dim: 100, Parts: parts, Accept: accept}, &r); err != nil {
			t.Fatal(err)
		}
		found := map[uint32]float32{}
		for i, row := range r.Rows {
			found[row] = r.Similarities[i]
		}
		return found
	}
	all := scan([]ann.Part{{Source: h}}, nil)
	for slot, v := range vectors {
		alone := scan([]ann.Part{{Source: h}}, func(row uint32) bool { return row == slot })
		other := segment.NewHot(100)
		other.Add(segment.Identity{}, 0, nil, v)
		moved := scan([]ann.Part{{Base: 7, Source: other}}, nil)
		if alone[slot] != all[slot] || moved[7] != all[slot] {
			t.Errorf("row %d: %v among all, %v alone, %v moved", slot, all[slot], alone[slot], moved[7])
		}
	}
}

func TestRefusals(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	var r ann.Result
	for name, v := range map[string][]float32{"NaN": {nan, 1}, "Inf": {1, inf}, "zero": {0, 0}, "empty": {}} {
		var invalid *vec.InvalidError
		if err := ann.Scan(t.Context(), ann.Query{Vector: v, Dim: len(v)}, &r); !errors.As(err, &invalid) {
			t.Errorf("%s: Scan = %v, want a *vec.InvalidError", name, err)
		}
	}
	err := ann.Scan(t.Context(), ann.Query{Vector: []float32{1, 2}, Dim: 3}, &r)
	var d *ann.DimensionError
	if !errors.Is(err, ann.ErrDimension) || !errors.As(err, &d) || d.Got != 2 || d.Want != 3 ||
		!strings.Contains(err.Error(), "2") || !strings.Contains(err.Error(), "3") {
		t.Errorf("Scan = %v, want a *DimensionError of 2 and 3", err)
	}
	if err := ann.Scan(t.Context(), ann.Query{Vector: []float32{1}, Dim: 1, Metric: 7}, &r); err == nil {
		t.Error("Scan took metric 7")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h, _ := hot(rand.New(rand.NewPCG(1, 1)), 10, 2)
	q := ann.Query{Vector: []float32{1, 2}, Dim: 2, Parts: []ann.Part{{Source: h}}}
	if err := ann.Scan(ctx, q, &r); !errors.Is(err, context.Canceled) {
		t.Errorf("Scan after cancel = %v", err)
	}
}

// lender lends what it is told to.
type lender struct {
	groups []segment.Group
	errs   []error
}

func (l lender) Groups() int                        { return len(l.groups) }
func (l lender) Group(g int) (segment.Group, error) { return l.groups[g], l.errs[g] }

func TestDamagedGroupsAreLeftOutAndTold(t *testing.T) {
	damaged := errors.New("checksum")
	good := segment.Group{Slots: []uint32{5}, Floats: []float32{1, 0}, Stride: 2, InvNorm: []float32{1}}
	short := segment.Group{Slots: []uint32{6, 7}, Floats: []float32{1, 0, 1}, Stride: 2, InvNorm: []float32{1, 1}}
	narrow := segment.Group{Slots: []uint32{8}, Floats: []float32{1, 0}, Stride: 1, InvNorm: []float32{1}}
	l := lender{[]segment.Group{{}, good, short, narrow, {}}, []error{damaged, nil, nil, nil, nil}}
	for range 30 {
		l.groups, l.errs = append(l.groups, segment.Group{}), append(l.errs, damaged)
	}
	var r ann.Result
	q := ann.Query{Vector: []float32{1, 1}, Dim: 2, Parts: []ann.Part{{Base: 100, Source: l}}}
	if err := ann.Scan(t.Context(), q, &r); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Rows, []uint32{105}) || r.Damaged != 33 || len(r.Damage) != 16 ||
		!errors.Is(r.Damage[0], damaged) || !strings.Contains(r.Damage[0].Error(), "row 100, group 0") {
		t.Errorf("Rows = %v, %d damaged, %v", r.Rows, r.Damaged, r.Damage)
	}
	// The damage of one scan is not that of the next.
	q.Parts = nil
	if err := ann.Scan(t.Context(), q, &r); err != nil || r.Damaged != 0 || r.Damage != nil || len(r.Rows) != 0 {
		t.Errorf("Scan of nothing = %v, %+v", err, r)
	}
}

// TestScanKeepsItsArrays: a result used again costs nothing.
func TestScanKeepsItsArrays(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	h, _ := hot(rng, 1000, 32)
	q := ann.Query{Vector: random(rng, 32), Dim: 32, Parts: []ann.Part{{Source: h}}}
	var r ann.Result
	ctx := t.Context()
	allocs := testing.AllocsPerRun(20, func() {
		if err := ann.Scan(ctx, q, &r); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 1 {
		t.Errorf("Scan allocates %v times", allocs)
	}
}

// BenchmarkScan compares the scan with the processor's own streaming bandwidth over the same floats. 100,000 vectors of
// 768 floats are 307 MB: at 15 GB/s some 20 ms.
func BenchmarkScan(b *testing.B) {
	const n, dim = 100_000, 768
	rng := rand.New(rand.NewPCG(1, 1))
	floats := vec.Alloc(n * dim)
	for i := range floats {
		floats[i] = rng.Float32() - .5
	}
	var l lender
	for from := 0; from < n; from += segment.GroupSize {
		g := segment.Group{Floats: floats[from*dim : min(from+segment.GroupSize, n)*dim], Stride: dim}
		for i := from; i < min(from+segment.GroupSize, n); i++ {
			g.Slots = append(g.Slots, uint32(i))
			g.InvNorm = append(g.InvNorm, 1/vec.Norm(floats[i*dim:(i+1)*dim]))
		}
		l.groups, l.errs = append(l.groups, g), append(l.errs, nil)
	}
	b.Run("scan/dim=768/n=100k", func(b *testing.B) {
		b.SetBytes(n * dim * 4)
		b.ReportAllocs()
		q := ann.Query{
			Vector: floats[:dim], Dim: dim, Parts: []ann.Part{{Source: l, Mapped: true}},
			Accept: func(row uint32) bool { return row < n },
		}
		var r ann.Result
		for b.Loop() {
			if err := ann.Scan(b.Context(), q, &r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("stream/dim=768/n=100k", func(b *testing.B) {
		b.SetBytes(n * dim * 4)
		sum := float32(0)
		for b.Loop() {
			sum += vec.StreamSum(floats)
		}
		_ = sum
	})
}
