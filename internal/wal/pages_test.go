package wal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

const page = 4096

// noted is a payload that begins and ends with its note, which its LSN is a part of: what it is of.
func noted(lsn wal.LSN, size int) []byte {
	rng := rand.New(rand.NewPCG(uint64(lsn), 77))
	b := make([]byte, 16+size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	binary.LittleEndian.PutUint64(b, uint64(lsn)*3)
	copy(b[len(b)-8:], b[:8])
	return b
}

func takeNote(dst, payload []byte) []byte { return append(dst, payload[:8]...) }

// livedLog is a log and what it holds.
type livedLog struct {
	fs   *vfs.Mem
	o    wal.Options
	size map[wal.LSN]int // of payloads
	last wal.LSN
}

// livedOf writes single records and batches, some of them of several pages, through some sessions, the last of which is
// closed or killed. recycled: it drops files, and uses them again.
func livedOf(t *testing.T, seed uint64, closed, recycled bool) *livedLog {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 5))
	m := newMem(t)
	o := options(m)
	o.FirstFileBytes, o.MaxFileBytes, o.Note = 16384, 32768, takeNote
	if recycled {
		o.Spares = 1
	}
	h := &livedLog{fs: m, o: o, size: map[wal.LSN]int{}}
	dropped := wal.LSN(0)
	for session := range 4 {
		l, _, _ := mustOpen(t, o, dropped)
		for range 30 {
			for range 1 + rng.IntN(6)/4*rng.IntN(5) {
				size := rng.IntN(400)
				if rng.IntN(25) == 0 {
					size = rng.IntN(14000)
				}
				lsn, err := l.Append(noted(l.Next(), size))
				if err != nil {
					t.Fatal(err)
				}
				h.size[lsn], h.last = size, lsn
			}
			if err := l.Commit(h.last); err != nil {
				t.Fatal(err)
			}
		}
		if recycled && session < 2 {
			if err := l.Trim(h.last + 1); err != nil {
				t.Fatal(err)
			}
			dropped = h.last
		}
		if session == 3 && !closed {
			h.fs = m.CrashClone(1, vfs.KeepAll)
		}
		mustClose(t, l)
	}
	h.o.Spares = -1
	return h
}

// at is a page of a file.
type at struct {
	number uint64
	page   int64
}

// pages lists all pages of the log files, and which records lie in each.
func (h *livedLog) pages(t *testing.T) (all []at, of map[at][]wal.LSN) {
	t.Helper()
	of = map[at][]wal.LSN{}
	for number := uint64(1); number < 100; number++ {
		b, err := h.fs.Bytes(h.o.LogPath(number))
		if err != nil {
			continue
		}
		for p := range int64(len(b)) / page {
			all = append(all, at{number, p})
		}
		for _, s := range h.o.Spans(number, b) {
			for p := s.Off / page; s.Kind == "data" && p <= (s.End-1)/page; p++ {
				of[at{number, p}] = append(of[at{number, p}], s.LSN)
			}
		}
	}
	return all, of
}

// damage is what is done to some pages.
type damage struct {
	name    string
	touched []at
	of      []at // where what is there then came from; nil: noise
}

// damagesOf lists what may happen to a page: it is lost, a copy of another page of the log is in its place, or the two
// have changed places.
func damagesOf(all []at, i int, rng *rand.Rand) (list []damage) {
	p := all[i]
	list = append(list, damage{name: "zeros", touched: []at{p}}, damage{name: "noise", touched: []at{p}})
	others := []int{i - 1, i + 1, i + 2, rng.IntN(len(all)), rng.IntN(len(all))}
	for _, j := range others {
		if j < 0 || j >= len(all) || j == i {
			continue
		}
		list = append(list,
			damage{name: "copied", touched: []at{p}, of: []at{all[j]}},
			damage{name: "swapped", touched: []at{p, all[j]}, of: []at{all[j], p}})
	}
	return list
}

