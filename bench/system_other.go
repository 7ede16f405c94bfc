//go:build !linux

package main

import (
	"os"
	"time"
)

// syncData makes a file durable.
func syncData(f *os.File) error { return f.Sync() }

// cpuTime is known on linux only.
func cpuTime() (d time.Duration, ok bool) { return 0, false }
