package vfs

// SameFile is sameFile, whose race no test can win on purpose.
var SameFile = sameFile

// PreallocateUnreserved is Preallocate on a file system that cannot reserve blocks.
func PreallocateUnreserved(file File, size int64) error {
	f := file.(*osFile)
	have, err := f.Size()
	if err != nil {
		return err
	}
	return f.extend(have, size, func(uintptr, int64, int64) error { return nil })
}
