package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/server/problem"
)

func TestBackupAndRestore(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		backups := filepath.Join(t.TempDir(), "backups")
		c.fails(3, "backup", filepath.Join(t.TempDir(), "none"), "--incremental")
		c.ok("remember", "--id", "a", "about foxes")
		c.ok("remember", "--space", "other", "--id", "x", "about wolves")
		c.ok("backup", backups)
		c.ok("remember", "--id", "b", "about hens")
		r := c.run("", "backup", "--incremental", backups)
		if r.code != 0 || !strings.Contains(r.err, "space default: positions 2 to 2") {
			t.Fatalf("backup --incremental = %+v", r)
		}

		back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
		wantIn(t, "restore", back.ok("restore", backups), "space default: 2 memories", "space other: 1 memory")
		wantIn(t, "recall", back.ok("recall", "hens"), "about hens")
		wantIn(t, "recall", back.ok("recall", "--space", "other", "wolves"), "about wolves")
		wantIn(t, "restore again", back.fails(4, "restore", backups), "was written to")

		// Into the same directory, or server, under another name, without what came last.
		c.ok("restore", "--space", "default", "--as", "before", "--to-position", "1", backups)
		wantIn(t, "recall", c.ok("recall", "--space", "before", "foxes"), "about foxes")
		wantIn(t, "recall", c.ok("recall", "--space", "before", "hens"), "Nothing relevant")

		stream := c.ok("backup", "-")
		third := &cli{t: t, dir: filepath.Join(t.TempDir(), "third")}
		wantIn(t, "restore -", third.okIn(stream, "restore", "-"), "space before: 1 memory",
			"space default: 2 memories")
		third.dir = filepath.Join(t.TempDir(), "fourth")
		if r := third.run(stream[:len(stream)-9], "restore", "-"); r.code != 7 {
			t.Errorf("restore of a stream that was cut off = %+v, want exit 7", r)
		}
	})
}

