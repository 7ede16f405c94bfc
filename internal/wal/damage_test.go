package wal_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// recoverLog opens the log and returns what it held; the log is not closed, so that m stays as recovery left it.
func recoverLog(o wal.Options, m vfs.FS, after wal.LSN) (*contents, wal.Recovery, error) {
	o.FS = m
	c := &contents{}
	_, r, err := wal.Open(o, after, c.apply)
	return c, r, err
}

func mustBytes(t testing.TB, m *vfs.Mem, name string) []byte {
	t.Helper()
	b, err := m.Bytes(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustSetBytes(t testing.TB, m *vfs.Mem, name string, b []byte) {
	t.Helper()
	if err := m.SetBytes(name, b); err != nil {
		t.Fatal(err)
	}
}

// twoFiles returns a small log of three sessions and two files, closed in order, of 14 records of up to 600 bytes.
func twoFiles(t *testing.T) (*vfs.Mem, wal.Options) {
	t.Helper()
	m := newMem(t)
	o := options(m)
	o.MaxFileBytes = 4096
	for _, n := range []int{5, 5, 4} {
		l, _, _ := mustOpen(t, o, 0)
		fill(t, l, n, 600)
		mustClose(t, l)
	}
	if len(m.Files()) != 2 {
		t.Fatalf("files are %v, want two", m.Files())
	}
	return m, o
}

// TestEveryBitFlip flips every bit of a small log that was closed in order. What must happen depends on where it is:
//
//   - in a data record: refused, naming the file and the offset of that record;
//   - in the header of a file: everything recovered, and the header reported;
//   - in the marks behind the last record, and in the space about them: everything recovered, a torn tail reported;
//   - in the seal, and in the space behind it, which nobody reads any more: everything recovered.
func TestEveryBitFlip(t *testing.T) {
	m, o := twoFiles(t)
	for number := uint64(1); number <= 2; number++ {
		path := o.LogPath(number)
		b := mustBytes(t, m, path)
		spans := o.Spans(number, b)
		last, marks := spans[len(spans)-1], o.Marks(number, b)
		for off := range int64(len(b)) {
			step := 1
			if _, in := spanOf(marks, off); off >= last.End+64 && !in {
				step = 5 // Preallocated zeros.
			}
			for bit := 0; bit < 8; bit += step {
				if err := m.Corrupt(path, off, 1<<bit); err != nil {
					t.Fatal(err)
				}
				clone := m.CrashClone(0, vfs.LoseAll)
				if err := m.Corrupt(path, off, 1<<bit); err != nil {
					t.Fatal(err)
				}
				c, r, err := recoverLog(o, clone, 0)
				if span, in := spanOf(spans, off); in && span.Kind != "seal" {
					ce, ok := errors.AsType[*codec.CorruptError](err)
					if !ok || ce.Path != path || ce.Offset != span.Off {
						t.Fatalf("bit %d of %s+%d in %+v: %v, want a *CorruptError at its offset",
							bit, path, off, span, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("bit %d of %s+%d: %v", bit, path, off, err)
				}
				checkContents(t, c, 1, 14, 600)
				inHeader, inTail := off < wal.FileHeader, number == 2 && off >= last.End
				if inHeader != (len(r.Damaged) == 1) || inTail != (r.Torn != nil) {
					t.Fatalf("bit %d of %s+%d: %+v, want it reported", bit, path, off, r)
				}
			}
		}
	}
}

func spanOf(spans []wal.Span, off int64) (wal.Span, bool) {
	for _, s := range spans {
		if off >= s.Off && off < s.End {
			return s, true
		}
	}
	return wal.Span{}, false
}

// killed returns a log of n records of up to 600 bytes in one file, as a kill leaves it: the last of spans is the mark
// that says that they are durable.
func killed(t *testing.T, n int) (*vfs.Mem, wal.Options, []wal.Span) {
	t.Helper()
	m := newMem(t)
	o := options(m)
	o.FirstFileBytes, o.MaxFileBytes = 16384, 16384
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, n, 600)
	b := mustBytes(t, m, o.LogPath(1))
	spans, marks := o.Spans(1, b), o.Marks(1, b)
	if len(spans) != n || len(marks) != 2 || marks[0].LSN != wal.LSN(n) || marks[1].LSN != wal.LSN(n) {
		t.Fatalf("records are %+v, marks %+v, want %d and two marks behind them", spans, marks, n)
	}
	return m, o, append(spans, marks...)
}

// crashed is killed with a power cut, which takes the mark along.
func crashed(t *testing.T, n int) (*vfs.Mem, wal.Options, []wal.Span) {
	t.Helper()
	m, o, spans := killed(t, n)
	b := mustBytes(t, m, o.LogPath(1))
	clear(b[spans[n-1].End:])
	mustSetBytes(t, m, o.LogPath(1), b)
	return m, o, spans[:n]
}

// TestLastRecordIsCovered flips every bit of every record of a log that was killed, and of the mark behind the last
// one. No record is taken for torn, though nothing was written behind the last one; and the mark itself holds nothing.
func TestLastRecordIsCovered(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		m, o, spans := killed(t, n)
		path := o.LogPath(1)
		for off := spans[max(n-4, 0)].Off; off < spans[n+1].End; off++ {
			if off == spans[n-1].End {
				off = spans[n].Off
			}
			if off == spans[n].End {
				off = spans[n+1].Off
			}
			for bit := range 8 {
				clone := m.CrashClone(0, vfs.KeepAll)
				if err := clone.Corrupt(path, off, 1<<bit); err != nil {
					t.Fatal(err)
				}
				c, r, err := recoverLog(o, clone, 0)
				span, _ := spanOf(spans, off)
				if span.Kind == "clean" {
					if err != nil || r.Torn == nil {
						t.Fatalf("%d records, bit %d of the mark: %+v, %v, want it dropped", n, bit, r, err)
					}
					checkContents(t, c, 1, wal.LSN(n), 600)
					continue
				}
				ce, ok := errors.AsType[*codec.CorruptError](err)
				if !ok || ce.Path != path || ce.Offset != span.Off {
					t.Fatalf("%d records, bit %d of %d in %+v: %v, want a *CorruptError at its offset",
						n, bit, off, span, err)
				}
			}
		}
	}
}

// TestTornTailCutAtEveryByte replaces the last write by every prefix of it, followed by zeros.
func TestTornTailCutAtEveryByte(t *testing.T) {
	m, o, spans := crashed(t, 12) // The last write holds records 9 to 12.
	path := o.LogPath(1)
	whole := mustBytes(t, m, path)
	for cut := spans[8].Off; cut <= spans[11].End; cut++ {
		b := bytes.Clone(whole)
		clear(b[cut:])
		mustSetBytes(t, m, path, b)
		want, end := wal.LSN(8), spans[7].End
		for _, s := range spans[8:] {
			if s.End <= cut || bytes.Equal(b[:s.End], whole[:s.End]) { // Only padding was cut.
				want, end = s.LSN, s.End
			}
		}
		c, r, err := recoverLog(o, m, 0)
		if err != nil || r.Last != want {
			t.Fatalf("cut at %d: last record %d, %v, want %d", cut, r.Last, err, want)
		}
		checkContents(t, c, 1, want, 600)
		torn := !zeros(b[end:])
		if torn != (r.Torn != nil) {
			t.Fatalf("cut at %d: Torn is %+v, want one: %v", cut, r.Torn, torn)
		}
		if torn && (r.Torn.File != path || r.Torn.Offset != end || r.Torn.Bytes > (cut-end+7)&^7) {
			t.Fatalf("cut at %d: Torn is %+v, want it from %d to %d", cut, r.Torn, end, cut)
		}
		after := mustBytes(t, m, path)
		marks := o.Marks(1, after)
		if len(marks) != 2 || !zeros(after[end:marks[0].Off]) || marks[0].Off-end >= 4096 ||
			!zeros(after[marks[0].End:marks[1].Off]) || !zeros(after[marks[1].End:]) ||
			!bytes.Equal(after[:end], whole[:end]) {
			t.Fatalf("cut at %d: recovery did not leave whole records, marks and zeros", cut)
		}
		if torn && !bytes.Equal(mustBytes(t, m, r.Torn.Kept), b[end:end+r.Torn.Bytes]) {
			t.Fatalf("cut at %d: what was dropped was not kept", cut)
		}
		if _, r, err = recoverLog(o, m, 0); err != nil || r.Last != want || r.Torn != nil {
			t.Fatalf("cut at %d: second recovery %+v, %v", cut, r, err)
		}
	}
}

// TestLaterRecordsOfATornWriteAreDropped: sectors reach the disk in any order.
func TestLaterRecordsOfATornWriteAreDropped(t *testing.T) {
	m, o, spans := crashed(t, 12)
	path := o.LogPath(1)
	b := mustBytes(t, m, path)
	clear(b[spans[8].Off:spans[9].Off]) // Record 9 did not, 10 to 12 did.
	mustSetBytes(t, m, path, b)
	c, r, err := recoverLog(o, m, 0)
	if err != nil || r.Torn == nil || r.Torn.Bytes != spans[11].End-spans[8].Off {
		t.Fatalf("recovered %+v, %v, want a torn tail from record 9 on", r, err)
	}
	checkContents(t, c, 1, 8, 600)
	// The next record 9 is shorter than the torn one, so that 10 would stand right behind it if it were still there.
	o.FS = m
	l, _, _ := mustOpen(t, o, 8)
	short := make([]byte, len(b[spans[8].Off:spans[9].Off])-wal.RecordHeader)
	lsn, err := l.Append(short)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(lsn); err != nil {
		t.Fatal(err)
	}
	c, r, err = recoverLog(o, m, 8)
	if err != nil || r.Last != 9 || len(c.got) != 1 || !bytes.Equal(c.got[0], short) || r.Torn != nil {
		t.Errorf("recovered %+v, %v, want record 9 as written last", r, err)
	}
}

// TestDamageOfAcknowledgedRecordsIsRefused damages each record of a log in several ways: one that was killed, and one
// that lost its power, of which what the last write holds can be taken for torn.
func TestDamageOfAcknowledgedRecordsIsRefused(t *testing.T) {
	m, o, spans := killed(t, 12)
	damagedRecords(t, m, o, spans[:12], 12)
	m, o, spans = crashed(t, 12)
	damagedRecords(t, m, o, spans, 8)
}

// damagedRecords damages each record; from the one behind covered on it may be taken for torn.
func damagedRecords(t *testing.T, m *vfs.Mem, o wal.Options, spans []wal.Span, covered int) {
	t.Helper()
	path := o.LogPath(1)
	whole := mustBytes(t, m, path)
	for i, s := range spans {
		for name, damage := range map[string]func(b []byte){
			"zeroed":        func(b []byte) { clear(b) },
			"first sector":  func(b []byte) { clear(b[:min(512, len(b))]) },
			"payload":       func(b []byte) { b[len(b)-1] ^= 0x10 },
			"length":        func(b []byte) { b[0]++ },
			"huge length":   func(b []byte) { b[3] = 0x7f },
			"record before": func(b []byte) { copy(b, whole[spans[max(i-1, 0)].Off:spans[max(i-1, 0)].End]) },
		} {
			b := bytes.Clone(whole)
			damage(b[s.Off:s.End])
			if bytes.Equal(b, whole) {
				continue
			}
			mustSetBytes(t, m, path, b)
			_, r, err := recoverLog(o, m, 0)
			ce, ok := errors.AsType[*codec.CorruptError](err)
			switch {
			case i >= covered && err != nil:
				t.Errorf("record %d %s: %v, want a torn tail", s.LSN, name, err)
			case i >= covered && (r.Last != s.LSN-1 || (r.Torn == nil) != zeros(b[s.Off:])):
				t.Errorf("record %d %s: %+v, want a torn tail at it", s.LSN, name, r)
			case i < covered &&
				(!ok || ce.Path != path || ce.Offset != s.Off || !strings.Contains(err.Error(), "record ")):
				t.Errorf("record %d %s: %v, want a *CorruptError that names file, offset and record", s.LSN, name, err)
			}
		}
	}
	// What the caller holds elsewhere was durable: the log cannot end before it.
	b := bytes.Clone(whole)
	clear(b[spans[10].Off:])
	mustSetBytes(t, m, path, b)
	if _, _, err := recoverLog(o, m, 11); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("log ends before after: %v, want ErrCorrupt", err)
	}
}

func zeros(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

func TestMissingFiles(t *testing.T) {
	m := newMem(t)
	o := options(m)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 100, 400)
	mustClose(t, l)
	n := uint64(len(m.Files()))
	if n < 4 {
		t.Fatalf("only %d files", n)
	}
	for number := uint64(1); number <= n; number++ {
		clone := m.CrashClone(0, vfs.LoseAll)
		if err := clone.Remove(o.LogPath(number)); err != nil {
			t.Fatal(err)
		}
		_, _, err := recoverLog(o, clone, 0)
		ce, ok := errors.AsType[*codec.CorruptError](err)
		if !ok || !strings.Contains(err.Error(), "missing") || number > 1 && ce.Path != o.LogPath(number) {
			t.Errorf("file %d of %d is gone: %v, want a *CorruptError that names it", number, n, err)
		}
		clone = m.CrashClone(0, vfs.LoseAll)
		mustSetBytes(t, clone, o.LogPath(number), mustBytes(t, m, o.LogPath(number))[:3000])
		if _, _, err = recoverLog(o, clone, 0); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("file %d of %d is cut off: %v, want ErrCorrupt", number, n, err)
		}
		clone = m.CrashClone(0, vfs.LoseAll)
		mustSetBytes(t, clone, o.LogPath(number), mustBytes(t, m, o.LogPath(number%n+1)))
		if _, _, err = recoverLog(o, clone, 0); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("file %d holds another one's content: %v, want ErrCorrupt", number, err)
		}
		o2 := o
		o2.Store[0]++
		if _, _, err = recoverLog(o2, m, 0); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("files of another store: %v, want ErrCorrupt", err)
		}
	}
}

