package engram_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// damagedSpace is a closed directory with a space whose memories are known: m0 to m19 in a sealed segment, m20 to m29
// in the log.
func damagedSpace(t *testing.T) (fs *vfs.Mem, o engram.Options) {
	t.Helper()
	return damagedSpaceIn(t, "")
}

// damagedSpaceIn is damagedSpace with its segment in a tier.
func damagedSpaceIn(t *testing.T, tier engram.Tier) (fs *vfs.Mem, o engram.Options) {
	t.Helper()
	w := newWorld(t, engram.Options{})
	for i := range 30 {
		id := fmt.Sprint("m", i)
		remember(t, w.def(), engram.Draft{
			ID: id, Content: fmt.Sprintf("harbour note %d marker-%s-end", i, id), Session: "s",
		})
		if i == 19 {
			if err := w.def().Link(t.Context(), "m1", engram.Link{To: "m2"}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.def().Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m3"}}); err != nil {
				t.Fatal(err)
			}
			if err := w.def().Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
			if tier != "" {
				if _, err := w.def().Compact(t.Context(), engram.CompactOptions{Tier: tier}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	fs = w.fs.CrashClone(1, vfs.KeepAll)
	w.open() // for the world's own closing check
	return fs, w.o
}

const dataSpace = "/data/spaces/space-default"

// files lists the space's files with a suffix.
func files(t *testing.T, fs *vfs.Mem, dir, suffix string) []string {
	t.Helper()
	names, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths
}

// edit changes the bytes of a file.
func edit(t *testing.T, fs *vfs.Mem, path string, change func(b []byte)) {
	t.Helper()
	b, err := fs.Bytes(path)
	if err == nil {
		change(b)
		err = fs.SetBytes(path, b)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// spoil changes a bit of a file, in the first letter of text, and returns what changes it back.
func spoil(t *testing.T, fs *vfs.Mem, path, text string) (mend func()) {
	t.Helper()
	b, err := fs.Bytes(path)
	at := bytes.Index(b, []byte(text))
	if err != nil || at < 0 {
		t.Fatalf("%q is not in %s: %v", text, path, err)
	}
	flip := func() {
		t.Helper()
		if err := fs.Corrupt(path, int64(at), 1); err != nil {
			t.Fatal(err)
		}
	}
	flip()
	return flip
}

// tree reads all files below dir.
func tree(t *testing.T, fs *vfs.Mem, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	names, err := fs.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Dir {
			maps.Copy(out, tree(t, fs, path))
			continue
		}
		b, err := fs.Bytes(path)
		if err != nil {
			t.Fatal(err)
		}
		out[path] = string(b)
	}
	return out
}
