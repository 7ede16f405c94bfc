package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

const dir = "/space/wal"

// options are those of most tests: small files, so that a few records rotate, and no work in the background, so that
// the order of file operations is the same in each run.
func options(fs vfs.FS) wal.Options {
	return wal.Options{
		FS: fs, Dir: dir, Store: [16]byte{7, 7, 7}, FirstFileBytes: 4096, MaxFileBytes: 8192, Spares: -1,
	}
}

// newMem returns a file system with the log's parent directory.
func newMem(t testing.TB) *vfs.Mem {
	t.Helper()
	m := vfs.NewMem()
	if err := errors.Join(m.MkdirAll("/space"), m.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return m
}

// payload is the content of record lsn: a function of lsn and salt, of up to limit bytes.
func payload(lsn wal.LSN, salt uint64, limit int) []byte {
	rng := rand.New(rand.NewPCG(uint64(lsn), salt))
	b := make([]byte, rng.IntN(limit+1))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// contents collects what Open gives to apply.
type contents struct {
	first wal.LSN
	got   [][]byte
}

func (c *contents) apply(lsn wal.LSN, p []byte) error {
	if len(c.got) == 0 {
		c.first = lsn
	}
	if want := c.first + wal.LSN(len(c.got)); lsn != want {
		return fmt.Errorf("apply got LSN %d, want %d", lsn, want)
	}
	c.got = append(c.got, bytes.Clone(p))
	return nil
}

func mustOpen(t testing.TB, o wal.Options, after wal.LSN) (*wal.Log, wal.Recovery, *contents) {
	t.Helper()
	c := &contents{}
	l, r, err := wal.Open(o, after, c.apply)
	if err != nil {
		t.Fatalf("Open(after %d) = %v", after, err)
	}
	return l, r, c
}

func mustClose(t testing.TB, l *wal.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
}

// fill appends and commits n records of up to limit bytes, in groups of up to 4.
func fill(t testing.TB, l *wal.Log, n, limit int) {
	t.Helper()
	for i := range n {
		lsn, err := l.Append(payload(l.Next(), 0, limit))
		if err != nil {
			t.Fatalf("Append = %v", err)
		}
		if i%4 == 3 || i == n-1 {
			if err := l.Commit(lsn); err != nil {
				t.Fatalf("Commit(%d) = %v", lsn, err)
			}
		}
	}
}

func checkContents(t testing.TB, c *contents, first, last wal.LSN, limit int) {
	t.Helper()
	if len(c.got) != int(last-first+1) || len(c.got) > 0 && c.first != first {
		t.Fatalf("recovered %d records from %d on, want %d to %d", len(c.got), c.first, first, last)
	}
	for i, p := range c.got {
		if want := payload(first+wal.LSN(i), 0, limit); !bytes.Equal(p, want) {
			t.Fatalf("record %d = %x, want %x", first+wal.LSN(i), p, want)
		}
	}
}

func TestReopenReplaysWhatWasCommitted(t *testing.T) {
	o := options(newMem(t))
	l, r, _ := mustOpen(t, o, 0)
	if !r.Created || r.Last != 0 || l.Next() != 1 || l.Durable() != 0 {
		t.Errorf("new log: %+v, Next %d, Durable %d", r, l.Next(), l.Durable())
	}
	fill(t, l, 100, 300)
	if l.Next() != 101 || l.Durable() != 100 {
		t.Errorf("Next = %d, Durable = %d, want 101, 100", l.Next(), l.Durable())
	}
	mustClose(t, l)
	for after := wal.LSN(0); after <= 100; after += 25 {
		l, r, c := mustOpen(t, o, after)
		checkContents(t, c, after+1, 100, 300)
		if r.Last != 100 || r.Records != int(100-after) || !r.Clean || r.Created || r.Torn != nil || r.Damaged != nil {
			t.Errorf("Open(after %d): %+v", after, r)
		}
		mustClose(t, l)
	}
	l, _, _ = mustOpen(t, o, 100)
	fill(t, l, 20, 300)
	mustClose(t, l)
	l, _, c := mustOpen(t, o, 0)
	checkContents(t, c, 1, 120, 300)
	mustClose(t, l)
}

func TestNewLogContinuesBehindAfter(t *testing.T) {
	o := options(newMem(t))
	l, _, _ := mustOpen(t, o, 41)
	if lsn, err := l.Append([]byte("x")); lsn != 42 || err != nil {
		t.Errorf("Append = %d, %v, want 42", lsn, err)
	}
	mustClose(t, l) // Close commits.
	l, r, c := mustOpen(t, o, 41)
	if r.Last != 42 || len(c.got) != 1 || c.first != 42 {
		t.Errorf("recovered %+v, %v", r, c)
	}
	mustClose(t, l)
}

func TestRecordLargerThanAFile(t *testing.T) {
	o := options(newMem(t))
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 5, 100_000)
	mustClose(t, l)
	l, _, c := mustOpen(t, o, 0)
	checkContents(t, c, 1, 5, 100_000)
	mustClose(t, l)
}

func TestRefusals(t *testing.T) {
	o := options(newMem(t))
	o.MaxRecordBytes = 100
	l, _, _ := mustOpen(t, o, 0)
	_, err := l.Append(make([]byte, 101))
	if !errors.Is(err, wal.ErrTooLarge) || !strings.Contains(err.Error(), "100") {
		t.Errorf("Append of 101 bytes = %v, want ErrTooLarge that names the limit", err)
	}
	if err := l.Commit(1); !errors.Is(err, wal.ErrUnknownLSN) {
		t.Errorf("Commit(1) of an empty log = %v, want ErrUnknownLSN", err)
	}
	if err := l.Commit(0); err != nil {
		t.Errorf("Commit(0) = %v, want nil", err)
	}
	fill(t, l, 2, 100)
	mustClose(t, l)
	mustClose(t, l)
	if _, err := l.Append(nil); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Append after Close = %v, want ErrClosed", err)
	}
	if err := l.Trim(1); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("Trim after Close = %v, want ErrClosed", err)
	}
	for _, err := range l.Read(1) {
		if !errors.Is(err, wal.ErrClosed) {
			t.Errorf("Read after Close = %v, want ErrClosed", err)
		}
	}
	boom := errors.New("boom")
	if _, _, err := wal.Open(o, 0, func(wal.LSN, []byte) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Open with a failing apply = %v, want its error", err)
	}
	for _, bad := range []wal.Options{
		{Dir: dir},
		{FS: o.FS},
		{FS: o.FS, Dir: dir, MaxFileBytes: -1},
		{FS: o.FS, Dir: dir, FirstFileBytes: -1},
		{FS: o.FS, Dir: dir, MaxRecordBytes: 2 << 30},
	} {
		if _, _, err := wal.Open(bad, 0, nil); err == nil || !strings.Contains(err.Error(), "log option") {
			t.Errorf("Open(%+v) = %v, want an error that names the option", bad, err)
		}
	}
}

