package lab_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/lab"
)

// dataDir is where data that is not shipped lies, if it is there.
func dataDir() string {
	if dir := os.Getenv("ENGRAM_DATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

// TestEveryRow: each replication matches or is documented not to, and each fails without its mechanism.
func TestEveryRow(t *testing.T) {
	rows, err := lab.Run(t.Context(), dataDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + lab.Table(rows))
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		if !r.OK() {
			t.Errorf("%s: %s, misses %q, ablation %+v", r.ID, r.Verdict, r.Misses, r.Ablation)
		}
	}
	if got, want := strings.Join(ids, " "), "F1 S1 S2 S2b S3 T1 P1 P2 P6 P5 I1 I2 I3 RC1 D1 H1 H2 K1"; got != want {
		t.Errorf("rows are %s, want %s", got, want)
	}
}

// TestOK: a row that misses without saying so, one that was expected to miss and does not, and one whose ablation
// passes are not as documented.
func TestOK(t *testing.T) {
	failed, passed := &lab.Ablation{Failed: true}, &lab.Ablation{}
	for _, c := range []struct {
		row  lab.Row
		want bool
	}{
		{lab.Row{Verdict: lab.Match}, true},
		{lab.Row{Verdict: lab.Match, Ablation: failed}, true},
		{lab.Row{Verdict: lab.Match, Ablation: passed}, false},
		{lab.Row{Verdict: lab.NoMatch, Ablation: failed}, false},
		{lab.Row{Verdict: lab.NoMatch, Documented: "why"}, true},
		{lab.Row{Verdict: lab.Match, Documented: "why"}, false},
		{lab.Row{Verdict: lab.NotShipped}, true},
	} {
		if got := c.row.OK(); got != c.want {
			t.Errorf("%+v: OK = %v", c.row, got)
		}
	}
}
