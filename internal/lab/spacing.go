package lab

import (
	"errors"
	"fmt"
	"math"
	"strings"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/lab/sac"
)

func spacing(p *published) []experiment {
	pt := p.points
	shares := fmt.Sprintf("best gap %.0f-%.0f %% of a week, %.0f-%.0f %% of a year", 100*pt["gap_share_week_low"],
		100*pt["gap_share_week_high"], 100*pt["gap_share_year_low"], 100*pt["gap_share_year_high"])
	noGain := "w10 = 0, the gain from spacing (in the model's package: the engine has no switch)"
	return []experiment{{
		row: Row{
			ID: "S1", Replicates: "recall over 26 gaps and delays, by the reference model of spacing",
			Source:     "Cepeda et al. 2008; fit: Popov, optimal-spacing-memory@fb618a7",
			Published:  fmt.Sprintf("error of the fit %.2f points", p.bounds.SACRMSE),
			NotClaimed: "that the engine's own state predicts these percentages: it does not, see S2b",
		},
		run: func(b *bench) (finding, error) { return cepedaFit(b, sac.Popov()) },
		off: "decay, d = 0",
		ablated: func(b *bench) (finding, error) {
			flat := sac.Popov()
			flat.D = 0
			return cepedaFit(b, flat)
		},
	}, {
		row: Row{
			ID: "S2", Replicates: "the best gap grows with the delay, and its share of the delay shrinks",
			Source: "Cepeda et al. 2008; gaps: calculated from the equations", Published: shares,
			NotClaimed: "the size, see S2b",
		},
		reference: func(b *bench) (string, error) {
			return "gaps " + numbers("%.0f", b.published.model.Optimum[0].Gap), nil
		},
		run: engineGaps, off: noGain, ablated: modelGaps,
	}, {
		row: Row{
			ID: "S2b", Replicates: "the size of the best gap", Source: "Cepeda et al. 2008", Published: shares,
			Documented: "the engine's state is fitted to reviews of flash cards, and is the better predictor of those; its " +
				"best gap is too long for a week and a little too short for a year",
		},
		run: gapShares,
	}, {
		row: Row{
			ID: "S3", Replicates: "spaced use outlasts massed use; five schedules to the third decimal",
			Source:    "Latimier et al. 2021; schedules: calculated from the equations",
			Published: fmt.Sprintf("spaced against massed g = %.2f", pt["spacing_effect"]),
		},
		reference: scheduleReference, run: engineSchedules, off: noGain, ablated: modelSchedules,
	}, {
		row: Row{
			ID: "T1", Replicates: "what is retrieved outlasts what is restudied",
			Source: "Roediger & Karpicke 2006, Experiment 2",
			Published: fmt.Sprintf("a week later tested %.2f, restudied %.2f", pt["testing_test_week"],
				pt["testing_restudy_week"]),
			NotClaimed: fmt.Sprintf("the crossing at 5 minutes, restudied %.2f, tested %.2f: the engine puts uses first at once",
				pt["testing_restudy_5min"], pt["testing_test_5min"]),
		},
		run: engineTesting, off: "telling again as a weaker grade (in the model's package: the engine has no switch)",
		ablated: modelTesting,
	}}
}

func cepedaFit(b *bench, p sac.Params) (finding, error) {
	cells, err := b.cepeda()
	if err != nil {
		return finding{}, err
	}
	var f finding
	sum := 0.0
	for _, c := range cells {
		miss := 100*p.Recall(p.Strength([]float64{0, c.gap}, c.gap+c.delay)) - c.recall
		sum += miss * miss / float64(len(cells))
	}
	rmse, bound := math.Sqrt(sum), &b.published.bounds
	f.engine = fmt.Sprintf("not measured; the reference model, internal/lab/sac: %.2f points over %d cells", rmse,
		len(cells))
	f.check(math.Abs(rmse-bound.SACRMSE) <= bound.SACTolerance, "error %.2f, %.2f +- %.2f is wanted", rmse, bound.SACRMSE,
		bound.SACTolerance)
	return f, nil
}

// gapTable holds what a second use or a lapse after each gap makes of a memory.
type gapTable struct {
	first func(gap float64) float64               // probability that it is there to be used
	later func(gap, delay float64, n int) float64 // and that it is there later: 0 used, 1 lapsed
}

