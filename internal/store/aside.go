package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vfs"
	"github.com/orchard9/engram-go/internal/wal"
)

// A space with files of an earlier format version is written in today's, and behind that an earlier Engram refuses it.
// So before anything in it is changed, its files are kept aside as they are: those that are ever written to again, or
// replaced under their name, are copied into a directory of their own; segments, files of vectors and the state file
// never change, and stay where they are, whatever becomes of them, until the upgrade is finished. Undo puts all of that
// back. docs/format/before-upgrade.md, docs/design/0020.

// AsideDir is the directory in that of the space.
const AsideDir = "before-upgrade"

const (
	// In it, one of three files says how far things are; where there is none, what is there is a leftover.
	keptName    = "KEPT"    // all of it is there
	undoingName = "UNDOING" // it is being put back
	undoneName  = "UNDONE"  // it was, but for the manifest
	keptKind    = "KA"
	keptVersion = 1
)

var keptFile = fileKind{kind: keptKind, newest: keptVersion, twice: 1}

// today are the versions that this program writes, by kind of file. That of frames, which are in the log's, is
// frameVersion.
var today = map[string]uint32{
	manifestKind: manifestVersion, stateKind: stateVersion, segment.Kind: segment.FormatVersion,
	wal.FileKind: wal.FormatVersion, needKind: needVersion, endKind: endVersion,
}

// Beside is a small file in a space's directory that is its owner's.
type Beside struct {
	Name string
	// Earlier reports whether the file is of an earlier version than its owner writes.
	Earlier func(body []byte) bool
	// Same reports whether two such files say the same but for their versions.
	Same func(a, b []byte) bool
}

// aside is what is kept of a space as it was before its upgrade.
type aside struct {
	at    int64 // when, Unix nanoseconds
	files []asideFile
	lost  bool // something is kept, and it cannot be told what
}

// asideFile is one file of it.
type asideFile struct {
	name      string // in the space's directory, with slashes
	sizeBytes int64
	copied    bool   // into AsideDir; else it is in its place
	sum       uint32 // CRC-32C of what was copied
}

func (a *aside) encode() []byte {
	var e codec.Encoder
	e.U64(uint64(a.at))
	e.Uvarint(uint64(len(a.files)))
	for _, f := range a.files {
		e.String(f.name)
		e.U64(uint64(f.sizeBytes))
		e.Bool(f.copied)
		e.U32(f.sum)
	}
	return e.Buf
}

func decodeAside(body []byte) (*aside, error) {
	d := codec.NewDecoder(body)
	a := &aside{at: int64(d.U64())}
	for range d.Count(14) {
		f := asideFile{name: d.String(), sizeBytes: int64(d.U64()), copied: d.Bool(), sum: d.U32()}
		if d.Err() == nil && !filepath.IsLocal(filepath.FromSlash(f.name)) {
			d.Fail(fmt.Errorf("%q is no name of a file of a space", f.name))
		}
		a.files = append(a.files, f)
	}
	return a, d.Done()
}

// inPlace are the names of the files that stay where they are; none of a nil one.
func (a *aside) inPlace() map[string]bool {
	names := map[string]bool{}
	if a == nil {
		return names
	}
	for _, f := range a.files {
		if !f.copied {
			names[f.name] = true
		}
	}
	return names
}

func (s *Space) asidePath(name string) string {
	return filepath.Join(s.dir, AsideDir, filepath.FromSlash(name))
}

// readAside reads what a list of what is kept says, by the name it has now.
func (s *Space) readAside(name string) (*aside, error) {
	f, err := keptFile.read(s.fs, s.asidePath(name), true)
	if err != nil {
		return nil, err
	}
	a, err := decodeAside(f.body)
	if err != nil {
		return nil, &codec.CorruptError{
			Op: "read what was kept aside", Path: s.asidePath(name), Offset: codec.HeaderSize, Err: err,
		}
	}
	return a, nil
}

// asideNow tells which of the three names the list has; "" and left if there is a directory without it.
func (s *Space) asideNow() (name string, left bool, err error) {
	names, err := s.fs.ReadDir(s.asidePath(""))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("list what was kept aside: %w", err)
	}
	for _, name := range []string{keptName, undoingName, undoneName} {
		if slices.Contains(names, name) {
			return name, false, nil
		}
	}
	return "", true, nil
}

// loadAside takes up what is kept aside, and goes on with an undoing that was interrupted. It comes before everything
// else of an opening. A list that is damaged costs the way back, and nothing else.
func (s *Space) loadAside() error {
	name, left, err := s.asideNow()
	if err != nil {
		return err
	}
	s.asideLeft = left
	switch name {
	case undoingName:
		there, err := s.exists(manifestName)
		if err != nil {
			return err
		}
		if !there {
			return s.putBack(name)
		}
		// Nothing was changed yet, and who undoes next decides anew.
		if err := s.renameAside(undoingName, keptName); err != nil {
			return err
		}
	case undoneName:
		return s.putBack(name)
	case "":
		return nil
	}
	a, err := s.readAside(keptName)
	if errors.Is(err, codec.ErrCorrupt) {
		s.noteDamage(err)
		a, err = &aside{at: NoTime, lost: true}, nil
	}
	s.aside.Store(a)
	return err
}

