package wal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

const benchRecord = 256

// BenchmarkDurableAppend compares durable appends of 256 bytes from 1, 8 and 64 goroutines:
//
//   - wal: Append under a lock, Commit;
//   - group: the least that groups commits: a preallocated file, a mutex, a condition variable, one write and one
//     fdatasync of the raw bytes for all that wait;
//   - bare: the bound nobody can pass: one goroutine that writes and syncs as many records at once as there would be
//     goroutines, and wakes nobody.
//
// The three take turns in each round, so that the disk meets all of them alike. Reported are medians of rounds: records
// per second, and the log's ratio to the others. Use -benchtime 50x. Bytes moved are the same but for the log's 32 per
// record; the sync dominates at 1 goroutine, waking the followers at 64. Set WAL_BENCH_DIR to a directory on a disk if
// the temporary directory is in memory.
func BenchmarkDurableAppend(b *testing.B) {
	for _, n := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", n), func(b *testing.B) {
			contestants := []func(count int) error{bareCommits(b, n), groupCommits(b, n), logCommits(b, n)}
			count := n * 100
			var rates [3][]float64
			var toBare, toGroup []float64
			for b.Loop() {
				var rate [3]float64
				for i, commits := range contestants {
					start := time.Now()
					if err := commits(count); err != nil {
						b.Fatal(err)
					}
					rate[i] = float64(count) / time.Since(start).Seconds()
					rates[i] = append(rates[i], rate[i])
				}
				toBare, toGroup = append(toBare, rate[2]/rate[0]), append(toGroup, rate[2]/rate[1])
			}
			for i, name := range []string{"bare/s", "group/s", "wal/s"} {
				b.ReportMetric(median(rates[i]), name)
			}
			b.ReportMetric(median(toBare), "wal/bare")
			b.ReportMetric(median(toGroup), "wal/group")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

func benchDir(b *testing.B) string {
	parent := os.Getenv("WAL_BENCH_DIR")
	if parent == "" {
		return b.TempDir()
	}
	d, err := os.MkdirTemp(parent, "wal-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(d) })
	return d
}

// share runs fn count times on n goroutines.
func share(n, count int, fn func() error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			for errs[i] == nil && next.Add(1) <= int64(count) {
				errs[i] = fn()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func logCommits(b *testing.B, n int) func(count int) error {
	dir := filepath.Join(benchDir(b), "wal")
	l, _, err := wal.Open(wal.Options{FS: vfs.OS{}, Dir: dir, FirstFileBytes: 16 << 20}, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	p := make([]byte, benchRecord)
	var mu sync.Mutex
	return func(count int) error {
		return share(n, count, func() error {
			mu.Lock()
			lsn, err := l.Append(p)
			mu.Unlock()
			if err != nil {
				return err
			}
			return l.Commit(lsn)
		})
	}
}

// bareFile is a preallocated file that is written round and round.
type bareFile struct {
	f    vfs.File
	off  int64
	size int64
}

func newBareFile(b *testing.B) *bareFile {
	const size = 16 << 20
	f, err := vfs.OS{}.Create(filepath.Join(benchDir(b), "bare"))
	if err == nil {
		err = f.Preallocate(size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &bareFile{f: f, size: size}
}

func (x *bareFile) write(p []byte) error {
	if x.off+int64(len(p)) > x.size {
		x.off = 0
	}
	if _, err := x.f.WriteAt(p, x.off); err != nil {
		return err
	}
	x.off += int64(len(p))
	return x.f.SyncData()
}

func bareCommits(b *testing.B, n int) func(count int) error {
	x := newBareFile(b)
	p := make([]byte, n*benchRecord)
	return func(count int) error {
		for ; count > 0; count -= n {
			if err := x.write(p[:min(n, count)*benchRecord]); err != nil {
				return err
			}
		}
		return nil
	}
}

// group is a group commit as plain as it can be.
type group struct {
	x                *bareFile
	mu               sync.Mutex
	cond             *sync.Cond
	pending, spare   []byte
	appended, synced int64
	busy             bool
	err              error
}

func (g *group) commit(p []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending = append(g.pending, p...)
	g.appended++
	mine := g.appended
	for g.synced < mine && g.err == nil {
		if g.busy {
			g.cond.Wait()
			continue
		}
		g.busy = true
		g.mu.Unlock()
		runtime.Gosched()
		g.mu.Lock()
		b, last := g.pending, g.appended
		g.pending = g.spare[:0]
		g.mu.Unlock()
		err := g.x.write(b)
		g.mu.Lock()
		g.synced, g.busy, g.spare = last, false, b
		if err != nil {
			g.err = err
		}
		g.cond.Broadcast()
	}
	return g.err
}

func groupCommits(b *testing.B, n int) func(count int) error {
	g := &group{x: newBareFile(b)}
	g.cond = sync.NewCond(&g.mu)
	p := make([]byte, benchRecord)
	return func(count int) error { return share(n, count, func() error { return g.commit(p) }) }
}

// BenchmarkReplay measures recovery of a log of 512-byte records.
func BenchmarkReplay(b *testing.B) {
	o := wal.Options{FS: vfs.OS{}, Dir: filepath.Join(benchDir(b), "wal")}
	l, _, err := wal.Open(o, 0, nil)
	if err != nil {
		b.Fatal(err)
	}
	const n = 200_000
	p := make([]byte, 512)
	for i := range n {
		if _, err := l.Append(p); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			if err := l.Commit(l.Next() - 1); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n * 512)
	for b.Loop() {
		l, r, err := wal.Open(o, 0, func(wal.LSN, []byte) error { return nil })
		if err != nil || r.Records != n {
			b.Fatal(r, err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
