package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tear writes what a crash leaves of a write behind the last record of the default space's log.
func tear(t *testing.T, c *cli) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(c.dir, "spaces", "*", "wal", "*.wal"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("log files: %v, %v", logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	end := 128 // behind the one record, docs/format/log.md
	end += 32 + (int(binary.LittleEndian.Uint32(b[end:]))+7)&^7
	copy(b[end:], "half of ")
	if err := os.WriteFile(logs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTornLogIsSaid: whatever command opens a space whose log ends in the rest of a write says so, and a server logs
// it.
func TestTornLogIsSaid(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.ok("remember", "--id", "a", "about foxes")
	tear(t, c)
	r := c.run("", "recall", "foxes")
	wantIn(t, "recall", r.out, "about foxes")
	wantIn(t, "recall's standard error", r.err, "space default: 8 bytes of a write that a crash cut off", "kept in ")
	if r = c.run("", "recall", "foxes"); strings.Contains(r.err, "crash") {
		t.Errorf("the second recall says %q", r.err)
	}
	tear(t, c)
	startServer(c)
	wantIn(t, "serve's log", c.said.String(), "an unfinished write was dropped", "space=default", "8 bytes of a write")
}
