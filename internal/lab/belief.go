package lab

import (
	"errors"
	"fmt"
	"math"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// unreachable names the case of belief that no sequence of calls leads to: a memory's writer is always a source.
const unreachable = "no evidence"

func beliefs(p *published) []experiment {
	var want strings.Builder
	pt := p.points
	for _, c := range p.model.Belief {
		want.WriteString(fmt.Sprintf("%s %.6f; ", c.ID, c.P))
	}
	return []experiment{{
		row: Row{
			ID: "K1", Replicates: "belief by independent sources, each further one at half the weight",
			Source: "calculated from the equations", Published: "none: a rule of the model",
			NotClaimed: "\"" + unreachable + "\": a memory's writer is always a source; internal/dynamics is tested " +
				"on it",
		},
		reference: func(*bench) (string, error) { return want.String(), nil },
		run: func(b *bench) (finding, error) {
			return believe(b, func(m *engram.Memory) float64 { return m.Belief.Probability })
		},
		off:     independence,
		ablated: func(b *bench) (finding, error) { return believe(b, independent) },
	}, {
		row: Row{
			ID: "K2",
			Replicates: "calibration: reports of sources of hidden reliability, some of them copied, and few " +
				"ever checked; 12 conditions",
			Source: "a simulation made for this model; conditions: published/README.md",
			Published: fmt.Sprintf("calculated independently: error %.3f, worst %.3f, Brier score %.3f; of Beta "+
				"counts %.3f",
				pt["belief_ece"], pt["belief_ece_worst"], pt["belief_brier"], pt["belief_brier_counts"]),
			NotClaimed: "that real sources are like these: the reports are made up, independent of the engine",
		},
		run:     func(b *bench) (finding, error) { return calibrated(b, byEngine) },
		off:     independence,
		ablated: func(b *bench) (finding, error) { return calibrated(b, byIndependence) },
	}, {
		row: Row{
			ID: "K3",
			Replicates: "who says it again adds nothing; another one does; the order does not matter, nor in " +
				"which copy it was said",
			Source: "the engine's model: evidence is a set by source", Published: "none: a rule of the model",
		},
		run:     func(b *bench) (finding, error) { return voices(b, false) },
		off:     "identity: every report comes under a name of its own",
		ablated: func(b *bench) (finding, error) { return voices(b, true) },
	}, {
		row: Row{
			ID: "K4", Replicates: "calibration of similarity by two parameters, from 300 labelled cosines",
			Source:    "Platt 1999",
			Published: fmt.Sprintf("calculated independently: error %.3f", pt["platt_ece"]),
			Documented: "no score of the engine is a line in the cosine: meaning is the surprise of a similarity " +
				"beside those of all other memories, for each question anew (package internal/recall), so there is " +
				"no c0 and no T to be fitted. What a nat of it is worth on one's own judgements, engram fit tells",
		},
	}}
}

// independence is how K1 and K2 are ablated: from the engine's own evidence.
const independence = "dependence of sources, gamma = 1 (the log-odds that the engine lists as evidence, added up)"

// independent adds up the evidence of a memory as if no source had heard of another.
func independent(m *engram.Memory) float64 {
	if len(m.Belief.Evidence) == 0 { // nobody but its own source has spoken
		return m.Belief.Probability
	}
	sum := 0.0
	for _, e := range m.Belief.Evidence {
		if e.Supports {
			sum += e.LogOdds
		} else {
			sum -= e.LogOdds
		}
	}
	return 1 / (1 + math.Exp(-sum))
}

func believe(b *bench, belief func(*engram.Memory) float64) (f finding, err error) {
	bound := b.published.bounds.Belief
	for i := range b.published.model.Belief {
		c := &b.published.model.Belief[i]
		if c.ID == unreachable {
			continue
		}
		m, err := told(b, c)
		if err != nil {
			return f, fmt.Errorf("%s: %w", c.ID, err)
		}
		p := belief(&m)
		f.engine += fmt.Sprintf("%s %.6f; ", c.ID, p)
		f.check(math.Abs(p-c.P) <= bound, "%s: %.6f, %.6f is wanted", c.ID, p, c.P)
	}
	return f, nil
}

// told lets as many sources as the case has say so and contradict. Sources that nobody knows weigh the same; a
// single one of another weight is told with the writer's own confidence.
func told(b *bench, c *beliefCase) (engram.Memory, error) {
	s, err := b.space()
	if err != nil {
		return engram.Memory{}, err
	}
	d := engram.Draft{ID: "m", Content: "The ferry leaves at seven.", Source: "first"}
	if c.NP == 1 {
		d.Confidence = new(1 / (1 + math.Exp(-c.ZP)))
	}
	s.remember(d)
	d.ID = ""
	for i := range c.NP - 1 {
		d.Source = fmt.Sprint("for", i)
		s.remember(d)
	}
	for i := range c.NN {
		source := fmt.Sprint("against", i)
		s.trust(source, 1/(1+math.Exp(-c.ZN/float64(c.NN))))
		s.feedback(engram.Feedback{Wrong: []string{"m"}, Source: source})
	}
	m := s.get("m")
	if s.err == nil && m.Belief == nil {
		s.keep(errors.New("no belief"))
	}
	return m, s.err
}

// trust lets a source be checked, rightly and wrongly, until it is as reliable as wanted: a source that nobody knows is
// taken to have been right four times in five.
func (s *subject) trust(source string, wanted float64) {
	const right, known, most, tolerance = 4., 5., 20, 1e-6
	for checks := range most {
		for ok := range checks + 1 {
			if math.Abs((right+float64(ok))/(known+float64(checks))-wanted) < tolerance {
				s.checked(source, ok, checks-ok)
				return
			}
		}
	}
	s.keep(fmt.Errorf("no %d checks make a source as reliable as %v", most, wanted))
}

// checked lets a source say things of which some are confirmed and some found wrong.
func (s *subject) checked(source string, confirmed, wrong int) {
	for i := range confirmed + wrong {
		id := fmt.Sprint(source, "-", i)
		s.remember(engram.Draft{ID: id, Content: id, Source: source})
		signal := engram.Wrong
		if i < confirmed {
			signal = engram.Confirmed
		}
		s.feedback(engram.Feedback{IDs: []string{id}, Signal: signal, Source: "check", Verified: true})
	}
}
