package engram_test

import (
	"errors"
	"fmt"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestRefusedBatchesLeaveNothing sends batches that are refused for their last draft, for each reason there is, again
// and again: they take no memory and no place in any file.
func TestRefusedBatchesLeaveNothing(t *testing.T) {
	const times, size = 40, 50
	vector := func(dim int) []float32 { return append(make([]float32, dim-1), 1) }
	for _, c := range []struct {
		name string
		last engram.Draft
		o    engram.Options
		want error
	}{
		{name: "taken id", last: engram.Draft{ID: "taken", Content: "other"}, want: engram.ErrConflict},
		{name: "archived id", last: engram.Draft{ID: "archived", Content: "archived"}, want: engram.ErrConflict},
		{name: "id of the batch", last: engram.Draft{ID: "n1", Content: "other"}, want: engram.ErrConflict},
		{name: "link", last: engram.Draft{Links: []engram.Link{{To: "nobody"}}}, want: engram.ErrNotFound},
		{name: "link to itself", last: engram.Draft{ID: "l", Links: []engram.Link{{To: "l"}}}, want: engram.ErrInvalid},
		{name: "contradicts", last: engram.Draft{Contradicts: []string{"nobody"}}, want: engram.ErrNotFound},
		{name: "supersedes", last: engram.Draft{Supersedes: []string{"nobody"}}, want: engram.ErrNotFound},
		{name: "superseded", last: engram.Draft{Supersedes: []string{"old"}}, want: engram.ErrConflict},
		{name: "supersedes itself", last: engram.Draft{ID: "l", Supersedes: []string{"l"}}, want: engram.ErrInvalid},
		{name: "superseded twice", last: engram.Draft{Supersedes: []string{"first"}}, want: engram.ErrConflict},
		{name: "dimension", last: engram.Draft{Embedding: vector(9)}, want: engram.ErrDimension},
		{
			name: "model", last: engram.Draft{Embedding: vector(8), EmbeddingModel: "other"},
			want: engram.ErrEmbeddingModel,
		},
		{name: "key", last: engram.Draft{Content: "else", IdempotencyKey: "k"}, want: engram.ErrConflict},
		{name: "full", o: engram.Options{MaxMemories: 6}, want: engram.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.o)
			s := w.def()
			for _, id := range []string{"taken", "archived", "old", "first"} {
				remember(t, s, engram.Draft{ID: id, Content: id, Pin: true, Embedding: vector(8), EmbeddingModel: "m"})
			}
			remember(t, s, engram.Draft{
				ID: "new", Content: "new", Supersedes: []string{"old"}, Pin: true, IdempotencyKey: "k",
			})
			if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"archived"}}); err != nil {
				t.Fatal(err)
			}
			batch := func(round int) []engram.Draft {
				drafts := make([]engram.Draft, size)
				for i := range drafts {
					drafts[i] = engram.Draft{
						ID: fmt.Sprint("n", i), Content: fmt.Sprintf("word%dx%d of round %d", round, i, round),
						Tags: []string{fmt.Sprint(round, i)}, Embedding: vector(8),
					}
				}
				drafts[0].Supersedes = []string{"first"}
				drafts[size-1] = c.last
				if c.last.Content == "" {
					drafts[size-1].Content = "the last"
				}
				return drafts
			}
			before, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for round := range times {
				_, err := s.RememberBatch(t.Context(), batch(round))
				if !errors.Is(err, c.want) {
					t.Fatalf("RememberBatch = %v, want %v", err, c.want)
				}
				if round == 0 && c.name == "full" { // what room there is has to be found out once
					if before, err = s.Stats(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			after, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if after.HotBytes != before.HotBytes || after.IndexBytes != before.IndexBytes {
				t.Errorf("refused batches left %d bytes of memories and %d of indexes",
					after.HotBytes-before.HotBytes, after.IndexBytes-before.IndexBytes)
			}
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			sealed, err := s.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if limit := int64(16 << 10); sealed.SegmentBytes > limit {
				t.Errorf("the segment has %d bytes, want at most %d for what is in it", sealed.SegmentBytes, limit)
			}
		})
	}
}
