package wal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestStaleRecordsOfARecycledFile: records of the life before, where the next records will be, are never taken for
// records, not even where LSN and place match.
func TestStaleRecordsOfARecycledFile(t *testing.T) {
	m, o, spans := crashed(t, 3)
	path := o.LogPath(1)
	b := mustBytes(t, m, path)
	end := spans[2].End
	for i, number := range []uint64{2, 1 << 40, 0} {
		copy(b[end:], o.RawRecord(number, end, 4, 3, []byte("stale")))
		mustSetBytes(t, m, path, b)
		_, r, err := recoverLog(o, m, 0)
		if err != nil || r.Last != 3 || r.Torn == nil {
			t.Errorf("%d: stale record 4 of file %d: %+v, %v, want it dropped", i, number, r, err)
		}
	}
	// The test's forgery is good: with the right number it is a record.
	copy(b[end:], o.RawRecord(1, end, 4, 3, []byte("fresh")))
	mustSetBytes(t, m, path, b)
	if _, r, err := recoverLog(o, m, 0); err != nil || r.Last != 4 {
		t.Errorf("right number: %+v, %v, want record 4", r, err)
	}
}

func TestTrimEmptiesRecycledFiles(t *testing.T) {
	m := newMem(t)
	o := options(m)
	o.Spares = 1
	l, _, _ := mustOpen(t, o, 0)
	secret := bytes.Repeat([]byte("secret"), 100)
	for range 60 {
		if _, err := l.Append(secret); err != nil {
			t.Fatal(err)
		}
		if err := l.Commit(l.Next() - 1); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, l, 40, 600)
	if err := l.Trim(61); err != nil {
		t.Fatal(err)
	}
	for _, name := range m.Files() {
		if strings.HasSuffix(name, ".spare") && bytes.Contains(mustBytes(t, m, name), secret) {
			t.Errorf("%s still holds trimmed content", name)
		}
	}
	mustClose(t, l)
}

// TestDropLeavesNothing drops a short log of which Trim would keep all: no file holds a byte of it.
func TestDropLeavesNothing(t *testing.T) {
	m := newMem(t)
	o := options(m)
	o.Spares, o.KeepBytes = 1, 1<<20
	l, _, _ := mustOpen(t, o, 0)
	secret := []byte("a secret of the log")
	if _, err := l.Append(secret); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	if err := l.Trim(l.Next()); err != nil || l.Stats().First != 1 {
		t.Fatalf("Trim = %v, first record %d: want what KeepBytes says", err, l.Stats().First)
	}
	if busy, err := l.Drop(l.Next()); busy || err != nil {
		t.Fatal(busy, err)
	}
	for _, name := range m.Files() {
		if bytes.Contains(mustBytes(t, m, name), secret) {
			t.Errorf("%s still holds what was dropped", name)
		}
	}
	mustClose(t, l)
}

// TestPayloadThatHoldsARecord stores copies of whole, valid records as content and damages the log before them: the
// search for later records must not find the copies, and must find the real ones.
func TestPayloadThatHoldsARecord(t *testing.T) {
	m := newMem(t)
	o := options(m)
	o.FirstFileBytes = 8192
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 3, 100)
	spans := o.Spans(1, mustBytes(t, m, o.LogPath(1)))
	at := spans[2].End
	next := o.RawRecord(1, at, 4, 3, []byte("real"))
	copies := append(bytes.Clone(next), mustBytes(t, m, o.LogPath(1))[spans[0].Off:at]...)
	for _, p := range [][]byte{[]byte("real"), copies} {
		if _, err := l.Append(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Commit(5); err != nil {
		t.Fatal(err)
	}
	if b := mustBytes(t, m, o.LogPath(1)); !bytes.Equal(b[at:at+int64(len(next))], next) {
		t.Fatal("the copy is not that of a record")
	}
	// Both records were one write: torn at its first, nothing in it is a record.
	if err := m.Corrupt(o.LogPath(1), at+wal.RecordHeader, 1); err != nil {
		t.Fatal(err)
	}
	clone := m.CrashClone(0, vfs.LoseAll)
	c, r, err := recoverLog(o, clone, 0)
	if err != nil || r.Torn == nil {
		t.Fatalf("recovered %+v, %v, want a torn tail", r, err)
	}
	checkContents(t, c, 1, 3, 100)
	// A real later record shows that it is damage.
	fill(t, l, 1, 100)
	if _, _, err := recoverLog(o, m, 0); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("recovered with %v, want ErrCorrupt", err)
	}
}

// FuzzRecovery gives recovery a log with arbitrary bytes in it: it must not panic, must not take much memory, and what
// it recovers must be a prefix of what was written, or be refused.
func FuzzRecovery(f *testing.F) {
	f.Add(uint16(0), []byte{})
	f.Add(uint16(100), []byte{0, 0, 0})
	f.Add(uint16(wal.FileHeader), binary.LittleEndian.AppendUint32(nil, 1<<31))
	f.Add(uint16(3000), bytes.Repeat([]byte{0xff}, 1200))
	m := newMem(f)
	o := options(m)
	o.MaxFileBytes = 4096
	l, _, _ := mustOpen(f, o, 0)
	fill(f, l, 16, 600)
	mustClose(f, l)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		clone := m.CrashClone(0, vfs.LoseAll)
		number := uint64(1 + at>>12&1)
		b := mustBytes(t, clone, o.LogPath(number))
		copy(b[int(at)%len(b):], patch)
		mustSetBytes(t, clone, o.LogPath(number), b)
		c, r, err := recoverLog(o, clone, 0)
		if err != nil {
			if !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, codec.ErrFormatVersion) {
				t.Fatalf("Open = %v, want damage", err)
			}
			return
		}
		checkContents(t, c, 1, r.Last, 600)
		if c2, r2, err := recoverLog(o, clone, 0); err != nil || r2.Last != r.Last || len(c2.got) != len(c.got) {
			t.Fatalf("second recovery: %+v, %v, the first was %+v", r2, err, r)
		}
	})
}
