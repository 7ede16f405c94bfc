package vec_test

import (
	"fmt"
	"hash/crc32"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/orchard9/engram-go/internal/vec"
)

// regimes are kinds of elements; each gives the next element from r.
var regimes = []struct {
	name string
	next func(r *rand.Rand) float32
}{
	{"embedding", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) / 28 }},
	{"integers", func(r *rand.Rand) float32 { return float32(r.IntN(2001) - 1000) }},
	{"subnormal", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32() &^ 0x7f800000) }},
	{"underflowing", func(r *rand.Rand) float32 {
		return float32(math.Ldexp(r.Float64()-0.5, -60-r.IntN(30)))
	}},
	{"huge and small", func(r *rand.Rand) float32 {
		return float32(math.Ldexp(r.Float64()-0.5, r.IntN(120)-60))
	}},
	{"overflowing", func(r *rand.Rand) float32 {
		return float32(math.Ldexp(r.Float64()-0.5, 60+r.IntN(68)))
	}},
	{"any bits", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32()) }},
	{"signed zeros", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32() & (1 << 31)) }},
}

func fill(r *rand.Rand, v []float32, next func(*rand.Rand) float32) []float32 {
	for i := range v {
		v[i] = next(r)
	}
	return v
}

// same reports whether two results are the same value: equal bits, or both NaN.
func same(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || (a != a && b != b)
}

// lengths are all from 0 to 200, which is every way to end a block and both sides of
// three blocks, and the dimensions in use up to 4096 with their neighbours.
func lengths() []int {
	var list []int
	for n := range 201 {
		list = append(list, n)
	}
	return append(list, 255, 256, 257, 300, 383, 384, 385, 511, 512, 513, 767, 768, 769, 1000,
		1023, 1024, 1025, 1535, 1536, 1537, 2048, 3071, 3072, 3073, 4095, 4096)
}

// exactFMA is x*y+z rounded once, from arbitrary precision. Its zeros have no sign.
func exactFMA(x, y, z float32) float32 {
	exact := func(x float32) *big.Float { return new(big.Float).SetPrec(700).SetFloat64(float64(x)) }
	p := exact(x)
	p.Mul(p, exact(y)).Add(p, exact(z))
	f, _ := p.Float32()
	return f
}

func finite(v ...float32) bool {
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}

// fmaBy returns x*y+z as impl computes it in lane 0: z*1 from the first block, x*y from
// the second.
func fmaBy(impl vec.Impl, x, y, z float32) float32 {
	var a, b [65]float32
	a[0], b[0] = z, 1
	a[64], b[64] = x, y
	return impl.Dot(a[:], b[:])
}

func TestSumsAreRoundedOnce(t *testing.T) {
	const seed = 1
	r := rand.New(rand.NewPCG(seed, 0))
	check := func(x, y, z float32) {
		t.Helper()
		want := exactFMA(x, y, z)
		for _, impl := range vec.Impls() {
			if got := fmaBy(impl, x, y, z); got != want {
				t.Fatalf("seed %d: %s: %x * %x + %x = %x, want %x", seed, impl.Name, x, y, z, got, want)
			}
		}
	}
	for range 30_000 {
		x, y, z := math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		if finite(x, y, z) {
			check(x, y, z)
		}
	}
	// Sums next to a tie: z has few bits and the product decides far below them.
	for range 30_000 {
		z := float32(1<<23 + r.IntN(1<<23))
		x := float32(math.Ldexp(1+float64(r.IntN(4))/4, -1))
		y := float32(1 + math.Ldexp(float64(r.IntN(5)-2), -23))
		scale := float32(math.Ldexp(1, r.IntN(270)-150)) // far enough down to be subnormal
		if z *= scale; finite(z) && scale != 0 {
			check(x*scale, y, z)
			check(-x*scale, y, z)
		}
	}
}

