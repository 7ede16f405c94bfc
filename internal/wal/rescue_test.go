package wal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// rescued is what Rescue gave.
type rescued struct {
	contents map[wal.LSN][]byte
	wrecks   map[wal.LSN]wal.Wreck
}

func rescue(t *testing.T, o wal.Options, m *vfs.Mem, after wal.LSN) (rescued, error) {
	t.Helper()
	o.FS = m
	r := rescued{map[wal.LSN][]byte{}, map[wal.LSN]wal.Wreck{}}
	before := m.CrashClone(0, vfs.KeepAll)
	l, err := wal.Rescue(o, after, errors.New("the cause"), func(lsn wal.LSN, p []byte) error {
		r.contents[lsn] = bytes.Clone(p)
		return nil
	}, func(w wal.Wreck) error {
		w.Bytes = bytes.Clone(w.Bytes)
		r.wrecks[w.LSN] = w
		return nil
	})
	if err == nil {
		if _, err := l.Append([]byte("x")); !errors.Is(err, wal.ErrFailed) {
			t.Errorf("Append to a rescued log = %v", err)
		}
		mustClose(t, l)
	}
	for _, path := range m.Files() {
		if !bytes.Equal(mustBytes(t, m, path), mustBytes(t, before, path)) {
			t.Errorf("Rescue has changed %s", path)
		}
	}
	return r, err
}

// TestRescueFlips flips a bit of each byte of each record of a killed log: every other record is given, and of the
// damaged one its place, with all of its payload where its head is whole.
func TestRescueFlips(t *testing.T) {
	const n = 6
	m, o, spans := killed(t, n)
	for i, span := range spans[:n] {
		for off := span.Off; off < span.End; off++ {
			clone := m.CrashClone(0, vfs.KeepAll)
			if err := clone.Corrupt(o.LogPath(1), off, 1<<(off%8)); err != nil {
				t.Fatal(err)
			}
			got, err := rescue(t, o, clone, 0)
			if err != nil || len(got.contents) != n-1 || len(got.wrecks) != 1 {
				t.Fatalf("byte %d of record %d: %d records, %d wrecks, %v",
					off, i+1, len(got.contents), len(got.wrecks), err)
			}
			for lsn, p := range got.contents {
				if !bytes.Equal(p, payload(lsn, 0, 600)) {
					t.Fatalf("byte %d of record %d: record %d = %x", off, i+1, lsn, p)
				}
			}
			w := got.wrecks[wal.LSN(i+1)]
			ce, ok := errors.AsType[*codec.CorruptError](w.Err)
			if !ok || ce.Path != o.LogPath(1) || ce.Offset != span.Off {
				t.Fatalf("byte %d of record %d: wreck %+v, want its place", off, i+1, w)
			}
			want := payload(w.LSN, 0, 600)
			inHead := off < span.Off+wal.RecordHeader
			if at := off - span.Off - wal.RecordHeader; at >= 0 && at < int64(len(want)) {
				want[at] ^= 1 << (off % 8)
			}
			if !bytes.HasPrefix(w.Bytes, want) || w.Exact && len(w.Bytes) != len(want) || !w.Exact && !inHead {
				t.Fatalf("byte %d of record %d: wreck %+v, want its payload", off, i+1, w)
			}
		}
	}
}

// TestRescueNeighbours damages two records in turn: where a head is whole they are told apart, where none is they are
// not.
func TestRescueNeighbours(t *testing.T) {
	m, o, spans := killed(t, 6)
	for _, c := range []struct {
		first, second int64
		refused       bool
	}{{40, 40, false}, {9, 40, false}, {40, 9, false}, {9, 9, true}} {
		clone := m.CrashClone(0, vfs.KeepAll)
		for i, at := range []int64{c.first, c.second} {
			if err := clone.Corrupt(o.LogPath(1), spans[2+i].Off+at, 1); err != nil {
				t.Fatal(err)
			}
		}
		got, err := rescue(t, o, clone, 0)
		switch {
		case c.refused && !errors.Is(err, codec.ErrCorrupt):
			t.Errorf("damage at %d and %d: %v, want it refused", c.first, c.second, err)
		case !c.refused && (err != nil || len(got.contents) != 4 || len(got.wrecks) != 2):
			t.Errorf("damage at %d and %d: %d records, %d wrecks, %v",
				c.first, c.second, len(got.contents), len(got.wrecks), err)
		}
	}
}

// TestRescueRefuses takes away what it needs to tell what is gone.
func TestRescueRefuses(t *testing.T) {
	m, o := twoFiles(t)
	spans := o.Spans(1, mustBytes(t, m, o.LogPath(1)))
	for name, damage := range map[string]func(fs *vfs.Mem){
		"the end of a file": func(fs *vfs.Mem) {
			b := mustBytes(t, fs, o.LogPath(1))
			clear(b[spans[len(spans)-3].Off:])
			mustSetBytes(t, fs, o.LogPath(1), b)
		},
		"a file": func(fs *vfs.Mem) {
			if err := fs.Remove(o.LogPath(1)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		clone := m.CrashClone(0, vfs.KeepAll)
		damage(clone)
		if _, err := rescue(t, o, clone, 0); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("without %s: %v, want it refused", name, err)
		}
	}
}
