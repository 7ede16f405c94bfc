package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// A sealing moves the hot segment's rows into a file. Readers and writers go on: they wait for nothing but the two
// swaps of a pointer. Every step before the manifest's can be interrupted: what was written is named by nothing and
// removed at the next opening.

// checkpoint is what a sealing works on: the state of the space when its hot segment was frozen.
type checkpoint struct {
	position            uint64
	hot                 hotPart
	rows, entries, keys uint32
	dim                 int
	model               string
	logged              int64 // bytes of frames up to position since the last one
	feedback            feedbackLog
	view                View    // as of position
	sides               []*side // of the generations alive then, in memory
}

// sealIfFull starts a sealing if the hot segment has reached its size and none is under way.
func (s *Space) sealIfFull() {
	parts := *s.parts.Load()
	if hot := parts[len(parts)-1].hot; hot.SizeBytes() < s.o.HotBytes/4 && s.logged.Load() < s.logLimit() {
		return // the usual case, decided without the writers' lock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.hot.seg.SizeBytes()
	switch {
	case s.retry.hot.seg != nil && size < s.retryAt: // being sealed, or failed a short while ago
	case s.retry.hot.seg != nil, size >= s.o.HotBytes, s.hot.seg.Rows() >= segment.MaxRows/2,
		s.logged.Load() >= s.logLimit():
		s.startSealing()
	}
}

// logLimit is how many bytes of frames call for a sealing although the hot segment is small: associations, archived
// memories and the like fill the log alone.
func (s *Space) logLimit() int64 { return 4 * s.o.HotBytes }

// startSealing freezes the hot segment, unless one is frozen already, and seals the frozen one in the background.
// s.mu must be held.
func (s *Space) startSealing() {
	if s.frozen || s.refusal() != nil {
		return
	}
	if s.retry.hot.seg == nil && s.staged.Position == s.man.position && s.hot.seg.Rows() == 0 {
		return // nothing happened since the last one
	}
	cp := s.freeze()
	s.beginSealing()
	s.work.Go(func() {
		s.endSealing(isolate.Go("seal", s.name, func() error { return s.seal(cp, nil) }))
	})
}

// beginSealing and endSealing are around a sealing: there is one at a time. s.mu must be held for the first only.
func (s *Space) beginSealing() {
	s.frozen = true
	s.sealing.begin()
	s.sealed = make(chan struct{})
}

func (s *Space) endSealing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = false
	switch {
	case err == nil:
		s.sealing.succeeded()
	case s.closed || s.refusal() != nil: // nothing is sealed until it is opened again
		s.sealing.stop()
		err = fmt.Errorf("seal space %s: %w", s.name, err)
	default:
		s.retryAt = s.hot.seg.SizeBytes() + s.o.HotBytes/4
		next := s.sealing.failed(s.o, s.sealAgain)
		err = fmt.Errorf("seal space %s, next try %s: %w", s.name, next.Format(time.RFC3339), err)
	}
	s.sealErr.set(err)
	close(s.sealed)
}

// sealAgain tries a sealing that failed once more, or only what it was to let go of, if that was what failed. It runs
// on a goroutine of its own.
func (s *Space) sealAgain() {
	err := isolate.Go("seal again", s.name, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case s.closed || s.frozen || s.sealErr.get() == nil || s.refusal() != nil:
		case s.retry.hot.seg != nil:
			s.startSealing()
		default:
			position := s.man.position
			s.beginSealing()
			s.work.Go(func() {
				s.endSealing(isolate.Go("seal", s.name, func() error { return s.drop(position) }))
			})
		}
		return nil
	})
	if err != nil {
		s.trouble.set(err)
	}
}