// TestSumsAreNotRoundedTwice has sums so close to a tie between two float32 that float64
// moves them on to it. Rounding that to even then goes the wrong way.
func TestSumsAreNotRoundedTwice(t *testing.T) {
	const a = 0x1p-12
	for _, c := range []struct {
		name        string
		x, y, z     float32
		once, twice float32
	}{
		{"below", 1 + 0x1p-16, 1 - 0x1p-16, 0x1p24 + 2, 0x1p24 + 2, 0x1p24 + 4}, // the tie - 2^-32
		{"above", 1 + a, 1 - a + a*a, 0x1p24, 0x1p24 + 2, 0x1p24},               // the tie + 2^-36
		{
			"below, subnormal", 0x1p-75 * (1 + 0x1p-16), 0x1p-75 * (1 - 0x1p-16), 0x1p-127 + 0x1p-149,
			0x1p-127 + 0x1p-149, 0x1p-127 + 0x1p-148,
		},
		{"above, subnormal", 0x1p-75 * (1 + a), 0x1p-75 * (1 - a + a*a), 0x1p-127, 0x1p-127 + 0x1p-149, 0x1p-127},
	} {
		if got := float32(float64(c.x)*float64(c.y) + float64(c.z)); got != c.twice {
			t.Fatalf("%s: two roundings = %x, want %x: the example shows nothing", c.name, got, c.twice)
		}
		for _, impl := range vec.Impls() {
			if got := fmaBy(impl, c.x, c.y, c.z); got != c.once {
				t.Errorf("%s: %s: sum = %x, want %x", impl.Name, c.name, got, c.once)
			}
			if got := fmaBy(impl, -c.x, c.y, -c.z); got != -c.once {
				t.Errorf("%s: %s, negative: sum = %x, want %x", impl.Name, c.name, got, -c.once)
			}
		}
	}
}

// TestSignOfZero has products that underflow to -0 in every lane. The zeros behind the end
// of a vector, where there are any, make +0 of the lanes they meet.
func TestSignOfZero(t *testing.T) {
	for n := 1; n <= 200; n++ {
		a, b := repeat(n, -0x1p-100), repeat(n, 0x1p-100)
		want := float32(0)
		if n%64 == 0 {
			want = float32(math.Copysign(0, -1))
		}
		for _, impl := range vec.Impls() {
			if got := impl.Dot(a, b); !same(got, want) {
				t.Errorf("%s: Dot of %d products below float32 = %v, want %v", impl.Name, n, got, want)
			}
		}
	}
}

// definedDot is the value that the package comment defines, written from it.
func definedDot(a, b []float32) float32 {
	var lane [64]float32
	for start := 0; start < len(a); start += 64 {
		for i := range lane {
			var x, y float32
			if start+i < len(a) {
				x, y = a[start+i], b[start+i]
			}
			lane[i] = exactFMA(x, y, lane[i])
		}
	}
	for h := 32; h >= 1; h /= 2 {
		for i := range h {
			lane[i] += lane[i+h]
		}
	}
	return lane[0]
}

func TestDotIsTheDefinedValue(t *testing.T) {
	const seed = 2
	for _, regime := range regimes[:5] {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, n := range []int{0, 1, 3, 8, 15, 16, 17, 63, 64, 65, 100, 128, 191, 200, 768} {
			a, b := fill(r, make([]float32, n), regime.next), fill(r, make([]float32, n), regime.next)
			want := definedDot(a, b)
			for _, impl := range vec.Impls() {
				if got := impl.Dot(a, b); got != want {
					t.Fatalf("seed %d: %s: Dot of %d %s = %x, want %x", seed, impl.Name, n, regime.name, got, want)
				}
			}
		}
	}
}

func TestImplementationsGiveTheSameBits(t *testing.T) {
	const seed = 3
	impls := vec.Impls()
	twin := impls[len(impls)-1]
	for _, regime := range regimes {
		r := rand.New(rand.NewPCG(seed, 0))
		x, y := fill(r, vec.Alloc(4096+16), regime.next), fill(r, vec.Alloc(4096+16), regime.next)
		for i, n := range lengths() {
			at, bt := i%16, (i*7)%16 // every alignment of both operands
			a, b := x[at:at+n], y[bt:bt+n]
			want := twin.Dot(a, b)
			for _, impl := range impls {
				if got := impl.Dot(a, b); !same(got, want) {
					t.Fatalf("seed %d: %s: Dot of %d %s at %d, %d = %x, twin has %x",
						seed, impl.Name, n, regime.name, at, bt, got, want)
				}
				if got := impl.Dot(b, a); !same(got, want) {
					t.Fatalf("seed %d: %s: Dot(b, a) of %d %s = %x, want %x",
						seed, impl.Name, n, regime.name, got, want)
				}
			}
		}
	}
}

