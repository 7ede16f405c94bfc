package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

func asCorrupt(err error, target **codec.CorruptError) bool { return errors.As(err, target) }

func isCorrupt(err error) bool { return errors.Is(err, codec.ErrCorrupt) }

// loadManifest reads the manifest, or makes a space where there is nothing yet. That one is in memory only: it is
// written when the log is there, so that a space with a manifest has a log, and one without either is empty.
func (s *Space) loadManifest() (*manifest, error) {
	m, err := readManifest(s.fs, s.dir)
	if err == nil {
		s.noteDamage(m.mended)
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	names, err := s.fs.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list space: %w", err)
	}
	for _, name := range names {
		if name == endName || strings.HasSuffix(name, ".seg") || strings.HasSuffix(name, ".vec") ||
			strings.HasSuffix(name, ".state") {
			return nil, s.manifestMissing(name)
		}
	}
	if slices.Contains(names, logDir) {
		return s.resume()
	}
	return s.create()
}

func (s *Space) manifestMissing(beside string) error {
	return &codec.CorruptError{
		Op: "open space", Path: filepath.Join(s.dir, manifestName), Offset: -1,
		Err: fmt.Errorf("the manifest is missing beside %s", beside),
	}
}

// create begins an empty space.
func (s *Space) create() (*manifest, error) {
	id, err := s.o.NewStore()
	if err != nil {
		return nil, fmt.Errorf("make store id: %w", err)
	}
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	if err := s.fs.SyncDir(filepath.Dir(s.dir)); err != nil {
		return nil, fmt.Errorf("sync directory: %w", err)
	}
	return &manifest{store: id, settings: s.o.Settings, nextFile: 1, unlogged: true}, nil
}

// resume goes on with a space whose making was interrupted before its manifest was there. Its log has never been
// written to; else the manifest has been lost.
func (s *Space) resume() (*manifest, error) {
	id, made, unused, err := wal.Unused(s.logOptions())
	switch {
	case err != nil:
		return nil, err
	case !unused:
		return nil, s.manifestMissing(logDir)
	case !made:
		return s.create()
	}
	return &manifest{store: id, settings: s.o.Settings, nextFile: 1, unlogged: true}, nil
}

// loadSegments maps the sealed segments and rebuilds from them, and from the state file, everything kept in memory.
func (s *Space) loadSegments() error {
	if err := isolate.Fault("store/open.state"); err != nil {
		return err
	}
	st, err := s.readState()
	if err != nil {
		return err
	}
	s.noteDamage(st.mended)
	return s.loadParts(st)
}

// loadParts maps the segments and loads their rows with what the state says of them.
func (s *Space) loadParts(st *state) error {
	parts, next, err := s.openSegments()
	s.parts.Store(&parts)
	if err != nil {
		return err
	}
	if next > 0 {
		// Every row has a place for its stamp and its facts, also where those at the end are void or erased.
		s.t.setEnd(next-1, 0)
		s.t.facts.Grow(next)
		s.t.recorded.Grow(next)
		s.t.needed.Grow(next)
	}
	apart, err := s.openApart(next)
	parts = append(apart, parts...)
	s.parts.Store(&parts)
	if err != nil {
		return err
	}
	s.hot = hotPart{base: next, seg: segment.NewHot(s.staged.Dim), generation: s.staged.Generation}
	parts = append(parts, part{base: next, hot: s.hot.seg, generation: s.hot.generation})
	s.parts.Store(&parts)
	s.staged.Rows = next
	view := s.staged
	s.view.Store(&view)
	for _, p := range parts {
		if p.sealed != nil {
			if err := s.loadRows(p, st); err != nil {
				return err
			}
		}
	}
	s.noteMended()
	s.placeLost(st)
	return s.applyState(st)
}

// openSegments maps the segments; next is the row behind them. A damaged one becomes a part that gives its error.
func (s *Space) openSegments() (parts []part, next uint32, err error) {
	for _, ref := range s.man.segments {
		next = ref.base + ref.rows
		w, err := s.openSegment(ref)
		switch {
		case err == nil:
			parts = append(parts, part{base: ref.base, sealed: w, generation: ref.generation})
		case errors.Is(err, codec.ErrCorrupt):
			s.refuseWrites(err)
			s.lostRuns = append(s.lostRuns, lostRun{first: ref.base, rows: ref.rows})
			parts = append(parts, part{base: ref.base, lost: err, generation: ref.generation})
		default:
			return parts, next, err
		}
	}
	return parts, next, nil
}

func (s *Space) openSegment(ref segmentRef) (*segment.Sealed, error) {
	file := segment.File{FS: s.fs, Dir: s.dir, Store: s.id, Number: ref.number}
	w, err := segment.Open(file, ref.sizeBytes)
	if err == nil && w.Rows() != ref.rows {
		err = fmt.Errorf("it has %d rows, the manifest says %d", w.Rows(), ref.rows)
		err = &codec.CorruptError{Op: "open segment", Path: file.Path(), Offset: -1, Err: err}
		return nil, errors.Join(err, w.Close())
	}
	return w, err
}

