package engram_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

func (p *player) link() {
	from, to := p.anyID(), p.anyID()
	weight := float64(p.rng.IntN(11)) / 10
	err := p.w.def().Link(p.t.Context(), from, engram.Link{To: to, Weight: &weight})
	_, okFrom := p.oracle.memories[from]
	_, okTo := p.oracle.memories[to]
	switch {
	case !okFrom || !okTo && from != to:
		p.expect("link", err, engram.ErrNotFound)
	case from == to:
		p.expect("link to itself", err, engram.ErrInvalid)
	default:
		p.expect("link", err, nil)
		p.oracle.links[[3]string{from, to, "relates_to"}] = weight
	}
}

func (p *player) unlink() {
	links := maps.Clone(p.oracle.links)
	maps.DeleteFunc(links, func(k [3]string, _ float64) bool { return k[2] == engram.LinkConsolidates })
	keys := slices.SortedFunc(maps.Keys(links), func(a, b [3]string) int {
		return strings.Compare(strings.Join(a[:], " "), strings.Join(b[:], " "))
	})
	if len(keys) == 0 {
		return
	}
	k := keys[p.rng.IntN(len(keys))]
	removed, err := p.w.def().Unlink(p.t.Context(), k[0], k[1], k[2])
	p.expect("unlink", err, nil)
	want(p.t, "removed", removed, true)
	delete(p.oracle.links, k)
}

func (p *player) supersede() {
	old := p.anyID()
	m, ok := p.oracle.memories[old]
	p.next++
	d := engram.Draft{ID: fmt.Sprintf("m%d", p.next), Content: p.text(), Supersedes: []string{old}, OccurredAt: day(21)}
	_, err := p.w.def().Remember(p.t.Context(), d)
	switch {
	case !ok:
		p.expect("supersede nobody", err, engram.ErrNotFound)
	case m.supersededBy != "":
		p.expect("supersede twice", err, engram.ErrConflict)
	default:
		p.expect("supersede", err, nil)
		p.inherit(old, d.ID)
		m.supersededBy, m.supersededAt = d.ID, p.w.clock.tell()
		if c := p.conceptOf(old); m.archived() && c != "" {
			if m := p.oracle.memories[c]; !m.archived() && m.supersededBy == "" {
				p.inherit(c, d.ID)
				m.supersededBy, m.supersededAt = d.ID, p.w.clock.tell()
			}
		}
		p.oracle.add(d.ID, &ideal{versions: []engram.Memory{{
			ID: d.ID, Content: d.Content, Kind: "note", OccurredAt: d.OccurredAt,
			CreatedAt: p.w.clock.tell(), UpdatedAt: p.w.clock.tell(), Version: 1,
		}}})
	}
}

// inherit gives the associations of a memory that was replaced to what replaced it.
func (p *player) inherit(old, by string) {
	for k, weight := range maps.Clone(p.oracle.links) {
		if k[2] == engram.LinkConsolidates || k[2] == engram.Contradicts || k[0] != old && k[1] != old {
			continue
		}
		if k[0] == old {
			k[0] = by
		} else {
			k[1] = by
		}
		p.oracle.links[k] = max(p.oracle.links[k], weight)
	}
}
