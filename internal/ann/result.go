package ann

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Result is what Scan found. A zero Result is ready; one that was used may be used again, and keeps its arrays. It is
// for one goroutine.
type Result struct {
	Rows         []uint32
	Similarities []float32 // large is near; element i belongs to Rows[i], and is exact where that was asked for
	Cosine       float32   // the largest cosine, whatever the metric, exact; 0 if there are no rows
	Scale        float32   // what that cosine was multiplied by to be a similarity: 1, or for Dot both norms
	// Damage says what could not be read: the first maxDamage errors. Damaged counts the vectors.
	Damage  []error
	Damaged int

	query    Query
	question question
	slack    []float32 // how far a rough similarity may be from the exact one; 0 if it is exact
	norms    []float32 // both norms, multiplied; for Dot
	vectors  []uint32  // the vector of each row, as its source counts
	ends     []int     // how many rows there are with those of each part
	places   []int     // the accepted ones of a group
	sums     []int32
	dots     []float32
	low      []float32
	scratch  []byte

	takeExact func([]float32, float32) error // exactOf, made once
	at        int
}

// question is the query's vector as vectors are compared with it.
type question struct {
	codes   []int16
	scale   float64 // of a sum of products of codes, to be a cosine with a vector of norm 1
	invNorm float32
	// The slack of a vector is factor*residual+rest.
	factor, rest float64
	underflow    float64 // what products below the range of float32 may add, beside norms of 1
}

func (r *Result) reset(q Query) {
	r.query = q
	r.Rows, r.Similarities, r.slack = r.Rows[:0], r.Similarities[:0], r.slack[:0]
	r.norms, r.vectors, r.ends = r.norms[:0], r.vectors[:0], r.ends[:0]
	r.Cosine, r.Scale, r.Damage, r.Damaged = 0, 0, nil, 0
	if r.takeExact == nil {
		r.takeExact = r.exactOf
	}
}

// Release lets go of what was scanned, so that a result that is kept for the next scan holds no file. Refine finds
// nothing to refine any more.
func (r *Result) Release() { r.reset(Query{}) }

// prepare makes the question of the query's vector.
func (r *Result) prepare() {
	v, q := r.query.Vector, &r.question
	n := vec.CodeLen(len(v))
	q.codes = slices.Grow(q.codes[:0], n)[:n]
	scale, residual := vec.QuantizeQuery(v, q.codes)
	q.invNorm = 1 / vec.Norm(v)
	q.scale = float64(scale) * float64(q.invNorm)
	// |q'| <= (1 + residual) |q|. vec.Dot passes (n+63)/64+6 roundings of 2^-24 each; norms, their inverses and the
	// products with them some more. The last factor is for the roundings of this bound itself.
	const unit, more, itself = 0x1p-24, 12, 1 + 0x1p-20
	roundings := float64((len(v)+63)/64+6+more) * unit
	q.factor = (1 + float64(residual)) * itself
	q.rest = (float64(residual) + 2*roundings) * itself
	q.underflow = float64(len(v)) * 0x1p-149 * itself
}

func (r *Result) scan(ctx context.Context, part Part) error {
	for g := range part.Groups() {
		if g%checkGroups == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		slots := part.Slots(g)
		if len(slots) == 0 || !r.choose(part.Base, slots) {
			continue
		}
		if part.Mapped && g%yieldGroups == yieldGroups-1 {
			runtime.Gosched()
		}
		codes, err := part.Codes(g, &r.scratch)
		if err == nil || codes.Bad != 0 {
			r.damage(part, g, bits(codes.Bad), err)
			err = r.rough(part, g, codes)
		}
		if err != nil {
			r.damage(part, g, len(r.places), err)
		}
	}
	r.ends = append(r.ends, len(r.Rows))
	return nil
}

func bits(bad uint64) int { return segment.BadVectors(bad) }

// damage tells of n vectors that cannot be read.
func (r *Result) damage(part Part, g, n int, err error) {
	if err == nil {
		return
	}
	r.Damaged += n
	each := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // one error for each vector
		each = joined.Unwrap()
	}
	for _, err := range each[:min(len(each), maxDamage-len(r.Damage))] {
		r.Damage = append(r.Damage, fmt.Errorf("scan vectors from row %d, group %d: %w", part.Base, g, err))
	}
}

// choose lists the places of the accepted rows, and reports whether there are any. What has no row is looked at, so
// that it is told of.
func (r *Result) choose(base uint32, slots []uint32) bool {
	places := r.places[:0]
	for i, slot := range slots {
		if slot == segment.NoRow || r.query.Accept == nil || r.query.Accept(base+slot) {
			places = append(places, i)
		}
	}
	r.places = places
	return len(places) > 0
}