// loadRows stages the rows of one sealed segment as they were at the manifest's position.
func (s *Space) loadRows(p part, st *state) error {
	in, end, err := p.sealed.InOrder(nil)
	if err != nil {
		return err
	}
	for slot := range in.Rows() {
		row := p.base + slot
		info, err := in.Row(slot)
		end, ended := st.ends[row]
		if err != nil {
			s.noteDamage(err)
			s.loadLost(row, err, st)
			continue
		}
		if info.Void {
			continue
		}
		if ended && end.erased {
			s.carried[row] = carriedRow{end: end, ended: true}
			continue
		}
		var r *Record
		err = in.Read(slot, func(body []byte) (err error) {
			r, err = readRecord(body)
			return err
		})
		if err != nil {
			s.noteRow(row, err)
			s.loadDamaged(row, info, st)
			continue
		}
		s.t.setGeneration(row, p.generation)
		s.loadRow(row, info, r, st)
	}
	return end()
}

// loadRow stages one row of a sealed segment: a new memory, or the next version of one.
func (s *Space) loadRow(row uint32, info segment.Row, r *Record, st *state) {
	found, exists, err := s.view.Load().Find(r.ID)
	entry := found.entry
	if err != nil {
		entry, exists = s.entryByHash(info.IDHash)
	}
	if !exists {
		entry = s.nextEntry
	}
	hasVector := info.Vector != segment.NoVector
	s.staged.Expiring = s.staged.Expiring || !r.ExpiresAt.IsZero()
	prepared := s.Prepare(r)
	s.t.stageRow(row, entry, r, hasVector, prepared)
	s.Recycle(prepared)
	current := true
	if end, ended := st.ends[row]; ended {
		s.t.setEnd(row, end.position)
		current = false
	}
	if current {
		s.staged.Docs++
		s.staged.KnownDocs++
		s.staged.Tokens += int64(s.t.words.Length(row))
		s.staged.KnownTokens += int64(s.t.words.Length(row))
		if s.staged.HasVector(row) {
			s.staged.Vectors++
		}
	}
	if exists {
		s.loadVersion(entry, row, r.Version)
		s.t.scopes.Insert(scopeHash(r), entry, s.t.wanted)
		s.insertChain(row, r)
	} else {
		s.nextEntry++
		s.t.stageEntry(entry, row, info.IDHash, r)
		s.insertChain(row, r)
		s.staged.Entries = s.nextEntry
		s.staged.Memories++
	}
	loaded := s.staged
	s.view.Store(&loaded)
}

// loadVersion makes row the current version of an entry. A version that is there already is replaced: the memory was
// archived and restored. version 0 stands for one that cannot be read.
func (s *Space) loadVersion(entry, row, version uint32) {
	old := s.t.state(entry, s.man.position)
	st := old.change(s.man.position)
	previous := old.fate.versions
	if previous == nil {
		previous = []uint32{old.row}
	}
	if s.view.Load().lastVersion(previous) == version {
		previous = previous[:len(previous)-1]
	}
	st.row = row
	st.alter().versions = append(slices.Clone(previous), row)
	s.t.states.At(entry).p.Store(st)
	s.retire(old.row)
}

// retire ends a row that a later one replaces although no state file says so: when it was replaced, its line could not
// be read.
func (s *Space) retire(row uint32) {
	if !s.t.ends.Alive(row, s.man.position) {
		return
	}
	s.t.setEnd(row, s.man.position)
	tokens := int64(s.t.words.Length(row))
	s.staged.Docs--
	s.staged.KnownDocs--
	s.staged.Tokens -= tokens
	s.staged.KnownTokens -= tokens
	if s.staged.HasVector(row) {
		s.staged.Vectors--
	}
}

func (s *Space) statePath(number uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%016x.state", number))
}

// readState reads the state file that the manifest names; without one the state is empty.
func (s *Space) readState() (*state, error) {
	if s.man.state.number == 0 {
		return &state{ends: map[uint32]rowEnd{}}, nil
	}
	st, f, err := s.stateOf(s.man, false)
	s.man.state.version = f.header.Version
	return st, err
}

// stateOf reads the state file that a manifest names, and with both looks at its second copy, too.
func (s *Space) stateOf(m *manifest, both bool) (*state, framed, error) {
	path := s.statePath(m.state.number)
	damaged := func(err error) (*state, framed, error) {
		return nil, framed{}, &codec.CorruptError{Op: "read state", Path: path, Offset: codec.HeaderSize, Err: err}
	}
	f, err := stateFile.of(path, s.id, m.state.number).read(s.fs, path, both)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(err)
	}
	if err != nil {
		return nil, f, err
	}
	h := f.header
	if h.Position != 0 && h.Position != m.position {
		return damaged(fmt.Errorf("it is of position %d, the manifest of %d", h.Position, m.position))
	}
	if f.sizeBytes != m.state.sizeBytes && f.mended == nil {
		return damaged(fmt.Errorf("it has %d bytes, the manifest says %d", f.sizeBytes, m.state.sizeBytes))
	}
	st := &state{ends: map[uint32]rowEnd{}, mended: f.mended}
	d := codec.NewDecoder(f.body)
	st.decode(d, h.Version)
	if err := d.Done(); err != nil {
		return damaged(err)
	}
	for row := range st.ends {
		if last := m.segments; len(last) == 0 || row >= last[len(last)-1].base+last[len(last)-1].rows {
			return damaged(fmt.Errorf("row %d is in no segment", row))
		}
	}
	return st, f, nil
}
