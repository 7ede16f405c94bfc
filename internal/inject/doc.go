// Package inject is for tests with the build tag faults: it lists the steps that can fail, makes one of them fail, and
// shows that a test fails when a mechanism is switched off.
//
// A step is a point that the source names with isolate.Point or isolate.Fault, or a file operation, which is named by
// where the source asks for it: every call of a method of vfs.FS or vfs.File that changes something is a step by
// itself, without a point beside it.
//
// # Concurrency
//
// A Trap may be sprung from any goroutine. isolate.OnPoint is the process's: one test at a time uses it.
package inject
