package wal_test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// failures are the ways in which an operation is made to fail.
var failures = map[string]error{
	"EIO":         syscall.EIO,
	"ENOSPC":      syscall.ENOSPC,
	"short write": &vfs.ShortWrite{N: 20, Err: syscall.ENOSPC},
}

// workload writes, trims, closes and reopens on fs and stops at the first error, which it returns, along with the log
// that gave it (nil if it was Open).
func workload(fs vfs.FS, o wal.Options, w *oracle) (*wal.Log, error) {
	o.FS = fs
	for session := range 3 {
		l, r, err := wal.Open(o, w.get().after, nil)
		if err != nil {
			return nil, err
		}
		w.set(func(b *bounds) { b.acked, b.appended = r.Last, r.Last })
		for i := range 12 {
			p := payload(l.Next(), uint64(session), 900)
			w.payloads[l.Next()] = p
			lsn, err := l.Append(p)
			if err != nil {
				return l, err
			}
			w.set(func(b *bounds) { b.appended = lsn })
			if i%2 == 0 {
				continue
			}
			if err := l.Commit(lsn); err != nil {
				return l, err
			}
			w.set(func(b *bounds) { b.acked = lsn })
		}
		w.set(func(b *bounds) { b.after = b.acked - 3 })
		if err := l.Trim(w.get().after + 1); err != nil {
			return l, err
		}
		if session == 1 && o.Spares < 0 {
			continue // Killed: the next session recovers. (In a test the old one's background would go on.)
		}
		if err := l.Close(); err != nil {
			return l, err
		}
		w.set(func(b *bounds) { b.acked = b.appended })
	}
	return nil, nil
}

// TestEveryOperationFailing makes the n-th file operation of a workload fail, for every n and in every way. Nothing
// acknowledged may be lost: not when the log is reopened, not when the power is cut, and not when the power is cut
// after the log was reopened and written to in the same life of the system.
func TestEveryOperationFailing(t *testing.T) {
	for name, failure := range failures {
		for _, spares := range []int{-1, 1} {
			failed := true
			for n := 0; failed; n++ {
				failed = failAt(t, fmt.Sprintf("%s at operation %d, %d spares", name, n, spares), failure, n, spares)
			}
		}
	}
}

func failAt(t *testing.T, name string, failure error, n, spares int) (failed bool) {
	t.Helper()
	mem := newMem(t)
	fault := vfs.NewFault(mem)
	fault.FailAt(n, failure)
	fault.OnOp = noSyncAfterFailure(t, name)
	o := options(fault)
	o.Spares = spares
	w := &oracle{payloads: map[wal.LSN][]byte{}}
	l, err := workload(fault, o, w)
	if err == nil {
		// Failures that harm nothing, such as that of removing a spare, need not be reported.
		return n < fault.Ops()
	}
	if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%s: %v does not name the cause", name, err)
	}
	if l != nil {
		checkFailed(t, name, l)
	}
	for seed := range uint64(4) {
		mode := []vfs.CrashMode{vfs.LoseAll, vfs.KeepAll, vfs.Random, vfs.Random}[seed]
		if _, _, err := w.check(mem.CrashClone(seed, mode), o); err != nil {
			t.Fatalf("%s, power cut (%v, %d): %v", name, mode, seed, err)
		}
	}
	l2, r, err := w.check(mem, o)
	if err != nil {
		t.Fatalf("%s, reopened: %v", name, err)
	}
	w.set(func(b *bounds) { b.acked, b.appended = r.Last, r.Last })
	for seed := range uint64(4) {
		if _, _, err := w.check(mem.CrashClone(seed, vfs.Random), o); err != nil {
			t.Fatalf("%s, reopened, power cut (%d): %v", name, seed, err)
		}
	}
	for range 3 {
		lsn := l2.Next()
		w.payloads[lsn] = payload(lsn, 99, 10)
		if _, err := l2.Append(w.payloads[lsn]); err != nil {
			t.Fatalf("%s, reopened: Append = %v", name, err)
		}
		if err := l2.Commit(lsn); err != nil {
			t.Fatalf("%s, reopened: Commit = %v", name, err)
		}
		w.set(func(b *bounds) { b.acked, b.appended = lsn, lsn })
	}
	for seed := range uint64(4) {
		if _, _, err := w.check(mem.CrashClone(seed, vfs.Random), o); err != nil {
			t.Fatalf("%s, reopened, written, power cut (%d): %v", name, seed, err)
		}
	}
	return true
}

