package vfs

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/orchard9/engram-go/internal/isolate"
)

// FaultError is returned by [Guard] when the memory at Addr could not be read: most often a mapped file that was
// shrunk, or a page of it that the disk did not deliver.
type FaultError struct {
	Addr uintptr // the address of the fault, usually the first that could not be read
}

// Error tells the address. Which file it belongs to, the caller knows: see Offset.
func (e *FaultError) Error() string {
	return fmt.Sprintf("read mapped file: memory fault at %#x: the file was shrunk or the disk cannot read it", e.Addr)
}

// Offset tells where in b the fault was; ok is false if it was not in b. With the bytes of a mapping this is the offset
// in the file, and it separates damage of that file from a bug that went astray.
func (e *FaultError) Offset(b []byte) (off int, ok bool) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if e.Addr < start || e.Addr-start >= uintptr(len(b)) {
		return 0, false
	}
	return int(e.Addr - start), true
}

// addressable is a run-time error that knows the address of the memory fault it stands for.
type addressable interface {
	runtime.Error
	Addr() uintptr
}

// Guard calls fn and returns its error, or a *FaultError if fn touched memory that cannot be read. All access to the
// Bytes of a [Mapping] belongs in one.
//
// It works for the calling goroutine only: a goroutine that fn starts needs a Guard of its own, or a fault in it ends
// the process. Other panics, nil pointers among them, pass through unchanged. When fn faults, its deferred calls run
// and nothing after the fault does, so it must not hold a lock without defer. Guards may be nested. A Guard costs some
// ten nanoseconds (BenchmarkGuard): one per block, not one per byte.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(!isolate.Off("panic on fault"))
	defer func() {
		debug.SetPanicOnFault(old)
		switch r := recover().(type) {
		case nil:
		case addressable:
			err = &FaultError{Addr: r.Addr()}
		default:
			panic(r)
		}
	}()
	return fn()
}
