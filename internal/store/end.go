package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
)

// Files of a log that are older copies of themselves are whole in every way: what was written since is not missed by
// them. So the last durable position is noted beside the log when the space is closed, and now and then while it is
// open. A log that ends before it is not the one that was closed. docs/format/end.md.
//
// The note is not synced: it only ever claims what is durable in the log, so one that a power cut takes along claims
// less, or nothing, and nothing wrong. It is written to two places in turn, so that one is whole while the other is
// written.

const (
	endName    = "END"
	endKind    = "EN"
	endVersion = 1
	// endStep is between the two places: different pages, so that what damages one leaves the other.
	endStep = 4096
)

// endNote is what is known of the note. The zero value knows nothing, and nothing is written.
type endNote struct {
	mu    sync.Mutex // guards the fields below
	read  bool       // the space was opened with it
	place int64      // 0 or 1: where the last one is
	at    uint64     // the position it says
}

func (s *Space) endPath() string { return filepath.Join(s.dir, endName) }

// readEnd reads the note. Places that are not whole say nothing: a power cut can leave one.
func (s *Space) readEnd() (place int64, at uint64, err error) {
	place = 1 // so that the first is written to place 0
	f, err := s.fs.Open(s.endPath(), false)
	if errors.Is(err, fs.ErrNotExist) {
		return place, 0, nil
	}
	if err != nil {
		return place, 0, fmt.Errorf("read where the log ends: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	for i := range int64(2) {
		b := make([]byte, codec.HeaderSize)
		_, err := f.ReadAt(b, i*endStep)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return place, 0, fmt.Errorf("read where the log ends: %w", err)
		}
		h, err := codec.ReadHeader(s.endPath(), b, endKind, endVersion)
		if err == nil {
			err = h.Check(s.endPath(), s.id, uint64(i))
		}
		switch {
		case errors.Is(err, codec.ErrCorrupt):
		case err != nil:
			return place, 0, err
		case h.Position > at:
			place, at = i, h.Position
		}
	}
	return place, at, nil
}

// checkEnd refuses a log that ends before what was noted.
func (s *Space) checkEnd() error {
	s.end.mu.Lock()
	defer s.end.mu.Unlock()
	if s.o.OpenLog != nil {
		return nil // its frames are not in files of this directory
	}
	place, at, err := s.readEnd()
	if err != nil {
		return err
	}
	if err := s.endsBefore(at); err != nil && !isolate.Off("noted end") {
		return err
	}
	s.end.read, s.end.place, s.end.at = true, place, at
	return nil
}

func (s *Space) endsBefore(at uint64) error {
	if at <= s.staged.Position {
		return nil
	}
	return &codec.CorruptError{
		Op: "open log", Path: filepath.Join(s.dir, logDir), Offset: -1,
		Err: fmt.Errorf("it ends at position %d, and was written up to %d, as %s says: files of it are gone or were "+
			"replaced by older copies; put the right ones back, or go on without what was written since by removing %s",
			s.staged.Position, at, s.endPath(), s.endPath()),
	}
}

// NoteEnd notes how far the log is durable, if that is news. It waits for no writer and for no disk: nothing is synced.
func (s *Space) NoteEnd() error {
	s.end.mu.Lock()
	defer s.end.mu.Unlock()
	at := s.View().Position
	if !s.end.read || at <= s.end.at || s.readOnly.get() != nil || s.log.Err() != nil {
		return nil
	}
	place := 1 - s.end.place
	if err := s.writeEnd(place, at); err != nil {
		return fmt.Errorf("note where the log ends: %w", err)
	}
	s.end.place, s.end.at = place, at
	return nil
}

func (s *Space) writeEnd(place int64, at uint64) (err error) {
	f, err := s.fs.Open(s.endPath(), true)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = s.fs.Create(s.endPath())
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := codec.Header{Kind: endKind, Version: endVersion, Store: s.id, Number: uint64(place), Position: at}
	_, err = f.WriteAt(codec.AppendHeader(nil, h), place*endStep)
	return err
}
