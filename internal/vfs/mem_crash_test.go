package vfs_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/orchard9/engram-go/internal/vfs"
)

// tries is how many random power cuts a test looks at: with outcomes of a few per cent each, missing one of them by
// chance is out of the question, and the seeds are fixed anyway.
const tries = 400

// dump returns all files with their contents.
func dump(t testing.TB, m *vfs.Mem) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range m.Files() {
		b, err := m.Bytes(name)
		must(t, err)
		all[filepath.ToSlash(name)] = string(b)
	}
	return all
}

// outcomes returns how often each state comes out of random power cuts now. Every state must be one of allowed, if
// any are given.
func outcomes(t testing.TB, m *vfs.Mem, name string, allowed ...string) map[string]int {
	t.Helper()
	seen := map[string]int{}
	for seed := range uint64(tries) {
		content, ok := dump(t, m.CrashClone(seed, vfs.Random))[name]
		if !ok {
			content = "(none)"
		}
		if len(allowed) > 0 && !slices.Contains(allowed, content) {
			t.Fatalf("seed %d leaves %q, allowed are %q", seed, content, allowed)
		}
		seen[content]++
	}
	return seen
}

// wantAll fails unless each of the states came out at least once.
func wantAll(t testing.TB, seen map[string]int, states ...string) {
	t.Helper()
	for _, state := range states {
		if seen[state] == 0 {
			t.Errorf("%d power cuts never left %q; they left %v", tries, state, seen)
		}
	}
}

func TestCrashUnsyncedBytes(t *testing.T) {
	m := vfs.NewMem()
	f := create(t, m, "/a", "old old")
	must(t, m.SyncDir("/"))
	must(t, f.SyncData())
	write(t, f, "new", 0)
	write(t, f, "new", 4)

	if got := dump(t, m.CrashClone(1, vfs.LoseAll))["/a"]; got != "old old" {
		t.Errorf("LoseAll leaves %q", got)
	}
	if got := dump(t, m.CrashClone(1, vfs.KeepAll))["/a"]; got != "new new" {
		t.Errorf("KeepAll leaves %q", got)
	}
	seen := outcomes(t, m, "/a")
	// The second without the first: nothing orders them. And halves of them.
	wantAll(t, seen, "old old", "new old", "old new", "new new", "nld old", "new ned")
	if got := dump(t, m)["/a"]; got != "new new" {
		t.Errorf("making clones changed the original to %q", got)
	}
	must(t, f.SyncData())
	wantAll(t, outcomes(t, m, "/a", "new new"), "new new")
}

func TestCrashTearsAtSectors(t *testing.T) {
	m := vfs.NewMem()
	f := create(t, m, "/a", strings.Repeat("-", 2048))
	must(t, m.SyncDir("/"))
	must(t, f.Sync())
	write(t, f, strings.Repeat("x", 1024), 256)
	sectors := func(content string) string {
		return string([]byte{content[300], content[600], content[1200]})
	}
	seen, tornInside := map[string]int{}, 0
	for content, n := range outcomes(t, m, "/a") {
		if len(content) != 2048 || strings.Contains(content[:256]+content[1280:], "x") {
			t.Fatal("a torn write changed bytes beside it")
		}
		seen[sectors(content)] += n
		if i := strings.LastIndex(content, "x"); i >= 0 && (i+1)%512 != 0 && i != 1279 {
			tornInside++
		}
	}
	wantAll(t, seen, "---", "x--", "-x-", "--x", "xx-", "x-x", "-xx", "xxx")
	if tornInside == 0 {
		t.Error("no write was torn inside a sector")
	}
}

func TestCrashExtendingWrite(t *testing.T) {
	m := vfs.NewMem()
	f := create(t, m, "/a", "")
	must(t, m.SyncDir("/"))
	must(t, f.Sync())
	write(t, f, "ab", 0)
	// Nothing; the length without the data; a part with and without the length; all.
	wantAll(t, outcomes(t, m, "/a", "", "\x00\x00", "a", "a\x00", "ab"), "", "\x00\x00", "a", "a\x00", "ab")

	must(t, f.Sync())
	must(t, f.Truncate(1))
	wantAll(t, outcomes(t, m, "/a", "ab", "a"), "ab", "a")
	must(t, f.Sync())
	must(t, f.Preallocate(3))
	wantAll(t, outcomes(t, m, "/a", "a", "a\x00", "a\x00\x00"), "a", "a\x00", "a\x00\x00")
}

