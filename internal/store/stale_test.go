package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// stage is a space, closed, at some point of its life.
type stage struct {
	fs       *vfs.Mem
	b        *book
	manifest []byte
}

// stages lives through writes, sealings and compactions, and keeps what there was after each.
func stages(t *testing.T, seed uint64, change func(*store.Options)) (list []stage) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	fsys, b := newFS(t), newBook()
	b.reembeds = 2
	for i := range 10 {
		s := mustOpen(t, fsys, change)
		for range 4 {
			b.do(t, s, b.random(rng))
		}
		switch i % 5 { // at first the manifest is that of an empty space
		case 1, 2:
			mustSeal(t, s)
		case 3:
			mustCompact(t, s)
		case 4:
			mustMove(t, s, toCold)
		}
		b.do(t, s, b.random(rng))
		mustClose(t, s)
		manifest, err := fsys.Bytes(manifestPath)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, stage{fsys.CrashClone(0, vfs.KeepAll), b.clone(), manifest})
	}
	return list
}

// TestStaleManifest puts every older manifest in the place of every later one. A space either opens with everything in
// it, or says what is wrong; it never shows less without a word, and it destroys nothing: with the right manifest all
// is as it was. A salvage finds everything meanwhile.
func TestStaleManifest(t *testing.T) {
	t.Parallel()
	opened, refused := 0, 0
	for keep, change := range map[string]func(*store.Options){
		"trimmed log": func(*store.Options) {},
		"whole log":   func(o *store.Options) { o.LogKeepBytes = 1 << 20 },
	} {
		for seed := range uint64(seeds(t, 2)) {
			list := stages(t, seed, change)
			for j := range list {
				for i := range j {
					what := fmt.Sprintf("%s, seed %d, manifest %d in stage %d", keep, seed, i, j)
					if staleManifest(t, what, list[i].manifest, list[j], change) {
						opened++
					} else {
						refused++
					}
				}
			}
		}
	}
	if opened == 0 || refused == 0 {
		t.Errorf("%d stale manifests were opened, %d refused: want some of both", opened, refused)
	}
}

// TestStaleManifestAndLog puts manifest and log of every earlier stage beside the segments of every later one: what was
// sealed since shows that they are old, or else what was noted when the space was closed.
func TestStaleManifestAndLog(t *testing.T) {
	t.Parallel()
	whole := func(o *store.Options) { o.LogKeepBytes = 1 << 20 }
	list := stages(t, 7, whole)
	for j := range list {
		for i := range j {
			fsys := list[j].fs.CrashClone(0, vfs.KeepAll)
			older(t, fsys, list[i], manifestPath)
			if !bytes.Equal(list[i].manifest, list[j].manifest) { // what was sealed tells by itself
				if err := fsys.Remove(endPath); err != nil {
					t.Fatal(err)
				}
			}
			s, err := open(fsys, whole)
			if err == nil {
				err = s.Health()
				shown(t, fmt.Sprintf("stage %d in %d", i, j), s, list[j].b)
				mustClose(t, s)
			}
			if !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("manifest and log of stage %d in stage %d: %v, want damage", i, j, err)
			}
		}
	}
}

// older puts the log of a stage, and other files, into a file system.
func older(t *testing.T, fsys *vfs.Mem, from stage, others ...string) {
	t.Helper()
	for _, name := range fsys.Files() {
		if strings.HasSuffix(name, ".wal") {
			if err := fsys.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range from.fs.Files() {
		if !strings.HasSuffix(name, ".wal") && !slices.Contains(others, name) {
			continue
		}
		b, err := from.fs.Bytes(name)
		if err := errors.Join(err, fsys.SetBytes(name, b)); err != nil {
			t.Fatal(err)
		}
	}
}

func staleManifest(t *testing.T, what string, old []byte, now stage, change func(*store.Options)) (opened bool) {
	t.Helper()
	fsys := now.fs.CrashClone(0, vfs.KeepAll)
	if err := fsys.SetBytes(manifestPath, old); err != nil {
		t.Fatal(err)
	}
	saved(t, what, fsys, now.b, change)
	for range 2 { // the second opening finds what the first left
		s, err := open(fsys, change)
		var corrupt *codec.CorruptError
		switch {
		case err == nil && s.Health() == nil:
			now.b.holds(t, what, s)
			verified(t, s)
			opened = true
		case err == nil:
			shown(t, what, s, now.b)
		case !errors.As(err, &corrupt) || corrupt.Path == "":
			t.Errorf("%s: Open = %v, want damage with a path", what, err)
		}
		if err == nil {
			mustClose(t, s)
		}
	}
	if opened {
		return true
	}
	if err := fsys.SetBytes(manifestPath, now.manifest); err != nil {
		t.Fatal(err)
	}
	s, err := open(fsys, change)
	if err != nil {
		t.Errorf("%s: put right again, Open = %v", what, err)
		return false
	}
	now.b.holds(t, what+", put right again", s)
	verified(t, s)
	mustClose(t, s)
	return false
}

// shown fails the test if a space that says that something is wrong shows a memory otherwise than it is, or as absent.
func shown(t *testing.T, what string, s *store.Space, b *book) {
	t.Helper()
	v := s.View()
	for id, m := range b.memories {
		f, ok, err := v.Lookup(id)
		if errors.Is(err, codec.ErrCorrupt) {
			continue
		}
		if err != nil || !ok {
			t.Errorf("%s: Lookup(%s) = %v, %v, want it or damage", what, id, ok, err)
			continue
		}
		r, err := v.Record(f.Row)
		if want := m.Versions[len(m.Versions)-1].Record; err == nil && r.Version != want.Version {
			t.Errorf("%s: %s is at version %d, want %d", what, id, r.Version, want.Version)
		}
	}
}

// saved fails the test unless a salvage has everything.
func saved(t *testing.T, what string, fsys vfs.FS, b *book, change func(*store.Options)) {
	t.Helper()
	s, err := store.Salvage(options(fsys, change), func(error) {})
	if err != nil {
		t.Errorf("%s: Salvage = %v", what, err)
		return
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("%s: Salvage: %s", what, diff)
	}
	mustClose(t, s)
}
