//go:build faults

package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/inject"
	"github.com/orchard9/engram-go/internal/vfs"
)

// spared are the syncs without which nothing is lost, and what they are for.
var spared = map[string]string{
	"wal.makeSpare Sync":        "the sync of its header makes the whole file durable, but in the way of a commit",
	"wal.empty Sync":            "as with a spare that is made",
	"wal.create SyncDir":        "the manifest of a new space, behind it, syncs the directory; a log alone needs it",
	"wal.writeControl SyncData": "writes are durable without it; damage to the last record passes for a torn write",
	"wal.keepTorn SyncDir":      "what was torn off is kept to be looked at; nobody acknowledged it",
	"wal.copyTorn Sync":         "as above",
	"segment.Build SyncDir":     "the state file behind it syncs it too; but a segment is durable when Build returns",
}

// TestEverySyncIsNeeded lets each sync in the source lie, one at a time, and cuts the power after every operation, also
// while what is left is opened: something must be lost, or the sync is a cost for nothing.
func TestEverySyncIsNeeded(t *testing.T) {
	_, files := inject.Steps(t, rooms...)
	syncs := 0
	for _, step := range files {
		kind := step.What[strings.LastIndexByte(step.What, ' ')+1:]
		if !strings.HasPrefix(kind, "Sync") || strings.HasPrefix(step.Name, "store/restore.go") || ofUpgrades(step) {
			continue
		}
		syncs++
		t.Run(step.What, func(t *testing.T) {
			t.Parallel()
			why, spare := spared[step.What]
			told, lost, most, thin := 0, "", uint64(12), 1
			if spare { // nothing to be found ends the search
				most, thin = uint64(seeds(t, 1)), 4
			}
			for seed := uint64(0); seed < most && lost == ""; seed++ {
				lie := inject.NewLie(nil, step.Name)
				lost = newScript(t, seed, 16).lied(t, lie, seed, thin)
				told += lie.Told()
			}
			switch {
			case told == 0:
				t.Errorf("%s: the script never comes to %s", step.Name, step.What)
			case spare && lost != "":
				t.Errorf("%s: said to be spared (%s), but without it %s", step.Name, why, lost)
			case !spare && lost == "":
				t.Errorf("%s: nothing is lost without it: what is it for?", step.Name)
			}
		})
	}
	t.Run("no lie", func(t *testing.T) {
		t.Parallel()
		if lost := newScript(t, 0, 16).lied(t, inject.NewLie(nil, "nowhere"), 0, 4); lost != "" {
			t.Errorf("without a lie: %s", lost)
		}
	})
	if syncs < 12 {
		t.Errorf("only %d syncs were found", syncs)
	}
}

// lied plays the script on a file system that lies, once for each sync that fails, with power cuts when another process
// goes on behind it, and once with power cuts after operations; of both only each thin-th. It says what was lost first,
// "" if nothing was.
func (sc *script) lied(t *testing.T, lie *inject.Lie, seed uint64, thin int) (lost string) {
	t.Helper()
	for n := int64(1 + seed%uint64(thin)); ; n += int64(thin) {
		l := &liar{sc: sc, lie: lie, seed: seed, mem: newFS(t)}
		failing := vfs.NewFault(l.mem)
		var syncs atomic.Int64
		failing.Inject = func(op vfs.Op) error {
			switch op.Kind {
			case vfs.OpSync, vfs.OpSyncData, vfs.OpSyncDir:
				if syncs.Add(1) == n {
					return syscall.EIO
				}
			}
			return nil
		}
		failing.OnOp = l.seen
		l.live(failing)
		if l.lost != "" {
			return fmt.Sprintf("sync %d failed, and then %s", n, l.lost)
		}
		if syncs.Load() < n {
			break
		}
	}
	l := &liar{sc: sc, lie: lie, seed: seed, mem: newFS(t)}
	fault := vfs.NewFault(l.mem)
	fault.OnOp = func(op vfs.Op) {
		every := 4 * thin // other seeds take the others
		if op.Index%every == int(seed)%every && inject.Changes(op.Kind) {
			l.cut(fmt.Sprint(op))
		}
	}
	l.live(fault)
	return l.lost
}

