package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Layout of a log file's header: the common one and what the log adds to it. See docs/format/log.md.
const (
	fileKind    = "WL"
	fileVersion = 2 // 2: records of notes, and marks apart from what they cover

	firstOff     = codec.HeaderSize
	sizeOff      = codec.HeaderSize + 8
	fileCheckOff = fileHeader - 4
	fileHeader   = 128
)

const (
	logSuffix   = ".wal"
	spareSuffix = ".spare"
	tornSuffix  = ".torn"
	hexDigits   = 16
)

// logFile is a file that holds records.
type logFile struct {
	number uint64
	first  LSN   // LSN of its first record, whether it is there yet or not
	size   int64 // bytes
	old    bool  // of version 1: marks stand right behind the last record, and there are no notes
	pins   int   // readers that have it open; guarded by Log.mu
}

func (o *Options) logPath(number uint64) string {
	return filepath.Join(o.Dir, fmt.Sprintf("%0*x%s", hexDigits, number, logSuffix))
}

func (o *Options) sparePath(number uint64) string {
	return filepath.Join(o.Dir, fmt.Sprintf("%0*x%s", hexDigits, number, spareSuffix))
}

// tornPath is where a recovery keeps what it drops of the end of a log file.
func (o *Options) tornPath(number uint64) string {
	return filepath.Join(o.Dir, fmt.Sprintf("%0*x%s", hexDigits, number, tornSuffix))
}

// parseLogName returns the number in the name of a log file.
func parseLogName(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, logSuffix)
	if !ok || len(digits) != hexDigits || strings.ToLower(digits) != digits {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil
}

// appendFileHeader appends the fileHeader bytes of a log file's header.
func (o *Options) appendFileHeader(b []byte, f logFile) []byte {
	start := len(b)
	h := codec.Header{Kind: fileKind, Version: fileVersion, Store: o.Store, Number: f.number}
	b = codec.AppendHeader(b, h)
	b = append(b, make([]byte, fileHeader-codec.HeaderSize)...)
	x := b[start:]
	binary.LittleEndian.PutUint64(x[firstOff:], uint64(f.first))
	binary.LittleEndian.PutUint64(x[sizeOff:], uint64(f.size))
	sum := codec.Checksum(codec.Seed(o.Store, f.number), x[codec.HeaderSize:fileCheckOff])
	binary.LittleEndian.PutUint32(x[fileCheckOff:], sum)
	return b
}

// readFileHeader returns what the header b of file number says. A *codec.CorruptError or *codec.FormatError if it
// cannot be used.
func (o *Options) readFileHeader(b []byte, number uint64) (logFile, error) {
	path := o.logPath(number)
	h, err := codec.ReadHeader(path, b, fileKind, fileVersion)
	if err == nil {
		err = h.Check(path, o.Store, number)
	}
	if err != nil {
		return logFile{}, err
	}
	if len(b) < fileHeader {
		return logFile{}, corrupt("read file header", path, codec.HeaderSize, "file ends inside its header")
	}
	sum := codec.Checksum(codec.Seed(o.Store, number), b[codec.HeaderSize:fileCheckOff])
	if want := binary.LittleEndian.Uint32(b[fileCheckOff:]); sum != want {
		return logFile{}, corrupt("read file header", path, codec.HeaderSize,
			"checksum of the log's part is %08x, header says %08x", sum, want)
	}
	f := logFile{
		number: number,
		old:    h.Version < fileVersion,
		first:  LSN(binary.LittleEndian.Uint64(b[firstOff:])),
		size:   int64(binary.LittleEndian.Uint64(b[sizeOff:])),
	}
	if f.first == 0 || f.size < fileHeader || f.size%recordGrid != 0 {
		return logFile{}, corrupt("read file header", path, codec.HeaderSize,
			"first record %d and size %d cannot be", f.first, f.size)
	}
	return f, nil
}

// makeSpare makes a file of size zero bytes that is durable but for its name. What it leaves behind when it fails is
// removed, now or by the next Open.
func (o *Options) makeSpare(path string, size int64) (err error) {
	f, err := o.FS.Create(path)
	if err != nil {
		return fmt.Errorf("create log file: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(fmt.Errorf("create log file: %w", err), o.drop(path))
		}
	}()
	if err := f.Preallocate(size); err != nil {
		return err
	}
	return f.Sync() // The sync of its header would do, but in the way of a commit.
}

// drop removes a file that no longer holds, or never held, anything.
func (o *Options) drop(path string) error {
	if err := o.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove spare log file: %w", err)
	}
	return nil
}

// adopt turns the spare at path into log file f: header, sync, name, sync of the directory. When it returns nil, f is
// durable and empty, and open for writing.
func (o *Options) adopt(path string, f logFile) (vfs.File, error) {
	file, err := o.FS.Open(path, true)
	if err != nil {
		return nil, fmt.Errorf("open spare log file: %w", err)
	}
	err = writeAll(file, o.appendFileHeader(nil, f), 0)
	if err == nil {
		err = file.SyncData()
	}
	// Closed for the renaming: not every system renames an open file.
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("write log file header: %w", err)
	}
	name := o.logPath(f.number)
	if err := o.FS.Rename(path, name); err != nil {
		return nil, fmt.Errorf("name log file: %w", err)
	}
	if err := o.FS.SyncDir(o.Dir); err != nil {
		return nil, fmt.Errorf("name log file: %w", err)
	}
	if file, err = o.FS.Open(name, true); err != nil {
		return nil, fmt.Errorf("open log file: %w", err)
	}
	return file, nil
}

// writeAll writes all of b; a short write without an error is one.
func writeAll(f vfs.File, b []byte, off int64) error {
	n, err := f.WriteAt(b, off)
	if err == nil && n < len(b) {
		err = fmt.Errorf("write %s: %d of %d bytes were written", f.Name(), n, len(b))
	}
	return err
}

// zero overwrites the bytes from offset from up to offset to.
func zero(f vfs.File, from, to int64) error {
	if from >= to {
		return nil
	}
	zeros := make([]byte, min(to-from, windowBytes))
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if err := writeAll(f, zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}
