package wal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// oracle knows what a log must hold: a plain map instead of files.
type oracle struct {
	mu       sync.Mutex // guards all; cuts in background operations read it too
	payloads map[wal.LSN][]byte
	bounds
}

// bounds are what a recovery at some moment must find.
type bounds struct {
	appended wal.LSN // the last record that may be there
	acked    wal.LSN // the last record that must be there
	after    wal.LSN // held elsewhere: trimming may have dropped up to here
}

func (w *oracle) set(f func(b *bounds)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.bounds)
}

func (w *oracle) get() bounds {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bounds
}

// check opens the log in m and compares.
func (w *oracle) check(m vfs.FS, o wal.Options) (*wal.Log, wal.Recovery, error) {
	b := w.get()
	o.FS = m
	c := &contents{}
	l, r, err := wal.Open(o, b.after, c.apply)
	if err != nil {
		return nil, r, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case r.Last < b.acked || r.Last > b.appended:
		err = fmt.Errorf("last record is %d, acknowledged %d, appended %d", r.Last, b.acked, b.appended)
	case len(c.got) != int(r.Last-b.after) || len(c.got) > 0 && c.first != b.after+1:
		err = fmt.Errorf("%d records from %d on, want %d from %d on", len(c.got), c.first, r.Last-b.after, b.after+1)
	}
	for i, got := range c.got {
		if lsn := b.after + 1 + wal.LSN(i); err == nil && !bytes.Equal(got, w.payloads[lsn]) {
			err = fmt.Errorf("record %d = %x, want %x", lsn, got, w.payloads[lsn])
		}
	}
	return l, r, err
}

// world is one random history on one file system, with a power cut tried after each operation.
type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	o      wal.Options
	mem    *vfs.Mem
	log    *wal.Log
	oracle oracle

	cutMu  sync.Mutex // guards what follows: operations come from the background too
	cuts   *rand.Rand
	life   int // of the process: operations of an earlier one that are still going on are not cut
	states int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, seed: seed, mem: newMem(t), o: options(nil),
		rng: rand.New(rand.NewPCG(seed, 1)), cuts: rand.New(rand.NewPCG(seed, 2)),
	}
	w.oracle.payloads = map[wal.LSN][]byte{}
	return w
}

// fs returns w.mem for a new life of the process, with a power cut tried after each operation that changes something.
func (w *world) fs() vfs.FS {
	w.cutMu.Lock()
	defer w.cutMu.Unlock()
	w.life++
	mem, life, fault := w.mem, w.life, vfs.NewFault(w.mem)
	fault.OnOp = func(op vfs.Op) {
		w.cutMu.Lock()
		defer w.cutMu.Unlock()
		if changes(op.Kind) && w.life == life {
			w.cut(mem, op)
		}
	}
	return fault
}

func changes(k vfs.OpKind) bool {
	switch k {
	case vfs.OpRead, vfs.OpOpen, vfs.OpStat, vfs.OpReadDir, vfs.OpClose:
		return false
	}
	return true
}

// cut tries what power cuts at this moment leave: recovery must find what the oracle says, and so must a second one
// that finds what a power cut during the first left.
func (w *world) cut(mem *vfs.Mem, op vfs.Op) {
	modes := []vfs.CrashMode{vfs.LoseAll, vfs.KeepAll, vfs.Random, vfs.Random, vfs.Random}
	for _, mode := range modes {
		seed := w.cuts.Uint64()
		clone := mem.CrashClone(seed, mode)
		w.states++
		again := vfs.NewFault(clone)
		if w.cuts.IntN(4) == 0 {
			again.OnOp = func(inner vfs.Op) {
				if !changes(inner.Kind) {
					return
				}
				w.states++
				second := clone.CrashClone(w.cuts.Uint64(), vfs.Random)
				if _, _, err := w.oracle.check(second, w.o); err != nil {
					w.t.Fatalf("seed %d, cut after %v (%v, %d), second cut in recovery after %v: %v",
						w.seed, op, mode, seed, inner, err)
				}
			}
		}
		if _, _, err := w.oracle.check(again, w.o); err != nil {
			w.t.Fatalf("seed %d, cut after %v (%v, %d): %v", w.seed, op, mode, seed, err)
		}
	}
}

