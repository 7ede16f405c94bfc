package lab

import (
	"fmt"

	engram "github.com/orchard9/engram-go"
)

func retrievals(p *published) []experiment {
	pt := p.points
	return []experiment{{
		row: Row{
			ID: "T1", Replicates: "what is retrieved outlasts what is restudied",
			Source: "Roediger & Karpicke 2006, Experiment 2",
			Published: fmt.Sprintf("a week later tested %.2f, restudied %.2f", pt["testing_test_week"],
				pt["testing_restudy_week"]),
			NotClaimed: fmt.Sprintf("the crossing at 5 minutes, restudied %.2f, tested %.2f: the engine puts uses "+
				"first at once",
				pt["testing_restudy_5min"], pt["testing_test_5min"]),
		},
		run:     func(b *bench) (finding, error) { return retrieval(b) },
		off:     "retelling: being told again counts as use",
		ablated: func(b *bench) (finding, error) { return retrieval(b, "retelling") },
	}}
}

// practice are the days on which T1 uses or repeats: close together, expanding and weekly.
func practice() [][]float64 { return [][]float64{{0, 1, 3, 6}, {0, 7, 14, 21}, {0, 1, 2, 3}} }

// retrieval compares, a week after the last of them, uses with repetitions on the same days.
func retrieval(b *bench, without ...string) (f finding, err error) {
	for _, days := range practice() {
		s, err := b.space(without...)
		if err != nil {
			return f, err
		}
		again := engram.Draft{ID: "told", Content: "the passage on sea otters", Source: "text"}
		s.rememberAll([]engram.Draft{again, {ID: "used", Content: "the passage on the sun"}})
		again.ID = "" // the same content, said again
		for _, d := range days[1:] {
			s.day(d)
			s.remember(again)
			s.feedback(engram.Feedback{Useful: []string{"used"}})
		}
		s.day(days[len(days)-1] + 7)
		used, told := s.use("used").Retrievability, s.use("told").Retrievability
		if s.err != nil {
			return f, s.err
		}
		f.check(used > told, "days %v: used %.4f is not above told again %.4f", days, used, told)
		f.engine += fmt.Sprintf("days %v: used %.4f, told again %.4f; ", days, used, told)
	}
	return f, nil
}
