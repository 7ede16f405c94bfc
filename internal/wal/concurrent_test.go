package wal_test

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// TestConcurrentCommit runs many writers, readers that follow the log, and trimming, with files small enough to rotate
// all the time; then the power is cut.
func TestConcurrentCommit(t *testing.T) {
	const writers, each = 16, 50
	m := newMem(t)
	o := options(m)
	o.Spares = 1
	l, _, _ := mustOpen(t, o, 0)
	var appendMu sync.Mutex
	var done atomic.Bool
	var writing, reading sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range each {
				appendMu.Lock()
				lsn, err := l.Append(payload(l.Next(), 0, 200))
				appendMu.Unlock()
				if err == nil {
					err = l.Commit(lsn)
				}
				if err != nil || l.Durable() < lsn {
					t.Errorf("write %d: %v, durable %d", lsn, err, l.Durable())
					return
				}
			}
		})
	}
	for range 3 {
		reading.Go(func() { follow(t, l, &done) })
	}
	reading.Go(func() {
		for !done.Load() {
			if d := l.Durable(); d > 150 {
				if err := l.Trim(d - 150); err != nil {
					t.Errorf("Trim = %v", err)
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	writing.Wait()
	done.Store(true)
	reading.Wait()
	first := l.Stats().First
	_, r, err := recoverLog(o, m.CrashClone(1, vfs.LoseAll), first-1)
	if err != nil || r.Last != writers*each {
		t.Errorf("power cut: last record %d, %v, want %d", r.Last, err, writers*each)
	}
	mustClose(t, l)
	l, _, c := mustOpen(t, o, first-1)
	checkContents(t, c, first, writers*each, 200)
	mustClose(t, l)
}

// follow reads the log until done and checks that it sees every record that was not trimmed before it came.
func follow(t *testing.T, l *wal.Log, done *atomic.Bool) {
	next := wal.LSN(1)
	for finished := false; !finished; {
		finished = done.Load()
		for rec, err := range l.Read(next) {
			if errors.Is(err, wal.ErrTrimmed) {
				next, finished = l.Stats().First, false // once more from there
				break
			}
			if err != nil || rec.LSN != next || !bytes.Equal(rec.Payload, payload(next, 0, 200)) {
				t.Errorf("Read gave record %d, %v, want %d", rec.LSN, err, next)
				return
			}
			next++
		}
		time.Sleep(time.Millisecond)
	}
	if want := l.Durable() + 1; next != want {
		t.Errorf("reader ended before %d, want %d", next, want)
	}
}

// TestCommitIsShared: what is pending when a sync ends goes into one write and one sync, whoever waits for it.
func TestCommitIsShared(t *testing.T) {
	const writers = 50
	fault := vfs.NewFault(newMem(t))
	o := options(fault)
	o.FirstFileBytes, o.MaxFileBytes = 1<<20, 1<<20
	l, _, _ := mustOpen(t, o, 0)
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fault.Inject = func(op vfs.Op) error {
		if op.Kind == vfs.OpSyncData {
			once.Do(func() {
				close(held)
				<-release
			})
		}
		return nil
	}
	before := fault.KindOps(vfs.OpSyncData)
	commit := func() {
		lsn, err := l.Append([]byte("x"))
		if err == nil {
			err = l.Commit(lsn)
		}
		if err != nil {
			t.Errorf("Commit = %v", err)
		}
	}
	var wg sync.WaitGroup
	wg.Go(commit)
	<-held
	for range writers {
		wg.Go(commit)
	}
	for l.Next() != writers+2 {
		l.Stats()
	}
	close(release)
	wg.Wait()
	if n := fault.KindOps(vfs.OpSyncData) - before; n != 2 {
		t.Errorf("%d syncs for one writer and then %d, want 2", n, writers)
	}
	mustClose(t, l)
}

// TestAppendDuringAWrite: what is being written does not change under the hands of the writer.
func TestAppendDuringAWrite(t *testing.T) {
	m := newMem(t)
	fault := vfs.NewFault(m)
	l, _, _ := mustOpen(t, options(fault), 0)
	fill(t, l, 2, 300) // Buffers are in use again from now on.
	fault.Inject = func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && l.Next() == 4 {
			if _, err := l.Append(payload(4, 0, 300)); err != nil {
				t.Errorf("Append = %v", err)
			}
		}
		return nil
	}
	fill(t, l, 1, 300)
	if d := l.Durable(); d != 3 {
		t.Errorf("Durable = %d, want 3: record 4 came after the write began", d)
	}
	c, _, err := recoverLog(options(m), m.CrashClone(0, vfs.LoseAll), 0)
	if err != nil {
		t.Fatal(err)
	}
	checkContents(t, c, 1, 3, 300)
	mustClose(t, l)
}

// TestCloseBesideWriters: every writer gets nil or ErrClosed, and what got nil is there.
func TestCloseBesideWriters(t *testing.T) {
	for range 20 {
		o := options(newMem(t))
		l, _, _ := mustOpen(t, o, 0)
		var acked atomic.Uint64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					lsn, err := l.Append([]byte("x"))
					if errors.Is(err, wal.ErrClosed) {
						return
					}
					if err == nil {
						err = l.Commit(lsn)
					}
					if err != nil {
						t.Errorf("Commit = %v", err)
						return
					}
					for old := acked.Load(); old < uint64(lsn) && !acked.CompareAndSwap(old, uint64(lsn)); {
						old = acked.Load()
					}
				}
			})
		}
		for acked.Load() < 50 {
			l.Stats()
		}
		mustClose(t, l)
		wg.Wait()
		l, r, _ := mustOpen(t, o, 0)
		if !r.Clean || r.Last < wal.LSN(acked.Load()) {
			t.Fatalf("recovered %+v, acknowledged %d", r, acked.Load())
		}
		mustClose(t, l)
	}
}