// TestBitsAreTheSameEverywhere holds every processor and build to results computed once.
func TestBitsAreTheSameEverywhere(t *testing.T) {
	const want = 0xd697ee03
	for _, impl := range vec.Impls() {
		sum := crc32.NewIEEE()
		r := rand.New(rand.NewPCG(4, 0))
		for _, n := range lengths() {
			a, b := make([]float32, n), make([]float32, n)
			for i := range a { // integers and powers of two only: no library function decides the inputs
				a[i] = float32(r.IntN(1<<24)) * 0x1p-20
				b[i] = float32(r.IntN(1<<24)-1<<23) * 0x1p-30
			}
			sum.Write(vec.Encode([]float32{impl.Dot(a, b), vec.Norm(a), vec.Norm(b)}))
		}
		if got := sum.Sum32(); got != want {
			t.Errorf("%s: checksum of all results = %#x, want %#x", impl.Name, got, uint32(want))
		}
	}
}

func TestDotErrorBound(t *testing.T) {
	const seed = 5
	const u = 0x1p-24
	for _, regime := range regimes[:4] {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, n := range lengths() {
			a, b := fill(r, make([]float32, n), regime.next), fill(r, make([]float32, n), regime.next)
			exact, size := new(big.Float).SetPrec(2000), 0.0
			for i := range a {
				p := float64(a[i]) * float64(b[i]) // exact
				exact.Add(exact, big.NewFloat(p))
				size += math.Abs(p)
			}
			k := float64((n+63)/64 + 6)
			bound := k*u/(1-k*u)*size*(1+0x1p-40) + float64(n)*0x1p-149
			off, _ := exact.Sub(big.NewFloat(float64(vec.Dot(a, b))), exact).Float64()
			if math.Abs(off) > bound {
				t.Fatalf("seed %d: Dot of %d %s is off by %g, bound %g", seed, n, regime.name, off, bound)
			}
		}
	}
}

func TestDotTakesTheShorterLength(t *testing.T) {
	a, b := []float32{1, 2, 3}, []float32{10, 20, 30, 40}
	for _, impl := range vec.Impls() {
		for _, got := range []float32{impl.Dot(a, b), impl.Dot(b, a)} {
			if got != 140 {
				t.Errorf("%s: Dot = %v, want 140", impl.Name, got)
			}
		}
		if got := impl.Dot(nil, b); got != 0 {
			t.Errorf("%s: Dot(nil, b) = %v, want 0", impl.Name, got)
		}
	}
}

// TestDotRowsEqualsDot has NaN between the rows, which must not be looked at, and a mark
// behind out, which must stay.
func TestDotRowsEqualsDot(t *testing.T) {
	const seed = 6
	const mark = float32(12345)
	for _, impl := range vec.Impls() {
		r := rand.New(rand.NewPCG(seed, 0))
		for i, n := range lengths() {
			count, stride := i%8, n+(i/8)%4*5+(i+1)%2 // halves, odd rows; gaps and none
			query := fill(r, make([]float32, n), regimes[0].next)
			rows := make([]float32, max(0, (count-1)*stride+n))
			for j := range rows {
				rows[j] = float32(math.NaN())
			}
			for row := range count {
				fill(r, rows[row*stride:row*stride+n], regimes[0].next)
			}
			out := make([]float32, count+1)
			out[count] = mark
			impl.DotRows(query, rows, stride, out[:count])
			for row := range count {
				want := vec.Dot(query, rows[row*stride:row*stride+n])
				if !same(out[row], want) || out[row] != out[row] {
					t.Fatalf("seed %d: %s: n %d, stride %d: row %d of %d = %x, Dot = %x",
						seed, impl.Name, n, stride, row, count, out[row], want)
				}
			}
			if out[count] != mark {
				t.Fatalf("%s: DotRows wrote behind out", impl.Name)
			}
		}
	}
}

