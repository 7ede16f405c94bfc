//go:build unix && !linux && !darwin

package vfs

import "errors"

// freeBytes is not asked: statfs differs between the others.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
