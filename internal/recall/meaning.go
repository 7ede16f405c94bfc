package recall

import (
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/ann"
)

// background is what similarities of a question are like for memories that have nothing to do with it, and what the
// question's separation from it is worth. See the package comment.
type background struct {
	linear  float64
	center  float64 // of the similarities
	spread  float64 // their standard deviation, above 0
	floor   float64 // the surprise, in nats, of the nearest memory that still counts as background
	skip    float64 // no deviation below it is above the floor
	largest float32 // the largest similarity
	apart   float64 // the separation: how far the nearest stands out beyond chance, in nats
	weight  float64 // of meaning in this answer
	known   bool    // the nearest is nearer than chance brings any: meaning alone is evidence
}

// peak is the nearest memory, compared exactly.
type peak struct {
	similarity float32
	cosine     float64 // the largest cosine, whatever the metric
	scale      float64 // what that cosine was multiplied by to be a similarity
}

// peakOf is the peak of what a scan found, which is not empty.
func peakOf(result *ann.Result) peak {
	return peak{
		similarity: slices.Max(result.Similarities),
		cosine:     float64(result.Cosine), scale: float64(result.Scale),
	}
}

// surprise is minus the logarithm of the probability that a background memory is at least z standard deviations above
// the center; beyond linear it goes on in a straight line, as real similarities have heavier tails than the normal
// distribution.
func surprise(z, linear float64) float64 {
	if z <= linear {
		return -math.Log(.5 * math.Erfc(z/math.Sqrt2))
	}
	tail := .5 * math.Erfc(linear/math.Sqrt2)
	slope := math.Exp(-linear*linear/2) / math.Sqrt(2*math.Pi) / tail
	return -math.Log(tail) + slope*(z-linear)
}

// capSurprise is a lower bound of minus the logarithm of the probability that a random direction of dim dimensions,
// which need not be whole, has at least the given cosine c with a fixed one. With f(t) = (1-t^2)^((dim-3)/2) / B(1/2,
// (dim-1)/2) the density of the cosine, the probability is at most the integral of f(t) * t/c from c to 1, and at most
// one half of (1-c^2)^((dim-1)/2).
func capSurprise(cosine, dim float64) float64 {
	if cosine <= 0 {
		return math.Ln2
	}
	half := (dim - 1) / 2
	power := -half * math.Log(max(1-cosine*cosine, 1e-300))
	upper, _ := math.Lgamma(half)
	lower, _ := math.Lgamma(half + .5)
	beta := math.Log(math.Pi)/2 + upper - lower
	return power + max(math.Ln2, math.Log(2*half*cosine)+beta)
}

// upperShare of the similarities lie above the one that the spread is read from.
const upperShare = 1.0 / 16

// learn makes the background from the similarities of the population, of which there is at least one, and the exact
// nearest. The similarities may be rough: only order statistics of them are used.
func learn(w *Weights, values []float32, top peak, dim int, s *selection) background {
	n := float64(len(values))
	median := float64(s.descending(values, len(values)/2))
	rank := int(upperShare * n)
	upper := float64(s.descending(values, rank))

	// What is a normal distribution's value at that rank tells how wide the population's is.
	own := (upper - median) / (math.Sqrt2 * math.Erfinv(1-2*(float64(rank)+.5)/max(n, 2)))
	isotropic := top.scale / math.Sqrt(float64(dim))
	trust := cube(n) / (cube(n) + cube(w.Prior))
	b := background{linear: w.Linear, center: median * trust, largest: top.similarity}
	b.spread = math.Sqrt(own*own*trust + isotropic*isotropic*(1-trust))
	b.spread = max(b.spread, 1e-6*math.Abs(median), math.SmallestNonzeroFloat32)
	share := min(w.Share, w.MaxChance/n)
	b.floor = -math.Log(share)
	b.skip = min(math.Sqrt2*math.Erfinv(1-2*share), b.linear) - 1e-6

	fromPopulation := surprise(b.deviation(top.similarity), b.linear) - math.Log(n)
	fromChance := b.chance(top, dim, n) - math.Log(n)
	b.known = fromChance > -math.Log(w.Alpha)
	b.apart = min(fromPopulation, fromChance)
	if e := b.apart; e > 0 {
		b.weight = logistic(w.Steep*(e-w.Middle)) + w.Extra*logistic(w.Steep*(e-w.Strong))
	}
	return b
}

// chance is the surprise, in nats, of a cosine as large as the nearest's between a fixed direction and a random one.
// Vectors of real models share a direction, by which all are near, some more than others: only what is nearer than the
// middle counts, in as many dimensions as would spread random directions as far, or two standard errors of n memories
// further. Topics spread vectors, too, and are not chance: at most half of the dimensions are given up for that.
func (b *background) chance(top peak, dim int, n float64) float64 {
	shared := max(0, b.center/top.scale)
	if shared >= 1 {
		return 0
	}
	spread := b.spread / top.scale / (1 - shared) * (1 + 2/math.Sqrt(n))
	dims := float64(dim)
	dims = min(dims, max(dims/2, 1/float64(spread*spread)))
	return capSurprise(min(1, (top.cosine-shared)/(1-shared)), dims)
}

func cube(x float64) float64 { return x * x * x }

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// deviation is how many standard deviations a similarity lies above the center.
func (b *background) deviation(similarity float32) float64 {
	return (float64(similarity) - b.center) / b.spread
}

// least is a similarity below which none is above the floor.
func (b *background) least() float32 {
	least := b.center + b.skip*b.spread
	return float32(least - math.Abs(least)*0x1p-22) // for the roundings of deviation, and of this
}

// nats is a similarity's surprise above the floor; 0 or less is background.
func (b *background) nats(similarity float32) float64 {
	return surprise(b.deviation(similarity), b.linear) - b.floor
}

// selection finds order statistics in linear time, whatever the order of the values.
type selection struct {
	small  []float32
	counts []uint32
}

// descending returns the value with k larger or equal ones ahead of it. values holds no NaN and is not changed.
func (s *selection) descending(values []float32, k int) float32 {
	const direct = 2048 // chosen: below it sorting costs less than clearing the counts
	if len(values) <= direct {
		s.small = append(s.small[:0], values...)
		slices.Sort(s.small)
		return s.small[len(values)-1-k]
	}
	high, k := s.digit(values, k, func(key uint32) (uint32, bool) { return key >> 16, true })
	low, _ := s.digit(values, k, func(key uint32) (uint32, bool) { return key & 0xffff, key>>16 == high })
	key := high<<16 | low
	if key>>31 != 0 {
		return math.Float32frombits(key &^ (1 << 31))
	}
	return math.Float32frombits(^key)
}

// digit finds the 16-bit digit of the value with k larger ones ahead among those that of selects, and how many of the
// same digit are ahead.
func (s *selection) digit(values []float32, k int, of func(key uint32) (uint32, bool)) (digit uint32, ahead int) {
	if s.counts == nil {
		s.counts = make([]uint32, 1<<16)
	}
	clear(s.counts)
	for _, v := range values {
		key := math.Float32bits(v)
		if key>>31 != 0 {
			key = ^key
		} else {
			key |= 1 << 31
		}
		if d, ok := of(key); ok {
			s.counts[d]++
		}
	}
	for d := len(s.counts) - 1; d > 0; d-- {
		if k < int(s.counts[d]) {
			return uint32(d), k
		}
		k -= int(s.counts[d])
	}
	return 0, k
}
