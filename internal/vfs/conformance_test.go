package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
)

// systems are the file systems that keep one contract. Each returns an empty directory to work in.
var systems = map[string]func(t *testing.T) (vfs.FS, string){
	"os":  func(t *testing.T) (vfs.FS, string) { return vfs.OS{}, t.TempDir() },
	"mem": func(t *testing.T) (vfs.FS, string) { return dirIn(t, vfs.NewMem()) },
	"fault": func(t *testing.T) (vfs.FS, string) {
		return dirIn(t, vfs.NewFault(vfs.NewMem()))
	},
	"clone": func(t *testing.T) (vfs.FS, string) {
		m := vfs.NewMem()
		fsys, dir := dirIn(t, m)
		must(t, fsys.SyncDir(filepath.Dir(dir)))
		return m.CrashClone(1, vfs.LoseAll), dir
	},
}

func dirIn(t *testing.T, fsys vfs.FS) (vfs.FS, string) {
	dir := filepath.Join(string(filepath.Separator), "dir")
	must(t, fsys.MkdirAll(dir))
	return fsys, dir
}

// everywhere runs one test on all systems.
func everywhere(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	for name, open := range systems {
		t.Run(name, func(t *testing.T) {
			fsys, dir := open(t)
			test(t, fsys, dir)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants fails unless err matches target and says the path.
func wants(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v, want %v", what, err, target)
	}
}

// wantsPath fails unless err is a *fs.PathError of that path.
func wantsPath(t testing.TB, what string, err error, path string) {
	t.Helper()
	if e, ok := errors.AsType[*fs.PathError](err); !ok || e.Path != path {
		t.Errorf("%s: error %v (%T), want a PathError of %s", what, err, err, path)
	}
}

func create(t testing.TB, fsys vfs.FS, name, content string) vfs.File {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	write(t, f, content, 0)
	return f
}

func write(t testing.TB, f vfs.File, content string, off int64) {
	t.Helper()
	n, err := f.WriteAt([]byte(content), off)
	if n != len(content) || err != nil {
		t.Fatalf("WriteAt(%d bytes, %d) = %d, %v", len(content), off, n, err)
	}
}

func read(t testing.TB, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name, false)
	must(t, err)
	defer f.Close()
	size, err := f.Size()
	must(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	must(t, err)
	return string(b)
}

func TestCreateAndOpen(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "a")
		f := create(t, fsys, name, "hello")
		if f.Name() != name {
			t.Errorf("Name() = %q, want %q", f.Name(), name)
		}
		must(t, f.Close())

		_, err := fsys.Create(name)
		wants(t, "Create of an existing file", err, fs.ErrExist)
		wantsPath(t, "Create of an existing file", err, name)
		if got := read(t, fsys, name); got != "hello" {
			t.Errorf("after a refused Create the file holds %q", got)
		}
		_, err = fsys.Create(dir)
		wants(t, "Create of an existing directory", err, fs.ErrExist)
		_, err = fsys.Open(filepath.Join(dir, "none"), true)
		wants(t, "Open of nothing", err, fs.ErrNotExist)
		wantsPath(t, "Open of nothing", err, filepath.Join(dir, "none"))
		_, err = fsys.Create(filepath.Join(dir, "none", "a"))
		wants(t, "Create in nothing", err, fs.ErrNotExist)
		_, err = fsys.Create("")
		wants(t, "Create of no name", err, fs.ErrNotExist)
		for _, write := range []bool{false, true} {
			if _, err = fsys.Open(dir, write); err == nil {
				t.Errorf("Open(directory, %v) succeeded", write)
			}
		}
		if _, err = fsys.Create(filepath.Join(name, "b")); err == nil {
			t.Error("Create below a file succeeded")
		}
	})
}

func TestReadOnlyFile(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "a")
		must(t, create(t, fsys, name, "hello").Close())
		f, err := fsys.Open(name, false)
		must(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("x"), 0)
		for what, err := range map[string]error{
			"WriteAt": err, "Preallocate": f.Preallocate(10), "Truncate": f.Truncate(1),
			"Sync": f.Sync(), "SyncData": f.SyncData(),
		} {
			wants(t, what, err, fs.ErrPermission)
			wantsPath(t, what, err, name)
		}
		if got := read(t, fsys, name); got != "hello" {
			t.Errorf("the file holds %q", got)
		}
	})
}

func TestReadWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "a"), "hello")
		defer f.Close()
		write(t, f, "world", 10_000)
		if size, err := f.Size(); size != 10_005 || err != nil {
			t.Fatalf("Size() = %d, %v, want 10005", size, err)
		}
		b := make([]byte, 10)
		n, err := f.ReadAt(b, 9_998)
		if n != 7 || err != io.EOF || string(b[:n]) != "\x00\x00world" {
			t.Errorf("ReadAt over the end = %d, %v, %q", n, err, b[:n])
		}
		if n, err = f.ReadAt(b, 10_005); n != 0 || err != io.EOF {
			t.Errorf("ReadAt at the end = %d, %v", n, err)
		}
		if n, err = f.ReadAt(b, 1<<40); n != 0 || err != io.EOF {
			t.Errorf("ReadAt far behind the end = %d, %v", n, err)
		}
		if n, err = f.ReadAt(nil, 1<<40); n != 0 || err != nil {
			t.Errorf("ReadAt of nothing = %d, %v", n, err)
		}
		if n, err = f.ReadAt(b[:5], 10_000); n != 5 || err != nil {
			t.Errorf("ReadAt up to the end = %d, %v", n, err)
		}
		_, err = f.ReadAt(b, -1)
		wants(t, "ReadAt(-1)", err, fs.ErrInvalid)
		_, err = f.WriteAt(b, -1)
		wants(t, "WriteAt(-1)", err, fs.ErrInvalid)
		if n, err = f.WriteAt(nil, 20_000); n != 0 || err != nil {
			t.Errorf("WriteAt of nothing = %d, %v", n, err)
		}
		if size, _ := f.Size(); size != 10_005 {
			t.Errorf("WriteAt of nothing changed the size to %d", size)
		}
	})
}

func TestTruncateAndPreallocate(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "a")
		f := create(t, fsys, name, strings.Repeat("x", 9_000))
		defer f.Close()
		must(t, f.Truncate(5_000))
		must(t, f.Preallocate(3<<20+1))
		want := strings.Repeat("x", 5_000) + strings.Repeat("\x00", 3<<20+1-5_000)
		if read(t, fsys, name) != want {
			t.Error("after Truncate and Preallocate the new bytes are not zeros or the old ones changed")
		}
		must(t, f.Preallocate(100))
		must(t, f.Preallocate(0))
		if size, _ := f.Size(); size != 3<<20+1 {
			t.Errorf("a smaller Preallocate made the size %d", size)
		}
		must(t, f.Truncate(2))
		must(t, f.Truncate(6))
		if got := read(t, fsys, name); got != "xx\x00\x00\x00\x00" {
			t.Errorf("after shrinking and growing: %q", got)
		}
		wants(t, "Truncate(-1)", f.Truncate(-1), fs.ErrInvalid)
		wants(t, "Preallocate(-1)", f.Preallocate(-1), fs.ErrInvalid)
		must(t, f.Sync())
		must(t, f.SyncData())
	})
}

func TestClosedFile(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "a"), "hello")
		m, err := f.Map(5)
		must(t, err)
		must(t, f.Close())
		b := make([]byte, 1)
		_, rerr := f.ReadAt(b, 0)
		_, werr := f.WriteAt(b, 0)
		_, serr := f.Size()
		_, merr := f.Map(1)
		for what, err := range map[string]error{
			"ReadAt": rerr, "WriteAt": werr, "Size": serr, "Map": merr, "Preallocate": f.Preallocate(1),
			"Truncate": f.Truncate(1), "Sync": f.Sync(), "SyncData": f.SyncData(), "Close": f.Close(),
		} {
			wants(t, what, err, fs.ErrClosed)
			wantsPath(t, what, err, f.Name())
		}
		if string(m.Bytes()) != "hello" {
			t.Errorf("the mapping of a closed file shows %q", m.Bytes())
		}
		must(t, m.Close())
		if m.Bytes() != nil {
			t.Error("a closed mapping shows bytes")
		}
		wants(t, "second Close of a mapping", m.Close(), fs.ErrClosed)
	})
}

