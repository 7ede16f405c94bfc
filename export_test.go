package engram

import "github.com/orchard9/engram-go/internal/vfs"

// On makes options that store everything on fs.
func (o Options) On(fs vfs.FS) Options {
	o.fs = fs
	return o
}

// OpenSpaces counts the spaces that are open, the default one included.
func (db *DB) OpenSpaces() int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.handles.count
}

// Wilson is the lower end of the interval that predictions give.
var Wilson = wilson