func TestCrashNames(t *testing.T) {
	m := vfs.NewMem()
	f := create(t, m, "/a", "bytes")
	must(t, f.Sync())
	// The bytes are durable, the name is not.
	wantAll(t, outcomes(t, m, "/a", "(none)", "bytes"), "(none)", "bytes")
	if files := m.CrashClone(0, vfs.LoseAll).Files(); len(files) != 0 {
		t.Errorf("LoseAll leaves %v", files)
	}
	must(t, m.SyncDir("/"))
	wantAll(t, outcomes(t, m, "/a", "bytes"), "bytes")

	must(t, m.Remove("/a"))
	wantAll(t, outcomes(t, m, "/a", "(none)", "bytes"), "(none)", "bytes")
	must(t, m.SyncDir("/"))
	wantAll(t, outcomes(t, m, "/a", "(none)"), "(none)")
	write(t, f, "still open", 0) // The file without a name lives on, for whoever has it open.
}

func TestCrashNamesReorder(t *testing.T) {
	m := vfs.NewMem()
	for _, name := range []string{"/a", "/b"} {
		must(t, create(t, m, name, "").Close())
	}
	seen := map[string]int{}
	for seed := range uint64(tries) {
		seen[strings.Join(m.CrashClone(seed, vfs.Random).Files(), " ")]++
	}
	wantAll(t, seen, "", "/a", "/b", "/a /b")
}

// TestCrashSwap plays the replacement of a file, right and wrong.
func TestCrashSwap(t *testing.T) {
	begin := func() (*vfs.Mem, vfs.File) {
		m := vfs.NewMem()
		must(t, m.SetBytes("/name", []byte("old")))
		return m, create(t, m, "/tmp", "new")
	}
	m, f := begin()
	must(t, f.Sync())
	must(t, m.Rename("/tmp", "/name"))
	wantAll(t, outcomes(t, m, "/name", "old", "new"), "old", "new") // Before SyncDir: one of both, whole.
	for seed := range uint64(tries) {
		// The rename is one step: the old name is never seen beside the new content.
		if left := dump(t, m.CrashClone(seed, vfs.Random)); left["/name"] == "new" && left["/tmp"] == "new" {
			t.Fatalf("seed %d leaves both names: %v", seed, left)
		}
	}
	must(t, m.SyncDir("/"))
	wantAll(t, outcomes(t, m, "/name", "new"), "new")
	if left := dump(t, m.CrashClone(0, vfs.LoseAll)); len(left) != 1 {
		t.Errorf("LoseAll leaves %v", left)
	}

	m, _ = begin() // Without Sync of the file: the name is new, and what it holds is anything.
	must(t, m.Rename("/tmp", "/name"))
	must(t, m.SyncDir("/"))
	wantAll(t, outcomes(t, m, "/name"), "", "new", "\x00\x00\x00", "n", "ne")
}

func TestCrashBetweenDirectories(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/x"))
	must(t, m.MkdirAll("/y"))
	must(t, m.SyncDir("/"))
	must(t, m.SetBytes("/x/a", []byte("data")))
	must(t, m.Rename("/x/a", "/y/b"))
	seen := map[string]int{}
	for seed := range uint64(tries) {
		left := dump(t, m.CrashClone(seed, vfs.Random))
		seen[strings.Join(slices.Sorted(maps.Keys(left)), " ")]++
	}
	wantAll(t, seen, "", "/x/a", "/y/b", "/x/a /y/b")

	must(t, m.SyncDir("/y"))
	for seed := range uint64(tries) {
		c := m.CrashClone(seed, vfs.Random)
		if dump(t, c)["/y/b"] != "data" {
			t.Fatalf("seed %d leaves %v", seed, c.Files())
		}
		if len(c.Files()) == 2 { // Two names of one file, not two files.
			f, err := c.Open("/x/a", true)
			must(t, err)
			write(t, f, "DATA", 0)
			if got := dump(t, c)["/y/b"]; got != "DATA" {
				t.Fatalf("written by one name, the other one shows %q", got)
			}
		}
	}
}

