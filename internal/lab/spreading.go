package lab

import (
	"fmt"
	"math"
	"slices"

	engram "github.com/orchard9/engram-go"
)

// pi0 is the activation that counts as much as none at all, of the engine's score.
const pi0 = .05

func spreading(p *published) []experiment {
	var seconds [2][]float64
	for _, c := range p.fan {
		seconds[group(c)] = append(seconds[group(c)], c.human)
	}
	return []experiment{{
		row: Row{
			ID: "P1", Replicates: "fan effect: the more is known of a person and a place, the slower one fact is recognised",
			Source:    "Anderson 1974, as printed in the ACT-R tutorial, unit 5",
			Published: "targets " + numbers("%.3f", seconds[0]) + " s; foils " + numbers("%.3f", seconds[1]) + " s",
			NotClaimed: "times in seconds: intercept and slope are fitted; and not that it is better than ACT-R: 18 cells of " +
				"one study do not tell",
		},
		reference: actrFan,
		run:       func(b *bench) (finding, error) { return fan(b, engineSpread) },
		off:       "division by degree (in four steps over the same associations: the engine has no switch)",
		ablated:   func(b *bench) (finding, error) { return fan(b, undivided) },
	}, {
		row: Row{
			ID: "P2", Replicates: "one more association of a cue takes from all its others",
			Source:    "Anderson 1974 (fan); provable of personalised PageRank",
			Published: "no number compared: the order alone",
		},
		run: func(b *bench) (finding, error) { return pendant(b, engineSpread) },
		off: "division by degree (in four steps over the same associations: the engine has no switch)",
		ablated: func(b *bench) (finding, error) {
			return pendant(b, undivided)
		},
	}, {
		row: Row{
			ID: "P6", Replicates: "a memory that is found does not activate itself, only others",
			Source: "the engine's model: activation is that of other memories", Published: "none: a rule of the model",
		},
		run:     func(b *bench) (finding, error) { return restart(b) },
		off:     "association (Cue.Without)",
		ablated: func(b *bench) (finding, error) { return restart(b, "association") },
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

// spreader lets activation spread from cues over a web.
type spreader func(b *bench, w *web, cues []string) (map[string]float64, error)

func engineSpread(b *bench, w *web, cues []string) (map[string]float64, error) {
	s, err := b.space()
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
	return s.spread(cues...), s.err
}

// undivided passes all of what a memory holds on over each association, half at each step, for four steps.
func undivided(_ *bench, w *web, cues []string) (map[string]float64, error) {
	const steps = 4
	held, total := map[string]float64{}, map[string]float64{}
	for _, c := range cues {
		held[c] = 1 / float64(len(cues))
	}
	for range steps + 1 {
		next := map[string]float64{}
		for n, h := range held {
			total[n] += h / 2
		}
		for _, p := range w.pairs {
			next[p[1]] += held[p[0]] / 2
			next[p[0]] += held[p[1]] / 2
		}
		held = next
	}
	return total, nil
}

// fan regresses times on 1/(1+pi/pi0): latency falls as e^-A with A = ln(1+pi/pi0).
func fan(b *bench, spread spreader) (finding, error) {
	var x, y [3][]float64 // targets, foils, both
	for _, c := range b.published.fan {
		w, cues, probes := c.sentences()
		pi, err := spread(b, &w, cues)
		if err != nil {
			return finding{}, err
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
		f.check(fits[g].r >= want && fits[g].slope > 0, "%s: r %.3f, at least %v is wanted", name, fits[g].r, want)
	}
	f.check(fits[2].rmse <= bound.FanRMSE, "error %.1f ms, at most %.0f is wanted", 1e3*fits[2].rmse, 1e3*bound.FanRMSE)
	f.engine = fmt.Sprintf("r of targets %.3f, foils %.3f, all %.3f; error %.1f ms", fits[0].r, fits[1].r, fits[2].r,
		1e3*fits[2].rmse)
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
func pendant(b *bench, spread spreader) (finding, error) {
	var w web
	cue := w.node()
	const facts = 5
	for range facts {
		w.fact(cue)
	}
	before, err := spread(b, &w, []string{cue})
	if err != nil {
		return finding{}, err
	}
	known := len(w.nodes)
	w.pairs = append(w.pairs, [2]string{cue, w.node()})
	after, err := spread(b, &w, []string{cue})
	if err != nil {
		return finding{}, err
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

// restart asks for a memory by its words, with a neighbour that has none of them and a third that nobody is linked to.
func restart(b *bench, without ...string) (finding, error) {
	s, err := b.space()
	if err != nil {
		return finding{}, err
	}
	s.rememberAll([]engram.Draft{
		{ID: "alone", Content: "the copper lantern hangs in the hall"},
		{ID: "linked", Content: "the copper lantern stands in the attic", Links: []engram.Link{{To: "neighbour"}}},
		{ID: "neighbour", Content: "rain came through the roof"},
	})
	got := map[string]float64{}
	answer := s.recall(engram.Cue{Text: "copper lantern", Without: without})
	for _, h := range answer.Hits {
		i := slices.IndexFunc(h.Why, func(t engram.Term) bool { return t.Name == "association" })
		if i >= 0 {
			got[h.ID] = h.Why[i].Value
		}
	}
	var f finding
	f.check(got["alone"] == 0, "what has no associations gets %.3f nats", got["alone"])
	f.check(got["neighbour"] > 0, "the neighbour gets nothing")
	f.engine = fmt.Sprintf("association in nats: found, without links %.3f; its neighbour %.3f", got["alone"],
		got["neighbour"])
	return f, s.err
}
