package main

import (
	"math"

	engram "github.com/orchard9/engram-go"
)

// addTolerance is the rounding allowed when terms are added up, relative to the score: a few bits of a float64.
const addTolerance = 1e-9

// termOf returns the value of a hit's term, 0 if it has none of that name.
func termOf(hit engram.Hit, name string) float64 {
	for _, t := range hit.Why {
		if t.Name == name {
			return t.Value
		}
	}
	return 0
}

// topID returns the id of the best hit, "" if there is none.
func topID(answer engram.Answer) string {
	if len(answer.Hits) == 0 {
		return ""
	}
	return answer.Hits[0].ID
}

// allTermsAddUp reports whether the terms of every hit add up to its score, and the parts of every term to the term.
func allTermsAddUp(answer engram.Answer) bool {
	for _, hit := range answer.Hits {
		sum := 0.0
		for _, t := range hit.Why {
			sum += t.Value
			parts := 0.0
			for _, p := range t.Detail {
				parts += p.Value
			}
			if len(t.Detail) > 0 && !nearly(parts, t.Value) {
				return false
			}
		}
		if !nearly(sum, hit.Score) {
			return false
		}
	}
	return len(answer.Hits) > 0
}

// nearly reports whether two sums of the same numbers are equal but for rounding.
func nearly(x, y float64) bool {
	return math.Abs(x-y) <= addTolerance*max(1, math.Abs(x), math.Abs(y))
}

// sameAnswer reports whether two answers have the same hits in the same order with the same scores, bit by bit.
func sameAnswer(x, y engram.Answer) bool {
	if len(x.Hits) != len(y.Hits) || x.Searched != y.Searched {
		return false
	}
	for i := range x.Hits {
		p, q := x.Hits[i], y.Hits[i]
		if p.ID != q.ID || p.Version != q.Version || p.Content != q.Content || p.Score != q.Score {
			return false
		}
	}
	return true
}