func TestReadFromEveryPosition(t *testing.T) {
	o := options(newMem(t))
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 60, 400)
	mustClose(t, l)
	l, _, _ = mustOpen(t, o, 60) // A clean mark in the middle.
	fill(t, l, 20, 400)
	if _, err := l.Append([]byte("not committed")); err != nil {
		t.Fatal(err)
	}
	for from := range wal.LSN(85) {
		next := max(from, 1)
		for rec, err := range l.Read(from) {
			if err != nil || rec.LSN != next || !bytes.Equal(rec.Payload, payload(next, 0, 400)) {
				t.Fatalf("Read(%d) = record %d, %v, want %d", from, rec.LSN, err, next)
			}
			next++
		}
		if want := max(from, 81); next != want {
			t.Errorf("Read(%d) ended before %d, want %d", from, next, want)
		}
	}
	for range l.Read(1) {
		break // Leaving early lets go of the file.
	}
	mustClose(t, l)
}

func TestReadRefusesDamage(t *testing.T) {
	m := newMem(t)
	o := options(m)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 30, 400)
	if err := m.Corrupt(o.LogPath(2), wal.FileHeader+wal.RecordHeader+1, 4); err != nil {
		t.Fatal(err)
	}
	var err error
	n := 0
	for _, err = range l.Read(1) {
		n++
	}
	ce, ok := errors.AsType[*codec.CorruptError](err)
	if !ok || ce.Path != o.LogPath(2) || ce.Offset != wal.FileHeader || n == 30 {
		t.Errorf("Read over damage ended with %v after %d, want a *CorruptError that names the place", err, n)
	}
}

