package recall

import (
	"fmt"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// What became of memories orders those that are relevant: what their uses made of them, and what other sources than
// their own say. The two are bounded together by Weights.Sway times the relevance, so that nothing is found for its
// history alone, and nothing relevant is lost by it.

// history is what a row's history adds to its score, in nats.
type history struct{ use, belief float64 }

func (h history) sum() float64 { return h.use + h.belief }

// past is what is known of a memory's history, if anything is told.
type past struct {
	dynamics.Standing
	told bool
}

// moved reports whether any row's history can count.
func (r *run) moved() bool {
	w := &r.weights
	r.uses, r.believes = w.Use > 0 && !r.off(TermUse), w.Belief > 0 && !r.off(TermBelief)
	if w.Sway == 0 || r.c.Touched == 0 || !r.uses && !r.believes {
		return false
	}
	if r.model = r.q.Model; r.model == nil {
		r.model = dynamics.New(dynamics.DefaultWeights())
	}
	return true
}

// history of a row, as its score has it.
func (r *run) history(facts *Facts, p *past, relevance float64) history {
	if !p.told {
		return history{}
	}
	h := r.plain(facts, p)
	sum, most := h.sum(), r.weights.Sway*relevance
	if sum < 0 {
		sum = -sum
	}
	if sum > most {
		scale := most / sum
		h.use, h.belief = h.use*scale, h.belief*scale
	}
	return h
}

// plain is the history of a row before it is bounded.
func (r *run) plain(facts *Facts, p *past) (h history) {
	w := &r.weights
	if r.uses {
		h.use = w.Use * r.model.Advantage(p.Standing, r.q.Now)
		if facts.Pinned {
			h.use = max(0, h.use) // it is not forgotten
		}
	}
	if r.believes {
		h.belief = w.Belief * float64(p.Gain)
	}
	if c := r.coefficients; c != nil {
		h.use, h.belief = c.use*h.use, c.belief*h.belief
	}
	return h
}

// historyTerms are the terms of a row's history that are not 0.
func (r *run) historyTerms(row uint32) []Term {
	if !r.sways {
		return nil
	}
	facts := r.c.Facts.At(row)
	var p past
	p.Standing, p.told = r.c.Source.Standing(facts.Entry)
	h := r.history(facts, &p, r.relevance(row, facts))
	var terms []Term
	add := func(name string, value float64, detail func() string) {
		if value == 0 {
			return
		}
		t := Term{Name: name, Value: value}
		if r.q.Explain {
			t.Detail = []Part{{Name: detail(), Value: value}}
		}
		terms = append(terms, t)
	}
	state, _ := r.c.Source.History(row)
	add(TermUse, h.use, func() string {
		return fmt.Sprintf("last %.1f days ago, S %.1f days, R %.2f", dynamics.Days(state.LastUse, r.q.Now),
			state.Stability, r.model.StateRetrievability(&state, r.q.Now))
	})
	add(TermBelief, h.belief, func() string {
		return fmt.Sprintf("P %.2f, %d for, %d against",
			state.Tally.Probability(), state.Tally.NumFor, state.Tally.NumAgainst)
	})
	return terms
}
