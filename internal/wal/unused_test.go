package wal_test

import (
	"bytes"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestUnusedBesideATornMark cuts the power while a log that was never written to is opened again: any part of the mark
// that opening puts there may be left, and the log is unused still. With more than a mark, or a whole record, it is
// not.
func TestUnusedBesideATornMark(t *testing.T) {
	mem := newMem(t)
	o := options(mem)
	l, _, _ := mustOpen(t, o, 0)
	killed := mem.CrashClone(1, vfs.KeepAll)
	mustClose(t, l)
	o.FS = killed
	l, _, _ = mustOpen(t, o, 0)
	whole, err := killed.Bytes(o.LogPath(1))
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, l)
	marks := o.Marks(1, whole)
	if len(marks) != 2 {
		t.Fatalf("opening leaves marks %+v, want two", marks)
	}
	unused := func(what string, want bool, change func(b []byte)) {
		t.Helper()
		b := bytes.Clone(whole)
		change(b)
		if err := killed.SetBytes(o.LogPath(1), b); err != nil {
			t.Fatal(err)
		}
		store, made, got, err := wal.Unused(o)
		if err != nil || !made || store != o.Store || got != want {
			t.Errorf("%s: Unused = %v, %v, %v, want %v", what, made, got, err, want)
		}
	}
	for _, m := range marks {
		for at := m.Off; at <= m.End; at++ {
			unused("the beginning of the mark", true, func(b []byte) { clear(b[at:m.End]) })
			unused("the end of the mark", true, func(b []byte) { clear(b[m.Off:at]) })
			unused("the beginning of the mark alone", true, func(b []byte) { clear(b[at:]) })
		}
		unused("more than a mark", false, func(b []byte) {
			clear(b[m.Off:m.End])
			b[m.End] = 1
		})
	}
	unused("a record", false, func(b []byte) {
		copy(b[wal.FileHeader:], o.RawRecord(1, wal.FileHeader, 1, 0, []byte("content")))
	})
	unused("a torn record", false, func(b []byte) {
		copy(b[wal.FileHeader:], o.RawRecord(1, wal.FileHeader, 1, 0, []byte("content")))
		b[wal.FileHeader] ^= 1
	})
}
