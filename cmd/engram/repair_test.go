package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	engram "github.com/orchard9/engram-go"
)

func TestRepair(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.fails(3, "repair", filepath.Join(t.TempDir(), "new"))
	c.ok("remember", "--id", "a", "about foxes")
	c.ok("remember", "--id", "b", "about hens")
	c.ok("remember", "--id", "c", "about wolves")
	wantIn(t, "repair", c.ok("repair", filepath.Join(t.TempDir(), "new")), "space default: 3 memories", "0 things lost")
	c.fails(2, "repair", filepath.Join(c.dir, "inside"))

	logs, err := filepath.Glob(filepath.Join(c.dir, "spaces", "*", "wal", "*.wal"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("log files: %v, %v", logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("about hens"))] ^= 1
	if err := os.WriteFile(logs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "recall", c.ok("recall", "foxes"), "about foxes", "Not considered", "record 2 is damaged")
	c.fails(7, "get", "b")
	wantIn(t, "remember", c.fails(7, "remember", "more"), "read-only", "engram repair")
	repaired := filepath.Join(t.TempDir(), "repaired")
	wantIn(t, "repair", c.fails(7, "repair", repaired), "lost: read log", "record 2 is damaged")
	back := &cli{t: t, dir: repaired}
	wantIn(t, "recall", back.ok("recall", "wolves"), "about wolves")
	wantIn(t, "recall", back.ok("recall", "foxes"), "about foxes")
	r := c.run("", "repair", "--json", filepath.Join(t.TempDir(), "json"))
	if report := decode[engram.RepairReport](t, r.out); r.code != 7 || report.Spaces[0].LostCount == 0 {
		t.Errorf("repair --json = %+v", r)
	}
}
