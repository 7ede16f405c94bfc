package store

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
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

// reason is an error, or none, that Troubles reads without waiting for whoever sets it.
type reason struct{ p atomic.Pointer[error] }

func (r *reason) set(err error) {
	if err == nil {
		r.p.Store(nil)
		return
	}
	r.p.Store(&err)
}

func (r *reason) get() error {
	if p := r.p.Load(); p != nil {
		return *p
	}
	return nil
}

// writable says why a write cannot begin now. s.mu must be held; it is released while waiting for a sealing that
// writers have outrun.
func (s *Space) writable(ctx context.Context) error {
	for !s.closed && s.outrun() && !isolate.Off("back-pressure") {
		if !s.frozen && s.sealErr.get() == nil {
			s.startSealing()
		}
		if !s.frozen {
			break
		}
		if err := s.awaitSealing(ctx); err != nil {
			return fmt.Errorf("nothing was written: the space waits for what is in memory to be sealed: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if err := s.refusal(); err != nil {
		return err
	}
	if err := s.noRoom(); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	return nil
}

// noRoom says what there is no room for, so that writes are refused until there is.
func (s *Space) noRoom() error {
	if err := s.log.Full(); err != nil {
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	}
	if s.t.words.Full() {
		return errWordsFull
	}
	if err := s.sealErr.get(); err != nil && s.outrun() && !isolate.Off("limit of what is unsealed") {
		return fmt.Errorf("%w: what is not sealed has reached its limit and sealing fails: %w", ErrReadOnly, err)
	}
	return nil
}

// outrun reports whether more is unsealed than may be: memories in memory, or frames in the log, which associations and
// the like fill without a memory.
func (s *Space) outrun() bool {
	parts := *s.parts.Load()
	return parts[len(parts)-1].hot.SizeBytes() > s.o.HotLimit || s.logged.Load() > 2*s.o.HotLimit
}

// refusal says why nothing at all can be written; nil if something can. s.mu must be held.
func (s *Space) refusal() error {
	switch {
	case s.closed:
		return fmt.Errorf("space %s: %w", s.name, ErrClosed)
	case s.readOnly.get() != nil:
		return s.readOnly.get()
	case s.log.Err() != nil:
		return fmt.Errorf("%w until it is opened again: %w", ErrReadOnly, s.log.Err())
	}
	return nil
}
