// Package leak is for tests: it fails a test binary that leaves goroutines of this module behind.
//
//	func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }
//
// # Concurrency
//
// Main is called once, by TestMain.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// patience is how long goroutines that are on their way out may take: far longer than any needs (chosen).
const patience = 10 * time.Second

// Main runs the tests and returns the exit code: theirs, or 1 if goroutines that run this module's code are still there
// afterwards. It prints their stacks.
func Main(m interface{ Run() int }) int {
	code := m.Run()
	if code != 0 {
		return code
	}
	left := Left()
	for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = Left() {
		time.Sleep(time.Millisecond)
	}
	if len(left) == 0 {
		return code
	}
	fmt.Fprintf(os.Stderr, "the tests left %d goroutines behind:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
	return 1
}

// Left lists the stacks of all goroutines but the calling one that run code of this module.
func Left() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i > 0 && strings.Contains(stack, "github.com/orchard9/engram-go") { // the first is the caller's
			left = append(left, stack)
		}
	}
	return left
}
