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

// TestCoefficients: each term is multiplied by its own, and nothing else of it changes; what is found is what is found
// without them.
func TestCoefficients(t *testing.T) {
	s := toldSpace(t)
	q := ask("when did Ines see the harbour in May 2024?")
	q.Explain, q.Limit, q.Embedding = true, 50, append([]float32{1}, make([]float32, 63)...)
	q.Now, q.Ring = 9*day, []recall.Used{{Row: 3, Age: 0}}
	plain := map[string]map[string]float64{}
	for _, h := range s.recall(q).Hits {
		plain[s.rows[h.Row].id] = byName(h)
	}
	for i, name := range recall.Weighable() {
		q.Coefficients = map[string]float64{name: []float64{.9, 1.1}[i%2]}
		answer := s.recall(q)
		if len(answer.Hits) != len(plain) || !answer.Weighed {
			t.Errorf("%s: %d hits, %d without coefficients; weighed %v",
				name, len(answer.Hits), len(plain), answer.Weighed)
		}
		met := 0
		for _, h := range answer.Hits {
			got, want := byName(h), plain[s.rows[h.Row].id]
			if want[name] != 0 {
				want[name] *= q.Coefficients[name]
				met++
			}
			for term := range want {
				if math.Abs(got[term]-want[term]) > 1e-9 {
					t.Errorf("%s: %s of %s is %v, want %v", name, term, s.rows[h.Row].id, got[term], want[term])
				}
			}
			want[name] /= q.Coefficients[name]
		}
		if met == 0 {
			t.Errorf("no hit has the term %s", name)
		}
	}
}

func byName(h recall.Hit) map[string]float64 {
	terms := map[string]float64{}
	for _, term := range h.Terms {
		terms[term.Name] = term.Value
	}
	return terms
}

// toldSpace is a space whose memories have every term.
func toldSpace(t *testing.T) *space {
	s := newSpace(t, lexical.Options{})
	const seed = 5
	m, own := dynamics.New(dynamics.DefaultWeights()), dynamics.NewEvidence("", true, .8)
	used := m.Use(m.Fresh(0, own), dynamics.Good, day)
	used.Learn([]dynamics.Evidence{own, dynamics.NewEvidence("Bo", true, .8)})
	s.histories = map[uint32]*dynamics.State{0: &used}
	rng := rand.New(rand.NewPCG(seed, 8))
	for i := range 40 {
		m := memory{
			id: name(i), at: int64(i), confidence: 1, speaker: []string{"Ines", "Tom"}[i%2],
			session: fmt.Sprint("s", i/10), text: []string{"the harbour in May 2024", "a boat", "the harbour"}[i%3],
			vector: make([]float32, 64),
		}
		for k := range m.vector {
			m.vector[k] = float32(rng.NormFloat64())
		}
		if i == 0 {
			m.vector[0] += 60
		}
		s.add(m)
	}
	return s
}

func TestCoefficientsAreChecked(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	var e recall.Engine
	for name, value := range map[string]float64{"recency": 1, "fan": 1, "words": .2, "use": 4.1, "belief": math.NaN()} {
		q := ask("harbour")
		q.Coefficients = map[string]float64{name: value}
		if _, err := e.Recall(t.Context(), s.corpus(), q); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("a coefficient of %s, %v = %v", name, value, err)
		}
	}
}
