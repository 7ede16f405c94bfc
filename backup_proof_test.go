package engram_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/backup"
)

// rewritten is a backup stream with another word in the place of one in its files, and right checksums of its own: what
// a program would have made that copied what it had not verified.
func rewritten(t *testing.T, stream []byte, word, other string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := backup.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	r := backup.NewReader(bytes.NewReader(stream), "a backup")
	changed := 0
	for {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			switch item := item.(type) {
			case backup.Space:
				err = w.Space(item)
			case backup.File:
				err = w.File(item.Name, item.SizeBytes)
			case backup.Data:
				changed += bytes.Count(item, []byte(word))
				err = w.Data(bytes.ReplaceAll(item, []byte(word), []byte(other)))
			case backup.Frame:
				err = w.Frame(item.Position, item.Payload)
			case backup.End:
				err = w.End()
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if changed == 0 {
		t.Fatalf("%q stands in no file of the backup", word)
	}
	return out.Bytes()
}

// TestRestoreProvesWhatItBuilt restores a backup that is whole as a stream and holds a damaged memory: nothing is put
// in its place.
func TestRestoreProvesWhatItBuilt(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the boat in the harbour"})
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream, _ := backUp(t, w.db, engram.BackupOptions{})
	other := newWorld(t, engram.Options{})
	bad := rewritten(t, stream, "harbour", "Harbour")
	_, err := other.db.Restore(t.Context(), bytes.NewReader(bad), engram.RestoreOptions{})
	if !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Restore = %v, want the damage", err)
	}
	if stats, err := other.def().Stats(t.Context()); err != nil || stats.Position != 0 {
		t.Errorf("after it: position %d, %v, want nothing restored", stats.Position, err)
	}
	if _, err := other.fs.Stat(filepath.Join("/data", "restoring")); err == nil {
		t.Error("the directory of restorations is still there")
	}
	same := rewritten(t, stream, "harbour", "harbour")
	if _, err := other.db.Restore(t.Context(), bytes.NewReader(same), engram.RestoreOptions{}); err != nil {
		t.Errorf("Restore of the same stream, written anew = %v", err)
	}
	get(t, other.def(), "a")
}
