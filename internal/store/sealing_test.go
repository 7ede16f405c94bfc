package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestRestartThenPowerCut lets the directory's sync behind the manifest fail, so that the new manifest is there but not
// durable; a new process opens it and removes what it does not name; then the power is cut. What the old manifest names
// must still be there.
func TestRestartThenPowerCut(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	s := mustOpen(t, fault)
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	b.do(t, s, action{kind: "archive", id: "a", at: 1})
	mustSeal(t, s)
	b.do(t, s, b.put("ccc"))
	// Segment, state and manifest sync the directory once each.
	fault.FailKindAt(vfs.OpSyncDir, fault.KindOps(vfs.OpSyncDir)+2, syscall.EIO)
	if err := s.Seal(context.Background()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Seal = %v, want the injected error", err)
	}
	mustClose(t, s)
	mustClose(t, mustOpen(t, fault))
	for seed := range uint64(100) {
		clone := fsys.CrashClone(seed, vfs.Random)
		s, err := open(clone)
		if err != nil {
			t.Fatalf("seed %d: Open = %v", seed, err)
		}
		b.holds(t, fmt.Sprint("seed ", seed), s)
		mustClose(t, s)
	}
}

// TestSealingWaitsForTheLog seals while a write is in the log but not durable, and lets its sync fail: what was not
// acknowledged must not be in a segment ahead of the log.
func TestSealingWaitsForTheLog(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	syncing, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var hold bool
	fault.Inject = func(op vfs.Op) (err error) {
		if hold && op.Kind == vfs.OpSyncData {
			once.Do(func() {
				close(syncing)
				<-release
				err = syscall.EIO
			})
		}
		return err
	}
	s := mustOpen(t, fault)
	b := newBook()
	b.do(t, s, b.put("a"))
	hold = true
	done, sealed := make(chan error, 1), make(chan error, 1)
	go func() { done <- write(s, []action{b.put("in doubt")}) }()
	<-syncing
	go func() { sealed <- s.Seal(context.Background()) }()
	select {
	case err := <-sealed:
		t.Errorf("Seal = %v before the log was durable", err)
		sealed <- err
	case <-time.After(20 * time.Millisecond): // long enough for a sealing that does not wait
	}
	close(release)
	if err := <-done; !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Write = %v, want ErrReadOnly", err)
	}
	if err := <-sealed; err == nil {
		t.Error("Seal of what the log does not hold succeeds")
	}
	again := mustOpen(t, fsys.CrashClone(0, vfs.LoseAll))
	b.holds(t, "after the power cut", again)
	mustClose(t, again)
	s.Close() //nolint:errcheck // its log has failed
}

// TestSealingAtAnOldPosition lets a sealing fail and changes a memory more often than its history is kept before the
// sealing is tried again: the state file still says what was at the position of the checkpoint.
func TestSealingAtAnOldPosition(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	s := mustOpen(t, fault)
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	b.do(t, s, action{kind: "link", id: "a", other: "bb", linkType: "t", weight: .5},
		action{kind: "reinforce", id: "a", count: 1, at: 1})
	fault.FailKindAt(vfs.OpSync, fault.KindOps(vfs.OpSync), syscall.ENOSPC)
	if err := s.Seal(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Seal = %v, want the injected error", err)
	}
	for range 200 {
		b.do(t, s, b.put("a"))
	}
	var clones []*vfs.Mem
	renamed := false
	fault.OnOp = func(op vfs.Op) {
		renamed = renamed || op.Kind == vfs.OpRename && filepath.Base(op.NewName) == "MANIFEST"
		if renamed && op.Kind == vfs.OpSyncDir && op.Name == spaceDir {
			clones = append(clones, fsys.CrashClone(0, vfs.LoseAll))
			renamed = false
		}
	}
	mustSeal(t, s)
	b.holds(t, "sealed", s)
	if len(clones) != 2 {
		t.Errorf("%d manifests were written, want one for the failed sealing and one for the rest", len(clones))
	}
	for i, clone := range clones {
		again := mustOpen(t, clone)
		b.holds(t, fmt.Sprintf("crash behind manifest %d", i), again)
		verified(t, again)
		mustClose(t, again)
	}
	mustClose(t, s)
}

