package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// describe prints what a figure depends on: machine, system, Go, file system, versions of the peers, seed.
func describe(s *session) {
	fmt.Fprintf(s.out, "- machine: %s, %d processors, %s of memory\n", processor(), runtime.NumCPU(), memoryTotal())
	fmt.Fprintf(s.out, "- system: %s/%s %s, file system %s\n",
		runtime.GOOS, runtime.GOARCH, firstLine("/proc/sys/kernel/osrelease"), fileSystem(s.dir))
	fmt.Fprintf(s.out, "- Go: %s, GOMAXPROCS %d, GOGC %s\n",
		runtime.Version(), runtime.GOMAXPROCS(0), orDefault(os.Getenv("GOGC"), "100"))
	if peers := versions(); peers != "" {
		fmt.Fprintf(s.out, "- peers: %s\n", peers)
	}
	mode := "full"
	if s.quick {
		mode = "QUICK: these figures show that the benchmark works, nothing else"
	}
	fmt.Fprintf(s.out, "- run: %s, seed %d, %s%s\n", mode, s.seed, time.Now().UTC().Format("2006-01-02"), revision())
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// firstLine is the first line of a file, "" if it cannot be read.
func firstLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

// field is the value of the first line "key : value" of a file in /proc, "" if there is none.
func field(path, key string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func processor() string {
	return orDefault(field("/proc/cpuinfo", "model name"), "unknown processor")
}

func memoryTotal() string {
	kib, ok := kibibytes("/proc/meminfo", "MemTotal")
	if !ok {
		return "unknown size"
	}
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}

// kibibytes reads a value such as "1234 kB".
func kibibytes(path, key string) (int64, bool) {
	digits, _, _ := strings.Cut(field(path, key), " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// fileSystem names the type of the file system that holds dir, as the kernel's mount table has it.
func fileSystem(dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "unknown"
	}
	best, kind := "", "unknown"
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(line, " - ")
		at, what := strings.Fields(before), strings.Fields(after)
		if !ok || len(at) < 5 || len(what) < 1 {
			continue
		}
		point := at[4]
		within := point == "/" || real == point || strings.HasPrefix(real, point+"/")
		if within && len(point) >= len(best) {
			best, kind = point, what[0]
		}
	}
	if kind == "tmpfs" {
		kind += " (memory: a sync costs nothing there, so figures of durable writes mean nothing)"
	}
	return kind
}

// versions lists the peers as this binary was built with them.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var out []string
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/cockroachdb/pebble/v2", "go.etcd.io/bbolt", "modernc.org/sqlite":
			out = append(out, m.Path+" "+m.Version)
		}
	}
	return strings.Join(out, ", ")
}

// revision is the commit that this binary was built from, where the build noted it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return ", commit " + setting.Value[:12]
		}
	}
	return ""
}

// peakRSS is the largest resident size so far in bytes; 0 if the system does not tell.
func peakRSS() int64 {
	kib, _ := kibibytes("/proc/self/status", "VmHWM")
	return kib << 10
}

// descriptors counts this process's open files; -1 if the system does not tell.
func descriptors() int {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(names) - 1 // without the directory that is being read
}

// liveHeap collects garbage and tells the bytes of what is left, and of the memory spans that hold it.
func liveHeap() (alloc, inUse uint64) {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of in the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc, m.HeapInuse
}
