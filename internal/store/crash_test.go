package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// step is one step of a script: a write, a write that fails after staging, a sealing, a compaction, or a move of all
// segments to a tier.
type step struct {
	actions []action
	fails   bool
	seal    bool
	compact bool
	move    *store.MoveOptions
	beside  [][]action // writes that are done while the sealing, compaction or move runs
}

// script is a history with what must be there after each of its acknowledged writes.
type script struct {
	steps   []step
	books   []*book    // after n acknowledged writes
	recalls [][]string // what recall gives then, in a run without faults
}

// newScript makes a random history of writes, with failing ones and sealings in between.
func newScript(t testing.TB, seed uint64, writes int) *script {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 2))
	s := mustOpen(t, newFS(t))
	b := newBook()
	b.reembeds = 2 - int(seed%2)
	sc := &script{books: []*book{b.clone()}, recalls: [][]string{recalled(s.View())}}
	next := func() (actions []action) {
		for range 1 + rng.IntN(3) {
			a := b.random(rng)
			actions = append(actions, a)
			b.note(a)
		}
		if err := write(s, actions); err != nil {
			t.Fatalf("seed %d: %v = %v", seed, actions, err)
		}
		sc.books = append(sc.books, b.clone())
		sc.recalls = append(sc.recalls, recalled(s.View()))
		return actions
	}
	for len(sc.books) <= writes {
		if rng.IntN(6) == 0 {
			sc.steps = append(sc.steps, step{actions: []action{b.random(rng), {kind: "no such"}}, fails: true})
		}
		sc.steps = append(sc.steps, step{actions: next()})
		move := []*store.MoveOptions{&toCold, &toCold, &toWarm}[rng.IntN(3)]
		for _, st := range []step{{seal: true}, {compact: true}, {move: move}} {
			if rng.IntN(5) != 0 {
				continue
			}
			for range rng.IntN(4) {
				st.beside = append(st.beside, next())
			}
			sc.steps = append(sc.steps, st)
		}
	}
	mustClose(t, s)
	return sc
}

// meanwhile is a file system on which something is done in the middle of a sealing: after operations on the files of
// segments, states and manifests, on whose goroutine no lock is held then.
type meanwhile struct {
	*vfs.Fault
	do atomic.Pointer[func()]
}

func newMeanwhile(base vfs.FS) *meanwhile {
	m := &meanwhile{Fault: vfs.NewFault(base)}
	m.OnOp = func(op vfs.Op) {
		switch op.Kind {
		case vfs.OpCreate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir:
			if strings.Contains(op.Name, "/wal") {
				return
			}
		default:
			return
		}
		if do := m.do.Swap(nil); do != nil { // what it does is not to be interrupted in the same way
			(*do)()
			m.do.Store(do)
		}
	}
	return m
}

// play runs the script in a space on fsys; acked is told after each acknowledged write, and failed about each error but
// those of failing steps.
func (sc *script) play(s *store.Space, fsys *meanwhile, acked func(), failed func(st step, err error)) {
	play(sc.steps, s, fsys, acked, failed)
}

func play(steps []step, s *store.Space, fsys *meanwhile, acked func(), failed func(st step, err error)) {
	full := false // a later write could be taken, and the history would have a gap
	plain := func(actions []action) {
		if full {
			return
		}
		err := write(s, actions)
		for tries := 0; errors.Is(err, wal.ErrFull) && tries < 300; tries++ { // nothing was written: try again
			time.Sleep(time.Millisecond)
			err = write(s, actions)
		}
		full = errors.Is(err, wal.ErrFull)
		if err != nil {
			failed(step{actions: actions}, err)
		} else {
			acked()
		}
	}
	for _, st := range steps {
		if full {
			return
		}
		if st.fails {
			if err := write(s, st.actions); err == nil {
				failed(st, errors.New("a failing write succeeded"))
			}
			continue
		}
		if !st.works() {
			plain(st.actions)
			continue
		}
		left := st.beside
		one := func() {
			if len(left) > 0 {
				left = left[1:]
				plain(st.beside[len(st.beside)-len(left)-1])
			}
		}
		fsys.do.Store(&one)
		if err := st.work(s); err != nil {
			failed(st, err)
		}
		fsys.do.Store(nil)
		for len(left) > 0 {
			one()
		}
	}
}

// works reports whether the step is work of the space's own, not a write.
func (st step) works() bool { return st.seal || st.compact || st.move != nil }