// TestFailedSealingIsTriedAgain keeps the disk from taking a segment: nobody writes and nobody calls for it, and it is
// sealed when the disk is well.
func TestFailedSealingIsTriedAgain(t *testing.T) {
	fault := vfs.NewFault(newFS(t))
	var full atomic.Bool
	fault.Inject = func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpCreate {
			return syscall.ENOSPC
		}
		return nil
	}
	s := mustOpen(t, fault, func(o *store.Options) { o.SealRetry = time.Millisecond })
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	full.Store(true)
	if err := s.Seal(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Seal = %v, want the cause", err)
	}
	if st := s.Stats(); !errors.Is(st.Sealing.Err, syscall.ENOSPC) || st.Sealing.Runs != 0 || st.ReadOnly != nil {
		t.Errorf("Stats tells of %+v, read-only %v", st.Sealing, st.ReadOnly)
	}
	if err := s.Health(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "next try") {
		t.Errorf("Health = %v, want the cause and the next try", err)
	}
	full.Store(false)
	eventually(t, "the space is sealed", func() bool { return s.Stats().Sealing.Runs > 0 })
	if st := s.Stats(); st.Segments != 1 || st.Sealing.Err != nil || !st.Sealing.NextTry.IsZero() {
		t.Errorf("behind the sealing there are %d segments, and Stats tells of %+v", st.Segments, st.Sealing)
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health = %v", err)
	}
	b.holds(t, "sealed", s)
	mustClose(t, s)
}

// TestSealingLetsGoAgain lets what a sealing does last fail, behind the new manifest: it is done again, without another
// segment.
func TestSealingLetsGoAgain(t *testing.T) {
	fault := vfs.NewFault(newFS(t))
	var broken, named atomic.Bool
	fault.Inject = func(op vfs.Op) error {
		named.Store(named.Load() || op.Kind == vfs.OpRename && filepath.Base(op.NewName) == "MANIFEST")
		inLog := strings.Contains(op.Name, "wal")
		if broken.Load() && named.Load() && inLog && (op.Kind == vfs.OpRemove || op.Kind == vfs.OpRename) {
			return syscall.EIO
		}
		return nil
	}
	s := mustOpen(t, fault, func(o *store.Options) { o.SealRetry, o.LogFileBytes = time.Millisecond, 4096 })
	b := newBook()
	for i := range 200 {
		b.do(t, s, b.put(fmt.Sprint("m", i)))
	}
	named.Store(false)
	broken.Store(true)
	if err := s.Seal(context.Background()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Seal = %v, want the injected error", err)
	}
	before := s.Stats()
	broken.Store(false)
	eventually(t, "the log is let go of", func() bool { return s.Stats().Sealing.Err == nil })
	if after := s.Stats(); after.Segments != 1 || after.LogBytes >= before.LogBytes {
		t.Errorf("there are %d segments and %d bytes of log, %d before",
			after.Segments, after.LogBytes, before.LogBytes)
	}
	if err := s.Health(); err != nil {
		t.Errorf("Health = %v", err)
	}
	b.holds(t, "let go", s)
	mustClose(t, s)
}

// TestSealingBacksOff lets sealing fail again and again: the pause doubles, up to 64 times the first, and writes that
// are refused begin none.
func TestSealingBacksOff(t *testing.T) {
	fault := vfs.NewFault(newFS(t))
	var full atomic.Bool
	var tries atomic.Int32
	fault.Inject = func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpCreate && strings.HasSuffix(op.Name, ".seg.tmp") {
			tries.Add(1)
			return syscall.ENOSPC
		}
		return nil
	}
	now := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	s := mustOpen(t, fault, func(o *store.Options) {
		o.SealRetry, o.HotBytes, o.HotLimit = time.Hour, 2<<10, 8<<10
		o.Clock = func() time.Time { return now }
	})
	b := newBook()
	b.do(t, s, b.put("a"))
	full.Store(true)
	for _, pause := range []int{1, 2, 4, 8, 16, 32, 64, 64, 64} {
		if err := s.Seal(context.Background()); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("Seal = %v, want the cause", err)
		}
		if want := now.Add(time.Duration(pause) * time.Hour); !s.Stats().Sealing.NextTry.Equal(want) {
			t.Errorf("the next try is at %v, want %v", s.Stats().Sealing.NextTry, want)
		}
	}
	var err error
	for n := 0; err == nil && n < 2000; n++ {
		a := b.put("m" + string(rune('a'+b.clock%20)))
		if err = write(s, []action{a}); err == nil {
			b.note(a)
		}
	}
	if !errors.Is(err, store.ErrReadOnly) || s.Stats().ReadOnly == nil {
		t.Fatalf("Write = %v and Stats says %v, want it refused", err, s.Stats().ReadOnly)
	}
	before := tries.Load()
	for range 100 {
		if err := write(s, []action{b.put("more")}); !errors.Is(err, store.ErrReadOnly) {
			t.Fatalf("Write = %v, want it refused", err)
		}
	}
	if n := tries.Load() - before; n > 1 { // one may have been under way
		t.Errorf("100 refused writes began %d sealings", n)
	}
	full.Store(false)
	mustSeal(t, s)
	b.do(t, s, b.put("after"))
	if err := s.Health(); err != nil || s.Stats().ReadOnly != nil {
		t.Errorf("Health = %v, Stats says %v", err, s.Stats().ReadOnly)
	}
	b.holds(t, "sealed", s)
	mustClose(t, s)
}

// eventually waits until something that happens by itself has.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 20_000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("it never happens that %s", what)
}