func (s *Space) exists(name string) (bool, error) {
	_, err := s.fs.Stat(filepath.Join(s.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// renameAside gives the list its next name, durably.
func (s *Space) renameAside(from, to string) error {
	if err := s.fs.Rename(s.asidePath(from), s.asidePath(to)); err != nil {
		return fmt.Errorf("name what was kept aside: %w", err)
	}
	if err := s.fs.SyncDir(s.asidePath("")); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}

// Earlier lists the files that are of an earlier version than this program writes, and with the log's those with
// frames that are. It does not wait for writers.
func (s *Space) Earlier() ([]string, error) {
	man := s.inForce.Load()
	var names []string
	if man.version > 0 && man.version < manifestVersion {
		names = append(names, manifestName)
	}
	if man.state.number != 0 && man.state.version < stateVersion {
		names = append(names, filepath.Base(s.statePath(man.state.number)))
	}
	for _, p := range *s.parts.Load() {
		if p.side != nil {
			p.sealed = p.side.sealed
		}
		if p.sealed != nil && p.sealed.Version() < segment.FormatVersion {
			names = append(names, filepath.Base(p.sealed.Path()))
		}
	}
	for _, b := range s.o.Beside {
		body, err := s.bytesOf(filepath.Join(s.dir, b.Name))
		if err != nil {
			return nil, err
		}
		if body != nil && b.Earlier(body) {
			names = append(names, b.Name)
		}
	}
	first, err := s.firstLog()
	if err != nil {
		return nil, err
	}
	for _, one := range []struct{ kind, name string }{{needKind, needName}, {endKind, endName}, {wal.FileKind, first}} {
		version, err := s.versionOf(one.name, one.kind)
		if err != nil {
			return nil, err
		}
		if version > 0 && version < today[one.kind] || one.kind == wal.FileKind && s.oldFrame > man.position {
			names = append(names, one.name)
		}
	}
	return names, nil
}

// firstLog is the name of the log's first file, with which all of it is of today's version; logDir if it has none.
func (s *Space) firstLog() (string, error) {
	names, err := s.fs.ReadDir(filepath.Join(s.dir, logDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("list log: %w", err)
	}
	if i := slices.IndexFunc(names, func(name string) bool { return filepath.Ext(name) == ".wal" }); i >= 0 {
		return logDir + "/" + names[i], nil
	}
	return logDir, nil
}

// versionOf reads the version in a file's header; 0 if there is no such file, or its header cannot be read.
func (s *Space) versionOf(name, kind string) (uint32, error) {
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	info, err := s.fs.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Dir {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	f, err := s.fs.Open(path, false)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	b := make([]byte, codec.HeaderSize)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return 0, err
	}
	const newest = ^uint32(0) // who reads the file refuses what is too new
	h, err := codec.ReadHeader(path, b, kind, newest)
	if errors.Is(err, codec.ErrCorrupt) {
		return 0, nil
	}
	return h.Version, err
}

// keepEarlier keeps the files of a space aside if one is of an earlier version.
func (s *Space) keepEarlier() error {
	earlier, err := s.Earlier()
	if err != nil || len(earlier) == 0 {
		return err
	}
	return s.keepAside()
}

// unkept is why a space of an earlier version is opened for reading alone.
type unkept struct{ err error }

func (u *unkept) Error() string {
	return fmt.Sprintf("files of an earlier format version could not be kept aside in %s before anything is written "+
		"in today's: %v", AsideDir, u.err)
}
func (u *unkept) Unwrap() error { return u.err }

// keepAside keeps the files of the space aside, unless they are. Nothing of it counts before the list is there, behind
// all else, and nothing of the space may be changed before it is. A log that is not in files of the space is its
// owner's to keep.
func (s *Space) keepAside() (err error) {
	if s.aside.Load() != nil || s.o.OpenLog != nil || isolate.Off("keep aside") {
		return nil
	}
	defer func() {
		if err != nil {
			err = &unkept{errors.Join(err, s.dropAside(keptName))}
		}
	}()
	if err := RemoveAll(s.fs, s.asidePath("")); err != nil {
		return err
	}
	kept, err := s.toKeep()
	if err != nil {
		return err
	}
	if err := s.fs.MkdirAll(s.asidePath(logDir)); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	for i := range kept.files {
		if f := &kept.files[i]; f.copied {
			if *f, err = s.copyAside(f.name); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{logDir, ""} {
		if err := s.fs.SyncDir(s.asidePath(dir)); err != nil {
			return fmt.Errorf("sync directory: %w", err)
		}
	}
	h := codec.Header{Kind: keptKind, Version: keptVersion, Store: s.id, Position: s.man.position}
	if _, err := writeTwice(s.fs, s.asidePath(keptName), h, kept.encode()); err != nil {
		return fmt.Errorf("write list: %w", err)
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	s.aside.Store(kept)
	s.asideLeft = false
	return nil
}

// dropAside removes what is kept aside, its list first, durably: without it the rest is a leftover.
func (s *Space) dropAside(list string) error {
	err := s.fs.Remove(s.asidePath(list))
	if err == nil {
		err = s.fs.SyncDir(s.asidePath(""))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what was kept aside: %w", err)
	}
	return RemoveAll(s.fs, s.asidePath(""))
}

// toKeep lists the files that are to be kept, and asks whether there is room for the copies.
func (s *Space) toKeep() (*aside, error) {
	kept := &aside{at: s.o.now().UnixNano()}
	names := []string{manifestName, needName, endName}
	for _, b := range s.o.Beside {
		names = append(names, b.Name)
	}
	logs, err := s.fs.ReadDir(filepath.Join(s.dir, logDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list log: %w", err)
	}
	for _, name := range logs {
		if filepath.Ext(name) != ".spare" { // which holds nothing
			names = append(names, logDir+"/"+name)
		}
	}
	copied := len(names)
	names = append(names, slices.Sorted(maps.Keys(s.man.names()))...)
	room := int64(0)
	for i, name := range names {
		info, err := s.fs.Stat(filepath.Join(s.dir, filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // there may be none, or it is damage that others tell of
		}
		if err != nil {
			return nil, fmt.Errorf("look at file: %w", err)
		}
		kept.files = append(kept.files, asideFile{name: name, sizeBytes: info.Size, copied: i < copied})
		if i < copied {
			room += info.Size
		}
	}
	if s.o.Room != nil {
		if err := s.o.Room(room); err != nil {
			return nil, fmt.Errorf("that takes %d bytes: %w", room, err)
		}
	}
	return kept, nil
}

func (s *Space) copyAside(name string) (f asideFile, err error) {
	f = asideFile{name: name, copied: true}
	f.sizeBytes, f.sum, err = copyFile(s.fs, filepath.Join(s.dir, filepath.FromSlash(name)), s.asidePath(name))
	return f, err
}

// copyFile makes a durable copy of a file, but for its name, and tells how long it is and its checksum.
func copyFile(fsys vfs.FS, from, to string) (size int64, sum uint32, err error) {
	in, err := fsys.Open(from, false)
	if err != nil {
		return 0, 0, fmt.Errorf("copy file: %w", err)
	}
	defer in.Close() //nolint:errcheck // opened for reading
	out, err := fsys.Create(to)
	if err != nil {
		return 0, 0, fmt.Errorf("copy file: %w", err)
	}
	defer func() {
		if closeErr := out.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("copy file: %w", closeErr)
		}
	}()
	const piece = 1 << 18
	for b := make([]byte, piece); ; {
		n, readErr := in.ReadAt(b, size)
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return 0, 0, fmt.Errorf("copy file: %w", readErr)
		}
		if _, err := out.WriteAt(b[:n], size); n > 0 && err != nil {
			return 0, 0, fmt.Errorf("copy file: %w", err)
		}
		sum = codec.Checksum(sum, b[:n])
		if size += int64(n); readErr != nil || n == 0 {
			break
		}
	}
	if err := out.Sync(); err != nil {
		return 0, 0, fmt.Errorf("copy file: %w", err)
	}
	return size, sum, nil
}

// openUnkept opens a space for reading alone, whose files of an earlier version could not be kept aside.
func openUnkept(o Options, why *unkept) (*Space, error) {
	return open(o, func(s *Space) error {
		if err := s.rescue(why); err != nil {
			return err
		}
		s.readOnly.set(fmt.Errorf("%w: %w: make room and open it again", ErrReadOnly, why))
		return nil
	})
}

// Kept tells of what is kept aside of a space as it was before its upgrade.
type Kept struct {
	At int64 // when, Unix nanoseconds; NoTime if that cannot be read
	// SizeBytes is what it takes of the disk: copies, and files that have been replaced.
	SizeBytes int64
}

// Kept tells of what is kept aside; nil if nothing is. It does not wait for writers.
func (s *Space) Kept() *Kept {
	a := s.aside.Load()
	if a == nil {
		return nil
	}
	k := &Kept{At: a.at}
	named := s.inForce.Load().names()
	for _, f := range a.files {
		if !named[f.name] {
			k.SizeBytes += f.sizeBytes
		}
	}
	return k
}

// clearAside removes what an interrupted keeping, or finishing, left, at the end of an opening.
func (s *Space) clearAside() error {
	if !s.asideLeft || s.readOnly.get() != nil || s.lost != nil || len(s.damageNotes()) > 0 {
		return nil
	}
	return RemoveAll(s.fs, s.asidePath(""))
}

// ours reports whether a file in the space's directory is one that the engine makes and removes by its ending.
func ours(name string) bool {
	return slices.Contains([]string{".seg", ".vec", ".state", ".tmp"}, filepath.Ext(name)) &&
		!strings.Contains(name, "/")
}