// work does it.
func (st step) work(s *store.Space) (err error) {
	switch {
	case st.seal:
		return s.Seal(context.Background())
	case st.compact:
		_, err = s.Compact(context.Background(), store.CompactOptions{})
		return err
	}
	_, err = s.Move(context.Background(), *st.move)
	return err
}

// state finds which of the script's states, from first to last, the space is in, and checks all of it.
func (sc *script) state(s *store.Space, first, last int) (int, error) {
	var diffs error
	for n := first; n <= min(last, len(sc.books)-1); n++ {
		diff := sc.books[n].differs(s.View())
		if diff != "" {
			diffs = errors.Join(diffs, fmt.Errorf("not the state after %d writes: %s", n, diff))
			continue
		}
		if diff := changed(sc.recalls[n], recalled(s.View())); diff != "" {
			return n, fmt.Errorf("recall after %d writes: %s", n, diff)
		}
		return n, nil
	}
	return 0, diffs
}

// recovers opens what a crash left and finds the state in it; it then crashes during that opening as well, after each
// operation if thorough, and after it.
func (sc *script) recovers(fsys *vfs.Mem, first, last int, seed uint64, thorough bool) error {
	fault := vfs.NewFault(fsys)
	var again []*vfs.Mem
	if thorough {
		fault.OnOp = func(op vfs.Op) {
			mode := []vfs.CrashMode{vfs.LoseAll, vfs.Random}[op.Index%2]
			again = append(again, fsys.CrashClone(seed+uint64(op.Index), mode))
		}
	}
	n, err := sc.reopened(fault, first, last)
	if err != nil {
		return err
	}
	for i, clone := range again {
		if _, err := sc.reopened(clone, first, last); err != nil {
			return fmt.Errorf("crash during recovery, after operation %d: %w", i, err)
		}
	}
	// What recovery has shown stays.
	for _, mode := range []vfs.CrashMode{vfs.LoseAll, vfs.Random} {
		if _, err := sc.reopened(fsys.CrashClone(seed, mode), n, n); err != nil {
			return fmt.Errorf("crash after recovery, %v: %w", mode, err)
		}
	}
	return nil
}

// reopened opens, checks, writes, and closes.
func (sc *script) reopened(fsys vfs.FS, first, last int) (n int, err error) {
	s, err := open(fsys)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return sc.state(s, first, last)
}

// TestCrashAfterEveryOperation plays scripts and after every single file operation takes what a power cut would leave,
// with all, nothing, or a part of what is not synced. Each must open and hold every acknowledged write exactly, and
// the write under way wholly or not at all.
func TestCrashAfterEveryOperation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(seeds(t, 1)) {
		seed += firstSeed(t)
		sc := newScript(t, seed, 16)
		fsys := newFS(t)
		fault := vfs.NewFault(fsys)
		var mu sync.Mutex // a crash is either before or after an acknowledgement
		acked, crashes := 0, 0
		fault.OnOp = func(op vfs.Op) {
			switch op.Kind {
			case vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpRead, vfs.OpMap, vfs.OpClose, vfs.OpLock:
				return // nothing has changed
			}
			mu.Lock()
			defer mu.Unlock()
			for i, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random, vfs.Random} {
				at := seed<<32 + uint64(op.Index*4+i)
				crashes++
				if crashes%stride != 0 {
					continue
				}
				err := sc.recovers(fsys.CrashClone(at, mode), acked, acked+1, at, crashes%(16*stride) == 0)
				if err != nil {
					t.Errorf("seed %d, crash after %v, %v, %d acknowledged: %v", seed, op, mode, acked, err)
				}
			}
		}
		through := newMeanwhile(fault)
		s := mustOpen(t, through)
		sc.play(s, through, func() {
			mu.Lock()
			defer mu.Unlock()
			acked++
		}, func(st step, err error) { t.Errorf("seed %d: %v = %v", seed, st, err) })
		mustClose(t, s)
		if acked != len(sc.books)-1 {
			t.Errorf("%d acknowledged of %d", acked, len(sc.books)-1)
		}
		if t.Failed() {
			return
		}
		t.Logf("seed %d: %d crashes", seed, crashes)
	}
}

