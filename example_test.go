package engram_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Remember two things, recall one, and see why.
func Example() {
	dir, err := os.MkdirTemp("", "engram")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := engram.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for _, d := range []engram.Draft{
		{
			ID: "move", Content: "Ada moved to Lisbon.", Speaker: "Bo",
			OccurredAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		},
		{ID: "tea", Content: "Tea is at four.", Speaker: "Bo", OccurredAt: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)},
	} {
		out, err := space.Remember(ctx, d)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(out.Result, out.ID)
	}
	answer, err := space.Recall(ctx, engram.Cue{Text: "where is Ada moving?", Explain: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range answer.Hits {
		fmt.Println(hit.Content)
		for _, term := range hit.Why {
			fmt.Print("because of ", term.Name, ":")
			for _, part := range term.Detail {
				fmt.Print(" ", part.Name)
			}
			fmt.Println()
		}
	}
	// Output:
	// created move
	// created tea
	// Ada moved to Lisbon.
	// because of words: ada move
}

// A correction keeps what was true before.
func ExampleSpace_Remember_supersede() {
	dir, err := os.MkdirTemp("", "engram")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	db, err := engram.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	space, _ := db.Space("office")
	ctx := context.Background()
	march, may := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range []engram.Draft{
		{ID: "v1", Content: "The office is in Porto.", OccurredAt: march},
		{ID: "v2", Content: "The office is in Braga.", OccurredAt: may, Supersedes: []string{"v1"}},
	} {
		if _, err := space.Remember(ctx, d); err != nil {
			log.Fatal(err)
		}
	}
	for _, at := range []time.Time{{}, march.AddDate(0, 1, 0)} {
		answer, err := space.Recall(ctx, engram.Cue{Text: "office", ValidAt: at})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Hits[0].Content)
	}
	// Output:
	// The office is in Braga.
	// The office is in Porto.
}
