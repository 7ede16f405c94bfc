package codec

import (
	"cmp"
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is matched by every *CorruptError.
	ErrCorrupt = errors.New("stored data is damaged")
	// ErrFormatVersion is matched by every *FormatError.
	ErrFormatVersion = errors.New("unknown format version")
)

// CorruptError is returned when stored bytes are not what was written: a checksum, length, identity or order is wrong.
// Nothing of the damaged unit was used. A log's torn tail after a power cut is not corruption.
type CorruptError struct {
	Op     string // what was being done: "read record", "open manifest"
	Path   string // the file, or the directory if a file is missing
	Offset int64  // byte offset of the damaged unit; negative if it has none
	Err    error  // what is wrong
	Advice string // what to do about it; "" is what to do about a data directory
}

// adviceDir is what to do about a data directory. Verify cannot look at a space that is not opened for its damage;
// repair can, and saves as much as an export would.
const adviceDir = "run `engram verify` to see how far it goes; restore a backup, or save what is whole with " +
	"`engram repair NEWDIR`"

// Error says what was being done, which file and offset are damaged, how, and what to do about it.
func (e *CorruptError) Error() string {
	at := ""
	if e.Offset >= 0 {
		at = fmt.Sprintf(" at offset %d", e.Offset)
	}
	return fmt.Sprintf("%s: %s is damaged%s: %v; %s", e.Op, e.Path, at, e.Err, cmp.Or(e.Advice, adviceDir))
}

// Unwrap returns Err.
func (e *CorruptError) Unwrap() error { return e.Err }

// Is reports whether target is ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// FormatError is returned for a file that is whole but has a format version this program does not know.
type FormatError struct {
	Path   string // the file
	Kind   string // the kind of file as its header names it, two letters
	Found  uint32 // the version in the file
	Newest uint32 // the newest version this program reads; the oldest is 1
}

// Error names the file and both versions and says what to do.
func (e *FormatError) Error() string {
	advice := "it was written by a newer engram: upgrade engram to open it"
	if e.Found <= e.Newest {
		advice = "no released engram wrote it: restore the file from a backup"
	}
	return fmt.Sprintf("%s has format version %d of kind %q, this program reads 1 to %d: %s",
		e.Path, e.Found, e.Kind, e.Newest, advice)
}

// Is reports whether target is ErrFormatVersion.
func (e *FormatError) Is(target error) bool { return target == ErrFormatVersion }