// awaitSealing waits for the sealing under way, or for the end of ctx. s.mu must be held; it is released meanwhile.
func (s *Space) awaitSealing(ctx context.Context) error {
	sealed := s.sealed
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-sealed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Seal seals what is in memory now, after what is being sealed or could not be, and waits for the end of it. If ctx
// ends before, the sealing goes on without it.
func (s *Space) Seal(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	target := s.staged.Position
	for s.man.position < target {
		if err := s.refusal(); err != nil {
			return fmt.Errorf("seal space %s: %w", s.name, err)
		}
		s.startSealing()
		if err := s.awaitSealing(ctx); err != nil {
			return fmt.Errorf("seal space %s: it goes on: %w", s.name, err)
		}
		if err := s.sealErr.get(); err != nil {
			return err
		}
	}
	return nil
}

// freeze puts an empty segment in the place of the hot one. After a failed sealing it takes up the same one again,
// with the state as it is now kept for it. s.mu must be held.
func (s *Space) freeze() checkpoint {
	if s.retry.hot.seg != nil {
		return s.retry
	}
	cp := checkpoint{
		position: s.staged.Position, hot: s.hot, rows: s.hot.base + s.hot.seg.Rows(), entries: s.nextEntry,
		keys: s.nextKey, dim: s.staged.Dim, model: s.staged.Model, logged: s.logged.Load(),
		feedback: s.staged.feedback, view: s.staged,
	}
	parts := s.freezeApart(&cp)
	s.keep = cp.position
	s.retry = cp
	s.hot = hotPart{base: cp.rows, seg: segment.NewHot(cp.dim), generation: s.staged.Generation}
	s.setParts(append(parts, part{base: cp.rows, hot: s.hot.seg, generation: s.hot.generation}))
	return cp
}

// seal writes segment, state and manifest, in this order, then lets go of the memory and the log behind it. The
// manifest names what r, if it is not nil, puts in the place of other segments.
func (s *Space) seal(cp checkpoint, r *replacement) (err error) {
	if err := s.log.Commit(wal.LSN(cp.position)); err != nil {
		return err
	}
	if s.View().Generation != cp.view.Generation {
		view := cp.view
		s.publish(&view) // it is durable, and what is built for it is not for a view of a former generation
	}
	if err := isolate.Fault("store/seal.rows"); err != nil {
		return err
	}
	before := s.manifestNow()
	next := *before
	if r != nil {
		if next.segments, err = r.in(next.segments); err != nil {
			return err
		}
	}
	sealed, err := s.sealRows(cp, &next)
	if err != nil {
		return err
	}
	apart, err := s.sealApart(cp, &next, r)
	if err == nil {
		err = isolate.Fault("store/seal.state")
	}
	if err != nil {
		return errors.Join(err, closeSealed(sealed), apart.close())
	}
	next.settings.Dim, next.settings.Model = cp.dim, cp.model
	next.generation, next.generations, next.building = cp.view.Generation, cp.view.generations, cp.view.building
	if next.state, err = s.writeState(cp, r, &next); err == nil {
		next.position, next.nextFile = cp.position, s.manifestNow().nextFile
		err = s.writeManifest(&next)
	}
	if err != nil {
		// The manifest may be the new one all the same, if its directory could not be synced: all files stay until
		// another one is durable.
		return errors.Join(err, closeSealed(sealed), apart.close())
	}
	isolate.Point("store/seal.swap")
	s.swap(cp, sealed, apart, &next, r)
	return s.letGo(before, apart, r, cp.position)
}

// manifestNow is the manifest in force; nobody may write to it.
func (s *Space) manifestNow() *manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.man
}

func (s *Space) addLitter(path string) {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	s.litter = append(s.litter, path)
}

// letGo removes what the new manifest no longer needs, unless a backup still reads it: the next sealing does it then.
func (s *Space) letGo(before *manifest, apart resealed, r *replacement, position uint64) error {
	if before.state.number != 0 {
		s.addLitter(s.statePath(before.state.number))
	}
	if r != nil {
		for _, p := range r.parts {
			s.addLitter(p.sealed.Path())
			p.sealed.Retire()
		}
	}
	for _, gone := range apart.gone {
		if gone.side.sealed != nil {
			gone.side.sealed.Retire()
		}
		if gone.path != "" {
			s.addLitter(gone.path)
		}
	}
	return s.drop(position)
}

// drop removes the files and the part of the log that nothing needs from a checkpoint on.
func (s *Space) drop(position uint64) error {
	s.filesMu.Lock() // a backup that begins now waits, and then sees the new manifest
	defer s.filesMu.Unlock()
	if s.pins > 0 && !isolate.Off("pins of sealings") {
		return nil
	}
	if err := isolate.Fault("store/seal.sweep"); err != nil {
		return err
	}
	_ = s.sweep() // what could not be removed is litter still
	if isolate.Off("trim bound") {
		position++
	}
	return errors.Join(s.log.Trim(wal.LSN(position+1)), s.forgetTrimmed())
}

