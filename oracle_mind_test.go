package engram_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
)

// restate remembers one thing three or four times.
func (p *player) restate() {
	words := slices.Clone(oracleWords)
	p.rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	words = words[:3+p.rng.IntN(4)]
	speaker := []string{"", "Ada", "Bo"}[p.rng.IntN(3)]
	for range 3 + p.rng.IntN(2) {
		p.rng.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		p.next++
		d := engram.Draft{
			ID: fmt.Sprintf("m%d", p.next), Content: strings.Join(words, " "), Speaker: speaker,
			OccurredAt: day(1 + p.rng.IntN(20)),
		}
		out, err := p.w.def().Remember(p.t.Context(), d)
		p.expect("restate", err, nil)
		p.oracle.add(d.ID, &ideal{versions: []engram.Memory{{
			ID: d.ID, Content: d.Content, Kind: "note", Speaker: speaker, OccurredAt: d.OccurredAt,
			CreatedAt: p.w.clock.tell(), UpdatedAt: p.w.clock.tell(), Version: 1,
		}}})
		p.learn(d, out)
	}
}

// consolidate makes a pass, checks what it reports against the oracle, and notes it there.
func (p *player) consolidate() {
	report, err := p.w.def().Consolidate(p.t.Context(), engram.ConsolidateOptions{Undone: p.rng.IntN(2) == 0})
	p.expect("consolidate", err, nil)
	later := map[string]bool{} // concepts of this pass that the oracle does not hold yet
	for _, c := range report.Concepts {
		later[c.ID] = true
	}
	for _, c := range report.Concepts {
		delete(later, c.ID)
		got, err := p.w.def().Get(p.t.Context(), c.ID)
		p.expect("get of a concept", err, nil)
		var texts []string
		met := 0
		for _, id := range c.Members {
			m := p.oracle.memories[id]
			if m == nil || m.archived() || m.supersededBy != "" || m.current().Speaker != got.Speaker {
				p.t.Fatalf("concept %+v consolidates %s, which is %+v", got, id, m)
			}
			texts = append(texts, m.current().Content)
			met += 1 + m.reinforced
		}
		ideal, known := p.oracle.memories[c.ID], p.oracle.concepts[c.ID]
		if known != c.Joined || !known && (!slices.Contains(texts, c.Content) || len(texts) < 3) {
			p.t.Fatalf("concept %+v of %q", c, texts)
		}
		// What a concept has with a later one came from that one's members, which are checked there.
		got.Links = slices.DeleteFunc(got.Links, func(l engram.Association) bool { return later[l.To] })
		p.noteConcept(c, got, ideal, met)
	}
	again, err := p.w.def().Consolidate(p.t.Context(), engram.ConsolidateOptions{})
	p.expect("consolidate again", err, nil)
	want(p.t, "consolidated again", again.Archived, 0)
}

// noteConcept makes the oracle hold a concept as it was read, after checking what can be told from the members.
func (p *player) noteConcept(c engram.Concept, got engram.Memory, was *ideal, met int) {
	for _, l := range got.Links {
		k := [3]string{c.ID, l.To, l.Type}
		if l.Incoming {
			k = [3]string{l.To, c.ID, l.Type}
		}
		_, had := p.oracle.links[k]
		member := slices.Contains(c.Members, l.To) && l.Type == engram.LinkConsolidates && !l.Incoming
		if !had && !member && p.heaviest(c.Members, l) != l.Weight {
			p.t.Fatalf("concept %s has the association %+v, which no member had", c.ID, l)
		}
		p.oracle.links[k] = l.Weight
	}
	version := got
	version.Links, version.Reinforced, version.Tier, version.ArchivedSpans = nil, 0, "", nil
	version.Use, version.Belief = nil, nil
	if was == nil {
		was = &ideal{reinforced: -1}
		p.oracle.add(c.ID, was)
		p.oracle.concepts[c.ID] = true
	}
	if n := len(was.versions); n == 0 || was.versions[n-1].Version < version.Version {
		was.versions = append(was.versions, version)
	}
	was.reinforced += met
	p.joinLives(was, c.Members)
	for _, id := range c.Members {
		p.oracle.memories[id].archivedAt = p.w.clock.tell()
		if p.oracle.links[[3]string{c.ID, id, engram.LinkConsolidates}] != 1 {
			p.t.Fatalf("concept %s does not cite %s", c.ID, id)
		}
	}
}

