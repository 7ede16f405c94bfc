package vec

import "math"

// lanes is the number of running sums of one dot product. It is part of the result's
// definition: every kernel, in assembly or in Go, sums in this shape.
const lanes = 64

// dotGo is the dot product in plain Go: what the package comment promises, written
// down, what the assembly is compared with, and what other processors run.
// len(a) == len(b).
func dotGo(a, b []float32) float32 {
	var acc [lanes]float32
	for len(a) >= lanes {
		fmaLanes(acc[:], a[:lanes], b[:lanes])
		a, b = a[lanes:], b[lanes:]
	}
	if len(a) > 0 {
		fmaLanes(acc[:len(a)], a, b)
		for i := len(a); i < lanes; i++ {
			acc[i] += 0 // the zeros that fill up the block: -0 becomes +0
		}
	}
	for half := lanes / 2; half > 0; half /= 2 {
		for i := range half {
			acc[i] += acc[i+half]
		}
	}
	return acc[0]
}

// fmaLanes sets acc[i] to x[i]*y[i] + acc[i] rounded once to float32, which the
// processors' fused multiply-add returns too, for every i < len(acc). The slices have
// equal lengths.
//
// The product of two float32 is exact in float64, so the float64 sum is rounded once, to
// 53 bits, and its conversion to float32 a second time. The second rounding differs from
// a single one only if the first moved the sum on to a tie between two float32. A tie
// in the range of normal numbers has exactly the bit below the last kept one set.
func fmaLanes(acc, x, y []float32) {
	const (
		dropped = 1<<29 - 1 // the fraction bits of a float64 that a normal float32 has not
		tie     = 1 << 28
		normal  = 0x1p-126 // the smallest normal float32
	)
	x, y = x[:len(acc)], y[:len(acc)]
	for i, z := range acc {
		p := float64(x[i]) * float64(y[i])
		s := p + float64(z)
		if math.Float64bits(s)&dropped == tie || (math.Abs(s) < normal && s != 0) {
			acc[i] = roundTie(p, float64(z), s)
			continue
		}
		acc[i] = float32(s)
	}
}

// roundTie rounds p+z, whose rounded sum is s, once to float32. It replaces s by p+z
// rounded to odd (towards zero, then the last bit set if anything was cut off): a later
// rounding to at least two bits fewer is then the rounding of the exact sum. The error
// of s is exact by Knuth, The Art of Computer Programming 2, 4.2.2, theorem B. Kept out of
// line because it is needed once in millions of sums.
//
//go:noinline
func roundTie(p, z, s float64) float32 {
	zz := s - p
	rest := (p - (s - zz)) + (z - zz)
	b := math.Float64bits(s)
	if rest == 0 || b&1 == 1 || math.IsNaN(rest) {
		return float32(s)
	}
	if (rest > 0) == (s > 0) {
		return float32(math.Float64frombits(b + 1))
	}
	return float32(math.Float64frombits(b - 1))
}

// dotRowsGo is DotRows with dotGo.
func dotRowsGo(query, rows []float32, stride int, out []float32) {
	for i := range out {
		out[i] = dotGo(query, rows[i*stride:i*stride+len(query)])
	}
}

// streamGo adds v; len(v) is a multiple of 8.
func streamGo(v []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for ; len(v) >= 8; v = v[8:] {
		x := (*[8]float32)(v)
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		s4 += x[4]
		s5 += x[5]
		s6 += x[6]
		s7 += x[7]
	}
	return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}
