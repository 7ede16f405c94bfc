package lexical_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
)

// TestMayRestate: of contents of any size, those whose words are all among another's may say the same, whatever
// else is indexed with them; hardly any others may.
func TestMayRestate(t *testing.T) {
	index, err := lexical.New(lexical.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	row := uint32(0)
	add := func(words []string, more lexical.Document) uint32 {
		more.Content = strings.Join(words, " ")
		index.Add(row, index.Prepare(more))
		row++
		return row - 1
	}
	some := func(n int) []string {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprint("word", rng.IntN(20_000))
		}
		return words
	}
	wrong, pairs := 0, 0
	for _, n := range []int{1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 60, 120, 130, 500, 4000, 8000} {
		for range 50 {
			whole := some(n)
			part := slices.Clone(whole)
			rng.Shuffle(n, func(i, j int) { part[i], part[j] = part[j], part[i] })
			part = append(part[:n-n/4], part[0]) // three quarters, one of them twice
			a := add(whole, lexical.Document{
				Speaker: "Ada", Tags: []string{"harbour"}, When: time.Date(2023, 5, 8, 0, 0, 0, 0, time.UTC),
			})
			b := add(part, lexical.Document{Speaker: "Bo"})
			if !index.MayRestate(a, b) || !index.MayRestate(b, a) {
				t.Fatalf("%d words and three quarters of them: cannot say the same", n)
			}
			if c := add(some(n), lexical.Document{Speaker: "Ada"}); n > 1 {
				pairs++
				if index.MayRestate(a, c) {
					wrong++
				}
			}
		}
	}
	if wrong*1000 > pairs {
		t.Errorf("%d of %d contents with other words may say the same, want fewer than one in 1000", wrong, pairs)
	}
	none, other := add([]string{"the", "of"}, lexical.Document{}), add([]string{"of", "the", "the"}, lexical.Document{})
	if !index.MayRestate(none, other) || index.MayRestate(none, 0) {
		t.Error("contents of stop words alone: want that they may say the same as each other, and as nothing else")
	}
}
