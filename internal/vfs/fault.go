package vfs

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// OpKind is a kind of file operation.
type OpKind uint8

// The kinds of operations, one for each method of [FS] and [File] with these exceptions: File.Size is an OpStat, and
// closing a lock or a mapping is an OpClose like closing a file. Name and Bytes do not count.
const (
	OpCreate OpKind = iota
	OpOpen
	OpRename
	OpRemove
	OpMkdirAll
	OpReadDir
	OpStat
	OpSyncDir
	OpLock
	OpRead
	OpWrite
	OpPreallocate
	OpTruncate
	OpSync
	OpSyncData
	OpMap
	OpClose

	opKinds int = iota
)

var opNames = [opKinds]string{
	"create", "open", "rename", "remove", "mkdir", "readdir", "stat", "syncdir", "lock",
	"read", "write", "preallocate", "truncate", "sync", "syncdata", "map", "close",
}

// String returns the word for the kind that errors use.
func (k OpKind) String() string {
	if int(k) < len(opNames) {
		return opNames[k]
	}
	return fmt.Sprintf("OpKind(%d)", uint8(k))
}

// Op is one file operation.
type Op struct {
	Index   int    // how many operations began before it
	Nth     int    // how many of its kind began before it
	Kind    OpKind // what it does
	Name    string // the file or directory; the old name of a rename
	NewName string // the new name of a rename
	Off     int64  // the offset of a read or write; the size that Preallocate, Truncate and Map ask for
	Len     int    // the length of a read or write
	Err     error  // for OnOp: what the operation returned
}

// String describes the operation in one line.
func (op Op) String() string {
	s := fmt.Sprintf("%d: %v %s", op.Index, op.Kind, op.Name)
	switch op.Kind {
	case OpRename:
		s += " to " + op.NewName
	case OpRead, OpWrite:
		s += fmt.Sprintf(" [%d:+%d]", op.Off, op.Len)
	case OpPreallocate, OpTruncate, OpMap:
		s += fmt.Sprintf(" %d", op.Off)
	}
	if op.Err != nil {
		s += ": " + op.Err.Error()
	}
	return s
}

// Fault passes operations on to another FS, counts them, and makes chosen ones fail.
//
// An operation that is made to fail does not reach the other FS, so that nothing of it happens, with three
// exceptions: a write can stop in the middle (see [ShortWrite]), a Close closes nevertheless, so that failures leak
// nothing, and a failed Sync or SyncData on a [Mem] does to the file what Linux does: what was unsynced stays in
// doubt for ever, even if the next sync says that all is well. Rewriting it and syncing again makes it durable. A
// failed SyncDir leaves the names as they were, and the next one can succeed.
//
// Injected errors come as *fs.PathError (*os.LinkError for Rename) around the error as given, usually syscall.EIO or
// syscall.ENOSPC.
//
// A Fault is safe for concurrent use. Inject and OnOp are set before it is used, may be called from several
// goroutines at once, and may use the FS underneath, but not the Fault's own operations without end.
type Fault struct {
	// Inject, if not nil, is called before every operation; if it returns an error, the operation fails with it.
	Inject func(op Op) error
	// OnOp, if not nil, is called after every operation, failed ones too, before its result is returned.
	OnOp func(op Op)

	base FS

	mu    sync.Mutex // guards all that follow
	ops   int
	kinds [opKinds]int
	rules []rule
}

var (
	_ FS      = (*Fault)(nil)
	_ File    = (*faultFile)(nil)
	_ Mapping = (*faultMapping)(nil)
)

// rule says which operation fails and how.
type rule struct {
	kind  OpKind
	any   bool // of all kinds, counted together
	after bool // all later ones too
	n     int
	err   error
}

func (r rule) matches(op Op) bool {
	n := op.Index
	if !r.any {
		n = op.Nth
	}
	return (r.any || op.Kind == r.kind) && (n == r.n || r.after && n > r.n)
}

// NewFault returns a Fault over base that lets everything pass.
func NewFault(base FS) *Fault { return &Fault{base: base} }

// Ops returns how many operations have begun.
func (f *Fault) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// KindOps returns how many operations of one kind have begun.
func (f *Fault) KindOps(kind OpKind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(kind) >= opKinds {
		return 0
	}
	return f.kinds[kind]
}

// FailAt makes the operation with index n fail, counting from 0 since NewFault.
func (f *Fault) FailAt(n int, err error) { f.add(rule{any: true, n: n, err: err}) }

// FailFrom makes the operation with index n and all later ones fail: the disk is gone.
func (f *Fault) FailFrom(n int, err error) { f.add(rule{any: true, after: true, n: n, err: err}) }

// FailKindAt makes the n-th operation of a kind fail, counting from 0 since NewFault.
func (f *Fault) FailKindAt(kind OpKind, n int, err error) { f.add(rule{kind: kind, n: n, err: err}) }

// FailKindFrom makes the n-th operation of a kind and all later ones of that kind fail, as writes do on a full disk.
func (f *Fault) FailKindFrom(kind OpKind, n int, err error) {
	f.add(rule{kind: kind, after: true, n: n, err: err})
}

// ShortWriteAt makes the n-th write stop after k bytes and return err.
func (f *Fault) ShortWriteAt(n, k int, err error) {
	f.add(rule{kind: OpWrite, n: n, err: &ShortWrite{N: k, Err: err}})
}

// Heal forgets all failures that were ordered. It does not touch Inject and does not reset the counts.
func (f *Fault) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

func (f *Fault) add(r rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
}

// ShortWrite is an error for Inject to return for an OpWrite: the first N bytes are written, at most all of them, and
// Err is returned. For other operations it is the same as Err.
type ShortWrite struct {
	N   int
	Err error
}

// Error says how much is written and why no more.
func (e *ShortWrite) Error() string { return fmt.Sprintf("%v after %d bytes", e.Err, e.N) }

// Unwrap returns Err.
func (e *ShortWrite) Unwrap() error { return e.Err }

// begin counts op and returns it with its numbers, and the error it is to fail with, if any.
func (f *Fault) begin(op Op) (Op, error) {
	f.mu.Lock()
	op.Index, op.Nth = f.ops, f.kinds[op.Kind]
	f.ops++
	f.kinds[op.Kind]++
	i := slices.IndexFunc(f.rules, func(r rule) bool { return r.matches(op) })
	var err error
	if i >= 0 {
		err = f.rules[i].err
	}
	f.mu.Unlock()
	if err == nil && f.Inject != nil {
		err = f.Inject(op)
	}
	return op, err
}

// do runs one operation: pass, or fail in its stead. Both return what the caller gets; fail may be nil.
func (f *Fault) do(op Op, pass func() error, fail func(injected error)) error {
	op, err := f.begin(op)
	if err != nil {
		if fail != nil {
			fail(err)
		}
		err = op.wrap(err)
	} else {
		err = pass()
	}
	if f.OnOp != nil {
		op.Err = err
		f.OnOp(op)
	}
	return err
}

// wrap is an injected error in the form in which file systems return theirs.
func (op Op) wrap(err error) error {
	if short, ok := errors.AsType[*ShortWrite](err); ok {
		err = short.Err
	}
	if op.Kind == OpRename {
		return linkError(op.Name, op.NewName, err)
	}
	return pathError(op.Kind.String(), op.Name, err)
}
