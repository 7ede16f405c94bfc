package engram

import (
	"context"
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// distinctOf is how many hits are looked at first for each one wanted: chosen.
const distinctOf = 4

// choice is one hit of an answer.
type choice struct {
	place   int // among those found
	similar []string
}

// collapses reports whether hits that say the same are one in the answer to c: a cue that asks for nothing lists
// memories, each by itself.
func (c *Cue) collapses() bool { return !c.Repeats && (c.Text != "" || len(c.Embedding) > 0) }

// find asks recall and picks the hits of the answer. Where those looked at say the same too often to give as many
// different ones as wanted, twice as many are looked at, and so on to recall.MaxLimit.
func (s *Space) find(
	ctx context.Context, v *store.View, cue *Cue, corpus *recall.Corpus, q recall.Query,
) (found recall.Answer, chosen []choice, err error) {
	limit, look := q.Limit, q.Limit
	if cue.collapses() {
		look = min(limit*distinctOf, recall.MaxLimit)
	}
	for {
		q.Limit = look
		if cue.Compete {
			q.Limit = min(max(look, leastRivals), recall.MaxLimit)
		}
		if found, err = s.db.recall.Recall(ctx, corpus, q); err != nil {
			return found, nil, err
		}
		hits := found.Hits[:min(look, len(found.Hits))]
		if !cue.collapses() {
			for i := range hits {
				chosen = append(chosen, choice{place: i})
			}
			return found, chosen, nil
		}
		if chosen, err = s.choose(ctx, v, corpus, hits, limit); err != nil {
			return found, nil, err
		}
		if len(chosen) >= limit || len(hits) < look || look == recall.MaxLimit {
			return found, chosen, nil
		}
		look = min(2*look, recall.MaxLimit)
	}
}

// choose picks the first limit hits that none ahead of them says already. One that cannot be read is like no other, and
// met again when it is read for the answer. What is known to contradict another hit is not the same, however alike.
func (s *Space) choose(
	ctx context.Context, v *store.View, corpus *recall.Corpus, hits []recall.Hit, limit int,
) ([]choice, error) {
	first := make([]int, len(hits)) // the place of the first that says what each says
	for i := range first {
		first[i] = i
	}
	places := alike(v, corpus, hits)
	if len(places) > 0 {
		items, err := itemsOf(ctx, v, hits, places)
		if err != nil {
			return nil, err
		}
		now := s.db.o.Clock()
		said := consolidate.Firsts(items, consolidate.Defaults(), func(a, b int) bool {
			ids, err := contradicted(v, v.Fate(hits[places[a]].Row), now)
			return err != nil || slices.Contains(ids, items[b].ID)
		})
		for i, at := range said {
			first[places[i]] = places[at]
		}
	}
	var chosen []choice
	place := make([]int, len(hits)) // in chosen, from 1
	for i, at := range first {
		switch {
		case at == i && len(chosen) < limit:
			chosen = append(chosen, choice{place: i})
			place[i] = len(chosen)
		case at != i && place[at] > 0:
			id, err := v.ID(hits[i].Row)
			if err != nil {
				return nil, fmt.Errorf("read hit: %w", err)
			}
			c := &chosen[place[at]-1]
			c.similar = append(c.similar, id)
		}
	}
	return chosen, nil
}

// alike lists, without reading any memory, the places of hits of which another one may say the same.
func alike(v *store.View, corpus *recall.Corpus, hits []recall.Hit) (places []int) {
	type scope struct {
		kind, speaker uint32
		from, until   int64
	}
	scopes, vectors := make([]scope, len(hits)), make([][]float32, len(hits))
	for i := range hits {
		f := corpus.Facts.At(hits[i].Row)
		scopes[i] = scope{f.Kind, f.Speaker, f.ValidFrom, f.ValidUntil}
		if !v.HasVector(hits[i].Row) {
			continue
		}
		if vector, err := v.Vector(hits[i].Row); err == nil {
			vectors[i] = consolidate.Unit(vector)
		}
	}
	marked := make([]bool, len(hits))
	o := consolidate.Defaults()
	for i := range hits {
		for k := range i {
			if scopes[i] == scopes[k] && (corpus.Words.MayRestate(hits[i].Row, hits[k].Row) ||
				consolidate.Near(vectors[i], vectors[k], o)) {
				marked[i], marked[k] = true, true
			}
		}
	}
	for i, is := range marked {
		if is {
			places = append(places, i)
		}
	}
	return places
}

// itemsOf reads the hits at some places.
func itemsOf(ctx context.Context, v *store.View, hits []recall.Hit, places []int) ([]consolidate.Item, error) {
	items := make([]consolidate.Item, len(places))
	words := map[string][]string{}
	for i, at := range places {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("recall: %w", ctx.Err())
		}
		r, err := v.Record(hits[at].Row)
		if err != nil {
			items[i].Scope = fmt.Sprint("damaged ", i)
			continue
		}
		if _, known := words[r.Content]; !known {
			words[r.Content] = v.Words(r)
		}
		items[i] = consolidate.Item{ID: r.ID, Scope: scopeOf(r, r.Kind), Text: r.Content, Words: words[r.Content]}
		if vector, err := v.Vector(hits[at].Row); err == nil {
			items[i].Vector = vector
		}
	}
	return items, nil
}
