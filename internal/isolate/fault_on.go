//go:build faults

package isolate

import (
	"os"
	"sync/atomic"
)

// hook is what Point and Fault call; nil calls nothing. It exists in builds with the tag faults only.
var hook atomic.Pointer[func(name string) error]

// OnPoint sets what is called at every point from now on, from any goroutine, with its name; the result undoes it. fn
// may panic, end its goroutine, block, or return an error, which Fault passes on and Point panics with.
func OnPoint(fn func(name string) error) (undo func()) {
	old := hook.Swap(&fn)
	return func() { hook.Store(old) }
}

// EnvOff names the environment variable that switches one mechanism off.
const EnvOff = "ENGRAM_FAULTS_OFF"

// Off reports whether a mechanism is switched off, by the environment of the process.
func Off(mechanism string) bool { return os.Getenv(EnvOff) == mechanism }

// Point marks a step of a write path, as room/step.
func Point(name string) {
	if err := Fault(name); err != nil {
		panic(err)
	}
}

// Fault is Point for a step that can fail.
func Fault(name string) error {
	if fn := hook.Load(); fn != nil {
		return (*fn)(name)
	}
	return nil
}
