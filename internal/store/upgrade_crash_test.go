package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// change is a life of an upgrade: a directory of an earlier version is opened and written to, undone, opened again,
// upgraded and finished, with a look at every moment. It goes on until something is lost, which it tells.
type change struct {
	t      testing.TB
	disk   *vfs.Mem
	former map[string]string // the files as they were
	held   string            // the content then
	states []string          // and behind each write
	// thorough cuts the power in recoveries, too.
	thorough bool

	mu    sync.Mutex // guards the fields below
	phase int
	may   []string // what a space may hold now
	lost  string
}

// Phases of a change, in their order.
const (
	writing = iota
	undoing
	finishing
)

func newChange(t testing.TB, name string) *change {
	t.Helper()
	c := &change{t: t, disk: golden(t, name)}
	c.former = files(t, c.disk)
	s := mustOpen(t, c.disk.CrashClone(1, vfs.KeepAll))
	c.held = content(s.View())
	b := newBook()
	for _, id := range []string{"new1", "new2"} {
		b.do(t, s, b.put(id))
		c.states = append(c.states, content(s.View()))
	}
	mustClose(t, s)
	return c.anew()
}

// anew is the same change from the start.
func (c *change) anew() *change {
	return &change{
		t: c.t, disk: c.disk.CrashClone(1, vfs.KeepAll), former: c.former, held: c.held, states: c.states,
		may: []string{c.held},
	}
}

// steps are what is done one after the other on a file system above the disk.
func (c *change) steps(fsys vfs.FS) []func() error {
	var s *store.Space
	b := newBook()
	ctx := context.Background()
	opens := func() (err error) { s, err = open(fsys); return err }
	closes := func() error { return s.Close() }
	puts := func(id string) func() error {
		a := b.put(id)
		b.note(a)
		return func() error { return write(s, []action{a}) }
	}
	return []func() error{
		opens, puts("new1"), func() error { return s.Seal(ctx) }, puts("new2"),
		func() error { _, err := s.Compact(ctx, store.CompactOptions{}); return err }, closes,
		func() error { c.begin(undoing, c.held); return store.PutBack(options(fsys)) },
		func() error { c.begin(finishing); return opens() },
		func() error { _, err := s.Upgrade(ctx, store.UpgradeOptions{}); return err },
		func() error { return s.FinishUpgrade(ctx) }, closes,
	}
}

// begin begins a phase, in which the space may hold what it does or one of more.
func (c *change) begin(phase int, more ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phase = phase
	c.may = append(c.may, more...)
	if phase == finishing {
		c.may = []string{c.held}
	}
}

func (c *change) lose(format string, args ...any) {
	if c.lost == "" {
		c.lost = fmt.Sprintf(format, args...)
	}
}

// cut looks at what a power cut leaves now: the space opens and holds what it may, and it can be made what it was, to
// the byte, unless the upgrade is finished.
func (c *change) cut(seed uint64, mode vfs.CrashMode, on func(vfs.FS) vfs.FS) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost != "" {
		return
	}
	where := fmt.Sprintf("phase %d, seed %d, %v", c.phase, seed, mode)
	disk := c.disk.CrashClone(seed, mode)
	var again []*vfs.Mem
	watched := vfs.NewFault(on(disk))
	watched.OnOp = func(op vfs.Op) {
		if c.thorough && changes(op) && op.Index%7 == int(seed)%7 {
			again = append(again, disk.CrashClone(seed+uint64(op.Index), vfs.Random))
		}
	}
	if c.opens(where, watched) {
		return
	}
	for i, clone := range again {
		if c.opens(fmt.Sprintf("%s, again in recovery at %d", where, i), on(clone)) {
			return
		}
	}
	disk = c.disk.CrashClone(seed, mode)
	u, err := store.LookUndo(options(on(disk)))
	if err != nil {
		c.lose("%s: LookUndo: %v", where, err)
		return
	}
	if u == nil && c.phase == finishing {
		return // not kept yet, or no longer: that it opens is what there is to say
	}
	if u != nil {
		if err := store.PutBack(options(on(disk))); err != nil {
			c.lose("%s: PutBack: %v", where, err)
			return
		}
	}
	now := files(c.t, disk.CrashClone(seed, vfs.LoseAll))
	for name := range now {
		if strings.HasPrefix(name, "before-upgrade") {
			delete(now, name) // a leftover, of a keeping that was interrupted or of the undoing
		}
	}
	if diff := unlike(c.former, now); diff != "" {
		c.lose("%s: put back, and not what it was: %s", where, diff)
	}
}

