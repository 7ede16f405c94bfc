package vec

import (
	"fmt"
	"math"
)

const (
	// MinSquaredNorm is the least squared norm that Validate accepts, 2^-126: the smallest
	// normal float32, so that Dot(v, v) keeps all of its bits. The norm is 1.1e-19.
	MinSquaredNorm = 0x1p-126
	// MaxSquaredNorm is the greatest squared norm that Validate accepts, 2^127: by
	// Cauchy-Schwarz no partial sum of Dot between two accepted vectors exceeds it,
	// which leaves a factor of two for rounding. The norm is 1.3e19.
	MaxSquaredNorm = 0x1p127
)

// SquaredNorm returns the sum of the squares of v, 0 without elements, summed in float64
// (a square of a float32 is exact there), with a relative error below len(v)*2^-53. It has
// the same bits on every processor and cannot overflow or underflow for finite v.
func SquaredNorm(v []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(v) >= 4; v = v[4:] {
		x := (*[4]float32)(v)
		s0 += float64(x[0]) * float64(x[0])
		s1 += float64(x[1]) * float64(x[1])
		s2 += float64(x[2]) * float64(x[2])
		s3 += float64(x[3]) * float64(x[3])
	}
	for _, x := range v {
		s0 += float64(x) * float64(x)
	}
	return (s0 + s2) + (s1 + s3)
}

// Norm returns the Euclidean length of v, rounded to float32: the square root of
// SquaredNorm. It is a normal, finite, positive number for every vector that Validate
// accepts. The cosine of two vectors is Dot(a, b) / (Norm(a) * Norm(b)).
func Norm(v []float32) float32 { return float32(math.Sqrt(SquaredNorm(v))) }

// Reason says why a vector was refused.
type Reason uint8

// The reasons of an InvalidError.
const (
	ReasonNaN      Reason = iota + 1 // an element is not a number
	ReasonInfinite                   // an element is +Inf or -Inf
	ReasonEmpty                      // the vector has no elements
	ReasonZero                       // all elements are 0, so there is no direction
	ReasonTooShort                   // the squared norm is below MinSquaredNorm
	ReasonTooLong                    // the squared norm is above MaxSquaredNorm
)

// String returns the reason in a few words.
func (r Reason) String() string {
	switch r {
	case ReasonNaN:
		return "element is not a number"
	case ReasonInfinite:
		return "element is infinite"
	case ReasonEmpty:
		return "vector is empty"
	case ReasonZero:
		return "all elements are zero"
	case ReasonTooShort:
		return "norm is too small"
	case ReasonTooLong:
		return "norm is too large"
	default:
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
}

// InvalidError is returned by Validate, as a pointer.
type InvalidError struct {
	// Index is the position of the first element refused, counted from 0; -1 if the
	// vector as a whole is refused.
	Index int
	// Value is the element at Index, or the norm of the vector if Index is -1.
	Value float64
	// Reason says what is wrong with Value.
	Reason Reason
}

// Error names the element or the norm, its value and what is allowed.
func (e *InvalidError) Error() string {
	switch e.Reason {
	case ReasonNaN, ReasonInfinite:
		return fmt.Sprintf("vector element %d is %v: every element must be finite; compute the embedding again",
			e.Index, e.Value)
	case ReasonEmpty:
		return "vector has no elements: leave the vector out or give one element per dimension"
	case ReasonZero:
		return "vector has norm 0: a vector needs a direction, so at least one element must differ from 0; " +
			"leave the vector out if there is no embedding"
	default:
		return fmt.Sprintf("vector has norm %.3g: it must lie between %.3g and %.3g; scale the vector, for instance "+
			"to 1", e.Value, math.Sqrt(MinSquaredNorm), math.Sqrt(MaxSquaredNorm))
	}
}

// Validate returns nil if v may be stored and compared: it has elements, all are finite,
// and its squared norm lies in [MinSquaredNorm, MaxSquaredNorm]. Otherwise it returns
// an *InvalidError for the first element refused or, if every element is finite, for the
// whole vector. It does not check the dimension.
func Validate(v []float32) error {
	const exponent = 0x7f800000 // all bits set in NaN and infinities only
	for i, x := range v {
		if math.Float32bits(x)&exponent != exponent {
			continue
		}
		reason := ReasonInfinite
		if x != x {
			reason = ReasonNaN
		}
		return &InvalidError{Index: i, Value: float64(x), Reason: reason}
	}
	squared := SquaredNorm(v)
	if squared >= MinSquaredNorm && squared <= MaxSquaredNorm {
		return nil
	}
	reason := ReasonTooLong
	switch {
	case len(v) == 0:
		reason = ReasonEmpty
	case squared == 0:
		reason = ReasonZero
	case squared < MinSquaredNorm:
		reason = ReasonTooShort
	}
	return &InvalidError{Index: -1, Value: math.Sqrt(squared), Reason: reason}
}
