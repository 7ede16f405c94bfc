package engram_test

import (
	"maps"
	"slices"

	engram "github.com/orchard9/engram-go"
)

// add makes the oracle hold a new memory.
func (o *oracle) add(id string, m *ideal) {
	o.born++
	m.born = o.born
	for i := range m.versions {
		if v := &m.versions[i]; v.Language == "" {
			foundIn(v)
		}
	}
	o.memories[id] = m
}

// unnamed remembers something without an id: what is known already in its scope is reinforced. Now and then the write
// is refused for what it refers to, and comes again later without that.
func (p *player) unnamed() {
	d := engram.Draft{
		Content: p.text(), Session: []string{"", "s1", "s2"}[p.rng.IntN(3)],
		Speaker: []string{"", "Ada", "Bo"}[p.rng.IntN(3)],
	}
	if m, ok := p.oracle.memories[p.anyID()]; ok && p.rng.IntN(2) == 0 {
		was := m.current()
		d = engram.Draft{Content: was.Content, Session: was.Session, Speaker: was.Speaker, Kind: was.Kind}
		if p.rng.IntN(2) == 0 {
			d.OccurredAt, d.Tags, d.Embedding = was.OccurredAt, was.Tags, was.Embedding
		}
	}
	if n := len(p.refused); n > 0 && p.rng.IntN(2) == 0 {
		d, p.refused = p.refused[n-1], p.refused[:n-1]
	}
	if d.Kind == engram.KindConcept {
		d.Kind = "" // one made by hand is none that the oracle knows
	}
	switch p.rng.IntN(4) {
	case 0:
		bad := d
		bad.Links = []engram.Link{{To: "never stored"}}
		_, err := p.w.def().Remember(p.t.Context(), bad)
		p.expect("remember with a link to what is not there", err, engram.ErrNotFound)
		p.refused = append(p.refused, d)
	case 1:
		_, err := p.w.def().RememberBatch(p.t.Context(), []engram.Draft{
			d, d, {Content: "x", Supersedes: []string{"never stored"}},
		})
		p.expect("a batch that supersedes what is not there", err, engram.ErrNotFound)
		p.refused = append(p.refused, d)
	default:
		p.unnamedKept(d)
	}
}

func (p *player) unnamedKept(d engram.Draft) {
	known := p.oracle.inScope(d)
	out, err := p.w.def().Remember(p.t.Context(), d)
	p.expect("remember without an id", err, nil)
	if known != nil {
		want(p.t, "known", out.ID, known.current().ID)
		want(p.t, "met again", out.Result, engram.Reinforced)
		known.reinforced++
		p.toldAgain(known, "")
		return
	}
	want(p.t, "new", out.Result, engram.Created)
	occurred := d.OccurredAt
	if occurred.IsZero() {
		occurred = p.w.clock.tell()
	}
	kind := d.Kind
	if kind == "" {
		kind = engram.DefaultKind
	}
	p.oracle.add(out.ID, &ideal{versions: []engram.Memory{{
		ID: out.ID, Content: d.Content, Kind: kind, Tags: d.Tags, Speaker: d.Speaker, Session: d.Session,
		OccurredAt: occurred, Embedding: d.Embedding, CreatedAt: p.w.clock.tell(),
		UpdatedAt: p.w.clock.tell(), Version: 1,
	}}})
}

// inScope is the oldest memory that says what a draft says, nil if there is none.
func (o *oracle) inScope(d engram.Draft) *ideal {
	var oldest *ideal
	for _, m := range o.memories {
		was := m.current()
		if m.archived() || m.supersededBy != "" || was.Content != d.Content || was.Speaker != d.Speaker ||
			was.Session != d.Session || d.Kind != "" && was.Kind != d.Kind ||
			d.Kind == "" && was.Kind != engram.DefaultKind {
			continue
		}
		if !d.OccurredAt.IsZero() && !was.OccurredAt.Equal(d.OccurredAt) ||
			len(d.Tags) > 0 && !maps.Equal(setOf(was.Tags), setOf(d.Tags)) ||
			d.Embedding != nil && !slices.Equal(was.Embedding, d.Embedding) {
			continue
		}
		if oldest == nil || m.born < oldest.born {
			oldest = m
		}
	}
	return oldest
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}
