package lab

import (
	"fmt"
	"math"
	"strings"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/lab/sac"
)

func spacing(p *published) []experiment {
	pt := p.points
	shares := fmt.Sprintf("best gap %.0f-%.0f %% of a week, %.0f-%.0f %% of a year", 100*pt["gap_share_week_low"],
		100*pt["gap_share_week_high"], 100*pt["gap_share_year_low"], 100*pt["gap_share_year_high"])
	noGain := "spacing: no gain from it, w10 = 0"
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
		run: func(b *bench) (finding, error) { return bestGaps(b) },
		off: noGain, ablated: func(b *bench) (finding, error) { return bestGaps(b, "spacing") },
	}, {
		row: Row{
			ID: "S2b", Replicates: "the size of the best gap", Source: "Cepeda et al. 2008", Published: shares,
			Documented: "the engine's state is fitted to reviews of flash cards, and is the better predictor of " +
				"those; its best gap is too long for a week and a little too short for a year",
		},
		run: gapShares,
	}, {
		row: Row{
			ID: "S3", Replicates: "spaced use outlasts massed use, and what is massed counts once; five schedules to " +
				"the third decimal",
			Source:    "Latimier et al. 2021; schedules: calculated from the equations",
			Published: fmt.Sprintf("spaced against massed g = %.2f", pt["spacing_effect"]),
		},
		reference: scheduleReference,
		run:       func(b *bench) (finding, error) { return schedules(b) },
		off:       "same_day: uses of one day count as spaced ones",
		ablated:   func(b *bench) (finding, error) { return schedules(b, "same_day") },
	}, {
		row: Row{
			ID: "S4", Replicates: "the gain from spacing is what makes S2 and S3: without it both fail",
			Source: "Cepeda et al. 2008; FSRS-6, w10", Published: "spacing helps: " + shares,
		},
		run:     func(b *bench) (finding, error) { return needsGain(b, "spacing") },
		off:     "the switch itself: with the gain nothing fails",
		ablated: func(b *bench) (finding, error) { return needsGain(b) },
	}}
}

// needsGain checks that S2 and S3 miss.
func needsGain(b *bench, without ...string) (f finding, err error) {
	for _, one := range []struct {
		id  string
		run func(*bench, ...string) (finding, error)
	}{{"S2", bestGaps}, {"S3", schedules}} {
		found, err := one.run(b, without...)
		if err != nil {
			return f, err
		}
		f.engine += fmt.Sprintf("%s misses %d times; ", one.id, len(found.misses))
		f.check(len(found.misses) > 0, "%s holds", one.id)
	}
	return f, nil
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
	f.check(math.Abs(rmse-bound.SACRMSE) <= bound.SACTolerance, "error %.2f, %.2f +- %.2f is wanted", rmse,
		bound.SACRMSE, bound.SACTolerance)
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
		f.check(i == 0 || gap > gaps[i-1] && gap/delay < gaps[i-1]/want.RI[i-1],
			"gaps do not grow, or shares do not shrink")
	}
	f.engine = fmt.Sprintf("best gaps %s days for delays %s", numbers("%.0f", gaps), numbers("%.0f", want.RI))
	return f
}

// gapSpace is a space with two memories for each gap, one that is of use after it and one that is not, and one more
// that shows what is there to be used. It is made once for each set of mechanisms that are off.
type gapSpace struct {
	s     *subject
	first []float64
}

func gapName(gap float64, n int) string {
	return fmt.Sprintf("%s-%.0f", []string{"used", "lapsed"}[n], gap)
}

func (b *bench) gapSpace(without ...string) (*gapSpace, error) {
	name := fmt.Sprint(without)
	if b.gaps[name] != nil {
		return b.gaps[name], nil
	}
	delays := b.published.model.Optimum[0].RI
	longest := int(delays[len(delays)-1])
	s, err := b.space(without...)
	if err != nil {
		return nil, err
	}
	drafts := []engram.Draft{{ID: "once", Content: "once"}}
	for gap := 1; gap <= longest; gap++ {
		for n := range 2 {
			id := gapName(float64(gap), n)
			drafts = append(drafts, engram.Draft{ID: id, Content: id})
		}
	}
	s.rememberAll(drafts)
	s.show("once")
	g := &gapSpace{s: s, first: make([]float64, longest+1)}
	for gap := 1; gap <= longest; gap++ {
		s.day(float64(gap))
		g.first[gap] = s.use("once").Retrievability
		s.feedback(engram.Feedback{Useful: []string{gapName(float64(gap), 0)}, Useless: []string{gapName(float64(gap),
			1)}})
	}
	b.gaps[name] = g
	return g, s.err
}

