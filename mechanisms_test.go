package engram_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// lived is what a short life leaves behind: figures that each mechanism has a part in.
func lived(t *testing.T, without ...string) map[string]string {
	t.Helper()
	w := newWorld(t, engram.Options{Without: without})
	s := w.def()
	remember(t, s, engram.Draft{ID: "used", Content: "the ferry leaves at seven"})
	remember(t, s, engram.Draft{ID: "massed", Content: "the mast is red"})
	remember(t, s, engram.Draft{ID: "told", Content: "the quay is wet"})
	for i := range 3 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("fan", i), Content: fmt.Sprint("gulls ", i), Links: []engram.Link{{To: "used"}},
		})
	}
	for i := range 20 {
		remember(t, s, engram.Draft{
			ID: fmt.Sprint("v", i), Content: fmt.Sprint("chart ", i), Embedding: embedded(64, fmt.Sprint(i)),
		})
	}
	for n := 2; n <= 4; n++ {
		w.clock.set(day(n))
		judged(t, s, engram.Feedback{Useful: []string{"used"}})
		remember(t, s, engram.Draft{Content: "the quay is wet"})
	}
	for hour := range 5 {
		w.clock.set(day(4).Add(time.Duration(hour) * time.Hour))
		judged(t, s, engram.Feedback{Useful: []string{"massed"}})
	}
	w.clock.set(day(30))
	out := map[string]string{}
	for _, id := range []string{"used", "massed", "told"} {
		m := get(t, s, id)
		out[id] = fmt.Sprintf("S %.3f, R %.3f, labile %v", m.Use.Stability, m.Use.Retrievability,
			!m.Use.LabileUntil.IsZero())
	}
	spread, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"used", "fan0"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range spread.Memories {
		out["spread"] += fmt.Sprintf("%s %.4f ", m.ID, m.Pi)
	}
	for _, h := range answerOf(t, s, engram.Cue{Text: "ferry leaving", Without: []string{"use"}}).Hits {
		out["recall"] += fmt.Sprintf("%s %.4f ", h.ID, h.Score)
	}
	c := completeIn(t, s, engram.Partial{Cue: engram.Cue{Embedding: embedded(64, "3")}, Fields: []string{"content"}})
	out["complete"] = fmt.Sprint(len(c.Members))
	return out
}

func judged(t *testing.T, s *engram.Space, f engram.Feedback) {
	t.Helper()
	if _, err := s.Feedback(t.Context(), f); err != nil {
		t.Fatalf("Feedback(%+v) = %v", f, err)
	}
}

func get(t *testing.T, s *engram.Space, id string) engram.Memory {
	t.Helper()
	m, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get(%s) = %v", id, err)
	}
	return m
}

// TestMechanisms: each switch changes what its mechanism has a part in, and leaves the rest alone.
func TestMechanisms(t *testing.T) {
	changed := map[string]string{
		"power_curve": "massed told used", "spacing": "massed told used", "same_day": "massed", "retelling": "told",
		"labile": "massed used", "spreading": "recall spread", "fan": "recall spread", "sharpness": "complete",
		"names": "recall", "stems": "recall", "day": "recall",
	}
	if len(changed) != len(engram.Mechanisms()) {
		t.Errorf("the mechanisms are %v", engram.Mechanisms())
	}
	all := lived(t)
	for _, name := range engram.Mechanisms() {
		got := lived(t, name)
		for what := range all {
			wanted := strings.Contains(" "+changed[name]+" ", " "+what+" ")
			if (got[what] != all[what]) != wanted {
				t.Errorf("without %s: %s is %s, with everything %s", name, what, got[what], all[what])
			}
		}
	}
	for _, names := range [][]string{{"luck"}, {"fan", "fan"}, {""}} {
		_, err := engram.Options{Without: names}.Open(t.TempDir())
		if !errors.Is(err, engram.ErrInvalid) || !strings.HasPrefix(err.Error(), "Options.Without") {
			t.Errorf("Open without %q = %v", names, err)
		}
	}
}
