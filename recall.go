package engram

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// DefaultLimit is the number of hits that a cue without a limit gets, if there are so many.
const DefaultLimit = 10

// Recall finds what a cue brings to mind: memories ranked by one score, the sum of the terms in each hit's Why. Filters
// are applied before ranking. No hits means that nothing relevant is known; a cue with neither text nor embedding
// gives the newest memories that pass the filters. Memories whose bytes turn out to be damaged end the call with a
// *CorruptError only if they would be among the hits.
func (s *Space) Recall(ctx context.Context, cue Cue) (Answer, error) {
	if err := s.db.o.Limits.cue(&cue); err != nil {
		return Answer{}, err
	}
	answer := Answer{Hits: []Hit{}}
	now := s.db.o.Clock().UnixNano()
	err := s.read(ctx, "recall", func(v *store.View) error {
		q, err := query(v, &cue, now)
		if err != nil {
			return err
		}
		limit := q.Limit
		if cue.Compete {
			q.Limit = min(max(limit, leastRivals), recall.MaxLimit)
		}
		found, err := s.db.recall.Recall(ctx, v.Corpus(), q)
		if err != nil {
			return err
		}
		answer.Searched = found.Searched
		for _, err := range found.Damage {
			answer.Damaged = append(answer.Damaged, err.Error())
		}
		var chances []float64
		if cue.Compete {
			var none float64
			chances, none = compete(found.Hits, found.Searched, limit)
			answer.None = &none
		}
		for i := range found.Hits[:min(limit, len(found.Hits))] {
			hit, err := hitOf(v, &found.Hits[i])
			if err != nil {
				return err
			}
			if cue.Compete {
				hit.Probability = &chances[i]
			}
			answer.Hits = append(answer.Hits, hit)
		}
		return nil
	})
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// Terms lists what Cue.Without can switch off: the terms of the score, and the steps that change one.
func Terms() []string { return recall.Switches() }

// query is a cue in the numbers of a view. A name that no memory has becomes a symbol that none has.
func query(v *store.View, cue *Cue, now int64) (recall.Query, error) {
	f := recall.Filters{
		Kinds: symbols(v, cue.Kinds), TagsAll: symbols(v, cue.Tags), TagsAny: symbols(v, cue.TagsAny),
		TagsNone: symbols(v, cue.TagsNone), Speaker: v.Symbol(cue.Speaker), Session: v.Symbol(cue.Session),
		From: toTime(cue.From).Nanos, To: toTime(cue.To).Nanos, ValidAt: toTime(cue.ValidAt).Nanos,
		MinConfidence: float32(cue.MinConfidence),
	}
	if cue.IDs != nil {
		f.Rows = []uint32{}
	}
	for _, id := range cue.IDs {
		found, ok, err := v.Lookup(id)
		if err != nil {
			return recall.Query{}, err
		}
		if ok {
			f.Rows = append(f.Rows, found.Row)
		}
	}
	if dim := len(cue.Embedding); dim > 0 && v.Dim > 0 && dim != v.Dim {
		return recall.Query{}, &store.DimensionError{Got: dim, Want: v.Dim}
	}
	return recall.Query{
		Text: cue.Text, Embedding: cue.Embedding, Now: now, Limit: cmp.Or(cue.Limit, DefaultLimit), Filters: f,
		Explain: cue.Explain, Without: cue.Without,
	}, nil
}

func symbols(v *store.View, names []string) []uint32 {
	out := make([]uint32, 0, len(names))
	for _, name := range names {
		out = append(out, v.Symbol(name))
	}
	return out
}

// hitOf reads a hit's memory from its tier.
func hitOf(v *store.View, h *recall.Hit) (Hit, error) {
	r, err := v.Record(h.Row)
	if err != nil {
		return Hit{}, fmt.Errorf("read hit: %w", err)
	}
	hit := Hit{Memory: withFate(v, v.Fate(h.Row), r), Score: h.Score, Why: make([]Term, 0, len(h.Terms))}
	for _, t := range h.Terms {
		term := Term{Name: t.Name, Value: t.Value}
		for _, p := range slices.Clone(t.Detail) {
			term.Detail = append(term.Detail, Part(p))
		}
		hit.Why = append(hit.Why, term)
	}
	return hit, nil
}