// table measures the memories. In the experiments whoever fails is told the answer, and learns it anew. To the engine
// being of no use is no learning: the time since the last use goes on. With relearn it is counted from the lapse, as
// there.
func (g *gapSpace) table(relearn bool) *gapTable {
	return &gapTable{
		first: func(gap float64) float64 { return g.first[int(gap)] },
		later: func(gap, delay float64, n int) float64 {
			g.s.day(gap + delay)
			if relearn && n == 1 {
				g.s.day(delay) // its last use was on day 0
			}
			return g.s.use(gapName(gap, n)).Retrievability
		},
	}
}

func bestGaps(b *bench, without ...string) (finding, error) {
	g, err := b.gapSpace(without...)
	if err != nil {
		return finding{}, err
	}
	f := g.table(true).check(b)
	f.engine += fmt.Sprintf("; if who fails learns nothing: %s", numbers("%.0f", g.table(false).gaps(b)))
	return f, g.s.err
}

// gapShares holds the engine's best gaps for a week and for the longest delay against the published shares.
func gapShares(b *bench) (finding, error) {
	g, err := b.gapSpace()
	if err != nil {
		return finding{}, err
	}
	t := g.table(true)
	var f finding
	delays, pt := b.published.model.Optimum[0].RI, b.published.points
	for i, name := range []string{"week", "year"} {
		delay := delays[i*(len(delays)-1)]
		share := t.best(delay) / delay
		low, high := pt["gap_share_"+name+"_low"], pt["gap_share_"+name+"_high"]
		f.check(share >= low && share <= high, "%.1f %% of %v days, published are %.0f-%.0f %%", 100*share, delay,
			100*low,
			100*high)
		f.engine += fmt.Sprintf("%.1f %% of %v days ", 100*share, delay)
	}
	return f, g.s.err
}

func scheduleReference(b *bench) (string, error) {
	var text strings.Builder
	for _, c := range b.published.model.Schedules {
		text.WriteString(fmt.Sprintf("%s: S %.3f, R30 %.4f; ", c.ID, c.S, c.R30))
	}
	return text.String(), nil
}

// schedules compares stability and retrievability 30 days later with the reference.
func schedules(b *bench, without ...string) (f finding, err error) {
	for i := range b.published.model.Schedules {
		c := &b.published.model.Schedules[i]
		stability, r30, err := schedule30(b, c, without...)
		if err != nil {
			return f, fmt.Errorf("%s: %w", c.ID, err)
		}
		bound := &b.published.bounds
		f.check(math.Abs(stability-c.S) <= bound.ScheduleStability && math.Abs(r30-c.R30) <= bound.ScheduleR30,
			"%s: S %.3f, R30 %.4f, wanted are %.3f and %.4f", c.ID, stability, r30, c.S, c.R30)
		f.engine += fmt.Sprintf("%s: S %.3f, R30 %.4f; ", c.ID, stability, r30)
	}
	once, often, err := lapses(b, without...)
	f.check(once == often, "of no use five times in a minute: S %.3f, once %.3f", often, once)
	f.engine += fmt.Sprintf("of no use once, and five times in a minute: S %.3f, %.3f", once, often)
	return f, err
}

// lapses are the stabilities of two memories a week after they were stored, of which one was of no use once, the other
// five times in a minute.
func lapses(b *bench, without ...string) (once, often float64, err error) {
	s, err := b.space(without...)
	if err != nil {
		return 0, 0, err
	}
	s.rememberAll([]engram.Draft{{ID: "once", Content: "once"}, {ID: "often", Content: "often"}})
	const minute, seconds = 1. / (24 * 60), 60
	for i := range 5 {
		s.day(7 + float64(i)*10*minute/seconds)
		if i == 0 {
			s.feedback(engram.Feedback{Useless: []string{"once"}})
		}
		s.feedback(engram.Feedback{Useless: []string{"often"}})
	}
	return s.use("once").Stability, s.use("often").Stability, s.err
}

// schedule30 uses a memory on the days of a schedule.
func schedule30(b *bench, c *schedule, without ...string) (stability, r30 float64, err error) {
	s, err := b.space(without...)
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
}