// TestFileCutBetweenRecords: nothing in the file itself is damaged.
func TestFileCutBetweenRecords(t *testing.T) {
	m, o := twoFiles(t)
	whole := mustBytes(t, m, o.LogPath(2))
	for _, s := range o.Spans(2, whole) {
		for _, end := range []int64{s.Off, s.End} {
			mustSetBytes(t, m, o.LogPath(2), whole[:end])
			if _, _, err := recoverLog(o, m, 0); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("file cut to %d bytes: %v, want ErrCorrupt", end, err)
			}
		}
	}
}

// TestDamagedSessionEnd damages the record that ended a session of an earlier program, which wrote the next records
// behind it: they are there, and the damage is told. Damage to one of them is told as such.
func TestDamagedSessionEnd(t *testing.T) {
	m := newMem(t)
	o := options(m)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 3, 100)
	mustClose(t, l)
	path := o.LogPath(1)
	b := mustBytes(t, m, path)
	spans := o.Spans(1, b)
	first := spans[2].End
	at := first
	at += int64(copy(b[at:], o.RawClean(1, at, 3)))
	for lsn := wal.LSN(4); lsn <= 5; lsn++ {
		at += int64(copy(b[at:], o.RawRecord(1, at, lsn, 3, payload(lsn, 0, 100))))
	}
	mustSetBytes(t, m, path, b)
	c, r, err := recoverLog(o, m, 0)
	if err != nil || r.Damaged != nil || r.Torn != nil {
		t.Fatalf("recovered %+v, %v, want it whole", r, err)
	}
	checkContents(t, c, 1, 5, 100)
	mustSetBytes(t, m, path, b)
	for bit := range 8 * wal.RecordHeader {
		clone := m.CrashClone(0, vfs.KeepAll)
		if err := clone.Corrupt(path, first+int64(bit/8), 1<<(bit%8)); err != nil {
			t.Fatal(err)
		}
		c, r, err := recoverLog(o, clone, 0)
		if err != nil || len(r.Damaged) != 1 {
			t.Fatalf("bit %d: recovered %+v, %v, want the damage told", bit, r, err)
		}
		checkContents(t, c, 1, 5, 100)
	}
}

