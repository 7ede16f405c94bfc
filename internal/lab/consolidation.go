package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

func consolidations(p *published) []experiment {
	pt := p.points
	const dropped = "provenance: the space is copied without what concepts cite (export, import)"
	return []experiment{{
		row: Row{
			ID: "C1", Replicates: "consolidation: 200 facts told five times in other words and 300 told once become " +
				"fewer, nothing is lost, and all of it can be undone",
			Source: "arXiv 2605.08538 (excerpt)",
			Published: fmt.Sprintf("%.0f %% fewer at a precision of %.1f %%", 100*pt["consolidation_smaller"],
				100*pt["consolidation_precision"]),
			NotClaimed: "restatements that share no words: without vectors the engine does not know synonyms",
		},
		run: func(b *bench) (finding, error) { return smaller(b, false) },
		off: dropped, ablated: func(b *bench) (finding, error) { return smaller(b, true) },
	}, {
		row: Row{
			ID: "C2", Replicates: "a second pass changes nothing, and a later restatement joins the concept there is",
			Source: "the engine's model", Published: "none: a rule of the model",
		},
		run: func(b *bench) (finding, error) { return again(b, false) },
		off: dropped, ablated: func(b *bench) (finding, error) { return again(b, true) },
	}, {
		row: Row{
			ID: "C3",
			Replicates: "a pass cut off anywhere leaves each cluster as it was or as it is to be, and every " +
				"member cited",
			Source: "the engine's model", Published: "none: a rule of the model",
		},
		run: func(b *bench) (finding, error) { return cutOff(b, false) },
		off: dropped, ablated: func(b *bench) (finding, error) { return cutOff(b, true) },
	}}
}

// restated is a memory of a fact: of a cluster, or with cluster -1 of one that is told once.
type restated struct {
	cluster int
	draft   engram.Draft
}

// vocabulary is what facts are made of: who, deed, colour, thing, place.
func vocabulary() [][]string {
	return [][]string{
		strings.Fields("Ada Bo Ines Wen Tariq Lena Oskar Mira Paulo Greta Nils Farah Ivo Selma Ruben Edda Jonas Kaja " +
			"Luca Noor"),
		strings.Fields("bought repaired painted sold borrowed cleaned measured packed carried sketched"),
		strings.Fields("green blue red yellow black white orange purple silver golden"),
		strings.Fields("ladder kettle bicycle lantern piano compass mirror blanket telescope anchor barrel violin"),
		strings.Fields("harbour station library bakery museum orchard chapel market quarry lighthouse"),
	}
}

// phrasings say the same with the same salient words.
func phrasings() []string {
	return []string{
		"%[1]s %[2]s the %[3]s %[4]s at the %[5]s", "At the %[5]s, %[1]s %[2]s a %[3]s %[4]s.",
		"It was %[1]s who %[2]s the %[4]s, the %[3]s one, at the %[5]s!", "%[1]s has %[2]s that %[3]s %[4]s (at the " +
			"%[5]s)",
		"the %[3]s %[4]s was %[2]s by %[1]s at the %[5]s", "%[1]s: %[3]s %[4]s %[2]s at the %[5]s",
	}
}

// restatements makes clusters of restatements, and facts told once of which every other one differs from a cluster in
// nothing but a value.
func restatements(r *rand.Rand, clusters, members, once int) (all []restated) {
	words := vocabulary()
	used := map[string]bool{}
	fact := func() []any {
		for {
			var out []any
			for _, list := range words {
				out = append(out, list[r.IntN(len(list))])
			}
			if key := fmt.Sprint(out...); !used[key] {
				used[key] = true
				return out
			}
		}
	}
	add := func(cluster int, of []any) {
		all = append(all, restated{cluster, engram.Draft{
			Content: fmt.Sprintf(phrasings()[r.IntN(len(phrasings()))], of...),
			Source:  fmt.Sprint("source", len(all)%7), Session: fmt.Sprint("s", r.IntN(40)),
			OccurredAt: start.Add(time.Duration(len(all)) * time.Hour),
		}})
	}
	var facts [][]any
	for c := range clusters {
		facts = append(facts, fact())
		for range members {
			add(c, facts[c])
		}
	}
	for i := range once {
		of := fact()
		if i%2 == 0 {
			near := slices.Clone(facts[i%clusters])
			near[2+i%4/2] = fmt.Sprint("tartan", i)
			of = near
		}
		add(-1, of)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		all[i].draft.ID = fmt.Sprintf("m%05d", i)
	}
	return all
}

// told stores them in a space.
func (s *subject) restate(all []restated) (clusterOf map[string]int) {
	clusterOf = map[string]int{}
	var drafts []engram.Draft
	for _, m := range all {
		drafts, clusterOf[m.draft.ID] = append(drafts, m.draft), m.cluster
	}
	s.rememberAll(drafts)
	return clusterOf
}

func (s *subject) consolidate(o engram.ConsolidateOptions) engram.Consolidation {
	if s.err != nil {
		return engram.Consolidation{}
	}
	out, err := s.s.Consolidate(s.b.ctx, o)
	s.keep(err)
	return out
}

