package engram_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// BenchmarkRecallAsOf asks the same of the present and of the past of 100,000 short memories:
//
//	go test -run xxx -bench RecallAsOf .
func BenchmarkRecallAsOf(b *testing.B) {
	db, err := engram.Options{Clock: func() time.Time { return day(1) }}.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // of a benchmark
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 100 {
		drafts := make([]engram.Draft, 1000)
		for j := range drafts {
			drafts[j].Content = fmt.Sprintf("memory %d %d of %d", i, j, rng.IntN(1000))
		}
		if _, err := s.RememberBatch(b.Context(), drafts); err != nil {
			b.Fatal(err)
		}
	}
	for name, cue := range map[string]engram.Cue{
		"now": {Text: "memory of 7 8"}, "then": {Text: "memory of 7 8", AsOf: day(2)},
		"where": {Text: "memory of 7 8", Where: func(m *engram.Memory) bool { return m.Source == "" }},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Recall(b.Context(), cue); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