func TestRename(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		a, b, sub := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "sub")
		must(t, create(t, fsys, a, "new").Close())
		must(t, create(t, fsys, b, "old").Close())
		must(t, fsys.MkdirAll(sub))
		must(t, fsys.Rename(a, a))
		must(t, fsys.Rename(a, b))
		if got := read(t, fsys, b); got != "new" {
			t.Errorf("after Rename the file holds %q", got)
		}
		_, err := fsys.Stat(a)
		wants(t, "Stat of the old name", err, fs.ErrNotExist)
		wants(t, "Rename of nothing", fsys.Rename(a, b), fs.ErrNotExist)
		wants(t, "Rename onto a directory", fsys.Rename(b, sub), fs.ErrExist)
		wants(t, "Rename into nothing", fsys.Rename(b, filepath.Join(dir, "none", "b")), fs.ErrNotExist)
		if fsys.Rename(sub, b) == nil {
			t.Error("Rename of a directory onto a file succeeded")
		}
		if fsys.Rename(sub, filepath.Join(sub, "x")) == nil {
			t.Error("Rename of a directory into itself succeeded")
		}
		must(t, fsys.Rename(b, filepath.Join(sub, "c")))
		must(t, fsys.Rename(sub, filepath.Join(dir, "sub2")))
		if got := read(t, fsys, filepath.Join(dir, "sub2", "c")); got != "new" {
			t.Errorf("after renaming its directory the file holds %q", got)
		}
	})
}

func TestRemove(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		sub := filepath.Join(dir, "sub")
		name := filepath.Join(sub, "a")
		must(t, fsys.MkdirAll(sub))
		must(t, create(t, fsys, name, "x").Close())
		if fsys.Remove(sub) == nil {
			t.Error("Remove of a directory that is not empty succeeded")
		}
		must(t, fsys.Remove(name))
		wants(t, "second Remove", fsys.Remove(name), fs.ErrNotExist)
		wantsPath(t, "second Remove", fsys.Remove(name), name)
		must(t, fsys.Remove(sub))
		must(t, fsys.MkdirAll(sub))
		if names, err := fsys.ReadDir(sub); len(names) != 0 || err != nil {
			t.Errorf("ReadDir of a directory made again = %v, %v", names, err)
		}
	})
}

func TestDirectories(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		deep := filepath.Join(dir, "x", "y", "z")
		must(t, fsys.MkdirAll(deep))
		must(t, fsys.MkdirAll(deep))
		for _, name := range []string{"b", "B", "10", "9", "ä", "a"} {
			if name == "B" && caseBlind {
				continue
			}
			must(t, create(t, fsys, filepath.Join(dir, name), "xyz").Close())
		}
		names, err := fsys.ReadDir(dir)
		must(t, err)
		want := []string{"10", "9", "B", "a", "b", "x", "ä"}
		if caseBlind {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "B" })
		}
		if !slices.Equal(names, want) {
			t.Errorf("ReadDir = %q, want %q", names, want)
		}
		if info, err := fsys.Stat(deep); !info.Dir || info.Size != 0 || err != nil {
			t.Errorf("Stat of a directory = %+v, %v", info, err)
		}
		if info, err := fsys.Stat(filepath.Join(dir, "a")); info.Dir || info.Size != 3 || err != nil {
			t.Errorf("Stat of a file = %+v, %v", info, err)
		}
		must(t, fsys.SyncDir(dir))
		none := filepath.Join(dir, "none")
		_, err = fsys.ReadDir(none)
		wants(t, "ReadDir of nothing", err, fs.ErrNotExist)
		_, err = fsys.Stat(none)
		wants(t, "Stat of nothing", err, fs.ErrNotExist)
		wants(t, "SyncDir of nothing", fsys.SyncDir(none), fs.ErrNotExist)
		file := filepath.Join(dir, "a")
		if _, err = fsys.ReadDir(file); err == nil {
			t.Error("ReadDir of a file succeeded")
		}
		if fsys.SyncDir(file) == nil {
			t.Error("SyncDir of a file succeeded")
		}
		if fsys.MkdirAll(filepath.Join(file, "sub")) == nil {
			t.Error("MkdirAll below a file succeeded")
		}
	})
}

func TestMap(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		want := strings.Repeat("0123456789", 2_000)
		f := create(t, fsys, filepath.Join(dir, "a"), want)
		defer f.Close()
		for _, size := range []int64{-1, 0, 20_001} {
			_, err := f.Map(size)
			wants(t, fmt.Sprintf("Map(%d)", size), err, fs.ErrInvalid)
			wantsPath(t, fmt.Sprintf("Map(%d)", size), err, f.Name())
		}
		m, err := f.Map(15_001)
		must(t, err)
		if string(m.Bytes()) != want[:15_001] {
			t.Error("the mapping does not show the file")
		}
		must(t, m.Close())
	})
}

