// Package ann finds memories by their vectors. It compares the question with every one of them: roughly by their codes,
// with a bound of how far that is from the truth, and exactly where it matters.
//
//	var result ann.Result
//	err := ann.Scan(ctx, ann.Query{Vector: v, Dim: 768, Metric: ann.Cosine, Parts: parts, Accept: member}, &result)
//	err = result.Refine(ctx, atLeast)   // what is that near, or may be, is exact from now on
//	for i, row := range result.Rows { ... result.Similarities[i] ... }
//
// # Codes
//
// Every vector has codes (vec.Quantize), in memory and in files: a quarter of its bytes. An exact sum of integers is
// the inner product of the codes, and with q the question, v the vector, q' and v' what their codes stand for, by
// Cauchy-Schwarz
//
//	|q.v - q'.v'| <= |q'| |v-v'| + |q-q'| |v|
//
// to which the rounding of vec.Dot is added. Codes are a function of the vector alone, so a rough similarity, and
// whether it is made exact, depend on neither the tier nor the file that a vector is in.
//
// # Invariants
//
//   - A similarity, rough or exact, is a function of the two vectors and the metric alone, to the last bit: not of the
//     part or group that holds the vector, of what else is searched, or of the processor. Whether it is exact depends
//     on what was asked for: the nearest always are.
//   - A rough similarity that Refine left so belongs to a row whose exact one is below what was asked for; so is the
//     rough one itself.
//   - Every accepted row whose vector could be read is in the result once; what could not be read is in its Damage.
//   - The result's order is that of parts, groups and places within a group.
//
// # Concurrency
//
// Scan reads what its parts lend and writes to its Result only: any number may run beside each other and beside the
// writer of a hot part. It runs on the calling goroutine; a scan is bound by memory, and searches beside each other
// use the other processors.
//
// # Durability
//
// None: nothing is kept.
package ann

import (
	"context"
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

// Metric is how vectors are compared.
type Metric uint8

// The metrics.
const (
	Cosine Metric = iota // the cosine of the angle, in [-1,1] but for rounding
	Dot                  // the inner product
)

// String gives the metric's name.
func (m Metric) String() string {
	switch m {
	case Cosine:
		return "cosine"
	case Dot:
		return "dot"
	default:
		return fmt.Sprintf("metric %d", uint8(m))
	}
}

// ErrDimension is matched by every *DimensionError.
var ErrDimension = errors.New("wrong dimension")

// DimensionError is returned when a vector's dimension is not that of the vectors it is compared with.
type DimensionError struct {
	Got  int
	Want int
}

// Error names both dimensions.
func (e *DimensionError) Error() string {
	return fmt.Sprintf("embedding has %d dimensions, the vectors of this space have %d: "+
		"use the same model, or another space", e.Got, e.Want)
}

// Is reports whether target is ErrDimension.
func (e *DimensionError) Is(target error) bool { return target == ErrDimension }

// Source lends vectors in groups. Both forms of a segment are sources.
type Source interface {
	// Groups is the number of groups there are now.
	Groups() int
	// Slots tells the row of each vector of group g; segment.NoRow if it cannot be told.
	Slots(g int) []uint32
	// Codes lends the codes of group g, verified, and Group the vectors; nobody may write to them. They may be in
	// *scratch, and are valid until it is used again. An error without a group is of all of it, else of what is Bad in
	// it.
	Codes(g int, scratch *[]byte) (segment.Codes, error)
	Group(g int, scratch *[]byte) (segment.Group, error)
	// Exact calls fn with one vector, verified, and the inverse of its norm. Vectors are counted through the groups.
	Exact(vector uint32, fn func(padded []float32, invNorm float32) error) error
}

var (
	_ Source = (*segment.Hot)(nil)
	_ Source = (*segment.Sealed)(nil)
)

// Part is a run of rows that a source holds.
type Part struct {
	// Base is the row of the source's slot 0.
	Base uint32
	Source
	// Mapped says that what is lent lies in a mapped file: it is read inside vfs.Guard, and other goroutines get
	// their turn now and then, since a read may wait for the disk without the scheduler knowing.
	Mapped bool
}

// Query is what Scan compares with, and where.
type Query struct {
	Vector []float32
	Dim    int // of the vectors in Parts
	Metric Metric
	Parts  []Part
	// Accept tells which rows are wanted; it must refuse rows that are not published to the caller. nil wants all.
	Accept func(row uint32) bool
}

const (
	maxDamage   = 16
	yieldGroups = 8  // groups of a mapped part between two turns for others: some .4 MB of codes at 768 dimensions
	checkGroups = 64 // groups between two looks at the context
	// sparse is the number of wanted vectors of a group up to which they are looked at one by one.
	sparse = segment.GroupSize / 8
)

// Scan compares q.Vector with every accepted row and puts what it finds into result, dropping what was there. The
// nearest row, by similarity and by cosine, is compared exactly, and so is every other that might be it; the rest is
// rough until Refine or RefineBest is asked for more. A vector that cannot be read is left out and told in
// result.Damage.
//
// It returns a *vec.InvalidError for a vector with NaN, an infinity, or without length; a *DimensionError for one of
// another dimension than q.Dim; an error that names the metric if there is no such; and the context's error, in
// which case result holds a part of the rows. Time: one pass over the codes of groups with an accepted row.
func Scan(ctx context.Context, q Query, result *Result) error {
	result.reset(q)
	if err := vec.Validate(q.Vector); err != nil {
		return fmt.Errorf("check embedding: %w", err)
	}
	if len(q.Vector) != q.Dim {
		return &DimensionError{Got: len(q.Vector), Want: q.Dim}
	}
	if q.Metric > Dot {
		return fmt.Errorf("scan vectors: %v does not exist: use cosine or dot", q.Metric)
	}
	result.prepare()
	for _, part := range q.Parts {
		if err := result.scan(ctx, part); err != nil {
			return err
		}
	}
	return result.refineNearest(ctx)
}
