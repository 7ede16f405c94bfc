package engram_test

import (
	"fmt"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// TestALogOfAssociationsAloneIsSealed: writes that add no memory must not let the log grow without bound.
func TestALogOfAssociationsAloneIsSealed(t *testing.T) {
	w := newWorld(t, engram.Options{HotBytes: 4096})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "One."})
	remember(t, s, engram.Draft{ID: "b", Content: "Two."})
	sealed := func() bool {
		stats, err := s.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Warm == 2
	}
	for i := range 1000 {
		if err := s.Link(t.Context(), "a", engram.Link{To: "b", Weight: new(float64(i%10) / 10)}); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); !sealed(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the log was never sealed")
		}
	}
	w.reopen()
	m, err := w.def().Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "links", m.Links, []engram.Association{{To: "b", Type: "relates_to", Weight: .9}})
}

// TestSealingHappensByItself writes enough for several segments and reads everything back from them.
func TestSealingHappensByItself(t *testing.T) {
	w := newWorld(t, engram.Options{HotBytes: 16 << 10})
	s := w.def()
	for i := range 800 {
		remember(t, s, engram.Draft{ID: fmt.Sprint(i), Content: fmt.Sprintf("Remark number%d about the weather.", i)})
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Segments < 2 || stats.Warm != 800 || stats.Hot != 0 {
		t.Fatalf("Stats = %+v, %v, want 800 warm rows in several segments", stats, err)
	}
	for range 2 {
		for i := range 800 {
			m, err := s.Get(t.Context(), fmt.Sprint(i))
			if err != nil || m.Content != fmt.Sprintf("Remark number%d about the weather.", i) ||
				m.Tier != engram.TierWarm {
				t.Fatalf("Get(%d) = %+v, %v", i, m, err)
			}
		}
		want(t, "recall", recall(t, s, engram.Cue{Text: "number77"}), []string{"77"})
		w.reopen()
		s = w.def()
	}
}