// checkFailed checks a log one of whose methods returned a failure. Trim leaves the log whole if only dropping a file
// failed, and Close has closed it.
func checkFailed(t *testing.T, name string, l *wal.Log) {
	t.Helper()
	if l.Err() != nil {
		if _, err := l.Append(nil); !errors.Is(err, wal.ErrFailed) {
			t.Fatalf("%s: Append after the failure = %v, want ErrFailed", name, err)
		}
		if err := l.Commit(l.Next() - 1); l.Durable() < l.Next()-1 && !errors.Is(err, wal.ErrFailed) {
			t.Fatalf("%s: Commit after the failure = %v, want ErrFailed", name, err)
		}
		if err := l.Trim(1000); !errors.Is(err, wal.ErrFailed) && !errors.Is(err, wal.ErrClosed) {
			t.Fatalf("%s: Trim after the failure = %v, want ErrFailed", name, err)
		}
	}
	_ = l.Close() // Its error is the failure's, or that of a second Close, nil.
}

// noSyncAfterFailure returns a hook that reports a write to or sync of a log file on which one has failed before it was
// opened again.
func noSyncAfterFailure(t *testing.T, name string) func(vfs.Op) {
	var mu sync.Mutex
	bad := map[string]bool{}
	return func(op vfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		switch op.Kind {
		case vfs.OpOpen, vfs.OpCreate:
			delete(bad, op.Name)
		case vfs.OpWrite, vfs.OpSync, vfs.OpSyncData, vfs.OpPreallocate:
			if bad[op.Name] {
				t.Errorf("%s: %v, although an operation on the file has failed", name, op)
			}
			bad[op.Name] = bad[op.Name] || op.Err != nil
		}
	}
}

// TestTrimAfterOneThatFailed: the second one must not let a crash keep what the first dropped and drop what follows.
func TestTrimAfterOneThatFailed(t *testing.T) {
	mem := newMem(t)
	o := options(mem)
	l, _, _ := mustOpen(t, o, 0)
	fill(t, l, 100, 400)
	mustClose(t, l)
	fault := vfs.NewFault(mem)
	o.FS = fault
	l, _, _ = mustOpen(t, o, 0)
	fault.FailKindAt(vfs.OpSyncDir, fault.KindOps(vfs.OpSyncDir), syscall.EIO)
	if err := l.Trim(101); !errors.Is(err, wal.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("Trim = %v, want ErrFailed around EIO", err)
	}
	if err := l.Close(); !errors.Is(err, wal.ErrFailed) {
		t.Errorf("Close = %v, want ErrFailed", err)
	}
	l, r, _ := mustOpen(t, o, 100)
	if !r.Clean {
		t.Fatalf("recovered %+v, want a clean log: nothing was written", r)
	}
	fault.OnOp = func(op vfs.Op) {
		for seed := range uint64(20) {
			if _, r, err := recoverLog(o, mem.CrashClone(seed, vfs.Random), 100); err != nil || r.Last != 100 {
				t.Fatalf("power cut after %v (%d): %+v, %v", op, seed, r, err)
			}
		}
	}
	if err := l.Trim(101); err != nil {
		t.Errorf("Trim = %v", err)
	}
	mustClose(t, l)
}