// liar is one life on a file system that lies.
type liar struct {
	sc   *script
	lie  *inject.Lie
	seed uint64
	mem  *vfs.Mem

	mu    sync.Mutex // guards the fields below
	acked int
	doubt bool // a write failed: it may be there
	extra int  // 0, or what became of a write outside the script: 1 if it is under way, 2 if it is acknowledged
	cuts  uint64
	lost  string
}

// live plays the script through, in four sessions. Behind one in which something failed, or that did not end well,
// another process goes on.
func (l *liar) live(fsys vfs.FS) {
	for part := range 4 {
		through := newMeanwhile(l.lie.On(fsys))
		s, err := open(through)
		if err != nil {
			s, err = open(through) // on a disk on which one operation fails
		}
		if err != nil {
			l.note(err)
			return
		}
		failed := false
		from, to := part*len(l.sc.steps)/4, (part+1)*len(l.sc.steps)/4
		play(l.sc.steps[from:to], s, through, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.acked++
		}, func(st step, err error) { failed, l.doubt = true, l.doubt || !st.works() })
		if err := s.Close(); err != nil || failed {
			l.goOn(through)
			return
		}
	}
	l.cut("the end")
}

// goOn is the next process: what it finds stays, and so does what it writes.
func (l *liar) goOn(fsys vfs.FS) {
	s, err := open(fsys)
	if err != nil {
		l.note(err)
		return
	}
	defer s.Close() //nolint:errcheck // what it left is looked at below
	last := l.acked
	if l.doubt {
		last++
	}
	n, err := l.sc.state(s, l.acked, last)
	l.note(err)
	l.acked, l.doubt = n, false
	l.cut("what the next process found")
	l.extra = 1
	b := newBook()
	if err := write(s, []action{b.put("extra")}); err != nil {
		l.note(err)
		return
	}
	l.extra = 2
	l.cut("what the next process wrote")
}

// seen cuts the power in the middle of the next process's write.
func (l *liar) seen(op vfs.Op) {
	if l.extra == 1 && inject.Changes(op.Kind) {
		l.cut(fmt.Sprint(op))
	}
}

func (l *liar) note(err error) {
	if l.lost == "" && err != nil {
		l.lost = err.Error()
	}
}

// cut opens what a power cut at this moment leaves, and what one leaves right after that opening.
func (l *liar) cut(when string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, mode := range []vfs.CrashMode{vfs.LoseAll, vfs.Random, vfs.Random} {
		if l.lost != "" {
			return
		}
		l.cuts++
		at := l.seed<<32 + l.cuts
		clone := l.mem.CrashClone(at, mode)
		found, err := l.left(l.lie.On(clone), -1)
		if err == nil { // what recovery has shown stays
			_, err = l.left(clone.CrashClone(at, mode), found)
		}
		if err != nil {
			l.lost = fmt.Sprintf("a power cut, %v, after %s, with %d acknowledged: %v", mode, when, l.acked, err)
		}
	}
}

// left opens what is left and says what it is: the number of writes of the script, or whether the write outside it is
// there; it must be the same as known, if that is not negative.
func (l *liar) left(fsys vfs.FS, known int) (found int, err error) {
	if l.extra == 0 {
		if known >= 0 {
			return l.sc.reopened(fsys, known, known)
		}
		return l.sc.reopened(fsys, l.acked, l.acked+1)
	}
	s, err := open(fsys)
	if err != nil {
		return 0, err
	}
	defer s.Close() //nolint:errcheck // a clone
	_, ok, err := s.View().Lookup("extra")
	if ok {
		found = 1
	}
	if err == nil && (!ok && l.extra == 2 || known >= 0 && found != known) {
		err = fmt.Errorf("the write outside the script: found %d, before %d, acknowledged %v",
			found, known, l.extra == 2)
	}
	return found, err
}
