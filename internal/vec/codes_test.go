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

// codeLengths are all lengths of codes that a kernel may be given at the small end, and those of usual dimensions.
func codeLengths() []int {
	return []int{0, 64, 128, 192, 256, 320, 384, 512, 768, 1024, 1536, 3072, 4032, 4096}
}

func randomCodes(r *rand.Rand, n int) []int8 {
	codes := make([]int8, n)
	for i := range codes {
		codes[i] = int8(r.IntN(2*vec.MaxCode+1) - vec.MaxCode)
	}
	return codes
}

func randomQuery(r *rand.Rand, n int) []int16 {
	codes := make([]int16, n)
	for i := range codes {
		codes[i] = int16(r.IntN(2*vec.MaxQueryCode+1) - vec.MaxQueryCode)
	}
	return codes
}

// product is the inner product in 64 bits.
func product(query []int16, codes []int8) (sum int64) {
	for i := range query {
		sum += int64(query[i]) * int64(codes[i])
	}
	return sum
}

func TestCodeKernelsAreExact(t *testing.T) {
	const seed, mark = 11, int32(12345)
	for _, impl := range vec.CodesImpls() {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, n := range codeLengths() {
			for count := range 10 {
				query, rows := randomQuery(r, n), randomCodes(r, n*count)
				out := make([]int32, count+1)
				out[count] = mark
				impl.Rows(query, rows, out[:count])
				for i := range count {
					if want := product(query, rows[i*n:(i+1)*n]); int64(out[i]) != want {
						t.Fatalf("seed %d: %s: %d codes, row %d of %d = %d, want %d",
							seed, impl.Name, n, i, count, out[i], want)
					}
				}
				if out[count] != mark {
					t.Fatalf("%s: wrote behind out", impl.Name)
				}
			}
		}
	}
}

// TestCodeSumsDoNotOverflow has the largest products there are, of one sign.
func TestCodeSumsDoNotOverflow(t *testing.T) {
	const n = 4096
	for _, sign := range []int{1, -1} {
		query, row := make([]int16, n), make([]int8, n)
		for i := range n {
			query[i], row[i] = vec.MaxQueryCode, int8(sign*vec.MaxCode)
		}
		for _, impl := range vec.CodesImpls() {
			var out [5]int32
			impl.Rows(query, append(append(append(append(row, row...), row...), row...), row...)[:5*n], out[:])
			for i, got := range out {
				if want := sign * n * vec.MaxCode * vec.MaxQueryCode; int(got) != want {
					t.Errorf("%s: row %d = %d, want %d", impl.Name, i, got, want)
				}
			}
		}
	}
}

// TestCodeRowsInBatches has more bytes than one call into assembly takes.
func TestCodeRowsInBatches(t *testing.T) {
	const seed, n, count = 12, 768, 1500
	r := rand.New(rand.NewPCG(seed, 0))
	query, rows := randomQuery(r, n), randomCodes(r, n*count)
	for _, impl := range vec.CodesImpls() {
		out := make([]int32, count)
		impl.Rows(query, rows, out)
		for i := range out {
			if want := product(query, rows[i*n:(i+1)*n]); int64(out[i]) != want {
				t.Fatalf("seed %d: %s: row %d = %d, want %d", seed, impl.Name, i, out[i], want)
			}
		}
	}
}

func TestCodeRowsThatDoNotFitPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"too few rows":     func() { vec.DotCodeRows(make([]int16, 64), make([]int8, 127), make([]int32, 2)) },
		"no block":         func() { vec.DotCodeRows(make([]int16, 63), make([]int8, 63), make([]int32, 1)) },
		"too long":         func() { vec.DotCodeRows(make([]int16, 4160), make([]int8, 4160), make([]int32, 1)) },
		"a shorter vector": func() { vec.DotCodes(make([]int16, 128), make([]int8, 64)) },
		"codes":            func() { vec.Quantize(make([]float32, 65), make([]int8, 64)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

// TestResidualsBoundTheDistance compares the bound with the distance in arbitrary precision.
func TestResidualsBoundTheDistance(t *testing.T) {
	const seed = 13
	for _, regime := range regimes[:6] {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, n := range []int{1, 8, 63, 64, 65, 100, 384, 768, 4096} {
			v := fill(r, make([]float32, n), regime.next)
			if vec.Validate(v) != nil {
				continue
			}
			codes, query := make([]int8, vec.CodeLen(n)), make([]int16, vec.CodeLen(n))
			scale, residual := vec.Quantize(v, codes)
			checkResidual(t, fmt.Sprintf("seed %d, %d %s", seed, n, regime.name), v, scale, residual, vec.MaxCode,
				func(i int) int { return int(codes[i]) })
			scale, residual = vec.QuantizeQuery(v, query)
			checkResidual(t, fmt.Sprintf("seed %d, question of %d %s", seed, n, regime.name), v, scale, residual,
				vec.MaxQueryCode, func(i int) int { return int(query[i]) })
		}
	}
}

func checkResidual(t *testing.T, what string, v []float32, scale, residual float32, most int, code func(i int) int) {
	t.Helper()
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(x) }
	distance, norm, largest := exact(0), exact(0), 0
	for i, x := range v {
		c := code(i)
		largest = max(largest, c, -c)
		d := exact(float64(x))
		d.Sub(d, exact(0).Mul(exact(float64(scale)), exact(float64(c))))
		distance.Add(distance, d.Mul(d, d))
		norm.Add(norm, exact(0).Mul(exact(float64(x)), exact(float64(x))))
	}
	for i := len(v); i < vec.CodeLen(len(v)); i++ {
		if code(i) != 0 {
			t.Fatalf("%s: code %d behind the vector is %d", what, i, code(i))
		}
	}
	if largest != most {
		t.Errorf("%s: the largest code is %d, want %d", what, largest, most)
	}
	got, _ := distance.Quo(distance, norm).Sqrt(distance).Float64()
	if float64(residual) < got {
		t.Errorf("%s: residual = %g, the distance is %g", what, residual, got)
	}
	if float64(residual) > got*1.001+1e-40 {
		t.Errorf("%s: residual = %g is far above the distance %g", what, residual, got)
	}
}

// TestRoundingOfCodes has halves, which go to the even neighbour, and what lies next to them.
func TestRoundingOfCodes(t *testing.T) {
	v := []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 1.4999999, 126.5, -127, 0}
	want := []int8{127, 0, 2, 2, 0, -2, -2, 0, 1, 126, -127, 0}
	codes := make([]int8, vec.CodeLen(len(v)))
	if scale, _ := vec.Quantize(v, codes); scale != 1 {
		t.Errorf("scale = %v, want 1", scale)
	}
	for i := range v {
		if codes[i] != want[i] {
			t.Errorf("code of %v = %d, want %d", v[i], codes[i], want[i])
		}
	}
	if scale, residual := vec.Quantize(make([]float32, 64), codes); scale != 0 || residual != 0 || codes[0] != 0 {
		t.Errorf("of zeros scale = %v, residual = %v, code %d", scale, residual, codes[0])
	}
}

// TestCodesAreTheSameEverywhere holds every processor and build to results computed once: files hold codes.
func TestCodesAreTheSameEverywhere(t *testing.T) {
	const want = 0x2fa89cc8
	sum := crc32.NewIEEE()
	r := rand.New(rand.NewPCG(14, 0))
	for _, n := range lengths() {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.IntN(1<<24)-1<<23) * float32(math.Ldexp(1, r.IntN(20)-30))
		}
		if n == 0 {
			continue
		}
		codes, query := make([]int8, vec.CodeLen(n)), make([]int16, vec.CodeLen(n))
		scale, residual := vec.Quantize(v, codes)
		queryScale, queryResidual := vec.QuantizeQuery(v, query)
		product := float32(vec.DotCodes(query, codes))
		sum.Write(vec.Encode([]float32{scale, residual, queryScale, queryResidual, product}))
		for i := range codes {
			sum.Write([]byte{byte(codes[i]), byte(query[i]), byte(query[i] >> 8)})
		}
	}
	if got := sum.Sum32(); got != want {
		t.Errorf("checksum of all results = %#x, want %#x", got, uint32(want))
	}
}

// BenchmarkCodeRows compares the kernels: 64 rows, as scans have them, from the cache and from memory. A row of 768
// codes is 768 bytes: at 15 GB/s from memory some 51 ns.
func BenchmarkCodeRows(b *testing.B) {
	const n = 768
	r := rand.New(rand.NewPCG(1, 1))
	query := randomQuery(r, n)
	for _, count := range []int{64, 64 * 4096} {
		rows := randomCodes(r, n*count)
		out := make([]int32, 64)
		for _, impl := range vec.CodesImpls() {
			b.Run(fmt.Sprintf("%s/rows=%d", impl.Name, count), func(b *testing.B) {
				b.SetBytes(int64(n * count))
				for b.Loop() {
					for from := 0; from < count; from += 64 {
						impl.Rows(query, rows[from*n:(from+64)*n], out)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(count), "ns/row")
			})
		}
	}
}

func BenchmarkQuantize(b *testing.B) {
	v := fill(rand.New(rand.NewPCG(1, 1)), make([]float32, 768), regimes[0].next)
	codes := make([]int8, 768)
	for b.Loop() {
		vec.Quantize(v, codes)
	}
}