// TestDamagedMarkBeforeAnother damages the mark that a session ended with and that the next one, which had to drop a
// torn write, wrote anew.
func TestDamagedMarkBeforeAnother(t *testing.T) {
	m := newMem(t)
	o := options(m)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 3, 100)
	mustClose(t, l)
	mark := o.Marks(1, mustBytes(t, m, o.LogPath(1)))[0]
	if err := m.Corrupt(o.LogPath(1), mark.End+1, 1); err != nil {
		t.Fatal(err)
	}
	l, r, _ := mustOpen(t, o, 0)
	if r.Torn == nil || r.Clean {
		t.Errorf("recovered %+v, want a torn tail", r)
	}
	mustClose(t, l)
	if err := m.Corrupt(o.LogPath(1), mark.Off+12, 1); err != nil {
		t.Fatal(err)
	}
	c, r, err := recoverLog(o, m, 0)
	if err != nil || r.Torn == nil {
		t.Errorf("recovered %+v, %v, want the mark dropped", r, err)
	}
	checkContents(t, c, 1, 3, 100)
}

// TestMarksTakeNoRoom commits records one by one and closes and opens in between: behind the last one stand two marks,
// and nothing between them.
func TestMarksTakeNoRoom(t *testing.T) {
	m := newMem(t)
	o := options(m)
	for session := range 3 {
		l, _, _ := mustOpen(t, o, 0)
		for range 4 {
			fill(t, l, 1, 100)
		}
		b := mustBytes(t, m, o.LogPath(1))
		spans, marks := o.Spans(1, b), o.Marks(1, b)
		if n := 4 * (session + 1); len(spans) != n || len(marks) != 2 || spans[n-1].End > marks[0].Off {
			t.Fatalf("records are %+v, marks %+v, want %d and two marks", spans, marks, n)
		}
		mustClose(t, l)
	}
}

