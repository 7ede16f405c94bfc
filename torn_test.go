package engram_test

import (
	"encoding/binary"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// tornWorld is a directory whose default space has a memory and, behind it in the log, the beginning of a write.
func tornWorld(t *testing.T) (fs *vfs.Mem, o engram.Options) {
	t.Helper()
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the harbour"})
	fs = w.fs.CrashClone(1, vfs.KeepAll)
	edit(t, fs, files(t, fs, dataSpace+"/wal", ".wal")[0], func(b []byte) {
		end := 128 // behind the one record, docs/format/log.md
		end += 32 + (int(binary.LittleEndian.Uint32(b[end:]))+7)&^7
		copy(b[end:], "half of ")
	})
	return fs, w.o
}

// TestTornLogIsTold: whoever opens a space is told of a write that a crash cut off, once.
func TestTornLogIsTold(t *testing.T) {
	fs, o := tornWorld(t)
	for round, times := range []int{1, 0} {
		var told []engram.Torn
		o.OnTorn = func(torn engram.Torn) {
			told = append(told, torn)
			panic("whoever listens is nobody's matter")
		}
		db, err := o.On(fs).Open("/data")
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.Space(engram.DefaultSpace)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "a"); err != nil {
			t.Errorf("Get = %v", err)
		}
		if len(told) != times {
			t.Fatalf("opening %d told %+v, want %d", round, told, times)
		}
		for _, torn := range told {
			if torn.Space != engram.DefaultSpace || torn.Bytes != 8 || !strings.HasSuffix(torn.File, ".wal") ||
				!strings.Contains(torn.String(), torn.Kept) {
				t.Errorf("told %+v: %s", torn, torn)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
