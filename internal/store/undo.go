package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/wal"
)

// Undoing puts back what was kept aside of a space. Its manifest goes first, which makes every Engram refuse the space,
// and comes back last; between the two every step can be done again, and the next opening does. Who opens the space
// sees the state before or the one after.

// Undo says what putting back would do.
type Undo struct {
	// At is when the space was kept aside, Unix nanoseconds, and Position that of its last write then.
	At       int64
	Position uint64
	// Newer counts the writes since, which would be gone.
	Newer uint64
	// Unsure is why it cannot be told for sure what was written since; nil if it can.
	Unsure error
	// Beside are files of Options.Beside that are others now.
	Beside []string
	// Begun says that it was begun, and interrupted where there is no way back: the space cannot be used before it is
	// done, and who began it knew what would be gone. All else is zero then.
	Begun bool
}

// LookUndo tells what Undo of a space that nobody has open would do, and checks what is kept, changing nothing; nil if
// nothing is kept.
func LookUndo(o Options) (u *Undo, err error) {
	err = isolate.Do("look at what was kept aside", o.Name, nil, func() error {
		s, err := newSpace(o)
		if err == nil {
			u, err = s.lookUndo()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("undo the upgrade of space %s: %w", o.Name, err)
	}
	return u, nil
}

func (s *Space) lookUndo() (*Undo, error) {
	name, _, err := s.asideNow()
	if err != nil || name == "" {
		return nil, err
	}
	there, err := s.exists(manifestName)
	if err != nil {
		return nil, err
	}
	if name == undoneName || name == undoingName && !there {
		return &Undo{Begun: true}, nil
	}
	a, err := s.readAside(name)
	if err != nil {
		return nil, err
	}
	if err := s.checkAside(a); err != nil {
		return nil, err
	}
	u := &Undo{At: a.at}
	if u.Position, err = s.lastIn(s.asidePath(""), func(error) {}); err != nil {
		u.Unsure = err
		return u, nil
	}
	now, err := s.lastIn(s.dir, func(damage error) { u.Unsure = errors.Join(u.Unsure, damage) })
	u.Unsure = errors.Join(u.Unsure, err)
	if now > u.Position {
		u.Newer = now - u.Position
	}
	u.Beside, err = s.changedBeside()
	return u, err
}

// undoneHalf refuses a space whose undoing was interrupted: it has neither log nor manifest for sure, and all of it is
// kept.
func (s *Space) undoneHalf() error {
	name, _, err := s.asideNow()
	if err != nil || name == "" || name == keptName {
		return err
	}
	there, err := s.exists(manifestName)
	if err != nil || there {
		return err
	}
	return &codec.CorruptError{
		Op: "salvage space", Path: s.asidePath(name), Offset: -1,
		Err: errors.New("undoing its upgrade was interrupted; nothing is lost: `engram upgrade --undo` goes on"),
	}
}

// lastIn is the position of the last write that the files in a directory hold.
func (s *Space) lastIn(dir string, lost func(error)) (last uint64, err error) {
	m, err := readManifest(s.fs, dir)
	if err != nil {
		return 0, err
	}
	o := s.logOptions()
	o.Dir, o.Store, last = filepath.Join(dir, logDir), m.store, m.position
	err = wal.Salvage(o, wal.LSN(last), func(lsn wal.LSN, _ []byte) error {
		last = uint64(lsn)
		return nil
	}, nil, lost)
	return last, err
}

// changedBeside lists the files of the caller's that are not what they were.
func (s *Space) changedBeside() (changed []string, err error) {
	for _, b := range s.o.Beside {
		before, err := s.bytesOf(s.asidePath(b.Name))
		if err != nil {
			return nil, err
		}
		now, err := s.bytesOf(filepath.Join(s.dir, b.Name))
		if err != nil {
			return nil, err
		}
		if now != nil && (before == nil || !b.Same(before, now)) {
			changed = append(changed, b.Name)
		}
	}
	return changed, nil
}

// bytesOf reads a small file; nil if there is none.
func (s *Space) bytesOf(path string) ([]byte, error) {
	f, err := s.fs.Open(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("look at file: %w", err)
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, fmt.Errorf("look at file: %w", err)
	}
	return b, nil
}

// checkAside checks that everything that is kept is there, and what was copied by its checksum.
func (s *Space) checkAside(a *aside) error {
	for _, f := range a.files {
		path := filepath.Join(s.dir, f.name)
		if f.copied {
			path = s.asidePath(f.name)
		}
		if err := s.checkKept(path, f); err != nil {
			return &codec.CorruptError{Op: "look at what was kept aside", Path: path, Offset: -1, Err: err}
		}
	}
	return nil
}

// verifyAside checks what is kept while the space is open and nothing is removed.
func (s *Space) verifyAside(r *Report) error {
	a, err := s.readAside(keptName)
	if err != nil {
		return err
	}
	for _, f := range a.files {
		if f.copied {
			r.Files++
			r.Bytes += f.sizeBytes
		}
	}
	return s.checkAside(a)
}

func (s *Space) checkKept(path string, f asideFile) error {
	info, err := s.fs.Stat(path)
	if err != nil {
		return err
	}
	if info.Size != f.sizeBytes {
		return fmt.Errorf("it has %d bytes, it had %d", info.Size, f.sizeBytes)
	}
	if !f.copied {
		return nil
	}
	b, err := s.bytesOf(path)
	if err != nil {
		return err
	}
	if sum := codec.Checksum(0, b); sum != f.sum {
		return fmt.Errorf("checksum is %08x, it was %08x", sum, f.sum)
	}
	return nil
}

// PutBack undoes the upgrade of a space that nobody has open: its files are again what they were when they were kept
// aside, and all that was written since is gone. It is ErrNotFound if nothing is kept. If it is interrupted, the next
// opening, or PutBack, goes on with it once anything was changed.
func PutBack(o Options) error {
	err := isolate.Do("undo an upgrade", o.Name, nil, func() error {
		s, err := newSpace(o)
		if err != nil {
			return err
		}
		return s.undo()
	})
	if err != nil {
		return fmt.Errorf("undo the upgrade of space %s: %w", o.Name, err)
	}
	return nil
}

func (s *Space) undo() error {
	name, _, err := s.asideNow()
	if err == nil && name == "" {
		err = fmt.Errorf("nothing is kept of what it was: %w", ErrNotFound)
	}
	if err != nil {
		return err
	}
	there, err := s.exists(manifestName)
	if err != nil {
		return err
	}
	if name == undoneName || name == undoingName && !there {
		return s.putBack(name)
	}
	a, err := s.readAside(name)
	if err != nil {
		return err
	}
	if err := s.checkAside(a); err != nil {
		return err
	}
	if name == keptName {
		if err := s.renameAside(keptName, undoingName); err != nil {
			return err
		}
	}
	if there {
		if err := s.fs.Remove(filepath.Join(s.dir, manifestName)); err != nil {
			return fmt.Errorf("remove manifest: %w", err)
		}
		if err := s.fs.SyncDir(s.dir); err != nil {
			return fmt.Errorf("sync directory: %w", err)
		}
	}
	return s.putBack(undoingName)
}

// putBack goes on from where the manifest is gone, or everything but it is back.
func (s *Space) putBack(name string) error {
	if name == undoingName {
		a, err := s.readAside(name)
		if err == nil {
			err = s.checkAside(a)
		}
		if err == nil {
			err = s.putFilesBack(a)
		}
		if err == nil {
			err = s.renameAside(undoingName, undoneName)
		}
		if err != nil {
			return err
		}
	}
	there, err := s.exists(manifestName)
	if err != nil {
		return err
	}
	if !there {
		if err := s.putManifestBack(); err != nil {
			return err
		}
	}
	return RemoveAll(s.fs, s.asidePath(""))
}

// putFilesBack makes the files of the space, but for the manifest, those that were kept.
func (s *Space) putFilesBack(a *aside) error {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list space: %w", err)
	}
	inPlace := a.inPlace()
	names = slices.DeleteFunc(names, func(name string) bool {
		beside := slices.ContainsFunc(s.o.Beside, func(b Beside) bool { return b.Name == name })
		return !(ours(name) && !inPlace[name] || name == needName || name == endName || beside)
	})
	logs, err := s.fs.ReadDir(filepath.Join(s.dir, logDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list log: %w", err)
	}
	for _, name := range logs {
		names = append(names, filepath.Join(logDir, name))
	}
	for _, name := range names {
		if err := s.fs.Remove(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("remove file: %w", err)
		}
	}
	if err := s.fs.MkdirAll(filepath.Join(s.dir, logDir)); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for _, f := range a.files {
		if !f.copied || f.name == manifestName {
			continue
		}
		_, _, err := copyFile(s.fs, s.asidePath(f.name), filepath.Join(s.dir, filepath.FromSlash(f.name)))
		if err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(filepath.Join(s.dir, logDir)); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// putManifestBack makes the space what it was, in one step.
func (s *Space) putManifestBack() error {
	path := filepath.Join(s.dir, manifestName)
	if err := s.fs.Remove(path + ".tmp"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear leftover: %w", err)
	}
	if _, _, err := copyFile(s.fs, s.asidePath(manifestName), path+".tmp"); err != nil {
		return err
	}
	if err := s.fs.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("name file: %w", err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
