package recall

import (
	"context"
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/ann"
)

// Nearest is what lies nearest to an embedding.
type Nearest struct {
	// Rows are the members of the population with the most similar vectors, nearest first, ties by id; at most the
	// query's Limit.
	Rows []uint32
	// Searched counts the memories that passed the filters, with and without a vector.
	Searched int
	// Known says that the nearest is nearer than random directions bring any of so many vectors, with Weights.Alpha as
	// the probability of saying so of a random embedding: n C(cos max) < Alpha, as in the package comment. That it
	// stands out from the others is not asked.
	Known bool
	// Damage is as in [Answer].
	Damage []error
}

// Nearest finds the memories that are most similar to q.Embedding and nothing else: no words, no associations. It looks
// at the Embedding, Now, Limit, Filters and Weights of q. Errors are those of [Engine.Recall].
func (e *Engine) Nearest(ctx context.Context, c *Corpus, q Query) (Nearest, error) {
	if err := q.check(); err != nil {
		return Nearest{}, err
	}
	if len(q.Embedding) == 0 {
		return Nearest{}, errors.New("check query: nearest needs an embedding")
	}
	memory, _ := e.pool.Get().(*memory)
	if memory == nil {
		memory = newMemory()
	}
	r := run{ctx: ctx, c: c, q: &q, memory: memory}
	near, err := r.nearest()
	memory.reset()
	e.pool.Put(memory) // not deferred, as in Recall
	return near, err
}

func (r *run) nearest() (Nearest, error) {
	r.weigh()
	if err := r.populate(); err != nil {
		return Nearest{}, err
	}
	query := ann.Query{
		Vector: r.q.Embedding, Dim: r.c.Dim, Metric: r.c.Metric, Parts: r.c.Vectors, Accept: r.member,
	}
	if r.c.Dim == 0 {
		query.Dim, query.Parts = len(r.q.Embedding), nil
	}
	if err := ann.Scan(r.ctx, query, &r.scan); err != nil {
		return Nearest{}, fmt.Errorf("recall: %w", err)
	}
	known := len(r.scan.Rows) > 0 &&
		learn(&r.weights, r.scan.Similarities, peakOf(&r.scan), r.c.Dim, &r.order).known
	if err := r.scan.RefineBest(r.ctx, r.q.Limit); err != nil {
		return Nearest{}, fmt.Errorf("recall: %w", err)
	}
	out := Nearest{Searched: r.out.Searched, Known: known, Damage: r.scan.Damage}
	if len(r.scan.Rows) == 0 {
		return out, nil
	}
	similarity := make(map[uint32]float32, len(r.scan.Rows))
	for i, row := range r.scan.Rows {
		similarity[row] = r.scan.Similarities[i]
	}
	best, err := top(r.ctx, r.scan.Rows, r.q.Limit, func(row uint32) float32 { return similarity[row] }, r.c.Source.ID)
	if err != nil {
		return Nearest{}, err
	}
	for _, b := range best {
		out.Rows = append(out.Rows, b.row)
	}
	return out, nil
}
