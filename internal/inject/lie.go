//go:build faults

package inject

import (
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/vfs"
)

// Lie is a file system on which the syncs of one place in the source do nothing and say that all is well.
type Lie struct {
	vfs.FS
	site string
	told *atomic.Int64
}

// NewLie lies about the syncs that are asked for at a step's place.
func NewLie(base vfs.FS, step string) *Lie {
	return &Lie{FS: base, site: step, told: new(atomic.Int64)}
}

// Told counts the lies.
func (l *Lie) Told() int { return int(l.told.Load()) }

// On is the same liar on another file system.
func (l *Lie) On(base vfs.FS) *Lie { return &Lie{FS: base, site: l.site, told: l.told} }

func (l *Lie) lies() bool {
	if site() != l.site {
		return false
	}
	l.told.Add(1)
	return true
}

// SyncDir implements [vfs.FS].
func (l *Lie) SyncDir(dir string) error {
	if l.lies() {
		return nil
	}
	return l.FS.SyncDir(dir)
}

// Create implements [vfs.FS].
func (l *Lie) Create(name string) (vfs.File, error) {
	f, err := l.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return &lyingFile{f, l}, nil
}

// Open implements [vfs.FS].
func (l *Lie) Open(name string, write bool) (vfs.File, error) {
	f, err := l.FS.Open(name, write)
	if err != nil {
		return nil, err
	}
	return &lyingFile{f, l}, nil
}

type lyingFile struct {
	vfs.File
	l *Lie
}

func (f *lyingFile) Sync() error {
	if f.l.lies() {
		return nil
	}
	return f.File.Sync()
}

func (f *lyingFile) SyncData() error {
	if f.l.lies() {
		return nil
	}
	return f.File.SyncData()
}
