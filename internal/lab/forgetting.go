package lab

import (
	"fmt"
	"math"
	"strings"

	engram "github.com/orchard9/engram-go"
)

func forgetting(p *published) []experiment {
	return []experiment{{
		row: Row{
			ID: "F1", Replicates: "forgetting curve, savings over 20 minutes to 31 days",
			Source:    "Ebbinghaus 1885; Murre & Dros 2015",
			Published: fmt.Sprintf("%d series; 1885: %s", len(p.savings), numbers("%.3f", p.savings[0].savings)),
			NotClaimed: "that the engine's memories forget as fast as nonsense syllables: one stability is fitted to " +
				"each series, below the engine's floor of .001 days if need be; the shape of the curve is the engine's",
		},
		reference: twoParameters,
		run:       func(b *bench) (finding, error) { return forgettingCurve(b) },
		off:       "power_curve: an exponential of the same stability",
		ablated:   func(b *bench) (finding, error) { return forgettingCurve(b, "power_curve") },
	}}
}

func numbers(format string, xs []float64) string {
	var text strings.Builder
	for i, x := range xs {
		if i > 0 {
			text.WriteString(" ")
		}
		text.WriteString(fmt.Sprintf(format, x))
	}
	return text.String()
}

// curveFit compares a way of fitting with the bounds of F1: fit gives the squared errors for one series.
func (b *bench) curveFit(fit func(*series) float64) finding {
	var f finding
	total, r2 := 0.0, 0.0
	for i := range b.published.savings {
		s := &b.published.savings[i]
		sse := fit(s)
		total += sse
		if i == 0 {
			r2 = 1 - sse/variation(s.savings)
		}
	}
	f.engine = fmt.Sprintf("R2 of 1885 %.3f, SSE of all %.4f", r2, total)
	bound := &b.published.bounds
	f.check(r2 >= bound.ForgettingR2, "R2 %.3f, at least %v is wanted", r2, bound.ForgettingR2)
	f.check(total <= bound.ForgettingSSE, "SSE %.4f, at most %v is wanted", total, bound.ForgettingSSE)
	return f
}

// The range of time constants, in days, and of exponents that fits look through.
const (
	leastDays, mostDays         = 1e-5, 1e4
	leastExponent, mostExponent = .001, 2
)

// twoParameters are curves with a factor and a parameter of their own.
func twoParameters(b *bench) (string, error) {
	power := b.curveFit(func(s *series) float64 {
		_, sse := minimum(leastExponent, mostExponent, func(e float64) float64 {
			return scaled(s.days, s.savings, func(t float64) float64 { return math.Pow(t, -e) })
		})
		return sse
	})
	exponential := b.curveFit(func(s *series) float64 {
		_, sse := minimum(leastDays, mostDays, func(days float64) float64 {
			return scaled(s.days, s.savings, func(t float64) float64 { return math.Exp(-t / days) })
		})
		return sse
	})
	return fmt.Sprintf("two free parameters each: a t^-b %s; a e^(-t/b) %s", power.engine, exponential.engine), nil
}

// forgettingCurve reads retrievability from a memory in the engine. Its curve depends on the time in units of stability
// alone, so that another stability is the same memory read at other times. The one read has a short stability, as being
// of no use has left it, so that all times asked for lie within the range of a clock.
func forgettingCurve(b *bench, without ...string) (finding, error) {
	s, err := b.space(without...)
	if err != nil {
		return finding{}, err
	}
	s.remember(engram.Draft{ID: "syllables", Content: "zof kel mup"})
	const collapses = 12
	for day := range collapses {
		s.day(float64(day + 1))
		s.feedback(engram.Feedback{Useless: []string{"syllables"}})
	}
	stability := s.use("syllables").Stability
	var fitted float64
	f := b.curveFit(func(data *series) float64 {
		x, sse := minimum(leastDays, 1, func(days float64) float64 {
			return squares(data.days, data.savings, func(t float64) float64 {
				s.day(t * stability / days)
				return s.use("syllables").Retrievability
			})
		})
		if data == &b.published.savings[0] {
			fitted = x
		}
		return sse
	})
	f.engine += fmt.Sprintf("; one free parameter: stability, %.2g days in 1885", fitted)
	return f, s.err
}
