package main

import (
	"os"
	"path/filepath"
	"testing"
)

// ofEarlier is a command line on a copy of a directory of an earlier format version.
func ofEarlier(t *testing.T) *cli {
	t.Helper()
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	from := filepath.Join("..", "..", "testdata", "compat", "2026-11-state1", "data")
	if err := os.CopyFS(c.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestUpgradeAndBack(t *testing.T) {
	c := ofEarlier(t)
	wantIn(t, "stats", c.ok("stats"), "of an earlier format version", "kept aside")
	c.ok("remember", "--id", "new", "about foxes")
	wantIn(t, "--undo", c.fails(4, "upgrade", "--undo"), "1 write behind position", "--discard-newer")
	wantIn(t, "upgrade", c.ok("upgrade"), "space default:", "files were written anew", "are kept aside", "--undo")
	wantIn(t, "again", c.ok("upgrade"), "0 files were written anew")
	back := c.ok("upgrade", "--undo", "--discard-newer")
	wantIn(t, "--undo", back, "space default: as it was", "1 newer write is gone")
	wantIn(t, "recall", c.ok("recall", "foxes"), "Nothing relevant")
	wantIn(t, "--undo --json", c.ok("upgrade", "--undo", "--json"), `"space":"default"`, `"newer":0`)
	c.fails(3, "upgrade", "--undo")

	c.ok("forget", "a", "--mode", "erase")
	r := c.run("", "compact")
	if r.code != 0 {
		t.Fatalf("compact = %+v", r)
	}
	wantIn(t, "compact", r.err, "what was erased since is still in them", "upgrade --finish")
	done := c.ok("upgrade", "--finish", "--space", "default", "--rate", "1000")
	wantIn(t, "--finish", done, "what was kept aside is gone")
	wantIn(t, "--json", c.ok("upgrade", "--json"), `"files":[],`, `"finished":false`)
	c.fails(3, "upgrade", "--undo", "--discard-newer")
	c.fails(3, "upgrade", "--space", "nobody")
}

func TestUpgradeThroughAServer(t *testing.T) {
	c := ofEarlier(t)
	startServer(c)
	wantIn(t, "stats", c.ok("stats"), "of an earlier format version", "kept aside")
	wantIn(t, "upgrade", c.ok("upgrade"), "files were written anew", "are kept aside")
	c.fails(5, "upgrade", "--undo")
	wantIn(t, "--finish", c.ok("upgrade", "--finish", "--rate", "1000"), "what was kept aside is gone")
	c.fails(3, "upgrade", "--space", "nobody")
}

func TestUpgradeFlags(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.fails(3, "upgrade")
	c.fails(3, "upgrade", "--undo")
	for _, args := range [][]string{
		{"--undo", "--finish"},
		{"--undo", "--rate", "1"},
		{"--undo", "--space", "a"},
		{"--discard-newer"},
		{"--rate", "-1"},
		{"what"},
	} {
		c.fails(2, append([]string{"upgrade"}, args...)...)
	}
}
