package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Open recovers the log in o.Dir, making it if there is none, and opens it for writing.
//
// Every record with an LSN above after is given to apply in order, before the log can be written to; after is what the
// caller holds durably elsewhere, and damage to what is up to it is told and costs nothing. payload is valid during the
// call. An error of apply ends Open and is returned wrapped. If there is no log, or it holds no records beyond after,
// the next LSN is after+1.
//
// A torn tail is dropped and reported in [Recovery]. Damage is a *codec.CorruptError that names file, offset and LSNs:
// a record that was acknowledged and is not whole, a missing file, a log that begins behind after+1 or ends before
// after. A file of a newer version is a *codec.FormatError. In both cases nothing has been written; apply may have been
// called for the records before. Opening is idempotent and may be interrupted at any point.
//
// No other process may have the log open: the caller holds the directory's lock.
func Open(o Options, after LSN, apply func(lsn LSN, payload []byte) error) (*Log, Recovery, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, Recovery{}, err
	}
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return nil, Recovery{}, fmt.Errorf("make log directory: %w", err)
	}
	if err := isolate.Fault("wal/open"); err != nil {
		return nil, Recovery{}, err
	}
	numbers, spares, torn, err := o.list()
	if err != nil {
		return nil, Recovery{}, err
	}
	if len(numbers) == 0 {
		l, err := create(o, append(spares, torn...), after)
		return l, Recovery{Created: true, Last: after}, err
	}
	r := &replay{o: &o, after: after, mark: after, apply: apply, notes: notes{take: o.Note}}
	if err := r.run(numbers); err != nil {
		return nil, r.found, err
	}
	l, err := r.open(spares, torn)
	return l, r.found, err
}

// list returns the numbers of the log files in ascending order, and the paths of left-over spares and of what
// recoveries kept.
func (o *Options) list() (numbers []uint64, spares, torn []string, err error) {
	names, err := o.FS.ReadDir(o.Dir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("list log directory: %w", err)
	}
	for _, name := range names {
		if number, ok := parseLogName(name); ok {
			numbers = append(numbers, number)
		} else if strings.HasSuffix(name, spareSuffix) {
			spares = append(spares, filepath.Join(o.Dir, name))
		} else if strings.HasSuffix(name, tornSuffix) {
			torn = append(torn, filepath.Join(o.Dir, name))
		}
	}
	slices.Sort(numbers)
	return numbers, spares, torn, nil
}

