package store

import (
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
)

var errWordsFull = fmt.Errorf("%w: its index of words is full: spread memories over more spaces", ErrReadOnly)

// Troubles lists the reasons why the space does not take writes or does not serve all it holds. It does not wait for
// writers.
func (s *Space) Troubles() []error {
	errs := append(s.refusing(), s.trouble.get())
	if notes := s.damageNotes(); len(notes) > 0 {
		errs = append(errs, fmt.Errorf("%d places are damaged, such as %s: %w", len(notes), notes[0], codec.ErrCorrupt))
	}
	return slices.DeleteFunc(append(errs, s.sealErr.get(), s.lost), func(err error) bool { return err == nil })
}

// refusing lists the reasons why no write is taken, whatever it says, nil ones among them.
func (s *Space) refusing() []error {
	errs := []error{s.readOnly.get(), nil, s.noRoom()}
	if err := s.log.Err(); err != nil && !s.wounded {
		errs[1] = fmt.Errorf("%w until it is opened again: %w", ErrReadOnly, err)
	}
	return errs
}
