package store_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// TestFailedSyncMakesTheSpaceReadOnly lets the log's sync fail: that write says that its outcome is open, later ones
// are refused with the cause, readers go on with what was acknowledged, and reopening recovers.
func TestFailedSyncMakesTheSpaceReadOnly(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	oneFile := func(o *store.Options) { o.LogFileBytes = 64 << 10 } // the sync that fails is the write's own
	s := mustOpen(t, fault, oneFile)
	b := newBook()
	for _, id := range []string{"a", "bb", "ccc"} {
		b.do(t, s, b.put(id))
	}
	mustSeal(t, s)
	b.do(t, s, b.put("d"))
	before := recalled(s.View())
	fault.FailKindAt(vfs.OpSyncData, fault.KindOps(vfs.OpSyncData), syscall.EIO)
	doubt := b.put("in doubt")
	if err := write(s, []action{doubt}); !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("Write with a failing sync = %v, want ErrReadOnly and the cause", err)
	}
	fault.Heal()
	for range 3 {
		if err := write(s, []action{b.put("e")}); !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.EIO) {
			t.Errorf("the next Write = %v, want ErrReadOnly and the cause", err)
		}
	}
	if err := s.Seal(context.Background()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Seal = %v, want ErrReadOnly", err)
	}
	if err := s.Health(); !errors.Is(err, store.ErrReadOnly) || !errors.Is(s.Stats().ReadOnly, syscall.EIO) {
		t.Errorf("Health = %v, Stats say %v", err, s.Stats().ReadOnly)
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("readers: %s", diff)
	}
	if diff := changed(before, recalled(s.View())); diff != "" {
		t.Errorf("recall: %s", diff)
	}
	for _, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll} {
		c := b.clone()
		if mode == vfs.KeepAll {
			c.note(doubt)
		}
		again := mustOpen(t, fsys.CrashClone(0, mode))
		c.holds(t, mode.String(), again)
		c.do(t, again, c.put("e"))
		c.holds(t, mode.String(), again)
		mustClose(t, again)
	}
	if err := s.Close(); err == nil {
		t.Error("Close of a space whose log failed says nothing")
	}
	s = mustOpen(t, fault)
	b.note(doubt)
	b.holds(t, "reopened without a power cut", s)
	b.do(t, s, b.put("e"))
	verified(t, s)
	mustClose(t, s)
}

// TestSealingFailsUntilMemoryIsUsedUp keeps the disk from taking segments: writes go on until the memory for unsealed
// memories is used up, then say so with the cause, and go on by themselves once the disk is well.
func TestSealingFailsUntilMemoryIsUsedUp(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	var full atomic.Bool
	fault.Inject = func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpCreate && !strings.HasSuffix(op.Name, ".spare") {
			return syscall.ENOSPC
		}
		return nil
	}
	limits := func(o *store.Options) { o.HotBytes, o.HotLimit, o.SealRetry = 2<<10, 8<<10, time.Millisecond }
	s := mustOpen(t, fault, limits)
	full.Store(true)
	b := newBook()
	refused := false
	for range 2000 {
		a := b.put("m" + string(rune('a'+b.clock%20)))
		err := write(s, []action{a})
		if err != nil {
			refused = true
			if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("Write = %v, want ErrReadOnly and the cause", err)
			}
			break
		}
		b.note(a)
	}
	if !refused {
		t.Fatal("writes never stop, however much is unsealed")
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("readers: %s", diff)
	}
	full.Store(false)
	a := b.put("after")
	err := write(s, []action{a})
	for tries := 0; err != nil && tries < 1000; tries++ { // sealing is tried again by itself
		time.Sleep(time.Millisecond)
		err = write(s, []action{a})
	}
	if err != nil {
		t.Fatalf("Write on the healed disk = %v", err)
	}
	b.note(a)
	mustSeal(t, s)
	if err := s.Health(); err != nil {
		t.Errorf("Health on the healed disk = %v", err)
	}
	for _, name := range fsys.Files() {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
	mustClose(t, s)
	s = mustOpen(t, fault, limits)
	b.holds(t, "reopened", s)
	verified(t, s)
	mustClose(t, s)
}

