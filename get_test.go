package engram_test

import (
	"strings"
	"testing"

	"github.com/orchard9/engram-go"
)

// TestGetAllocatesItsAnswer holds Get of a memory that nothing was said of to two allocations, wherever it is: its
// texts, and its use with its belief.
func TestGetAllocatesItsAnswer(t *testing.T) {
	db, err := engram.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("what is long enough for a segment to keep beside its line ", 8)
	remember(t, s, engram.Draft{ID: "m", Content: content})
	for _, tier := range []engram.Tier{engram.TierHot, engram.TierWarm} {
		if tier == engram.TierWarm {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var m engram.Memory
		n := testing.AllocsPerRun(100, func() { m, err = s.Get(t.Context(), "m") })
		if err != nil || m.Content != content || m.Tier != tier {
			t.Fatalf("Get of a %s memory = %.20q, %s, %v", tier, m.Content, m.Tier, err)
		}
		if n > 2 {
			t.Errorf("Get of a %s memory makes %.0f allocations, want 2", tier, n)
		}
	}
}