func TestTrim(t *testing.T) {
	for _, spares := range []int{-1, 1, 2} {
		m := newMem(t)
		o := options(m)
		o.Spares = spares
		l, _, _ := mustOpen(t, o, 0)
		fill(t, l, 100, 400)
		before := l.Stats()
		if before.Files < 4 {
			t.Fatalf("only %d files", before.Files)
		}
		if err := l.Trim(1); err != nil || l.Stats().Files != before.Files {
			t.Errorf("Trim(1) = %v, %d files, want %d", err, l.Stats().Files, before.Files)
		}
		if err := l.Trim(60); err != nil {
			t.Fatalf("Trim(60) = %v", err)
		}
		after := l.Stats()
		if after.First <= 1 || after.First > 60 {
			t.Errorf("First = %d after Trim(60), want 2 to 60", after.First)
		}
		for _, err := range l.Read(after.First - 1) {
			if !errors.Is(err, wal.ErrTrimmed) {
				t.Errorf("Read of a trimmed position = %v, want ErrTrimmed", err)
			}
		}
		if err := l.Trim(1 << 60); err != nil || l.Stats().Files != 1 {
			t.Errorf("Trim(everything) = %v, %d files, want 1", err, l.Stats().Files)
		}
		fill(t, l, 100, 400)
		if got := l.Stats().Recycled; (got > 0) != (spares > 0) {
			t.Errorf("%d files recycled with %d spares", got, spares)
		}
		first := l.Stats().First
		mustClose(t, l)
		if _, _, err := wal.Open(o, first-2, nil); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("Open of a log that begins too late = %v, want ErrCorrupt", err)
		}
		l, _, c := mustOpen(t, o, first-1)
		checkContents(t, c, first, 200, 400)
		mustClose(t, l)
		for _, name := range m.Files() {
			if strings.HasSuffix(name, ".spare") {
				t.Errorf("%s is left after Close", name)
			}
		}
	}
}

func TestTrimLeavesFilesThatAreRead(t *testing.T) {
	o := options(newMem(t))
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 100, 400)
	next := wal.LSN(1)
	for rec, err := range l.Read(1) {
		if err != nil || rec.LSN != next || !bytes.Equal(rec.Payload, payload(next, 0, 400)) {
			t.Fatalf("record %d, %v, want %d", rec.LSN, err, next)
		}
		if next == 1 {
			if err := l.Trim(2); err != nil {
				t.Fatal(err)
			}
		}
		next++
	}
	if next != 101 {
		t.Errorf("Read ended before %d, want 101", next)
	}
	files := l.Stats().Files
	for range l.Read(1) {
		if err := l.Trim(100); err != nil {
			t.Fatal(err)
		}
		if l.Stats().Files != files {
			t.Errorf("Trim dropped a file that is read")
		}
		break
	}
	if err := l.Trim(100); err != nil || l.Stats().Files == files {
		t.Errorf("Trim after the Read = %v, still %d files", err, files)
	}
	mustClose(t, l)
}

func TestAppendDoesNoIO(t *testing.T) {
	fault := vfs.NewFault(newMem(t))
	l, _, _ := mustOpen(t, options(fault), 0)
	before := fault.Ops()
	for range 100 {
		if _, err := l.Append(make([]byte, 500)); err != nil {
			t.Fatal(err)
		}
	}
	if got := fault.Ops() - before; got != 0 {
		t.Errorf("Append made %d file operations, want 0", got)
	}
	mustClose(t, l)
}

func TestFailedRecoveryWritesNothing(t *testing.T) {
	m := newMem(t)
	o := options(m)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 10, 100)
	mustClose(t, l)
	if err := m.Corrupt(o.LogPath(1), wal.FileHeader+wal.RecordHeader, 1); err != nil {
		t.Fatal(err)
	}
	fault := vfs.NewFault(m)
	o.FS = fault
	if _, _, err := wal.Open(o, 0, nil); !errors.Is(err, codec.ErrCorrupt) {
		t.Fatalf("Open = %v, want ErrCorrupt", err)
	}
	for _, k := range []vfs.OpKind{vfs.OpWrite, vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpTruncate} {
		if n := fault.KindOps(k); n != 0 {
			t.Errorf("a refused Open did %d %v operations, want 0", n, k)
		}
	}
}