// TestSealingFailsUntilTheLogIsUsedUp lets sealing fail under writes that add no memory: they are refused before the
// log has grown without bound, and go on once sealing works.
func TestSealingFailsUntilTheLogIsUsedUp(t *testing.T) {
	fault := vfs.NewFault(newFS(t))
	var full atomic.Bool
	fault.Inject = func(op vfs.Op) error {
		if full.Load() && op.Kind == vfs.OpCreate && !strings.HasSuffix(op.Name, ".spare") {
			return syscall.ENOSPC
		}
		return nil
	}
	const limit = 8 << 10
	s := mustOpen(t, fault, func(o *store.Options) {
		o.HotBytes, o.HotLimit, o.SealRetry, o.LogFileBytes = 2<<10, limit, time.Millisecond, 64<<10
	})
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	mustSeal(t, s)
	full.Store(true)
	link := func(i int) action {
		return action{kind: "link", id: "a", other: "bb", linkType: "t", weight: float32(i%9) / 9}
	}
	var err error
	n := 0
	for ; err == nil && n < 10_000; n++ {
		a := link(n)
		if err = write(s, []action{a}); err == nil {
			b.note(a)
		}
	}
	if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%d writes, the last = %v, want ErrReadOnly and the cause", n, err)
	}
	// A record this small takes four times its payload, and a file is not shared.
	if size := s.Stats().LogBytes; size > 4*2*limit+64<<10 {
		t.Errorf("the log has %d bytes, with a limit of %d for what is in it", size, 2*limit)
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("readers: %s", diff)
	}
	full.Store(false)
	for range 10_000 {
		if err = write(s, []action{link(1)}); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		t.Fatalf("Write with a sealing that works = %v", err)
	}
	b.note(link(1))
	b.holds(t, "sealing works again", s)
	mustClose(t, s)
}

// TestNoRoomForTheNextLogFile fills the disk: writes go on while the log file has room, then are refused with nothing
// written and nothing left, sealings and compactions fail, and everything works again when there is room, without
// reopening.
func TestNoRoomForTheNextLogFile(t *testing.T) {
	fsys := newFS(t)
	fault := vfs.NewFault(fsys)
	var full atomic.Bool
	fault.Inject = func(op vfs.Op) error {
		if full.Load() && (op.Kind == vfs.OpCreate || op.Kind == vfs.OpPreallocate) {
			return syscall.ENOSPC
		}
		return nil
	}
	large := func(o *store.Options) { o.LogFileBytes = 64 << 10 }
	s := mustOpen(t, fault, large)
	b := newBook()
	b.do(t, s, b.put("a"), b.put("bb"))
	full.Store(true)
	var err error
	n := 0
	for ; n < 10_000; n++ {
		a := b.put("m" + string(rune('a'+b.clock%20)))
		if err = write(s, []action{a}); err != nil {
			break
		}
		b.note(a)
	}
	if !errors.Is(err, store.ErrReadOnly) || !errors.Is(err, syscall.ENOSPC) || errors.Is(err, store.ErrInDoubt) ||
		!strings.Contains(err.Error(), "nothing was written") {
		t.Fatalf("%d writes, the last = %v, want it refused with the cause", n, err)
	}
	if n < 10 {
		t.Errorf("only %d writes fit into a log file of 64 KiB", n)
	}
	if err := s.Health(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Health = %v, want the cause", err)
	}
	before := s.Stats().HotBytes
	for range 100 {
		if err := write(s, []action{b.put("a")}); !errors.Is(err, store.ErrReadOnly) {
			t.Fatalf("Write on a full disk = %v", err)
		}
	}
	if after := s.Stats().HotBytes; after != before {
		t.Errorf("refused writes left %d bytes", after-before)
	}
	if _, err := s.Compact(t.Context(), store.CompactOptions{}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Compact on a full disk = %v, want the cause", err)
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("readers: %s", diff)
	}
	b.holds(t, "after a crash", mustOpen(t, fsys.CrashClone(0, vfs.LoseAll), large))
	full.Store(false)
	a := b.put("after")
	for err = write(s, []action{a}); err != nil; err = write(s, []action{a}) {
		if !errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrInDoubt) {
			t.Fatalf("Write = %v", err)
		}
		time.Sleep(time.Millisecond) // the next file is made in the background
	}
	b.note(a)
	if err := s.Health(); err != nil {
		t.Errorf("Health once there is room = %v", err)
	}
	mustCompact(t, s)
	b.holds(t, "once there is room", s)
	verified(t, s)
	mustClose(t, s)
	s = mustOpen(t, fsys, large)
	b.holds(t, "reopened", s)
	mustClose(t, s)
}
