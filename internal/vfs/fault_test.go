package vfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
)

// script does every operation once and returns the first error. It closes what it opens.
func script(fsys vfs.FS) (err error) {
	if err = fsys.MkdirAll("/d"); err != nil {
		return err
	}
	lock, err := fsys.Lock("/d/LOCK")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	f, err := fsys.Create("/d/tmp")
	if err != nil {
		return err
	}
	if err = scriptFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = fsys.Rename("/d/tmp", "/d/a"); err != nil {
		return err
	}
	if err = fsys.SyncDir("/d"); err != nil {
		return err
	}
	if _, err = fsys.ReadDir("/d"); err != nil {
		return err
	}
	if _, err = fsys.Stat("/d/a"); err != nil {
		return err
	}
	f, err = fsys.Open("/d/a", true)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), fsys.Remove("/d/a"))
}

func scriptFile(f vfs.File) error {
	if err := f.Preallocate(100); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte("hello"), 10); err != nil {
		return err
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	if err := f.Truncate(50); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if _, err := f.ReadAt(make([]byte, 7), 3); err != nil {
		return err
	}
	if _, err := f.Size(); err != nil {
		return err
	}
	m, err := f.Map(20)
	if err != nil {
		return err
	}
	return m.Close()
}

var scriptOps = []string{
	"0: mkdir /d", "1: lock /d/LOCK", "2: create /d/tmp", "3: preallocate /d/tmp 100", "4: write /d/tmp [10:+5]",
	"5: syncdata /d/tmp", "6: truncate /d/tmp 50", "7: sync /d/tmp", "8: read /d/tmp [3:+7]", "9: stat /d/tmp",
	"10: map /d/tmp 20", "11: close /d/tmp", "12: close /d/tmp", "13: rename /d/tmp to /d/a", "14: syncdir /d",
	"15: readdir /d", "16: stat /d/a", "17: open /d/a", "18: close /d/a", "19: remove /d/a", "20: close /d/LOCK",
}

func TestFaultCounts(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	var before, after []string
	f.Inject = func(op vfs.Op) error { before = append(before, op.String()); return nil }
	f.OnOp = func(op vfs.Op) { after = append(after, op.String()) }
	must(t, script(f))
	if !slices.Equal(before, scriptOps) || !slices.Equal(after, scriptOps) {
		t.Errorf("Inject saw\n%q\nOnOp saw\n%q\nwant\n%q", before, after, scriptOps)
	}
	if f.Ops() != len(scriptOps) || f.KindOps(vfs.OpClose) != 4 || f.KindOps(vfs.OpSync) != 1 {
		t.Errorf("counted %d operations, %d closes, %d syncs", f.Ops(), f.KindOps(vfs.OpClose), f.KindOps(vfs.OpSync))
	}
	if f.KindOps(200) != 0 || vfs.OpKind(200).String() != "OpKind(200)" {
		t.Error("an unknown kind was counted or named")
	}
}

// TestFaultEveryOperation makes each operation of the script fail in turn: its error comes back, nothing of it
// happens, and nothing stays open.
func TestFaultEveryOperation(t *testing.T) {
	for n := range scriptOps {
		mem := vfs.NewMem()
		f := vfs.NewFault(mem)
		f.FailAt(n, syscall.EIO)
		var failed []vfs.Op
		f.OnOp = func(op vfs.Op) {
			if op.Err != nil {
				failed = append(failed, op)
			}
		}
		err := script(f)
		wants(t, scriptOps[n], err, syscall.EIO)
		if len(failed) != 1 || failed[0].Index != n || !strings.HasPrefix(failed[0].String(), scriptOps[n]+": ") {
			t.Errorf("operation %d: OnOp saw the failures %v", n, failed)
			continue
		}
		if link, ok := errors.AsType[*os.LinkError](err); failed[0].Kind == vfs.OpRename {
			if !ok || link.Old != "/d/tmp" || link.New != "/d/a" {
				t.Errorf("Rename failed with %#v", err)
			}
		} else {
			wantsPath(t, scriptOps[n], err, failed[0].Name)
		}
		if n > 0 {
			lock, err := mem.Lock("/d/LOCK")
			must(t, err)
			must(t, lock.Close())
		}
	}
	f := vfs.NewFault(vfs.NewMem())
	f.FailAt(len(scriptOps), syscall.EIO)
	must(t, script(f))
}