// create makes the first file of a log.
func create(o Options, leftOver []string, after LSN) (*Log, error) {
	if err := o.FS.SyncDir(filepath.Dir(o.Dir)); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	for _, path := range leftOver {
		if err := o.drop(path); err != nil {
			return nil, err
		}
	}
	f := &logFile{number: 1, first: after + 1, size: o.FirstFileBytes}
	path := o.sparePath(f.number)
	if err := o.makeSpare(path, f.size); err != nil {
		return nil, err
	}
	file, err := o.adopt(path, *f)
	if err != nil {
		return nil, err
	}
	l := newLog(o, []*logFile{f}, file, fileHeader, after, notes{take: o.Note})
	l.dirSynced = true
	if err := l.mark(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// newLog returns a log that writes to file, the last of files, from offset off on. last is the last record's LSN, n the
// notes up to there.
func newLog(o Options, files []*logFile, file vfs.File, off int64, last LSN, n notes) *Log {
	l := &Log{o: o, files: files, pause: firstPause, notes: n}
	l.durable.Store(uint64(last))
	l.appended.Store(uint64(last))
	l.setActive(file, files[len(files)-1], off)
	l.notes.old, l.bound = l.old, n.bound(0)
	l.measureLocked()
	return l
}

// replay is one recovery: run reads and judges and changes nothing, open makes the log writable.
type replay struct {
	o     *Options
	after LSN
	apply func(LSN, []byte) error
	found Recovery
	files []*logFile
	notes notes // of the records that were read

	marks []span // those behind the last record of the file read last
	stray bool   // there is something else behind it, where no mark has a place

	last LSN // of the last whole record
	mark LSN // highest LSN known to have been durable

	end   int64 // where the records end in the file read last
	off   int64 // where the next one is written: over a mark at the end
	doubt int64 // where those begin that no mark covers
}

// run reads all files.
func (r *replay) run(numbers []uint64) error {
	for i, number := range numbers {
		if i > 0 && number != numbers[i-1]+1 {
			return corrupt("open log", r.o.logPath(numbers[i-1]+1), -1, "file is missing between %s and %s",
				filepath.Base(r.o.logPath(numbers[i-1])), filepath.Base(r.o.logPath(number)))
		}
		if err := r.file(number, i == len(numbers)-1); err != nil {
			return err
		}
	}
	if r.last < r.after {
		return corrupt("open log", r.o.logPath(numbers[len(numbers)-1]), r.end,
			"records %d to %d, which were durable, are missing", r.last+1, r.after)
	}
	r.found.Last = r.last
	return nil
}

// file opens, checks and replays one file.
func (r *replay) file(number uint64, isLast bool) (err error) {
	path := r.o.logPath(number)
	file, err := r.o.FS.Open(path, false)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	defer func() {
		if cerr := file.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("close log file: %w", cerr)
		}
	}()
	s, f, err := r.header(file, number)
	if err != nil {
		return err
	}
	switch {
	case len(r.files) == 0 && f.first > r.after+1:
		return corrupt("open log", path, -1, "log begins with record %d, records %d to %d before it are missing",
			f.first, r.after+1, f.first-1)
	case len(r.files) == 0:
		r.last = f.first - 1
	case f.first > r.last+1 && f.first <= r.after+1:
		r.passHeld(r.o.logPath(number-1), r.end, f.first-1)
	case f.first != r.last+1:
		before := r.o.logPath(number - 1)
		return corrupt("read log", before, r.end, "record %d is damaged or missing, %s goes on with record %d",
			r.last+1, filepath.Base(path), f.first)
	}
	r.mark = max(r.mark, f.first-1)
	r.files = append(r.files, f)
	r.notes.old = f.old
	sealed, err := r.records(s)
	if err != nil || !isLast {
		return err
	}
	if sealed {
		return corrupt("open log", r.o.logPath(number+1), -1,
			"file is missing: %s says that it was there", filepath.Base(path))
	}
	return r.tail(s)
}

// header reads a file's header. A damaged one is replaced by what the name and the first record say, and reported: the
// records prove themselves. Only where there is no whole record does damage to the header end recovery.
func (r *replay) header(file vfs.File, number uint64) (*scanner, *logFile, error) {
	size, err := file.Size()
	if err != nil {
		return nil, nil, fmt.Errorf("open log file: %w", err)
	}
	s := &scanner{file: file, seed: codec.Seed(r.o.Store, number), size: size &^ (recordGrid - 1)}
	b, err := s.view(0, int(min(s.size, fileHeader)))
	if err != nil {
		return nil, nil, err
	}
	f, damage := r.o.readFileHeader(b, number)
	if damage == nil {
		if size < f.size {
			return nil, nil, corrupt("open log", file.Name(), size,
				"file is %d bytes long, it was made %d", size, f.size)
		}
		s.size = f.size
		return s, &f, nil
	}
	if !errors.Is(damage, codec.ErrCorrupt) {
		return nil, nil, damage
	}
	h, _, ok, err := s.record(fileHeader)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		return nil, nil, damage
	}
	r.found.Damaged = append(r.found.Damaged, damage)
	first := h.lsn
	if h.kind != kindData {
		first++
	}
	return s, &logFile{number: number, first: first, size: s.size}, nil
}

// records replays a file's records up to its seal or the first that is not whole; r.end is where it is.
func (r *replay) records(s *scanner) (sealed bool, err error) {
	r.end, r.off, r.doubt, r.found.Clean, r.marks = fileHeader, fileHeader, fileHeader, false, nil
	for {
		h, payload, ok, err := s.record(r.end)
		if err == nil && (!ok || !r.inOrder(h)) {
			for _, pass := range []func(*scanner) (bool, error){r.passControl, r.passNotes, r.passDamaged} {
				if ok, err = pass(s); ok || err != nil {
					break
				}
			}
			if ok {
				continue
			}
		}
		if err != nil || !ok || !r.inOrder(h) {
			return false, err
		}
		if h.durable > r.mark {
			r.mark = h.durable
			r.doubt = r.end
		}
		if h.kind == kindSeal {
			return true, nil
		}
		r.end += h.size()
		if r.found.Clean = h.kind == kindClean; r.found.Clean {
			r.marks = []span{{r.off, r.end}}
			continue
		}
		r.off = r.end
		if h.kind == kindNotes {
			r.notes.close()
			continue
		}
		r.last, r.marks = h.lsn, nil
		r.notes.add(h.lsn, payload)
		if h.lsn <= r.after {
			continue
		}
		if r.apply != nil {
			if err := r.apply(h.lsn, payload); err != nil {
				return false, fmt.Errorf("apply log record %d: %w", h.lsn, err)
			}
		}
		r.found.Records++
		r.found.Bytes += int64(h.length)
	}
}

