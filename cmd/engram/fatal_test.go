package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// envTestDie makes this test binary a process that writes memories, says each that was acknowledged, and then dies of
// something that Go cannot catch.
const envTestDie = "ENGRAM_TEST_DIE"

// deaths are the failures that end a Go process whatever it does.
var deaths = map[string]func(){
	"stack exhaustion":          func() { fmt.Println("no end was reached:", exhaust(0)) },
	"concurrent map write":      raceOnMap,
	"out of memory":             allocate,
	"panic on a bare goroutine": func() { go func() { panic("nobody catches this") }(); select {} },
}

// exhaust calls itself until the stack is at its limit, which is long before n can be at its own.
func exhaust(n int) int {
	if n == math.MaxInt {
		return n
	}
	return exhaust(n+1) + n
}

// raceOnMap writes to a map from many goroutines until the runtime notices. They have threads of their own also where
// there is one processor: the scheduler itself would not stop one in the middle of a write.
func raceOnMap() {
	runtime.GOMAXPROCS(8)
	m := map[int]int{}
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				m[i%64] = g
			}
		}()
	}
	select {}
}

// allocate asks for more than the process may have; its parent has limited it.
func allocate() {
	var kept [][]byte
	for {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
		runtime.KeepAlive(kept)
	}
}

// dieOf is what such a process does.
func dieOf(how, dir string) {
	debug.SetMaxStack(16 << 20)
	db, err := engram.Open(dir)
	if err != nil {
		fmt.Println("open:", err)
		return
	}
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		fmt.Println("space:", err)
		return
	}
	for i := range 50 {
		id := fmt.Sprint("m", i)
		_, err := space.Remember(context.Background(), engram.Draft{ID: id, Content: "said before dying of " + how})
		if err != nil {
			fmt.Println("remember:", err)
			return
		}
		fmt.Println("acknowledged", id)
	}
	deaths[how]()
}

// TestWhatCannotBeCaughtIsSurvived lets a process die of what Go cannot recover from; reopening gives exactly what it
// acknowledged.
func TestWhatCannotBeCaughtIsSurvived(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how := range deaths {
		t.Run(how, func(t *testing.T) {
			if how == "out of memory" && runtime.GOOS != "linux" {
				t.Skip("limiting a process's memory with ulimit is done on Linux only")
			}
			dir := filepath.Join(t.TempDir(), "data")
			cmd := exec.Command(self)
			if how == "out of memory" {
				cmd = exec.Command("bash", "-c", `ulimit -v 2500000; exec "$0"`, self)
			}
			cmd.Env = append(os.Environ(), envTestDie+"="+how, envDataDir+"="+dir)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			acknowledged := 0
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if !strings.HasPrefix(lines.Text(), "acknowledged ") {
					t.Errorf("the process said %q", lines.Text())
				}
				acknowledged++
			}
			if err := cmd.Wait(); err == nil {
				t.Errorf("the process did not die of %s", how)
			}
			db, err := engram.Open(dir)
			if err != nil {
				t.Fatalf("Open after %s = %v", how, err)
			}
			defer db.Close()
			space, err := db.Space(engram.DefaultSpace)
			if err != nil {
				t.Fatal(err)
			}
			stats, err := space.Stats(t.Context())
			if err != nil || stats.Memories != acknowledged || acknowledged != 50 {
				t.Errorf("after %s %d memories are there, %d were acknowledged, %v",
					how, stats.Memories, acknowledged, err)
			}
			if report, err := space.Verify(t.Context()); err != nil || len(report.Problems) > 0 {
				t.Errorf("Verify after %s = %+v, %v", how, report, err)
			}
		})
	}
}
