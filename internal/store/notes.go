package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
)

// Damage that was found is told until what is damaged is gone. Some of it costs nothing, because there is a second copy
// or memory holds the same: a compaction writes that anew.

// note is damage at a place of a file.
type note struct{ path, what string }

// mostNotes bounds how many are kept.
const mostNotes = 100

func noteOf(c *codec.CorruptError) note {
	return note{c.Path, fmt.Sprintf("%s at %d: %v", c.Path, c.Offset, c.Err)}
}

// noteDamage remembers what was found damaged, for Stats and Health; at most 100 different ones.
func (s *Space) noteDamage(err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // each of them is noted
		for _, one := range joined.Unwrap() {
			s.noteDamage(one)
		}
		return
	}
	var corrupt *codec.CorruptError
	if !asCorrupt(err, &corrupt) {
		return
	}
	found := noteOf(corrupt)
	s.changeNotes(func(list []note) []note {
		if len(list) >= mostNotes || slices.Contains(list, found) {
			return list
		}
		return append(list, found)
	})
}

// changeNotes replaces the notes by what change makes of a copy.
func (s *Space) changeNotes(change func([]note) []note) {
	for {
		old := s.damaged.Load()
		var list []note
		if old != nil {
			list = *old
		}
		var next *[]note
		if changed := change(slices.Clone(list)); len(changed) > 0 {
			next = &changed
		}
		if s.damaged.CompareAndSwap(old, next) {
			return
		}
	}
}

func (s *Space) notes() []note {
	if list := s.damaged.Load(); list != nil {
		return *list
	}
	return nil
}

// noteMended notes the damage that copies within segments have made up for.
func (s *Space) noteMended() {
	parts := s.parts.Load()
	if parts == nil {
		return
	}
	for _, p := range *parts {
		w := p.sealed
		if p.side != nil {
			w = p.side.sealed
		}
		if w != nil {
			s.noteDamage(errors.Join(w.Mended()...))
		}
	}
}

// damageNotes lists the damage found so far, of what is still there.
func (s *Space) damageNotes() (list []string) {
	s.noteMended()
	for _, n := range s.notes() {
		list = append(list, n.what)
	}
	return list
}

// forget forgets notes of files that are gone, or were written anew.
func (s *Space) forget(gone func(path string) bool) {
	if len(s.notes()) == 0 {
		return
	}
	s.changeNotes(func(list []note) []note {
		return slices.DeleteFunc(list, func(n note) bool { return gone(n.path) })
	})
}

// forgetUnnamed forgets notes of segments, vectors and states that the manifest does not name any more.
func (s *Space) forgetUnnamed(named []string) {
	s.forget(func(path string) bool {
		_, _, numbered := fileNumber(filepath.Base(path))
		return filepath.Dir(path) == s.dir && numbered && !slices.Contains(named, path)
	})
}

// forgetTrimmed forgets notes of log files that are gone.
func (s *Space) forgetTrimmed() error {
	if !slices.ContainsFunc(s.notes(), s.inLog) {
		return nil
	}
	there, err := s.logFiles()
	s.forget(func(path string) bool { return err == nil && s.inLog(note{path: path}) && !there[path] })
	return err
}

func (s *Space) inLog(n note) bool { return filepath.Dir(n.path) == filepath.Join(s.dir, logDir) }

// logFiles are the paths of what is in the directory of the log.
func (s *Space) logFiles() (map[string]bool, error) {
	dir := filepath.Join(s.dir, logDir)
	names, err := s.fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list log: %w", err)
	}
	there := map[string]bool{}
	for _, name := range names {
		there[filepath.Join(dir, name)] = true
	}
	return there, nil
}

// resealed reports whether a note is of what every sealing writes anew.
func (s *Space) resealed(n note) bool {
	return n.path == filepath.Join(s.dir, manifestName) || filepath.Ext(n.path) == ".state"
}

// Mendable tells what a compaction may do about what Health tells of. There is nothing to do where free is false: the
// space takes no writes, sealing fails and is tried again by itself, or rows are damaged, whose files are left alone,
// and the log with them, which may hold them still. mend lists the files with damage that costs nothing, and that a
// compaction with MendOnly takes out of them: to one of two copies, to what memory holds as well, such as manifest and
// state, and to records of the log, which a sealing makes needless.
func (s *Space) Mendable() (free bool, mend []string) {
	if errors.Join(s.refusing()...) != nil || s.sealErr.get() != nil || s.lost != nil || s.wounded {
		return false, nil
	}
	s.noteMended()
	mended := s.mendedNotes()
	for _, n := range s.notes() {
		if !s.resealed(n) && !s.inLog(n) && !mended[n] {
			return false, nil
		}
		mend = append(mend, n.path)
	}
	return true, mend
}

// mendedNotes are those of damage to segments that a second copy makes up for.
func (s *Space) mendedNotes() map[note]bool {
	all := map[note]bool{}
	for _, p := range *s.parts.Load() {
		w := p.sealed
		if p.side != nil {
			w = p.side.sealed
		}
		if w == nil {
			continue
		}
		for _, err := range w.Mended() {
			var corrupt *codec.CorruptError
			if asCorrupt(err, &corrupt) {
				all[noteOf(corrupt)] = true
			}
		}
	}
	return all
}
