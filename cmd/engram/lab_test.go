package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/lab"
)

// TestLab runs some rows, which must be printed as they stand in the file that the laboratory's own test holds all rows
// to.
func TestLab(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "none")}
	golden, err := os.ReadFile(filepath.Join("..", "..", "internal", "lab", "testdata", "lab.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(c.ok("lab", "--json", "F1", "S1", "P1", "K4"), "\n")
	if len(lines) != 6 {
		t.Fatalf("lab --json of four rows prints %d lines", len(lines)-1)
	}
	for _, line := range lines[:4] {
		if runtime.GOARCH == "amd64" && !strings.Contains("\n"+string(golden), "\n"+line) {
			t.Errorf("lab --json prints %s, which is not in the file", line)
		}
	}
	var last struct{ Summary lab.Summary }
	if err := json.Unmarshal([]byte(lines[4]), &last); err != nil {
		t.Fatal(err)
	}
	want := lab.Summary{Rows: 4, Match: 2, NotShipped: 1, NotBuilt: 1, Ablations: 2, Failed: 2}
	if last.Summary != want {
		t.Errorf("summary = %+v, want %+v", last.Summary, want)
	}
	wantIn(t, "lab", c.ok("lab", "F1", "S1"), "F1   forgetting curve", "(must fail): fails", "data not shipped",
		"2 rows: 1 match")
	wantIn(t, "lab --markdown", c.ok("lab", "--markdown", "T1"), "| T1 | what is retrieved", "1 rows: 1 match")
	if _, err := os.Stat(c.dir); err == nil {
		t.Error("the laboratory used the data directory")
	}
	c.fails(2, "lab", "--space", "x")
	c.fails(2, "lab", "more")
	c.fails(2, "lab", "--json", "--markdown", "F1")
}
