package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/server/problem"
)

// TestDamageKeepsItsMeaning damages one sealed memory of twenty: what a command says, and its exit code, is the same on
// the directory and through a server, also where the answer had begun.
func TestDamageKeepsItsMeaning(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		// The damaged memory stands behind more than an answer holds back before it begins.
		filler := strings.Repeat("foxes and hens and wolves ", 300)
		for i := range 20 {
			c.ok("remember", "--id", fmt.Sprintf("m%d", i), "--tag", "all",
				fmt.Sprintf("about fox number %d. %s", i, filler))
		}
		c.ok("compact")
		segment := damageSegment(t, c.dir, "number 17.")

		r := c.run("", "export")
		if r.code != problem.ExitCorrupt || strings.Count(r.out, "\n") != 19 || strings.Contains(r.out, "number 17.") {
			t.Errorf("export = exit %d and %d lines, want %d and 19:\n%s", r.code, strings.Count(r.out, "\n"),
				problem.ExitCorrupt, r.err)
		}
		wantIn(t, "export", r.err, segment, "everything else is written")
		copied := &cli{t: t, dir: filepath.Join(t.TempDir(), "copy")}
		wantIn(t, "import of the rest", copied.okIn(r.out, "import", "-"), "19")

		wantIn(t, "get", c.fails(problem.ExitCorrupt, "get", "m17"), segment)
		wantIn(t, "recall", c.ok("recall", "--limit", "20", "fox number"), "Not considered, because it is damaged",
			segment, "\n19. ")
		r = c.run("", "forget", "--tag", "all")
		if r.code != problem.ExitCorrupt {
			t.Errorf("forget = %+v, want exit %d", r, problem.ExitCorrupt)
		}
		wantIn(t, "forget", r.out+r.err, "19", segment)

		r = c.run("", "backup", "-")
		if r.code != problem.ExitCorrupt {
			t.Errorf("backup - = exit %d, want %d: %s", r.code, problem.ExitCorrupt, r.err)
		}
		wantIn(t, "backup -", r.err, segment)
		backups := filepath.Join(t.TempDir(), "backups")
		wantIn(t, "backup", c.fails(problem.ExitCorrupt, "backup", backups), segment)
		if names, err := filepath.Glob(filepath.Join(backups, "*"+backupSuffix)); err != nil || len(names) != 0 {
			t.Errorf("a backup that failed left %q, %v", names, err)
		}
	})
}

// damageSegment flips a bit of text where a sealed segment has it, and returns the name of the file.
func damageSegment(t *testing.T, dir, text string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "spaces", "*", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, []byte(text))
		if at < 0 {
			continue
		}
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt([]byte{data[at] ^ 1}, int64(at)); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		return filepath.Base(name)
	}
	t.Fatalf("no segment of %q has %q", names, text)
	return ""
}