// memories is the space's export as far as it is about memories.
func (s *subject) memories() string {
	var out bytes.Buffer
	if s.err == nil {
		_, err := s.s.Export(s.b.ctx, &out)
		s.keep(err)
	}
	var kept strings.Builder
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, `"content":`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// uncited copies a space without the associations from concepts to what they stand for.
func (s *subject) uncited() (*subject, error) {
	var out bytes.Buffer
	for line := range strings.Lines(s.memories()) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var fields map[string]any
		if err := d.Decode(&fields); err != nil {
			return nil, err
		}
		if links, ok := fields["links"].([]any); ok {
			fields["links"] = slices.DeleteFunc(links, func(l any) bool {
				one, ok := l.(map[string]any)
				return ok && one["type"] == engram.LinkConsolidates
			})
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return nil, err
		}
		out.Write(append(text, '\n'))
	}
	now := s.b.clock.Load()
	bare, err := s.b.space()
	if err != nil {
		return nil, err
	}
	s.b.clock.Store(now)
	if _, err := bare.s.Import(s.b.ctx, &out, engram.ImportOptions{Strict: true}); err != nil {
		return nil, err
	}
	return bare, s.err
}

// firstRight is how many of the clusters are what the best hit is about, asked by the text of one of their members.
func (s *subject) firstRight(all []restated, clusterOf map[string]int) float64 {
	asked := map[int]bool{}
	right := 0.0
	for _, m := range all {
		if m.cluster < 0 || asked[m.cluster] {
			continue
		}
		asked[m.cluster] = true
		hits := s.recall(engram.Cue{Text: m.draft.Content, Limit: 1}).Hits
		if len(hits) > 0 && clusterOf[hits[0].ID] == m.cluster {
			right++
		}
	}
	return right / float64(len(asked))
}

// cites are the memories that a concept stands for.
func (s *subject) cites(concept string) (ids []string) {
	for _, l := range s.get(concept).Links {
		if l.Type == engram.LinkConsolidates && !l.Incoming {
			ids = append(ids, l.To)
		}
	}
	return ids
}

// smaller is C1.
func smaller(b *bench, dropped bool) (f finding, err error) {
	s, err := b.space()
	if err != nil {
		return f, err
	}
	const clusters, members, once, seed = 200, 5, 300, 1
	all := restatements(rand.New(rand.NewPCG(seed, 5)), clusters, members, once)
	clusterOf := s.restate(all)
	before, recalled := s.memories(), s.firstRight(all, clusterOf)
	s.day(100)
	report := s.consolidate(engram.ConsolidateOptions{})
	merged := 0
	for _, c := range report.Concepts {
		clusterOf[c.ID] = clusterOf[c.Members[0]]
		for _, id := range c.Members {
			if clusterOf[id] != clusterOf[c.ID] || clusterOf[id] < 0 {
				merged++
			}
		}
	}
	if dropped {
		if s, err = s.uncited(); err != nil {
			return f, err
		}
	}
	less := float64(report.Archived-len(report.Concepts)) / float64(len(all))
	lost := recalled - s.firstRight(all, clusterOf)
	cited, undone := 0, 0
	for _, c := range report.Concepts {
		if slices.Equal(s.cites(c.ID), c.Members) {
			cited++
		}
		if _, err := s.s.UndoConsolidation(b.ctx, c.ID); err == nil {
			undone++
		}
	}
	bound := &b.published.bounds
	f.engine = fmt.Sprintf("%.1f %% fewer, %d merged wrongly, recall@1 %.3f less; %d of %d concepts cite all they "+
		"stand for, %d undone",
		100*less, merged, lost, cited, len(report.Concepts), undone)
	f.check(less >= bound.Smaller, "%.1f %% fewer, at least %.0f %% are wanted", 100*less, 100*bound.Smaller)
	f.check(merged == 0, "%d memories are in the concept of another fact", merged)
	f.check(lost <= bound.RecallLost, "recall@1 loses %.3f, at most %v is allowed", lost, bound.RecallLost)
	f.check(cited == len(report.Concepts), "%d concepts do not cite what they stand for", len(report.Concepts)-cited)
	f.check(undone == len(report.Concepts), "%d concepts cannot be undone", len(report.Concepts)-undone)
	f.check(s.memories() == before, "undone, the memories are not what they were")
	return f, s.err
}

// again is C2.
func again(b *bench, dropped bool) (f finding, err error) {
	s, err := b.space()
	if err != nil {
		return f, err
	}
	const clusters, members, once, seed = 20, 4, 30, 2
	all := restatements(rand.New(rand.NewPCG(seed, 5)), clusters, members, once)
	clusterOf := s.restate(all)
	s.day(100)
	first := s.consolidate(engram.ConsolidateOptions{})
	if dropped {
		if s, err = s.uncited(); err != nil {
			return f, err
		}
	}
	after := s.memories()
	second := s.consolidate(engram.ConsolidateOptions{})
	f.check(second.Archived == 0 && s.memories() == after, "a second pass archives %d memories", second.Archived)
	i := slices.IndexFunc(all, func(m restated) bool { return m.cluster == 0 })
	late := all[i].draft
	late.ID, late.Content, late.Session = "late", "Once more: "+late.Content, ""
	s.remember(late)
	third := s.consolidate(engram.ConsolidateOptions{})
	joined := ""
	for _, c := range third.Concepts {
		if c.Joined {
			joined = c.ID
		}
	}
	own := slices.ContainsFunc(first.Concepts, func(c engram.Concept) bool {
		return c.ID == joined && clusterOf[c.Members[0]] == 0
	})
	f.check(own && len(third.Concepts) == 1, "the restatement joins no concept of its own fact")
	f.engine = fmt.Sprintf("first pass archives %d, second %d; of a later restatement %d joins a concept",
		first.Archived, second.Archived, third.Archived)
	return f, s.err
}