// rough compares the chosen places of a group by their codes. If it fails, nothing of the group is in the result.
func (r *Result) rough(part Part, g int, codes segment.Codes) error {
	n := len(r.question.codes)
	last := r.places[len(r.places)-1]
	if len(codes.Slots) <= last || len(codes.Codes) < (last+1)*n || len(codes.Scale) <= last ||
		len(codes.Residual) <= last || len(codes.InvNorm) <= last {
		return fmt.Errorf("%d vectors of %d codes do not fit %d rows", len(codes.Codes)/max(n, 1), n, len(codes.Slots))
	}
	r.sums = slices.Grow(r.sums[:0], last+1)[:last+1]
	sum := func() error {
		if len(r.places) > sparse {
			vec.DotCodeRows(r.question.codes, codes.Codes[:(last+1)*n], r.sums)
			return nil
		}
		for _, i := range r.places {
			r.sums[i] = vec.DotCodes(r.question.codes, codes.Codes[i*n:(i+1)*n])
		}
		return nil
	}
	if err := r.guarded(part, sum); err != nil {
		return err
	}
	for _, i := range r.places {
		if codes.Bad>>i&1 == 0 && codes.Slots[i] != segment.NoRow {
			r.take(part.Base+codes.Slots[i], uint32(g*segment.GroupSize+i), &codes, i)
		}
	}
	return nil
}

func (r *Result) guarded(part Part, fn func() error) error {
	var err error
	if part.Mapped {
		err = vfs.Guard(fn)
	} else {
		err = fn()
	}
	runtime.KeepAlive(part.Source) // what it lent is of a mapping that may go with it
	return err
}

// take adds a row with its rough similarity. Every step is rounded by itself, on every processor: the conversions keep
// the compiler from joining two.
func (r *Result) take(row, vector uint32, codes *segment.Codes, i int) {
	q := &r.question
	invNorm := codes.InvNorm[i]
	length := float64(float64(codes.Scale[i]) * float64(invNorm)) // of a step of the codes, in norms
	similarity := float64(float64(r.sums[i])*length) * q.scale
	inverse := float64(invNorm) * float64(q.invNorm)
	slack := float64(q.factor*float64(codes.Residual[i])) + q.rest
	slack += float64(q.underflow * inverse)
	if r.query.Metric == Dot {
		norms := 1 / inverse
		similarity, slack = float64(similarity*norms), float64(slack*norms)
		r.norms = append(r.norms, float32(norms))
	}
	r.Rows = append(r.Rows, row)
	r.vectors = append(r.vectors, vector)
	r.Similarities = append(r.Similarities, float32(similarity))
	r.slack = append(r.slack, math.Nextafter32(float32(slack), float32(math.Inf(1))))
}

// Refine makes every similarity exact that is atLeast, or may be. It may be asked again for more. Vectors that cannot
// be read are taken out of the result, and told in Damage. The only other error is the context's.
func (r *Result) Refine(ctx context.Context, atLeast float32) error {
	return r.refine(ctx, func(i int) bool { return float64(r.Similarities[i])+float64(r.slack[i]) >= float64(atLeast) })
}

// RefineBest makes the k largest similarities exact, as Refine does, and whatever else may be one of them.
func (r *Result) RefineBest(ctx context.Context, k int) error {
	for k > 0 && len(r.Rows) > 0 {
		n := len(r.Rows)
		if err := r.Refine(ctx, r.lowerBound(min(k, n))); err != nil || n == len(r.Rows) {
			return err
		}
		// Some could not be read, and others are in their places now.
	}
	return ctx.Err()
}

// lowerBound is what the k-th largest similarity is at least.
func (r *Result) lowerBound(k int) float32 {
	h := r.low[:0]
	for i, s := range r.Similarities {
		h = offer(h, s-r.slack[i], k)
	}
	r.low = h
	return math.Nextafter32(h[0], float32(math.Inf(-1))) // the differences were rounded
}

// offer adds v to a heap of the size largest values, the smallest of them in front, if it is one of them.
func offer(h []float32, v float32, size int) []float32 {
	if len(h) < size {
		h = append(h, v)
		for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		return h
	}
	if v <= h[0] {
		return h
	}
	h[0] = v
	for i := 0; ; {
		small := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child] < h[small] {
				small = child
			}
		}
		if small == i {
			return h
		}
		h[i], h[small] = h[small], h[i]
		i = small
	}
}

// refineNearest makes the largest similarity and the largest cosine exact. With the metric Cosine these are one.
func (r *Result) refineNearest(ctx context.Context) error {
	if err := r.RefineBest(ctx, 1); err != nil || r.query.Metric == Cosine {
		return err
	}
	for len(r.Rows) > 0 {
		n, most := len(r.Rows), math.Inf(-1)
		for i, s := range r.Similarities {
			most = max(most, (float64(s)-float64(r.slack[i]))/float64(r.norms[i]))
		}
		most -= math.Abs(most)*0x1p-22 + 0x1p-140 // what is compared below is rounded
		err := r.refine(ctx, func(i int) bool {
			return (float64(r.Similarities[i])+float64(r.slack[i]))/float64(r.norms[i]) >= most
		})
		if err != nil || n == len(r.Rows) {
			return err
		}
	}
	return ctx.Err()
}

