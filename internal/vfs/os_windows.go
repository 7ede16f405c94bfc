package vfs

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const openFlags = 0

// syncData is a full sync: Windows has no other.
func syncData(f *osFile) error { return f.f.Sync() }

// reserve does nothing: the zeros that Preallocate writes get the blocks.
func reserve(uintptr, int64, int64) error { return nil }

// lockFile takes the exclusive lock of the open file; errHeld if another handle has it. Windows locks are mandatory,
// so the locked byte lies far behind the holder's pid, which others must be able to read.
func lockFile(fd uintptr) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errHeld
	}
	return err
}

// mmap maps the first size bytes of a file, read-only. The view keeps the mapping object alive, so that the handle
// of the object can be closed at once.
func mmap(fd uintptr, size int) (_ []byte, err error) {
	high, low := uint32(uint64(size)>>32), uint32(size)
	h, err := windows.CreateFileMapping(windows.Handle(fd), nil, windows.PAGE_READONLY, high, low, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, windows.CloseHandle(h)) }()
	addr, err := windows.MapViewOfFile(h, windows.FILE_MAP_READ, 0, 0, uintptr(size))
	if err != nil {
		return nil, err
	}
	// The address is not Go memory and never moves; reading it as a pointer through &addr says so to vet.
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), size), nil
}

func munmap(data []byte) error {
	return windows.UnmapViewOfFile(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
}

// syncDir only checks that dir is a directory. Windows cannot sync one: FlushFileBuffers wants a handle that may
// write, which a directory does not give, and NTFS journals its names by itself, in order.
func syncDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return pathError("sync", dir, syscall.ENOTDIR)
	}
	return nil
}