// joinLives gives a concept what was made of the uses of its members, and what was said of them.
func (p *player) joinLives(concept *ideal, members []string) {
	type one struct {
		life
		at time.Time
	}
	var all []one
	add := func(m *ideal) {
		l := m.life
		at := m.judgedAt
		if l == nil {
			own := dynamics.NewEvidence("", true, p.oracle.reliability("").Mean())
			l = &life{
				state: curve.Fresh(m.versions[0].CreatedAt.UnixNano(), own), evidence: []dynamics.Evidence{own},
				verdicts: map[[2]string]bool{},
			}
			at = m.versions[0].CreatedAt
		}
		all = append(all, one{*l, at})
	}
	if concept.life != nil {
		add(concept)
	}
	for _, id := range members {
		add(p.oracle.memories[id])
	}
	slices.SortStableFunc(all, func(a, b one) int { return a.at.Compare(b.at) })
	out := life{state: all[0].state, evidence: slices.Clone(all[0].evidence), verdicts: maps.Clone(all[0].verdicts)}
	for _, more := range all[1:] {
		st := &out.state
		if more.state.Stability > st.Stability {
			st.Stability, st.Difficulty = more.state.Stability, more.state.Difficulty
		}
		st.Since, st.LastUse = min(st.Since, more.state.Since), max(st.LastUse, more.state.LastUse)
		st.LabileTill, st.Lapse = max(st.LabileTill, more.state.LabileTill), max(st.Lapse, more.state.Lapse)
		if st.Lapse <= st.LastUse {
			st.Lapse = 0
		}
		for _, e := range more.evidence {
			out.hear(e)
			i := slices.IndexFunc(out.evidence, func(known dynamics.Evidence) bool { return known.Source == e.Source })
			out.evidence = slices.Clone(out.evidence)
			out.evidence[i].LogOdds = max(out.evidence[i].LogOdds, e.LogOdds) // as surely as it ever spoke
		}
		maps.Copy(out.verdicts, more.verdicts)
	}
	out.state.Learn(out.evidence)
	concept.life, concept.judgedAt = &out, p.w.clock.tell()
}

// heaviest is the weight of the heaviest association of that kind among members.
func (p *player) heaviest(members []string, l engram.Association) float64 {
	most := -1.
	for _, id := range members {
		k := [3]string{id, l.To, l.Type}
		if l.Incoming {
			k = [3]string{l.To, id, l.Type}
		}
		if w, ok := p.oracle.links[k]; ok {
			most = max(most, w)
		}
	}
	return most
}

// replacedWith makes a member that is active again superseded as its concept was.
func (p *player) replacedWith(concept string, m *ideal) {
	c := p.oracle.memories[concept]
	if c == nil || c.supersededBy == "" || m.supersededBy != "" || c.supersededBy == m.current().ID {
		return
	}
	m.supersededBy, m.supersededAt = c.supersededBy, c.supersededAt
	for _, s := range p.oracle.past {
		if was := s.memories[m.current().ID]; was.memory == m && !s.at.Before(c.supersededAt) {
			was.supersededBy = c.supersededBy
			s.memories[m.current().ID] = was
		}
	}
}

// conceptOf is the concept that cites a memory, "" if none does.
func (p *player) conceptOf(id string) string {
	for k := range p.oracle.links {
		if k[1] == id && k[2] == engram.LinkConsolidates {
			return k[0]
		}
	}
	return ""
}

// undo takes a concept apart, or tries to with a memory that is none.
func (p *player) undo() {
	id := p.anyID()
	if ids := slices.Sorted(maps.Keys(p.oracle.concepts)); len(ids) > 0 && p.rng.IntN(4) > 0 {
		id = ids[p.rng.IntN(len(ids))]
	}
	undone, err := p.w.def().UndoConsolidation(p.t.Context(), id)
	if _, ok := p.oracle.memories[id]; !ok {
		p.expect("undo of nobody", err, engram.ErrNotFound)
		return
	}
	cites, restored := 0, []string{}
	for k := range p.oracle.links {
		if k[0] != id || k[2] != engram.LinkConsolidates {
			continue
		}
		cites++
		if m := p.oracle.memories[k[1]]; m.archived() {
			restored = append(restored, k[1])
		}
	}
	if cites == 0 {
		p.expect("undo of a memory", err, engram.ErrConflict)
		return
	}
	p.expect("undo", err, nil)
	slices.Sort(restored)
	want(p.t, "undone", undone.Restored, restored)
	for _, member := range restored {
		p.neverArchived(p.oracle.memories[member])
		p.replacedWith(id, p.oracle.memories[member])
	}
	p.oracle.erase(id)
}
