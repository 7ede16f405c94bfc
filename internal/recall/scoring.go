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

// Scores sets scores, which has an element for each of rows, to the whole scores of candidates: everything that becomes
// a term of them. It goes about it as ranking does.
func (s *Scoring) Scores(rows []uint32, scores []float64) {
	for len(rows) > 0 {
		n := min(together, len(rows))
		s.r.totals(rows[:n], scores)
		rows, scores = rows[n:], scores[n:]
	}
}
