package vfs_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/orchard9/engram-go/internal/leak"
	"github.com/orchard9/engram-go/internal/vfs"
)

// caseBlind says that the usual file system of this system takes a and A for the same name.
const caseBlind = runtime.GOOS == "windows" || runtime.GOOS == "darwin"

// lockEnv tells a second process of this test binary which file to lock.
const lockEnv = "VFS_TEST_LOCK"

func TestMain(m *testing.M) {
	if name := os.Getenv(lockEnv); name != "" {
		os.Exit(holdLock(name))
	}
	os.Exit(leak.Main(m))
}

// holdLock locks name, says so on standard output, and holds it until standard input ends or the process is killed.
// If the lock is taken, it says who has it.
func holdLock(name string) int {
	lock, err := vfs.OS{}.Lock(name)
	if e, ok := errors.AsType[*vfs.LockedError](err); ok {
		fmt.Println("locked by", e.PID)
		return 0
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held by", os.Getpid())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = lock.Close()
	return 0
}

// locker starts a second process that locks name; it returns the process, its input, and its first line of output.
func locker(t *testing.T, name string) (*exec.Cmd, io.Closer, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lockEnv+"="+name)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return cmd, in, line
}

func TestLockExcludesProcesses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "LOCK")
	mine, err := vfs.OS{}.Lock(name)
	must(t, err)
	cmd, _, line := locker(t, name)
	must(t, cmd.Wait())
	if want := fmt.Sprintln("locked by", os.Getpid()); line != want {
		t.Errorf("the second process said %q, want %q", line, want)
	}
	must(t, mine.Close())

	for _, kill := range []bool{true, false} {
		cmd, in, line := locker(t, name)
		pid := cmd.Process.Pid
		if want := fmt.Sprintln("held by", pid); line != want {
			t.Fatalf("the second process said %q, want %q", line, want)
		}
		_, err = vfs.OS{}.Lock(name)
		if e, ok := errors.AsType[*vfs.LockedError](err); !ok || e.PID != pid {
			t.Errorf("Lock while process %d has it: %v", pid, err)
		}
		if kill {
			must(t, cmd.Process.Kill())
		} else {
			must(t, in.Close())
		}
		_ = cmd.Wait() // Killed is an error.
		mine, err = vfs.OS{}.Lock(name)
		must(t, err)
		must(t, mine.Close())
	}
}

// TestLockSeesReplacedFile shows how Lock notices that it locked a file that no longer has the name.
func TestLockSeesReplacedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not remove open files")
	}
	name := filepath.Join(t.TempDir(), "LOCK")
	f, err := os.Create(name)
	must(t, err)
	defer f.Close()
	check := func(want bool) {
		t.Helper()
		if same, err := vfs.SameFile(f, name); same != want || err != nil {
			t.Errorf("the file has the name: %v, %v, want %v", same, err, want)
		}
	}
	check(true)
	must(t, os.Remove(name))
	check(false)
	must(t, os.WriteFile(name, nil, 0o600))
	check(false)
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	must(t, vfs.OS{}.MkdirAll(dir))
	file, lockName := filepath.Join(dir, "f"), filepath.Join(dir, "LOCK")
	must(t, create(t, vfs.OS{}, file, "x").Close())
	lock, err := vfs.OS{}.Lock(lockName)
	must(t, err)
	must(t, lock.Close())
	for name, want := range map[string]os.FileMode{
		filepath.Dir(dir): 0o700, dir: 0o700, file: 0o600, lockName: 0o600,
	} {
		info, err := os.Stat(name)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}
