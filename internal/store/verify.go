package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// Problem is one thing found wrong.
type Problem struct {
	File   string
	Offset int64
	What   string
}

// Report is what Verify found.
type Report struct {
	Files    int
	Records  int
	Bytes    int64
	Problems []Problem
}

// maxProblems bounds the list of a report; one more says that there are more.
const maxProblems = 1000

func (r *Report) add(err error) {
	if len(r.Problems) > maxProblems {
		return
	}
	if len(r.Problems) == maxProblems {
		r.Problems = append(r.Problems, Problem{What: "more problems than are listed"})
		return
	}
	var corrupt *codec.CorruptError
	if errors.As(err, &corrupt) {
		r.Problems = append(r.Problems, Problem{File: corrupt.Path, Offset: corrupt.Offset, What: corrupt.Err.Error()})
		return
	}
	r.Problems = append(r.Problems, Problem{What: err.Error()})
}

// Verify reads everything the space holds on disk, checks every checksum, and checks what is kept in memory against
// it: every index and every reference, as crosscheck.go lists them. It runs beside readers and writers. A problem is
// in the report; the error is for what kept Verify from looking.
func (s *Space) Verify(ctx context.Context) (*Report, error) {
	return s.VerifyStepwise(ctx, func(*Report) error { return nil })
}

// VerifyStepwise is Verify that calls step at first, after every piece of a segment, of 256 KiB at most, every thousand
// records of the log, and some hundred memories, with what was found so far: to tell of it, to wait, or to end by an
// error, which is returned as it is.
func (s *Space) VerifyStepwise(ctx context.Context, step func(*Report) error) (*Report, error) {
	r := &Report{}
	if err := s.verifyFiles(r); err != nil {
		return r, err
	}
	if err := step(r); err != nil {
		return r, err
	}
	for _, p := range *s.parts.Load() {
		var err error
		switch {
		case p.side != nil:
			err = s.verifyApart(ctx, p.side, r, step)
		case p.hot == nil:
			err = s.verifyPart(ctx, p, r, step)
		}
		if err != nil {
			return r, err
		}
	}
	if err := s.verifyLog(ctx, r, step); err != nil {
		return r, err
	}
	return r, s.verifyMemory(ctx, r, step)
}

// verifyPart reads a sealed segment from its file.
func (s *Space) verifyPart(ctx context.Context, p part, r *Report, step func(*Report) error) error {
	r.Files++
	if p.lost != nil {
		r.add(p.lost)
		return nil
	}
	pace := func(n int) error {
		r.Bytes += int64(n)
		if err := ctx.Err(); err != nil {
			return err
		}
		return step(r)
	}
	rows, err := p.sealed.Verify(pace, func(err error) {
		s.noteDamage(err)
		r.add(err)
	})
	r.Records += rows
	if errors.Is(err, fs.ErrNotExist) {
		if s.gonePart(p, err) {
			return nil // another has taken its place meanwhile
		}
		err = &codec.CorruptError{Op: "verify segment", Path: p.sealed.Path(), Offset: -1, Err: err}
		s.noteDamage(err)
		r.add(err)
		return nil
	}
	return err
}

// verifyFiles reads both copies of manifest and state file, as an opening would one of each. Nobody waits for it: a
// sealing that replaces the manifest meanwhile leaves the files that the one before names.
func (s *Space) verifyFiles(r *Report) error {
	s.pin()
	defer s.unpin()
	m, err := readManifest(s.fs, s.dir)
	if err != nil {
		s.noteDamage(err) // the next sealing writes it anew, from memory
		r.add(err)
		return nil
	}
	r.Files++
	s.addMended(r, m.mended)
	if m.state.number != 0 {
		if err := s.verifyState(r, m); err != nil {
			s.noteDamage(err)
			r.add(err)
			return nil
		}
	}
	if err := s.readNeed(func(uint32, uint32, uint32) {}); err != nil {
		r.add(err)
	}
	if s.aside.Load() != nil {
		if err := s.verifyAside(r); err != nil {
			r.add(err)
		}
	}
	return nil
}

// addMended tells of damage to one of two copies, which Stats tells of from now on too.
func (s *Space) addMended(r *Report, damage error) {
	if damage != nil {
		s.noteDamage(damage)
		r.add(damage)
	}
}

func (s *Space) verifyState(r *Report, m *manifest) error {
	r.Files++
	r.Bytes += m.state.sizeBytes
	st, _, err := s.stateOf(m, true)
	if err == nil {
		s.addMended(r, st.mended)
	}
	return err
}

// verifyLog reads the log: what is sealed and still kept for those who follow it, and what is not sealed.
func (s *Space) verifyLog(ctx context.Context, r *Report, step func(*Report) error) error {
	s.mu.Lock()
	sealed := wal.LSN(s.man.position)
	s.mu.Unlock()
	kept := s.log.Stats()
	r.Files += kept.Files
	there, err := s.logFiles()
	if err != nil {
		return err
	}
	for _, told := range s.logTold {
		var corrupt *codec.CorruptError
		if !asCorrupt(told, &corrupt) || there[corrupt.Path] {
			r.add(told)
		}
	}
	if s.wounded {
		return nil
	}
	// Damage to what is sealed costs nothing but itself: records behind it are read. Each passing over reads a file
	// again.
	const most = 16
	from := max(kept.First, 1)
	for range most {
		if from > sealed {
			break
		}
		last, err := s.readLog(ctx, r, step, from, sealed, sealed)
		if err != nil {
			return err
		}
		from = max(last, from) + 1
	}
	_, err = s.readLog(ctx, r, step, sealed+1, wal.LSN(maxPosition), sealed)
	return err
}

