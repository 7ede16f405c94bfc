package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// mrrDepth is the last rank that mrr looks at.
const mrrDepth = 100

// measures names the measures at the ranks ks, in the order in which they are reported.
func measures(ks []int) []string {
	var names []string
	for _, kind := range []string{"recall", "hit", "ndcg"} {
		for _, k := range ks {
			names = append(names, fmt.Sprintf("%s@%d", kind, k))
		}
	}
	return append(names, "mrr", "map")
}

// judge gives the measures of one list, in the order of measures. Grades has at least one document.
func judge(list []string, grades map[string]float64, ks []int) []float64 {
	gains := make([]float64, len(list)) // of the document at each rank
	for i, id := range list {
		gains[i] = grades[id]
	}
	ideal := make([]float64, 0, len(grades))
	for _, grade := range grades {
		ideal = append(ideal, grade)
	}
	slices.SortFunc(ideal, func(a, b float64) int { return cmp.Compare(b, a) })
	found := func(k int) float64 {
		n := 0.0
		for _, gain := range gains[:min(k, len(gains))] {
			if gain > 0 {
				n++
			}
		}
		return n
	}
	var recall, hit, ndcg []float64
	for _, k := range ks {
		recall = append(recall, found(k)/float64(len(grades)))
		hit = append(hit, min(1, found(k)))
		ndcg = append(ndcg, gainTo(gains, k)/gainTo(ideal, k))
	}
	reciprocal, precision := ranks(gains)
	return slices.Concat(recall, hit, ndcg, []float64{reciprocal, precision / float64(len(grades))})
}

// gainTo is the discounted cumulated gain to rank k.
func gainTo(gains []float64, k int) float64 {
	sum := 0.0
	for i, gain := range gains[:min(k, len(gains))] {
		sum += gain / math.Log2(float64(i+2))
	}
	return sum
}

// ranks gives the reciprocal rank of the first relevant document, and the sum of the precisions at all of them.
func ranks(gains []float64) (reciprocal, precision float64) {
	found := 0
	for i, gain := range gains {
		if gain <= 0 {
			continue
		}
		found++
		precision += float64(found) / float64(i+1)
		if found == 1 && i < mrrDepth {
			reciprocal = 1 / float64(i+1)
		}
	}
	return reciprocal, precision
}

// quantile is the smallest of the sorted durations that at least the share q of them do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
