package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
)

// Of each row it is kept on which day recall needed it last: it was a hit, it was got, or it was of use. This decides
// which segments become cold, and nothing else: no answer depends on it. It is in memory, and now and then written to a
// file of its own, docs/format/needed.md. What is lost of it, or if all of it is, costs a wrong guess.
//
// Get notes it of the memory, in the cell that it has read anyway: a place by row is one more miss of the cache. It
// counts for whichever version is the current one.

const (
	needName    = "NEEDED"
	needKind    = "ND"
	needVersion = 1
)

// Day is the number of days since 1970 UTC, counted from 1, of an instant in nanoseconds: 1 for all before.
func Day(at int64) uint32 {
	if at < 0 {
		return 1
	}
	return uint32(at/int64(24*time.Hour)) + 1
}

// Need notes that rows of the view were needed on a day. It takes no lock and may be called by any number of readers.
func (v *View) Need(day uint32, rows ...uint32) {
	for _, row := range rows {
		if row >= v.Rows || !v.s.t.needed.Has(row) {
			continue
		}
		if cell := v.s.t.needed.At(row); cell.Load() < day {
			cell.Store(day)
			v.s.needNew.Store(true)
		}
	}
}

// needGot notes that an entry was got on a day.
func (v *View) needGot(entry, day uint32) {
	if cell := v.s.t.states.At(entry); cell.got.Load() < day {
		cell.got.Store(day)
		v.s.needNew.Store(true)
	}
}

// noted is the day on which a row was needed last, as far as it was noted; 0 if it was not.
func (s *Space) noted(v *View, row uint32) uint32 {
	day := s.t.needed.At(row).Load()
	if s.t.ends.End(row) != 0 { // else it is void, and nobody's
		if f := v.Fate(row); f.Row == row {
			day = max(day, s.t.states.At(f.entry).got.Load())
		}
	}
	return day
}

// neededOn tells on which day a row was needed last; 0 if nothing is known. Use is known from the states of memories,
// too.
func (s *Space) neededOn(v *View, row uint32) uint32 {
	day := s.noted(v, row)
	if state, ok := (source{v}).History(row); ok && state.LastUse > state.Since {
		day = max(day, Day(state.LastUse))
	}
	return day
}

// sealedRows is how many rows are in segments.
func (s *Space) sealedRows() uint32 {
	parts := *s.parts.Load()
	for _, p := range parts {
		if p.hot != nil {
			return p.base
		}
	}
	return 0
}

func (s *Space) needPath() string { return filepath.Join(s.dir, needName) }

// saveNeed writes down what was needed, if that is news and there are segments that it could matter for.
func (s *Space) saveNeed() error {
	rows := s.sealedRows()
	if rows == 0 || !s.needNew.Swap(false) {
		return nil
	}
	var e codec.Encoder
	e.U32(rows)
	v := s.View()
	for row := uint32(0); row < rows; {
		day, first := s.noted(v, row), row
		for row++; row < rows && s.noted(v, row) == day; row++ {
			continue
		}
		e.Uvarint(uint64(row - first))
		e.Uvarint(uint64(day))
	}
	h := codec.Header{Kind: needKind, Version: needVersion, Store: s.id}
	if _, err := writeFile(s.fs, s.needPath(), h, e.Buf); err != nil {
		s.needNew.Store(true)
		return fmt.Errorf("write down what was needed: %w", err)
	}
	return nil
}

// readNeed calls fn with each run of rows and the day on which they were needed. There may be no file.
func (s *Space) readNeed(fn func(first, n, day uint32)) error {
	f, err := needFile.read(s.fs, s.needPath(), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.header.Check(s.needPath(), s.id, 0); err != nil {
		return err
	}
	d := codec.NewDecoder(f.body)
	rows, row := d.U32(), uint32(0)
	for row < rows && d.Err() == nil {
		n, day := d.Uvarint(), d.Uvarint()
		if n == 0 || n > uint64(rows-row) || day > 1<<31 {
			d.Fail(fmt.Errorf("a run of %d rows from %d on, of %d, needed on day %d", n, row, rows, day))
			break
		}
		fn(row, uint32(n), uint32(day))
		row += uint32(n)
	}
	if err := d.Done(); err != nil {
		return &codec.CorruptError{Op: "read what was needed", Path: s.needPath(), Offset: codec.HeaderSize, Err: err}
	}
	return nil
}

// loadNeed takes up what was needed before. Damage is told, and costs what it hides.
func (s *Space) loadNeed() error {
	err := s.readNeed(func(first, n, day uint32) {
		for row := first; row < first+n && row < s.staged.Rows && s.t.needed.Has(row); row++ {
			s.t.needed.At(row).Store(day)
		}
	})
	if errors.Is(err, codec.ErrCorrupt) {
		s.noteDamage(err)
		return nil
	}
	return err
}
