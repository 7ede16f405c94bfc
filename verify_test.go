package engram_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// scrubbed waits for the end of the scrubber's first round.
func scrubbed(t *testing.T, db *engram.DB) engram.ScrubReport {
	t.Helper()
	for {
		report := db.ScrubReport()
		if report.Rounds > 0 {
			return report
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the scrubber never finished a round")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestScrubberFindsDamage(t *testing.T) {
	fs, o := damagedSpace(t)
	o.ScrubBytesPerSecond = 1 << 40
	db, err := o.On(fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	report := scrubbed(t, db)
	if len(report.Problems) > 0 || report.Bytes == 0 || db.Ready() != nil {
		t.Errorf("scrubbing a whole directory: %+v, Ready = %v", report, db.Ready())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	spoil(t, fs, files(t, fs, dataSpace, ".seg")[0], "marker-m7-end")
	if db, err = o.On(fs).Open("/data"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	report = scrubbed(t, db)
	if len(report.Problems) != 1 || report.Problems[0].Space != engram.DefaultSpace ||
		!strings.HasSuffix(report.Problems[0].File, ".seg") {
		t.Errorf("scrubbing a damaged segment: %+v", report)
	}
	if err := db.Ready(); !errors.Is(err, engram.ErrCorrupt) {
		t.Errorf("Ready after the scrubber found damage = %v, want ErrCorrupt", err)
	}
	s, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || len(stats.Problems) == 0 || stats.ReadOnly != "" {
		t.Errorf("Stats after the scrubber found damage = %q, read-only %q, %v, want the problem",
			stats.Problems, stats.ReadOnly, err)
	}
	other, err := db.Space("other")
	if err != nil {
		t.Fatal(err)
	}
	remember(t, other, engram.Draft{Content: "elsewhere"})
	if stats, err = other.Stats(t.Context()); err != nil || len(stats.Problems) > 0 {
		t.Errorf("Stats of another space = %q, %v, want no problem", stats.Problems, err)
	}
}

func TestScrubberGoesOnBehindASpaceThatCannotBeOpened(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.space("a"), engram.Draft{Content: "one"})
	remember(t, w.space("z"), engram.Draft{Content: "two"})
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	path := "/data/spaces/space-a/MANIFEST"
	edit(t, w.fs, path, func(b []byte) { b[70] ^= 1 })
	o := w.o
	o.ScrubBytesPerSecond = 1 << 40
	db, err := o.On(w.fs).Open("/data")
	if err != nil {
		t.Fatal(err)
	}
	report := scrubbed(t, db)
	if len(report.Problems) != 1 || report.Problems[0].Space != "a" || report.Rounds != 1 {
		t.Errorf("scrubbing: %+v, want one problem, in space a", report)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, w.fs, path, func(b []byte) { b[70] ^= 1 }) // for the world's closing check
	w.open()
}

func TestVerifyPaced(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{Content: "one"})
	if err := w.def().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	calls := 0
	plain, err := w.def().VerifyPaced(t.Context(), engram.VerifyOptions{
		Progress: func(engram.VerifyReport) { calls++ },
	})
	if err != nil || calls == 0 || plain.Records == 0 {
		t.Errorf("VerifyPaced = %+v, %v after %d calls of Progress", plain, err, calls)
	}
	// At one byte a second it would take for ever: it must be waiting when the context ends.
	ctx, cancel := context.WithCancel(t.Context())
	_, err = w.def().VerifyPaced(ctx, engram.VerifyOptions{
		BytesPerSecond: 1, Progress: func(engram.VerifyReport) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("VerifyPaced with a context that ends = %v, want context.Canceled", err)
	}
	_, err = w.def().VerifyPaced(t.Context(), engram.VerifyOptions{BytesPerSecond: -1})
	if !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("VerifyPaced at -1 bytes a second = %v, want ErrInvalid", err)
	}
}
