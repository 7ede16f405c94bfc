package recall

import (
	"context"
	"fmt"
)

// Scoring is a recall that has come as far as ranking: its candidates are chosen, and the score of each can be computed
// as often as one likes. It is for measuring what that costs, beside what Recall costs as a whole. It is not safe for
// concurrent use.
type Scoring struct{ r run }

// Scoring goes as far with q as ranking. Errors are those of [Engine.Recall].
func (e *Engine) Scoring(ctx context.Context, c *Corpus, q Query) (*Scoring, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	s := &Scoring{r: run{ctx: ctx, c: c, q: &q, memory: newMemory()}}
	r := &s.r
	r.weigh()
	for _, step := range []func() error{r.populate, r.byWords, r.byMeaning, r.byAsked, r.byAssociation} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("score: %w", err)
		}
	}
	r.sways = r.moved()
	r.candidates()
	return s, nil
}

// Candidates are the rows that are ranked. Nobody may write to them.
func (s *Scoring) Candidates() []uint32 { return s.r.chosen }

// Score is the whole score of a candidate: everything that becomes a term of it.
func (s *Scoring) Score(row uint32) float64 { return s.r.total(row) }