// open recovers the log in w.mem and goes on with it.
func (w *world) open() {
	l, r, err := w.oracle.check(w.fs(), w.o)
	if err != nil {
		w.t.Fatalf("seed %d: reopen: %v", w.seed, err)
	}
	w.log = l
	w.oracle.set(func(b *bounds) { b.appended, b.acked = r.Last, r.Last })
}

// step does one random thing.
func (w *world) step() {
	switch k := w.rng.IntN(20); {
	case k < 11:
		w.write(1+w.rng.IntN(5), []int{40, 400, 1500}[w.rng.IntN(3)])
	case k < 12:
		w.write(1, 20_000)
	case k < 14: // Appended, not committed.
		w.append(200)
	case k < 15:
		w.trim()
	case k < 16:
		w.drop()
	case k < 18:
		if err := w.log.Close(); err != nil {
			w.t.Fatalf("seed %d: Close: %v", w.seed, err)
		}
		w.oracle.set(func(b *bounds) { b.acked = b.appended })
		w.open()
	case k < 19 && w.o.Spares < 0:
		// The process is killed: what is unsynced stays in the system's memory, and a power cut may follow. (In a test
		// the old process's background would go on.)
		w.open()
	default: // A power cut; life goes on with what it left.
		w.cutMu.Lock()
		w.mem = w.mem.CrashClone(w.rng.Uint64(), vfs.Random)
		w.life++
		w.cutMu.Unlock()
		w.open()
	}
}

func (w *world) append(limit int) wal.LSN {
	p := payload(w.log.Next(), w.rng.Uint64(), limit)
	want := w.log.Next()
	w.oracle.mu.Lock()
	w.oracle.payloads[want], w.oracle.appended = p, want
	w.oracle.mu.Unlock()
	if lsn, err := w.log.Append(p); err != nil || lsn != want {
		w.t.Fatalf("seed %d: Append = %d, %v, want %d", w.seed, lsn, err, want)
	}
	return want
}

func (w *world) write(n, limit int) {
	var lsn wal.LSN
	for range n {
		lsn = w.append(limit)
	}
	if err := w.log.Commit(lsn); err != nil {
		w.t.Fatalf("seed %d: Commit(%d) = %v", w.seed, lsn, err)
	}
	w.oracle.set(func(b *bounds) { b.acked = lsn })
}

func (w *world) trim() {
	w.oracle.set(func(b *bounds) { b.after += wal.LSN(w.rng.Uint64N(uint64(b.acked-b.after) + 1)) })
	if err := w.log.Trim(w.oracle.get().after + 1); err != nil {
		w.t.Fatalf("seed %d: Trim = %v", w.seed, err)
	}
}

// drop forgets everything: only the new file is left.
func (w *world) drop() {
	if _, err := w.log.Rotate(); err != nil {
		w.t.Fatalf("seed %d: Rotate = %v", w.seed, err)
	}
	w.oracle.set(func(b *bounds) { b.acked = b.appended; b.after = b.appended })
	after := w.oracle.get().after
	if busy, err := w.log.Drop(after + 1); busy || err != nil {
		w.t.Fatalf("seed %d: Drop = %v, %v", w.seed, busy, err)
	}
	if st := w.log.Stats(); st.Files != 1 || st.First != after+1 {
		w.t.Fatalf("seed %d: behind Drop(%d) there are %d files from %d on", w.seed, after+1, st.Files, st.First)
	}
}

// TestCrashAfterEveryOperation cuts the power after each file operation of random histories.
func TestCrashAfterEveryOperation(t *testing.T) {
	seeds, steps := uint64(15), 40
	if testing.Short() {
		seeds = 6
	}
	states := 0
	for seed := range seeds {
		w := newWorld(t, seed)
		if seed%3 == 2 {
			w.o.Spares = 2
		}
		w.open()
		for range steps {
			w.step()
		}
		if err := w.log.Close(); err != nil {
			t.Fatalf("seed %d: Close: %v", seed, err)
		}
		states += w.states
	}
	t.Logf("%d crash states", states)
}
