// Package wal is the log of one space: the only place where an acknowledged write is durable first.
//
//	log, recovery, err := wal.Open(wal.Options{FS: vfs.OS{}, Dir: dir, Store: id}, after, apply)
//	lsn, err := log.Append(payload) // under the caller's lock: a copy in memory, no I/O
//	err = log.Commit(lsn)           // without it: returns when the record is on stable storage
//
// A record is one payload and gets one [LSN]. A batch of changes that must be atomic is one payload.
//
// # Invariants
//
//   - Commit returned nil ⇒ the record is there with the same bytes after any crash.
//   - What recovery finds is a prefix of the sequence of appends, up to and including every committed record.
//   - LSNs of records follow each other without a gap; the LSN of a committed record is never given to another.
//   - A record is written into a file only after the file, its zeros, its name and all records before it are durable.
//     At most one write is not yet synced, and all its records carry the same watermark (the highest LSN that was
//     durable when they were written). So whatever a power cut leaves of that write, nothing behind its first bad
//     record has a watermark at or above it; if something has, the record was acknowledged, and it is damage.
//   - Nothing is appended behind torn bytes: recovery overwrites them with zeros and syncs before the log opens, and it
//     writes again what no watermark covers, for a sync that failed before the reopening may have lost it. What it
//     overwrites it keeps in a file beside.
//   - While nobody writes, a mark stands behind the last record: a watermark that covers it, written Options.MarkAfter
//     behind the last write. It is not synced, and the next record is written over it. So of a log whose process was
//     killed later than that every record is told from a torn one.
//   - No file is synced again after a write to it or a sync of it failed.
//   - Checksums start from the store's id, the file's number and the record's offset: neither a record left over in a
//     recycled file nor one copied into a payload can be taken for a record.
//   - What each record is of ([Options.Note]) is told again twice, by notes behind it and by the marks, and the mark
//     stands twice; no page of 4 KiB holds bytes of two of these, nor of the record and one of them. So of what two
//     pages held it is known that it was there, and what it was of.
//
// # Concurrency
//
// All methods of [Log] are safe for concurrent use; the order of Append is the order of LSNs, so callers who care which
// is which serialise Append. Commit is group commit with a leader and followers: the first waiter writes and syncs all
// that is pending while the others queue; there is no timer, and a lone writer waits for nobody. Lock order: trimMu,
// then mu; neither is held during an append's or a commit's I/O. One goroutine at a time prepares the next file in the
// background; Close waits for it. Yielding from [Log.Read] pins a file, which Trim then leaves for later.
//
// # Durability
//
// After Commit: the record and all before it; damage even to the last record is told from a torn tail, unless a power
// cut took its mark along. After Close also then. Append alone: nothing.
//
// # Failure
//
// After a failed write, sync, or change of the directory the log is failed for good: every waiter and every later
// Append and Commit gets an error that matches [ErrFailed] (Commit of what is durable already still says so). Whether
// the records in flight exist is decided by the next Open.
//
// # Format
//
// See docs/format/log.md.
//
// # Sources
//
// Group commit: DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984, section 5.
// Failed syncs: Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020. Watermarks that tell
// damage from a torn tail: Alagappan et al., "Protocol-Aware Recovery for Consensus-Based Storage", FAST 2018.
package wal

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vfs"
)

// LSN is the log sequence number of a record: 1 for the first of a space, then rising by one, in all files. 0 stands
// for "before the first".
type LSN uint64

var (
	// ErrClosed is returned by every method but Close after Close.
	ErrClosed = errors.New("log is closed")
	// ErrFailed is matched by errors that come from, or after, a failed write or sync.
	ErrFailed = errors.New("log has failed, the space is read-only until it is reopened")
	// ErrFull is returned by Append, Full and Rotate while the next file cannot be made and is needed; the log is as it
	// was. It goes on by itself when there is room.
	ErrFull = errors.New("the log cannot go on: its next file could not be made")
	// ErrTooLarge is returned by Append for a payload over Options.MaxRecordBytes; the log is as it was.
	ErrTooLarge = errors.New("record is too large")
	// ErrTrimmed is returned by Read for a position before the first record that is kept.
	ErrTrimmed = errors.New("position is no longer in the log")
	// ErrUnknownLSN is returned by Commit for an LSN that Append has not returned yet.
	ErrUnknownLSN = errors.New("no record with this LSN was appended")
)

