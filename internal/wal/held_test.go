package wal_test

import (
	"errors"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestDamageThatIsHeldElsewhere damages every record of a killed log, in head and payload, and opens it for a caller
// that holds the records up to each one elsewhere. What the caller holds is told and costs nothing, through further
// writes and openings; anything else is refused.
func TestDamageThatIsHeldElsewhere(t *testing.T) {
	const n = 6
	m, o, spans := killed(t, n)
	path := o.LogPath(1)
	for _, at := range []int64{9, wal.RecordHeader + 1} {
		for i, span := range spans[:n] {
			for after := wal.LSN(0); after <= n; after++ {
				clone := m.CrashClone(0, vfs.KeepAll)
				if err := clone.Corrupt(path, span.Off+at, 2); err != nil {
					t.Fatal(err)
				}
				held := wal.LSN(i+1) <= after
				c, r, err := recoverLog(o, clone, after)
				ce, ok := errors.AsType[*codec.CorruptError](err)
				if !held {
					if !ok || ce.Path != path || ce.Offset != span.Off {
						t.Fatalf("record %d damaged, after %d: %v, want a *CorruptError at its offset", i+1, after, err)
					}
					continue
				}
				if err != nil || len(r.Damaged) != 1 || !errors.As(r.Damaged[0], &ce) || ce.Offset != span.Off {
					t.Fatalf("record %d damaged, after %d: %+v, %v, want it told", i+1, after, r, err)
				}
				checkContents(t, c, after+1, n, 600)
				goesOn(t, o, clone, after, n)
			}
		}
	}
}

// goesOn writes to a log of n records, the first of which are held elsewhere, and reads and opens it again.
func goesOn(t *testing.T, o wal.Options, m *vfs.Mem, after, n wal.LSN) {
	t.Helper()
	o.FS = m
	l, _, _ := mustOpen(t, o, after)
	fill(t, l, 3, 600)
	read := &contents{}
	for rec, err := range l.Read(after + 1) {
		if err == nil {
			err = read.apply(rec.LSN, rec.Payload)
		}
		if err != nil {
			t.Fatalf("Read(%d) = %v", after+1, err)
		}
	}
	checkContents(t, read, after+1, n+3, 600)
	mustClose(t, l)
	l, r, c := mustOpen(t, o, after)
	if len(r.Damaged) != 1 {
		t.Errorf("opened again, after %d: %+v, want the damage told", after, r)
	}
	checkContents(t, c, after+1, n+3, 600)
	mustClose(t, l)
}

// TestDamagedFileThatIsHeldElsewhere destroys all records of a file but the last one's.
func TestDamagedFileThatIsHeldElsewhere(t *testing.T) {
	m, o := twoFiles(t)
	b := mustBytes(t, m, o.LogPath(1))
	clear(b[wal.FileHeader:])
	mustSetBytes(t, m, o.LogPath(1), b)
	spans := o.Spans(2, mustBytes(t, m, o.LogPath(2)))
	first := spans[0].LSN
	if _, _, err := recoverLog(o, m.CrashClone(0, vfs.KeepAll), first-2); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("a record that nobody holds is gone: Open = %v", err)
	}
	c, r, err := recoverLog(o, m, first-1)
	if err != nil || len(r.Damaged) != 1 {
		t.Fatalf("Open = %+v, %v, want the damage told", r, err)
	}
	checkContents(t, c, first, 14, 600)
}
