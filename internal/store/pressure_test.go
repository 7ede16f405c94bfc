package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// held is a disk on which the syncs of segments wait until they are let go.
func held(t *testing.T) (disk *vfs.Fault, waiting chan struct{}, release func()) {
	t.Helper()
	waiting = make(chan struct{}, 1)
	gate := make(chan struct{})
	disk = vfs.NewFault(newFS(t))
	disk.Inject = func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".seg.tmp") {
			select {
			case waiting <- struct{}{}:
			default:
			}
			<-gate
		}
		return nil
	}
	return disk, waiting, sync.OnceFunc(func() { close(gate) })
}

// TestWritersWaitNoLongerThanTheirContext holds a sealing up until writers have outrun it: memory stays below its
// limit, a write that waits ends with its context and says that nothing was written, and so do Seal and Compact; when
// the sealing goes on everything works.
func TestWritersWaitNoLongerThanTheirContext(t *testing.T) {
	const hot, limit = 4 << 10, 16 << 10
	disk, waiting, release := held(t)
	defer release()
	s := mustOpen(t, disk, func(o *store.Options) { o.HotBytes, o.HotLimit = hot, limit })
	b := newBook()
	ctx, cancel := context.WithCancel(t.Context())
	attempt := func(ctx context.Context, a action) error {
		return s.Write(ctx, "write", nil, func(tx *store.Tx) error { return a.stage(s, tx) })
	}
	largest := int64(0) // what one write adds at most
	refused := false
	for range 1000 {
		a := b.put("m" + string(rune('a'+b.clock%20)))
		before := s.Stats().HotBytes
		done := make(chan error, 1)
		short, ended := context.WithTimeout(ctx, 50*time.Millisecond)
		go func() { done <- attempt(short, a) }()
		var err error
		select {
		case err = <-done:
		case <-waiting: // the sealing has begun, and is held up
			err = <-done
		}
		ended()
		refused = err != nil && strings.Contains(err.Error(), "nothing was written: the space waits")
		switch {
		case err == nil:
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatalf("Write = %v", err)
		case !refused:
			continue // this machine took so long to begin
		}
		if refused {
			break
		}
		b.note(a)
		largest = max(largest, s.Stats().HotBytes-before)
	}
	if !refused {
		t.Fatal("no write waits while the sealing is held up")
	}
	bound := int64(hot+limit) + 2*largest
	cancel()
	for range 50 {
		err := attempt(ctx, b.put("late"))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the space waits") {
			t.Fatalf("Write that waits, with a context that ended = %v", err)
		}
	}
	if err := s.Seal(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Seal with a context that ended = %v", err)
	}
	if got := s.Stats().HotBytes; got > bound {
		t.Errorf("%d bytes are in memory, want at most %d", got, bound)
	}
	if diff := b.differs(s.View()); diff != "" {
		t.Errorf("readers: %s", diff)
	}
	// Writers that have time wait, however many there are, and memory does not grow.
	const many = 40
	var writers sync.WaitGroup
	errs := make(chan error, many)
	for i := range many {
		a := b.put(fmt.Sprint("waits", i))
		b.note(a)
		writers.Go(func() { errs <- attempt(t.Context(), a) })
	}
	time.Sleep(20 * time.Millisecond) // long enough for writers that do not wait
	if got := s.Stats().HotBytes; got > bound {
		t.Errorf("%d bytes are in memory beside writers that wait, want at most %d", got, bound)
	}
	release()
	writers.Wait()
	for range many {
		if err := <-errs; err != nil {
			t.Errorf("Write once the sealing goes on = %v", err)
		}
	}
	mustSeal(t, s)
	b.holds(t, "sealed", s)
	mustClose(t, s)
}

// TestFailingWritesAreBounded lets writes fail after they were staged, more of them than fit into memory: what they
// leave is let go of like everything else, and the space goes on.
func TestFailingWritesAreBounded(t *testing.T) {
	const hot, limit = 4 << 10, 16 << 10
	fsys := newFS(t)
	s := mustOpen(t, fsys, func(o *store.Options) { o.HotBytes, o.HotLimit = hot, limit })
	b := newBook()
	b.do(t, s, b.put("a"))
	for i := range 500 {
		if err := write(s, []action{b.put("x"), b.put("yy"), {kind: "no such"}}); err == nil {
			t.Fatal("a failing write succeeded")
		}
		if got := s.Stats().HotBytes; got > hot+2*limit {
			t.Fatalf("after %d failing writes %d bytes are in memory", i+1, got)
		}
	}
	b.holds(t, "after failing writes", s)
	b.do(t, s, b.put("bb"))
	mustSeal(t, s)
	mustClose(t, s)
	s = mustOpen(t, fsys)
	b.holds(t, "reopened", s)
	verified(t, s)
	mustClose(t, s)
}
