package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// Salvage reads a space as far as it is whole, also one that Open refuses, and writes nothing. What is missing is told
// to lost, with file and offset where they are known. The space that it returns can be looked at through View and
// closed, and nothing else: it has no log. An error is for what kept Salvage from reading at all.
//
// Without its manifest a space is put together from the files that are there; without its state file it is not known
// any more which memories were archived, replaced or erased before the last sealing, and lost is told so.
func Salvage(o Options, lost func(error)) (*Space, error) {
	var s *Space
	err := isolate.Do("salvage", o.Name, nil, func() (err error) {
		s, err = salvage(o, lost)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func salvage(o Options, lost func(error)) (_ *Space, err error) {
	s, err := newSpace(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("salvage space %s: %w", o.Name, err), s.closeSegments())
		}
	}()
	if err = s.undoneHalf(); err != nil {
		return nil, err
	}
	aligned := true
	if s.man, err = readManifest(s.fs, s.dir); err == nil {
		s.id = s.man.store
		err = s.staleManifest()
	}
	if err != nil {
		lost(err)
		known := s.man
		if s.man, aligned, err = s.guessManifest(lost); err != nil {
			return nil, err
		}
		if known != nil && !s.man.named && s.man.generations == 0 {
			s.man.settings = known.settings
		}
	}
	s.id = s.man.store
	s.staged = s.man.view(s)
	if err := s.loadParts(s.salvageState(aligned, lost)); err != nil {
		return nil, err
	}
	view := s.staged
	s.view.Store(&view)
	if err := s.requireLog(); err != nil {
		lost(err)
	}
	err = wal.Salvage(s.logOptions(), wal.LSN(s.man.position),
		func(lsn wal.LSN, payload []byte) error {
			s.salvageFrame(lsn, payload, lost)
			return nil
		}, func(w wal.Wreck) error { s.salvageWreck(w, lost); return nil }, lost)
	if err != nil {
		return nil, err
	}
	view = s.staged
	s.view.Store(&view)
	if !s.man.named && view.Dim > 0 && view.Model == "" {
		lost(errors.New("which model made the embeddings is not known any more: they are saved without its name"))
	}
	if _, at, err := s.readEnd(); err != nil {
		lost(err)
	} else if err := s.endsBefore(at); err != nil {
		lost(err)
	}
	if model, _, building := view.Building(); building {
		lost(fmt.Errorf("%d embeddings of model %q, which were being built beside those that serve, are left out: "+
			"begin again", view.Built(), model))
	}
	mended := s.mendedNotes() // of which a copy is whole
	for _, n := range s.notes() {
		if !mended[n] {
			lost(errors.New(n.what))
		}
	}
	return s, nil
}

// staleManifest says why a manifest, whole as it is, cannot be that of the files beside it: some that it names are
// gone, or the log does not go on from where it ends, and there are files that it does not name and that know more. nil
// if it can.
func (s *Space) staleManifest() error {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("list space: %w", err)
	}
	named, known := s.man.names(), uint64(0)
	for _, name := range names {
		if !named[name] {
			known = max(known, s.knownBy(name))
		}
		delete(named, name)
	}
	if known <= s.man.position {
		return nil
	}
	stale := &codec.CorruptError{Op: "salvage space", Path: filepath.Join(s.dir, manifestName), Offset: -1}
	for name := range named {
		stale.Err = fmt.Errorf("it names %s, which is gone, and there are files that know more: it is an older copy",
			name)
		return stale
	}
	first, last, err := s.logBounds(s.man.position)
	if err == nil && (first > s.man.position+1 || last < known) {
		stale.Err = fmt.Errorf("it ends at %d, the log holds %d to %d, files that it does not name tell of %d: it is "+
			"an older copy", s.man.position, first, last, known)
		return stale
	}
	return err
}

// logBounds are the first and the last whole record of the log behind a position; 0 and the position if there is none.
func (s *Space) logBounds(after uint64) (first, last uint64, err error) {
	last = after
	err = wal.Salvage(s.logOptions(), wal.LSN(after), func(lsn wal.LSN, _ []byte) error {
		if last = uint64(lsn); first == 0 {
			first = last
		}
		return nil
	}, nil, func(error) {})
	return first, last, err
}

// salvageFrame applies what of a frame can be applied.
func (s *Space) salvageFrame(lsn wal.LSN, payload []byte, lost func(error)) {
	ops, err := readFrame(payload, uint64(lsn))
	if err != nil {
		lost(fmt.Errorf("log record %d: %w", lsn, err))
		return
	}
	s.salvageOps(lsn, ops, lost)
}

