package lab

import (
	"fmt"
	"math"
	"strings"

	engram "github.com/orchard9/engram-go"
)

// unreachable names the case of belief that no sequence of calls leads to: a memory's writer is always a source.
const unreachable = "no evidence"

func beliefs(p *published) []experiment {
	var want strings.Builder
	for _, c := range p.model.Belief {
		want.WriteString(fmt.Sprintf("%s %.6f; ", c.ID, c.P))
	}
	return []experiment{{
		row: Row{
			ID: "K1", Replicates: "belief by independent sources, each further one at half the weight",
			Source: "calculated from the equations", Published: "none: a rule of the model",
			NotClaimed: "\"" + unreachable + "\": a memory's writer is always a source; internal/dynamics is tested on it",
		},
		reference: func(*bench) (string, error) { return want.String(), nil },
		run:       func(b *bench) (finding, error) { return believe(b, engineBelief) },
		off:       "dependence, gamma = 1: log-odds are added up (the engine has no switch)",
		ablated:   func(b *bench) (finding, error) { return believe(b, addedUp) },
	}}
}

func believe(b *bench, measure func(*bench, *beliefCase) (float64, error)) (f finding, err error) {
	bound := b.published.bounds.Belief
	for i := range b.published.model.Belief {
		c := &b.published.model.Belief[i]
		if c.ID == unreachable {
			continue
		}
		p, err := measure(b, c)
		if err != nil {
			return f, fmt.Errorf("%s: %w", c.ID, err)
		}
		f.engine += fmt.Sprintf("%s %.6f; ", c.ID, p)
		f.check(math.Abs(p-c.P) <= bound, "%s: %.6f, %.6f is wanted", c.ID, p, c.P)
	}
	return f, nil
}

func addedUp(_ *bench, c *beliefCase) (float64, error) { return 1 / (1 + math.Exp(c.ZN-c.ZP)), nil }

// engineBelief lets as many sources as the case has say so and contradict. Sources that nobody knows weigh the same; a
// single one of another weight is told with the writer's own confidence.
func engineBelief(b *bench, c *beliefCase) (float64, error) {
	s, err := b.space()
	if err != nil {
		return 0, err
	}
	d := engram.Draft{ID: "m", Content: "The ferry leaves at seven.", Source: "first"}
	if c.NP == 1 {
		d.Confidence = new(1 / (1 + math.Exp(-c.ZP)))
	}
	s.remember(d)
	d.ID = ""
	s.remember(d) // the same source again counts once, and makes the belief visible
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
	if s.err != nil || m.Belief == nil {
		return 0, fmt.Errorf("no belief: %v", s.err)
	}
	return m.Belief.Probability, nil
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