func TestBackupErrors(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	backups := filepath.Join(t.TempDir(), "backups")
	c.fails(3, "backup", backups)
	c.ok("remember", "--id", "a", "about foxes")
	c.fails(2, "backup", "-", "--incremental")
	c.fails(3, "backup", backups, "--space", "nobody")
	c.fails(3, "restore", filepath.Join(t.TempDir(), "nothing"))
	c.ok("backup", backups)
	c.fails(2, "restore", backups, "other")
	c.fails(2, "restore", backups, "--as", "x")
	c.fails(2, "restore", backups, "--to-position", "4")
	empty := &cli{t: t, dir: filepath.Join(t.TempDir(), "empty")}
	empty.fails(2, "restore", backups, "--to-position", "0")
	names, err := filepath.Glob(filepath.Join(backups, "*"+backupSuffix))
	if err != nil || len(names) != 1 {
		t.Fatalf("the directory of backups holds %v, %v", names, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	// What an incremental one would follow is cut off, or gone.
	if err := os.WriteFile(names[0], b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	refused := c.fails(7, "backup", backups, "--incremental")
	wantIn(t, "backup behind a file cut off", refused, names[0], "take a full one")
	if err := os.Remove(names[0]); err != nil {
		t.Fatal(err)
	}
	refused = c.fails(3, "backup", backups, "--incremental")
	wantIn(t, "backup behind nothing", refused, names[0], "take a full one")
	wantIn(t, "restore of a file that is gone", empty.fails(3, "restore", backups), names[0])
	b[len(b)/2] ^= 4
	if err := os.WriteFile(names[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	wantIn(t, "restore of a changed file", c.fails(7, "restore", backups), "SHA-256")
	fresh := &cli{t: t, dir: filepath.Join(t.TempDir(), "fresh")}
	wantIn(t, "restore of a damaged file", fresh.fails(7, "restore", names[0]), "at offset")
	if err := os.WriteFile(filepath.Join(backups, backupIndex), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.fails(7, "restore", backups)
	c.fails(7, "backup", backups)
}

// TestBackupsIntoOneDirectory takes several at the same time: each becomes a file of its own, and all are in the index.
func TestBackupsIntoOneDirectory(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	startServer(c)
	backups := filepath.Join(t.TempDir(), "backups")
	c.ok("remember", "--id", "a", "about foxes")
	c.ok("backup", backups)
	const n = 6
	results := make([]result, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { results[i] = c.run("", "backup", "--incremental", "--wait", "1m", backups) })
	}
	group.Wait()
	for _, r := range results {
		if r.code != 0 {
			t.Errorf("backup beside others = %+v", r)
		}
	}
	taken, err := readBackupIndex(backups)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"000001-full" + backupSuffix}
	for i := range n {
		want = append(want, fmt.Sprintf("%06d-incremental%s", i+2, backupSuffix))
	}
	var got []string
	for _, one := range taken {
		got = append(got, one.File)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the index lists %q, want %q", got, want)
	}
	back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
	wantIn(t, "restore", back.ok("restore", backups), "space default: 1 memory")

	held, err := vfs.OS{}.Lock(filepath.Join(backups, backupLock))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	wantIn(t, "backup beside another", c.fails(problem.ExitLocked, "backup", "--wait", "0s", backups), backups,
		"--wait")
}

// TestBackupReplacesNone takes a backup into a directory whose index is gone, and where one was killed.
func TestBackupReplacesNone(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	backups := filepath.Join(t.TempDir(), "backups")
	c.ok("remember", "--id", "a", "about foxes")
	c.ok("backup", backups)
	first := filepath.Join(backups, "000001-full"+backupSuffix)
	before, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(backups, backupIndex)); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(backups, "000002-full"+backupSuffix+".part")
	if err := os.WriteFile(left, []byte("half a backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ok("remember", "--id", "b", "about hens")
	wantIn(t, "backup", c.ok("backup", backups), "000002-full")
	if after, err := os.ReadFile(first); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the backup before is another: %v", err)
	}
	back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
	wantIn(t, "restore", back.ok("restore", backups), "space default: 2 memories")
}

// TestBackupIndexVersions: an index of before there was a version is read and replaced, one of a later version is
// refused by name, and what is no index is damage that says what to do.
func TestBackupIndexVersions(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	backups := filepath.Join(t.TempDir(), "backups")
	index := filepath.Join(backups, backupIndex)
	c.ok("remember", "--id", "a", "about foxes")
	c.ok("backup", backups)
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	list := decode[backupList](t, string(data))
	if list.Format != "engram-backups" || list.Version != 2 || len(list.Backups) != 1 {
		t.Errorf("the index is %+v", list)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(index, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, err := json.Marshal(list.Backups)
	if err != nil {
		t.Fatal(err)
	}
	write(string(old))
	c.ok("remember", "--id", "b", "about hens")
	c.ok("backup", "--incremental", backups)
	back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
	wantIn(t, "restore", back.ok("restore", backups), "space default: 2 memories")
	list.Version, list.Checksum = 1, ""
	if old, err = json.Marshal(list); err != nil {
		t.Fatal(err)
	}
	write(string(old))
	back = &cli{t: t, dir: filepath.Join(t.TempDir(), "version1")}
	wantIn(t, "restore by an index of version 1", back.ok("restore", backups), "space default: 1 memory")
	write(`{"format":"engram-backups","version":3,"backups":[]}`)
	wantIn(t, "a later version", c.fails(8, "backup", backups), "format version 3", "up to 2")
	for _, text := range []string{
		`{"format":"other","version":1}`, `{"format":"engram-backups"}`, `[{"file":1}]`, ``,
		`{"format":"engram-backups","version":2,"backups":[]}`,
	} {
		write(text)
		wantIn(t, "damage "+text, c.fails(7, "backup", backups), index, "full backup into a new directory")
	}
}

// TestDamagedBackupIndex flips every bit of an index, and puts an older one in its place: what it says is what was
// written, or damage; and backups that it does not list are told of.
func TestDamagedBackupIndex(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	backups := filepath.Join(t.TempDir(), "backups")
	index := filepath.Join(backups, backupIndex)
	c.ok("remember", "--id", "a", "about foxes")
	c.ok("backup", backups)
	older, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	c.ok("remember", "--id", "b", "about hens")
	c.ok("backup", "--incremental", backups)
	data, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := decodeBackups(index, data); err != nil || len(list) != 2 {
		t.Fatalf("the index lists %d backups, %v", len(list), err)
	}
	for bit := range 8 * len(data) {
		b := bytes.Clone(data)
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeBackups(index, b); err == nil {
			t.Errorf("the index with bit %d of byte %d flipped, %q, is read", bit%8, bit/8, b[bit/8])
		}
		if _, err := decodeBackups(index, data[:bit/8]); err == nil {
			t.Errorf("the index cut off at byte %d is read", bit/8)
		}
	}
	if err := os.WriteFile(index, older, 0o600); err != nil {
		t.Fatal(err)
	}
	back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
	r := back.run("", "restore", backups)
	if r.code != 0 || !strings.Contains(r.err, "000002-incremental"+backupSuffix+"; to restore") {
		t.Errorf("restore by an older index = %+v, want the backup named that it does not list", r)
	}
	c.ok("remember", "--id", "c", "about owls")
	c.ok("backup", "--incremental", backups)
	again := &cli{t: t, dir: filepath.Join(t.TempDir(), "again")}
	wantIn(t, "restore after the next backup", again.ok("restore", backups), "space default: 3 memories")
}

// TestProgressOfLongWork: verify, compact, backup and restore draw how far they are on a terminal, through a server
// too, and nowhere else; what they print is the same.
func TestProgressOfLongWork(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes")
		backups := filepath.Join(t.TempDir(), "backups")
		back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
		tiers := map[bool]string{false: "cold", true: "warm"} // so that there is something to do each time
		for _, watched := range []bool{false, true} {
			c.watched, back.watched = watched, watched
			backup := filepath.Join(backups, fmt.Sprint(watched))
			restore := []string{"restore", "--json", "--space", "default", "--as", fmt.Sprint("back.", watched), backup}
			for _, one := range []struct {
				c      *cli
				drawn  string
				args   []string
				answer string
			}{
				{c, "verified ", []string{"verify", "--json"}, `"problems":[]`},
				{c, "compacted 1 ", []string{"compact", "--json", "--tier", tiers[watched]}, `"sources":1`},
				{c, "backed up ", []string{"backup", "--json", backup}, `"sha256":`},
				{c, "restored ", restore, `"memories":1`},
			} {
				r := one.c.run("", one.args...)
				if r.code != 0 || strings.Contains(r.err, one.drawn) != watched ||
					!strings.Contains(r.out, one.answer) {
					t.Errorf("%s, watched: %t: exit %d, %q; stderr %q", one.args[0], watched, r.code, r.out, r.err)
				}
			}
		}
	})
}

func TestProgressOfRepair(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.ok("remember", "--id", "a", "about foxes")
	for _, watched := range []bool{false, true} {
		c.watched = watched
		r := c.run("", "repair", filepath.Join(t.TempDir(), fmt.Sprint(watched)))
		if r.code != 0 || strings.Contains(r.err, "\rspace default: saved ") != watched {
			t.Errorf("repair, watched: %t: exit %d; stderr %q", watched, r.code, r.err)
		}
	}
}

// TestBackupStreamWithReport: the report of a backup to standard output is the line of JSON on standard error.
func TestBackupStreamWithReport(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes")
		r := c.run("", "backup", "-", "--json")
		var report engram.BackupReport
		for line := range strings.Lines(r.err) {
			if strings.HasPrefix(line, "{") {
				report = decode[engram.BackupReport](t, line)
			}
		}
		if r.code != 0 || report.Bytes != int64(len(r.out)) || len(report.Spaces) != 1 {
			t.Errorf("backup - --json: exit %d, %d bytes; stderr %q", r.code, len(r.out), r.err)
		}
		back := &cli{t: t, dir: filepath.Join(t.TempDir(), "back")}
		wantIn(t, "restore -", back.okIn(r.out, "restore", "-"), "space default: 1 memory")
	})
}