// best is the gap in whole days after which a memory is most likely there, delay days later; only what is still there
// can be used.
func (t *gapTable) best(delay float64) (gap float64) {
	most := -1.0
	for g := 1.0; g <= delay; g++ {
		p := t.first(g)
		if v := p*t.later(g, delay, 0) + (1-p)*t.later(g, delay, 1); v > most {
			most, gap = v, g
		}
	}
	return gap
}

// gaps are the best ones for the delays of the reference.
func (t *gapTable) gaps(b *bench) (gaps []float64) {
	for _, delay := range b.published.model.Optimum[0].RI {
		gaps = append(gaps, t.best(delay))
	}
	return gaps
}

// check compares the best gaps with those of the reference, to the day.
func (t *gapTable) check(b *bench) finding {
	var f finding
	want := b.published.model.Optimum[0]
	gaps := t.gaps(b)
	for i, delay := range want.RI {
		gap := gaps[i]
		f.check(gap == want.Gap[i], "best gap %v for %v days, %v is wanted", gap, delay, want.Gap[i])
		f.check(gap > 1 && gap < delay, "best gap for %v days is at the end, %v", delay, gap)
		f.check(i == 0 || gap > gaps[i-1] && gap/delay < gaps[i-1]/want.RI[i-1], "gaps do not grow, or shares do not shrink")
	}
	f.engine = fmt.Sprintf("best gaps %s days for delays %s", numbers("%.0f", gaps), numbers("%.0f", want.RI))
	return f
}

// engineTable measures two memories for each gap in the engine: one that is of use after it, and one that is not.
//
// In the experiments whoever fails is told the answer, and learns it anew. To the engine being of no use is no
// learning: the time since the last use goes on. With relearn it is counted from the lapse, as there.
func engineTable(b *bench, relearn bool) (*gapTable, *subject, error) {
	delays := b.published.model.Optimum[0].RI
	longest := int(delays[len(delays)-1])
	s, err := b.space()
	if err != nil {
		return nil, nil, err
	}
	name := func(gap float64, n int) string { return fmt.Sprintf("%s-%.0f", []string{"used", "lapsed"}[n], gap) }
	drafts := []engram.Draft{{ID: "once", Content: "once"}}
	for gap := 1; gap <= longest; gap++ {
		for n := range 2 {
			id := name(float64(gap), n)
			drafts = append(drafts, engram.Draft{ID: id, Content: id})
		}
	}
	s.rememberAll(drafts)
	s.show("once")
	first := make([]float64, longest+1)
	for gap := 1; gap <= longest; gap++ {
		g := float64(gap)
		s.day(g)
		first[gap] = s.use("once").Retrievability
		s.feedback(engram.Feedback{Useful: []string{name(g, 0)}, Useless: []string{name(g, 1)}})
	}
	later := func(gap, delay float64, n int) float64 {
		s.day(gap + delay)
		if relearn && n == 1 {
			s.day(delay) // its last use was on day 0
		}
		return s.use(name(gap, n)).Retrievability
	}
	return &gapTable{func(gap float64) float64 { return first[int(gap)] }, later}, s, s.err
}

func engineGaps(b *bench) (finding, error) {
	t, s, err := engineTable(b, true)
	if err != nil {
		return finding{}, err
	}
	f := t.check(b)
	if s.err != nil {
		return f, s.err
	}
	if t, s, err = engineTable(b, false); err != nil {
		return f, err
	}
	f.engine += fmt.Sprintf(" (if who fails learns nothing: %s)", numbers("%.0f", t.gaps(b)))
	return f, s.err
}

// gapShares holds the engine's best gaps for a week and for the longest delay against the published shares.
func gapShares(b *bench) (finding, error) {
	t, s, err := engineTable(b, true)
	if err != nil {
		return finding{}, err
	}
	var f finding
	delays, pt := b.published.model.Optimum[0].RI, b.published.points
	for i, name := range []string{"week", "year"} {
		delay := delays[i*(len(delays)-1)]
		share := t.best(delay) / delay
		low, high := pt["gap_share_"+name+"_low"], pt["gap_share_"+name+"_high"]
		f.check(share >= low && share <= high, "%.1f %% of %v days, published are %.0f-%.0f %%", 100*share, delay, 100*low,
			100*high)
		f.engine += fmt.Sprintf("%.1f %% of %v days ", 100*share, delay)
	}
	return f, s.err
}

// noSpacing is the model without a gain from spacing.
func noSpacing() *dynamics.Model {
	w := dynamics.DefaultWeights()
	w[10] = 0
	return dynamics.New(w)
}

