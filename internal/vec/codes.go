package vec

import (
	"fmt"
	"math"
)

// Codes are vectors of small integers that stand for vectors of float32: a quarter of the bytes for those that are
// stored, half for the one that asks. Their inner product is an exact integer, so it is the same on every processor and
// in whatever order it is summed, and the residuals bound how far it is from the inner product of the vectors.
const (
	// CodeBlock is what every number of codes is a multiple of; zeros fill up behind the vector's elements.
	CodeBlock = 64
	// MaxCode is the largest absolute value of a stored vector's code, MaxQueryCode that of a question's: so large that
	// the sum of 4096 products still fits into 32 bits.
	MaxCode      = 127
	MaxQueryCode = 4095
)

// CodeLen is the number of codes of a vector with n elements: n rounded up to a multiple of CodeBlock.
func CodeLen(n int) int { return (n + CodeBlock - 1) &^ (CodeBlock - 1) }

// Quantize sets codes, which has CodeLen(len(v)) elements, to those of v, and gives what they are to be multiplied by
// and how far they are from v: ‖v - scale*codes‖ is at most residual*‖v‖. With m the largest absolute value in v,
//
//	scale    = m / 127                            rounded to float32, to nearest, ties to even, as every step
//	codes[i] = v[i] * (127 / m)                   rounded to an integer, to nearest, ties to even
//
// and residual is computed in float64 and rounded up. All three are functions of v alone, to the last bit, on every
// processor: files hold them. v is one that Validate accepts; of zeros all are zero.
func Quantize(v []float32, codes []int8) (scale, residual float32) {
	return quantize(v, codes, MaxCode)
}

// QuantizeQuery is Quantize for the vector that others are compared with: the same with 4095 in the place of 127.
func QuantizeQuery(v []float32, codes []int16) (scale, residual float32) {
	return quantize(v, codes, MaxQueryCode)
}

func quantize[code int8 | int16](v []float32, codes []code, most float32) (scale, residual float32) {
	if len(codes) != CodeLen(len(v)) {
		panic(fmt.Sprintf("vec: %d codes for %d elements, want %d", len(codes), len(v), CodeLen(len(v))))
	}
	clear(codes[len(v):])
	codes = codes[:len(v)]
	largest := largestOf(v)
	if largest == 0 {
		clear(codes)
		return 0, 0
	}
	scale = largest / most
	inverse := most / largest
	// Beyond 1.5*2^23 a float32 has no fraction, so that adding that much rounds to an integer, ties to even. Each
	// conversion keeps the compiler from joining two roundings into one, which some processors could.
	const noFraction = 3 << 22
	for i, x := range v {
		product := float32(x * inverse)
		codes[i] = code(float32(product+noFraction) - noFraction)
	}
	return scale, residualOf(v, codes, float64(scale))
}

// largestOf is the largest absolute value in v.
func largestOf(v []float32) float32 {
	const sign = 1 << 31
	var b0, b1 uint32 // the bits of numbers that are not negative are in their order
	for ; len(v) >= 2; v = v[2:] {
		x := (*[2]float32)(v)
		b0 = max(b0, math.Float32bits(x[0])&^sign)
		b1 = max(b1, math.Float32bits(x[1])&^sign)
	}
	for _, x := range v {
		b0 = max(b0, math.Float32bits(x)&^sign)
	}
	return math.Float32frombits(max(b0, b1))
}

// residualOf bounds ‖v - scale*codes‖ / ‖v‖ from above.
func residualOf[code int8 | int16](v []float32, codes []code, scale float64) float32 {
	square := func(x float32, c code) float64 {
		rest := float64(x) - scale*float64(c) // the product is exact
		return float64(rest * rest)           // rounded by itself, on every processor
	}
	squared := SquaredNorm(v)
	var s0, s1, s2, s3 float64
	for ; len(v) >= 4; v, codes = v[4:], codes[4:] {
		x, c := (*[4]float32)(v), (*[4]code)(codes)
		s0 += square(x[0], c[0])
		s1 += square(x[1], c[1])
		s2 += square(x[2], c[2])
		s3 += square(x[3], c[3])
	}
	for i, x := range v {
		s0 += square(x, codes[i])
	}
	sum := (s0 + s2) + (s1 + s3)
	if sum == 0 {
		return 0
	}
	const rounding = 1 + 0x1p-20 // of up to 4096 sums in float64: far more than enough
	bound := float32(math.Sqrt(sum) / math.Sqrt(squared) * rounding)
	return math.Nextafter32(bound, float32(math.Inf(1)))
}

// DotCodes returns the inner product of a question's codes and a stored vector's: an exact integer, the same on every
// processor. Both have the same length, a multiple of CodeBlock of up to 4096, and values as Quantize and QuantizeQuery
// make them; it panics if the lengths do not fit.
func DotCodes(query []int16, codes []int8) int32 {
	var out [1]int32
	activeCodes.scan(query, codes, out[:])
	return out[0]
}

// DotCodeRows sets out[i] to DotCodes of query and row i of a row-major set without gaps, for every i < len(out). It is
// made for scans, as DotRows is, and panics if the rows do not lie within the slice.
func DotCodeRows(query []int16, rows []int8, out []int32) { activeCodes.scan(query, rows, out) }

// scan is DotCodeRows with the kernel k.
func (k codeKernel) scan(query []int16, rows []int8, out []int32) {
	if len(query)%CodeBlock != 0 || len(query) > 4096 || len(rows) < len(query)*len(out) {
		panic(fmt.Sprintf("vec: DotCodeRows of %d codes over %d rows does not fit %d codes of rows",
			len(query), len(out), len(rows)))
	}
	if len(query) == 0 {
		clear(out)
		return
	}
	batch := callElements * floatBytes / len(query)
	for len(out) > batch {
		k.dotRows(query, rows, out[:batch])
		rows, out = rows[batch*len(query):], out[batch:]
	}
	if len(out) > 0 {
		k.dotRows(query, rows, out)
	}
}

// codeKernel is one implementation of the inner loop over codes; all give the same integers.
type codeKernel uint8

const (
	codesGo   codeKernel = iota // plain Go, everywhere
	codesAVX2                   // amd64 with AVX2
	codesVNNI                   // amd64 with AVX-512 BW and VNNI
	codesNEON                   // arm64
)

func (k codeKernel) String() string {
	switch k {
	case codesVNNI:
		return "avx512vnni"
	case codesAVX2:
		return "avx2"
	case codesNEON:
		return "neon"
	default:
		return "go"
	}
}

// activeCodes is the fastest of this processor, set once.
var activeCodes = supportedCodes()[0]

// dotCodeRowsGo is the twin of the assembly.
func dotCodeRowsGo(query []int16, rows []int8, out []int32) {
	for i := range out {
		row := rows[i*len(query) : (i+1)*len(query)]
		var s0, s1, s2, s3 int32
		for q := query; len(q) >= 8 && len(row) >= 8; q, row = q[8:], row[8:] {
			a, b := (*[8]int16)(q), (*[8]int8)(row)
			s0 += int32(a[0])*int32(b[0]) + int32(a[4])*int32(b[4])
			s1 += int32(a[1])*int32(b[1]) + int32(a[5])*int32(b[5])
			s2 += int32(a[2])*int32(b[2]) + int32(a[6])*int32(b[6])
			s3 += int32(a[3])*int32(b[3]) + int32(a[7])*int32(b[7])
		}
		out[i] = s0 + s1 + s2 + s3
	}
}
