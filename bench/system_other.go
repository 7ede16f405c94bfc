//go:build !linux

package main

import (
	"os"
	"time"
)

// syncData makes a file durable.
func syncData(f *os.File) error { return f.Sync() }

var began = time.Now()

// threadTime is the time that has gone by: processor time is known on linux only.
func threadTime() time.Duration { return time.Since(began) }

// cpuTime is known on linux only.
func cpuTime() (d time.Duration, ok bool) { return 0, false }
