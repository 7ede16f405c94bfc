package recall_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// BenchmarkRecall prints the median and the 99th percentile of one client's recalls in a space of n short memories, of
// a vocabulary of 50,000 words, in sessions of 50: by words with neighbours, the same for one speaker, and by time. A
// question has three words of a memory.
func BenchmarkRecall(b *testing.B) {
	for _, n := range []int{700, 100_000, 1_000_000} {
		s, questions := crowd(b, n)
		b.Run(fmt.Sprintf("words/n=%d", n), func(b *testing.B) { measure(b, s, questions) })
		for i := range questions {
			questions[i].Filters.Speaker = s.symbol("p3")
		}
		b.Run(fmt.Sprintf("speaker/n=%d", n), func(b *testing.B) { measure(b, s, questions) })
		for i := range questions {
			questions[i].Filters, questions[i].Text = recall.NoFilters(), ""
		}
		b.Run(fmt.Sprintf("time/n=%d", n), func(b *testing.B) { measure(b, s, questions) })
	}
}

func crowd(b *testing.B, n int) (*space, []recall.Query) {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.07, 20, 50_000)
	s := newSpace(b, lexical.Options{})
	var questions []recall.Query
	for i := range n {
		var words []string
		for range 5 + rng.IntN(9) {
			words = append(words, fmt.Sprintf("w%dx", zipf.Uint64()))
		}
		s.add(memory{
			id: name(i), text: strings.Join(words, " "), session: fmt.Sprint("s", i/50), at: int64(i) * hour,
			speaker: fmt.Sprint("p", i%10),
		})
		if len(questions) < 500 && rng.IntN(n/500+1) == 0 {
			questions = append(questions, ask(strings.Join(words[:3], " ")))
		}
	}
	return s, questions
}

func measure(b *testing.B, s *space, questions []recall.Query) {
	var e recall.Engine
	corpus := s.corpus()
	var times []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		if _, err := e.Recall(context.Background(), corpus, questions[i%len(questions)]); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}
