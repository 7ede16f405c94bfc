package dynamics_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/orchard9/engram-go/internal/dynamics"
)

// load reads a file of testdata. A group or a field of it that into has no place for is an error: every number that is
// kept is held against something.
func load(t testing.TB, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

type fsrsCase struct {
	ID     string
	Eq     string
	In     []json.RawMessage
	Expect json.RawMessage
	Tol    float64
	Source string
}

// arguments of a case, decoded in the order in which they stand.
func (c *fsrsCase) args(t *testing.T, into ...any) {
	t.Helper()
	if len(into) != len(c.In) {
		t.Fatalf("%s has %d arguments, want %d", c.ID, len(c.In), len(into))
	}
	for i := range into {
		if err := json.Unmarshal(c.In[i], into[i]); err != nil {
			t.Fatalf("%s, argument %d: %v", c.ID, i, err)
		}
	}
}

func (c *fsrsCase) compare(t *testing.T, got []float64) {
	t.Helper()
	var want []float64
	if err := json.Unmarshal(c.Expect, &want); err != nil {
		t.Fatal(err)
	}
	near(t, c.ID, got, want, c.Tol)
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol) {
			t.Errorf("%s: [%d] = %v, want %v within %v", what, i, got[i], want[i], tol)
		}
	}
}

type conformance struct {
	models map[string]*dynamics.Model
	cases  []fsrsCase
}

func loadConformance(t *testing.T) conformance {
	var file struct {
		Note   string
		Params map[string]struct {
			W, Fill []float64
			Source  string
		}
		Cases []fsrsCase
	}
	load(t, "fsrs_conformance.json", &file)
	c := conformance{models: map[string]*dynamics.Model{}, cases: file.Cases}
	for name, p := range file.Params {
		w := append(p.W, p.Fill...)
		if len(w) != len(dynamics.Weights{}) {
			t.Fatalf("%s has %d weights", name, len(w))
		}
		c.models[name] = dynamics.New(dynamics.Weights(w)).WholeDays()
	}
	w := dynamics.DefaultWeights()
	c.models["default"] = dynamics.New(w).WholeDays()
	w[17], w[18], w[19] = 0, 0, 0
	c.models["default_no_short"] = dynamics.New(w).WholeDays()
	return c
}

// TestFSRSConformance holds every case of the reference implementations' own tests against this one.
func TestFSRSConformance(t *testing.T) {
	file := loadConformance(t)
	if len(file.cases) != 25 {
		t.Fatalf("%d cases, want 25", len(file.cases))
	}
	if published := file.models["FSRS-6"]; published.Factor() != file.models["default"].Factor() {
		t.Errorf("the default weights are not the published ones")
	}
	for i := range file.cases {
		c := &file.cases[i]
		t.Run(c.ID, func(t *testing.T) {
			run, known := equations[c.Eq]
			if !known {
				t.Fatalf("equation %q is unknown", c.Eq)
			}
			run(t, file.models, c)
		})
	}
}

type equation func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase)

var equations = map[string]equation{
	"R_list": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var days, stability []float64
		c.args(t, &model, &days, &stability)
		got := make([]float64, len(days))
		for i := range days {
			got[i] = models[model].Retrievability(days[i], stability[i])
		}
		c.compare(t, got)
	},
	"R_decay": func(t *testing.T, _ map[string]*dynamics.Model, c *fsrsCase) {
		var decay, stability float64
		var days []float64
		c.args(t, &decay, &days, &stability)
		w := dynamics.DefaultWeights()
		w[20] = decay
		var got []float64
		for _, d := range days {
			got = append(got, dynamics.New(w).Retrievability(d, stability))
		}
		c.compare(t, got)
	},
	"nd_raw": difficulties(func(w *dynamics.Weights) { w[7] = 0 }), // without reversion to the mean
	"nd":     difficulties(func(*dynamics.Weights) {}),
	"succ": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var stability float64
		var difficulty, r []float64
		var grades []dynamics.Grade
		c.args(t, &model, &stability, &difficulty, &r, &grades)
		var got []float64
		for i, g := range grades {
			if grades[i] == dynamics.Again {
				g = dynamics.Good // the formula of success has factors for Hard and Easy only
			}
			got = append(got, stepAt(stability, difficulty[i], r[i], g).Stability)
		}
		c.compare(t, got)
	},
	"fail": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var stability float64
		var difficulty, r []float64
		c.args(t, &model, &stability, &difficulty, &r)
		var got []float64
		for i := range r {
			got = append(got, stepAt(stability, difficulty[i], r[i], dynamics.Again).Stability)
		}
		c.compare(t, got)
	},
	"short": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var stability float64
		var grades []dynamics.Grade
		c.args(t, &model, &stability, &grades)
		var got []float64
		for _, g := range grades {
			was := dynamics.Strength{Stability: stability, Difficulty: 5}
			got = append(got, models[model].Step(was, g, 0).Stability)
		}
		c.compare(t, got)
	},
	"ivl": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var stability float64
		var r []float64
		c.args(t, &model, &stability, &r)
		var got []float64
		for _, r := range r {
			got = append(got, max(1, math.Round(models[model].Interval(r, stability))))
		}
		c.compare(t, got)
	},
	"run": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var grades []dynamics.Grade
		var days []float64
		c.args(t, &model, &grades, &days)
		s := models[model].Initial(grades[0])
		for i := 1; i < len(grades); i++ {
			s = models[model].Step(s, grades[i], days[i])
		}
		c.compare(t, []float64{s.Stability, s.Difficulty})
	},
	"step": func(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var state []float64
		var grade dynamics.Grade
		var days float64
		c.args(t, &model, &state, &grade, &days)
		s := models[model].Step(dynamics.Strength{Stability: state[0], Difficulty: state[1]}, grade, days)
		c.compare(t, []float64{s.Stability, s.Difficulty})
	},
	"sm2":       fromSM2,
	"convert17": convert17,
	"longterm":  longTerm,
	"py_sched":  pySchedule,
}

