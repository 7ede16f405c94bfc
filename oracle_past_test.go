package engram_test

import (
	"errors"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// snapshot is what was known after a step, in plain maps.
type snapshot struct {
	at       time.Time
	memories map[string]pastIdeal
}

// pastIdeal is what a memory was at a snapshot. Its versions only grow, so their number then says which it had.
type pastIdeal struct {
	memory       *ideal
	versions     int
	archived     bool
	supersededBy string
	life         *life
}

func (i *ideal) archived() bool { return !i.archivedAt.IsZero() }

// remind keeps what is known now.
func (p *player) remind() {
	s := snapshot{at: p.w.clock.tell(), memories: map[string]pastIdeal{}}
	for id, m := range p.oracle.memories {
		s.memories[id] = pastIdeal{m, len(m.versions), m.archived(), m.supersededBy, m.life.clone()}
	}
	p.oracle.past = append(p.oracle.past, s)
}

// neverArchived makes a memory active as if it had not been archived the last time: undo is that, not a restoring.
func (p *player) neverArchived(m *ideal) {
	id := m.current().ID
	for _, s := range p.oracle.past {
		if was := s.memories[id]; was.memory == m && !s.at.Before(m.archivedAt) {
			was.archived = false
			s.memories[id] = was
		}
	}
	m.archivedAt = time.Time{}
	p.oracle.stale(id, m.current().Version) // the version is stored anew
}

// asOf is what was known at an instant of what has not been erased since.
func (o *oracle) asOf(at time.Time) map[string]pastIdeal {
	known := map[string]pastIdeal{}
	i, _ := slices.BinarySearchFunc(o.past, at, func(s snapshot, at time.Time) int {
		if s.at.After(at) {
			return 1
		}
		return -1
	})
	if i == 0 {
		return known
	}
	for id, m := range o.past[i-1].memories {
		if o.memories[id] == m.memory {
			known[id] = m
		}
	}
	return known
}

// comparePast holds what the engine says of a moment in the past against the oracle.
func (p *player) comparePast(s *engram.Space) {
	p.t.Helper()
	if len(p.oracle.past) == 0 {
		return
	}
	moment := p.oracle.past[p.rng.IntN(len(p.oracle.past))].at.Add(time.Duration(p.rng.IntN(3)-1) * time.Second)
	known := p.oracle.asOf(moment)
	for id := range p.oracle.memories {
		got, err := s.GetAt(p.t.Context(), id, moment)
		m, ok := known[id]
		if !ok {
			if !errors.Is(err, engram.ErrNotFound) {
				p.t.Fatalf("GetAt(%s, %v) = %+v, %v, want not found", id, moment, got, err)
			}
			continue
		}
		version := m.memory.versions[m.versions-1]
		archived := !got.ArchivedAt.IsZero()
		want(p.t, "past content of "+id, []any{got.Content, got.Version, got.SupersededBy, archived, err},
			[]any{version.Content, version.Version, m.supersededBy, m.archived, nil})
		confidence, use, belief := p.shown(m.memory, m.life, moment)
		rounded(&got)
		want(p.t, "past use and belief of "+id, []any{got.Confidence, got.Use, got.Belief},
			[]any{confidence, use, belief})
	}
	word := oracleWords[p.rng.IntN(len(oracleWords))]
	p.compareRecallAsOf(s, known, engram.Cue{
		Text: word, Limit: 1000, AsOf: moment, Without: []string{"spelling"}, Repeats: true,
	})
	p.compareRecallAsOf(s, known, engram.Cue{
		Text: word, Limit: 1000, AsOf: moment, ValidAt: day(15), Without: []string{"spelling"}, Repeats: true,
	})
}

// compareRecallAsOf checks what can be recalled of a moment: what was active then, with the words of then.
func (p *player) compareRecallAsOf(s *engram.Space, known map[string]pastIdeal, cue engram.Cue) {
	p.t.Helper()
	answer, err := s.Recall(p.t.Context(), cue)
	if err != nil {
		p.t.Fatalf("Recall(%+v) = %v", cue, err)
	}
	taking := map[string]string{} // id -> content
	for id, m := range known {
		if !m.archived && (m.supersededBy == "" || !cue.ValidAt.IsZero()) {
			taking[id] = m.memory.versions[m.versions-1].Content
		}
	}
	want(p.t, "searched of the past", answer.Searched, len(taking))
	byWords := map[string]bool{}
	for _, h := range answer.Hits {
		content, ok := taking[h.ID]
		if !ok || content != h.Content || h.SupersededBy != known[h.ID].supersededBy {
			p.t.Fatalf("Recall(%+v) gave %+v, the oracle says %q, %v", cue, h.Memory, content, ok)
		}
		byWords[h.ID] = slices.ContainsFunc(h.Why, func(t engram.Term) bool { return t.Name == "words" })
	}
	for id, content := range taking {
		if has := slices.Contains(strings.Fields(content), cue.Text); has != byWords[id] {
			p.t.Fatalf("Recall(%+v): %s with %q by words: %v", cue, id, content, byWords[id])
		}
	}
}

// forgetInPast takes the id of an erased memory out of what superseded others.
func (o *oracle) forgetInPast(id string) {
	for _, s := range o.past {
		for other, m := range s.memories {
			if m.supersededBy == id {
				m.supersededBy = "(erased)"
				s.memories[other] = m
			}
		}
	}
}
