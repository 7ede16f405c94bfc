package engram

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// Held is the answer to whether a memory's statement held at an instant.
type Held string

// The answers.
const (
	// HeldYes: it says that it was true from an instant on that is not later, and none ended it by then.
	HeldYes Held = "yes"
	// HeldNo: it began later, or had ended.
	HeldNo Held = "no"
	// HeldUnknown: it does not say since when it is true, and nothing says that it had ended.
	HeldUnknown Held = "unknown"
)

// Held tells whether what a memory states was true at validAt, as far as the space knew at asOf (zero: now). It goes by
// ValidFrom and ValidUntil, and by the end that a supersession known then had set; what gives no bounds is unknown, not
// true. Archived memories are asked too. A memory that was not stored by asOf is ErrNotFound.
func (s *Space) Held(ctx context.Context, id string, validAt, asOf time.Time) (Held, error) {
	c := &checks{}
	if validAt.IsZero() {
		c.fail("valid_at", "missing", "say at which time")
	}
	c.time("valid_at", validAt)
	c.time("as_of", asOf)
	if c.err != nil {
		return "", c.err
	}
	var out Held
	err := s.found(ctx, "held", id, func(v *store.View, f store.Found) error {
		m, err := s.memoryAt(v, f, id, asOf)
		out = held(&m, validAt)
		return err
	})
	if err != nil {
		return "", err
	}
	return out, nil
}

func held(m *Memory, at time.Time) Held {
	switch {
	case !m.ValidFrom.IsZero() && at.Before(m.ValidFrom), !m.ValidUntil.IsZero() && !at.Before(m.ValidUntil):
		return HeldNo
	case m.ValidFrom.IsZero():
		return HeldUnknown
	}
	return HeldYes
}

// heldFor is whether a memory's statement held at the instant that a cue asks for; "" if it asks for none.
func heldFor(m *Memory, cue *Cue) Held {
	if cue.ValidAt.IsZero() {
		return ""
	}
	return held(m, cue.ValidAt)
}

// memoryAt is a memory as it was known at asOf, or now if that is zero, without embedding and links.
func (s *Space) memoryAt(v *store.View, f store.Found, id string, asOf time.Time) (Memory, error) {
	if !asOf.IsZero() {
		if err := v.Whole(f); err != nil {
			return Memory{}, err
		}
		past, ok := v.AsOf(f, asOf.UnixNano())
		if !ok {
			return Memory{}, unknownAt(id, asOf)
		}
		f = past
	}
	r, err := v.Record(f.Row)
	if err != nil {
		return Memory{}, err
	}
	return withFate(v, f, r, s.lens(s.db.o.Clock())), nil
}

func unknownAt(id string, asOf time.Time) error {
	return fmt.Errorf("memory %s was not known at %s: %w", quote(id), asOf.Format(time.RFC3339Nano), ErrNotFound)
}

// Contradicts is the type of association between memories of which at most one can be true. It has no direction.
const Contradicts = "contradicts"

// Contradiction is a pair of memories that say otherwise than each other.
type Contradiction struct {
	// A and B are their ids; A is the smaller one, in the order of bytes.
	A string `json:"a"`
	B string `json:"b"`
	// Weight in [0,1] is how much they contradict each other.
	Weight float64 `json:"weight"`
	// Open says that both are active and neither was replaced: it is still to be settled.
	Open bool `json:"open"`
}

// Contradictions lists the contradictions of a memory, or of the whole space if id is "", in the order of A and B. Both
// sides are told of also where one is archived or was replaced.
func (s *Space) Contradictions(ctx context.Context, id string) ([]Contradiction, error) {
	now := s.db.o.Clock()
	out := []Contradiction{}
	if id != "" {
		err := s.found(ctx, "contradictions", id, func(v *store.View, f store.Found) (err error) {
			out, err = contradictions(v, f, now)
			return err
		})
		return sorted(out), err
	}
	err := s.read(ctx, "contradictions", func(v *store.View) (err error) {
		v.Scan(0, func(_ uint32, f store.Found) bool {
			var pairs []Contradiction
			if err = ctx.Err(); err != nil {
				return false
			}
			if expired(v.ExpiresAt(f.Row), now) {
				return true
			}
			if pairs, err = contradictions(v, f, now); errors.Is(err, ErrCorrupt) {
				err = nil // the side that cannot be read is told of by Stats
			}
			out = append(out, pairs...)
			return err == nil
		})
		return err
	})
	return sorted(out), err
}

// sorted puts pairs in order, each once.
func sorted(pairs []Contradiction) []Contradiction {
	slices.SortFunc(pairs, func(a, b Contradiction) int {
		if c := strings.Compare(a.A, b.A); c != 0 {
			return c
		}
		return strings.Compare(a.B, b.B)
	})
	return slices.CompactFunc(pairs, func(a, b Contradiction) bool { return a.A == b.A && a.B == b.B })
}

// contradictions lists those of one memory, with memories that have not expired.
func contradictions(v *store.View, f store.Found, now time.Time) (out []Contradiction, err error) {
	links, err := v.LinksOf(f, Contradicts)
	if err != nil {
		return nil, fmt.Errorf("read contradictions: %w", err)
	}
	own := ""
	for _, l := range links {
		if expired(v.ExpiresAt(l.Other), now) {
			continue
		}
		if own == "" {
			if own, err = v.ID(f.Row); err != nil {
				return nil, fmt.Errorf("read contradictions: %w", err)
			}
		}
		other, err := v.ID(l.Other)
		if errors.Is(err, ErrCorrupt) {
			continue // as in LinksOf
		}
		if err != nil {
			return nil, fmt.Errorf("read contradictions: %w", err)
		}
		o := v.Fate(l.Other)
		out = append(out, Contradiction{
			A: min(own, other), B: max(own, other), Weight: weight64(l.Weight), Open: current(f) && current(o),
		})
	}
	return out, nil
}

func current(f store.Found) bool { return !f.Archived() && f.SupersededBy() == "" }

// contradicted lists the other sides of a memory's contradictions.
func contradicted(v *store.View, f store.Found, now time.Time) (ids []string, err error) {
	links, err := v.LinksOf(f, Contradicts)
	for _, l := range links {
		if expired(v.ExpiresAt(l.Other), now) {
			continue
		}
		id, err := v.ID(l.Other)
		if errors.Is(err, ErrCorrupt) {
			continue // as in LinksOf
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// oneWay gives the direction in which an association is kept: for one that has none, that of the one that exists.
func oneWay(tx *store.Tx, from, to, linkType string) (string, string, error) {
	if linkType != Contradicts {
		return from, to, nil
	}
	exists, err := tx.Linked(to, from, linkType)
	if exists {
		from, to = to, from
	}
	return from, to, err
}
