package engram_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/vfs"
)

// ready waits until Ready is nil.
func ready(t *testing.T, what string, db *engram.DB) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); db.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: Ready = %v", what, db.Ready())
		}
	}
}

// TestCostlessDamageGoesByItself damages one of two copies, or a record of the log that is sealed: the space is
// compacted in the background without anything having been erased, and neither Ready nor the scrubber tells of it any
// more.
func TestCostlessDamageGoesByItself(t *testing.T) {
	whole, o := damagedSpace(t)
	o.Compaction.Every = time.Millisecond
	o.ScrubBytesPerSecond = 1 << 40
	flip := func(at int) func(b []byte) { return func(b []byte) { b[at] ^= 1 } }
	for what, damage := range map[string]func(*vfs.Mem){
		"header":   func(f *vfs.Mem) { edit(t, f, files(t, f, dataSpace, ".seg")[0], flip(20)) },
		"state":    func(f *vfs.Mem) { edit(t, f, files(t, f, dataSpace, ".state")[0], flip(70)) },
		"manifest": func(f *vfs.Mem) { edit(t, f, filepath.Join(dataSpace, "MANIFEST"), flip(70)) },
		"log":      func(f *vfs.Mem) { spoil(t, f, files(t, f, dataSpace+"/wal", ".wal")[0], "marker-m7-end") },
	} {
		t.Run(what, func(t *testing.T) {
			fs := whole.CrashClone(1, vfs.KeepAll)
			damage(fs)
			db, err := o.On(fs).Open("/data")
			if err != nil {
				t.Fatal(err)
			}
			s, err := db.Space(engram.DefaultSpace)
			if err != nil {
				t.Fatal(err)
			}
			scrubbed(t, db) // it finds the damage, or that it has gone
			ready(t, what, db)
			stats, err := s.Stats(t.Context())
			for deadline := time.Now().Add(20 * time.Second); err == nil && stats.Compaction.Runs == 0; {
				if time.Now().After(deadline) {
					break // Ready may say so before the pass has ended, which is when it is counted
				}
				time.Sleep(time.Millisecond)
				stats, err = s.Stats(t.Context())
			}
			found := db.ScrubReport().Problems
			if err != nil || len(stats.Problems) > 0 || len(found) > 0 {
				t.Errorf("Stats = %q, %v, scrubbed %+v, want no problems", stats.Problems, err, found)
			}
			if stats.Compaction.Runs == 0 {
				t.Error("it was never compacted: there was nothing to mend")
			}
			if report, err := s.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Errorf("Verify = %+v, %v", report, err)
			}
			if m, err := s.Get(t.Context(), "m7"); err != nil || m.Content != "harbour note 7 marker-m7-end" {
				t.Errorf("Get = %+v, %v", m, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if db, err = o.On(fs).Open("/data"); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Space(engram.DefaultSpace); err != nil || db.Ready() != nil {
				t.Errorf("opened again: %v, Ready = %v", err, db.Ready())
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestDamageThatCostsStaysInTheBackground damages a memory and the header of its segment: nothing is written anew.
func TestDamageThatCostsStaysInTheBackground(t *testing.T) {
	fs, o := damagedSpace(t)
	o.Compaction.Every = time.Millisecond
	path := files(t, fs, dataSpace, ".seg")[0]
	edit(t, fs, path, func(b []byte) { b[20] ^= 1 })
	spoil(t, fs, path, "marker-m7-end")
	db, err := o.On(fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "m1"); err != nil { // opens the space
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // long enough for a compaction that should not be
	if stats, err := s.Stats(t.Context()); err != nil || stats.Compaction.Runs != 0 || stats.Compaction.Error != "" {
		t.Errorf("Stats = %+v, %v, want no compaction", stats.Compaction, err)
	}
	if err := db.Ready(); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Ready = %v, want the damage", err)
	}
	if got := files(t, fs, dataSpace, ".seg"); len(got) != 1 || got[0] != path {
		t.Errorf("the segments are %q, want %s as it was", got, path)
	}
}
