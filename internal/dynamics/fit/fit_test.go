package fit_test

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
)

const day = int64(24 * time.Hour)

// scored are events whose use was drawn with the odds that their terms add up to.
func scored(n int, rng *rand.Rand) []fit.Event {
	m := dynamics.New(dynamics.DefaultWeights())
	events := make([]fit.Event, n)
	for i := range events {
		state := m.Fresh(0, dynamics.NewEvidence("Bo", true, .9))
		for range rng.IntN(4) {
			state = m.Use(state, dynamics.Good, state.LastUse+1+rng.Int64N(30*day))
		}
		now := state.LastUse + 1 + rng.Int64N(300*day)
		terms := []fit.Term{
			{Name: "age", Value: m.Base(&state, now)},
			{Name: "association", Value: rng.NormFloat64()},
			{Name: "use", Value: m.Advantage(state.Standing(), now)},
			{Name: "words", Value: rng.ExpFloat64()},
		}
		z := .3
		for _, t := range terms {
			z += t.Value
		}
		events[i] = fit.Event{Memory: "m", At: now, Used: rng.Float64() < 1/(1+math.Exp(-z)), Terms: terms}
	}
	return events
}

func TestScoresRecoverWhatMadeThem(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 1))
	events := scored(5000, rng)
	for _, shuffled := range []int{-1, 0, 1, 2, 3} {
		given := slices.Clone(events)
		if shuffled >= 0 {
			for i, from := range rng.Perm(len(events)) {
				given[i].Terms = slices.Clone(events[i].Terms)
				given[i].Terms[shuffled].Value = events[from].Terms[shuffled].Value
			}
		}
		r, err := fit.Scores(t.Context(), given, nil, nil)
		if err != nil || len(r.Coefficients) != 4 || r.Training != 4000 || r.HeldOut != 1000 {
			t.Fatalf("Scores = %+v, %v", r, err)
		}
		for i, c := range r.Coefficients {
			want := number(i != shuffled)
			if shuffled >= 0 && want == 1 {
				continue // age and use go together: what one does not say any more, the other says in part
			}
			if !(math.Abs(c.Value-want) < 3*c.StandardError) || !(c.StandardError < .2) {
				t.Errorf("seed %d, shuffled %d: %s is %.3f ± %.3f, want %v",
					seed, shuffled, c.Name, c.Value, c.StandardError, want)
			}
		}
		if worse := r.Ones - r.Fitted; shuffled == 1 && worse < .05 || shuffled < 0 && math.Abs(worse) > .01 {
			t.Errorf("seed %d, shuffled %d: loss %.4f, with ones %.4f", seed, shuffled, r.Fitted, r.Ones)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A term that never varies, one that is there twice, and one that tells all uses apart leave a regression with finite
// numbers.
func TestScoresOfDegenerateTerms(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	events := scored(2000, rng)
	for i := range events {
		e := &events[i]
		e.Terms = append(e.Terms, fit.Term{Name: "same", Value: 2}, fit.Term{Name: "twice", Value: e.Terms[3].Value},
			fit.Term{Name: "tells", Value: number(e.Used)})
	}
	r, err := fit.Scores(t.Context(), events, nil, nil)
	if err != nil || !slices.Equal(r.Constant, []string{"same"}) || len(r.Coefficients) != 6 {
		t.Fatalf("Scores = %+v, %v", r, err)
	}
	for _, c := range append(r.Coefficients, r.Intercept) {
		if !(math.Abs(c.Value) < 1000) || !(c.StandardError < 1000) {
			t.Errorf("%+v", c)
		}
	}
}

// judged are n judgements of memories that are forgotten as w says.
func judged(n int, w dynamics.Weights, rng *rand.Rand) []fit.Event {
	m := dynamics.New(w)
	var events []fit.Event
	for memory := range n / 10 {
		strength, last := m.Initial(dynamics.Good), rng.Int64N(200*day)
		at := last
		for range 10 {
			at += int64((.6 + rng.ExpFloat64()*20) * float64(day))
			e := fit.Event{Memory: strconv.Itoa(memory), At: at, Days: dynamics.Days(last, at), Grade: dynamics.Again}
			if e.Used = rng.Float64() < m.Retrievability(e.Days, strength.Stability); e.Used {
				e.Grade = dynamics.Good
			}
			strength = m.Step(strength, e.Grade, e.Days)
			if e.Used {
				last = at
			}
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b fit.Event) int { return cmp.Compare(a.At, b.At) })
	return events
}

func TestForgetting(t *testing.T) {
	usual := dynamics.DefaultWeights()
	faster := usual
	faster[2], faster[20] = .5, .5
	for name, c := range map[string]struct {
		w      dynamics.Weights
		better bool
	}{"default": {usual, false}, "faster": {faster, true}} {
		for seed := range uint64(2) {
			events := judged(5000, c.w, rand.New(rand.NewPCG(seed, 5)))
			got, err := fit.Forgetting(t.Context(), events, usual)
			if err != nil || got.Training != 4000 || got.HeldOut != 1000 {
				t.Fatalf("%s, seed %d: %+v, %v", name, seed, got, err)
			}
			if got.Better() != c.better || !fit.Within(got.Weights) || got.Current != got.Default {
				t.Errorf("%s, seed %d: better %v, want %v: %+v", name, seed, got.Better(), c.better, got)
			}
			t.Logf("%s: default %.4f, fitted %.4f ± %.4f, S0 %.2f, w20 %.3f", name, got.Default, got.Fitted,
				got.StandardError, got.Weights[2], got.Weights[20])
			if seed > 0 {
				continue
			}
			again, err := fit.Forgetting(t.Context(), events, got.Weights)
			if err != nil || again.Weights != got.Weights || again.Current != got.Fitted || again.Better() {
				t.Errorf("%s, seed %d, again with these in use: %+v, %v", name, seed, again, err)
			}
		}
	}
}

// What is said to be of no use again and again within minutes was said once.
func TestForgettingTakesRepeatsForOne(t *testing.T) {
	events := judged(3000, dynamics.DefaultWeights(), rand.New(rand.NewPCG(4, 5)))
	var repeated []fit.Event
	for _, e := range events {
		repeated = append(repeated, e)
		for range 3 {
			if e.Grade != dynamics.Again {
				break
			}
			e.At += int64(time.Minute)
			e.Days += 1. / (24 * 60)
			repeated = append(repeated, e)
		}
	}
	once, err := fit.Forgetting(t.Context(), events, dynamics.DefaultWeights())
	again, errAgain := fit.Forgetting(t.Context(), repeated, dynamics.DefaultWeights())
	if err != nil || errAgain != nil || len(repeated) < 3500 || once != again {
		t.Errorf("once %+v, %v; %d events with repeats %+v, %v", once, err, len(repeated), again, errAgain)
	}
}

func TestTooFew(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	few := judged(990, dynamics.DefaultWeights(), rng)
	var short *fit.TooFewError
	_, err := fit.Forgetting(t.Context(), few, dynamics.DefaultWeights())
	if !errors.As(err, &short) || short.Have != 990 {
		t.Errorf("Forgetting = %v", err)
	}
	massed := judged(2000, dynamics.DefaultWeights(), rng)
	for i := range massed {
		massed[i].Days = .4
	}
	_, err = fit.Forgetting(t.Context(), massed, dynamics.DefaultWeights())
	if !errors.As(err, &short) || short.Have != 0 {
		t.Errorf("Forgetting of massed uses = %v", err)
	}
	if _, err := fit.Scores(t.Context(), few, nil, nil); !errors.As(err, &short) || short.Have != 0 {
		t.Errorf("Scores = %v", err)
	}
	low, high := fit.Low(), fit.High()
	if !fit.Within(low) || !fit.Within(high) || !fit.Within(dynamics.DefaultWeights()) {
		t.Error("the bounds, or the default, are out of bounds")
	}
	high[3] = math.NaN()
	if fit.Within(high) {
		t.Error("NaN is within bounds")
	}
}
