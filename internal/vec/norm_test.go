package vec_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/vec"
)

func repeat(n int, x float32) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = x
	}
	return v
}

func with(v []float32, i int, x float32) []float32 {
	v[i] = x
	return v
}

func TestValidate(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		v      []float32
		index  int
		reason vec.Reason // 0: accepted
		text   string
	}{
		{"ordinary", []float32{0.1, -0.2, 0.3}, 0, 0, ""},
		{"one element differs from zero", with(make([]float32, 4096), 4095, 1), 0, 0, ""},
		{"smallest norm", []float32{0, 0x1p-63}, 0, 0, ""},
		{"greatest norm", []float32{0x1p63, 0x1p63}, 0, 0, ""},
		{"NaN", with(repeat(8, 1), 7, nan), 7, vec.ReasonNaN, "element 7 is NaN"},
		{"NaN before Inf", []float32{1, nan, inf}, 1, vec.ReasonNaN, "element 1 is NaN"},
		{"Inf before NaN", []float32{1, inf, nan}, 1, vec.ReasonInfinite, "element 1 is +Inf"},
		{"-Inf", with(repeat(768, 1), 0, -inf), 0, vec.ReasonInfinite, "element 0 is -Inf"},
		{"empty", nil, -1, vec.ReasonEmpty, "no elements"},
		{"zeros", make([]float32, 16), -1, vec.ReasonZero, "norm 0"},
		{"negative zeros", repeat(9, float32(math.Copysign(0, -1))), -1, vec.ReasonZero, "norm 0"},
		{"subnormal", repeat(8, math.SmallestNonzeroFloat32), -1, vec.ReasonTooShort, "norm 3.96e-45"},
		{"just too short", []float32{math.Nextafter32(0x1p-63, 0)}, -1, vec.ReasonTooShort, "1.08e-19"},
		{"just too long", []float32{0x1p63, math.Nextafter32(0x1p63, inf)}, -1, vec.ReasonTooLong, "1.3e+19"},
		{"greatest floats", repeat(4096, math.MaxFloat32), -1, vec.ReasonTooLong, "norm 2.18e+40"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := vec.Validate(c.v)
			if c.reason == 0 {
				if err != nil {
					t.Fatalf("Validate = %v, want nil", err)
				}
				return
			}
			invalid, ok := errors.AsType[*vec.InvalidError](err)
			if !ok {
				t.Fatalf("Validate = %v, want *InvalidError", err)
			}
			if invalid.Index != c.index || invalid.Reason != c.reason || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Validate = %+v, %q; want index %d, reason %v, text with %q",
					*invalid, err, c.index, c.reason, c.text)
			}
			if c.index >= 0 && !same(float32(invalid.Value), c.v[c.index]) {
				t.Errorf("Value = %v, want %v", invalid.Value, c.v[c.index])
			}
		})
	}
}

// TestDotOfValidVectorsIsFinite has the longest and the shortest vectors Validate accepts.
func TestDotOfValidVectorsIsFinite(t *testing.T) {
	const seed = 8
	r := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{1, 8, 64, 65, 768, 4096} {
		for _, squared := range []float64{vec.MinSquaredNorm, vec.MaxSquaredNorm} {
			v := fill(r, make([]float32, n), regimes[0].next)
			scale := math.Sqrt(squared / vec.SquaredNorm(v))
			if squared == vec.MinSquaredNorm {
				scale *= 1 + 0x1p-20 // stay inside after rounding the elements
			} else {
				scale *= 1 - 0x1p-20
			}
			for i := range v {
				v[i] = float32(float64(v[i]) * scale)
			}
			if err := vec.Validate(v); err != nil {
				t.Fatalf("seed %d: n %d: %v", seed, n, err)
			}
			opposite := make([]float32, n)
			for i := range v {
				opposite[i] = -v[i]
			}
			for _, impl := range vec.Impls() {
				up, down := impl.Dot(v, v), impl.Dot(v, opposite)
				cosine := float64(up) / (float64(vec.Norm(v)) * float64(vec.Norm(v)))
				if !finite(up, down) || down != -up || math.Abs(cosine-1) > 4096*0x1p-22 {
					t.Errorf("seed %d: %s: n %d, squared norm %g: Dot = %v and %v, cosine %v",
						seed, impl.Name, n, squared, up, down, cosine)
				}
			}
		}
	}
}

func TestNorm(t *testing.T) {
	for _, c := range []struct {
		v    []float32
		want float32
	}{
		{nil, 0},
		{[]float32{3, -4}, 5},
		{repeat(4096, 0.5), 32},
		{repeat(7, 0), 0},
		{repeat(4, 0x1p-149), 0x1p-148}, // the squares are far below float32
		{repeat(4, 0x1p125), 0x1p126},   // and far above
		{repeat(9, 1), 3},               // an odd end
		{[]float32{1, 2, 4, 10, 11}, 15.556349},
	} {
		if got := vec.Norm(c.v); got != c.want {
			t.Errorf("Norm(%v) = %v, want %v", c.v[:min(5, len(c.v))], got, c.want)
		}
	}
	if got := vec.Norm(repeat(4096, math.MaxFloat32)); !math.IsInf(float64(got), 1) {
		t.Errorf("Norm above float32 = %v, want +Inf", got)
	}
}

func TestReasonString(t *testing.T) {
	seen := map[string]bool{}
	for r := vec.ReasonNaN; r <= vec.ReasonTooLong+1; r++ {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("Reason %d has the text %q, empty or used before", uint8(r), r)
		}
		seen[r.String()] = true
	}
}