// TestDotRowsInBatches has more elements than one call into assembly takes.
func TestDotRowsInBatches(t *testing.T) {
	const seed, n, stride, count = 7, 4096, 4096 + 16, 201
	r := rand.New(rand.NewPCG(seed, 0))
	query := fill(r, make([]float32, n), regimes[0].next)
	rows := fill(r, make([]float32, stride*count), regimes[0].next)
	for _, impl := range vec.Impls() {
		out := make([]float32, count)
		impl.DotRows(query, rows, stride, out)
		part := make([]float32, count)
		for at := 0; at < count; at += 7 { // another division of the same rows
			end := min(at+7, count)
			impl.DotRows(query, rows[at*stride:end*stride], stride, part[at:end])
		}
		for row := range count {
			want := vec.Dot(query, rows[row*stride:row*stride+n])
			if !same(out[row], want) || !same(part[row], want) {
				t.Fatalf("seed %d: %s: row %d = %x at once, %x in parts, Dot = %x",
					seed, impl.Name, row, out[row], part[row], want)
			}
		}
	}
}

func TestDotRowsWithoutElements(t *testing.T) {
	for _, impl := range vec.Impls() {
		out := []float32{1, 2, 3}
		impl.DotRows(nil, nil, 0, out)
		if out[0] != 0 || out[1] != 0 || out[2] != 0 {
			t.Errorf("%s: DotRows of empty rows = %v, want zeros", impl.Name, out)
		}
		impl.DotRows([]float32{1}, nil, 1, nil) // no rows: nothing to do
	}
}

func TestDotRowsRefusesRowsOutsideTheSlice(t *testing.T) {
	query := make([]float32, 8)
	for _, c := range []struct{ rows, stride, count int }{
		{7, 8, 1}, {15, 8, 2}, {16, 7, 2}, {16, 8, 3}, {16, -8, 1}, {16, math.MaxInt, 2}, {16, math.MaxInt/2 + 1, 3},
	} {
		for _, impl := range vec.Impls() {
			t.Run(fmt.Sprintf("%s/%v", impl.Name, c), func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("DotRows returned, want a panic")
					}
				}()
				impl.DotRows(query, make([]float32, c.rows), c.stride, make([]float32, c.count))
			})
		}
	}
}

func TestStreamSumReadsEveryElement(t *testing.T) {
	for _, impl := range vec.Impls() {
		for _, n := range []int{0, 1, 127, 128, 129, 255, 256, 1000, 1 << 18, 1<<18 + 1, 3<<18 + 300} {
			v := make([]float32, n)
			for i := 0; i < n; i += 1 + n/300 {
				v[i] = 1 // a missed or repeated element changes the sum, exact in float32
			}
			want := float32(0)
			for _, x := range v {
				want += x
			}
			if got := impl.StreamSum(v); got != want {
				t.Errorf("%s: StreamSum of %d = %v, want %v", impl.Name, n, got, want)
			}
		}
	}
}

func TestImplementationIsTheFastestSupported(t *testing.T) {
	if got, want := vec.Implementation(), vec.Impls()[0].Name; got != want {
		t.Errorf("Implementation() = %q, want %q", got, want)
	}
	t.Logf("implementation: %s", vec.Implementation())
}

func TestNothingIsAllocated(t *testing.T) {
	query, rows, out := make([]float32, 100), make([]float32, 1000), make([]float32, 10)
	allocs := testing.AllocsPerRun(100, func() {
		vec.Dot(query, rows)
		vec.DotRows(query, rows, 100, out)
		_ = vec.Bytes(query)
		_ = vec.Norm(query)
		_ = vec.StreamSum(rows)
	})
	if allocs != 0 {
		t.Errorf("allocations = %v, want 0", allocs)
	}
}

func FuzzDot(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0, 0, 128, 63}, []byte{0, 0, 0, 64})
	f.Add(make([]byte, 4*65), []byte("0123456789abcdef"))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, b := vec.Decode(x), vec.Decode(y)
		impls := vec.Impls()
		want := impls[len(impls)-1].Dot(a, b)
		for _, impl := range impls {
			if got := impl.Dot(a, b); !same(got, want) {
				t.Fatalf("%s: Dot = %x, twin has %x", impl.Name, got, want)
			}
		}
	})
}
