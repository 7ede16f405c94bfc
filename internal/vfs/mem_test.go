package vfs_test

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
)

func TestMemNames(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("x/y"))
	must(t, create(t, m, "x/y/b", "1").Close())
	must(t, create(t, m, "/a", "2").Close())
	must(t, create(t, m, "/x.z", "3").Close())
	want := []string{"/a", "/x/y/b", "/x.z"}
	got := m.Files()
	for i := range got {
		got[i] = filepath.ToSlash(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("Files() = %v, want %v", got, want)
	}
	for _, name := range []string{"a", "/a", "//a", "x/../a", "/../a", "./a"} {
		if got := read(t, m, name); got != "2" {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if info, err := m.Stat("/"); !info.Dir || err != nil {
		t.Errorf("Stat of the root = %+v, %v", info, err)
	}
	if m.Remove("/") == nil || m.Rename("/", "/q") == nil || m.Rename("/a", "/") == nil {
		t.Error("the root was removed, renamed or replaced")
	}
}

func TestMemRefusesHugeFiles(t *testing.T) {
	f := create(t, vfs.NewMem(), "/a", "x")
	_, err := f.WriteAt([]byte("x"), 1<<62)
	for what, err := range map[string]error{
		"WriteAt": err, "Truncate": f.Truncate(1 << 62), "Preallocate": f.Preallocate(1 << 62),
	} {
		if err == nil {
			t.Errorf("%s at 1<<62 succeeded", what)
		}
	}
	if size, err := f.Size(); size != 1 || err != nil {
		t.Errorf("Size() = %d, %v", size, err)
	}
	must(t, f.Truncate(1<<34)) // Zeros take no memory.
}

func TestCorrupt(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.SetBytes("/a", []byte("abc")))
	f, err := m.Open("/a", true)
	must(t, err)
	before := m.CrashClone(0, vfs.KeepAll)
	view, err := f.Map(3)
	must(t, err)
	write(t, f, "C", 2)
	must(t, m.Corrupt("/a", 1, 0x20))
	must(t, m.Corrupt("/a", 2, 0x01))
	if got := dump(t, m)["/a"]; got != "aBB" {
		t.Errorf("the file holds %q", got)
	}
	if string(view.Bytes()) != "aBb" { // Mapped before C was written over c.
		t.Errorf("the mapping shows %q", view.Bytes())
	}
	if got := dump(t, m.CrashClone(0, vfs.LoseAll))["/a"]; got != "aBb" {
		t.Errorf("LoseAll leaves %q", got)
	}
	outcomes(t, m, "/a", "aBb", "aBB") // No clone writes to what the others share.
	if got := dump(t, m.CrashClone(0, vfs.LoseAll))["/a"]; got != "aBb" {
		t.Errorf("after Random clones LoseAll leaves %q", got)
	}
	must(t, f.Sync())
	if got := dump(t, m.CrashClone(0, vfs.LoseAll))["/a"]; got != "aBB" {
		t.Errorf("after Sync LoseAll leaves %q", got)
	}
	if got := dump(t, before)["/a"]; got != "abc" {
		t.Errorf("damage reached an earlier clone: %q", got)
	}
	for _, err := range []error{m.Corrupt("/a", 3, 1), m.Corrupt("/a", -1, 1), m.Corrupt("/a", 0, 0)} {
		wants(t, "Corrupt", err, fs.ErrInvalid)
	}
	wants(t, "Corrupt of nothing", m.Corrupt("/none", 0, 1), fs.ErrNotExist)
}

// TestCorruptUnsynced shows that damage to a byte that is not synced stays when the byte does.
func TestCorruptUnsynced(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.SetBytes("/a", []byte("-")))
	f, err := m.Open("/a", true)
	must(t, err)
	write(t, f, "a", 0)
	must(t, m.Corrupt("/a", 0, 0x20))
	wantAll(t, outcomes(t, m, "/a", "A", "\r"), "A", "\r") // "-" with the same bit flipped is a carriage return.
}

func TestSetBytes(t *testing.T) {
	m := vfs.NewMem()
	content := []byte("content")
	must(t, m.SetBytes("/a", content))
	content[0] = 'X'
	f, err := m.Open("/a", true)
	must(t, err)
	write(t, f, strings.Repeat("x", 5_000), 0)
	must(t, m.SetBytes("/a", []byte("short")))
	must(t, m.MkdirAll("/d"))
	must(t, m.SetBytes("/b", []byte("made beside unsynced names")))
	left := m.CrashClone(0, vfs.LoseAll)
	if got := dump(t, left); len(got) != 2 || got["/a"] != "short" || got["/b"] != "made beside unsynced names" {
		t.Errorf("LoseAll leaves %v", got)
	}
	if b, err := m.Bytes("/a"); string(b) != "short" || err != nil {
		t.Errorf("Bytes = %q, %v", b, err)
	}
	wants(t, "SetBytes in nothing", m.SetBytes("/none/a", nil), fs.ErrNotExist)
	_, err = m.Bytes("/none")
	wants(t, "Bytes of nothing", err, fs.ErrNotExist)
	if m.SetBytes("/d", nil) == nil {
		t.Error("SetBytes of a directory succeeded")
	}
}
