package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/backup"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// Until is the point that a restoration goes to: the last position that is taken, or the last instant, in nanoseconds
// since 1970 UTC. 0 and NoTime are no bound.
type Until struct {
	Position uint64
	Time     int64
}

// Restoration builds a space from sections of backups in a directory of its own, which nobody may open before Finish
// has returned. It is for one goroutine.
type Restoration struct {
	fs    vfs.FS
	dir   string
	until Until
	side  string // the name of the side file

	section  backup.Space
	begun    bool   // some section was taken
	position uint64 // of the last frame taken
	reached  bool   // what follows is beyond until
	skip     bool   // the section is passed over
	file     vfs.File
	path     string
	written  uint64 // of the file
	size     uint64
	held     *[]byte // the side file of an incremental section, until the section was taken as a whole
	log      *wal.Log
}

// maxSide is the size of the largest side file.
const maxSide = 1 << 20

// NewRestoration begins in dir, which must not exist or be empty. side names the space's side file, which becomes that
// of the last section that is taken as a whole; one that stops within its first section has that section's.
func NewRestoration(fsys vfs.FS, dir string, until Until, side string) *Restoration {
	return &Restoration{fs: fsys, dir: dir, until: until, side: side}
}

// Section begins a section. Full ones start anew, unless they lie beyond the point that was asked for; others must
// follow what was taken before without a gap.
func (r *Restoration) Section(s backup.Space) error {
	if err := r.endSection(); err != nil {
		return err
	}
	r.section, r.skip = s, r.reached
	switch {
	case r.reached:
		return nil
	case s.Full && r.beyond(s):
		if !r.begun {
			return fmt.Errorf("restore space %s: the earliest backup given holds position %d and everything before "+
				"it as one: ask for that or later, or give an earlier full backup first: %w", s.Name, s.From,
				ErrConflict)
		}
		if r.until.Time != NoTime && s.From > r.position {
			return r.missing(s)
		}
		r.skip, r.reached = true, true
		return nil
	case s.Full:
		return r.startAnew()
	case !r.begun:
		return fmt.Errorf("restore space %s: the first backup given is an incremental one, of positions above %d: "+
			"give the full one it follows first: %w", s.Name, s.From, ErrConflict)
	case s.From > r.position:
		return r.missing(s)
	}
	return nil
}

func (r *Restoration) missing(s backup.Space) error {
	return fmt.Errorf("restore space %s: backups of the positions from %d to %d are missing: give all of them, in the "+
		"order in which they were taken: %w", s.Name, r.position+1, s.From, ErrConflict)
}

func (r *Restoration) beyond(s backup.Space) bool {
	return r.until.Position > 0 && s.From > r.until.Position || r.until.Time != NoTime && s.WrittenAt > r.until.Time
}

// startAnew makes the directory empty.
func (r *Restoration) startAnew() error {
	if err := r.closeLog(); err != nil {
		return err
	}
	if err := RemoveAll(r.fs, r.dir); err != nil {
		return err
	}
	if err := r.fs.MkdirAll(r.dir); err != nil {
		return fmt.Errorf("restore space: %w", err)
	}
	r.begun, r.position = true, r.section.From
	return nil
}

// RemoveAll removes a directory of files and of directories of files, if it is there.
func RemoveAll(fsys vfs.FS, dir string) error {
	names, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		info, err := fsys.Stat(path)
		if err == nil && info.Dir {
			err = RemoveAll(fsys, path)
		} else if err == nil {
			err = fsys.Remove(path)
		}
		if err != nil {
			return fmt.Errorf("remove directory: %w", err)
		}
	}
	if err := fsys.Remove(dir); err != nil {
		return fmt.Errorf("remove directory: %w", err)
	}
	return nil
}

// File begins a file of the section.
func (r *Restoration) File(f backup.File) error {
	if r.skip {
		return nil
	}
	if err := r.endFile(); err != nil {
		return err
	}
	if !r.section.Full && f.Name == r.side && f.SizeBytes <= maxSide {
		r.held, r.path, r.written, r.size = &[]byte{}, f.Name, 0, f.SizeBytes
		return nil
	}
	if !r.section.Full || r.log != nil {
		return fmt.Errorf("restore space %s: file %s where none may come", r.section.Name, f.Name)
	}
	var err error
	if r.file, err = r.fs.Create(filepath.Join(r.dir, f.Name)); err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	r.path, r.written, r.size = f.Name, 0, f.SizeBytes
	return nil
}

// Data takes a piece of the file.
func (r *Restoration) Data(chunk backup.Data) error {
	if r.skip {
		return nil
	}
	if r.file == nil && r.held == nil || r.written+uint64(len(chunk)) > r.size {
		return fmt.Errorf("restore space %s: more bytes than file %s has", r.section.Name, r.path)
	}
	if r.held != nil {
		*r.held = append(*r.held, chunk...)
		r.written += uint64(len(chunk))
		return nil
	}
	if _, err := r.file.WriteAt(chunk, int64(r.written)); err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	r.written += uint64(len(chunk))
	return nil
}

// endFile makes the file that was begun durable.
func (r *Restoration) endFile() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Sync()
	if r.written != r.size {
		err = errors.Join(err, fmt.Errorf("file %s has %d bytes, %d came", r.path, r.size, r.written))
	}
	if err = errors.Join(err, r.file.Close()); err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	r.file = nil
	return nil
}