// TestWritesBesideSealings plays many scripts, in which writes come in the middle of sealings and compactions, and
// looks at what another process would find behind each: whatever position a sealing stopped at, what came behind it is
// there.
func TestWritesBesideSealings(t *testing.T) {
	t.Parallel()
	for seed := range uint64(seeds(t, 20)) {
		seed += firstSeed(t)
		sc := newScript(t, seed, 16)
		fsys := newFS(t)
		through := newMeanwhile(fsys)
		s := mustOpen(t, through)
		acked := 0
		for i, st := range sc.steps {
			play(sc.steps[i:i+1], s, through, func() { acked++ }, func(st step, err error) {
				t.Errorf("seed %d: %v = %v", seed, st, err)
			})
			if !st.works() && i < len(sc.steps)-1 {
				continue
			}
			if _, err := sc.reopened(fsys.CrashClone(seed, vfs.KeepAll), acked, acked); err != nil {
				t.Fatalf("seed %d: killed behind step %d and reopened: %v", seed, i, err)
			}
		}
		mustClose(t, s)
	}
}

// TestEveryOperationFails plays a script once for each of its file operations, which fails: acknowledged writes are
// readable then and after a crash, later ones work or say why not, and a sealing that failed works once the disk does.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	sc := newScript(t, 102, 10)
	n := 0
	for done := false; !done; n += stride {
		for i, rule := range []func(*vfs.Fault){
			func(f *vfs.Fault) { f.FailAt(n, syscall.EIO) },
			func(f *vfs.Fault) { f.FailAt(n, &vfs.ShortWrite{N: n * 37 % 300, Err: syscall.ENOSPC}) },
			func(f *vfs.Fault) { f.FailFrom(n, syscall.EIO) },
		} {
			how := []string{"I/O error", "disk full", "disk is gone"}[i]
			if i > 0 && (n+i)%2 == 0 && seeds(t, 0) == 0 {
				continue
			}
			d := disk{mem: newFS(t)}
			d.Fault = vfs.NewFault(d.mem)
			rule(d.Fault)
			done = sc.survives(t, fmt.Sprintf("operation %d, %s", n, how), d, n) || done
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("the script has %d operations", n)
}

// disk is a failing disk and the file system under it.
type disk struct {
	*vfs.Fault
	mem *vfs.Mem
}

// survives plays the script on a failing disk; done says that the failure was behind its end.
func (sc *script) survives(t *testing.T, what string, fault disk, n int) (done bool) {
	t.Helper()
	var ops []vfs.Op
	var mu sync.Mutex
	fault.OnOp = func(op vfs.Op) {
		mu.Lock()
		defer mu.Unlock()
		if op.Err != nil && op.Index >= n && len(ops) < 3 {
			ops = append(ops, op)
		}
	}
	through := newMeanwhile(fault)
	s, err := open(through)
	if err != nil {
		fault.Heal()
		if s, err = open(through); err != nil {
			t.Errorf("%s (%v): Open on the healed disk = %v", what, ops, err)
			return false
		}
	}
	acked, doubt, sealFailed := 0, 0, false
	sc.play(s, through, func() { acked++ }, func(st step, err error) {
		switch {
		case st.works():
			sealFailed = true
		case errors.Is(err, store.ErrReadOnly) && errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC):
			doubt = 1
		default:
			t.Errorf("%s (%v): %v = %v, want a read-only space and the cause", what, ops, st.actions, err)
		}
	})
	fault.Heal()
	if _, err := sc.state(s, acked, acked); err != nil {
		t.Errorf("%s (%v): %v", what, ops, err)
	}
	if doubt == 0 && sealFailed {
		if err := s.Seal(context.Background()); err != nil && !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("%s (%v): Seal on the healed disk = %v", what, ops, err)
		}
	}
	sc.crashes(t, fmt.Sprintf("%s (%v)", what, ops), fault, acked, doubt)
	closeErr := s.Close()
	if _, err := sc.reopened(fault, acked, acked+doubt); err != nil {
		t.Errorf("%s (%v): closed (%v) and reopened: %v", what, ops, closeErr, err)
	}
	// Not a power cut but a new process came first: names may still not be durable.
	sc.crashes(t, fmt.Sprintf("%s (%v), reopened", what, ops), fault, acked, doubt)
	return fault.Ops() <= n
}

func (sc *script) crashes(t *testing.T, what string, d disk, acked, doubt int) {
	t.Helper()
	for seed, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random, vfs.Random, vfs.Random} {
		if _, err := sc.reopened(d.mem.CrashClone(uint64(seed), mode), acked, acked+doubt); err != nil {
			t.Errorf("%s: crash, %v: %v", what, mode, err)
		}
	}
}