func modelGaps(b *bench) (finding, error) {
	m := noSpacing()
	first := m.Initial(dynamics.Good)
	t := gapTable{
		func(gap float64) float64 { return m.Retrievability(gap, first.Stability) },
		func(gap, delay float64, n int) float64 {
			grade := []dynamics.Grade{dynamics.Good, dynamics.Again}[n]
			return m.Retrievability(delay, m.Step(first, grade, gap).Stability)
		},
	}
	return t.check(b), nil
}

func scheduleReference(b *bench) (string, error) {
	var text strings.Builder
	for _, c := range b.published.model.Schedules {
		text.WriteString(fmt.Sprintf("%s: S %.3f, R30 %.4f; ", c.ID, c.S, c.R30))
	}
	return text.String(), nil
}

// checkSchedules compares stability and retrievability 30 days later, as play gives them, with the reference.
func checkSchedules(b *bench, play func(*schedule) (s, r30 float64, err error)) (finding, error) {
	var f finding
	var failed error
	for i := range b.published.model.Schedules {
		c := &b.published.model.Schedules[i]
		s, r30, err := play(c)
		failed = errors.Join(failed, err)
		bound := &b.published.bounds
		f.check(math.Abs(s-c.S) <= bound.ScheduleStability && math.Abs(r30-c.R30) <= bound.ScheduleR30,
			"%s: S %.3f, R30 %.4f, wanted are %.3f and %.4f", c.ID, s, r30, c.S, c.R30)
		f.engine += fmt.Sprintf("%s: S %.3f, R30 %.4f; ", c.ID, s, r30)
	}
	return f, failed
}

func engineSchedules(b *bench) (finding, error) {
	return checkSchedules(b, func(c *schedule) (float64, float64, error) {
		s, err := b.space()
		if err != nil {
			return 0, 0, err
		}
		s.remember(engram.Draft{ID: "m", Content: c.ID})
		for _, d := range c.Days[1:] {
			s.day(d)
			s.feedback(engram.Feedback{Useful: []string{"m"}})
		}
		s.show("m")
		s.day(c.Days[len(c.Days)-1] + 30)
		u := s.use("m")
		return u.Stability, u.Retrievability, s.err
	})
}

// play is the stability that uses on some days give a memory in a model.
func play(m *dynamics.Model, days []float64, g dynamics.Grade) float64 {
	x := m.Initial(dynamics.Good)
	for i, d := range days[1:] {
		x = m.Step(x, g, d-days[i])
	}
	return x.Stability
}

func modelSchedules(b *bench) (finding, error) {
	return checkSchedules(b, func(c *schedule) (float64, float64, error) {
		m := noSpacing()
		s := play(m, c.Days, dynamics.Good)
		return s, m.Retrievability(30, s), nil
	})
}

// practice are the days on which T1 uses or repeats: close together, expanding and weekly.
func practice() [][]float64 { return [][]float64{{0, 1, 3, 6}, {0, 7, 14, 21}, {0, 1, 2, 3}} }

// checkTesting compares, a week after the last of them, uses with repetitions on the same days.
func checkTesting(measure func(days []float64) (used, told float64, err error)) (finding, error) {
	var f finding
	var failed error
	for _, days := range practice() {
		used, told, err := measure(days)
		failed = errors.Join(failed, err)
		f.check(used > told, "days %v: used %.4f is not above told again %.4f", days, used, told)
		f.engine += fmt.Sprintf("days %v: used %.4f, told again %.4f; ", days, used, told)
	}
	return f, failed
}

func engineTesting(b *bench) (finding, error) {
	return checkTesting(func(days []float64) (float64, float64, error) {
		s, err := b.space()
		if err != nil {
			return 0, 0, err
		}
		told := engram.Draft{ID: "told", Content: "the passage on sea otters", Source: "text"}
		s.rememberAll([]engram.Draft{told, {ID: "used", Content: "the passage on the sun"}})
		told.ID = "" // the same content, said again
		for _, d := range days[1:] {
			s.day(d)
			s.remember(told)
			s.feedback(engram.Feedback{Useful: []string{"used"}})
		}
		s.day(days[len(days)-1] + 7)
		return s.use("used").Retrievability, s.use("told").Retrievability, s.err
	})
}

func modelTesting(*bench) (finding, error) {
	m := dynamics.New(dynamics.DefaultWeights())
	return checkTesting(func(days []float64) (float64, float64, error) {
		r := m.Retrievability(7, play(m, days, dynamics.Good)) // either way
		return r, r, nil
	})
}
