package engram_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

// compare holds everything the engine says against the oracle.
func (p *player) compare(s *engram.Space) {
	p.t.Helper()
	for id, m := range p.oracle.memories {
		got, err := s.History(p.t.Context(), id)
		if err != nil {
			p.t.Fatalf("History(%s) = %v", id, err)
		}
		expected := slices.Clone(m.versions)
		last := &expected[len(expected)-1]
		last.Reinforced, last.SupersededBy, last.SupersededAt = m.reinforced, m.supersededBy, m.supersededAt
		last.ArchivedAt, last.ArchivedSpans = m.archivedAt, m.spans
		last.Links = p.linksOf(id)
		for i := range expected {
			expected[i].Confidence, _, _ = p.shown(m, nil, p.w.clock.tell()) // of an older version its writer's word
			if expected[i].Embedding != nil {
				expected[i].EmbeddingModel = p.oracle.model
			}
		}
		last.Confidence, last.Use, last.Belief = p.shown(m, m.life, p.w.clock.tell())
		for i := range got {
			got[i].Tier = ""
			rounded(&got[i])
			if i == len(got)-1 {
				if m.supersededBy != "" {
					got[i].ValidUntil = time.Time{}
				}
			}
		}
		want(p.t, "history of "+id, got, expected)
	}
	p.compareRecall(s)
	p.comparePast(s)
}

func (p *player) linksOf(id string) []engram.Association {
	var out []engram.Association
	for k, weight := range p.oracle.links {
		switch id {
		case k[0]:
			out = append(out, engram.Association{To: k[1], Type: k[2], Weight: weight})
		case k[1]:
			out = append(out, engram.Association{To: k[0], Type: k[2], Weight: weight, Incoming: true})
		}
	}
	slices.SortFunc(out, func(a, b engram.Association) int {
		if c := cmp.Or(strings.Compare(a.To, b.To), strings.Compare(a.Type, b.Type)); c != 0 {
			return c
		}
		if a.Incoming == b.Incoming {
			return 0
		}
		if b.Incoming {
			return -1
		}
		return 1
	})
	return out
}

// compareRecall checks which memories can be recalled at all: those that hold a word of the question, or hang
// together with one that does, and nothing that is archived, superseded, erased or an old version.
func (p *player) compareRecall(s *engram.Space) {
	p.t.Helper()
	word := oracleWords[p.rng.IntN(len(oracleWords))]
	// The oracle knows no likeness of words.
	cue := engram.Cue{Text: word, Limit: 1000, Without: []string{"spelling"}, Repeats: true}
	answer, err := s.Recall(p.t.Context(), cue)
	if err != nil {
		p.t.Fatalf("Recall = %v", err)
	}
	byWords := map[string]bool{}
	for _, h := range answer.Hits {
		m, ok := p.oracle.memories[h.ID]
		if !ok || m.archived() || m.supersededBy != "" || m.current().Content != h.Content {
			p.t.Fatalf("Recall(%s) gave %q: %q, the oracle says %+v", word, h.ID, h.Content, m)
		}
		byWords[h.ID] = slices.ContainsFunc(h.Why, func(t engram.Term) bool { return t.Name == "words" })
	}
	searched := 0
	for id, m := range p.oracle.memories {
		if m.archived() || m.supersededBy != "" {
			continue
		}
		searched++
		if has := slices.Contains(strings.Fields(m.current().Content), word); has != byWords[id] {
			p.t.Fatalf("Recall(%s): %s with %q by words: %v", word, id, m.current().Content, byWords[id])
		}
	}
	want(p.t, "searched", answer.Searched, searched)
	p.compareDistinct(s, cue, answer)
}

func sortedLines(s string) []string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return lines
}
