package recall

import (
	"cmp"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/lexical"
)

// What the best by words have in common is asked for too: relevance models (V. Lavrenko, W. B. Croft, SIGIR 2001), as
// the expansion RM3 mixes them with the question. RM3 gives what it adds a weight of its own; here a term weighs in
// proportion to its share of what the best say, so that memories that say little of one thing and much of others add
// less. A long memory says more about its subject than a question does; a short one says little else than what was
// found already, so the step counts for as much as memories are long (lexical.View.Long). docs/design/0012 has what it
// does, measured on other questions than those that chose the numbers, and on other collections.
const (
	topicMemories    = 5   // that are read
	topicTerms       = 20  // that are asked for besides
	topicCandidates  = 64  // of which it is looked up how rare they are
	topicWeight      = 1.5 // of a term that is all that the best say, beside all of the question's own
	topicTemperature = .1  // of the softmax over the best by words, beside a best of 1
	topicSmoothing   = 10  // words that each memory is taken to be longer
	topicFewest      = 2   // memories that must hold a term
)

// byTopic adds to the question terms of the best by words, and scores members by them. A memory that cannot be read is
// passed over.
func (r *run) byTopic(view lexical.View) error {
	long := view.Long()
	if long == 0 || len(r.touched) == 0 || r.off(StepTopic) {
		return nil
	}
	best, err := top(r.ctx, r.touched, topicMemories, func(row uint32) float64 { return r.words[row] }, r.c.Source.ID)
	if err != nil {
		return err
	}
	terms := r.topicOf(best, view)
	asked := 0.0
	for _, t := range r.question.Terms {
		asked += t.Weight
	}
	for i := range terms {
		terms[i].Weight *= topicWeight * long * asked
		terms[i].For = StepTopic
	}
	if err := r.addWords(lexical.Query{Terms: terms}, view); err != nil {
		return err
	}
	r.question.Terms = append(r.question.Terms, terms...)
	return nil
}

// topicOf gives the terms that say most about what memories have in common, other than the question's own, with the
// probability of each.
func (r *run) topicOf(best []keyed[float64], view lexical.View) []lexical.QueryTerm {
	share := func(b keyed[float64]) float64 { return math.Exp((b.key/best[0].key - 1) / topicTemperature) }
	all := 0.0
	for _, b := range best {
		all += share(b)
	}
	probability := map[string]float64{}
	for _, b := range best {
		text, err := r.c.Source.Text(b.row)
		if err != nil {
			continue
		}
		terms := r.c.Words.Analyze(text, view).Terms
		length := float64(topicSmoothing)
		for _, t := range terms {
			length += t.Weight
		}
		for _, t := range terms {
			if !t.Aside {
				probability[t.Term] += share(b) / all * t.Weight / length
			}
		}
	}
	for _, t := range r.question.Terms {
		delete(probability, t.Term)
	}
	terms := make([]lexical.QueryTerm, 0, len(probability))
	for term, p := range probability {
		terms = append(terms, lexical.QueryTerm{Term: term, Weight: p})
	}
	terms = mostly(terms, topicCandidates, func(t lexical.QueryTerm) float64 { return t.Weight })
	rarity := make(map[string]float64, len(terms))
	terms = slices.DeleteFunc(terms, func(t lexical.QueryTerm) bool {
		n := r.c.Words.Holders(t.Term, view)
		rarity[t.Term] = math.Log(1 + (float64(view.Docs-n)+.5)/(float64(n)+.5))
		return n < topicFewest
	})
	return mostly(terms, topicTerms, func(t lexical.QueryTerm) float64 { return t.Weight * rarity[t.Term] })
}

// mostly gives the n terms of the largest value, the largest first; equal ones in alphabetical order.
func mostly(terms []lexical.QueryTerm, n int, value func(lexical.QueryTerm) float64) []lexical.QueryTerm {
	slices.SortFunc(terms, func(a, b lexical.QueryTerm) int {
		return cmp.Or(cmp.Compare(value(b), value(a)), cmp.Compare(a.Term, b.Term))
	})
	return terms[:min(n, len(terms))]
}
