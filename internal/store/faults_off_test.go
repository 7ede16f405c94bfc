//go:build faults

package store_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

// TestEveryMechanismMatters switches one mechanism off at a time and runs the matrix in a process of its own: it must
// fail there. A mechanism that nothing misses protects nothing.
func TestEveryMechanismMatters(t *testing.T) {
	if os.Getenv(isolate.EnvOff) != "" {
		t.Skip("a mechanism is switched off: this is the run that must fail")
	}
	for mechanism, what := range map[string]string{
		"recover":        "the boundary that turns a panic into an error",
		"undo":           "taking back what a failed write changed in place",
		"void rows":      "making the rows of a failed write void for good",
		"publish last":   "showing a write to readers only when it is durable",
		"wake waiters":   "waking who waits for a log file that failed to come",
		"take back trim": "keeping a log file in its place that could not be removed",
	} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFaultMatrix$", "-test.timeout=30s")
			cmd.Env = append(os.Environ(), isolate.EnvOff+"="+mechanism)
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("without %s the matrix passes all the same:\n%s", what, out)
			}
		})
	}
}
