package store_test

import (
	"context"
	"errors"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

const (
	spaceDir = "/data/space"
	dim      = 8
)

var storeID = [16]byte{0xe, 1, 2, 3}

// newFS is a file system with the directory above the space.
func newFS(t testing.TB) *vfs.Mem {
	t.Helper()
	fsys := vfs.NewMem()
	if err := errors.Join(fsys.MkdirAll("/data"), fsys.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return fsys
}

// open opens the space with small log files, so that rotation and trimming take part.
func open(fsys vfs.FS, change ...func(*store.Options)) (*store.Space, error) {
	return store.Open(options(fsys, change...))
}

func options(fsys vfs.FS, change ...func(*store.Options)) store.Options {
	o := store.Options{
		FS: fsys, Dir: spaceDir, Name: "test", NewStore: func() ([16]byte, error) { return storeID, nil },
		Lexical: lexical.Options{}, HotBytes: 1 << 20, HotLimit: 8 << 20, LogFileBytes: 4096,
		SealRetry: time.Hour, // what tests seal is what they say
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

func mustOpen(t testing.TB, fsys vfs.FS, change ...func(*store.Options)) *store.Space {
	t.Helper()
	s, err := open(fsys, change...)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

func mustClose(t testing.TB, s *store.Space) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close = %v", err)
	}
}

func mustSeal(t testing.TB, s *store.Space) {
	t.Helper()
	if err := s.Seal(context.Background()); err != nil {
		t.Fatalf("Seal = %v", err)
	}
}

func mustCompact(t testing.TB, s *store.Space) store.CompactReport {
	t.Helper()
	report, err := s.Compact(t.Context(), store.CompactOptions{})
	if err != nil {
		t.Fatalf("Compact = %v", err)
	}
	return report
}

// toCold moves every segment to the cold tier, toWarm back.
var (
	toCold = store.MoveOptions{Today: 1, Since: math.MaxUint32}
	toWarm = store.MoveOptions{}
)

func mustMove(t testing.TB, s *store.Space, o store.MoveOptions) store.CompactReport {
	t.Helper()
	report, err := s.Move(t.Context(), o)
	if err != nil {
		t.Fatalf("Move = %v", err)
	}
	return report
}

// seeds is how many seeds a test runs: n, or what the environment says.
func seeds(t testing.TB, n int) int {
	t.Helper()
	if text := os.Getenv("ENGRAM_CRASH_SEEDS"); text != "" {
		many, err := strconv.Atoi(text)
		if err != nil || many < 1 {
			t.Fatalf("ENGRAM_CRASH_SEEDS is %q, want a number above 0", text)
		}
		return many
	}
	return n
}

// firstSeed is where seeds begin: ENGRAM_CRASH_FROM, so that runs one after another take others.
func firstSeed(t testing.TB) uint64 {
	t.Helper()
	text := os.Getenv("ENGRAM_CRASH_FROM")
	if text == "" {
		return 0
	}
	from, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("ENGRAM_CRASH_FROM is %q, want a number", text)
	}
	return from
}