// open makes the last file writable and returns the log.
//
// After a crash it first keeps what it is to drop in a file of its own. It writes again, from what checksums have just
// proved, the records that no watermark covers (a failed sync may have left them in the system's memory only, marked as
// written), overwrites all that follows with zeros, also what reads as zeros already (for the same reason), and syncs
// both and the directory. Interrupted, it leaves what it found or more zeros.
func (r *replay) open(spares, torn []string) (*Log, error) {
	for _, path := range spares {
		if err := r.o.drop(path); err != nil {
			return nil, err
		}
	}
	f := r.files[len(r.files)-1]
	file, err := r.o.FS.Open(r.o.logPath(f.number), true)
	if err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	if r.found.Torn != nil {
		if torn, err = r.keepTorn(file, f.number, torn); err != nil {
			return nil, errors.Join(fmt.Errorf("recover log: %w", err), file.Close())
		}
	}
	if !r.found.Clean {
		if err := r.settle(file); err != nil {
			return nil, errors.Join(fmt.Errorf("recover log: %w", err), file.Close())
		}
	}
	l := newLog(*r.o, r.files, file, r.off, r.last, r.notes)
	l.clean, l.dirSynced, l.torn = r.found.Clean, !r.found.Clean, torn
	copy(l.marks[:], r.marks)
	if !r.found.Clean {
		l.quiet()
		if err := l.mark(); err != nil {
			return nil, errors.Join(fmt.Errorf("recover log: %w", err), file.Close())
		}
	}
	return l, nil
}

// keepTorn copies what settle is going to overwrite into a file, in the place of what earlier recoveries kept: should
// it turn out to have been acknowledged, it is not gone. On a disk that is full it is let go of.
func (r *replay) keepTorn(file vfs.File, number uint64, earlier []string) (kept []string, err error) {
	for _, path := range earlier {
		if err := r.o.drop(path); err != nil {
			return nil, err
		}
	}
	if err := isolate.Fault("wal/torn"); err != nil {
		return nil, err
	}
	path := r.o.tornPath(number)
	err = r.copyTorn(file, path)
	if err == nil {
		err = r.o.FS.SyncDir(r.o.Dir)
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return nil, r.o.drop(path)
	case err != nil:
		return nil, err
	}
	r.found.Torn.Kept = path
	return []string{path}, nil
}

func (r *replay) copyTorn(file vfs.File, path string) (err error) {
	to, err := r.o.FS.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	from, size := r.found.Torn.Offset, r.found.Torn.Bytes
	buf := make([]byte, min(size, windowBytes))
	for done := int64(0); done < size; {
		b := buf[:min(int64(len(buf)), size-done)]
		if n, err := file.ReadAt(b, from+done); n < len(b) {
			return fmt.Errorf("read %s: %w", file.Name(), cmp.Or(err, io.ErrUnexpectedEOF))
		}
		if err := writeAll(to, b, done); err != nil {
			return err
		}
		done += int64(len(b))
	}
	return to.Sync()
}

// settle makes durable what recovery has found.
func (r *replay) settle(file vfs.File) error {
	from := r.end
	if r.last > r.mark {
		from = r.doubt
	}
	buf := make([]byte, min(r.end-from, windowBytes))
	for from < r.end {
		b := buf[:min(int64(len(buf)), r.end-from)]
		if n, err := file.ReadAt(b, from); n < len(b) {
			return fmt.Errorf("read %s: %w", file.Name(), cmp.Or(err, io.ErrUnexpectedEOF))
		}
		if err := writeAll(file, b, from); err != nil {
			return err
		}
		from += int64(len(b))
	}
	if err := zero(file, r.end, r.files[len(r.files)-1].size); err != nil {
		return err
	}
	if err := file.SyncData(); err != nil {
		return err
	}
	return r.o.FS.SyncDir(r.o.Dir)
}
