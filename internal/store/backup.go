package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/orchard9/engram-go/internal/backup"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// SideFile is a small file in a space's directory that is its owner's: neither the log nor the manifest tells of it.
type SideFile struct {
	Name string
	Body []byte // nil if it is not there
}

// Backup writes a section that holds the space as it is visible when Backup begins, beside readers and writers. With
// after above 0 it holds only the log's frames behind that position, if the log still has them; the section says which
// it became. The side file is in either as a whole. Until it returns no file of the space is removed and the log is not
// trimmed.
//
// Damaged rows end it: what is damaged is never copied. An error leaves the stream without its end.
func (s *Space) Backup(
	ctx context.Context, w *backup.Writer, after uint64, side SideFile,
) (backup.Space, error) {
	s.pin()
	defer s.unpin()
	s.mu.Lock()
	man := s.man
	s.mu.Unlock()
	section := backup.Space{
		Name: s.name, Store: s.id, From: man.position, To: max(s.View().Position, man.position), Full: true,
	}
	if after > section.To {
		return section, fmt.Errorf("back up space %s after position %d: it is at %d: the backup before was of another "+
			"directory, or of this one before it was restored: take a full one: %w", s.name, after, section.To,
			ErrConflict)
	}
	if after > 0 && uint64(s.log.Stats().First) <= after+1 {
		section.From, section.Full = after, false
	}
	var st []byte
	if section.Full {
		var err error
		if section.WrittenAt, err = s.checkSegments(ctx, man); err != nil {
			return section, err
		}
		if st, err = s.stateBytes(man); err != nil {
			return section, err
		}
	}
	if err := w.Space(section); err != nil {
		return section, err
	}
	if !section.Full || side.Body != nil { // an empty one says that there is none any more
		if err := backupBytes(w, side.Name, side.Body); err != nil {
			return section, err
		}
	}
	if section.Full {
		if err := s.backupFiles(ctx, w, man, st); err != nil {
			return section, err
		}
	}
	return section, s.backupFrames(ctx, w, section)
}

// pin keeps files and log as they are until unpin.
func (s *Space) pin() {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	s.pins++
}

func (s *Space) unpin() {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	s.pins--
}

// checkSegments verifies every byte of the segments that a manifest names, and tells when the newest version in them
// was written. These are the files that are copied: those in force may be others by now.
func (s *Space) checkSegments(ctx context.Context, man *manifest) (writtenAt int64, err error) {
	for _, ref := range man.apart {
		if err := s.checkApart(ctx, ref); err != nil {
			s.noteDamage(err)
			return 0, fmt.Errorf("back up space %s: %w", s.name, err)
		}
	}
	for _, ref := range man.segments {
		newest, err := s.checkSegment(ctx, ref)
		s.noteDamage(err)
		if err != nil {
			return 0, fmt.Errorf("back up space %s: %w", s.name, err)
		}
		writtenAt = max(writtenAt, newest)
	}
	return writtenAt, nil
}

func (s *Space) checkSegment(ctx context.Context, ref segmentRef) (newest int64, err error) {
	w, err := s.openSegment(ref)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	_, stopped := w.Verify(func(int) error { return ctx.Err() }, func(damage error) { err = errors.Join(err, damage) })
	if err = errors.Join(err, stopped); err != nil {
		return 0, err
	}
	return newestIn(ctx, w)
}

// stateBytes reads the state file that a manifest names, checks it, and gives what it holds when it is whole: one of
// its two copies may be damaged. nil if the manifest names none.
func (s *Space) stateBytes(man *manifest) ([]byte, error) {
	if man.state.number == 0 {
		return nil, nil
	}
	st, f, err := s.stateOf(man, true)
	if err != nil {
		s.noteDamage(err)
		return nil, fmt.Errorf("back up space %s: %w", s.name, err)
	}
	s.noteDamage(st.mended)
	whole := fileBytes(f.header, f.body)
	if f.header.Version >= stateFile.twice {
		whole = twice(whole)
	}
	if int64(len(whole)) != man.state.sizeBytes {
		return nil, fmt.Errorf("back up space %s: its state has %d bytes, the manifest says %d: %w", s.name, len(whole),
			man.state.sizeBytes, codec.ErrCorrupt)
	}
	return whole, nil
}

// newestIn tells when the newest version in a segment was written; 0 if there is none.
func newestIn(ctx context.Context, of *segment.Sealed) (newest int64, err error) {
	w, end, err := of.InOrder(nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	for slot := range w.Rows() {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		info, err := w.Row(slot)
		if err != nil {
			return 0, err
		}
		if info.Void {
			continue
		}
		err = w.Read(slot, func(body []byte) error {
			r, err := readRecord(body)
			if err == nil {
				newest = max(newest, r.UpdatedAt.Nanos)
			}
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return newest, nil
}

// backupFiles writes the files that a manifest names, st for its state, and it last, as it is written last when they
// come back.
func (s *Space) backupFiles(ctx context.Context, w *backup.Writer, man *manifest, st []byte) error {
	for _, ref := range man.segments {
		path := segment.File{Dir: s.dir, Number: ref.number}.Path()
		if err := s.backupFile(ctx, w, path, ref.sizeBytes); err != nil {
			return err
		}
	}
	for _, ref := range man.apart {
		if err := s.backupFile(ctx, w, s.apartFile(ref.number).Path(), ref.sizeBytes); err != nil {
			return err
		}
	}
	if man.state.number != 0 {
		if err := backupBytes(w, filepath.Base(s.statePath(man.state.number)), st); err != nil {
			return err
		}
	}
	return backupBytes(w, manifestName, twice(fileBytes(manifestHeader(man), man.encode())))
}

func backupBytes(w *backup.Writer, name string, body []byte) error {
	if err := w.File(name, uint64(len(body))); err != nil {
		return err
	}
	for len(body) > 0 {
		n := min(len(body), backup.ChunkBytes)
		if err := w.Data(body[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	return nil
}

func (s *Space) backupFile(ctx context.Context, w *backup.Writer, path string, sizeBytes int64) error {
	f, err := s.fs.Open(path, false)
	if err != nil {
		return fmt.Errorf("back up file: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	if err := w.File(filepath.Base(path), uint64(sizeBytes)); err != nil {
		return err
	}
	chunk := make([]byte, min(sizeBytes, backup.ChunkBytes))
	for off := int64(0); off < sizeBytes; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.ReadAt(chunk[:min(sizeBytes-off, backup.ChunkBytes)], off)
		if n == 0 {
			return fmt.Errorf("back up file %s at byte %d: %w", path, off, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if err := w.Data(chunk[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}

// backupFrames writes the log's records of a section.
func (s *Space) backupFrames(ctx context.Context, w *backup.Writer, section backup.Space) error {
	next := section.From + 1
	for rec, err := range s.log.Read(wal.LSN(next)) {
		if err != nil {
			return fmt.Errorf("back up log of space %s: %w", s.name, err)
		}
		if uint64(rec.LSN) > section.To {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Frame(uint64(rec.LSN), rec.Payload); err != nil {
			return err
		}
		next++
	}
	if next != section.To+1 {
		return fmt.Errorf("back up log of space %s: it ends at %d, not at %d", s.name, next-1, section.To)
	}
	return nil
}
