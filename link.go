package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// Link associates two memories that exist, or sets the weight of the association of that type that they have. It is
// read from both ends. One of type [Contradicts] is the same from either end.
func (s *Space) Link(ctx context.Context, from string, l Link) error {
	c := &checks{}
	c.id("from", from)
	c.link("", l)
	c.linkType("type", l.Type)
	if c.err != nil {
		return c.err
	}
	now := s.db.o.Clock()
	return s.with(ctx, "link", false, func(sp *store.Space) error {
		return sp.Write(ctx, "link", nil, func(tx *store.Tx) error {
			if err := bothLive(tx.View(), from, l.To, now); err != nil {
				return err
			}
			return link(tx, from, l)
		})
	})
}

// Unlink removes the association of that type ("" means "relates_to") that Link made from one memory to another, and
// reports whether there was one.
func (s *Space) Unlink(ctx context.Context, from, to, linkType string) (removed bool, err error) {
	c := &checks{}
	c.id("from", from)
	c.id("to", to)
	c.name("type", linkType, maxNameBytes)
	c.linkType("type", linkType)
	if c.err != nil {
		return false, c.err
	}
	now := s.db.o.Clock()
	err = s.with(ctx, "unlink", false, func(sp *store.Space) error {
		return sp.Write(ctx, "unlink", nil, func(tx *store.Tx) (err error) {
			if err := bothLive(tx.View(), from, to, now); err != nil {
				return err
			}
			linkType := cmp.Or(linkType, DefaultLinkType)
			a, b, err := oneWay(tx, from, to, linkType)
			if err != nil {
				return err
			}
			removed, err = tx.Unlink(a, b, linkType)
			return err
		})
	})
	return removed, err
}

// bothLive finds the two ends of an association.
func bothLive(v *store.View, from, to string, now time.Time) error {
	if _, err := living(v, from, now); err != nil {
		return inField(err, "from")
	}
	_, err := living(v, to, now)
	return inField(err, "to")
}

// Neighbors gives the memories before and after this one in its session, as associations of types "previous" and
// "next" with weight 1: up to two.
func (s *Space) Neighbors(ctx context.Context, id string) ([]Association, error) {
	var out []Association
	now := s.db.o.Clock()
	err := s.found(ctx, "neighbors", id, func(v *store.View, f store.Found) error {
		prev, next, okPrev, okNext := v.Neighbors(f.Row, now.UnixNano())
		for _, n := range []struct {
			row  uint32
			ok   bool
			kind string
		}{{prev, okPrev, "previous"}, {next, okNext, "next"}} {
			if !n.ok {
				continue
			}
			other, err := v.ID(n.row)
			if err != nil {
				return err
			}
			out = append(out, Association{To: other, Type: n.kind, Weight: 1})
		}
		return nil
	})
	return out, err
}

// weightOf is a link's weight, or the default.
func weightOf(l Link) float64 {
	if l.Weight == nil {
		return DefaultLinkWeight
	}
	return *l.Weight
}

// link stages an association. Whoever was given the ids by a caller has looked whether they have expired.
func link(tx *store.Tx, from string, l Link) error {
	if from == l.To {
		return linkToItself("to", from)
	}
	if err := isolate.Fault("engram/link"); err != nil {
		return err
	}
	if _, ok, err := tx.Lookup(l.To); err != nil || !ok {
		return orNotFound(err, l.To)
	}
	linkType := l.kind()
	from, to, err := oneWay(tx, from, l.To, linkType)
	if err != nil {
		return err
	}
	return tx.Link(from, to, linkType, float32(weightOf(l)))
}

func linkToItself(field, id string) error {
	return &InvalidError{Field: field, Value: quote(id), Allowed: "a memory cannot be associated with itself"}
}

func orNotFound(err error, id string) error {
	if err != nil {
		return err
	}
	return notFound(id)
}

// associations lists a memory's explicit associations, but those with memories that have expired; without a clock all.
func associations(v *store.View, f store.Found, now time.Time) ([]Association, error) {
	links, err := v.Links(f)
	if err != nil {
		return nil, fmt.Errorf("read associations: %w", err)
	}
	var out []Association
	for _, l := range links {
		if until := v.ExpiresAt(l.Other); !now.IsZero() && expired(until, now) {
			continue
		}
		id, err := v.ID(l.Other)
		if errors.Is(err, ErrCorrupt) {
			continue // as in LinksOf
		}
		if err != nil {
			return nil, fmt.Errorf("read associations: %w", err)
		}
		out = append(out, Association{To: id, Type: l.Type, Weight: weight64(l.Weight), Incoming: !l.Outgoing})
	}
	return out, nil
}