func (d damage) on(t *testing.T, h *livedLog, rng *rand.Rand) *vfs.Mem {
	t.Helper()
	fs := h.fs.CrashClone(1, vfs.KeepAll)
	for i, p := range d.touched {
		b := mustBytes(t, fs, h.o.LogPath(p.number))
		into := b[p.page*page : (p.page+1)*page]
		switch {
		case d.of != nil:
			from := mustBytes(t, h.fs, h.o.LogPath(d.of[i].number))
			copy(into, from[d.of[i].page*page:])
		case d.name == "zeros":
			clear(into)
		default:
			for k := range into {
				into[k] = byte(rng.Uint32())
			}
		}
		mustSetBytes(t, fs, h.o.LogPath(p.number), b)
	}
	return fs
}

// check opens the damaged log: every record that did not lie in a page that was touched is there, byte for byte, and of
// every other one its note is known, from what is left of it or from what was told again.
func (h *livedLog) check(fs *vfs.Mem, touched []wal.LSN) (lost int, err error) {
	o := h.o
	o.FS = fs
	got := map[wal.LSN]bool{}
	apply := func(lsn wal.LSN, p []byte) error {
		if !bytes.Equal(p, noted(lsn, h.size[lsn])) {
			return fmt.Errorf("record %d is wrong", lsn)
		}
		got[lsn] = true
		return nil
	}
	first := h.last + 1
	for number := uint64(1); number < 100; number++ {
		b, err := h.fs.Bytes(o.LogPath(number))
		for i, spans := 0, o.Spans(number, b); err == nil && i < len(spans); i++ {
			if spans[i].Kind == "data" {
				first = min(first, spans[i].LSN)
			}
		}
	}
	l, _, err := wal.Open(o, first-1, apply)
	wrecks := map[wal.LSN]bool{}
	if errors.Is(err, codec.ErrCorrupt) {
		clear(got)
		l, err = wal.Rescue(o, first-1, err, apply, func(w wal.Wreck) error {
			want := noted(w.LSN, 0)[:8]
			own := bytes.HasSuffix(bytes.TrimRight(w.Bytes, "\x00"), bytes.TrimRight(want, "\x00"))
			if !bytes.Equal(w.Note, want) && !own {
				return fmt.Errorf("record %d is lost, its note is %x, want %x", w.LSN, w.Note, want)
			}
			if !slices.Contains(touched, w.LSN) {
				return fmt.Errorf("record %d is lost and was not touched", w.LSN)
			}
			wrecks[w.LSN] = true
			return nil
		})
	}
	if err != nil {
		return 0, err
	}
	for lsn := first; lsn <= h.last; lsn++ {
		if got[lsn] == wrecks[lsn] {
			return 0, fmt.Errorf("record %d of %d was given: %v, lost: %v", lsn, h.last, got[lsn], wrecks[lsn])
		}
	}
	return len(wrecks), l.Close()
}

// TestLostPages damages every page of the log files, and two at a time by letting them change places.
func TestLostPages(t *testing.T) {
	seed := uint64(3)
	if n, err := strconv.ParseUint(os.Getenv("ENGRAM_FLIP_SEED"), 10, 64); err == nil {
		seed = n // scripts/long.sh sets it
	}
	for _, closed := range []bool{false, true} {
		for _, recycled := range []bool{false, true} {
			h := livedOf(t, seed, closed, recycled)
			all, of := h.pages(t)
			rng := rand.New(rand.NewPCG(seed, 9))
			damages, lost := 0, 0
			for i := range all {
				for _, d := range damagesOf(all, i, rng) {
					var touched []wal.LSN
					for _, p := range d.touched {
						touched = append(touched, of[p]...)
					}
					n, err := h.check(d.on(t, h, rng), touched)
					if err != nil {
						t.Errorf("closed %v, recycled %v, seed %d: %s %v of %v: %v",
							closed, recycled, seed, d.name, d.touched, d.of, err)
					}
					damages++
					lost += n
				}
			}
			t.Logf("seed %d, closed %v, recycled %v: %d pages, %d records lost, %d pages damaged",
				seed, closed, recycled, len(all), lost, damages)
		}
	}
}