// salvageWreck applies what is known of the operations of a damaged record, or notes which memories they were of.
func (s *Space) salvageWreck(w wal.Wreck, lost func(error)) {
	ops, of, err := splitWreck(w)
	s.salvageOps(w.LSN, ops, lost)
	if of == nil && err == nil {
		return
	}
	lost(w.Err)
	if err != nil {
		return // anything that is older may be out of date
	}
	if s.outdated == nil {
		s.outdated = map[uint64]error{}
	}
	for _, hash := range of.memories {
		s.outdated[hash] = w.Err
	}
}

// Outdated is why a memory of a salvaged space may not be what it was last: a lost record was of it. nil if none was.
func (v *View) Outdated(f Found) error {
	if v.s.outdated == nil {
		return nil
	}
	hash, _ := v.s.hashOf(f)
	return v.s.outdated[hash]
}

func (s *Space) salvageOps(lsn wal.LSN, ops []op, lost func(error)) {
	for i, o := range ops {
		apply := func() error { return s.salvageOp(uint64(lsn), o) }
		err := isolate.Do("salvage", s.name, nil, apply)
		put, ok := o.(*putOp)
		if ok && errors.Is(err, ann.ErrDimension) { // of another generation, of which nothing is known
			lost(fmt.Errorf("change %d of log record %d is made without its embedding: %w", i+1, lsn, err))
			put.vector = nil
			err = isolate.Do("salvage", s.name, nil, apply)
		}
		if err != nil {
			lost(fmt.Errorf("change %d of log record %d cannot be made any more: %w", i+1, lsn, err))
		}
	}
}

// salvageOp applies one op as a write of its own, so that one that fails leaves nothing.
func (s *Space) salvageOp(position uint64, o op) error {
	tx := s.begin(position)
	tx.replay = true
	kept := false
	defer func() {
		if !kept {
			tx.abort()
		}
	}()
	if err := o.apply(tx); err != nil {
		return err
	}
	kept = true
	s.staged = tx.view
	view := s.staged
	s.view.Store(&view)
	return nil
}

// salvageState reads the state file, if it is whole and its rows are those of the segments.
func (s *Space) salvageState(aligned bool, lost func(error)) *state {
	st, err := s.readState()
	if err == nil && !aligned {
		err = errors.New("a segment is unreadable and the manifest too: rows cannot be told apart any more")
	}
	if err == nil {
		return st
	}
	lost(fmt.Errorf("what became of memories up to position %d is lost: archived, replaced and erased ones may be "+
		"back, associations and idempotency keys are gone: %w", s.man.position, err))
	return &state{ends: map[uint32]rowEnd{}}
}

// guessManifest puts a manifest together from the files of the directory. aligned is false if rows may have other
// numbers than the state file gives them.
func (s *Space) guessManifest(lost func(error)) (m *manifest, aligned bool, err error) {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return nil, false, fmt.Errorf("list space: %w", err)
	}
	m = &manifest{}
	if m.store, err = s.guessStore(names); err != nil {
		return nil, false, err
	}
	s.id = m.store
	aligned = true
	position := uint64(0) // of the state file, if it says so
	var found []guessed
	apart := false
	for _, name := range names {
		number, suffix, ok := fileNumber(name)
		switch {
		case !ok:
		case suffix == ".vec":
			apart = true
		case suffix == ".state":
			info, err := s.fs.Stat(filepath.Join(s.dir, name))
			if err != nil {
				return nil, false, fmt.Errorf("look at state file: %w", err)
			}
			m.state = stateRef{number: number, sizeBytes: info.Size} // the newest
			position = s.knownBy(name)
		case suffix == ".seg":
			g, err := s.guessSegment(m, number)
			if err != nil {
				lost(err)
				aligned = false
				continue
			}
			found = append(found, g)
		}
	}
	if position > 0 {
		// A sealing that was interrupted between segment and state left rows that the log still has.
		if first, _, err := s.logBounds(position); err == nil && first == position+1 {
			found = slices.DeleteFunc(found, func(g guessed) bool {
				return g.first > position && g.last > position
			})
		}
	}
	if again := s.readAgain(m); again != nil {
		found = m.take(again, found)
	}
	aligned = m.arrange(found) && aligned
	if position > 0 {
		m.position = position
	}
	if !m.named && (apart || m.mixed(found)) {
		m.generation, m.generations, m.settings.Dim = 1, 1, 0
		lost(errors.New("which embeddings are those of the model that serves cannot be told any more: all up to the " +
			"last sealing are left out"))
	}
	return m, aligned, nil
}

