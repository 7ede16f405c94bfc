package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/wal"
)

// Open opens the space in o.Dir, making it if there is none. Recovery is finished when it returns. Damaged rows of
// segments are confined to themselves and listed by Stats, and so are damaged records of the log as far as they tell
// which memories they were of; the space is for reading alone then. Other damage, in log, manifest and state, is a
// *codec.CorruptError.
func Open(o Options) (*Space, error) {
	var s *Space
	err := isolate.Do("open", o.Name, nil, func() (err error) {
		s, err = open(o, (*Space).replay)
		if damage, ok := errors.AsType[*logDamage](err); ok && !isolate.Off("rescue") {
			s, err = openWounded(o, damage, err)
		}
		if why, ok := errors.AsType[*unkept](err); ok {
			s, err = openUnkept(o, why)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open opens a space whose log replay goes through.
func open(o Options, replay func(*Space) error) (_ *Space, err error) {
	s, err := newSpace(o)
	if err != nil {
		return nil, err
	}
	if err = s.loadAside(); err != nil {
		return nil, fmt.Errorf("open space %s: %w", o.Name, err)
	}
	if s.man, err = s.loadManifest(); err != nil {
		return nil, fmt.Errorf("open space %s: %w", o.Name, err)
	}
	s.inForce.Store(s.man)
	s.id = s.man.store
	s.staged = s.man.view(s)
	opened := false
	defer func() { // also where opening panics or its goroutine ends
		if opened {
			return
		}
		if err != nil {
			err = fmt.Errorf("open space %s: %w", o.Name, err)
		}
		err = errors.Join(err, s.closeFiles())
	}()
	if err := s.loadSegments(); err != nil {
		return nil, err
	}
	if err := replay(s); err != nil {
		return nil, err
	}
	if err := s.checkEnd(); err != nil {
		return nil, err
	}
	if err := s.noteLog(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.clearLeftovers(), s.clearAside()); err != nil {
		return nil, err
	}
	if err := s.loadNeed(); err != nil {
		return nil, err
	}
	view := s.staged
	view.parts = s.parts.Load()
	s.view.Store(&view)
	opened = true
	return s, nil
}

// newSpace is a space that nothing was loaded into yet.
func newSpace(o Options) (*Space, error) {
	words, err := lexical.New(o.Lexical)
	if err != nil {
		return nil, fmt.Errorf("open space %s: %w", o.Name, err)
	}
	s := &Space{
		o: o, fs: o.FS, dir: o.Dir, name: o.Name, keep: maxPosition, compacting: make(chan struct{}, 1),
		carried: map[uint32]carriedRow{}, goneIDs: map[uint32]string{},
		room: room{memories: -1},
	}
	s.t = &table{words: words, chain: graph.NewChain(), links: graph.NewLinks()}
	return s, nil
}

// replay opens the log behind the manifest's position and applies what it holds. Up to here nothing was changed, and
// nothing is while the log is read.
func (s *Space) replay() error {
	if err := s.keepEarlier(); err != nil {
		return err
	}
	view := s.staged
	s.view.Store(&view)
	if err := isolate.Fault("store/open.log"); err != nil {
		return err
	}
	openLog := s.o.OpenLog
	if openLog == nil {
		openLog = s.openFiles
	}
	log, recovery, err := openLog(wal.LSN(s.man.position), s.applyFrame)
	if err != nil {
		return err
	}
	s.log = log
	s.logged.Store(recovery.Bytes)
	for _, err := range recovery.Damaged {
		s.tellLog(err)
	}
	if recovery.Torn != nil {
		s.torn = *recovery.Torn
	}
	return nil
}

func (s *Space) logOptions() wal.Options {
	return wal.Options{
		FS: s.fs, Dir: filepath.Join(s.dir, logDir), Store: s.id, MaxFileBytes: s.o.LogFileBytes,
		KeepBytes: s.o.LogKeepBytes, MarkAfter: s.o.LogMarkAfter, Note: frameNote,
	}
}

// requireLog refuses a space that had a log and has none: it would be made anew, and what was written since the last
// sealing, or ever, would be gone without a word.
func (s *Space) requireLog() error {
	if s.man.unlogged || isolate.Off("missing log") {
		return nil
	}
	dir := filepath.Join(s.dir, logDir)
	names, err := s.fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list log: %w", err)
	}
	if !slices.ContainsFunc(names, func(name string) bool { return filepath.Ext(name) == ".wal" }) {
		return &codec.CorruptError{
			Op: "open log", Path: dir, Offset: -1,
			Err: fmt.Errorf("the log is missing: it holds what was written after position %d", s.man.position),
		}
	}
	return nil
}

// noteLog writes the manifest that says that there is a log, now that there is.
func (s *Space) noteLog() error {
	if !s.man.unlogged || s.wounded {
		return nil
	}
	if err := isolate.Fault("store/open.manifest"); err != nil {
		return err
	}
	man := *s.man
	man.unlogged = false
	if err := s.writeManifest(&man); err != nil {
		return err
	}
	s.man = &man
	s.inForce.Store(&man)
	return nil
}

// applyFrame applies one frame of the log while nobody reads yet.
func (s *Space) applyFrame(lsn wal.LSN, payload []byte) error {
	if len(payload) > 0 && payload[0] < frameVersion {
		s.oldFrame = uint64(lsn)
		if err := s.keepAside(); err != nil {
			return err
		}
	}
	ops, err := readFrame(payload, uint64(lsn))
	if err != nil {
		return fmt.Errorf("log record %d: %w", lsn, err)
	}
	return s.applyOps(lsn, ops)
}

// applyOps applies the ops of a frame.
func (s *Space) applyOps(lsn wal.LSN, ops []op) error {
	if err := isolate.Fault("store/open.frame"); err != nil {
		return err
	}
	tx := s.begin(uint64(lsn))
	tx.replay = true
	for _, o := range ops {
		err := o.apply(tx)
		if errors.Is(err, errLost) {
			s.refuseWrites(err)
			continue
		}
		if err != nil {
			return fmt.Errorf("log record %d: apply: %w", lsn, err)
		}
	}
	tx.view.Position = uint64(lsn)
	s.staged = tx.view
	view := s.staged
	s.view.Store(&view)
	return nil
}
