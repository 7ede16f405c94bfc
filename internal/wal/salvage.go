package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/orchard9/engram-go/internal/codec"
)

// Salvage reads a log that Open refuses, and changes nothing: every record above after that is whole, in the order of
// LSNs, is given to apply; what is not whole is told to lost, each time as a *codec.CorruptError that names file, offset
// and the LSNs that are missing. Behind damage it goes on at the next whole record: checksums start from store, file and
// offset, so that nothing else can be taken for one. Records of a write that was never acknowledged may be among those
// given.
//
// A directory that is not there holds nothing. It returns the error of apply and of the file system. Nobody may have the log open.
func Salvage(o Options, after LSN, apply func(lsn LSN, payload []byte) error, lost func(error)) error {
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
	v := &salvage{o: &o, next: after + 1, apply: apply, lost: lost}
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
	lost  func(error)
}

// file gives the whole records of one file.
func (v *salvage) file(number uint64) (err error) {
	path := v.o.logPath(number)
	file, err := v.o.FS.Open(path, false)
	if err != nil {
		return fmt.Errorf("salvage log file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("salvage log file: %w", err)
	}
	s := &scanner{file: file, seed: codec.Seed(v.o.Store, number), size: size &^ (recordGrid - 1)}
	end := int64(fileHeader)
	for off := int64(fileHeader); off+recordHeader <= s.size; {
		h, payload, ok, err := s.record(off)
		if err != nil {
			return fmt.Errorf("salvage log: %w", err)
		}
		if !ok {
			off += recordGrid
			continue
		}
		if h.kind == kindData && h.lsn >= v.next {
			if h.lsn > v.next {
				v.lost(corrupt("salvage log", path, off, "records %d to %d before this offset are damaged or missing",
					v.next, h.lsn-1))
			}
			if err := v.apply(h.lsn, payload); err != nil {
				return fmt.Errorf("salvage log record %d: %w", h.lsn, err)
			}
			v.next = h.lsn + 1
		}
		off += h.size()
		end = off
	}
	return v.tail(s, end)
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
				"what follows the last whole record may have been a write, of record %d on, that was not finished", v.next))
			return nil
		}
	}
	return nil
}