// refine makes the similarities exact that wanted selects.
func (r *Result) refine(ctx context.Context, wanted func(i int) bool) error {
	gone := 0
	i := 0
	for p, end := range r.ends {
		for i < end {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.query.Parts[p].Mapped {
				runtime.Gosched()
			}
			i, gone = r.refineSome(r.query.Parts[p], i, end, gone, wanted)
		}
	}
	if gone > 0 {
		r.drop()
	}
	return nil
}

// refineSome goes through the rows of some groups from i on and returns where it stopped.
func (r *Result) refineSome(part Part, i, end, gone int, wanted func(i int) bool) (next, dropped int) {
	stop := min(end, i+checkGroups*segment.GroupSize)
	for i < stop {
		g := int(r.vectors[i] / segment.GroupSize)
		r.places = r.places[:0]
		for ; i < end && int(r.vectors[i]/segment.GroupSize) == g; i++ {
			if r.slack[i] != 0 && wanted(i) {
				r.places = append(r.places, i)
			}
		}
		if len(r.places) > sparse {
			gone += r.exactGroup(part, g)
		} else if len(r.places) > 0 {
			gone += r.exactOnes(part, g)
		}
	}
	return i, gone
}

// noSimilarity marks a row that could not be read until it is dropped.
var noSimilarity = float32(math.NaN())

// exactOnes makes the chosen rows of a group exact one by one, and counts those that cannot be read.
func (r *Result) exactOnes(part Part, g int) (gone int) {
	for _, i := range r.places {
		r.at = i
		if err := part.Exact(r.vectors[i], r.takeExact); err != nil {
			r.damage(part, g, 1, err)
			r.Similarities[i], r.slack[i] = noSimilarity, 0
			gone++
		}
	}
	return gone
}

// exactOf is what Exact calls with the vector of row r.at.
func (r *Result) exactOf(padded []float32, invNorm float32) error {
	if len(padded) < r.query.Dim {
		return fmt.Errorf("a vector of %d floats, want %d", len(padded), r.query.Dim)
	}
	r.exact(r.at, vec.Dot(r.query.Vector, padded[:r.query.Dim]), invNorm)
	return nil
}

// exactGroup makes the chosen rows of a group exact with one pass over it.
func (r *Result) exactGroup(part Part, g int) (gone int) {
	group, err := part.Group(g, &r.scratch)
	first := uint32(g * segment.GroupSize)
	last := int(r.vectors[r.places[len(r.places)-1]] - first)
	if err == nil || group.Bad != 0 {
		r.dots = slices.Grow(r.dots[:0], last+1)[:last+1]
		if fault := r.check(&group, last); fault != nil {
			err = errors.Join(err, fault)
			group.Bad = ^uint64(0)
		} else if fault := r.guarded(part, func() error {
			vec.DotRows(r.query.Vector, group.Floats, group.Stride, r.dots)
			return nil
		}); fault != nil {
			err, group.Bad = fault, ^uint64(0)
		}
	} else {
		group.Bad = ^uint64(0)
	}
	for _, i := range r.places {
		at := int(r.vectors[i] - first)
		if group.Bad>>at&1 != 0 {
			r.Similarities[i], r.slack[i] = noSimilarity, 0
			gone++
			continue
		}
		r.exact(i, r.dots[at], group.InvNorm[at])
	}
	if gone > 0 {
		r.damage(part, g, gone, err)
	}
	return gone
}

// check makes sure that the comparison stays within what was lent.
func (r *Result) check(g *segment.Group, last int) error {
	if len(g.Slots) <= last || g.Stride < r.query.Dim || len(g.Floats) < last*g.Stride+r.query.Dim ||
		len(g.InvNorm) <= last {
		return fmt.Errorf("%d vectors of %d dimensions do not fit %d floats of stride %d with %d norms",
			len(g.Slots), r.query.Dim, len(g.Floats), g.Stride, len(g.InvNorm))
	}
	return nil
}

// exact sets the exact similarity of a row.
func (r *Result) exact(i int, dot, invNorm float32) {
	inverse := invNorm * r.question.invNorm
	cosine, scale := dot*inverse, 1/inverse
	r.Similarities[i], r.slack[i] = dot, 0
	if r.query.Metric == Cosine {
		r.Similarities[i], scale = cosine, 1
	}
	if r.Scale == 0 || cosine > r.Cosine || cosine == r.Cosine && scale > r.Scale {
		r.Cosine, r.Scale = cosine, scale
	}
}

// drop takes out the rows that could not be read.
func (r *Result) drop() {
	n, at := 0, 0
	for p, end := range r.ends {
		for ; at < end; at++ {
			if r.Similarities[at] != r.Similarities[at] {
				continue
			}
			r.Rows[n], r.Similarities[n] = r.Rows[at], r.Similarities[at]
			r.slack[n], r.vectors[n] = r.slack[at], r.vectors[at]
			if r.query.Metric == Dot {
				r.norms[n] = r.norms[at]
			}
			n++
		}
		r.ends[p] = n
	}
	r.Rows, r.Similarities, r.slack, r.vectors = r.Rows[:n], r.Similarities[:n], r.slack[:n], r.vectors[:n]
	if r.query.Metric == Dot {
		r.norms = r.norms[:n]
	}
}
