package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// syncData is a full sync: darwin's fsync and fdatasync leave the data in the drive's cache, and only F_FULLFSYNC,
// which os.File.Sync uses, makes the drive write it.
func syncData(f *osFile) error { return f.f.Sync() }

// reserve gets blocks behind the end of a file that is have bytes long until there are size bytes of them, in one
// piece if possible. File systems that cannot reserve get theirs from the zeros that follow.
func reserve(fd uintptr, have, size int64) error {
	if size <= have {
		return nil
	}
	err := preallocate(fd, unix.F_ALLOCATECONTIG|unix.F_ALLOCATEALL, size-have)
	if err != nil {
		err = preallocate(fd, unix.F_ALLOCATEALL, size-have)
	}
	if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

func preallocate(fd uintptr, flags uint32, length int64) error {
	return retry(func() error {
		store := unix.Fstore_t{Flags: flags, Posmode: unix.F_PEOFPOSMODE, Length: length}
		return unix.FcntlFstore(fd, unix.F_PREALLOCATE, &store)
	})
}
