package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

// syncData is fdatasync: the data, and of the metadata only what is needed to read it back.
func syncData(f *osFile) error {
	err := f.control(func(fd uintptr) error {
		return retry(func() error { return unix.Fdatasync(int(fd)) })
	})
	if err != nil {
		return pathError("sync", f.name, err)
	}
	return nil
}

// reserve gets blocks for all of the first size bytes of a file that is have bytes long. File systems that cannot
// reserve (NFS before 4.2, ZFS, many in user space) get theirs from the zeros that follow.
func reserve(fd uintptr, _, size int64) error {
	err := retry(func() error { return unix.Fallocate(int(fd), 0, 0, size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