// Frame takes one record of the log.
func (r *Restoration) Frame(f backup.Frame) error {
	switch {
	case r.skip || r.reached || f.Position <= r.position && !r.section.Full:
		return nil
	case f.Position != r.position+1:
		return fmt.Errorf("restore space %s: frame %d follows frame %d", r.section.Name, f.Position, r.position)
	}
	if err := r.openLog(); err != nil {
		return err
	}
	past, err := r.past(f)
	if err != nil || past {
		r.reached = past
		return err
	}
	lsn, err := r.log.Append(f.Payload)
	if err == nil && uint64(lsn) != f.Position {
		err = fmt.Errorf("it became record %d", lsn)
	}
	if err != nil {
		return fmt.Errorf("restore frame %d of space %s: %w", f.Position, r.section.Name, err)
	}
	r.position = f.Position
	if r.log.Stats().PendingBytes < backup.ChunkBytes {
		return nil
	}
	return r.log.Commit(lsn)
}

// past reports whether a frame lies beyond the point asked for. A frame that tells no time belongs to the one before.
func (r *Restoration) past(f backup.Frame) (bool, error) {
	if r.until.Position > 0 && f.Position > r.until.Position {
		return true, nil
	}
	ops, err := readFrame(f.Payload, f.Position)
	if err != nil {
		return false, fmt.Errorf("restore frame %d of space %s: %w", f.Position, r.section.Name, err)
	}
	if r.until.Time == NoTime {
		return false, nil
	}
	for _, o := range ops {
		if timed, ok := o.(interface{ takenAt() int64 }); ok && timed.takenAt() > r.until.Time {
			return true, nil
		}
	}
	return false, nil
}

// When the decision of an op was taken, of those that say.
func (o *putOp) takenAt() int64       { return o.record.UpdatedAt.Nanos }
func (o *archiveOp) takenAt() int64   { return o.at }
func (o *supersedeOp) takenAt() int64 { return o.at }
func (o *absentOp) takenAt() int64    { return o.Until }
func (o *reinforceOp) takenAt() int64 { return o.at }

// openLog begins the log behind the files.
func (r *Restoration) openLog() error {
	if r.log != nil {
		return nil
	}
	if err := r.endFile(); err != nil {
		return err
	}
	man, err := readManifest(r.fs, r.dir)
	if err != nil {
		return fmt.Errorf("restore space %s: %w", r.section.Name, err)
	}
	if man.position != r.section.From || man.store != r.section.Store {
		return fmt.Errorf("restore space %s: its manifest is of position %d, the section says %d", r.section.Name,
			man.position, r.section.From)
	}
	o := wal.Options{FS: r.fs, Dir: filepath.Join(r.dir, logDir), Store: r.section.Store, Note: frameNote}
	log, _, err := wal.Open(o, wal.LSN(r.section.From), func(wal.LSN, []byte) error { return nil })
	if err != nil {
		return fmt.Errorf("restore log: %w", err)
	}
	r.log = log
	return nil
}

func (r *Restoration) closeLog() error {
	if r.log == nil {
		return nil
	}
	err := r.log.Close()
	r.log = nil
	return err
}

// endSection checks that the section that was begun is whole.
func (r *Restoration) endSection() error {
	if !r.begun || r.skip {
		return nil
	}
	if err := r.openLog(); err != nil { // also where there are no frames: a sealed space has a log
		return err
	}
	if !r.reached && r.position < r.section.To {
		return fmt.Errorf("restore space %s: the section ends at %d, frames came up to %d", r.section.Name,
			r.section.To, r.position)
	}
	if err := r.placeSide(); err != nil {
		return err
	}
	r.reached = r.reached || r.until.Position > 0 && r.position >= r.until.Position
	return nil
}

// placeSide makes the side file of an incremental section that was taken as a whole that of the space.
func (r *Restoration) placeSide() error {
	held := r.held
	r.held = nil
	if held == nil || r.reached || r.section.To < r.position { // the last: one from before what was taken
		return nil
	}
	if r.written != r.size {
		return fmt.Errorf("restore space %s: file %s has %d bytes, %d came", r.section.Name, r.side, r.size, r.written)
	}
	path := filepath.Join(r.dir, r.side)
	if err := r.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore file: %w", err)
	}
	if len(*held) == 0 {
		return nil
	}
	file, err := r.fs.Create(path)
	if err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	if _, err = file.WriteAt(*held, 0); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	return nil
}

// Finish makes everything durable and checks that the point asked for was reached. The space can be opened then.
func (r *Restoration) Finish() error {
	if err := r.endSection(); err != nil {
		return err
	}
	if r.until.Position > 0 && r.position < r.until.Position {
		return fmt.Errorf("restore space %s to position %d: the backups given end at %d: %w", r.section.Name,
			r.until.Position, r.position, ErrConflict)
	}
	if err := r.closeLog(); err != nil {
		return err
	}
	if _, err := readManifest(r.fs, r.dir); err != nil {
		return err
	}
	if err := r.fs.SyncDir(r.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Abort lets go of what is open; the directory is the caller's to remove.
func (r *Restoration) Abort() error {
	var err error
	if r.file != nil {
		err, r.file = r.file.Close(), nil
	}
	return errors.Join(err, r.closeLog())
}