// readAgain is what the state file says again of the manifest beside it; nil if it does not.
func (s *Space) readAgain(m *manifest) *manifest {
	path := s.statePath(m.state.number)
	f, err := stateFile.of(path, s.id, m.state.number).read(s.fs, path, false)
	if err != nil {
		return nil
	}
	st, d := &state{ends: map[uint32]rowEnd{}}, codec.NewDecoder(f.body)
	st.decode(d, f.header.Version)
	if d.Done() != nil {
		return nil
	}
	return st.again
}

// guessed is a segment as its file tells of it.
type guessed struct {
	segmentRef
	first, last uint64 // positions in it
	dim         int
}

// mixed reports whether segments hold vectors of several dimensions: of several generations.
func (m *manifest) mixed(found []guessed) bool {
	return slices.ContainsFunc(found, func(g guessed) bool { return g.dim != 0 && g.dim != m.settings.Dim })
}

// arrange puts segments in the order of their rows. Where a compaction left both what it wrote and what it was to
// replace, the later file counts. aligned is false if rows are missing in between; what is there is then numbered anew.
func (m *manifest) arrange(found []guessed) (aligned bool) {
	slices.SortFunc(found, func(a, b guessed) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(b.number, a.number))
	})
	aligned = true
	next, behind := uint32(0), uint32(0)
	for _, g := range found {
		if g.base+g.rows <= behind && g.rows > 0 {
			continue
		}
		aligned = aligned && g.base == behind
		behind = g.base + g.rows
		g.base = next
		next += g.rows
		m.segments = append(m.segments, g.segmentRef)
		m.position = max(m.position, g.last)
	}
	return aligned
}

// guessSegment opens a segment file to learn what the manifest said of it, and the last position in it.
func (s *Space) guessSegment(m *manifest, number uint64) (g guessed, err error) {
	file := segment.File{FS: s.fs, Dir: s.dir, Store: m.store, Number: number}
	info, err := s.fs.Stat(file.Path())
	if err != nil {
		return g, fmt.Errorf("look at segment: %w", err)
	}
	w, err := segment.Open(file, info.Size)
	if err != nil {
		return g, err
	}
	if w.Dim() != 0 {
		m.settings.Dim = w.Dim()
	}
	g.first, g.dim = maxPosition, w.Dim()
	for slot := range w.Rows() {
		if row, err := w.Row(slot); err == nil && !row.Void {
			g.first, g.last = min(g.first, row.LSN), max(g.last, row.LSN)
		}
	}
	g.segmentRef = segmentRef{number: number, base: w.Base(), rows: w.Rows(), sizeBytes: info.Size}
	return g, w.Close()
}

// fileNumber splits the name of a segment or state file.
func fileNumber(name string) (number uint64, suffix string, ok bool) {
	suffix = filepath.Ext(name)
	number, err := strconv.ParseUint(strings.TrimSuffix(name, suffix), 16, 64)
	return number, suffix, err == nil && (suffix == ".seg" || suffix == ".vec" || suffix == ".state")
}

// guessStore learns the space's id from the header of any of its files.
func (s *Space) guessStore(names []string) (id [16]byte, err error) {
	paths := make([]string, 0, len(names))
	for _, name := range names {
		if _, _, ok := fileNumber(name); ok {
			paths = append(paths, filepath.Join(s.dir, name))
		}
	}
	logs, err := s.fs.ReadDir(filepath.Join(s.dir, logDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return id, fmt.Errorf("list log: %w", err)
	}
	for _, name := range slices.Backward(logs) {
		paths = append(paths, filepath.Join(s.dir, logDir, name))
	}
	for _, path := range paths {
		if id, err = s.storeOf(path); err == nil {
			return id, nil
		}
	}
	return id, &codec.CorruptError{
		Op: "salvage space", Path: s.dir, Offset: -1, Err: errors.New("no file in it tells what space it is of"),
	}
}

// storeOf reads the store's id in a file's header.
func (s *Space) storeOf(path string) (id [16]byte, err error) {
	f, err := s.fs.Open(path, false)
	if err != nil {
		return id, fmt.Errorf("open file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	b := make([]byte, codec.HeaderSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		return id, fmt.Errorf("read file: %w", err)
	}
	const kindAt, kindEnd, newest = 6, 8, ^uint32(0)
	h, err := codec.ReadHeader(path, b, string(b[kindAt:kindEnd]), newest)
	return h.Store, err
}
