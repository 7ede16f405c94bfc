package engram_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestShrunkSegmentIsQuarantined cuts a mapped segment short under an open directory, so that reading it faults. Each
// read of it is an error that names the file, Stats and Ready say so, and everything else serves: other spaces, what is
// in memory, and new writes.
func TestShrunkSegmentIsQuarantined(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mapped file cannot be shortened on Windows")
	}
	dir := filepath.Join(t.TempDir(), "data")
	db, err := engram.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Space("s")
	if err != nil {
		t.Fatal(err)
	}
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	vector := make([]float32, 64)
	for i := range 400 {
		vector[i%64] = float32(i + 1)
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("m", i), Content: "harbour " + strings.Repeat("stone ", 40), Embedding: vector,
		})
	}
	remember(t, other, engram.Draft{ID: "x", Content: "the other harbour"})
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "hot", Content: "a lighthouse"})
	segments, err := filepath.Glob(filepath.Join(dir, "spaces", "space-s", "*.seg"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments: %v, %v", segments, err)
	}
	if err := os.Truncate(segments[0], 4096); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), "m399")
	if !errors.Is(err, engram.ErrCorrupt) || !strings.Contains(err.Error(), segments[0]) {
		t.Errorf("Get of a memory behind the end of its file = %v, want ErrCorrupt that names %s", err, segments[0])
	}
	answer, err := s.Recall(t.Context(), engram.Cue{Embedding: vector})
	if err == nil && len(answer.Damaged) == 0 && len(answer.Hits) > 0 {
		t.Errorf("Recall by a vector gave %d hits and says nothing of damage", len(answer.Hits))
	}
	if got := recall(t, s, engram.Cue{Text: "lighthouse"}); len(got) != 1 {
		t.Errorf("Recall of what is in memory = %v", got)
	}
	if got := recall(t, other, engram.Cue{Text: "harbour"}); len(got) != 1 {
		t.Errorf("Recall in another space = %v", got)
	}
	remember(t, s, engram.Draft{ID: "after", Content: "written after the file was cut"})
	if stats, err := s.Stats(t.Context()); err != nil || len(stats.Quarantined) == 0 {
		t.Errorf("Stats = %+v, %v, want the damage in it", stats, err)
	}
	if err := db.Ready(); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Ready = %v, want ErrCorrupt", err)
	}
	if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) == 0 {
		t.Errorf("Verify = %+v, %v, want problems", report, err)
	}
}
