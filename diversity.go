package engram

import (
	"fmt"

	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// distinctOf is how many hits are looked at for each distinct one: chosen.
const distinctOf = 4

// choice is one hit of an answer.
type choice struct {
	place   int // among those found
	similar []string
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
	hits = hits[:min(len(hits), limit*distinctOf)]
	items := make([]consolidate.Item, len(hits))
	for i := range hits {
		r, err := v.Record(hits[i].Row)
		if err != nil {
			return nil, fmt.Errorf("read hit: %w", err)
		}
		vector, err := v.Vector(hits[i].Row)
		if err != nil {
			return nil, fmt.Errorf("read vector of hit: %w", err)
		}
		items[i] = consolidate.Item{
			ID: r.ID, Scope: scopeOf(r, r.Kind), Text: r.Content, Words: words(corpus, r.Content), Vector: vector,
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