func TestLock(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		first, err := fsys.Lock(name)
		must(t, err)
		_, err = fsys.Lock(name)
		wants(t, "second Lock", err, vfs.ErrLocked)
		e, ok := errors.AsType[*vfs.LockedError](err)
		if !ok || e.PID != os.Getpid() || e.Path != name {
			t.Fatalf("second Lock: %#v, want the pid %d and path %s", err, os.Getpid(), name)
		}
		if text := e.Error(); !strings.Contains(text, fmt.Sprint(os.Getpid())) || !strings.Contains(text, name) {
			t.Errorf("the error does not name holder and file: %s", text)
		}
		must(t, first.Close())
		wants(t, "second Close of a lock", first.Close(), fs.ErrClosed)
		again, err := fsys.Lock(name)
		must(t, err)
		defer again.Close()
		_, err = fsys.Lock(filepath.Join(dir, "none", "LOCK"))
		wants(t, "Lock in nothing", err, fs.ErrNotExist)
		if _, err = fsys.Lock(dir); err == nil {
			t.Error("Lock of a directory succeeded")
		}
	})
}

// TestLockKeepsContent shows that a lock neither truncates a file before it is held nor after.
func TestLockKeepsContent(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		must(t, create(t, fsys, name, strings.Repeat("notes\n", 10)).Close())
		lock, err := fsys.Lock(name)
		must(t, err)
		must(t, lock.Close())
		if got := read(t, fsys, name)[:20]; strings.TrimSpace(got) != "0" {
			t.Errorf("after Close the file names the holder %q", got)
		}
		if got := read(t, fsys, name); len(got) != 60 || !strings.HasSuffix(got, "notes\nnotes\n") {
			t.Errorf("after Lock the file holds %q", got)
		}
	})
}

// TestLockUnknownHolder shows that an unreadable pid is 0, not an error of its own.
func TestLockUnknownHolder(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		name := filepath.Join(dir, "LOCK")
		lock, err := fsys.Lock(name)
		must(t, err)
		defer lock.Close()
		f, err := fsys.Open(name, true)
		must(t, err)
		defer f.Close()
		for _, content := range []string{"-7", "what is this", "99999999999999999999999999"} {
			write(t, f, fmt.Sprintf("%-30s", content), 0)
			_, err = fsys.Lock(name)
			e, ok := errors.AsType[*vfs.LockedError](err)
			if !ok || e.PID != 0 || !strings.Contains(e.Error(), "another process") {
				t.Errorf("holder wrote %q: %v", content, err)
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	everywhere(t, func(t *testing.T, fsys vfs.FS, dir string) {
		f := create(t, fsys, filepath.Join(dir, "shared"), "")
		defer f.Close()
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() { useAll(t, fsys, f, filepath.Join(dir, fmt.Sprint("own", g)), g) })
		}
		wg.Wait()
		b := make([]byte, 8*100*16)
		_, err := f.ReadAt(b, 0)
		must(t, err)
		for i := range len(b) / 16 {
			if want := bytes.Repeat([]byte{byte('a' + i%8)}, 16); !bytes.Equal(b[i*16:(i+1)*16], want) {
				t.Fatalf("slot %d holds %q, want %q", i, b[i*16:(i+1)*16], want)
			}
		}
	})
}

// useAll writes every eighth slot of the shared file f and works on a file of its own meanwhile.
func useAll(t *testing.T, fsys vfs.FS, f vfs.File, own string, g int) {
	slot := bytes.Repeat([]byte{byte('a' + g)}, 16)
	for i := range 100 {
		off := int64(i*8+g) * 16
		_, err := f.WriteAt(slot, off)
		got := make([]byte, 16)
		_, rerr := f.ReadAt(got, off)
		if err = errors.Join(err, rerr); err != nil || !bytes.Equal(got, slot) {
			t.Errorf("read %q after writing %q: %v", got, slot, err)
			return
		}
		if i%20 != 0 {
			continue
		}
		file, err := fsys.Create(own)
		if err != nil {
			t.Error(err)
			return
		}
		_, serr := f.Size()
		_, derr := fsys.ReadDir(filepath.Dir(own))
		err = errors.Join(serr, derr, file.SyncData(), f.SyncData(), file.Close(),
			fsys.Rename(own, own+"x"), fsys.Remove(own+"x"), fsys.SyncDir(filepath.Dir(own)))
		if err != nil {
			t.Error(err)
		}
	}
}
