package graph_test

import (
	"encoding/csv"
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/orchard9/engram-go/internal/graph"
)

// fanCell is one condition of Anderson's experiment.
type fanCell struct {
	target           bool
	person, location int
	seconds          float64
}

func fanCells(t *testing.T) []fanCell {
	t.Helper()
	f, err := os.Open("testdata/fan_anderson1974.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cells []fanCell
	for _, r := range rows[1:] {
		p, err1 := strconv.Atoi(r[1])
		l, err2 := strconv.Atoi(r[2])
		s, err3 := strconv.ParseFloat(r[3], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatalf("row %v is no cell", r)
		}
		cells = append(cells, fanCell{r[0] == "target", p, l, s})
	}
	return cells
}

// web builds the sentences that a subject learned about one person (node 0) and one location (node 1): each fact is a
// node linked to its two ends. In a target cell one fact (node 2) joins the two; in a foil cell none does, and the
// first fact of each is asked for in vain.
func (c fanCell) web() (w *web, probes []uint32) {
	w = &web{n: 2}
	fact := func(cues ...uint32) uint32 {
		f := uint32(w.n)
		w.n++
		for len(cues) < 2 {
			cues = append(cues, uint32(w.n)) // somebody or somewhere of its own
			w.n++
		}
		w.arcs = append(w.arcs, arc{cues[0], f, 1}, arc{cues[1], f, 1})
		return f
	}
	shared := 0
	if c.target {
		probes, shared = []uint32{fact(0, 1)}, 1
	}
	for cue, fan := range []int{c.person, c.location} {
		for i := range fan - shared {
			f := fact(uint32(cue))
			if !c.target && i == 0 {
				probes = append(probes, f)
			}
		}
	}
	return w, probes
}

// fit regresses the times on 1/(1+pi/pi0): latency falls as e^-A with A = ln(1+pi/pi0).
func fit(x, y []float64) (r, slope, rmse float64) {
	n, sx, sy, sxx, sxy, syy := float64(len(x)), 0.0, 0.0, 0.0, 0.0, 0.0
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
		sxx, sxy, syy = sxx+x[i]*x[i], sxy+x[i]*y[i], syy+y[i]*y[i]
	}
	vx, vy, c := sxx-sx*sx/n, syy-sy*sy/n, sxy-sx*sy/n
	slope = c / vx
	return c / math.Sqrt(vx*vy), slope, math.Sqrt(max(0, vy-slope*c) / n)
}

// TestFanEffect (P1): reaction times to sentences about persons and locations of which one, two or three are known.
// Free parameters: intercept and slope, for 18 cells. The bounds were set before the run.
func TestFanEffect(t *testing.T) {
	const pi0 = .05
	var times [3][]float64 // targets, foils, both
	var predicted [3][]float64
	for _, c := range fanCells(t) {
		w, probes := c.web()
		var a graph.Activation
		a.Spread(w.network(), []graph.Seed{keep(0, .5), keep(1, .5)}, graph.DefaultWalk())
		pi := 0.0
		for _, p := range probes {
			pi += a.Pi(p) / float64(len(probes))
		}
		group := 1
		if c.target {
			group = 0
		}
		for _, g := range []int{group, 2} {
			times[g] = append(times[g], c.seconds)
			predicted[g] = append(predicted[g], 1/(1+pi/pi0))
		}
	}
	for g, bound := range []struct {
		name string
		n    int
		r    float64
	}{{"targets", 9, .85}, {"foils", 9, .80}, {"all", 18, .85}} {
		r, slope, rmse := fit(predicted[g], times[g])
		t.Logf("%s: r %.3f, slope %.3f s, RMSE %.1f ms", bound.name, r, slope, rmse*1e3)
		if len(times[g]) != bound.n || r < bound.r || slope <= 0 || g == 2 && rmse > .050 {
			t.Errorf("%s: %d cells, r %.3f, RMSE %.1f ms, want %d, r >= %v, 50 ms", bound.name, len(times[g]), r,
				rmse*1e3, bound.n, bound.r)
		}
	}
	if r := fanWithoutDivision(t); r >= .85 {
		t.Errorf("without the division by degree targets still have r %.3f: the test shows nothing", r)
	}
}

// fanWithoutDivision is the correlation of the targets if each association passed on all of what a memory holds, as far
// as four steps.
func fanWithoutDivision(t *testing.T) float64 {
	var x, y []float64
	for _, c := range fanCells(t) {
		if !c.target {
			continue
		}
		w, probes := c.web()
		held, total := make([]float64, w.n), make([]float64, w.n)
		held[0], held[1] = .5, .5
		for range 5 {
			next := make([]float64, w.n)
			for i, h := range held {
				total[i] += .5 * h
			}
			for _, a := range w.arcs {
				next[a.b] += .5 * held[a.a]
				next[a.a] += .5 * held[a.b]
			}
			held = next
		}
		x, y = append(x, 1/(1+total[probes[0]]/.05)), append(y, c.seconds)
	}
	r, _, _ := fit(x, y)
	return r
}

// TestEven: with Walk.Even a memory gives each of its neighbours the same however many it has, and no mass is lost.
func TestEven(t *testing.T) {
	give := func(fan int, even bool) (each, all float64) {
		w := &web{n: fan + 1}
		for i := range fan {
			w.arcs = append(w.arcs, arc{0, uint32(i + 1), 1})
		}
		walk := graph.DefaultWalk()
		walk.Even = even
		var a graph.Activation
		a.Spread(w.network(), []graph.Seed{keep(0, 1)}, walk)
		for i := range fan + 1 {
			all += a.Mass(uint32(i))
		}
		if all += a.Residual(); !near(all, 1, 1e-12) {
			t.Errorf("fan %d, even %v: masses add up to %v", fan, even, all)
		}
		return a.Mass(1), all
	}
	for fan := 2; fan <= 8; fan *= 2 {
		few, _ := give(fan/2, false)
		many, _ := give(fan, false)
		evenFew, _ := give(fan/2, true)
		evenMany, _ := give(fan, true)
		if !(many < .6*few) || !(evenMany >= evenFew) {
			t.Errorf("%d against %d associations: each gets %v against %v, with Even %v against %v", fan, fan/2, many,
				few, evenMany, evenFew)
		}
	}
}
