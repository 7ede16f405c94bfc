package sac_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/orchard9/engram-go/internal/lab/sac"
)

// cell is one of Cepeda's: recall after two sessions gap days apart and a test delay days later.
type cell struct{ gap, delay, recall float64 }

// cepeda reads the digitised table, which is not shipped: its licence is not known.
func cepeda(t *testing.T) []cell {
	t.Helper()
	dir := os.Getenv("ENGRAM_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, "..", "tables", "cepeda2008.csv")
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("%s is not there: it holds Cepeda et al. (2008) as digitised by others, which is not shipped; set "+
			"ENGRAM_DATA to the folder beside tables/", path)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var cells []cell
	for _, row := range rows[1:] {
		var v [3]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(row[4+i], 64); err != nil {
				t.Fatal(err)
			}
		}
		if row[0] == "d" && row[1] == "Cepeda et al. (2008)" {
			cells = append(cells, cell{v[0], v[1], v[2]})
		}
	}
	return cells
}

// rmse is the error over the cells, in percentage points.
func rmse(cells []cell, p sac.Params) float64 {
	sum := 0.0
	for _, c := range cells {
		miss := 100*p.Recall(p.Strength([]float64{0, c.gap}, c.gap+c.delay)) - c.recall
		sum += miss * miss
	}
	return math.Sqrt(sum / float64(len(cells)))
}

// TestCepeda is S1: the fitted parameters give the published error over 26 cells, and without decay they do not.
func TestCepeda(t *testing.T) {
	cells := cepeda(t)
	const count, published, tolerance = 26, 4.02, .02
	if len(cells) != count {
		t.Fatalf("%d cells, want %d", len(cells), count)
	}
	if got := rmse(cells, sac.Popov()); math.Abs(got-published) > tolerance {
		t.Errorf("error %v points, published %v", got, published)
	}
	flat := sac.Popov()
	flat.D = 0
	if got := rmse(cells, flat); math.Abs(got-published) <= tolerance {
		t.Errorf("without decay the error is %v all the same: the test shows nothing", got)
	}
}

// TestAnInteriorGapIsBest: with power decay the best gap before a test a week later is neither none nor the longest.
func TestAnInteriorGapIsBest(t *testing.T) {
	p := sac.Popov()
	after := func(gap float64) float64 { return p.Strength([]float64{0, gap}, gap+7) }
	if !(after(2) > after(0) && after(2) > after(60)) {
		t.Errorf("strength a week later: %v with no gap, %v with 2 days, %v with 60", after(0), after(2), after(60))
	}
}
