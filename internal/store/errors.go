package store

import (
	"errors"
	"fmt"

	"github.com/orchard9/engram-go/internal/ann"
)

var (
	// ErrNotFound is returned when a memory does not exist. It never stands for damage.
	ErrNotFound = errors.New("not found")
	// ErrReadOnly is returned by writes of a space that cannot take any.
	ErrReadOnly = errors.New("space is read-only")
	// ErrInDoubt is returned, with ErrReadOnly, when the log failed after a write was handed to it.
	ErrInDoubt = errors.New("the write may or may not be there when the space is opened again")
	// ErrConflict is returned when what is asked for contradicts what is there.
	ErrConflict = errors.New("conflict")
	// ErrModel is matched by every *ModelError.
	ErrModel = errors.New("wrong embedding model")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("closed")
)

// MinDim is the smallest dimension of a space's vectors.
const MinDim = 8

// DimensionError is returned when a vector's dimension is not the space's, or not a possible one.
type DimensionError struct {
	Got  int
	Want int // the space's; 0 if it has none yet
	Min  int // the bounds, if Want is 0
	Max  int
	// Building says that Want is that of the embeddings which are being built.
	Building bool
}

// Error names both dimensions.
func (e *DimensionError) Error() string {
	if e.Want == 0 {
		return fmt.Sprintf("embedding has %d dimensions: %d to %d are possible", e.Got, e.Min, e.Max)
	}
	if e.Building {
		return fmt.Sprintf("embedding has %d dimensions, the ones that are being built have %d: use the same model, "+
			"or cancel what is being built and begin again", e.Got, e.Want)
	}
	return fmt.Sprintf("embedding has %d dimensions, the vectors of this space have %d: "+
		"use the same model, or another space", e.Got, e.Want)
}

// Is reports whether target is ann.ErrDimension, so that both rooms' errors test alike.
func (e *DimensionError) Is(target error) bool { return target == ann.ErrDimension }

// ModelError is returned when a vector was made by another model than the space's.
type ModelError struct {
	Got  string
	Want string // the space's
	// Unnamed says that the space's vectors were stored without a name, so that nobody knows.
	Unnamed bool
}

// Error names both models.
func (e *ModelError) Error() string {
	if e.Unnamed {
		return fmt.Sprintf("embedding is of model %q, the vectors of this space were stored without a model's name: "+
			"if they are of that model, say so once (engram reembed --name), else replace them (engram reembed)", e.Got)
	}
	return fmt.Sprintf("embedding is of model %q, the vectors of this space are of %q: use that model, another "+
		"space, or replace them (engram reembed)", e.Got, e.Want)
}

// Is reports whether target is ErrModel.
func (e *ModelError) Is(target error) bool { return target == ErrModel }
