package recall_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/orchard9/engram-go/internal/lexical"
)

// latent is latent semantic analysis: it gives each text the vector of its terms, weighted by how rare they are, in the
// dim directions in which the texts differ most. These are found by iterating on subspaces, from random ones.
func latent(t testing.TB, texts []string, dim int, seed uint64) func(text string) []float32 {
	l := vocabularyOf(t, texts)
	rng := rand.New(rand.NewPCG(seed, 3))
	for range dim {
		direction := make([]float64, len(l.rarity))
		for i := range direction {
			direction[i] = rng.NormFloat64()
		}
		l.directions = append(l.directions, direction)
	}
	documents := make([]weighted, len(texts))
	for i, text := range texts {
		documents[i] = l.weigh(text)
	}
	orthonormal(l.directions)
	for range 6 {
		for i, direction := range l.directions {
			next := make([]float64, len(direction))
			for _, d := range documents {
				part := along(d, direction)
				for _, w := range d {
					next[w.term] += w.weight * part
				}
			}
			l.directions[i] = next
		}
		orthonormal(l.directions)
	}
	return func(text string) []float32 {
		terms := l.weigh(text)
		v := make([]float32, dim)
		for i, direction := range l.directions {
			v[i] = float32(along(terms, direction))
		}
		if len(terms) == 0 {
			return normal(rand.New(rand.NewPCG(seed, uint64(len(text)))), dim)
		}
		return unit(v)
	}
}

// weighted are the weights of some terms.
type weighted []struct {
	term   int
	weight float64
}

type latentSpace struct {
	index      *lexical.Index
	terms      map[string]int
	rarity     []float64 // by term
	directions [][]float64
}

func vocabularyOf(t testing.TB, texts []string) *latentSpace {
	t.Helper()
	index, err := lexical.New(lexical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := &latentSpace{index: index, terms: map[string]int{}}
	for _, text := range texts {
		for _, term := range index.Analyze(text, lexical.View{}).Terms {
			if _, known := l.terms[term.Term]; !known {
				l.terms[term.Term] = len(l.rarity)
				l.rarity = append(l.rarity, 0)
			}
			l.rarity[l.terms[term.Term]]++
		}
	}
	for i, holders := range l.rarity {
		l.rarity[i] = math.Log(float64(len(texts)) / holders)
	}
	return l
}

// weigh gives a text's terms their weights, of length 1 together.
func (l *latentSpace) weigh(text string) weighted {
	var terms weighted
	sum := 0.0
	for _, t := range l.index.Analyze(text, lexical.View{}).Terms {
		if term, known := l.terms[t.Term]; known {
			weight := (1 + math.Log(t.Weight)) * l.rarity[term]
			terms = append(terms, struct {
				term   int
				weight float64
			}{term, weight})
			sum += weight * weight
		}
	}
	for i := range terms {
		terms[i].weight /= math.Sqrt(max(sum, 1e-12))
	}
	return terms
}

func along(terms weighted, direction []float64) float64 {
	sum := 0.0
	for _, w := range terms {
		sum += w.weight * direction[w.term]
	}
	return sum
}

// orthonormal makes vectors orthogonal to each other and of length 1 (Gram and Schmidt).
func orthonormal(vectors [][]float64) {
	for i, v := range vectors {
		for _, w := range vectors[:i] {
			part := inner(v, w)
			for k := range v {
				v[k] -= part * w[k]
			}
		}
		length := math.Sqrt(max(inner(v, v), 1e-300))
		for k := range v {
			v[k] /= length
		}
	}
}

func inner(v, w []float64) float64 {
	sum := 0.0
	for i := range v {
		sum += v[i] * w[i]
	}
	return sum
}
