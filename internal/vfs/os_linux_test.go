package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/orchard9/engram-go/internal/vfs"
)

// TestPreallocateReservesBlocks shows that the file has all its blocks, which Truncate alone does not give.
func TestPreallocateReservesBlocks(t *testing.T) {
	const size = 3 << 20
	f := create(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"), "x")
	defer f.Close()
	blocks := func() int64 {
		var st unix.Stat_t
		must(t, unix.Stat(f.Name(), &st))
		return st.Blocks * 512
	}
	must(t, f.Truncate(size))
	if blocks() >= size {
		t.Skip("this file system does not make sparse files")
	}
	must(t, f.Preallocate(size)) // The holes there are, too.
	if got := blocks(); got < size {
		t.Errorf("Preallocate(%d) of a sparse file leaves blocks for %d bytes", size, got)
	}
	must(t, f.Truncate(1))
	must(t, f.Preallocate(size))
	must(t, f.Sync())
	if got := blocks(); got < size {
		t.Errorf("after Preallocate(%d) the file has blocks for %d bytes", size, got)
	}
}

// TestPreallocateWritesZeros shows that the blocks are not only reserved but written, so that a later write changes
// no metadata: a reserved block counts as a hole until it is written.
func TestPreallocateWritesZeros(t *testing.T) {
	const size = 3 << 20
	firstHole := func(name string) int64 {
		file, err := os.Open(name)
		must(t, err)
		defer file.Close()
		at, err := unix.Seek(int(file.Fd()), 0, unix.SEEK_HOLE)
		must(t, err)
		return at
	}
	dir := t.TempDir()
	reserved, err := os.Create(filepath.Join(dir, "reserved"))
	must(t, err)
	defer reserved.Close()
	if err = unix.Fallocate(int(reserved.Fd()), 0, 0, size); err != nil || firstHole(reserved.Name()) == size {
		t.Skipf("this file system does not tell reserved from written: %v", err)
	}
	f := create(t, vfs.OS{}, filepath.Join(dir, "a"), "x")
	defer f.Close()
	must(t, f.Preallocate(size))
	must(t, f.Sync())
	if hole := firstHole(f.Name()); hole != size {
		t.Errorf("after Preallocate(%d) the bytes from %d on are not written", size, hole)
	}
}

// TestPreallocateGivesBack shows that a failed Preallocate leaves the length as it was. The limit on the length of a
// file stands for a full disk.
func TestPreallocateGivesBack(t *testing.T) {
	f := create(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"), "x")
	defer f.Close()
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	limit := old
	limit.Cur = 1 << 20
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &limit))
	errs := []error{f.Preallocate(8 << 20), vfs.PreallocateUnreserved(f, 8<<20)}
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	for _, err := range errs {
		wants(t, "Preallocate beyond the limit", err, syscall.EFBIG)
		wantsPath(t, "Preallocate beyond the limit", err, f.Name())
	}
	if size, err := f.Size(); size != 1 || err != nil {
		t.Errorf("after a failed Preallocate the size is %d, %v, want 1", size, err)
	}
	must(t, vfs.PreallocateUnreserved(f, 2<<20))
	if got := read(t, vfs.OS{}, f.Name()); got != "x"+strings.Repeat("\x00", 2<<20-1) {
		t.Error("what was not reserved does not read as zeros")
	}
	must(t, f.Preallocate(8<<20))
}

// TestOpenNamedPipe shows that Open refuses what is not a regular file, and does not wait for it.
func TestOpenNamedPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(name, 0o600))
	_, err := vfs.OS{}.Open(name, false)
	if err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open of a pipe: %v", err)
	}
}

// TestGuardShrunkFile reads a mapping whose file really was shrunk: without Guard this ends the process.
func TestGuardShrunkFile(t *testing.T) {
	page := os.Getpagesize()
	f := create(t, vfs.OS{}, filepath.Join(t.TempDir(), "a"), strings.Repeat("x", 4*page))
	defer f.Close()
	m, err := f.Map(int64(4 * page))
	must(t, err)
	defer m.Close()
	must(t, os.Truncate(f.Name(), int64(page)))

	sum, before := 0, debug.SetPanicOnFault(false)
	defer debug.SetPanicOnFault(before)
	for range 3 { // A fault leaves nothing behind that would spoil the next one.
		err = vfs.Guard(func() error {
			for _, c := range m.Bytes()[page-1:] {
				sum += int(c)
			}
			return nil
		})
		e, ok := errors.AsType[*vfs.FaultError](err)
		if !ok {
			t.Fatalf("Guard returned %v, want a FaultError", err)
		}
		if off, ok := e.Offset(m.Bytes()); !ok || off != page {
			t.Errorf("the fault is at offset %d, %v, want %d", off, ok, page)
		}
		if _, ok := e.Offset(make([]byte, page)); ok {
			t.Error("the fault is said to be in memory of something else")
		}
	}
	if sum != 3*'x' {
		t.Errorf("before the fault %d was read, want %d", sum, 3*'x')
	}
	dst := make([]byte, page)
	err = vfs.Guard(func() error { copy(dst, m.Bytes()[2*page:]); return nil })
	if _, ok := errors.AsType[*vfs.FaultError](err); !ok {
		t.Errorf("a fault inside copy: %v", err)
	}
	if debug.SetPanicOnFault(false) {
		t.Error("Guard left the goroutine panicking on faults")
	}
	must(t, vfs.Guard(func() error { sum = int(m.Bytes()[0]); return nil }))
}
