package eval

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Estimate is a mean over questions with its interval: the 2.5 % and 97.5 % points of the means of resamples.
type Estimate struct {
	Name string  `json:"measure"`
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resample estimates each column of rows by the percentile bootstrap: a resample draws as many rows as there are, with
// replacement, the same for every column. rows[i][j] is measure j of question i.
func resample(names []string, rows [][]float64, times int, rng *rand.Rand) []Estimate {
	out := make([]Estimate, len(names))
	for j := range names {
		out[j] = Estimate{Name: names[j], Mean: column(rows, j, nil)}
	}
	if len(rows) == 0 {
		return out
	}
	means := make([][]float64, len(names))
	draw := make([]int, len(rows))
	for range times {
		for i := range draw {
			draw[i] = rng.IntN(len(rows))
		}
		for j := range names {
			means[j] = append(means[j], column(rows, j, draw))
		}
	}
	for j := range names {
		slices.Sort(means[j])
		out[j].Low, out[j].High = point(means[j], .025), point(means[j], .975)
	}
	return out
}

// column is the mean of one measure over the rows drawn, over all of them if draw is nil.
func column(rows [][]float64, j int, draw []int) float64 {
	if len(rows) == 0 {
		return 0
	}
	sum := 0.0
	if draw == nil {
		for _, row := range rows {
			sum += row[j]
		}
		return sum / float64(len(rows))
	}
	for _, i := range draw {
		sum += rows[i][j]
	}
	return sum / float64(len(draw))
}

// point is the q-quantile of sorted values, between the two nearest.
func point(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// randomisation is the two-sided p-value of the paired randomisation test: how often random signs give the differences
// a mean at least as far from 0 as theirs. It is never below 1/(times+1).
func randomisation(differences []float64, times int, rng *rand.Rand) float64 {
	sum := 0.0
	for _, d := range differences {
		sum += d
	}
	reached := 1
	for range times {
		other := 0.0
		for _, d := range differences {
			if rng.Uint64()&1 == 0 {
				d = -d
			}
			other += d
		}
		if math.Abs(other) >= math.Abs(sum)*(1-1e-12) { // the same sum in another order must count
			reached++
		}
	}
	return float64(reached) / float64(times+1)
}
