package engram_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestLogRolledBackIsRefused replaces the log of a space that was killed by a copy from before: what was noted while it
// was open is missed. Other spaces serve, and repair saves what there is.
func TestLogRolledBackIsRefused(t *testing.T) {
	// The clock stands still, so the space is never idle, and the round that looks for idle spaces comes every
	// millisecond.
	w := newWorld(t, engram.Options{IdleTimeout: time.Millisecond})
	s := w.def()
	remember(t, s, engram.Draft{ID: "before", Content: "one"})
	log := filepath.Join(dataSpace, "wal", "0000000000000001.wal")
	older, err := w.fs.Bytes(log)
	if err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "after", Content: "two"})
	remember(t, w.space("other"), engram.Draft{ID: "x", Content: "elsewhere"})
	noted := func() bool {
		b, err := w.fs.Bytes(filepath.Join(dataSpace, "END"))
		return err == nil && len(b) > 40 && (b[40] == 2 || len(b) > 4096+40 && b[4096+40] == 2) // the position
	}
	for deadline := time.Now().Add(20 * time.Second); !noted(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the end of the log was never noted")
		}
	}
	killed := w.fs.CrashClone(0, vfs.KeepAll)
	if err := killed.SetBytes(log, older); err != nil {
		t.Fatal(err)
	}
	db, err := engram.Options{}.On(killed).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	if s, err = db.Space(engram.DefaultSpace); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), "before")
	corrupt, ok := errors.AsType[*engram.CorruptError](err)
	if !ok || corrupt.Path != filepath.Join(dataSpace, "wal") || !strings.Contains(err.Error(), "engram repair") {
		t.Errorf("Get = %v, want the log refused with what to do", err)
	}
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	get(t, other, "x")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := engram.Options{}.On(killed).Repair(t.Context(), "/data", "/new")
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, r := range report.Spaces {
		for _, l := range r.Lost {
			told = told || strings.Contains(l, "END")
		}
	}
	if !told {
		t.Errorf("Repair = %+v, want to be told what is missing", report)
	}
	if db, err = (engram.Options{}).On(killed).Open("/new"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if s, err = db.Space(engram.DefaultSpace); err != nil {
		t.Fatal(err)
	}
	get(t, s, "before")
}
