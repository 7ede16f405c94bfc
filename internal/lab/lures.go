package lab

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	engram "github.com/orchard9/engram-go"
)

func lures(p *published) []experiment {
	pt := p.points
	return []experiment{{
		row: Row{
			ID: "D1", Replicates: "false memory: a word never presented, at the centre of those that were",
			Source: "Roediger & McDermott 1995",
			Published: fmt.Sprintf("people recall it in %.0f %% and %.0f %% of lists", 100*pt["lure_experiment1"],
				100*pt["lure_experiment2"]),
			NotClaimed: "the error itself: it is what a store must not make, and a match is that it is not made",
		},
		run: func(b *bench) (finding, error) { return lure(b, false) },
		off: "the mark: who asks takes the reconstruction for a memory, and stores it",
		ablated: func(b *bench) (finding, error) {
			return lure(b, true)
		},
	}}
}

// unit is a random direction near centre, of length 1; a nil centre is none.
func unit(r *rand.Rand, dim int, centre []float32) []float32 {
	v, sum := make([]float32, dim), 0.0
	for i := range v {
		v[i] = float32(r.NormFloat64())
		if centre != nil {
			v[i] = v[i]/float32(math.Sqrt(float64(dim))) + centre[i]
		}
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

func cosine(a, b []float32) float64 {
	dot, aa, bb := 0.0, 0.0, 0.0
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	return dot / math.Sqrt(aa*bb)
}

// lure asks for what lies in the middle of a list of related memories and was never presented. With deceived, the
// reconstruction is stored as if it had been.
func lure(b *bench, deceived bool) (finding, error) {
	s, err := b.space()
	if err != nil {
		return finding{}, err
	}
	const words, dim, seed = 15, 64, 1995
	r := rand.New(rand.NewPCG(seed, 0))
	centre := unit(r, dim, nil)
	var list []string
	for i := range words {
		id := fmt.Sprintf("word%d", i)
		list = append(list, id)
		s.remember(engram.Draft{ID: id, Content: id, Embedding: unit(r, dim, centre)})
	}
	q := engram.Cue{Embedding: centre}
	c := s.complete(engram.Partial{Cue: q, Fields: []string{"content"}})
	if deceived {
		s.remember(engram.Draft{ID: "lure", Content: "the word never presented", Embedding: c.Embedding})
		c = s.complete(engram.Partial{Cue: q, Fields: []string{"content"}})
	}
	var f finding
	unpresented := 0
	check := func(id string) {
		if !slices.Contains(list, id) {
			unpresented++
		}
	}
	answer := s.recall(q)
	for _, h := range answer.Hits {
		check(h.ID)
		check(h.Content)
	}
	for _, m := range c.Members {
		check(m.ID)
	}
	for _, field := range c.Fields {
		check(field.Value)
	}
	f.check(unpresented == 0, "%d ids or contents that were never presented", unpresented)
	f.check(len(answer.Hits) > 0 && len(c.Members) > 0, "nothing is found at all: the row shows nothing")
	f.check(c.Reconstructed, "the completion does not say that it is a reconstruction")
	near := 0.0
	if len(c.Embedding) == dim {
		near = cosine(c.Embedding, centre)
	}
	f.engine = fmt.Sprintf("%d never presented among %d hits and %d members; the reconstruction (cosine %.2f to the "+
		"word "+
		"never presented) is marked as one", unpresented, len(answer.Hits), len(c.Members), near)
	return f, s.err
}
