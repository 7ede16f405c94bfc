package lab

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics/complete"
)

// The size of the completion experiment, and where its vectors come from.
const (
	patternCount = 10_000
	patternDim   = 384
	patternCues  = 12
	patternSeed  = 7
)

func completions(p *published) []experiment {
	pt := p.points
	masked := fmt.Sprintf("%d random vectors of %d dimensions, half of each of %d cues masked", patternCount, patternDim,
		patternCues)
	flat := "sharpness, beta = 1 (in the model's package: the engine has no switch)"
	return []experiment{{
		row: Row{
			ID: "D1", Replicates: "false memory: a word never presented, at the centre of those that were",
			Source: "Roediger & McDermott 1995",
			Published: fmt.Sprintf("people recall it in %.0f %% and %.0f %% of lists", 100*pt["lure_experiment1"],
				100*pt["lure_experiment2"]),
			NotClaimed: "the error itself: it is what a store must not make, and a match is that it is not made",
		},
		run: lure,
	}, {
		row: Row{
			ID: "H1", Replicates: "pattern completion: " + masked, Source: "Ramsauer et al. 2020",
			Published: "one update suffices; no table",
		},
		run: func(b *bench) (finding, error) { return halves(b, engineUpdates) },
		off: flat, ablated: func(b *bench) (finding, error) { return halves(b, flatUpdates) },
	}, {
		row: Row{
			ID: "H2", Replicates: "the completed vector lies within its bound of the nearest pattern; also nine tenths masked",
			Source: "Ramsauer et al. 2020; bound: internal/dynamics/complete", Published: "exponentially small error",
		},
		run: bounded, off: "all but the two nearest patterns in the bound (N = 2)", ablated: overbold,
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

// lure asks for what lies in the middle of a list of related memories and was never stored.
func lure(b *bench) (finding, error) {
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
	var f finding
	unwritten := 0
	check := func(id string) {
		if !slices.Contains(list, id) {
			unwritten++
		}
	}
	answer := s.recall(q)
	for _, h := range answer.Hits {
		check(h.ID)
		check(h.Content)
	}
	c := s.complete(engram.Partial{Cue: q, Fields: []string{"content"}})
	for _, m := range c.Members {
		check(m.ID)
	}
	for _, field := range c.Fields {
		check(field.Value)
	}
	f.check(unwritten == 0, "%d ids or contents that were never written", unwritten)
	f.check(len(answer.Hits) > 0 && len(c.Members) > 0, "nothing is found at all: the row shows nothing")
	f.check(c.Reconstructed, "the completion does not say that it is a reconstruction")
	near := 0.0
	if len(c.Embedding) == dim {
		near = cosine(c.Embedding, centre)
	}
	f.engine = fmt.Sprintf("%d unwritten among %d hits and %d members; the reconstruction (cosine %.2f to the word never "+
		"presented) is marked as one", unwritten, len(answer.Hits), len(c.Members), near)
	return f, s.err
}

// update is one cue completed.
type update struct {
	want    []float32 // the pattern that it was made of
	vector  []float32
	top1    bool
	bound   float64
	gap     float64   // between the nearest pattern's similarity and the next one's
	nearest []float32 // the pattern that it is bound to
}

// cues are the masked cues of the experiments: patterns, which of them, and what is known of each: half of the first
// patternCues, a tenth of as many more.
func cues() (patterns [][]float32, of []int, known [][]bool) {
	r := rand.New(rand.NewPCG(patternSeed, 0))
	for range patternCount {
		patterns = append(patterns, unit(r, patternDim, nil))
	}
	for n := range 2 * patternCues {
		of = append(of, r.IntN(patternCount))
		kept := patternDim / 2
		if n >= patternCues {
			kept = patternDim / 10
		}
		mask := make([]bool, patternDim)
		for _, i := range r.Perm(patternDim)[:kept] {
			mask[i] = true
		}
		known = append(known, mask)
	}
	return patterns, of, known
}

// engineUpdates completes the cues in the engine; they are made once.
func engineUpdates(b *bench) ([]update, error) {
	if b.updates != nil {
		return b.updates, nil
	}
	s, err := b.space()
	if err != nil {
		return nil, err
	}
	patterns, of, known := cues()
	drafts := make([]engram.Draft, len(patterns))
	index := map[string]int{}
	for i, p := range patterns {
		id := fmt.Sprintf("p%d", i)
		index[id] = i
		drafts[i] = engram.Draft{ID: id, Content: id, Embedding: p}
	}
	s.rememberAll(drafts)
	for i, target := range of {
		c := s.complete(engram.Partial{Cue: engram.Cue{Embedding: patterns[target]}, Mask: known[i]})
		if s.err != nil {
			return nil, s.err
		}
		if c.Novel || c.Bound == nil {
			return nil, fmt.Errorf("complete cue %d: nothing came of it", i)
		}
		n := index[c.Members[0].ID]
		b.updates = append(b.updates, update{
			want: patterns[target], vector: c.Embedding, top1: n == target, bound: *c.Bound, nearest: patterns[n],
			gap: gapOf(patterns, complete.Mask(patterns[target], known[i])),
		})
	}
	return b.updates, s.err
}

// gapOf is by how much the pattern most similar to a cue is ahead of the next.
func gapOf(patterns [][]float32, cue []float32) float64 {
	first, second := -1.0, -1.0
	for _, p := range patterns {
		switch c := cosine(cue, p); {
		case c > first:
			first, second = c, first
		case c > second:
			second = c
		}
	}
	return first - second
}

// flatUpdates completes the cues in the model with the sharpness 1.
func flatUpdates(*bench) (out []update, err error) {
	patterns, of, known := cues()
	for i, target := range of {
		u, err := complete.Complete(complete.Mask(patterns[target], known[i]), patterns, 1)
		if err != nil {
			return nil, err
		}
		out = append(out, update{want: patterns[target], vector: u.Vector, top1: u.Nearest == target})
	}
	return out, nil
}

// halves is H1.
func halves(b *bench, updates func(*bench) ([]update, error)) (f finding, err error) {
	all, err := updates(b)
	if err != nil {
		return f, err
	}
	all = all[:patternCues]
	top1, mean := 0.0, 0.0
	for _, u := range all {
		if u.top1 {
			top1 += 1 / float64(len(all))
		}
		mean += cosine(u.vector, u.want) / float64(len(all))
	}
	bound := &b.published.bounds
	f.engine = fmt.Sprintf("right pattern %.3f, cosine %.4f", top1, mean)
	f.check(top1 >= bound.Top1-1e-9, "right pattern %.3f, at least %v is wanted", top1, bound.Top1)
	f.check(mean >= bound.Cosine, "cosine %.4f, at least %v is wanted", mean, bound.Cosine)
	return f, nil
}

// within counts the updates that lie within a bound of their nearest pattern.
func within(all []update, bound func(*update) float64) (f finding) {
	held := 0
	const rounding = 1e-5 // of vectors in float32
	for i := range all {
		u := &all[i]
		sum := 0.0
		for j := range u.vector {
			d := float64(u.vector[j]) - float64(u.nearest[j])
			sum += d * d
		}
		if math.Sqrt(sum) <= bound(u)+rounding {
			held++
		}
	}
	f.engine = fmt.Sprintf("%d of %d within the bound", held, len(all))
	f.check(held == len(all), "%d beyond the bound", len(all)-held)
	return f
}

func bounded(b *bench) (finding, error) {
	all, err := engineUpdates(b)
	return within(all, func(u *update) float64 { return u.bound }), err
}

// overbold is the bound for two patterns instead of all.
func overbold(b *bench) (finding, error) {
	all, err := engineUpdates(b)
	return within(all, func(u *update) float64 {
		k := math.Exp(-complete.Beta * u.gap)
		return 2 * k / (1 + k)
	}), err
}
