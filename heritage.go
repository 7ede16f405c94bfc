package engram

import (
	"cmp"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// What stands for other memories, or in their place, hangs together with what they hung together with: else a corrected
// fact would be found by its words only, where the one before it came to mind by what it belongs to.

// tie is an association to be staged.
type tie struct {
	from, to, kind string
	weight         float32
}

// maxInherited bounds the associations that a memory takes over: the heaviest. Chosen.
const maxInherited = 256

// heritage lists the associations that memories have with others, but those of some types, as they are for their heir:
// of equal ones the heaviest.
func heritage(tx *store.Tx, memories []string, heir string, but ...string) ([]tie, error) {
	inside := map[string]bool{heir: true}
	for _, id := range memories {
		inside[id] = true
	}
	at := map[tie]int{}
	var ties []tie
	for _, id := range memories {
		f, _, err := tx.Lookup(id)
		if err != nil {
			return nil, err
		}
		links, err := tx.View().Links(f)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			other, err := tx.View().ID(l.Other)
			if err != nil {
				return nil, err
			}
			if inside[other] || slices.Contains(but, l.Type) {
				continue
			}
			t := tie{from: heir, to: other, kind: l.Type}
			if !l.Outgoing {
				t.from, t.to = t.to, t.from
			}
			i, known := at[t]
			if !known {
				i = len(ties)
				at[t] = i
				ties = append(ties, t)
			}
			ties[i].weight = max(ties[i].weight, l.Weight)
		}
	}
	slices.SortStableFunc(ties, func(a, b tie) int { return cmp.Compare(b.weight, a.weight) })
	return ties[:min(len(ties), maxInherited)], nil
}

// succeed gives a memory the associations of those that it replaced, but what contradicted these, and what the memory
// has been given by its writer.
func succeed(tx *store.Tx, replaced []string, by string) error {
	ties, err := heritage(tx, replaced, by, LinkConsolidates, Contradicts)
	if err != nil {
		return err
	}
	for _, t := range ties {
		if err := isolate.Fault("engram/inherit"); err != nil {
			return err
		}
		own, err := tx.Linked(t.from, t.to, t.kind)
		if err != nil {
			return err
		}
		if own {
			continue
		}
		if err := tx.Link(t.from, t.to, t.kind, t.weight); err != nil {
			return err
		}
	}
	return nil
}
