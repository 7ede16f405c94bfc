package ann_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

// lender lends the groups it is told to, with the codes of their vectors, and errs.
type lender struct {
	groups []segment.Group
	errs   []error // of the group, by Codes and Group
	exact  error   // of every vector, by Exact
	codes  []segment.Codes
	dim    int
}

func lend(dim int, groups ...segment.Group) *lender {
	l := &lender{groups: groups, dim: dim}
	for _, g := range groups {
		n := vec.CodeLen(dim)
		c := segment.Codes{Slots: g.Slots, InvNorm: g.InvNorm, Codes: make([]int8, n*len(g.Slots))}
		for i := range g.Slots {
			var v []float32
			if from := i * g.Stride; from+dim <= len(g.Floats) {
				v = g.Floats[from : from+dim]
			} else {
				v = make([]float32, dim)
			}
			scale, residual := vec.Quantize(v, c.Codes[i*n:(i+1)*n])
			c.Scale, c.Residual = append(c.Scale, scale), append(c.Residual, residual)
		}
		l.codes, l.errs = append(l.codes, c), append(l.errs, nil)
	}
	return l
}

func (l *lender) Groups() int { return len(l.groups) }

func (l *lender) Slots(g int) []uint32 { return l.groups[g].Slots }

func (l *lender) Codes(g int, _ *[]byte) (segment.Codes, error) {
	if l.codes[g].Bad == 0 && l.errs[g] != nil {
		return segment.Codes{}, l.errs[g]
	}
	return l.codes[g], l.errs[g]
}

func (l *lender) Group(g int, _ *[]byte) (segment.Group, error) {
	if l.groups[g].Bad == 0 && l.errs[g] != nil {
		return segment.Group{}, l.errs[g]
	}
	return l.groups[g], l.errs[g]
}

func (l *lender) Exact(v uint32, fn func([]float32, float32) error) error {
	g, i := l.groups[v/segment.GroupSize], int(v%segment.GroupSize)
	switch {
	case l.exact != nil:
		return l.exact
	case g.Bad>>i&1 != 0:
		return l.errs[v/segment.GroupSize]
	}
	return fn(g.Floats[min(i*g.Stride, len(g.Floats)):], g.InvNorm[i])
}

func TestDamagedVectorsAreLeftOutAndTold(t *testing.T) {
	damaged := errors.New("checksum")
	one := []float32{1, 0}
	good := segment.Group{Slots: []uint32{5}, Floats: one, Stride: 2, InvNorm: []float32{1}}
	short := segment.Group{Slots: []uint32{6, 7}, Floats: []float32{1, 0, 1}, Stride: 2, InvNorm: []float32{1, 1}}
	two := segment.Group{
		Slots: []uint32{8, segment.NoRow, 9}, Floats: []float32{1, 0, 1, 0, 0, 1}, Stride: 2,
		InvNorm: []float32{1, 1, 1}, Bad: 2,
	}
	groups := []segment.Group{good, good, short, two}
	for range 30 {
		groups = append(groups, good)
	}
	l := lend(2, groups...)
	for g := range groups {
		if g != 1 && g != 2 {
			l.errs[g] = damaged
		}
	}
	l.codes[2].Codes = l.codes[2].Codes[:64] // of two
	l.codes[3].Bad = 2
	var r ann.Result
	q := ann.Query{Vector: []float32{1, 1}, Dim: 2, Parts: []ann.Part{{Base: 100, Source: l}}}
	if err := ann.Scan(t.Context(), q, &r); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Rows, []uint32{105, 108, 109}) || r.Damaged != 34 || len(r.Damage) != 16 ||
		!errors.Is(r.Damage[0], damaged) || !strings.Contains(r.Damage[0].Error(), "row 100, group 0") {
		t.Errorf("Rows = %v, %d damaged, %v", r.Rows, r.Damaged, r.Damage)
	}
	// The damage of one scan is not that of the next.
	q.Parts = nil
	if err := ann.Scan(t.Context(), q, &r); err != nil || r.Damaged != 0 || r.Damage != nil || len(r.Rows) != 0 {
		t.Errorf("Scan of nothing = %v, %+v", err, r)
	}
}

// fickle lends all codes, but not the vectors that are bad.
type fickle struct {
	*lender
	bad map[uint32]bool
}

var errFickle = errors.New("the vector cannot be read")

func (f fickle) Group(g int, scratch *[]byte) (segment.Group, error) {
	group, err := f.lender.Group(g, scratch)
	for v := range f.bad {
		if int(v/segment.GroupSize) == g {
			group.Bad |= 1 << (v % segment.GroupSize)
			err = errFickle
		}
	}
	return group, err
}

func (f fickle) Exact(v uint32, fn func([]float32, float32) error) error {
	if f.bad[v] {
		return errFickle
	}
	return f.lender.Exact(v, fn)
}

// TestVectorsWithoutTheirFloats have readable codes only: they are gone when they are to be exact, one by one or with
// their group, and the nearest of the others is the nearest.
func TestVectorsWithoutTheirFloats(t *testing.T) {
	const n = 2*segment.GroupSize + 3
	for _, metric := range []ann.Metric{ann.Cosine, ann.Dot} {
		// Far apart; so near to each other that each might be the nearest.
		for _, turns := range []float64{n, 1000 * n} {
			var groups []segment.Group
			var rows [][]float32
			for i := range n {
				if i%segment.GroupSize == 0 {
					groups = append(groups, segment.Group{Stride: 2})
				}
				g := &groups[len(groups)-1]
				angle := math.Pi / 2 * float64(i) / turns
				v := []float32{float32(math.Cos(angle)), float32(math.Sin(angle))}
				rows = append(rows, v)
				g.Slots, g.Floats = append(g.Slots, uint32(i)), append(g.Floats, v...)
				g.InvNorm = append(g.InvNorm, 1/vec.Norm(v))
			}
			for _, bad := range []map[uint32]bool{{}, {0: true}, {0: true, 1: true, 5: true}, {n - 1: true}} {
				vectors := map[uint32][]float32{}
				for i, v := range rows {
					if !bad[uint32(i)] {
						vectors[100+uint32(i)] = v
					}
				}
				q := ann.Query{
					Vector: []float32{2, 0}, Dim: 2, Metric: metric,
					Parts: []ann.Part{{Base: 100, Source: fickle{lend(2, groups...), bad}}},
				}
				var r ann.Result
				if err := ann.Scan(t.Context(), q, &r); err != nil {
					t.Fatal(err)
				}
				exactly(t, &r)
				check(t, &r, q, vectors, true)
				if r.Damaged != len(bad) || (len(r.Damage) == 0) != (len(bad) == 0) {
					t.Errorf("%v, %v bad: %d damaged, %v", metric, bad, r.Damaged, r.Damage)
				}
				for _, err := range r.Damage {
					if !errors.Is(err, errFickle) {
						t.Errorf("%v, %v bad: %v", metric, bad, err)
					}
				}
			}
		}
	}
}