// readLog reads records of the log, of which those up to sealed are in segments, up to the first one that is damaged.
// last is that of those that were read or that one; the error is what ends the verification.
func (s *Space) readLog(
	ctx context.Context, r *Report, step func(*Report) error, from, to, sealed wal.LSN,
) (last wal.LSN, err error) {
	const between = 1000
	last = from - 1
	for rec, err := range s.log.Read(from) {
		if errors.Is(err, wal.ErrTrimmed) || to <= sealed && errors.Is(err, fs.ErrNotExist) {
			return to, nil // a sealing has moved on meanwhile, or the file went with an error
		}
		if err != nil {
			if !r.has(err) {
				s.noteDamage(err)
				r.add(err)
			}
			return last + 1, nil
		}
		if rec.LSN > to {
			break
		}
		if err := ctx.Err(); err != nil {
			return last, err
		}
		last = rec.LSN
		r.Records++
		r.Bytes += int64(len(rec.Payload))
		if _, err := readFrame(rec.Payload, uint64(rec.LSN)); err != nil {
			r.add(fmt.Errorf("log record %d: %w", rec.LSN, err))
		}
		if rec.LSN%between == 0 {
			if err := step(r); err != nil {
				return last, err
			}
		}
	}
	return to, nil
}

// tellsOf reports whether an error is of damage to a file that the report tells of.
func (r *Report) tellsOf(err error) bool {
	var corrupt *codec.CorruptError
	return errors.As(err, &corrupt) && (len(r.Problems) >= maxProblems ||
		slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.File == corrupt.Path }))
}

// has reports whether damage at the same place is in the report.
func (r *Report) has(err error) bool {
	var corrupt *codec.CorruptError
	return errors.As(err, &corrupt) && slices.ContainsFunc(r.Problems, func(p Problem) bool {
		return p.File == corrupt.Path && p.Offset == corrupt.Offset
	})
}

// Stats describes a space; sizes are in bytes.
type Stats struct {
	View
	Hot, Warm    int
	Cold         int
	Segments     int
	LogBytes     int64
	SegmentBytes int64
	// ColdBytes is the part of SegmentBytes that is cold, in ColdSegments; ColdBodies what contents take in these, and
	// ColdRaw what they would take if they were not packed.
	ColdSegments                   int
	ColdBytes, ColdBodies, ColdRaw int64
	// Cooled and Warmed count segments that moved since the space was opened.
	Cooled, Warmed int64
	IndexBytes     int64
	HotBytes       int64
	Torn           int64
	TornFile       string
	ReadOnly       error // why writes are refused
	Sealing        Sealing
	Damaged        []string
}

// Torn is what of an unfinished write Open dropped from the log's end; its Bytes are 0 if it dropped nothing.
func (s *Space) Torn() wal.Tear { return s.torn }

// SizeBytes is what rows take, and vectors apart from them: segments, and what is in memory at the size that it will
// have in one. The log is besides.
func (s *Space) SizeBytes() (n int64) {
	for _, p := range *s.parts.Load() {
		if p.side != nil {
			p.sealed, p.hot = p.side.sealed, p.side.hot
		}
		switch {
		case p.sealed != nil:
			n += p.sealed.SizeBytes()
		case p.hot != nil:
			n += p.hot.SealedBytes()
		}
	}
	return n
}

// Stats describes the space as it is now.
func (s *Space) Stats() Stats {
	st := Stats{
		View: *s.View(), Torn: s.torn.Bytes, TornFile: s.torn.Kept, IndexBytes: s.t.words.SizeBytes(),
		Cooled: s.cooled.Load(), Warmed: s.warmed.Load(),
	}
	for _, p := range *s.parts.Load() {
		switch {
		case p.side != nil && p.side.sealed != nil:
			st.SegmentBytes += p.side.sealed.SizeBytes()
		case p.side != nil && p.side.hot != nil:
			st.HotBytes += p.side.hot.SizeBytes()
		case p.sealed != nil:
			st.SegmentBytes += p.sealed.SizeBytes()
			st.Segments++
			if p.sealed.Tier() == segment.Warm {
				st.Warm += int(p.sealed.Rows())
				break
			}
			st.Cold += int(p.sealed.Rows())
			st.ColdSegments++
			st.ColdBytes += p.sealed.SizeBytes()
			st.ColdBodies += p.sealed.BodyBytes()
			st.ColdRaw += p.sealed.RawBytes()
		case p.hot != nil:
			st.HotBytes += p.hot.SizeBytes()
			// The rows of parts that are not sealed are the last ones.
			st.Hot = max(st.Hot, int(int64(st.Rows)-int64(p.base)))
		}
	}
	st.LogBytes = s.log.Stats().SizeBytes
	st.Damaged = s.damageNotes()
	st.ReadOnly, st.Sealing = errors.Join(s.refusing()...), s.sealing.told(s.sealErr.get())
	return st
}
