//go:build !faults

package isolate

// Point marks a step of a write path, as room/step, at which the tests with the build tag faults let an operation
// panic or its goroutine end. In this build it is nothing: an empty function that the compiler takes away.
func Point(string) {}

// Off is false: tests with the tag faults switch a mechanism off, to show that something fails without it.
func Off(string) bool { return false }

// Fault is Point for a step that can fail, where the tests also inject an error.
func Fault(string) error { return nil }