// TestCrashDirectories shows that a directory is a name in its parent, and never left under two of them.
func TestCrashDirectories(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/x/y"))
	must(t, create(t, m, "/x/y/a", "").Close())
	must(t, m.SyncDir("/x/y"))
	must(t, m.SyncDir("/x"))
	if files := m.CrashClone(0, vfs.LoseAll).Files(); len(files) != 0 {
		t.Errorf("without SyncDir of / there is %v", files)
	}
	must(t, m.SyncDir("/"))
	if files := m.CrashClone(0, vfs.LoseAll).Files(); len(files) != 1 {
		t.Errorf("with all directories synced there is %v", files)
	}
	must(t, m.MkdirAll("/z"))
	must(t, m.Rename("/z", "/x/z"))
	must(t, m.Rename("/x/y", "/x/z/y"))
	must(t, m.Rename("/x/z", "/z"))
	must(t, m.Rename("/x", "/z/y/x"))
	for seed := range uint64(tries) {
		c := m.CrashClone(seed, vfs.Random)
		if files := c.Files(); len(files) > 1 {
			t.Fatalf("seed %d leaves one file as %v", seed, files)
		}
	}
}

func TestCrashIsDeterministic(t *testing.T) {
	history := func() *vfs.Mem {
		m := vfs.NewMem()
		for i := range 20 {
			create(t, m, fmt.Sprint("/f", i), strings.Repeat("x", i*100))
		}
		return m
	}
	m, other := history(), history()
	different := map[string]bool{}
	for seed := range uint64(20) {
		first := fmt.Sprint(dump(t, m.CrashClone(seed, vfs.Random)))
		if again := fmt.Sprint(dump(t, other.CrashClone(seed, vfs.Random))); again != first {
			t.Fatalf("seed %d leaves two different things of the same history", seed)
		}
		different[first] = true
	}
	if len(different) < 20 {
		t.Errorf("20 seeds leave only %d different things", len(different))
	}
}

// TestCloneIsSeparate shows that a clone and its original do not see each other's writes, down to shared pages.
func TestCloneIsSeparate(t *testing.T) {
	for _, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random} {
		t.Run(mode.String(), func(t *testing.T) {
			m := vfs.NewMem()
			must(t, m.SetBytes("/a", bytes.Repeat([]byte("-"), 10_000)))
			f, err := m.Open("/a", true)
			must(t, err)
			c := m.CrashClone(1, mode)
			cf, err := c.Open("/a", true)
			must(t, err)
			write(t, f, "original", 4_090)
			write(t, cf, "clone", 4_090)
			must(t, cf.Truncate(9_000))
			must(t, create(t, c, "/b", "").Close())
			must(t, create(t, m, "/c", "").Close())
			must(t, m.Remove("/a"))

			must(t, cf.Sync())
			got := dump(t, c.CrashClone(1, vfs.LoseAll))["/a"]
			if len(got) != 9_000 || strings.Trim(got, "-") != "clone" {
				t.Errorf("the clone holds %d bytes with %q", len(got), strings.Trim(got, "-"))
			}
			b := make([]byte, 10_000)
			if _, err = f.ReadAt(b, 0); err != nil || strings.Trim(string(b), "-") != "original" {
				t.Errorf("the original holds %q, %v", strings.Trim(string(b), "-"), err)
			}
			if len(c.Files()) != 2 || !slices.Equal(m.Files(), []string{filepath.FromSlash("/c")}) {
				t.Errorf("clone %v, original %v", c.Files(), m.Files())
			}
		})
	}
}

// TestLocksEndInClone shows that locks do not survive, and belong to the file rather than to its name.
func TestLocksEndInClone(t *testing.T) {
	m := vfs.NewMem()
	lock, err := m.Lock("/LOCK")
	must(t, err)
	for _, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll} {
		again, err := m.CrashClone(1, mode).Lock("/LOCK")
		must(t, err)
		must(t, again.Close())
	}
	_, err = m.Lock("/LOCK")
	wants(t, "Lock of the original", err, vfs.ErrLocked)
	must(t, lock.Close())
}

