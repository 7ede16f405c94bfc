// Package vfs is the only door between Engram and a file system.
//
//	f, err := fsys.Create(tmp)
//	…
//	_, err = f.WriteAt(data, 0)
//	err = f.Sync()               // the bytes last
//	err = fsys.Rename(tmp, name)
//	err = fsys.SyncDir(dir)      // the name lasts
//
// Every file operation of the engine goes through [FS], a small interface with three implementations: [OS] (the
// operating system), [Mem] (memory, with power-cut clones) and [Fault] (any FS, with chosen operations failing).
// Because nothing else in the engine may import os for storage, whatever the crash model proves about Mem holds for
// every write path.
//
// # Invariants
//
//   - Writing happens only through [File.WriteAt]; mappings are read-only.
//
//   - [FS.Create] never opens an existing file: opening cannot destroy what is there.
//
//   - A name is durable only after [FS.SyncDir] of its directory; bytes are durable only after [File.Sync] or
//     [File.SyncData]. A failed sync leaves the durability of everything written since the last good sync unknown.
//
//   - Reading a mapping whose file shrank or cannot be read is an error of that read, not the end of the process, if it
//     is done in a [Guard].
//
// # Concurrency
//
// An FS and a File are safe for concurrent use; the one exception is told at [File.Preallocate]. A [Mapping] may be
// read by any number of goroutines until Close. The package starts no goroutine.
//
// # Durability
//
// Sync is fsync, and F_FULLFSYNC on darwin, where fsync leaves the data in the drive's cache. After a failed sync the
// system may count the unwritten pages as written: a later sync that succeeds proves nothing about them, on Linux and
// in Mem alike, and only writing the bytes again does. [Mem.CrashClone] shows what a power cut leaves.
//
// # Sources
//
// The durability model is that of IEEE Std 1003.1 (POSIX), fsync and rename, read strictly: nothing is ordered but by
// a sync. That a failed sync cannot be repeated: Rebello et al., "Can Applications Recover from fsync Failures?",
// USENIX ATC 2020. What file systems leave after a crash: Pillai et al., "All File Systems Are Not Created Equal",
// OSDI 2014.
package vfs

import "io"

// FS is a file system. Names are paths in the form of the operating system; they are used as given, never resolved
// against a working directory by Mem. Errors are *fs.PathError (or *os.LinkError for Rename) and match
// [io/fs.ErrNotExist] and [io/fs.ErrExist] where these apply.
type FS interface {
	// Create makes an empty file open for reading and writing, mode 0600; fs.ErrExist if the name is taken.
	Create(name string) (File, error)
	// Open opens an existing regular file. With write false, WriteAt, Preallocate, Truncate and the syncs fail with
	// fs.ErrPermission.
	Open(name string, write bool) (File, error)
	// Rename gives oldname the name newname, atomically replacing a file of that name; fs.ErrExist if newname is a
	// directory. It is durable after SyncDir of the directory; if there are two, sync that of newname first, or a
	// power cut can leave neither name.
	Rename(oldname, newname string) error
	// Remove deletes a file or an empty directory.
	Remove(name string) error
	// MkdirAll makes a directory and its parents, mode 0700; no error if it is there.
	MkdirAll(dir string) error
	// ReadDir lists the names in a directory in ascending byte order.
	ReadDir(dir string) ([]string, error)
	// Stat tells a file's size in bytes (0 for a directory) and whether it is a directory.
	Stat(name string) (Info, error)
	// SyncDir makes the names in dir durable, not those in directories below it and not what the files hold.
	SyncDir(dir string) error
	// Lock takes the exclusive lock that file name stands for, creating the file if need be, and writes the holder's
	// process id into it. If another process (or another Lock of this process) holds it, the error is a
	// *LockedError. The lock ends with Close of the result or with the process, however it dies.
	Lock(name string) (io.Closer, error)
}

// File is an open file. Offsets and sizes are in bytes; a negative one is fs.ErrInvalid. After Close every method but
// Name fails with fs.ErrClosed, mappings stay valid, and what is not synced stays unsynced.
//
// ReadAt and WriteAt keep to io.ReaderAt and io.WriterAt: fewer bytes than asked for always come with an error, which
// is io.EOF for a read that ends at the end of the file. Writing behind the end leaves a gap of zeros.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name is the path it was opened by.
	Name() string
	// Size is the current length.
	Size() (int64, error)
	// Preallocate makes the file size bytes long (it never shrinks it) with blocks reserved and reading as zeros,
	// so that a later write inside it changes no metadata and cannot run out of space. The caller syncs. It writes
	// the zeros itself, so nobody may write behind the file's end until it returns. After an error the file is as
	// long as before.
	Preallocate(size int64) error
	// Truncate sets the length.
	Truncate(size int64) error
	// Sync makes data and metadata durable (fsync). After an error nobody knows what of the data written since the
	// last good sync is durable, and trying again does not help: see Durability in the package comment.
	Sync() error
	// SyncData makes data, and the metadata needed to read it back, durable (fdatasync).
	SyncData() error
	// Map maps the first size bytes, read-only. size must be > 0 and not beyond the file's length, else
	// fs.ErrInvalid. Nobody may write to the file or shorten it from then on.
	Map(size int64) (Mapping, error)
}

// Mapping is a read-only view of a file's bytes.
//
// Reading Bytes of a real mapping faults if the file was shrunk or its page cannot be read: read through [Guard].
type Mapping interface {
	// Bytes is valid until Close and nil afterwards; nobody may write to it.
	Bytes() []byte
	// Close ends the mapping; fs.ErrClosed the second time. The caller makes sure that nobody reads Bytes any more.
	Close() error
}

// Info is what Stat tells.
type Info struct {
	Size int64
	Dir  bool
}
