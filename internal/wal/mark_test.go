package wal_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orchard9/engram-go/internal/vfs"
)

// TestMarkComesWhenNobodyWrites puts marks off: a write has none, and gets one when nobody has written for that long,
// which covers it against damage. Closing in between leaves nothing behind.
func TestMarkComesWhenNobodyWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMem(t)
		o := options(m)
		o.FirstFileBytes, o.MarkAfter = 8192, 2*time.Millisecond
		l, _, _ := mustOpen(t, o, 0)
		marked := func() bool {
			marks := o.Marks(1, mustBytes(t, m, o.LogPath(1)))
			return len(marks) == 2 && marks[0].LSN == l.Durable() && marks[1].LSN == l.Durable()
		}
		for round := range 3 {
			fill(t, l, 2, 600)
			if marked() {
				t.Fatalf("round %d: a mark comes with LSN %d", round, l.Durable())
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if marked() {
				t.Fatalf("round %d: a mark after a millisecond", round)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if !marked() {
				t.Fatalf("round %d: LSN %d has no mark", round, l.Durable())
			}
		}
		clone := m.CrashClone(0, vfs.KeepAll)
		spans := o.Spans(1, mustBytes(t, m, o.LogPath(1)))
		if err := clone.Corrupt(o.LogPath(1), spans[len(spans)-1].Off, 1); err != nil {
			t.Fatal(err)
		}
		if _, _, err := recoverLog(o, clone, 0); err == nil {
			t.Error("damage to the last record was taken for a torn write")
		}
		fill(t, l, 1, 600)
		mustClose(t, l)
		time.Sleep(time.Second) // a mark that still came would be written to a closed file
	})
}

// TestWriterIsSparedMarks writes without a pause: of those writes not one in ten is followed by a mark.
func TestWriterIsSparedMarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := vfs.NewFault(newMem(t))
		o := options(m)
		o.FirstFileBytes, o.MaxFileBytes, o.MarkAfter = 1<<20, 1<<20, 2*time.Millisecond
		l, _, _ := mustOpen(t, o, 0)
		const writes = 1000
		before := m.Ops()
		for range writes {
			fill(t, l, 1, 100)
			time.Sleep(100 * time.Microsecond)
		}
		synctest.Wait()
		// A write and a sync for each record.
		if marks := m.Ops() - before - 2*writes; marks < 1 || marks > writes/10 {
			t.Errorf("%d marks behind %d writes, a tenth of a millisecond apart", marks, writes)
		}
		mustClose(t, l)
	})
}

// TestMarkThatFailsEndsTheLog lets the write of a mark that was put off fail: the log has failed, and says why.
func TestMarkThatFailsEndsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMem(t)
		f := vfs.NewFault(m)
		o := options(f)
		o.FirstFileBytes, o.MarkAfter = 8192, 2*time.Millisecond
		l, _, _ := mustOpen(t, o, 0)
		fill(t, l, 1, 600)
		wantLSN := l.Durable()
		f.FailAt(f.Ops(), errors.New("broken"))
		time.Sleep(o.MarkAfter)
		synctest.Wait()
		if l.Err() == nil || l.Durable() != wantLSN {
			t.Errorf("the log = %v at %d, want it to have failed at %d", l.Err(), l.Durable(), wantLSN)
		}
		if err := l.Close(); err == nil {
			t.Error("Close of a log that has failed = nil")
		}
		c, r, err := recoverLog(o, m, 0)
		if err != nil || r.Last != wantLSN {
			t.Fatalf("reopened: last %d, %v, want %d", r.Last, err, wantLSN)
		}
		checkContents(t, c, 1, wantLSN, 600)
	})
}
