package actr_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/orchard9/engram-go/internal/lab/actr"
)

type conformance struct {
	ID     string            `json:"id"`
	Eq     string            `json:"eq"`
	In     []json.RawMessage `json:"in"`
	Expect json.RawMessage   `json:"expect"`
	Tol    float64           `json:"tol"`
	Source string            `json:"source"`
}

// arg decodes the i-th argument.
func arg[T any](t *testing.T, c conformance, i int) (v T) {
	t.Helper()
	if err := json.Unmarshal(c.In[i], &v); err != nil {
		t.Fatalf("%s: argument %d: %v", c.ID, i, err)
	}
	return v
}

// Constants of the fan model as the ACT-R tutorial prints them, unit 5.2: they belong to the cases, not to the package.
const (
	fanS, fanF, fanFixed = 1.6, .63, .845
	wholeAttention       = 1.0
)

// TestConformance holds the package to the figures that ACT-R, its tutorial, pyactup, pyibl, pyactr and Soar print.
func TestConformance(t *testing.T) {
	data, err := os.ReadFile("testdata/actr_conformance.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []conformance }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	const known = 75
	if len(file.Cases) != known {
		t.Fatalf("%d cases, want %d", len(file.Cases), known)
	}
	for _, c := range file.Cases {
		t.Run(c.ID, func(t *testing.T) {
			got := compute(t, c)
			for i, want := range expected(t, c) {
				if !(math.Abs(got[i]-want) <= c.Tol) {
					t.Errorf("%s%v[%d] = %v, want %v within %v (%s)", c.Eq, c.In, i, got[i], want, c.Tol, c.Source)
				}
			}
		})
	}
}

// expected lists the figures of a case; for "discrete" the most probable value and then its probabilities by name.
func expected(t *testing.T, c conformance) []float64 {
	t.Helper()
	var one float64
	var many []float64
	var named struct {
		ArgMax     float64 `json:"argmax"`
		P3, P4, P7 *float64
	}
	switch {
	case json.Unmarshal(c.Expect, &one) == nil:
		return []float64{one}
	case json.Unmarshal(c.Expect, &many) == nil:
		return many
	}
	if err := json.Unmarshal(c.Expect, &named); err != nil {
		t.Fatalf("%s expects %s: %v", c.ID, c.Expect, err)
	}
	out := []float64{named.ArgMax}
	for _, p := range []*float64{named.P3, named.P4, named.P7} {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

func compute(t *testing.T, c conformance) []float64 {
	t.Helper()
	switch c.Eq {
	case "fan_target":
		fans := actr.Even(arg[float64](t, c, 0)+1, arg[float64](t, c, 1)+1)
		return []float64{fanFixed + actr.Latency(actr.Spread(fanS, fans...), fanF)}
	case "fan_foil":
		mean := 0.0
		for i := range 2 { // by the person and by the location, each the one cue of two that the fact found shares
			half := actr.Source{Weight: wholeAttention / 2, Fan: arg[float64](t, c, i) + 1}
			mean += actr.Latency(actr.Spread(fanS, half), fanF) / 2
		}
		return []float64{fanFixed + mean}
	case "sji":
		return []float64{actr.Strength(arg[float64](t, c, 0), arg[float64](t, c, 1))}
	case "spread":
		return []float64{actr.Spread(arg[float64](t, c, 0), actr.Even(arg[[]float64](t, c, 1)...)...)}
	case "spread_w":
		var sources []actr.Source
		for _, pair := range arg[[][2]float64](t, c, 1) {
			sources = append(sources, actr.Source{Weight: pair[0], Fan: pair[1]})
		}
		return []float64{actr.Spread(arg[float64](t, c, 0), sources...)}
	case "latency":
		return []float64{actr.Latency(arg[float64](t, c, 0), arg[float64](t, c, 1))}
	case "bll", "bll_ol", "soar_bl", "pavlik_m", "pavlik_d":
		return baseLevels(t, c)
	case "discrete":
		return discrete(t, c)
	}
	return blends(t, c)
}

func baseLevels(t *testing.T, c conformance) []float64 {
	t.Helper()
	switch c.Eq {
	case "bll_ol":
		return []float64{actr.BaseLevelOptimized(arg[int](t, c, 0), arg[float64](t, c, 1), actr.Decay)}
	case "soar_bl":
		return []float64{actr.SoarBaseLevel(arg[[]float64](t, c, 0))}
	case "bll":
		d := actr.Decay
		if len(c.In) == 3 {
			d = arg[float64](t, c, 2)
		}
		return []float64{actr.BaseLevel(ages(arg[float64](t, c, 0), arg[[]float64](t, c, 1)), d)}
	}
	m, d := actr.PavlikAnderson(arg[[]float64](t, c, 0), arg[float64](t, c, 1), actr.PavlikA, actr.PavlikC)
	if c.Eq == "pavlik_m" {
		return m
	}
	return d
}

func ages(now float64, at []float64) []float64 {
	out := make([]float64, len(at))
	for i, t := range at {
		out[i] = now - t
	}
	return out
}

// chunks decodes pieces that are [value, times of use, penalty of mismatch].
func chunks(t *testing.T, c conformance) (values, activations []float64) {
	t.Helper()
	now := arg[float64](t, c, 0)
	for _, raw := range arg[[][3]json.RawMessage](t, c, 1) {
		var value, penalty float64
		var uses []float64
		for i, into := range []any{&value, &uses, &penalty} {
			if err := json.Unmarshal(raw[i], into); err != nil {
				t.Fatal(err)
			}
		}
		values = append(values, value)
		activations = append(activations, actr.BaseLevel(ages(now, uses), actr.Decay)+penalty)
	}
	return values, activations
}

func blends(t *testing.T, c conformance) []float64 {
	t.Helper()
	switch c.Eq {
	case "softmax":
		return actr.Softmax(arg[[]float64](t, c, 0), arg[float64](t, c, 1))
	case "blend":
		return []float64{actr.Blend(arg[[]float64](t, c, 0), arg[[]float64](t, c, 1), arg[float64](t, c, 2))}
	case "blend_act":
		return []float64{actr.BlendedActivation(arg[[]float64](t, c, 0))}
	}
	values, activations := chunks(t, c)
	switch c.Eq {
	case "acts_refs":
		return activations
	case "blend_refs":
		return []float64{actr.Blend(values, activations, arg[float64](t, c, 2))}
	case "blend_refs_P":
		return actr.Softmax(activations, arg[float64](t, c, 2))
	}
	t.Fatalf("%s: equation %q is not known", c.ID, c.Eq)
	return nil
}

// discrete is the history of pyactup's test of discrete blending: ten times, for each of ten subjects, thirteen
// outcomes, one after the other in time.
func discrete(t *testing.T, c conformance) []float64 {
	t.Helper()
	type key struct{ subject, outcome int }
	uses := map[key][]float64{}
	now := 0.0
	for range 10 {
		for subject := range 10 {
			for _, outcome := range []int{0, 1, 2, 3, 3, 4, 5, 6, 7, 5, 8, 5, 9} {
				k := key{subject, outcome}
				uses[k] = append(uses[k], now)
				now++
			}
		}
	}
	if want := arg[float64](t, c, 0); now != want {
		t.Fatalf("the history ends at %v, the case says %v", now, want)
	}
	only := arg[*int](t, c, 1)
	var outcomes []int
	var activations []float64
	for subject := range 10 {
		for outcome := range 10 {
			if only == nil || *only == subject {
				outcomes = append(outcomes, outcome)
				activations = append(activations, actr.BaseLevel(ages(now, uses[key{subject, outcome}]), actr.Decay))
			}
		}
	}
	var p [10]float64
	for i, share := range actr.Softmax(activations, 1) {
		p[outcomes[i]] += share
	}
	best := 0
	for outcome := range p {
		if p[outcome] > p[best] {
			best = outcome
		}
	}
	if only == nil {
		return []float64{float64(best), p[4]}
	}
	return []float64{float64(best), p[3], p[7]}
}

// TestHybridLiesBetween: with all uses kept it is exact; with few it is near, where the optimised form is far off.
func TestHybridLiesBetween(t *testing.T) {
	all := []float64{1, 2, 4, 90, 100}
	exact := actr.BaseLevel(all, actr.Decay)
	if got := actr.BaseLevelHybrid(all, len(all), 100, actr.Decay); math.Abs(got-exact) > 1e-12 {
		t.Errorf("with all uses kept it is %v, want %v", got, exact)
	}
	hybrid := actr.BaseLevelHybrid(all[:3], len(all), 100, actr.Decay)
	optimised := actr.BaseLevelOptimized(len(all), 100, actr.Decay)
	if math.Abs(hybrid-exact) >= math.Abs(optimised-exact) {
		t.Errorf("hybrid %v is no nearer to %v than optimised %v", hybrid, exact, optimised)
	}
}

// TestInhibition: right after a use the need is low, later inhibition is gone.
func TestInhibition(t *testing.T) {
	at := func(age float64) float64 {
		return actr.Inhibited(actr.BaseLevel([]float64{age}, actr.Decay), age, 5, 1)
	}
	if !(at(5) > at(.5)) || math.Abs(at(1e6)-actr.BaseLevel([]float64{1e6}, actr.Decay)) > 1e-4 {
		t.Errorf("inhibited base levels at .5, 5, 1e6: %v, %v, %v", at(.5), at(5), at(1e6))
	}
}

func ExampleBlend() {
	// What happened after similar moves, each with its activation: the third was most recent.
	fmt.Printf("%.2f\n", actr.Blend([]float64{1, 2, 3}, []float64{2.53, 3.76, 4.34}, .354))
	// Output: 2.83
}
