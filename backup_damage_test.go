package engram_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestDamagedBackupRestoresNothing flips every byte of a small backup and cuts it at every length.
func TestDamagedBackupRestoresNothing(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the boat in the harbour"})
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	remember(t, w.def(), engram.Draft{ID: "b", Content: "a letter from the north"})
	stream, _ := backUp(t, w.db, engram.BackupOptions{})
	other := newWorld(t, engram.Options{})
	refused := func(what string, b []byte) {
		_, err := other.db.Restore(t.Context(), bytes.NewReader(b), engram.RestoreOptions{})
		if err == nil {
			t.Fatalf("Restore of a backup with %s succeeded", what)
		}
		if stats, err := other.def().Stats(t.Context()); err != nil || stats.Position != 0 {
			t.Fatalf("after Restore of a backup with %s: position %d, %v", what, stats.Position, err)
		}
		if _, err := other.fs.Stat(filepath.Join("/data", "restoring")); err == nil {
			t.Fatalf("after Restore of a backup with %s the directory of restorations is still there", what)
		}
	}
	step := max(1, len(stream)/1500)
	for i := 0; i < len(stream); i += step {
		damaged := bytes.Clone(stream)
		damaged[i] ^= 0x10
		refused(fmt.Sprintf("a flipped bit in byte %d of %d", i, len(stream)), damaged)
		refused(fmt.Sprintf("an end at byte %d of %d", i, len(stream)), stream[:i])
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for at := range (len(stream) + page - 1) / page {
		for _, how := range hows {
			if b := lost(stream, nil, how, at, rng); !bytes.Equal(b, stream) {
				refused(fmt.Sprintf("page %d of %d bytes %s", at, len(stream), how), b)
			}
		}
	}
}

// TestBackupRefusesDamage: a copy of damage is no backup.
func TestBackupRefusesDamage(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.space("s"), engram.Draft{ID: "a", Content: "the boat in the harbour"})
	if err := w.space("s").Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	mend := spoil(t, w.fs, segmentOf(t, w), "harbour")
	other := world{t: t, fs: w.fs.CrashClone(1, vfs.KeepAll), clock: w.clock, o: w.o}
	other.open()
	defer other.db.Close()
	_, err := other.db.Backup(t.Context(), io.Discard, engram.BackupOptions{})
	if !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Backup of a damaged segment = %v, want ErrCorrupt", err)
	}
	mend() // for the closing check of the world
}

// TestBackupOfADamagedState flips bits of a state file under an open space. Where the same byte of both copies is
// damaged there is no backup, and Ready says why; where one is whole the backup is.
func TestBackupOfADamagedState(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.space("s")
	for i := range 30 {
		remember(t, s, engram.Draft{ID: fmt.Sprint("m", i), Content: fmt.Sprint("note ", i), Source: "ada"})
	}
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"m3", "m4"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := exported(t, s)
	var path string
	for _, name := range w.fs.Files() {
		if strings.HasSuffix(name, ".state") {
			path = name
		}
	}
	whole, err := w.fs.Bytes(path)
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.LastIndex(whole, whole[:16]) // both begin alike
	flip := func(at ...int) {
		b := bytes.Clone(whole)
		for _, i := range at {
			b[i] ^= 1
		}
		if err := w.fs.SetBytes(path, b); err != nil {
			t.Fatal(err)
		}
	}
	for at := 0; at < len(whole)-second; at += 7 {
		flip(at, second+at)
		_, err := w.db.Backup(t.Context(), io.Discard, engram.BackupOptions{Spaces: []string{"s"}})
		if !errors.Is(err, engram.ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Fatalf("Backup with byte %d of both copies damaged = %v, want ErrCorrupt and the path", at, err)
		}
	}
	if err := w.db.Ready(); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Ready behind a backup that met damage = %v", err)
	}
	for _, at := range []int{100, second + 100} {
		flip(at)
		var stream bytes.Buffer
		if _, err := w.db.Backup(t.Context(), &stream, engram.BackupOptions{Spaces: []string{"s"}}); err != nil {
			t.Fatalf("Backup with one of two copies damaged = %v", err)
		}
		other := newWorld(t, engram.Options{Clock: w.clock.tell}) // which checks itself when it ends
		if _, err := other.db.Restore(t.Context(), &stream, engram.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		want(t, "what was restored", exported(t, other.space("s")), before)
	}
	flip() // for the world's own closing check
}