func TestDestroyedHeaderLosesNothing(t *testing.T) {
	m, o := twoFiles(t)
	for number := uint64(1); number <= 2; number++ {
		b := mustBytes(t, m, o.LogPath(number))
		whole := bytes.Clone(b)
		clear(b[:wal.FileHeader])
		mustSetBytes(t, m, o.LogPath(number), b)
		c, r, err := recoverLog(o, m, 0)
		if err != nil || len(r.Damaged) != 1 || !errors.Is(r.Damaged[0], codec.ErrCorrupt) {
			t.Fatalf("header of file %d zeroed: %+v, %v, want it reported", number, r, err)
		}
		checkContents(t, c, 1, 14, 600)
		clear(b[:1024]) // The first record is gone too: nothing proves what the file is.
		mustSetBytes(t, m, o.LogPath(number), b)
		if _, _, err := recoverLog(o, m, 0); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("begin of file %d zeroed: %v, want ErrCorrupt", number, err)
		}
		mustSetBytes(t, m, o.LogPath(number), whole)
	}
}

func TestUnknownVersionIsRefusedByName(t *testing.T) {
	m, o := twoFiles(t)
	b := mustBytes(t, m, o.LogPath(2))
	newer := codec.AppendHeader(nil, codec.Header{Kind: "WL", Version: 3, Store: o.Store, Number: 2})
	copy(b, newer)
	mustSetBytes(t, m, o.LogPath(2), b)
	_, _, err := recoverLog(o, m, 0)
	if fe, ok := errors.AsType[*codec.FormatError](err); !ok || fe.Found != 3 || fe.Path != o.LogPath(2) {
		t.Errorf("Open = %v, want a *FormatError that names file and version", err)
	}
}
