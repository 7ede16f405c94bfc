package engram

import (
	"context"
	"fmt"
	"iter"

	"github.com/orchard9/engram-go/internal/store"
)

// Embedder makes the vectors of texts, one for each and in their order: all by one model, and of one dimension.
type Embedder func(ctx context.Context, texts []string) ([][]float32, error)

// ReembedBy is Reembed by an Embedder, which is given the contents of all memories without a new vector, of those too
// that had none before and of those that are written meanwhile. An error of the Embedder ends it; the next call goes on
// from there.
func (s *Space) ReembedBy(ctx context.Context, embed Embedder, o ReembedOptions) (ReembedReport, error) {
	e := &reembedder{ctx: ctx, space: s, o: o, report: ReembedReport{Model: o.Model, Dim: o.Dim}}
	if err := o.validate(); err != nil {
		return e.report, err
	}
	err := s.with(ctx, "reembed", s.name == DefaultSpace, func(sp *store.Space) error {
		e.sp = sp
		for range reembedRounds {
			left, err := e.round(embed)
			if err != nil {
				return err
			}
			if left == 0 {
				break
			}
		}
		return e.finish(true)
	})
	return e.report, err
}

// Unembedded is a version of a memory that has no new vector.
type Unembedded struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Content string `json:"content"`
}

// Unembedded goes through the memories whose current version has no vector among those that are being built, as of now,
// those too that have none now; through all while nothing is being built. What it yields, with vectors, is what Reembed
// reads. A memory that cannot be read is yielded as an error, and the iteration goes on behind it.
func (s *Space) Unembedded(ctx context.Context) iter.Seq2[Unembedded, error] {
	return outside(func(yield func(Unembedded, error) bool) {
		err := s.read(ctx, "unembedded", func(v *store.View) error {
			now, stop := s.db.o.Clock(), error(nil)
			v.Unbuilt(0, func(_ uint32, f store.Found, _ bool) bool {
				if stop = ctx.Err(); stop != nil || expired(v.ExpiresAt(f.Row), now) {
					return stop == nil
				}
				r, err := v.Record(f.Row)
				if err != nil {
					return yield(Unembedded{}, err)
				}
				return yield(Unembedded{ID: r.ID, Version: int(r.Version), Content: r.Content}, nil)
			})
			return stop
		})
		if err != nil {
			yield(Unembedded{}, err)
		}
	})
}

// round embeds what has no new vector, and counts what was left when it began.
func (e *reembedder) round(embed Embedder) (left int, err error) {
	size := e.o.Batch
	if size == 0 {
		size = 32
	}
	var texts []string
	var of []reembedded
	flush := func() error {
		err := e.embed(embed, texts, of)
		texts, of = nil, nil
		return err
	}
	now := e.space.db.o.Clock()
	v := e.sp.View()
	if err := e.sameAs(v, e.o.Dim); err != nil {
		return 0, err // before anything is embedded for nothing
	}
	v.Unbuilt(0, func(_ uint32, f store.Found, _ bool) bool {
		if !expired(v.ExpiresAt(f.Row), now) {
			err = e.take(v, f, &texts, &of)
			left++
		}
		if err == nil && len(texts) >= size {
			err = flush()
		}
		return err == nil
	})
	if err == nil {
		err = flush()
	}
	return left, err
}

// take reads a memory's text.
func (e *reembedder) take(v *store.View, f store.Found, texts *[]string, of *[]reembedded) error {
	r, err := v.Record(f.Row)
	if err != nil {
		return err
	}
	*texts = append(*texts, r.Content)
	*of = append(*of, reembedded{reembedLine: reembedLine{ID: r.ID, Version: int(r.Version)}})
	return nil
}

// embed has texts embedded and stores what comes.
func (e *reembedder) embed(embed Embedder, texts []string, of []reembedded) error {
	if len(texts) == 0 {
		return nil
	}
	if err := e.ctx.Err(); err != nil {
		return fmt.Errorf("reembed: %w", err)
	}
	vectors, err := embed(e.ctx, texts)
	if err == nil && len(vectors) != len(texts) {
		err = fmt.Errorf("the embedder gave %d embeddings for %d texts", len(vectors), len(texts))
	}
	if err != nil {
		return fmt.Errorf("embed memories %q to %q: %w", of[0].ID, of[len(of)-1].ID, err)
	}
	for i := range of {
		c := &checks{}
		c.vector("embedding", vectors[i])
		if c.err == nil && len(vectors[i]) == 0 {
			c.fail("embedding", "empty", "an embedder gives one for each text")
		}
		if c.err != nil {
			return fmt.Errorf("embed memory %q: %w", of[i].ID, c.err)
		}
		of[i].Embedding = vectors[i]
		if err := e.add(of[i]); err != nil {
			return err
		}
	}
	return e.flush()
}
