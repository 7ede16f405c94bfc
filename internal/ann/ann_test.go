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
						check(t, &r, q, vectors, false)
						exactly(t, &r)
					}
					check(t, &r, q, vectors, true)
				})
			}
		}
	}
}

// exactly makes all of a result exact.
func exactly(t testing.TB, r *ann.Result) {
	t.Helper()
	if err := r.Refine(t.Context(), float32(math.Inf(-1))); err != nil {
		t.Fatal(err)
	}
}

// exact is a similarity as vec defines it.
func exact(q ann.Query, v []float32) float32 {
	dot := vec.Dot(q.Vector, v)
	if q.Metric == ann.Dot {
		return dot
	}
	return dot * (1 / vec.Norm(v) * (1 / vec.Norm(q.Vector)))
}

// check compares a result with all of vectors: in float64, and to the last bit what is exact: all, or the nearest.
func check(t *testing.T, r *ann.Result, q ann.Query, vectors map[uint32][]float32, all bool) {
	t.Helper()
	want, best, nearest := 0, math.Inf(-1), float32(math.Inf(-1))
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
		nearest = max(nearest, exact(q, v))
		similarity, off := dot, norms
		if q.Metric == ann.Cosine {
			similarity, off = similarity/norms, 1
		}
		if got := float64(r.Similarities[i]); math.Abs(got-similarity) > .03*off {
			t.Fatalf("similarity of row %d = %v, want %v", row, got, similarity)
		}
		if all && r.Similarities[i] != exact(q, v) {
			t.Fatalf("similarity of row %d = %v, exactly %v", row, r.Similarities[i], exact(q, v))
		}
	}
	if want > 0 && slices.Max(r.Similarities) != nearest {
		t.Errorf("the largest similarity is %v, exactly %v", slices.Max(r.Similarities), nearest)
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
		err := ann.Scan(t.Context(), ann.Query{Vector: query, Dim: 100, Parts: parts, Accept: accept}, &r)
		if err != nil {
			t.Fatal(err)
		}
		exactly(t, &r)
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

// TestRefineIsExactWhereItMatters asks for thresholds and for the best: what is that near is exact, what is not is
// rightly so, and nothing else is in the result.
func TestRefineIsExactWhereItMatters(t *testing.T) {
	const seed = 21
	for _, dim := range []int{8, 100, 768} {
		for _, metric := range []ann.Metric{ann.Cosine, ann.Dot} {
			rng := rand.New(rand.NewPCG(seed, uint64(dim)))
			h, vectors := hot(rng, 3000, dim)
			q := ann.Query{Vector: random(rng, dim), Dim: dim, Metric: metric, Parts: []ann.Part{{Base: 7, Source: h}}}
			var sorted []float32
			for _, v := range vectors {
				sorted = append(sorted, exact(q, v))
			}
			slices.Sort(sorted)
			for _, rank := range []int{0, 1, 10, len(sorted) / 16, len(sorted) / 2, len(sorted) - 1} {
				least := sorted[len(sorted)-1-rank]
				for _, by := range []string{"threshold", "rank"} {
					var r ann.Result
					if err := ann.Scan(t.Context(), q, &r); err != nil {
						t.Fatal(err)
					}
					var err error
					if by == "threshold" {
						err = r.Refine(t.Context(), least)
					} else {
						err = r.RefineBest(t.Context(), rank+1)
					}
					if err != nil || len(r.Rows) != len(vectors) {
						t.Fatalf("%d rows of %d, %v", len(r.Rows), len(vectors), err)
					}
					rough := 0
					for i, row := range r.Rows {
						got, want := r.Similarities[i], exact(q, vectors[row-7])
						if got != want {
							rough++
						}
						if got != want && (got >= least || want >= least) {
							t.Fatalf("seed %d, dim %d, %v, %s of rank %d: row %d has %v, exactly %v, at least %v "+
								"were asked for", seed, dim, metric, by, rank, row, got, want, least)
						}
					}
					if rank < 20 && rough < len(sorted)/2 {
						t.Errorf("dim %d, %v, %s of rank %d: only %d of %d are rough",
							dim, metric, by, rank, rough, len(sorted))
					}
				}
			}
		}
	}
}

// TestVectorsOfAllLengths has norms from one end of what is allowed to the other, and outliers among the elements, with
// which codes are poor: the bounds hold.
func TestVectorsOfAllLengths(t *testing.T) {
	const seed, dim = 22, 96
	for _, metric := range []ann.Metric{ann.Cosine, ann.Dot} {
		rng := rand.New(rand.NewPCG(seed, 3))
		h, vectors := segment.NewHot(dim), map[uint32][]float32{}
		for range 2000 {
			v := random(rng, dim)
			if rng.IntN(2) == 0 {
				v[rng.IntN(dim)] *= float32(math.Pow(10, 6*rng.Float64()))
			}
			scale := float32(math.Pow(10, 37*rng.Float64()-18.5) / float64(vec.Norm(v)))
			for i := range v {
				v[i] *= scale
			}
			if vec.Validate(v) != nil {
				continue
			}
			vectors[h.Add(segment.Identity{}, 0, nil, v)] = v
		}
		for range 20 {
			q := ann.Query{Vector: random(rng, dim), Dim: dim, Metric: metric, Parts: []ann.Part{{Source: h}}}
			scale := float32(math.Pow(10, 36*rng.Float64()-18))
			for i := range q.Vector {
				q.Vector[i] *= scale
			}
			if vec.Validate(q.Vector) != nil {
				continue
			}
			var r ann.Result
			if err := ann.Scan(t.Context(), q, &r); err != nil {
				t.Fatal(err)
			}
			if err := r.RefineBest(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
			var got, want []float32
			for i, row := range r.Rows {
				got, want = append(got, r.Similarities[i]), append(want, exact(q, vectors[row]))
			}
			slices.Sort(got)
			slices.Sort(want)
			if n := len(got); !slices.Equal(got[n-5:], want[n-5:]) {
				t.Errorf("seed %d, %v: the best are %v, exactly %v", seed, metric, got[n-5:], want[n-5:])
			}
		}
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
// 768 floats are 307 MB, their codes 77 MB: at 15 GB/s some 20 and 5 ms.
func BenchmarkScan(b *testing.B) {
	const n, dim = 100_000, 768
	rng := rand.New(rand.NewPCG(1, 1))
	floats := vec.Alloc(n * dim)
	for i := range floats {
		floats[i] = rng.Float32() - .5
	}
	var groups []segment.Group
	for from := 0; from < n; from += segment.GroupSize {
		g := segment.Group{Floats: floats[from*dim : min(from+segment.GroupSize, n)*dim], Stride: dim}
		for i := from; i < min(from+segment.GroupSize, n); i++ {
			g.Slots = append(g.Slots, uint32(i))
			g.InvNorm = append(g.InvNorm, 1/vec.Norm(floats[i*dim:(i+1)*dim]))
		}
		groups = append(groups, g)
	}
	l := lend(dim, groups...)
	q := ann.Query{
		Vector: floats[:dim], Dim: dim, Parts: []ann.Part{{Source: l, Mapped: true}},
		Accept: func(row uint32) bool { return row < n },
	}
	for name, exact := range map[string]bool{"codes": false, "exact": true} {
		b.Run(name+"/dim=768/n=100k", func(b *testing.B) {
			b.ReportAllocs()
			var r ann.Result
			for b.Loop() {
				if err := ann.Scan(b.Context(), q, &r); err != nil {
					b.Fatal(err)
				}
				if exact {
					exactly(b, &r)
				}
			}
		})
	}
	b.Run("stream/dim=768/n=100k", func(b *testing.B) {
		b.SetBytes(n * dim * 4)
		sum := float32(0)
		for b.Loop() {
			sum += vec.StreamSum(floats)
		}
		_ = sum
	})
}
