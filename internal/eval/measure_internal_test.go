package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestMeasuresByHand works every measure out for one list: relevant documents at ranks 2 and 5 of 3 in all.
func TestMeasuresByHand(t *testing.T) {
	list := []string{"x", "a", "y", "z", "b", "w"}
	log := math.Log2
	for _, c := range []struct {
		what   string
		grades map[string]float64
		want   map[string]float64
	}{
		{"binary", map[string]float64{"a": 1, "b": 1, "c": 1}, map[string]float64{
			"recall@1": 0, "recall@2": 1.0 / 3, "recall@5": 2.0 / 3,
			"hit@1": 0, "hit@2": 1, "hit@5": 1,
			"ndcg@1": 0,
			"ndcg@2": (1 / log(3)) / (1/log(2) + 1/log(3)),
			"ndcg@5": (1/log(3) + 1/log(6)) / (1/log(2) + 1/log(3) + 1/log(4)),
			"mrr":    1.0 / 2,
			"map":    (1.0/2 + 2.0/5) / 3,
		}},
		{"graded", map[string]float64{"a": 1, "b": 3}, map[string]float64{
			"recall@1": 0, "recall@2": 1.0 / 2, "recall@5": 1,
			"hit@1": 0, "hit@2": 1, "hit@5": 1,
			"ndcg@1": 0,
			"ndcg@2": (1 / log(3)) / (3/log(2) + 1/log(3)),
			"ndcg@5": (1/log(3) + 3/log(6)) / (3/log(2) + 1/log(3)),
			"mrr":    1.0 / 2,
			"map":    (1.0/2 + 2.0/5) / 2,
		}},
		{"nothing found", map[string]float64{"q": 1}, map[string]float64{
			"recall@1": 0, "recall@2": 0, "recall@5": 0, "hit@1": 0, "hit@2": 0, "hit@5": 0,
			"ndcg@1": 0, "ndcg@2": 0, "ndcg@5": 0, "mrr": 0, "map": 0,
		}},
	} {
		ks := []int{1, 2, 5}
		got := judge(list, c.grades, ks)
		names := measures(ks)
		if len(names) != len(c.want) || len(got) != len(names) {
			t.Fatalf("%s: %d values for %v", c.what, len(got), names)
		}
		for i, name := range names {
			if math.Abs(got[i]-c.want[name]) > 1e-12 {
				t.Errorf("%s: %s = %v, want %v", c.what, name, got[i], c.want[name])
			}
		}
	}
}

func TestMRREndsAtRank100(t *testing.T) {
	list := make([]string, 101)
	list[100] = "a"
	got := judge(list, map[string]float64{"a": 1}, []int{5})
	if mrr, ap := got[len(got)-2], got[len(got)-1]; mrr != 0 || ap != 1.0/101 {
		t.Errorf("relevant at rank 101: mrr %v and map %v, want 0 and 1/101", mrr, ap)
	}
}

func TestQuantile(t *testing.T) {
	times := []time.Duration{1, 2, 3, 4}
	for q, want := range map[float64]time.Duration{.01: 1, .25: 1, .5: 2, .51: 3, .99: 4, 1: 4} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, .5); got != 0 {
		t.Errorf("quantile of nothing = %v", got)
	}
}

// TestIntervals: questions that agree have an interval of no width; for many halves and halves its width is that of the
// normal approximation; and the same seed draws the same.
func TestIntervals(t *testing.T) {
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(7, 1)) }
	same := resample([]string{"m"}, [][]float64{{.25}, {.25}, {.25}}, 200, rng())
	if e := same[0]; e.Mean != .25 || e.Low != .25 || e.High != .25 {
		t.Errorf("equal values: %+v", e)
	}
	var rows [][]float64
	for i := range 400 {
		rows = append(rows, []float64{float64(i % 2)})
	}
	a, b := resample([]string{"m"}, rows, 4000, rng()), resample([]string{"m"}, rows, 4000, rng())
	half := 1.96 * math.Sqrt(.5*.5/400)
	if e := a[0]; math.Abs(e.Low-(.5-half)) > .006 || math.Abs(e.High-(.5+half)) > .006 {
		t.Errorf("halves: %+v, want .5 ± %v", e, half)
	}
	if !slices.Equal(a, b) {
		t.Errorf("the same seed gave %+v and %+v", a, b)
	}
	if e := resample([]string{"m"}, nil, 100, rng())[0]; e.Mean != 0 {
		t.Errorf("of nothing: %+v", e)
	}
}

// TestRandomisation: of 2^3 signs, two give three equal differences a mean as far from 0; no difference has p 1.
func TestRandomisation(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 2))
	if p := randomisation([]float64{.1, .1, .1}, 20_000, rng); math.Abs(p-2.0/8) > .015 {
		t.Errorf("p = %v, want about 2/8", p)
	}
	if p := randomisation(make([]float64, 9), 100, rng); p != 1 {
		t.Errorf("p of no difference = %v, want 1", p)
	}
}
