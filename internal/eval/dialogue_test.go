package eval_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/eval"
)

// TestDialogue holds what recall finds in a small dialogue of the project's own, so that association, speaker and time
// are measured where no collection is. Of its questions some are answered by a turn and the one after it, some are
// asked of two people who say the same, and some ask when, beside turns that say no time. No weight was set on it;
// turns that compete with those of time were added when time was worth nothing without them. The floors are about half
// of what each term was worth then: association .14 of recall@5, speaker and time .04 of the average precision; with
// all of them .95 and .76.
func TestDialogue(t *testing.T) {
	set := load(t, "testdata/dialogue.json", eval.LoadOptions{Format: eval.LoCoMo})
	r := run(t, set, eval.Options{Depth: 20, Resamples: 100, Ablate: true})
	if r.Asked != 28 || r.Unscored != 0 {
		t.Fatalf("%d questions asked, %d without gold, want 28 and none", r.Asked, r.Unscored)
	}
	for measure, floor := range map[string]float64{"recall@5": .88, "map": .68} {
		got := value(t, r, "all", measure).Mean
		t.Logf("%s %.3f", measure, got)
		if got < floor {
			t.Errorf("%s is %.3f, want %v or more", measure, got, floor)
		}
	}
	for _, c := range []struct {
		term, measure string
		floor         float64
	}{
		{"association", "recall@5", .07}, {"speaker", "map", .02}, {"time", "map", .02},
	} {
		for _, d := range r.Ablation {
			for _, e := range d.Estimates {
				if d.Term != c.term || e.Name != c.measure {
					continue
				}
				t.Logf("%s is worth %.3f of %s", c.term, e.Mean, c.measure)
				if e.Mean < c.floor {
					t.Errorf("%s is worth %.3f of %s, want %v or more", c.term, e.Mean, c.measure, c.floor)
				}
			}
		}
	}
}
