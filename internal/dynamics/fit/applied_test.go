package fit_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
)

// asIf draws anew whether scored events were of use, as if their terms had these coefficients.
func asIf(events []fit.Event, coefficients map[string]float64, rng *rand.Rand) []fit.Event {
	events = slices.Clone(events)
	for i := range events {
		z := .3
		for _, t := range events[i].Terms {
			by, ok := coefficients[t.Name]
			if !ok {
				by = 1
			}
			z += by * t.Value
		}
		events[i].Used = rng.Float64() < 1/(1+math.Exp(-z))
		events[i].Memory, events[i].At = []string{"a", "b", "c", "d"}[i%4], int64(i/3)
	}
	return events
}

// TestApplied: what made the events is found as far as the prior lets it, and is better than ones; where ones made them
// it is not, and what is in use already is not adopted again. Bounds hold, and terms that are not named have no
// coefficient.
func TestApplied(t *testing.T) {
	all := []string{"association", "use", "words"}
	for seed := range uint64(3) {
		plain := scored(5000, rand.New(rand.NewPCG(seed, 21)))
		for name, c := range map[string]struct {
			made   map[string]float64
			terms  []string
			better bool
		}{
			"ones":               {nil, all, false},
			"twice and half":     {map[string]float64{"words": .5, "association": 2}, all, true},
			"beyond the bounds":  {map[string]float64{"association": -1, "words": 12}, all, true},
			"ones, of two terms": {nil, all[1:], false},
		} {
			terms := c.terms
			events := asIf(plain, c.made, rand.New(rand.NewPCG(seed, 22)))
			r, err := fit.Scores(t.Context(), events, terms, nil)
			if err != nil || r.Better() != c.better || r.Applied.Current != r.Ones {
				t.Errorf("seed %d, %s: better %v, want %v: ones %.4f, current %.4f, %+v, %v", seed, name, r.Better(),
					c.better, r.Ones, r.Applied.Current, r.Applied, err)
			}
			if got := slices.Sorted(maps.Keys(r.Applied.Coefficients)); !slices.Equal(got, terms) {
				t.Errorf("seed %d, %s: coefficients of %v, want %v", seed, name, got, terms)
			}
			for term, got := range r.Applied.Coefficients {
				want, made := c.made[term]
				within := got >= dynamics.LeastCoefficient && got <= dynamics.MostCoefficient
				if !within || made && want >= dynamics.LeastCoefficient && want < 4 && math.Abs(got-want) > .3*want {
					t.Errorf("seed %d, %s: %s has %v, want about %v", seed, name, term, got, want)
				}
			}
			again, err := fit.Scores(t.Context(), events, terms, r.Applied.Coefficients)
			if err != nil || again.Better() || again.Applied.Current != r.Applied.Loss ||
				!reflect.DeepEqual(again.Applied.Coefficients, r.Applied.Coefficients) {
				t.Errorf("seed %d, %s, again: %+v, %v", seed, name, again.Applied, err)
			}
		}
	}
}

// What few events tell of changes little: the prior holds it to 1.
func TestAppliedOfLittle(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 21))
	events := scored(2000, rng)
	for i := range 6 {
		events[i].Terms = append(events[i].Terms, fit.Term{Name: "priming", Value: 1})
		events[i].Used = false
	}
	r, err := fit.Scores(t.Context(), events, []string{"priming"}, nil)
	if got := r.Applied.Coefficients["priming"]; err != nil || !(got > .25 && got < 1) || r.Better() {
		t.Errorf("a term of six events has %v, better %v, %v", got, r.Better(), err)
	}
}
