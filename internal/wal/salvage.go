package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Salvage reads a log that Open refuses, and changes nothing: every record above after that is whole, in the order of
// LSNs, is given to apply. What is not whole is given to wreck, in its turn, if it can be told apart; else, or if wreck
// is nil, it is told to lost, each time as a *codec.CorruptError that names file, offset and the LSNs that are missing.
// Behind damage it goes on at the next whole record: checksums start from store, file and offset, so that nothing else
// can be taken for one. Records of a write that was never acknowledged may be among those given.
//
// A directory that is not there holds nothing. It returns the error of apply and of the file system. Nobody may have
// the log open.
func Salvage(
	o Options, after LSN, apply func(lsn LSN, payload []byte) error, wreck func(Wreck) error, lost func(error),
) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	numbers, _, _, err := o.list()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	v := &salvage{o: &o, next: after + 1, apply: apply, wreck: wreck, lost: lost}
	if wreck != nil {
		if v.told, err = o.toldAgain(numbers, after); err != nil {
			return err
		}
	}
	for _, number := range numbers {
		if err := v.file(number); err != nil {
			return err
		}
	}
	return nil
}

type salvage struct {
	o     *Options
	next  LSN // the lowest LSN that was not given to apply
	apply func(LSN, []byte) error
	wreck func(Wreck) error // nil: damage is told to lost
	lost  func(error)       // nil: what cannot be given to wreck is refused
	told  map[LSN][]byte    // what was told again of records that are not whole
	files []*logFile        // those gone through
	ends  bool              // the last of them is as long as it was made, or says how far it goes
	short bool              // it is not
	old   bool              // it is of version 1
	end   int64             // where the whole records of the last of them end
}

// file gives the whole records of one file.
func (v *salvage) file(number uint64) error {
	return v.o.scan(number, func(s *scanner) error { return v.records(s, number) })
}

// records is file for one that is open.
func (v *salvage) records(s *scanner, number uint64) error {
	first := v.first(s, number)
	if first > v.next && v.told[first-1] != nil && len(v.files) > 0 {
		// The end of the file before is gone, and was told again.
		before := v.files[len(v.files)-1].number
		g := gap{v.end, v.end, v.next - 1, first - 1}
		if err := v.headless(&scanner{file: named{s.file, v.o.logPath(before)}}, g); err != nil && v.lost == nil {
			return err
		}
	}
	if v.lost == nil && first > v.next {
		return corrupt("rescue log", s.file.Name(), -1, "records %d to %d before it are missing", v.next, first-1)
	}
	v.files = append(v.files, &logFile{number: number, first: first, size: s.size})
	end, seen := int64(fileHeader), first-1
	for off := end; ; {
		at, h, ok, err := s.next(off)
		if err != nil {
			return fmt.Errorf("salvage log: %w", err)
		}
		switch {
		case !ok && v.lost != nil:
			v.end = end
			return v.tail(s, end)
		case !ok:
			v.end = end
			return nil
		}
		if err := v.missing(s, gap{end, at, seen, h.before()}); err != nil {
			return err
		}
		if h.kind == kindData && h.lsn >= v.next {
			_, payload, _, err := s.record(at)
			if err == nil {
				err = v.apply(h.lsn, payload)
			}
			if err != nil {
				return fmt.Errorf("salvage log record %d: %w", h.lsn, err)
			}
			v.next = h.lsn + 1
		}
		off = at + h.size()
		end, seen, v.ends = off, max(seen, h.before()), v.ends || !v.short || h.kind == kindClean
		if h.kind == kindData {
			seen = max(seen, h.lsn)
		}
	}
}

// first is the LSN of a file's first record, as its header says; the next one that is wanted if it cannot be read.
func (v *salvage) first(s *scanner, number uint64) LSN {
	v.ends, v.short, v.old = false, false, false
	if b, err := s.view(0, int(min(s.size, fileHeader))); err == nil {
		if f, err := v.o.readFileHeader(b, number); err == nil {
			v.short, v.old = s.size < f.size, f.old
			v.ends = !v.short
			return f.first
		}
	}
	return v.next
}

// named is a file under the name of another, for errors.
type named struct {
	vfs.File
	name string
}

func (n named) Name() string { return n.name }

// gap is a place without a whole record in a file: from where the last one ends to where the next one begins, with the
// LSN of the last data record up to either.
type gap struct {
	from, to   int64
	seen, last LSN
}

// missing tells of records that are not whole.
func (v *salvage) missing(s *scanner, g gap) error {
	if g.last < v.next {
		return nil
	}
	if v.wreck != nil {
		err := v.wrecks(s, g)
		if v.lost == nil || !errors.Is(err, codec.ErrCorrupt) {
			return err
		}
	}
	v.lost(corrupt("salvage log", s.file.Name(), g.to, "records %d to %d before this offset are damaged or missing",
		v.next, g.last))
	v.next = g.last + 1
	return nil
}

// tail tells of bytes behind the last whole record of a file: usually those of a write that was never acknowledged.
func (v *salvage) tail(s *scanner, end int64) error {
	for off := end; off+recordGrid <= s.size; off += recordGrid {
		b, err := s.view(off, recordGrid)
		if err != nil {
			return fmt.Errorf("salvage log: %w", err)
		}
		if binary.LittleEndian.Uint64(b) != 0 {
			v.lost(corrupt("salvage log", s.file.Name(), end,
				"what follows the last whole record may have been a write, of record %d on, that was not finished",
				v.next))
			return nil
		}
	}
	return nil
}
