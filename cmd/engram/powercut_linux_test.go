package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

const envPowerRounds = "ENGRAM_POWERCUT_ROUNDS" // how many times to cut the power; the test is skipped without it

// TestPowerCut is TestKill9 on a file system of its own whose power is cut: it is shut down at once, without writing
// back what is dirty, not even its journal; what was not synced is gone. Then it is mounted again, which replays the
// journal, and compared with what was acknowledged. It needs root, loop devices and mkfs.ext4; scripts/powercut.sh runs
// it. The power-cut model in memory (vfs.Mem) is the gate; this is the cross-check on a real file system.
func TestPowerCut(t *testing.T) {
	if os.Getenv(envPowerRounds) == "" {
		t.Skipf("%s is not set: this test needs root and mounts a file system; run scripts/powercut.sh", envPowerRounds)
	}
	rounds := envNumber(t, envPowerRounds, 0)
	seed := envNumber(t, envCrashSeed, rand.Uint64())
	t.Logf("%s=%d %s=%d", envPowerRounds, rounds, envCrashSeed, seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	image := filepath.Join(t.TempDir(), "disk")
	mount := filepath.Join(t.TempDir(), "mount")
	must(t, os.Mkdir(mount, 0o700))
	var l *ledger
	total := tally{}
	for round := range rounds {
		if round%crashFresh == 0 {
			if l != nil {
				command(t, "umount", mount)
			}
			must(t, os.RemoveAll(image))
			command(t, "truncate", "-s", "512M", image)
			command(t, "mkfs.ext4", "-q", image)
			command(t, "mount", "-o", "loop", image, mount)
			t.Cleanup(func() { _ = exec.Command("umount", "-l", mount).Run() }) // where the test ended early
			l = newLedger(t)
			l.dir = filepath.Join(mount, "data")
			l.cut = func() { shutDown(t, mount) }
		}
		acks := l.writeAndKill(round, rng)
		command(t, "umount", mount)
		command(t, "mount", "-o", "loop", image, mount)
		counted := l.check(rng)
		total.add(counted)
		t.Logf("round %d: power cut after %d acknowledged requests; %s", round, acks, counted)
		if t.Failed() {
			break
		}
	}
	command(t, "umount", mount)
	t.Logf("%d rounds: %s", rounds, total)
}

// shutDown ends the file system at once and drops everything that is not on its disk.
func shutDown(t *testing.T, mount string) {
	t.Helper()
	const (
		request   = 0x8004587d // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
		noFlush   = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
		directory = unix.O_RDONLY | unix.O_DIRECTORY
	)
	fd, err := unix.Open(mount, directory, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.IoctlSetPointerInt(fd, request, noFlush))
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
