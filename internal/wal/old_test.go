package wal_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestVersionOneGoesOn opens a log of version 1, which has no notes and one mark right behind its last record: it goes
// on like that to the end of the file, so that it is read as it was written, and the next file has both.
func TestVersionOneGoesOn(t *testing.T) {
	m := newMem(t)
	o := options(m)
	o.FirstFileBytes, o.MaxFileBytes, o.Note = 16384, 16384, takeNote
	l, _, _ := mustOpen(t, o, 0)
	for range 3 {
		appendNoted(t, l, 100)
	}
	mustClose(t, l)
	b := mustBytes(t, m, o.LogPath(1))
	copy(b, codec.AppendHeader(nil, codec.Header{Kind: "WL", Version: 1, Store: o.Store, Number: 1}))
	spans := o.Spans(1, b)
	end := spans[len(spans)-1].End
	clear(b[end:])
	copy(b[end:], o.RawClean(1, end, 3))
	mustSetBytes(t, m, o.LogPath(1), b)

	last := wal.LSN(3)
	for len(m.Files()) == 1 {
		l, r, c := mustOpen(t, o, 0)
		if !r.Clean || r.Torn != nil || r.Damaged != nil || len(c.got) != int(last) {
			t.Fatalf("opened %+v with %d records, want it whole, with %d", r, len(c.got), last)
		}
		last = appendNoted(t, l, 1000)
		b := mustBytes(t, m.CrashClone(0, vfs.KeepAll), o.LogPath(1))
		spans := o.Spans(1, b)
		marked := len(spans) == int(last)+1 && spans[last].Kind == "clean" && zeros(b[spans[last].End:])
		if len(m.Files()) == 1 && !marked {
			t.Fatalf("after record %d there are %+v, want records, one mark and zeros", last, spans)
		}
		mustClose(t, l)
	}
	if marks := o.Marks(2, mustBytes(t, m, o.LogPath(2))); len(marks) != 2 || marks[0].LSN != last {
		t.Errorf("the next file has marks %+v, want two of record %d", marks, last)
	}
	_, r, c := mustOpen(t, o, 0)
	if !r.Clean || len(c.got) != int(last) {
		t.Errorf("opened %+v with %d records, want %d", r, len(c.got), last)
	}
}

// appendNoted makes the next record of so many bytes and its note durable.
func appendNoted(t *testing.T, l *wal.Log, size int) wal.LSN {
	t.Helper()
	lsn, err := l.Append(noted(l.Next(), size))
	if err == nil {
		err = l.Commit(lsn)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}
