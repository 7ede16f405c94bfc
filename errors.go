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
	// ErrTooLarge is returned when a size is above its limit, which a *SizeError names, or a space is full; nothing was
	// allocated or stored.
	ErrTooLarge = errors.New("too large")
	// ErrReadOnly is returned by writes of a space whose log failed. Reads go on; reopening recovers.
	ErrReadOnly = store.ErrReadOnly
	// ErrInDoubt is returned, together with ErrReadOnly, by a write that the log had taken when it failed. Nobody sees
	// it until the space is opened again; then it is there as a whole, or nothing of it is. Other errors say that it is
	// not.
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

// DimensionError is returned when a vector's dimension is not that of the space's vectors. It matches ErrDimension.
type DimensionError = store.DimensionError

// ModelError is returned when a vector was made by another model than the space's. It matches ErrEmbeddingModel.
type ModelError = store.ModelError

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

// SizeError is returned when something is above its limit. Nothing was changed.
type SizeError struct {
	Field string // the field as the doors name it, such as "content"
	Got   int    // how much there is
	Most  int    // how much is allowed
	Unit  string // of what: "bytes", "tags"
}

// Error says which field, how much it has and how much is allowed.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%s has %d %s, at most %d are allowed", e.Field, e.Got, e.Unit, e.Most)
}

// Is reports whether target is ErrTooLarge.
func (e *SizeError) Is(target error) bool { return target == ErrTooLarge }

// FieldError says which field of a request another error is about, such as a link to a memory that does not exist. An
// *InvalidError and a *SizeError name their fields themselves.
type FieldError struct {
	Field string // as the doors name it, such as "memories[3].links[0].to"
	Err   error
}

// Error puts the field before the error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// inField says that an error is about a field of at, such as "memories[3]"; if it names none, about at itself.
func inField(err error, at string) error {
	if at == "" || err == nil {
		return err
	}
	if e, ok := errors.AsType[*InvalidError](err); ok {
		return &InvalidError{Field: at + "." + e.Field, Value: e.Value, Allowed: e.Allowed}
	}
	if e, ok := errors.AsType[*SizeError](err); ok {
		return &SizeError{Field: at + "." + e.Field, Got: e.Got, Most: e.Most, Unit: e.Unit}
	}
	if e, ok := errors.AsType[*FieldError](err); ok {
		return &FieldError{Field: at + "." + e.Field, Err: e.Err}
	}
	return &FieldError{Field: at, Err: err}
}

func notArchived(id string) error {
	return fmt.Errorf("memory %q is not archived: %w", id, ErrConflict)
}
