// Package ann finds memories by their vectors. Today it compares the query with every vector, exactly.
//
//	var result ann.Result
//	err := ann.Scan(ctx, ann.Query{Vector: v, Dim: 768, Metric: ann.Cosine, Parts: parts, Accept: member}, &result)
//	for i, row := range result.Rows { ... result.Similarities[i] ... }
//
// # Invariants
//
//   - A similarity is a function of the two vectors and the metric alone, to the last bit: not of the part or group
//     that holds the vector, of what else is searched, or of the processor.
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
	"runtime"

	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
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
	// Group lends group g, verified; nobody may write to it. An error means that the group cannot be read.
	Group(g int) (segment.Group, error)
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
	// Mapped says that the floats lie in a mapped file: they are read inside vfs.Guard, and other goroutines get
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

// Result is what Scan found. A zero Result is ready; one that was used may be used again, and keeps its arrays.
type Result struct {
	Rows         []uint32
	Similarities []float32 // large is near; element i belongs to Rows[i]
	Cosine       float32   // the largest cosine, whatever the metric; 0 if there are no rows
	Scale        float32   // what that cosine was multiplied by to be a similarity: 1, or for Dot both norms
	// Damage says what could not be read: the first maxDamage errors. Damaged counts the groups.
	Damage  []error
	Damaged int

	dots   []float32
	places []int
}

const (
	maxDamage   = 16
	yieldGroups = 8  // groups of a mapped part between two turns for others: some 1.5 MB at 768 dimensions
	checkGroups = 64 // groups between two looks at the context
	// sparse is the number of accepted rows of a group up to which they are compared one by one.
	sparse = segment.GroupSize / 8
)

// Scan compares q.Vector with every accepted row and puts what it finds into result, dropping what was there. A group
// that cannot be read is left out and told in result.Damage.
//
// It returns a *vec.InvalidError for a vector with NaN, an infinity, or without length; a *DimensionError for one of
// another dimension than q.Dim; an error that names the metric if there is no such; and the context's error, in
// which case result holds a part of the rows. Time: one pass over the vectors of groups with an accepted row.
func Scan(ctx context.Context, q Query, result *Result) error {
	result.reset()
	if err := vec.Validate(q.Vector); err != nil {
		return fmt.Errorf("check embedding: %w", err)
	}
	if len(q.Vector) != q.Dim {
		return &DimensionError{Got: len(q.Vector), Want: q.Dim}
	}
	if q.Metric > Dot {
		return fmt.Errorf("scan vectors: %v does not exist: use cosine or dot", q.Metric)
	}
	s := scan{Query: q, result: result, invNorm: 1 / vec.Norm(q.Vector)}
	for _, part := range q.Parts {
		if err := s.part(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) reset() {
	r.Rows, r.Similarities = r.Rows[:0], r.Similarities[:0]
	r.Cosine, r.Scale, r.Damage, r.Damaged = 0, 0, nil, 0
}

type scan struct {
	Query
	result  *Result
	invNorm float32
}

func (s *scan) part(ctx context.Context, part Part) error {
	for g := range part.Groups() {
		if g%checkGroups == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if part.Mapped && g%yieldGroups == yieldGroups-1 {
			runtime.Gosched()
		}
		if err := s.group(part, g); err != nil {
			s.result.Damaged++
			if len(s.result.Damage) < maxDamage {
				s.result.Damage = append(s.result.Damage,
					fmt.Errorf("scan vectors from row %d, group %d: %w", part.Base, g, err))
			}
		}
	}
	return nil
}

// group compares one group. If it fails, nothing of the group is in the result.
func (s *scan) group(part Part, g int) error {
	group, err := part.Group(g)
	if err != nil {
		return err
	}
	if err := s.check(group); err != nil {
		return err
	}
	s.choose(part.Base, group.Slots)
	if len(s.result.places) == 0 {
		return nil
	}
	if part.Mapped {
		err = vfs.Guard(func() error { s.compare(group); return nil })
	} else {
		s.compare(group)
	}
	if err != nil {
		return err
	}
	s.take(part.Base, group)
	runtime.KeepAlive(part.Source) // the floats are those of a mapping that may go with it
	return nil
}

// check makes sure that the comparison stays within what was lent.
func (s *scan) check(g segment.Group) error {
	n := len(g.Slots)
	if n == 0 {
		return nil
	}
	if g.Stride < s.Dim || len(g.Floats) < (n-1)*g.Stride+s.Dim || len(g.InvNorm) < n {
		return fmt.Errorf("%d vectors of %d dimensions do not fit %d floats of stride %d with %d norms",
			n, s.Dim, len(g.Floats), g.Stride, len(g.InvNorm))
	}
	return nil
}

// choose lists the places of the accepted rows.
func (s *scan) choose(base uint32, slots []uint32) {
	places := s.result.places[:0]
	for i, slot := range slots {
		if s.Accept == nil || s.Accept(base+slot) {
			places = append(places, i)
		}
	}
	s.result.places = places
}

// compare puts the inner products of the chosen places into dots, by place.
func (s *scan) compare(g segment.Group) {
	if cap(s.result.dots) < len(g.Slots) {
		s.result.dots = make([]float32, max(len(g.Slots), segment.GroupSize))
	}
	dots := s.result.dots[:len(g.Slots)]
	if len(s.result.places) > sparse {
		vec.DotRows(s.Vector, g.Floats, g.Stride, dots)
		return
	}
	for _, i := range s.result.places {
		dots[i] = vec.Dot(s.Vector, g.Floats[i*g.Stride:i*g.Stride+s.Dim]) // the same bits as DotRows
	}
}

func (s *scan) take(base uint32, g segment.Group) {
	r := s.result
	for _, i := range r.places {
		similarity := r.dots[i]
		inverse := g.InvNorm[i] * s.invNorm
		cosine, scale := similarity*inverse, 1/inverse
		if s.Metric == Cosine {
			similarity, scale = cosine, 1
		}
		if len(r.Rows) == 0 || cosine > r.Cosine || cosine == r.Cosine && scale > r.Scale {
			r.Cosine, r.Scale = cosine, scale
		}
		r.Rows = append(r.Rows, base+g.Slots[i])
		r.Similarities = append(r.Similarities, similarity)
	}
}
