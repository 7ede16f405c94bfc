package wal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/codec"
)

// Wreck is a record that was acknowledged and is not whole.
type Wreck struct {
	LSN LSN
	// Bytes is what its place holds behind its head: the payload, damaged or not, if Exact, else up to seven zeros
	// more. Valid during the call.
	Bytes []byte // nil if it cannot be told where it begins or ends
	Exact bool
	Old   bool   // its file is of version 1
	Note  []byte // what Options.Note said of it, as it was told again; nil if it was not
	Err   error  // a *codec.CorruptError that names the record's file, and its offset or where the damage begins
}

// Rescue opens a log that Open refuses for damage to some of its records, for reading alone, and changes nothing: every
// record above after that is whole is given to apply, every other to wreck, each in its turn. A log in which it cannot
// be told where a damaged record is, nor what it was of, or how many are gone, is refused as by Open. Log.Err gives
// cause from then on, and Close succeeds.
func Rescue(o Options, after LSN, cause error, apply func(LSN, []byte) error, wreck func(Wreck) error) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	numbers, _, _, err := o.list()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 {
		return nil, cause
	}
	v := &salvage{o: &o, next: after + 1, apply: apply, wreck: wreck}
	if v.told, err = o.toldAgain(numbers, after); err != nil {
		return nil, err
	}
	for i, number := range numbers {
		if i > 0 && number != numbers[i-1]+1 {
			return nil, cause
		}
		if err := v.file(number); err != nil {
			return nil, err
		}
	}
	if !v.ends {
		return nil, cause
	}
	if err := v.torn(); err != nil {
		return nil, err
	}
	last := v.next - 1
	l := &Log{o: o, files: v.files, rescued: true, err: fmt.Errorf("%w: %w", ErrFailed, cause)}
	l.durable.Store(uint64(last))
	l.appended.Store(uint64(last))
	return l, nil
}

// torn judges what follows the last whole record as Open does: it may have been cut off, but not acknowledged.
func (v *salvage) torn() (err error) {
	f := v.files[len(v.files)-1]
	file, err := v.o.FS.Open(v.o.logPath(f.number), false)
	if err != nil {
		return fmt.Errorf("rescue log file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	s := &scanner{file: file, seed: codec.Seed(v.o.Store, f.number), size: f.size}
	return (&replay{o: v.o, last: v.next - 1, end: v.end, off: v.end}).tail(s)
}

var errUntold = errors.New("it cannot be told where each of them begins, nor what they were of")

// wrecks tells of the records v.next to g.last. Whole heads among them tell where those begin; between two of these
// there can be one without.
func (v *salvage) wrecks(s *scanner, g gap) error {
	at, before := g.from, g.seen // where the record behind before begins
	for off := g.from; off < g.to; {
		h, ok, err := s.head(off)
		if err != nil {
			return err
		}
		if !ok || h.kind != kindData || h.lsn <= before || h.lsn > g.last || off+h.size() > g.to {
			off += recordGrid
			continue
		}
		if err := v.headless(s, gap{at, off, before, h.lsn - 1}); err != nil {
			return err
		}
		if err := v.tell(s, h.lsn, off, off+recordHeader+int64(h.length), true); err != nil {
			return err
		}
		off += h.size()
		at, before = off, h.lsn
	}
	return v.headless(s, gap{at, g.to, before, g.last})
}

// headless tells of the records without a whole head in a gap: by its bytes where it is one, else by what was told
// again of them.
func (v *salvage) headless(s *scanner, g gap) error {
	if g.last == g.seen+1 && g.to >= g.from+recordHeader {
		return v.tell(s, g.last, g.from, g.to, false)
	}
	for lsn := max(g.seen+1, v.next); lsn <= g.last; lsn++ {
		note := v.told[lsn]
		if note == nil {
			return corrupt("rescue log", s.file.Name(), g.from,
				"records %d to %d are damaged: %w", g.seen+1, g.last, errUntold)
		}
		err := v.wreck(Wreck{LSN: lsn, Note: note, Err: corrupt("read log", s.file.Name(), g.from,
			"record %d is damaged, from here on or behind", lsn)})
		if err != nil {
			return err
		}
		v.next = lsn + 1
	}
	return nil
}

// toldAgain collects what records of notes and marks tell of those records above after that are not whole.
func (o *Options) toldAgain(numbers []uint64, after LSN) (map[LSN][]byte, error) {
	told, last := map[LSN][]byte{}, after
	var lost []LSN // the first and the last of each run
	for _, number := range numbers {
		err := o.scan(number, func(s *scanner) error {
			for off := int64(fileHeader); ; {
				at, h, ok, err := s.next(off)
				if err != nil || !ok {
					return err
				}
				if h.before() > last {
					lost = append(lost, last+1, h.before())
				}
				last, off = max(last, h.before()), at+h.size()
				if h.kind == kindData {
					last = max(last, h.lsn)
					continue
				}
				_, payload, _, err := s.record(at)
				if err != nil {
					return err
				}
				eachNote(payload, func(lsn LSN, note []byte) {
					for i := 0; i < len(lost); i += 2 {
						if lsn >= lost[i] && lsn <= lost[i+1] && len(note) > 0 {
							told[lsn] = bytes.Clone(note)
						}
					}
				})
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return told, nil
}

// scan opens a file to be read by records.
func (o *Options) scan(number uint64, read func(*scanner) error) (err error) {
	file, err := o.FS.Open(o.logPath(number), false)
	if err != nil {
		return fmt.Errorf("salvage log file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("salvage log file: %w", err)
	}
	return read(&scanner{file: file, seed: codec.Seed(o.Store, number), size: size &^ (recordGrid - 1)})
}

// tell gives a damaged record to wreck.
func (v *salvage) tell(s *scanner, lsn LSN, from, to int64, exact bool) error {
	if lsn < v.next {
		return nil
	}
	b, err := s.view(from+recordHeader, int(to-from-recordHeader))
	if err != nil {
		return err
	}
	w := Wreck{
		LSN: lsn, Bytes: b, Exact: exact, Old: v.old, Note: v.told[lsn],
		Err: corrupt("read log", s.file.Name(), from, "record %d is damaged", lsn),
	}
	if err := v.wreck(w); err != nil {
		return err
	}
	v.next = lsn + 1
	return nil
}
