package lab

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics/complete"
)

// The size of the completion experiments, and where their vectors come from.
const (
	patternCount = 10_000
	patternDim   = 384
	patternCues  = 12
	patternSeed  = 7
)

func completions(*published) []experiment {
	const blurred = "sharpness: beta = 1"
	hopfield := "Ramsauer et al. 2020"
	return []experiment{{
		row: Row{
			ID: "H1",
			Replicates: fmt.Sprintf("pattern completion: %d random vectors of %d dimensions, half of each of "+
				"%d cues masked",
				patternCount, patternDim, patternCues),
			Source: hopfield, Published: "one update suffices; no table",
		},
		run: func(b *bench) (finding, error) { return halves(b) },
		off: blurred, ablated: func(b *bench) (finding, error) { return halves(b, "sharpness") },
	}, {
		row: Row{
			ID: "H2",
			Replicates: "the completed vector lies within its bound of the nearest pattern; also nine tenths " +
				"masked",
			Source: hopfield + "; bound: internal/dynamics/complete", Published: "exponentially small error",
		},
		run: bounded, off: "all but the two nearest patterns in the bound (N = 2)", ablated: overbold,
	}, {
		row: Row{
			ID: "H3", Replicates: "a stored pattern is a fixed point", Source: hopfield,
			Published: "no number compared",
		},
		run: func(b *bench) (finding, error) { return fixedPoints(b) },
		off: blurred, ablated: func(b *bench) (finding, error) { return fixedPoints(b, "sharpness") },
	}, {
		row: Row{
			ID: "H4", Replicates: "half way between two patterns both weigh the same, and it is called ambiguous",
			Source: hopfield + ", metastable states", Published: "no number compared",
		},
		run: func(b *bench) (finding, error) { return mixtures(b) },
		off: blurred, ablated: func(b *bench) (finding, error) { return mixtures(b, "sharpness") },
	}}
}

// update is one cue completed.
type update struct {
	want      []float32 // the pattern that it was made of, or the mixture of two
	vector    []float32
	top1      bool
	bound     float64
	gap       float64   // between the nearest pattern's similarity and the next one's
	nearest   []float32 // the pattern that it is bound to
	weights   []float64 // of the members, heaviest first
	ambiguous bool
}

// cue is what is asked of the patterns.
type cue struct {
	vector []float32
	of     int // the pattern, or the first of two
	known  []bool
}

// cues are four times patternCues: with a half masked, with nine tenths masked, whole, and half way between two
// patterns.
func cues() (patterns [][]float32, all []cue) {
	r := rand.New(rand.NewPCG(patternSeed, 0))
	for range patternCount {
		patterns = append(patterns, unit(r, patternDim, nil))
	}
	for n := range 4 * patternCues {
		of := r.IntN(patternCount)
		c := cue{vector: patterns[of], of: of}
		switch n / patternCues {
		case 0:
			c.known = some(r, patternDim/2)
		case 1:
			c.known = some(r, patternDim/10)
		case 3:
			other := patterns[(of+1)%patternCount]
			c.vector = make([]float32, patternDim)
			for i := range c.vector {
				c.vector[i] = patterns[of][i] + other[i]
			}
		}
		all = append(all, c)
	}
	return patterns, all
}

// some marks so many of the coordinates as known.
func some(r *rand.Rand, kept int) []bool {
	mask := make([]bool, patternDim)
	for _, i := range r.Perm(patternDim)[:kept] {
		mask[i] = true
	}
	return mask
}

// completed completes the cues in the engine, once for each set of mechanisms that are off, all over the same stored
// patterns: the directory is opened without them.
func (b *bench) completed(without ...string) (out []update, err error) {
	name := fmt.Sprint(without)
	if b.updates[name] != nil {
		return b.updates[name], nil
	}
	db, err := b.open("patterns", without...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return nil, err
	}
	s := &subject{b: b, s: space}
	patterns, all := cues()
	if len(b.updates) == 0 {
		drafts := make([]engram.Draft, len(patterns))
		for i, p := range patterns {
			id := fmt.Sprintf("p%d", i)
			drafts[i] = engram.Draft{ID: id, Content: id, Embedding: p}
		}
		s.rememberAll(drafts)
	}
	for i := range all {
		u, err := s.update(patterns, &all[i])
		if err != nil {
			return nil, fmt.Errorf("complete cue %d: %w", i, err)
		}
		out = append(out, u)
	}
	b.updates[name] = out
	return out, nil
}

func (s *subject) update(patterns [][]float32, c *cue) (update, error) {
	got := s.complete(engram.Partial{Cue: engram.Cue{Embedding: c.vector}, Mask: c.known})
	if s.err != nil {
		return update{}, s.err
	}
	if got.Novel || got.Bound == nil {
		return update{}, errors.New("nothing came of it")
	}
	nearest, err := strconv.Atoi(strings.TrimPrefix(got.Members[0].ID, "p"))
	if err != nil {
		return update{}, err
	}
	asked := c.vector
	if c.known != nil {
		asked = complete.Mask(c.vector, c.known)
	}
	u := update{
		want: c.vector, vector: got.Embedding, top1: nearest == c.of, bound: *got.Bound, nearest: patterns[nearest],
		gap: gapOf(patterns, asked), ambiguous: got.Ambiguous,
	}
	for _, m := range got.Members {
		u.weights = append(u.weights, m.Weight)
	}
	return u, nil
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

// halves is H1.
func halves(b *bench, without ...string) (f finding, err error) {
	all, err := b.completed(without...)
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

// masked are the updates of the cues of which some is masked.
func (b *bench) masked() ([]update, error) {
	all, err := b.completed()
	return all[:min(2*patternCues, len(all))], err
}

func bounded(b *bench) (finding, error) {
	all, err := b.masked()
	return within(all, func(u *update) float64 { return u.bound }), err
}

// overbold is the bound for two patterns instead of all.
func overbold(b *bench) (finding, error) {
	all, err := b.masked()
	return within(all, func(u *update) float64 {
		_, distance := complete.Bounds(2, u.gap, complete.Beta)
		return distance
	}), err
}

// fixedPoints is H3: cues that are stored patterns.
func fixedPoints(b *bench, without ...string) (f finding, err error) {
	all, err := b.completed(without...)
	if err != nil {
		return f, err
	}
	least := 1.0
	for _, u := range all[2*patternCues : 3*patternCues] {
		least = min(least, cosine(u.vector, u.want))
	}
	f.engine = fmt.Sprintf("least cosine of %d patterns to themselves %.4f", patternCues, least)
	f.check(least >= b.published.bounds.Cosine, "cosine %.4f, at least %v is wanted", least, b.published.bounds.Cosine)
	return f, nil
}

// mixtures is H4: cues half way between two patterns.
func mixtures(b *bench, without ...string) (f finding, err error) {
	all, err := b.completed(without...)
	if err != nil {
		return f, err
	}
	most, ambiguous := 0.0, 0
	for _, u := range all[3*patternCues:] {
		for i := range 2 {
			most = max(most, math.Abs(u.weights[i]-.5))
		}
		if u.ambiguous {
			ambiguous++
		}
	}
	bound := b.published.bounds.HalfWay
	f.engine = fmt.Sprintf("weights of the two are .5 within %.4f; %d of %d called ambiguous", most, ambiguous,
		patternCues)
	f.check(most <= bound, "weights are off .5 by %.4f, at most %v is wanted", most, bound)
	f.check(ambiguous == patternCues, "%d are not called ambiguous", patternCues-ambiguous)
	return f, nil
}
