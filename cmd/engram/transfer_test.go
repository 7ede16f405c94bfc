package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

func TestExportAndImport(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--embedding", "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]", "--session", "s",
			"about foxes")
		c.ok("remember", "--id", "b", "--session", "s", "--link", "a,weight=0.25", "about hens")
		c.ok("update", "a", "about red foxes")
		c.ok("forget", "b")
		r := c.run("", "export")
		if r.code != 0 || strings.Count(r.out, "\n") != 3 {
			t.Fatalf("export = %+v, want three versions", r)
		}
		wantIn(t, "export's summary", r.err, "2 memories in 3 versions")
		file := filepath.Join(t.TempDir(), "export.jsonl")
		if err := os.WriteFile(file, []byte(r.out), 0o600); err != nil {
			t.Fatal(err)
		}
		first := decoded[engram.ImportReport](c, "import", file, "--space", "copy")
		if first.Lines != 3 || first.Created != 2 || first.Versions != 1 || first.BadCount != 0 {
			t.Errorf("import = %+v", first)
		}
		if again := c.ok("export", "--space", "copy"); again != r.out {
			t.Errorf("export of the import differs:\n%s\n%s", again, r.out)
		}
		second := decode[engram.ImportReport](t, c.okIn(r.out, "import", "-", "--space", "copy", "--json"))
		if second.Created != 0 || second.Unchanged != 3 {
			t.Errorf("second import = %+v, want nothing new", second)
		}
	})
}

func TestImportReportsBadLines(t *testing.T) {
	const input = `{"content":"good one"}

{"content":"good two","unknown":1}
not json
{"content":"good three"}
`
	eachMode(t, func(t *testing.T, c *cli) {
		r := c.run(input, "import", "-")
		if r.code != 2 {
			t.Errorf("import = exit %d, want 2", r.code)
		}
		wantIn(t, "stderr", r.err, "line 3:", "unknown", "line 4:", "2 lines were refused")
		wantIn(t, "summary", r.out, "4 lines", "2 created", "2 refused")
		r = c.run(input, "import", "-", "--strict", "--space", "strict")
		if r.code != 2 {
			t.Errorf("import --strict = exit %d, want 2", r.code)
		}
		wantIn(t, "stderr", r.err, "line 3:")
		wantIn(t, "summary", r.out, "1 created", "1 refused")
		if s := decoded[engram.SpaceStats](c, "stats", "--space", "strict"); s.Memories != 1 {
			t.Errorf("stats after a strict import = %+v, want one memory", s)
		}
		c.fails(3, "import", filepath.Join(t.TempDir(), "nowhere.jsonl"))
		c.fails(2, "import", t.TempDir())
	})
}

func TestStrictImportOfMuchIsAnsweredEarly(t *testing.T) {
	input := "bad\n" + strings.Repeat(`{"content":"`+strings.Repeat("x", 1000)+`"}`+"\n", 20_000)
	eachMode(t, func(t *testing.T, c *cli) {
		r := c.run(input, "import", "-", "--strict")
		if r.code != 2 {
			t.Errorf("import --strict = exit %d, want 2; stderr:\n%s", r.code, r.err)
		}
		wantIn(t, "stderr", r.err, "line 1:")
	})
}

func TestProgressIsForTheEyesOnly(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		input := strings.Repeat(`{"content":"a memory"}`+"\n", 3)
		blind := c.run(input, "import", "-", "--json")
		c.watched = true
		seen := c.run(input, "import", "-", "--json")
		if !strings.Contains(seen.err, "importing") || strings.Contains(blind.err, "importing") {
			t.Errorf("progress on a terminal: %q; elsewhere: %q", seen.err, blind.err)
		}
		if r := decode[engram.ImportReport](t, seen.out); r.Lines != 3 {
			t.Errorf("import = %+v", r)
		}
	})
}
