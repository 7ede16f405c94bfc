package engram

import (
	"context"
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// distinctOf is how many hits are looked at first for each distinct one: chosen.
const distinctOf = 4

// choice is one hit of an answer.
type choice struct {
	place   int // among those found
	similar []string
}

// find asks recall and picks the hits of the answer. Where those looked at say the same too often to give as many
// distinct ones as wanted, twice as many are looked at, and so on to recall.MaxLimit.
func (s *Space) find(
	ctx context.Context, v *store.View, cue *Cue, corpus *recall.Corpus, q recall.Query,
) (found recall.Answer, chosen []choice, err error) {
	limit := q.Limit
	if cue.Distinct {
		q.Limit = min(limit*distinctOf, recall.MaxLimit)
	}
	if cue.Compete {
		q.Limit = min(max(q.Limit, leastRivals), recall.MaxLimit)
	}
	for {
		if found, err = s.db.recall.Recall(ctx, corpus, q); err != nil {
			return found, nil, err
		}
		if chosen, err = choose(v, cue, corpus, found.Hits, limit); err != nil {
			return found, nil, err
		}
		if !cue.Distinct || len(chosen) >= limit || len(found.Hits) < q.Limit || q.Limit == recall.MaxLimit {
			return found, chosen, nil
		}
		q.Limit = min(2*q.Limit, recall.MaxLimit)
	}
}

// choose picks the hits of the answer: the first limit or, if the cue asks for distinct ones, the first limit that none
// ahead of them says already.
func choose(v *store.View, cue *Cue, corpus *recall.Corpus, hits []recall.Hit, limit int) ([]choice, error) {
	if !cue.Distinct {
		chosen := make([]choice, min(limit, len(hits)))
		for i := range chosen {
			chosen[i].place = i
		}
		return chosen, nil
	}
	items := make([]consolidate.Item, len(hits))
	for i := range hits {
		r, err := v.Record(hits[i].Row)
		if err != nil {
			return nil, fmt.Errorf("read hit: %w", err)
		}
		vector, err := v.Vector(hits[i].Row)
		if err != nil && !errors.Is(err, ErrCorrupt) { // without its vector it is compared by its words
			return nil, fmt.Errorf("read vector of hit: %w", err)
		}
		items[i] = consolidate.Item{
			ID: r.ID, Scope: scopeOf(r, r.Kind), Text: r.Content, Words: v.Words(r), Vector: vector,
		}
	}
	same := consolidate.Same(items, consolidate.Defaults())
	var chosen []choice
next:
	for i := range items {
		for k := range chosen {
			c := &chosen[k]
			first := &items[c.place]
			if first.Scope == items[i].Scope && first.Text == items[i].Text || same(c.place, i) {
				c.similar = append(c.similar, items[i].ID)
				continue next
			}
		}
		if len(chosen) < limit {
			chosen = append(chosen, choice{place: i})
		}
	}
	return chosen, nil
}