// opens opens what a power cut left and says whether that, or what it holds, is wrong.
func (c *change) opens(where string, fsys vfs.FS) (bad bool) {
	s, err := open(fsys)
	if err != nil {
		c.lose("%s: Open: %v", where, err)
		return true
	}
	if got := content(s.View()); !slices.Contains(c.may, got) {
		c.lose("%s: it holds %s", where, cmp.Diff(c.may[len(c.may)-1], got))
	}
	if err := errors.Join(s.Health(), s.Close()); err != nil {
		c.lose("%s: Health, Close: %v", where, err)
	}
	return c.lost != ""
}

func changes(op vfs.Op) bool {
	switch op.Kind {
	case vfs.OpStat, vfs.OpReadDir, vfs.OpOpen, vfs.OpRead, vfs.OpMap, vfs.OpClose, vfs.OpLock:
		return false
	}
	return true
}

// live goes through the change on a file system above the disk, each step by do; with every acknowledged write more may
// be there. It ends with the first step that fails and gives its error.
func (c *change) live(fsys vfs.FS, do func(func() error) error) error {
	for i, step := range c.steps(fsys) {
		write := i == 1 || i == 3
		if write { // under way
			c.begin(writing, c.states[i/2])
		}
		if err := do(step); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		if write { // acknowledged
			c.mu.Lock()
			c.may = []string{c.states[i/2]}
			c.mu.Unlock()
		}
	}
	return nil
}

func plainly(fn func() error) error { return fn() }

func same(fsys vfs.FS) vfs.FS { return fsys }

// TestCrashAtEveryStepOfAnUpgrade cuts the power after every operation of an upgrade, with all, nothing, or a part of
// what was not synced, and looks at what is left.
func TestCrashAtEveryStepOfAnUpgrade(t *testing.T) {
	t.Parallel()
	names := earlierGoldens(t)
	for which, name := range []string{names[0], names[len(names)-1]} {
		c := newChange(t, name)
		c.thorough = true
		fault := vfs.NewFault(c.disk)
		cuts := 0
		fault.OnOp = func(op vfs.Op) {
			if !changes(op) {
				return
			}
			for i, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random, vfs.Random} {
				if cuts++; cuts%(stride*(1+which*2)) != 0 {
					continue
				}
				c.cut(uint64(op.Index*4+i), mode, same)
			}
		}
		if err := c.live(fault, plainly); err != nil {
			t.Error(err)
		}
		if c.lost != "" {
			t.Errorf("%s: %s", name, c.lost)
		}
		t.Logf("%s: %d cuts", name, cuts)
	}
}

// TestEveryOperationOfAnUpgradeFails lets each file operation of an upgrade fail, once and for good, and looks at what
// is left.
func TestEveryOperationOfAnUpgradeFails(t *testing.T) {
	t.Parallel()
	whole := newChange(t, earlierGoldens(t)[0])
	for i, how := range []func(f *vfs.Fault, n int){
		func(f *vfs.Fault, n int) { f.FailAt(n, syscall.EIO) },
		func(f *vfs.Fault, n int) { f.FailFrom(n, syscall.ENOSPC) },
	} {
		for n, done := 0, false; !done; n += stride * (1 + 4*i) {
			c := whole.anew()
			fault := vfs.NewFault(c.disk)
			how(fault, n)
			err := c.live(fault, plainly)
			done = err == nil && fault.Ops() <= n
			for seed, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random} {
				c.cut(uint64(seed), mode, same)
			}
			if c.lost != "" {
				t.Fatalf("operation %d failed (%v): %s", n, err, c.lost)
			}
		}
	}
}