// Options says where a log is and how large its files are. The zero value of a number means its default.
type Options struct {
	// FS is the file system; required.
	FS vfs.FS
	// Dir is the directory of this log and nothing else; Open makes it. Its parent must be there and durable.
	Dir string
	// Store is the id of the store; files of another store are refused.
	Store [16]byte
	// FirstFileBytes is the size of a log's first file; each next one is twice as large, up to MaxFileBytes.
	// Default 64 KiB: ten thousand small spaces take 640 MiB. Rounded up to a multiple of 4096,
	// and to three of these.
	FirstFileBytes int64
	// MaxFileBytes is the size that files grow to. Default 16 MiB: a rotation per 60,000 small records, and at most
	// that much kept beyond what Trim allows to drop. A record that is larger gets a file of its own size.
	MaxFileBytes int64
	// MaxRecordBytes is the largest payload that Append takes. Default 32 MiB, at most 1 GiB.
	MaxRecordBytes int
	// Spares is how many empty files are kept ready, recycled by Trim or prepared in the background. Default 1;
	// negative means none.
	Spares int
	// Note appends to dst what a payload is of, in few bytes: the log tells it again at a distance, and [Wreck]
	// gives it where the record is lost. It is not longer than the payload; without any the record is of nothing that
	// can be told. nil if no payload has one. It is called under the log's lock.
	Note func(dst, payload []byte) []byte
	// KeepBytes is how much of the log, in whole files, Trim leaves although it might drop it: for whoever follows the
	// log from a position, such as an incremental backup. Default 0.
	KeepBytes int64
	// MarkAfter is how long after a write nobody has to write before a mark says that it is durable, which covers it
	// against damage. Default 0: at once, before the write returns. More spares a writer that goes on and on the mark.
	MarkAfter time.Duration
}

// Bounds and defaults of Options.
const (
	pageBytes          = 4096
	leastFile          = 3 * pageBytes // one page of records, and one for each mark
	defaultFirstBytes  = 64 << 10
	defaultMaxBytes    = 16 << 20
	largestFile        = 1 << 40
	defaultRecordBytes = 32 << 20
	largestRecord      = 1 << 30
)

// withDefaults returns o with all defaults filled in, or an error that names the option that is out of range.
func (o Options) withDefaults() (Options, error) {
	o.FirstFileBytes = cmp.Or(o.FirstFileBytes, defaultFirstBytes)
	o.MaxFileBytes = cmp.Or(o.MaxFileBytes, defaultMaxBytes)
	o.MaxRecordBytes = cmp.Or(o.MaxRecordBytes, defaultRecordBytes)
	o.Spares = max(cmp.Or(o.Spares, 1), 0)
	switch {
	case o.FS == nil:
		return o, errors.New("log option FS is nil: a file system is required")
	case o.Dir == "":
		return o, errors.New("log option Dir is empty: a directory is required")
	case o.FirstFileBytes < 0 || o.FirstFileBytes > largestFile:
		return o, fmt.Errorf("log option FirstFileBytes is %d, allowed are 1 to %d",
			o.FirstFileBytes, int64(largestFile))
	case o.MaxFileBytes < 0 || o.MaxFileBytes > largestFile:
		return o, fmt.Errorf("log option MaxFileBytes is %d, allowed are 1 to %d", o.MaxFileBytes, int64(largestFile))
	case o.MaxRecordBytes < 0 || o.MaxRecordBytes > largestRecord:
		return o, fmt.Errorf("log option MaxRecordBytes is %d, allowed are 1 to %d", o.MaxRecordBytes, largestRecord)
	}
	o.MaxFileBytes = max(roundUp(o.MaxFileBytes, pageBytes), leastFile)
	o.FirstFileBytes = min(max(roundUp(o.FirstFileBytes, pageBytes), leastFile), o.MaxFileBytes)
	return o, nil
}

// Record is one record of the log.
type Record struct {
	LSN     LSN
	Payload []byte // as given to Append; valid until the next step of the iteration, not to be written to
}

// Recovery is what Open found and did.
type Recovery struct {
	Created bool  // there was no log file: the log is new
	Clean   bool  // a mark stands behind the last record, and nothing else: the log was closed, or nobody was writing
	Records int   // records given to apply
	Bytes   int64 // their payloads, in bytes
	Last    LSN   // LSN of the last record in the log; what after was if the log is empty
	Torn    *Tear // what was dropped of the tail; nil if nothing was
	// Damaged lists what is damaged although every record above after was recovered, each as a *codec.CorruptError:
	// headers of files, marks, and records that the caller holds elsewhere. The file is in use until Trim drops it.
	Damaged []error
}

// Tear is the rest of a write that a crash cut off, none of which was acknowledged. Open has overwritten it with zeros.
type Tear struct {
	File   string // the log file
	Offset int64  // where the last whole record ends
	Bytes  int64  // from there to the last 8 bytes that were not all zero
	Kept   string // the file that has these bytes now, until the log file is dropped; "" on a disk that was full
}

// Stats counts what a Log holds and has done since Open.
type Stats struct {
	First        LSN    // first record that is kept; Last+1 if none
	Last         LSN    // last record appended
	Durable      LSN    // last record that is durable
	Files        int    // log files, the one being written included; spares are not
	SizeBytes    int64  // sizes of those files
	PendingBytes int64  // appended and not yet being written
	Commits      uint64 // groups made durable, each by one write and one sync unless a new file was begun
	Rotations    uint64 // new files begun
	Recycled     uint64 // of these, in a file that was used or prepared before
}

// corrupt returns a *codec.CorruptError.
func corrupt(op, path string, offset int64, format string, args ...any) error {
	return &codec.CorruptError{Op: op, Path: path, Offset: offset, Err: fmt.Errorf(format, args...)}
}

// roundUp returns the smallest multiple of unit, a power of two, that is >= n.
func roundUp(n, unit int64) int64 { return (n + unit - 1) &^ (unit - 1) }
