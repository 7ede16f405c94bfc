package store

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
)

// Files that no manifest names are what an interrupted sealing or compaction left, and nothing but names tells them
// from what a manifest that somebody put back in the place of a newer one fails to name. So they go last: when
// everything has been read, the log has gone on from where the manifest ends, nothing is damaged, and none of them
// knows of a write behind the last one that was found.

// leftovers lists the files that neither the manifest names nor what is kept aside. Numbers of files that are there are
// not given again.
func (s *Space) leftovers() ([]string, error) {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("list space: %w", err)
	}
	wanted := s.man.names()
	maps.Copy(wanted, s.aside.Load().inPlace())
	next := s.man.nextFile
	var left []string
	for _, name := range names {
		if !ours(name) {
			continue
		}
		if number, _, ok := fileNumber(strings.TrimSuffix(name, ".tmp")); ok {
			next = max(next, number+1)
		}
		if !wanted[name] {
			left = append(left, name)
		}
	}
	if next > s.man.nextFile {
		man := *s.man
		man.nextFile = next
		s.man = &man
	}
	return left, nil
}

// names are the files that a manifest names.
func (m *manifest) names() map[string]bool {
	names := map[string]bool{}
	if m.state.number != 0 {
		names[fmt.Sprintf("%016x.state", m.state.number)] = true
	}
	for _, ref := range m.segments {
		names[segment.File{Number: ref.number}.Path()] = true
	}
	for _, ref := range m.apart {
		names[segment.File{Number: ref.number, Apart: true}.Path()] = true
	}
	return names
}

// clearLeftovers removes what nobody names, at the end of an opening. Where something is damaged or missing all stays:
// it may be what a repair needs.
func (s *Space) clearLeftovers() error {
	left, err := s.leftovers()
	if err != nil || len(left) == 0 {
		return err
	}
	for _, name := range left {
		if err := s.compareLeftover(name); err != nil {
			return err
		}
	}
	whole := s.readOnly.get() == nil && s.lost == nil && len(s.damageNotes()) == 0
	if !whole && !isolate.Off("leftovers beside damage") {
		return nil
	}
	if err := isolate.Fault("store/open.leftovers"); err != nil {
		return err
	}
	// The manifest just read may not be durable under its name: the one before it names some of these files.
	if err := s.fs.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	for _, name := range left {
		if err := s.fs.Remove(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	return nil
}

// compareLeftover refuses a space in which a file that the manifest does not name tells of a write behind the last one
// of the log. A sealing takes only what is durable in the log, so manifest and log are older copies of themselves, and
// what they say of any memory may be out of date.
func (s *Space) compareLeftover(name string) error {
	known := s.knownBy(name)
	if known <= s.staged.Position || isolate.Off("older copies") {
		return nil
	}
	return &codec.CorruptError{
		Op: "open space", Path: filepath.Join(s.dir, manifestName), Offset: -1,
		Err: fmt.Errorf("%s, which it does not name, tells of writes up to %d, manifest and log end at %d: an older "+
			"copy of them was put in their place", name, known, s.staged.Position),
	}
}

// knownBy is the last position that a segment or state file tells of; 0 if it is neither, or not whole.
func (s *Space) knownBy(name string) uint64 {
	number, suffix, ok := fileNumber(name)
	if !ok {
		return 0
	}
	switch suffix {
	case ".vec":
		return s.knownApart(number)
	case ".state":
		f, err := stateFile.of(name, s.id, number).read(s.fs, filepath.Join(s.dir, name), false)
		if err != nil {
			return 0
		}
		return f.header.Position
	}
	g, err := s.guessSegment(&manifest{store: s.id}, number)
	if err != nil {
		return 0
	}
	return g.last
}
