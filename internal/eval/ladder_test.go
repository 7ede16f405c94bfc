package eval_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/eval"
)

// TestKnownLadder makes each rung of a ladder of BM25 that is known for three LoCoMo conversations by switches of
// engram eval: R@5, R@10, R@20, nDCG@10 and MRR within .002. docs/eval.md has the commands.
func TestKnownLadder(t *testing.T) {
	dir := os.Getenv("ENGRAM_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path := filepath.Join(dir, "locomo_dev.json")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test collection at %s: set ENGRAM_DATA to the folder that holds locomo_dev.json", path)
	}
	others := slices.DeleteFunc(engram.Terms(), func(term string) bool { return term == "words" })
	both := []string{"speaker", "caption"}
	for _, c := range []struct {
		what     string
		language string
		off      string
		leaveOut []string
		k1, b    float64
		step     float64
		want     [5]float64
	}{
		{"text", "none", "names day", both, 1.2, .75, 0, [5]float64{.410, .486, .570, .357, .340}},
		{"stop words", "porter", "names day stems", both, 1.2, .75, 0, [5]float64{.476, .561, .617, .417, .394}},
		{"stems", "porter", "names day", both, 1.2, .75, 0, [5]float64{.510, .588, .653, .455, .442}},
		{"speaker", "porter", "names day", []string{"caption"}, 1.2, .75, 0, [5]float64{.546, .612, .682, .488, .477}},
		{"reference", "porter", "names day", nil, 1.2, .75, 0, [5]float64{.548, .631, .698, .494, .478}},
		{"dated", "porter", "names day", nil, 1.2, .75, 0, [5]float64{.568, .651, .713, .516, .499}},
		{"reference, .9/.4", "porter", "names day", nil, .9, .4, 0, [5]float64{.569, .649, .697, .507, .490}},
		{"reference, step", "porter", "names day", nil, 1.2, .75, .3, [5]float64{.584, .675, .760, .507, .480}},
		{"reference, .9/.4, step", "porter", "names day", nil, .9, .4, .3, [5]float64{.592, .678, .759, .524, .505}},
	} {
		set := load(t, path, eval.LoadOptions{Format: eval.LoCoMo, LeaveOut: c.leaveOut, Dated: c.what == "dated"})
		r := run(t, set, eval.Options{
			Language: c.language, Off: strings.Fields(c.off), Without: others, K1: &c.k1, B: &c.b, Step: c.step,
			Fill: true, Repeats: true, Resamples: 100,
		})
		var got [5]float64
		for i, measure := range []string{"recall@5", "recall@10", "recall@20", "ndcg@10", "mrr"} {
			got[i] = value(t, r, "all", measure).Mean
		}
		t.Logf("%-22s %.3f", c.what, got)
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > .002 {
				t.Errorf("%s: %.3f, want %.3f within .002", c.what, got, c.want)
				break
			}
		}
	}
}
