package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/orchard9/engram-go/internal/eval"
)

const evalData = "../../internal/eval/testdata/"

func TestEval(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "none")}
	out := c.ok("eval", "--format", "locomo", evalData+"locomo.json", "--ablate", "--fail-under", "recall@5=1")
	wantIn(t, "eval", out, "recall@10", "multi-hop (n=1)", `what "association" is worth`, "sha256", "engine")
	report := decoded[eval.Report](c, "eval", "--format", "beir", "--split", "test", "--k", "1,2", "--depth", "9",
		"--seed", "4", "--resamples", "150", "--without", "association", "--repeats", "--fill", "--language", "porter",
		"--k1", "1", "--b", ".5", evalData+"beir")
	s := report.Settings
	if len(s.K) != 2 || s.Depth != 9 || s.Seed != 4 || s.Resamples != 150 || len(s.Without) != 1 || !s.Repeats ||
		!s.Fill || s.Language != "porter" || *s.K1 != 1 || *s.B != .5 || report.Asked != 2 {
		t.Errorf("report = %+v", report)
	}
	sessions := decoded[eval.Report](c, "eval", "--format", "locomo", "--by", "session", "--space-per", "conversation",
		evalData+"locomo.json")
	if sessions.Unit != "session" || sessions.Spaces != 2 {
		t.Errorf("by session: %s in %d spaces", sessions.Unit, sessions.Spaces)
	}
	plain := decoded[eval.Report](c, "eval", "--format", "locomo", "--off", "stems", "--off", "day",
		"--leave-out", "speaker", "--dated", "--step", ".25", evalData+"locomo.json").Settings
	if len(plain.Off) != 2 || len(plain.LeaveOut) != 1 || !plain.Dated || plain.Step != .25 {
		t.Errorf("plain settings = %+v", plain)
	}
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--step", "2")
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--off", "luck")
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--leave-out", "text")
	c.fails(2, "eval", "--format", "beir", evalData+"beir", "--dated")
	if _, err := os.Stat(c.dir); err == nil {
		t.Error("a collection was measured in the data directory")
	}
	text := c.fails(1, "eval", "--format", "locomo", evalData+"locomo.json", "--fail-under", "recall@5=1.5")
	wantIn(t, "fail-under", text, "recall@5 is 1.0000, below the required 1.5")
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--fail-under", "luck=1")
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--fail-under", "recall@5")
	c.fails(2, "eval", "--format", "locomo", evalData+"locomo.json", "--space", "x")
	c.fails(2, "eval", evalData+"locomo.json")
	c.fails(3, "eval", "--format", "beir", "nowhere")
	wantIn(t, "broken file", c.fails(2, "eval", "--format", "golden", evalData+"locomo.json"), "locomo.json:1: ")
}

func TestEvalGoldenAndCompare(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "scope", "I bought a telescope")
		c.ok("remember", "--id", "bee", "The beehive survived")
		a, b := filepath.Join(t.TempDir(), "a.json"), filepath.Join(t.TempDir(), "b.json")
		save := func(path string, args ...string) {
			args = append([]string{"eval", "--json", "--format", "golden", evalData + "golden.jsonl"}, args...)
			report := c.ok(args...)
			if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		save(a, "--fail-under", "recall@5=.75")
		c.ok("forget", "bee")
		save(b)
		c.fails(1, "eval", "--format", "golden", evalData+"golden.jsonl", "--fail-under", "recall@5=.75")
		wantIn(t, "compare", c.ok("eval", "--compare", a, b), "recall@5      -0.2500", "p ")
		got := decoded[eval.Comparison](c, "eval", "--compare", a, b, "--seed", "3")
		if got.Seed != 3 || len(got.Groups) != 2 {
			t.Errorf("comparison = %+v", got)
		}
		c.fails(2, "eval", "--compare", a)
		c.fails(2, "eval", "--compare", a, b, "--ablate")
		c.fails(2, "eval", "--compare", a, evalData+"golden.jsonl")
		c.fails(3, "eval", "--compare", a, "nowhere.json")
	})
}
