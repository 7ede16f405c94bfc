package lab

import (
	"fmt"
	"math"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/recall"
)

func spreading(p *published) []experiment {
	var seconds [2][]float64
	for _, c := range p.fan {
		seconds[group(c)] = append(seconds[group(c)], c.human)
	}
	return []experiment{{
		row: Row{
			ID: "P1", Replicates: "fan effect: the more is known of a person and a place, the slower one fact is " +
				"recognised",
			Source:    "Anderson 1974, as printed in the ACT-R tutorial, unit 5",
			Published: "targets " + numbers("%.3f", seconds[0]) + " s; foils " + numbers("%.3f", seconds[1]) + " s",
			NotClaimed: "times in seconds: intercept and slope are fitted; and not that it is better than ACT-R: 18 " +
				"cells of one study do not tell",
		},
		reference: actrFan,
		run:       func(b *bench) (finding, error) { return fan(b) },
		off:       "fan: no division by the number of associations",
		ablated:   func(b *bench) (finding, error) { return fan(b, "fan") },
	}, {
		row: Row{
			ID: "P2", Replicates: "one more association of a cue takes from all its others",
			Source:    "Anderson 1974 (fan); provable of personalised PageRank",
			Published: "no number compared: the order alone",
		},
		run:     func(b *bench) (finding, error) { return pendant(b) },
		off:     "fan: no division by the number of associations",
		ablated: func(b *bench) (finding, error) { return pendant(b, "fan") },
	}}
}

func group(c fanCell) int {
	if c.target {
		return 0
	}
	return 1
}

// web is a small network: pairs of associated memories.
type web struct {
	nodes []string
	pairs [][2]string
}

func (w *web) node() string {
	w.nodes = append(w.nodes, fmt.Sprintf("n%d", len(w.nodes)))
	return w.nodes[len(w.nodes)-1]
}

// fact is a memory associated with its cues, and with somebody or somewhere of its own if it has only one.
func (w *web) fact(cues ...string) string {
	f := w.node()
	if len(cues) < 2 {
		cues = append(cues, w.node())
	}
	for _, c := range cues {
		w.pairs = append(w.pairs, [2]string{c, f})
	}
	return f
}

// sentences are what a subject learned of a person and a place. Of a target one fact joins the two; of a foil none
// does, and the first of each is asked for in vain.
func (c *fanCell) sentences() (w web, cues, probes []string) {
	cues = []string{w.node(), w.node()}
	shared := 0
	if c.target {
		probes, shared = []string{w.fact(cues...)}, 1
	}
	for i, known := range []int{c.person, c.location} {
		for n := range known - shared {
			f := w.fact(cues[i])
			if !c.target && n == 0 {
				probes = append(probes, f)
			}
		}
	}
	return w, cues, probes
}

// remembered is a space with a web in it, each pair associated with weight 1.
func (w *web) remembered(b *bench, without ...string) (*subject, error) {
	s, err := b.space(without...)
	if err != nil {
		return nil, err
	}
	links := map[string][]engram.Link{}
	for _, p := range w.pairs {
		links[p[0]] = append(links[p[0]], engram.Link{To: p[1], Weight: new(1.)})
	}
	var drafts []engram.Draft
	for _, n := range w.nodes {
		drafts = append(drafts, engram.Draft{ID: n, Content: "memory " + n, Links: links[n]})
	}
	s.rememberAll(drafts)
	return s, s.err
}

// fan regresses times on 1/(1+pi/pi0): latency falls as e^-A with A = ln(1+pi/pi0), pi0 being that of the engine's
// score.
func fan(b *bench, without ...string) (finding, error) {
	pi0 := recall.DefaultWeights().Pi0
	var x, y [3][]float64 // targets, foils, both
	for _, c := range b.published.fan {
		w, cues, probes := c.sentences()
		s, err := w.remembered(b, without...)
		if err != nil {
			return finding{}, err
		}
		pi := s.spread(cues...)
		if s.err != nil {
			return finding{}, s.err
		}
		mean := 0.0
		for _, p := range probes {
			mean += pi[p] / float64(len(probes))
		}
		for _, g := range []int{group(c), 2} {
			x[g], y[g] = append(x[g], 1/(1+mean/pi0)), append(y[g], c.human)
		}
	}
	bound := &b.published.bounds
	var f finding
	var fits [3]regression
	for g, want := range []float64{bound.FanTargets, bound.FanFoils, bound.FanJoint} {
		fits[g] = regress(x[g], y[g])
		name := []string{"targets", "foils", "all"}[g]
		f.check(fits[g].r >= want && fits[g].slope > 0, "%s: r %v, at least %v is wanted", name, fits[g].correlation(),
			want)
	}
	f.check(fits[2].rmse <= bound.FanRMSE, "error %.1f ms, at most %.0f is wanted", 1e3*fits[2].rmse, 1e3*bound.FanRMSE)
	f.engine = fmt.Sprintf("r of targets %v, foils %v, all %v; error %.1f ms", fits[0].correlation(),
		fits[1].correlation(),
		fits[2].correlation(), 1e3*fits[2].rmse)
	return f, nil
}

// actrFan is how well the printed numbers of ACT-R do by the same statistics.
func actrFan(b *bench) (string, error) {
	var x, y []float64
	for _, c := range b.published.fan {
		x, y = append(x, c.model), append(y, c.human)
	}
	fit := regress(x, y)
	return fmt.Sprintf("ACT-R as printed: r %.3f, error %.1f ms after regression", fit.r, 1e3*fit.rmse), nil
}

// pendant compares what a cue's neighbours get before and after it has another association.
func pendant(b *bench, without ...string) (finding, error) {
	var w web
	cue := w.node()
	const facts = 5
	for range facts {
		w.fact(cue)
	}
	s, err := w.remembered(b, without...)
	if err != nil {
		return finding{}, err
	}
	before := s.spread(cue)
	known := len(w.nodes)
	s.remember(engram.Draft{ID: w.node(), Content: "one more", Links: []engram.Link{{To: cue, Weight: new(1.)}}})
	after := s.spread(cue)
	if s.err != nil {
		return finding{}, s.err
	}
	var f finding
	least, most := math.Inf(1), 0.0
	for _, n := range w.nodes[1:known] {
		ratio := after[n] / before[n]
		least, most = min(least, ratio), max(most, ratio)
		f.check(after[n] < before[n], "%s had %.4f and has %.4f", n, before[n], after[n])
	}
	f.check(after[w.nodes[known]] > 0, "the new memory has nothing")
	f.engine = fmt.Sprintf("%d memories keep %.3f to %.3f of what they had", known-1, least, most)
	return f, nil
}
