package recall_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// swayed is a space of random memories, some with a history.
func swayed(t *testing.T, rng *rand.Rand, n int) *space {
	s := newSpace(t, lexical.Options{})
	s.histories = map[uint32]*dynamics.State{}
	m := dynamics.New(dynamics.DefaultWeights())
	for i := range n {
		var text strings.Builder
		for range 1 + rng.IntN(6) {
			text.WriteString(fmt.Sprintf("word%d ", rng.IntN(12)))
		}
		row := s.add(memory{
			id: position(i), text: text.String(), session: fmt.Sprint("s", rng.IntN(4)), at: rng.Int64N(300) * day,
			confidence: 1,
		})
		if rng.IntN(2) == 0 {
			continue
		}
		own := dynamics.NewEvidence("", true, .8)
		state := m.Fresh(rng.Int64N(300)*day, own)
		for at := state.Since; rng.IntN(4) > 0; {
			at += rng.Int64N(60 * day)
			state = m.Use(state, dynamics.Grade(1+rng.IntN(4)), at)
		}
		if rng.IntN(2) == 0 {
			state.Learn([]dynamics.Evidence{own, dynamics.NewEvidence("x", rng.IntN(2) == 0, .9)})
		}
		s.histories[row] = &state
	}
	return s
}

// History orders what is relevant and admits nothing: the same memories are found with it and without, every score is
// the sum of its terms, history's part is bounded, and the best k are the best k of all.
func TestHistoryOrdersWhatIsRelevant(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for round := range 60 {
		s := swayed(t, rng, 120)
		w := recall.DefaultWeights()
		q := ask(fmt.Sprintf("word%d word%d", rng.IntN(12), rng.IntN(12)))
		q.Now, q.Limit, q.Weights, q.Explain = 600*day, 200, &w, round%2 == 0
		if round%4 > 1 {
			q.Coefficients = map[string]float64{}
			for _, name := range []string{recall.TermWords, recall.TermAssociation, recall.TermUse, recall.TermBelief} {
				q.Coefficients[name] = .25 + 3.75*rng.Float64()
			}
		}
		all := s.recall(q).Hits
		off := q
		off.Without = []string{recall.TermUse, recall.TermBelief}
		plain := map[uint32]float64{}
		for _, h := range s.recall(off).Hits {
			plain[h.Row] = h.Score
		}
		if len(all) != len(plain) {
			t.Fatalf("round %d: %d hits with history, %d without", round, len(all), len(plain))
		}
		for _, h := range all {
			sum, moved := 0.0, 0.0
			for _, term := range h.Terms {
				sum += term.Value
				switch term.Name {
				case recall.TermUse, recall.TermBelief:
					moved += term.Value
				}
			}
			if math.Abs(sum-h.Score) > 1e-9 || math.Abs(h.Score-moved-plain[h.Row]) > 1e-9 ||
				math.Abs(moved) > w.Sway*plain[h.Row]+1e-9 {
				t.Fatalf("round %d: score %v, terms %+v, without history %v", round, h.Score, h.Terms, plain[h.Row])
			}
		}
		for _, limit := range []int{1, 3, 10} {
			q.Limit = limit
			for i, h := range s.recall(q).Hits {
				if h.Row != all[i].Row || h.Score != all[i].Score {
					t.Fatalf("round %d: the best %d have %d at %d, all have %d", round, limit, h.Row, i, all[i].Row)
				}
			}
		}
	}
}

// What was useful on several days stands above what nobody used, that above what was of no use or contradicted; pinned
// memories do not sink.
func TestHistoryShows(t *testing.T) {
	m := dynamics.New(dynamics.DefaultWeights())
	own := dynamics.NewEvidence("", true, .8)
	fresh := m.Fresh(0, own)
	useful := fresh
	for _, d := range []int64{1, 5, 20} {
		useful = m.Use(useful, dynamics.Good, d*day)
	}
	useless := m.Use(fresh, dynamics.Again, 5*day)
	contradicted := fresh
	contradicted.Learn([]dynamics.Evidence{own, dynamics.NewEvidence("Bo", false, .8)})
	s := newSpace(t, lexical.Options{})
	s.histories = map[uint32]*dynamics.State{1: &useful, 2: &useless, 3: &contradicted}
	for i, id := range []string{"e untouched", "d useful", "b useless", "a contradicted"} {
		s.add(memory{id: id, text: "the ferry leaves at seven", confidence: 1, at: int64(i)})
	}
	q := ask("ferry")
	for _, days := range []int64{21, 60, 400} {
		q.Now = days * day
		hits := s.recall(q).Hits
		if len(hits) != 4 || hits[0].Row != 1 || hits[1].Row != 0 {
			t.Errorf("after %d days: %+v", days, hits)
		}
	}
	q.Filters.MinConfidence = .8
	if hits := s.recall(q).Hits; len(hits) != 3 {
		t.Errorf("%d memories are sure enough, want 3: the contradicted one is not", len(hits))
	}
	q = ask("zeppelin")
	if hits := s.recall(q).Hits; len(hits) != 0 {
		t.Errorf("history alone found %+v", hits)
	}
}