// stepAt is a spaced step at a given retrievability, whenever that is.
func stepAt(stability, difficulty, r float64, g dynamics.Grade) dynamics.Strength {
	m := dynamics.New(dynamics.DefaultWeights())
	return m.Step(dynamics.Strength{Stability: stability, Difficulty: difficulty}, g, m.Interval(r, stability))
}

func difficulties(alter func(*dynamics.Weights)) equation {
	return func(t *testing.T, _ map[string]*dynamics.Model, c *fsrsCase) {
		var model string
		var difficulty float64
		var grades []dynamics.Grade
		c.args(t, &model, &difficulty, &grades)
		w := dynamics.DefaultWeights()
		alter(&w)
		var got []float64
		for _, g := range grades {
			was := dynamics.Strength{Stability: 5, Difficulty: difficulty}
			got = append(got, dynamics.New(w).Step(was, g, 1).Difficulty)
		}
		c.compare(t, got)
	}
}

// fromSM2 takes an item of SM-2 (ease, interval) over, as fsrs-rs does: the stability that makes the interval come
// out at the retention, and the difficulty whose next growth is the ease.
func fromSM2(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
	var model string
	var ease, interval, retention float64
	c.args(t, &model, &ease, &interval, &retention)
	w := dynamics.DefaultWeights()
	stability := interval / models[model].Interval(retention, 1)
	difficulty := 11 - (ease-1)/(math.Exp(w[8])*math.Pow(stability, -w[9])*math.Expm1(w[10]*(1-retention)))
	c.compare(t, []float64{stability, min(max(difficulty, dynamics.MinDifficulty), dynamics.MaxDifficulty)})
}

// convert17 makes weights of FSRS-4.5 into ones of FSRS-6 with a decay of .5.
func convert17(t *testing.T, _ map[string]*dynamics.Model, c *fsrsCase) {
	var w []float64
	c.args(t, &w)
	w = append(w, 0, 0, 0, .5)
	w[4] += 2 * w[5]
	w[5] = math.Log(3*w[5]+1) / 3
	w[6] += .5
	c.compare(t, w)
}

// longTerm is the scheduler of go-fsrs: each grade's interval is longer than that of the one below.
func longTerm(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
	var model string
	var grades []dynamics.Grade
	c.args(t, &model, &grades)
	var want struct{ Interval, S, D []float64 }
	if err := json.Unmarshal(c.Expect, &want); err != nil {
		t.Fatal(err)
	}
	m := models[model]
	var s dynamics.Strength
	var intervals, stabilities, difficulties []float64
	days := 0.0
	for i, g := range grades {
		var next [5]dynamics.Strength
		var interval [5]float64
		for g := dynamics.Again; g <= dynamics.Easy; g++ {
			next[g] = m.Initial(g)
			if i > 0 {
				next[g] = m.Step(s, g, days)
			}
			interval[g] = max(1, math.Round(m.Interval(.9, next[g].Stability)))
		}
		interval[dynamics.Again] = min(interval[dynamics.Again], interval[dynamics.Hard])
		for g := dynamics.Hard; g <= dynamics.Easy; g++ {
			interval[g] = max(interval[g], interval[g-1]+1)
		}
		s, days = next[g], interval[g]
		intervals = append(intervals, days)
		stabilities = append(stabilities, s.Stability)
		difficulties = append(difficulties, s.Difficulty)
	}
	near(t, "intervals", intervals, want.Interval, 0)
	near(t, "stabilities", stabilities, want.S, c.Tol)
	near(t, "difficulties", difficulties, want.D, c.Tol)
}

// pySchedule is the scheduler of py-fsrs: two steps of minutes for a new card, one after a lapse.
func pySchedule(t *testing.T, models map[string]*dynamics.Model, c *fsrsCase) {
	var model string
	var grades []dynamics.Grade
	c.args(t, &model, &grades)
	m := models[model]
	s := m.Initial(grades[0])
	steps, days := 1, 0.0 // one step of minutes is left
	got := []float64{0}
	for _, g := range grades[1:] {
		s = m.Step(s, g, days)
		days = max(1, math.Round(m.Interval(.9, s.Stability)))
		switch {
		case g == dynamics.Again:
			steps, days = 1, 0
		case steps > 0:
			steps--
		}
		got = append(got, days)
	}
	c.compare(t, got)
}
