//go:build faults

package inject

import (
	"errors"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/vfs"
)

// Kinds of failure.
const (
	Panic  = "panic"
	Goexit = "goexit"
	Error  = "error" // of steps that can return one
	Late   = "late"  // of file operations: a panic when the operation is done
)

// ErrInjected is what an injected panic panics with, and the injected error.
var ErrInjected = errors.New("injected")

// Trap makes one hit of one step fail, once. The zero value with a Kind springs nowhere and counts.
type Trap struct {
	Step string
	Kind string
	Nth  int64 // which hit, from 1

	hits atomic.Int64
	shut atomic.Bool

	mu     sync.Mutex
	counts map[string]int // of all steps that came by
}

// Shut keeps the trap from failing and from counting hits, until Open.
func (p *Trap) Shut() { p.shut.Store(true) }

// Open lets the trap spring again.
func (p *Trap) Open() { p.shut.Store(false) }

// Sprung reports whether the step has failed.
func (p *Trap) Sprung() bool { return p.hits.Load() >= max(p.Nth, 1) }

// Counts says how often each step came by.
func (p *Trap) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Spring is called at every step: it is what isolate.OnPoint takes.
func (p *Trap) Spring(step string) error {
	p.mu.Lock()
	if p.counts == nil {
		p.counts = map[string]int{}
	}
	p.counts[step]++
	p.mu.Unlock()
	if step != p.Step || p.shut.Load() || p.hits.Add(1) != p.Nth {
		return nil
	}
	switch p.Kind {
	case Panic, Late:
		panic(ErrInjected)
	case Goexit:
		runtime.Goexit()
	}
	return ErrInjected
}

// Files is base with every operation that changes something as a step.
func (p *Trap) Files(base vfs.FS) *vfs.Fault {
	f := vfs.NewFault(base)
	f.Inject = func(op vfs.Op) error {
		if !Changes(op.Kind) || p.Kind == Late {
			return nil
		}
		return p.Spring(site())
	}
	f.OnOp = func(op vfs.Op) {
		if Changes(op.Kind) && p.Kind == Late {
			_ = p.Spring(site())
		}
	}
	return f
}

// Changes reports whether an operation changes what a disk holds, or what of it is durable.
func Changes(k vfs.OpKind) bool {
	switch k {
	case vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpMkdirAll, vfs.OpSyncDir, vfs.OpWrite, vfs.OpPreallocate,
		vfs.OpTruncate, vfs.OpSync, vfs.OpSyncData:
		return true
	}
	return false
}

// site names the place in the source that asked for the file operation under way: the first in this module outside of
// vfs and this package. It goes by files, since functions that are inlined have other names.
func site() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		dir, file := path.Split(frame.File)
		room := path.Base(dir)
		if strings.HasPrefix(dir, root) && room != "vfs" && room != "inject" {
			if path.Clean(dir) == root {
				room = "engram"
			}
			return room + "/" + file + ":" + strconv.Itoa(frame.Line)
		}
		if !more {
			return "?"
		}
	}
}

// root is the folder of the module's source.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return path.Dir(path.Dir(path.Dir(file)))
}()