// TestFailedSync shows what the model is strict about: the sync after a failed one says that all is well, and what was
// unsynced at the failure is in doubt for ever, while what was written after it is safe.
func TestFailedSync(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.SetBytes("/a", []byte("------")))
	fault := vfs.NewFault(m)
	f, err := fault.Open("/a", true)
	must(t, err)
	fault.FailKindAt(vfs.OpSyncData, 0, syscall.EIO)
	write(t, f, "1", 0)
	wants(t, "SyncData", f.SyncData(), syscall.EIO)
	write(t, f, "2", 2)
	must(t, f.SyncData())
	wantAll(t, outcomes(t, m, "/a", "1-2---", "--2---"), "1-2---", "--2---")
	if got := dump(t, m.CrashClone(1, vfs.LoseAll))["/a"]; got != "--2---" {
		t.Errorf("LoseAll leaves %q", got)
	}
	write(t, f, "3", 4)
	if got := dump(t, m.CrashClone(1, vfs.LoseAll))["/a"]; got != "--2---" {
		t.Errorf("LoseAll leaves %q of what was never synced", got)
	}
	write(t, f, "1", 0) // Writing it again is what makes it durable.
	must(t, f.Sync())
	wantAll(t, outcomes(t, m, "/a", "1-2-3-"), "1-2-3-")
}

// TestCrashAgainstOracle runs random histories on one file and checks every power cut byte by byte: a byte is what it
// was at the last sync or what one of the writes since then put there.
func TestCrashAgainstOracle(t *testing.T) {
	const size = 3_000
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m := vfs.NewMem()
		f := create(t, m, "/a", "")
		must(t, f.Preallocate(size))
		must(t, f.Sync())
		must(t, m.SyncDir("/"))
		cur, may := make([]byte, size), make([]map[byte]bool, size)
		for op := range byte(40) {
			if rng.IntN(8) == 0 {
				must(t, f.SyncData())
				clear(may)
			}
			off := rng.IntN(size)
			n := rng.IntN(size - off)
			write(t, f, strings.Repeat(string(rune('A'+op)), n), int64(off))
			for i := off; i < off+n; i++ {
				if may[i] == nil {
					may[i] = map[byte]bool{cur[i]: true}
				}
				cur[i] = 'A' + op
				may[i][cur[i]] = true
			}
			checkBytes(t, m, seed, cur, may)
		}
	}
}

func checkBytes(t *testing.T, m *vfs.Mem, seed uint64, cur []byte, may []map[byte]bool) {
	t.Helper()
	got, err := m.CrashClone(seed, vfs.Random).Bytes("/a")
	must(t, err)
	if len(got) != len(cur) {
		t.Fatalf("seed %d: %d bytes are left of %d", seed, len(got), len(cur))
	}
	for i, b := range got {
		if b != cur[i] && !may[i][b] {
			t.Fatalf("seed %d: byte %d is %q; it is %q and may be %v", seed, i, b, cur[i], may[i])
		}
	}
}

// BenchmarkCrashClone clones what a store in mid-work looks like: 16 MiB in 20 files, one of them with a few
// unsynced writes.
func BenchmarkCrashClone(b *testing.B) {
	m := vfs.NewMem()
	for i := range 20 {
		must(b, m.SetBytes(fmt.Sprint("/f", i), make([]byte, 16<<20/20)))
	}
	f, err := m.Open("/f7", true)
	must(b, err)
	for i := range 4 {
		write(b, f, strings.Repeat("x", 3_000), int64(i)*5_000)
	}
	for _, mode := range []vfs.CrashMode{vfs.KeepAll, vfs.LoseAll, vfs.Random} {
		b.Run(mode.String(), func(b *testing.B) {
			b.ReportAllocs()
			seed := uint64(0)
			for b.Loop() {
				m.CrashClone(seed, mode)
				seed++
			}
		})
	}
}
