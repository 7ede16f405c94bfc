package lab_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/lab"
)

var update = flag.Bool("update", false, "write testdata/lab.jsonl anew")

// dataDir is where data that is not shipped lies, if it is there.
func dataDir() string {
	if dir := os.Getenv("ENGRAM_DATA"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "..", "shared", "data")
}

// catalogue is every row, in order.
const catalogue = "F1 F2 S1 S2 S2b S3 S4 T1 P1 P2 P3 P4 P5 P6 I1 I2 I3 RC1 D1 H1 H2 H3 H4 H5 K1 K2 K3 K4 C1 C2 C3"

// TestEveryRow: each replication matches, or is documented not to, and each fails without its mechanism. Every row that
// is made has an ablation, but for one that cannot match anyway.
func TestEveryRow(t *testing.T) {
	dir := dataDir()
	if *update {
		dir = "" // the file holds what is printed without the data that is not shipped
	}
	rows, err := lab.Run(t.Context(), dir)
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
		if r.Source == "" || r.Published == "" || (r.Ablation == nil) == (r.Verdict == lab.Match) {
			t.Errorf("%s: source %q, published %q, ablation %v", r.ID, r.Source, r.Published, r.Ablation)
		}
	}
	if got := strings.Join(ids, " "); got != catalogue {
		t.Errorf("rows are %s, want %s", got, catalogue)
	}
	s := lab.Summarize(rows)
	if s.Rows != len(rows) || s.Match+s.NoMatch+s.NotShipped+s.NotBuilt != s.Rows || s.Failed != s.Ablations ||
		s.NoMatch != 1 || s.NotBuilt != 1 {
		t.Errorf("summary %+v", s)
	}
	if table := lab.Markdown(rows); strings.Count(table, "\n| ") != len(rows) || !strings.Contains(table, s.String()) {
		t.Errorf("table in Markdown:\n%s", table)
	}
	golden(t, rows)
	inReadme(t, rows)
}

// inReadme: the README shows the table as the command prints it, but for rows whose data is on this machine only.
func inReadme(t *testing.T, rows []lab.Row) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for line := range strings.Lines(lab.Markdown(rows)) {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if runtime.GOARCH != "amd64" || !strings.HasPrefix(line, "| ") || id == "S1" || id == "F2" {
			continue
		}
		if !strings.Contains(page, "\n"+line) {
			t.Errorf("README.md lacks\n%sprint it with engram lab --markdown", line)
		}
	}
}

// golden compares with the rows as they were printed before, but for those whose data is on this machine only. Figures
// are those of amd64: other processors may round the last digit otherwise.
func golden(t *testing.T, rows []lab.Row) {
	t.Helper()
	path := filepath.Join("testdata", "lab.jsonl")
	var now []string
	for i := range rows {
		var line strings.Builder
		e := json.NewEncoder(&line)
		e.SetEscapeHTML(false)
		if err := e.Encode(&rows[i]); err != nil {
			t.Fatal(err)
		}
		now = append(now, strings.TrimSuffix(line.String(), "\n"))
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(now, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOARCH != "amd64" {
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
	if len(before) != len(now) {
		t.Fatalf("%s has %d rows, there are %d", path, len(before), len(now))
	}
	for i, line := range before {
		var was lab.Row
		d := json.NewDecoder(bytes.NewReader([]byte(line)))
		d.DisallowUnknownFields()
		if err := d.Decode(&was); err != nil {
			t.Fatalf("%s, row %d: %v", path, i+1, err)
		}
		if was.Verdict != lab.NotShipped && now[i] != line {
			t.Errorf("row %s is\n%s\nbefore it was\n%s\nif that is meant, go test ./internal/lab -update",
				was.ID, now[i], line)
		}
	}
}

// TestRunSome: rows by their ids, and no others; an id that there is not is refused.
func TestRunSome(t *testing.T) {
	rows, err := lab.Run(t.Context(), "", "K4", "K3", "S1")
	if err != nil || len(rows) != 3 || rows[0].ID != "S1" || rows[0].Verdict != lab.NotShipped ||
		rows[2].Verdict != lab.NotBuilt {
		t.Errorf("Run of K4, K3 and S1 = %+v, %v", rows, err)
	}
	if _, err := lab.Run(t.Context(), "", "K9"); err == nil || !strings.Contains(err.Error(), catalogue[:2]) {
		t.Errorf("Run of K9 = %v, want a refusal that lists the rows", err)
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
		{lab.Row{Verdict: lab.NotBuilt, Documented: "why"}, true},
		{lab.Row{Verdict: lab.NotBuilt}, false},
	} {
		if got := c.row.OK(); got != c.want {
			t.Errorf("%+v: OK = %v", c.row, got)
		}
	}
}
