//go:build unix && !linux && !darwin

package vfs

// syncData is a full sync.
func syncData(f *osFile) error { return f.f.Sync() }

// reserve does nothing: the zeros that Preallocate writes get the blocks.
func reserve(uintptr, int64, int64) error { return nil }
