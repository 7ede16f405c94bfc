package store

import (
	"errors"
	"fmt"
	"io/fs"

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
}

// sealIfFull starts a sealing if the hot segment has reached its size and none is under way.
func (s *Space) sealIfFull() {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.hot.seg.SizeBytes()
	switch {
	case s.retry.hot.seg != nil && size < s.retryAt: // being sealed, or failed a short while ago
	case s.retry.hot.seg != nil, size >= s.o.HotBytes, s.hot.seg.Rows() >= segment.MaxRows/2:
		s.startSealing()
	}
}

// startSealing freezes the hot segment, unless one is frozen already, and seals the frozen one in the background.
// s.mu must be held.
func (s *Space) startSealing() {
	if s.frozen || s.closed || s.readOnly != nil || s.log.Err() != nil {
		return
	}
	cp := s.freeze()
	s.frozen = true
	s.sealed = make(chan struct{})
	s.work.Go(func() {
		err := isolate.Go("seal", s.name, func() error { return s.seal(cp) })
		s.mu.Lock()
		defer s.mu.Unlock()
		s.frozen = false
		s.sealErr = nil
		if err != nil {
			s.sealErr = fmt.Errorf("seal space %s: %w", s.name, err)
			s.retryAt = s.hot.seg.SizeBytes() + s.o.HotBytes/4
		}
		close(s.sealed)
	})
}

// Seal seals what is in memory now and waits for the end of it.
func (s *Space) Seal() error {
	s.mu.Lock()
	s.startSealing()
	sealed, frozen := s.sealed, s.frozen
	s.mu.Unlock()
	if frozen {
		<-sealed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealErr
}

// freeze puts an empty segment in the place of the hot one. After a failed sealing it takes up the same one again,
// with the state as it is now kept for it. s.mu must be held.
func (s *Space) freeze() checkpoint {
	if s.retry.hot.seg != nil {
		return s.retry
	}
	cp := checkpoint{
		position: s.staged.Position, hot: s.hot, rows: s.hot.base + s.hot.seg.Rows(), entries: s.nextEntry,
		keys: s.nextKey, dim: s.staged.Dim,
	}
	s.keep = cp.position
	s.retry = cp
	parts := append([]part(nil), *s.parts.Load()...)
	s.hot = hotPart{base: cp.rows, seg: segment.NewHot(cp.dim)}
	parts = append(parts, part{base: cp.rows, hot: s.hot.seg})
	s.parts.Store(&parts)
	return cp
}

// seal writes segment, state and manifest, in this order, then lets go of the memory and the log behind it.
func (s *Space) seal(cp checkpoint) error {
	if err := s.log.Commit(wal.LSN(cp.position)); err != nil {
		return err
	}
	next := *s.man
	next.segments = append([]segmentRef(nil), s.man.segments...)
	file := segment.File{FS: s.fs, Dir: s.dir, Store: s.id, Number: s.takeFile()}
	size, err := segment.Seal(file, cp.hot.seg)
	if err != nil {
		return err
	}
	warm, err := segment.Open(file, size)
	if err != nil {
		return err
	}
	old := next.state.number
	if next.state, err = s.writeState(cp); err != nil {
		return errors.Join(err, warm.Close())
	}
	next.segments = append(next.segments, segmentRef{
		number: file.Number, base: cp.hot.base, rows: warm.Rows(), sizeBytes: size,
	})
	next.position, next.settings.Dim, next.nextFile = cp.position, cp.dim, s.man.nextFile
	if err := s.writeManifest(&next); err != nil {
		return errors.Join(err, warm.Close())
	}
	s.swap(cp, warm, &next)
	if old != 0 {
		if err := s.fs.Remove(s.statePath(old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove old state: %w", err)
		}
	}
	return s.log.Trim(wal.LSN(cp.position + 1))
}

// takeFile gives the next file number. Only the one sealing calls it.
func (s *Space) takeFile() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.man.nextFile
	m := *s.man
	m.nextFile++
	s.man = &m
	return n
}

func (s *Space) writeState(cp checkpoint) (stateRef, error) {
	ref := stateRef{number: s.takeFile()}
	body := s.encodeState(cp.position, cp.rows, cp.entries, cp.keys)
	h := codec.Header{Kind: stateKind, Version: stateVersion, Store: s.id, Number: ref.number}
	var err error
	if ref.sizeBytes, err = writeFile(s.fs, s.statePath(ref.number), h, body); err != nil {
		return stateRef{}, fmt.Errorf("write state: %w", err)
	}
	return ref, nil
}

// swap puts the sealed segment in the place of the frozen one.
func (s *Space) swap(cp checkpoint, warm *segment.Warm, m *manifest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := append([]part(nil), *s.parts.Load()...)
	for i := range parts {
		if parts[i].hot == cp.hot.seg {
			parts[i] = part{base: cp.hot.base, warm: warm}
		}
	}
	s.parts.Store(&parts)
	m.nextFile = s.man.nextFile
	s.man = m
	s.retry = checkpoint{}
	s.keep = maxPosition
}
