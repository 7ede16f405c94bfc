// Package isolate holds the two ideas that Engram is founded on, as small building blocks: the boundary that turns a
// panic into that operation's own error, and containers whose readers take no lock because what they read never
// moves and never changes.
//
// # The boundary
//
// [Do] runs one operation. A panic, a nil dereference, a failed bounds check or a runtime.Goexit inside it comes back
// as a [*PanicError]; the goroutine goes on.
//
// # Publish last
//
// [Column], [Stamps], [Arena] and [Table] have one writer at a time (the caller serialises writers) and any number of
// readers. The writer fills places that no reader may look at yet; the caller then makes them reachable with one
// atomic store of its own (a view pointer), and readers look only at what the view they loaded covers. Growth adds
// chunks; it never copies or moves what a reader may be looking at. Nothing has to be undone when a writer dies half
// way: what it filled stays unreachable.
//
// # Concurrency
//
// One writer, many readers, no locks, no goroutines.
package isolate

import (
	"fmt"
	"runtime/debug"
)

// PanicError is what an operation returns when it panicked. Nothing of the operation is visible and nothing needs
// recovery.
type PanicError struct {
	Op    string // the operation, such as "remember"
	Space string // the space it ran in, "" if none
	Value any    // the value given to panic; nil for runtime.Goexit
	Stack []byte // the goroutine's stack where it happened
	// InDoubt says that it happened after a write was handed to the log: the write may be there after a restart.
	InDoubt bool
}

// Error names the operation, the space and the panic's value; the stack is in Stack.
func (e *PanicError) Error() string {
	where := e.Op
	if e.Space != "" {
		where += " in space " + e.Space
	}
	what := "nothing was changed"
	if e.InDoubt {
		what = "whether the write happened shows at the next opening"
	}
	if e.Value == nil {
		return where + " ended by runtime.Goexit: " + what + "; this is a defect, please report it with its stack"
	}
	return fmt.Sprintf("%s panicked: %v: %s; this is a defect, please report it with its stack", where, e.Value, what)
}

// Unwrap gives the panic's value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Do runs fn and returns its error, or a *PanicError if fn panicked. It costs one deferred call (a few nanoseconds).
//
// runtime.Goexit cannot be stopped, only seen: fn's goroutine still ends, but its deferred functions run and onExit,
// if not nil, is called with the *PanicError so that whoever waits for the operation's result hears of it.
func Do(op, space string, onExit func(error), fn func() error) (err error) {
	finished := false
	defer func() {
		if finished {
			return
		}
		if Off("recover") {
			return
		}
		value := recover()
		failure := &PanicError{Op: op, Space: space, Value: value, Stack: debug.Stack()}
		err = failure
		if value == nil && onExit != nil {
			onExit(failure)
		}
	}()
	err = fn()
	finished = true
	return err
}

// Go runs fn on its own goroutine and waits for it, so that even a runtime.Goexit inside fn comes back to the caller
// as an error and the caller's goroutine lives on. It costs a goroutine: for background jobs, not for hot paths.
func Go(op, space string, fn func() error) error {
	result := make(chan error, 1)
	go func() {
		var err error
		defer func() { result <- err }()
		err = Do(op, space, func(e error) { err = e }, fn)
	}()
	return <-result
}