func TestFaultHasNoEffect(t *testing.T) {
	mem := vfs.NewMem()
	must(t, mem.SetBytes("/a", []byte("abc")))
	f := vfs.NewFault(mem)
	file, err := f.Open("/a", true)
	must(t, err)
	f.FailFrom(f.Ops(), syscall.ENOSPC)
	n, err := file.WriteAt([]byte("x"), 0)
	_, cerr := f.Create("/b")
	for what, err := range map[string]error{
		"WriteAt": err, "Create": cerr, "Truncate": file.Truncate(0), "Preallocate": file.Preallocate(9),
		"Rename": f.Rename("/a", "/c"), "Remove": f.Remove("/a"), "MkdirAll": f.MkdirAll("/d"),
	} {
		wants(t, what, err, syscall.ENOSPC)
	}
	if got := dump(t, mem); n != 0 || len(got) != 1 || got["/a"] != "abc" {
		t.Errorf("after failures there is %v", got)
	}
	f.Heal()
	write(t, file, "x", 0)
}

func TestFaultKinds(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	f.FailKindAt(vfs.OpSync, 1, syscall.EIO)
	f.FailKindFrom(vfs.OpWrite, 2, syscall.ENOSPC)
	file, err := f.Create("/a")
	must(t, err)
	var got []string
	for range 4 {
		_, err := file.WriteAt([]byte("x"), 0)
		got = append(got, fmt.Sprint(err != nil, file.Sync() != nil))
	}
	if want := []string{"false false", "false true", "true false", "true false"}; !slices.Equal(got, want) {
		t.Errorf("write and sync failed: %q, want %q", got, want)
	}
}

func TestFaultShortWrite(t *testing.T) {
	mem := vfs.NewMem()
	f := vfs.NewFault(mem)
	f.ShortWriteAt(0, 3, syscall.ENOSPC)
	f.ShortWriteAt(1, 99, syscall.EIO)
	file, err := f.Create("/a")
	must(t, err)
	n, err := file.WriteAt([]byte("hello"), 0)
	wants(t, "short write", err, syscall.ENOSPC)
	wantsPath(t, "short write", err, "/a")
	if got := dump(t, mem)["/a"]; n != 3 || got != "hel" {
		t.Errorf("WriteAt wrote %d, the file holds %q", n, got)
	}
	if n, err = file.WriteAt([]byte("hello"), 0); n != 5 || !errors.Is(err, syscall.EIO) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	f.Inject = func(vfs.Op) error { return &vfs.ShortWrite{N: 1, Err: syscall.EIO} }
	if err = file.Sync(); err == nil || err.Error() != "sync /a: input/output error" && os.PathSeparator == '/' {
		t.Errorf("Sync with a ShortWrite: %v", err)
	}
}

// TestFaultObserverCanClone is the use that OnOp is made for: after every operation, what would a power cut leave?
func TestFaultObserverCanClone(t *testing.T) {
	mem := vfs.NewMem()
	f := vfs.NewFault(mem)
	seen := map[string]bool{}
	f.OnOp = func(op vfs.Op) {
		for seed := range uint64(20) {
			left := mem.CrashClone(seed, vfs.Random)
			seen[fmt.Sprint(op.Kind, left.Files())] = true
			if _, err := left.Stat("/"); err != nil {
				t.Error(err)
			}
		}
	}
	must(t, script(f))
	if len(seen) < f.Ops() {
		t.Errorf("after %d operations only %d states were seen", f.Ops(), len(seen))
	}
}

func TestFaultOverFault(t *testing.T) {
	mem := vfs.NewMem()
	must(t, mem.SetBytes("/a", []byte("-")))
	f := vfs.NewFault(vfs.NewFault(mem))
	f.FailKindAt(vfs.OpSync, 0, syscall.EIO)
	file, err := f.Open("/a", true)
	must(t, err)
	write(t, file, "x", 0)
	wants(t, "Sync", file.Sync(), syscall.EIO)
	must(t, file.Sync())
	if got := dump(t, mem.CrashClone(0, vfs.LoseAll))["/a"]; got != "-" {
		t.Errorf("repeating a failed sync made %q durable", got)
	}
}

func TestFaultConcurrent(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	f.FailKindFrom(vfs.OpWrite, 200, fs.ErrInvalid)
	file, err := f.Create("/a")
	must(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	failed := 0
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if _, err := file.WriteAt([]byte("x"), 0); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if failed != 200 || f.KindOps(vfs.OpWrite) != 400 {
		t.Errorf("of %d writes %d failed, want 400 and 200", f.KindOps(vfs.OpWrite), failed)
	}
}
