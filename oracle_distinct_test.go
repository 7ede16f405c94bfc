package engram_test

import (
	"slices"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// compareDistinct checks that an answer without repeats tells of the same memories as one with them, each once and the
// best first: as a hit, or in one whose words hold all of its own or are all among them, if no vectors say so.
func (p *player) compareDistinct(s *engram.Space, cue engram.Cue, all engram.Answer) {
	p.t.Helper()
	place := map[string]int{}
	for i, h := range all.Hits {
		place[h.ID] = i + 1
	}
	cue.Repeats = false
	answer, err := s.Recall(p.t.Context(), cue)
	if err != nil {
		p.t.Fatalf("Recall = %v", err)
	}
	told, last := map[string]bool{}, 0
	for _, h := range answer.Hits {
		for i, id := range append([]string{h.ID}, h.Similar...) {
			if place[id] == 0 || told[id] || i == 0 && place[id] < last || i > 0 && place[id] < place[h.ID] {
				p.t.Fatalf("Recall(%s): %s is not in its place; hits %+v", cue.Text, id, answer.Hits)
			}
			told[id] = true
			a, b := p.oracle.memories[h.ID].current(), p.oracle.memories[id].current()
			if !within(a.Content, b.Content) && !within(b.Content, a.Content) &&
				(a.Embedding == nil || b.Embedding == nil) {
				p.t.Fatalf("Recall(%s): %q is told to say the same as %q", cue.Text, b.Content, a.Content)
			}
		}
		last = place[h.ID]
	}
	want(p.t, "memories in an answer without repeats", len(told), len(all.Hits))
}

// within reports whether all words of a, other than stop words, are in b.
func within(a, b string) bool {
	there := strings.Fields(b)
	return !slices.ContainsFunc(strings.Fields(a), func(word string) bool {
		return slices.Contains(oracleWords, word) && !slices.Contains(there, word)
	})
}
