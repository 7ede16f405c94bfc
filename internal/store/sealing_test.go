package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
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