// TestWaitersGetTheFailure fails the sync that others wait for, and then the one that they would do themselves.
func TestWaitersGetTheFailure(t *testing.T) {
	const writers = 20
	fault := vfs.NewFault(newMem(t))
	l, _, _ := mustOpen(t, options(fault), 0)
	held, release := make(chan struct{}), make(chan struct{})
	first := true
	fault.Inject = func(op vfs.Op) error {
		if op.Kind != vfs.OpSyncData {
			return nil
		}
		if first {
			first = false
			close(held)
			<-release
		}
		return syscall.EIO
	}
	results := make(chan error, writers+1)
	commit := func() {
		lsn, err := l.Append([]byte("x"))
		if err == nil {
			err = l.Commit(lsn)
		}
		results <- err
	}
	go commit()
	<-held
	for range writers {
		go commit()
	}
	for l.Next() != writers+2 {
		l.Stats()
	}
	close(release)
	for range writers + 1 {
		if err := <-results; !errors.Is(err, wal.ErrFailed) || !errors.Is(err, syscall.EIO) {
			t.Errorf("Commit = %v, want ErrFailed around EIO", err)
		}
	}
	if err := l.Close(); !errors.Is(err, wal.ErrFailed) {
		t.Errorf("Close = %v, want ErrFailed", err)
	}
	if n := fault.KindOps(vfs.OpSyncData); n != 2 { // The first file's header, and the one that failed.
		t.Errorf("%d syncs, want 2: none after the failed one", n)
	}
}

// TestPanickingFileSystem panics in each file operation that a commit, or beginning a new file behind it, comes to. The
// panic goes to the one whose turn it was, the others get an error, and what was acknowledged is there when the log is
// opened again.
func TestPanickingFileSystem(t *testing.T) {
	for name, turn := range map[string]func(*wal.Log) error{
		"commit": func(l *wal.Log) error { return l.Commit(2) },
		"rotate": func(l *wal.Log) error { _, err := l.Rotate(); return err },
	} {
		for n := 0; ; n++ {
			m := newMem(t)
			fault := vfs.NewFault(m)
			l, _, _ := mustOpen(t, options(fault), 0)
			fill(t, l, 1, 300)
			if _, err := l.Append(payload(2, 0, 300)); err != nil {
				t.Fatal(err)
			}
			first, armed := fault.Ops(), true
			fault.Inject = func(op vfs.Op) error {
				if armed && op.Index == first+n {
					panic("out of luck")
				}
				return nil
			}
			panicked := true
			func() {
				defer func() { _ = recover() }()
				_ = turn(l)
				panicked = false
			}()
			armed = false
			if !panicked {
				mustClose(t, l)
				if n < 2 {
					t.Errorf("%s: only %d operations panicked", name, n)
				}
				break
			}
			if _, err := l.Append([]byte("x")); !errors.Is(err, wal.ErrFailed) {
				t.Errorf("%s, operation %d: Append after the panic = %v, want ErrFailed", name, n, err)
			}
			if err := l.Commit(2); l.Durable() < 2 && !errors.Is(err, wal.ErrFailed) {
				t.Errorf("%s, operation %d: Commit after the panic = %v, want ErrFailed", name, n, err)
			}
			if err := l.Close(); !errors.Is(err, wal.ErrFailed) {
				t.Errorf("%s, operation %d: Close after the panic = %v, want ErrFailed", name, n, err)
			}
			l, found, _ := mustOpen(t, options(m), 0)
			if found.Last < 1 {
				t.Errorf("%s, operation %d: the log ends with record %d, 1 was acknowledged", name, n, found.Last)
			}
			mustClose(t, l)
		}
	}
}

// TestReadGoesOnAfterFailure: what is durable stays readable.
func TestReadGoesOnAfterFailure(t *testing.T) {
	fault := vfs.NewFault(newMem(t))
	l, _, _ := mustOpen(t, options(fault), 0)
	fill(t, l, 20, 300)
	fault.FailKindFrom(vfs.OpSyncData, fault.KindOps(vfs.OpSyncData), syscall.EIO)
	lsn, err := l.Append([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Commit(lsn); !errors.Is(err, wal.ErrFailed) {
		t.Fatalf("Commit = %v, want ErrFailed", err)
	}
	if err := l.Commit(20); err != nil {
		t.Errorf("Commit of a durable record after the failure = %v, want nil", err)
	}
	n := 0
	for _, err := range l.Read(1) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 20 {
		t.Errorf("Read %d records, want the 20 durable ones", n)
	}
	_ = l.Close()
}