// sealRows writes the rows of the frozen segment, if it has any, and names the file in next.
func (s *Space) sealRows(cp checkpoint, next *manifest) (*segment.Sealed, error) {
	if cp.hot.seg.Rows() == 0 {
		return nil, nil
	}
	if len(next.segments) >= maxSegments {
		return nil, fmt.Errorf("the space has %d segments, more are not possible: spread memories over more spaces",
			maxSegments)
	}
	file := segment.File{FS: s.fs, Dir: s.dir, Store: s.id, Number: s.takeFile()}
	built, err := segment.Build(file, segment.Plan{
		Sources: []segment.Source{cp.hot.seg}, Base: cp.hot.base,
		Drop:    func(slot uint32) bool { return s.erasedBy(cp.hot.base+slot, cp.position) },
		Vectors: s.folding(&cp.view, cp.hot.base, cp.hot.generation),
	})
	if err != nil {
		return nil, err
	}
	s.addLitter(file.Path())
	sealed, err := segment.Open(file, built.SizeBytes)
	if err != nil {
		return nil, err
	}
	next.segments = append(slices.Clone(next.segments), segmentRef{
		number: file.Number, base: cp.hot.base, rows: sealed.Rows(), sizeBytes: built.SizeBytes,
		generation: cp.view.Generation,
	})
	return sealed, nil
}

func closeSealed(w *segment.Sealed) error {
	if w == nil {
		return nil
	}
	return w.Close()
}

// sweep removes the state files before and what failed sealings left, but for what is kept aside. What cannot be
// removed is tried again by the next sealing and by the next opening. s.filesMu must be held.
func (s *Space) sweep() error {
	var errs []error
	man := s.manifestNow()
	var named []string
	for name := range man.names() {
		named = append(named, filepath.Join(s.dir, name))
	}
	s.forgetUnnamed(named)
	for name := range s.aside.Load().inPlace() {
		if !isolate.Off("keep in place") {
			named = append(named, filepath.Join(s.dir, name))
		}
	}
	s.litter = slices.DeleteFunc(s.litter, func(path string) bool {
		if slices.Contains(named, path) && !isolate.Off("named files") {
			return true
		}
		err := s.fs.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		errs = append(errs, err)
		return err == nil
	})
	return errors.Join(errs...)
}

// takeFile gives the next file number.
func (s *Space) takeFile() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.man.nextFile
	m := *s.man
	m.nextFile++
	s.man = &m
	return n
}

// writeState writes what became of the rows up to a checkpoint; of rows that r, or the sealing, leaves out it says
// nothing.
func (s *Space) writeState(cp checkpoint, r *replacement, next *manifest) (stateRef, error) {
	ref := stateRef{number: s.takeFile(), version: stateVersion}
	s.addLitter(s.statePath(ref.number))
	e := codec.Encoder{Buf: s.encodeState(cp, r)}
	next.encodeAgain(&e)
	h := codec.Header{Kind: stateKind, Version: stateVersion, Store: s.id, Number: ref.number, Position: cp.position}
	var err error
	if ref.sizeBytes, err = writeTwice(s.fs, s.statePath(ref.number), h, e.Buf); err != nil {
		return stateRef{}, fmt.Errorf("write state: %w", err)
	}
	return ref, nil
}

// swap puts the sealed segment in the place of the frozen one, and r in the place of what it replaces.
func (s *Space) swap(cp checkpoint, sealed *segment.Sealed, apart resealed, m *manifest, r *replacement) {
	gone := map[uint32]string{}
	for slot := range cp.hot.seg.Rows() {
		// A void row keeps its place in the order of its session, by which others find theirs.
		if row := cp.hot.base + slot; s.erasedBy(row, cp.position) || s.t.ends.End(row) == 0 {
			s.keepID(gone, part{base: cp.hot.base, hot: cp.hot.seg}, row)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.goneIDs, gone)
	parts := slices.Clone(*s.parts.Load())
	i := slices.IndexFunc(parts, func(p part) bool { return p.hot == cp.hot.seg })
	if sealed != nil {
		parts[i] = part{base: cp.hot.base, sealed: sealed, generation: cp.view.Generation}
	} else {
		parts = slices.Delete(parts, i, i+1)
	}
	if r != nil {
		maps.Copy(s.goneIDs, r.ids)
		parts = r.swapIn(parts)
		r.swapped = true
	}
	parts = apart.swapIn(parts)
	s.setParts(parts)
	m.nextFile = s.man.nextFile
	s.man = m
	s.inForce.Store(m)
	s.logged.Add(-cp.logged)
	s.retry = checkpoint{}
	s.keep = maxPosition
}
