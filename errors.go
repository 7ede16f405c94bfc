package engram

import (
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

// Sentinel errors. Test for them with errors.Is; the error's text says which thing, which value and what to do.
var (
	// ErrInvalid is matched by every *InvalidError.
	ErrInvalid = errors.New("invalid argument")
	// ErrNotFound is returned when a memory or a space does not exist. It never stands for damage.
	ErrNotFound = store.ErrNotFound
	// ErrConflict is returned when a write contradicts what is stored: the id is taken by other content, the version
	// is not the expected one, an idempotency key was used for something else, a backup does not follow the one before.
	ErrConflict = store.ErrConflict
	// ErrTooLarge is returned when a size is above its limit; nothing was allocated or stored.
	ErrTooLarge = errors.New("too large")
	// ErrReadOnly is returned by writes of a space whose log failed. Reads go on; reopening recovers.
	ErrReadOnly = store.ErrReadOnly
	// ErrInDoubt is returned, together with ErrReadOnly, by a write that the log had taken when it failed. Nobody sees it
	// until the space is opened again; then it is there as a whole, or nothing of it is. Other errors say that it is not.
	ErrInDoubt = store.ErrInDoubt
	// ErrClosed is returned after Close.
	ErrClosed = store.ErrClosed
	// ErrDimension is returned when a vector's dimension is not the space's.
	ErrDimension = ann.ErrDimension
	// ErrEmbeddingModel is returned when a vector was made by another model than the space's.
	ErrEmbeddingModel = store.ErrModel
	// ErrCorrupt is matched by every *CorruptError.
	ErrCorrupt = codec.ErrCorrupt
	// ErrFormatVersion is returned when a file was written by a newer Engram.
	ErrFormatVersion = codec.ErrFormatVersion
	// ErrLocked is returned by Open when another process, or another DB of this one, holds the directory.
	ErrLocked = vfs.ErrLocked
)

// CorruptError is returned when stored bytes do not match their checksum, identity or length. It names the file and
// the offset. Nothing damaged is ever returned as data.
type CorruptError = codec.CorruptError

// PanicError is returned when an operation panicked. Nothing of it is visible and nothing needs recovery.
type PanicError = isolate.PanicError

// LockedError is returned by Open when the directory is in use; it names the holder's process id.
type LockedError = vfs.LockedError

// InvalidError is returned when an argument is refused. Nothing was changed.
type InvalidError struct {
	Field   string // the field as the doors name it, such as "occurred_at"
	Value   string // what was given, shortened
	Allowed string // what is allowed
}

// Error says which field, which value and what is allowed.
func (e *InvalidError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Allowed)
	}
	return fmt.Sprintf("%s is %s: %s", e.Field, e.Value, e.Allowed)
}

// Is reports whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// inField puts a prefix such as "memories[3]." before the field that an error names.
func inField(err error, prefix string) error {
	if prefix == "" || err == nil {
		return err
	}
	if invalid, ok := errors.AsType[*InvalidError](err); ok {
		return &InvalidError{Field: prefix + invalid.Field, Value: invalid.Value, Allowed: invalid.Allowed}
	}
	return fmt.Errorf("%s%w", prefix, err)
}

func dimensionError(got int) error {
	return &store.DimensionError{Got: got, Min: store.MinDim, Max: maxDim}
}

func notArchived(id string) error {
	return fmt.Errorf("memory %q is not archived: %w", id, ErrConflict)
}
