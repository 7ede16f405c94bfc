package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/lab"
)

func TestLab(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "none")}
	out := c.ok("lab", "--json")
	verdicts := map[lab.Verdict]int{}
	for line := range strings.Lines(out) {
		var r lab.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil || !r.OK() || r.Source == "" || r.Published == "" {
			t.Errorf("row %s: %v", line, err)
		}
		verdicts[r.Verdict]++
	}
	if verdicts[lab.NotShipped] != 1 || verdicts[lab.Match] == 0 {
		t.Errorf("verdicts without the data that is not shipped: %v", verdicts)
	}
	if _, err := os.Stat(c.dir); err == nil {
		t.Error("the laboratory used the data directory")
	}
	wantIn(t, "lab", c.ok("lab"), "F1   forgetting curve", "(must fail): failed", "data not shipped")
	c.fails(2, "lab", "--space", "x")
	c.fails(2, "lab", "more")
}
