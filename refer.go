package engram

import (
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// refer stages what a draft says of other memories, and its idempotency key.
func (p *pending) refer(tx *store.Tx, now time.Time) error {
	id := p.outcome.ID
	for i, l := range p.draft.Links {
		if err := referTo(tx, id, fmt.Sprintf("links[%d].to", i), l, now); err != nil {
			return err
		}
	}
	for i, other := range p.draft.Contradicts {
		l := Link{To: other, Type: Contradicts, Weight: new(1.0)}
		if err := referTo(tx, id, fmt.Sprintf("contradicts[%d]", i), l, now); err != nil {
			return err
		}
	}
	p.outcome.Contradicts = p.draft.Contradicts
	until := p.record.ValidFrom
	if until.IsZero() {
		until = p.record.OccurredAt
	}
	if len(p.draft.Supersedes) > 0 {
		err := supersede(tx, p.draft.Supersedes, store.Supersession{By: id, Until: until, At: now.UnixNano()})
		if err != nil {
			return err
		}
		p.outcome.Superseded = p.draft.Supersedes
		p.outcome.Result = Superseded
	}
	if p.draft.IdempotencyKey == "" {
		return nil
	}
	return tx.PutKey(store.Key{
		Name: p.draft.IdempotencyKey, Fingerprint: p.fingerprint, ID: id, Result: string(p.outcome.Result),
		Version: uint32(p.outcome.Version),
	})
}

// referTo stages an association that a draft asks for in a field.
func referTo(tx *store.Tx, id, field string, l Link, now time.Time) error {
	if l.To == id {
		return linkToItself(field, id)
	}
	_, err := living(tx.View(), l.To, now)
	if err == nil {
		err = link(tx, id, l)
	}
	return inField(err, field)
}

// supersede ends memories, each with the concept that stands for it, and hands their associations on to what replaces
// them.
func supersede(tx *store.Tx, olds []string, s store.Supersession) error {
	var ended []string
	for i, old := range olds {
		now, err := supersedeOne(tx, old, s)
		if err != nil {
			return inField(err, fmt.Sprintf("supersedes[%d]", i))
		}
		ended = append(ended, now...)
	}
	return succeed(tx, ended, s.By)
}

// supersedeOne ends a memory, and tells what ended with it: nothing, if the same memory had replaced it before.
func supersedeOne(tx *store.Tx, old string, s store.Supersession) (ended []string, err error) {
	f, err := living(tx.View(), old, time.Unix(0, s.At))
	switch {
	case err != nil:
		return nil, err
	case old == s.By:
		return nil, supersedesItself(old)
	case f.SupersededBy() == s.By:
		return nil, nil
	case f.SupersededBy() != "":
		return nil, replacedAlready(old, f.SupersededBy())
	}
	if err := tx.Supersede(old, s); err != nil || !f.Archived() {
		return []string{old}, err
	}
	concept, err := supersedeConcept(tx, f, s)
	if concept != "" {
		return []string{old, concept}, err
	}
	return []string{old}, err
}

func supersedesItself(id string) error {
	return fmt.Errorf("memory %q cannot replace itself: use update: %w", id, ErrConflict)
}

func replacedAlready(id, by string) error {
	return fmt.Errorf("memory %q was replaced by %q already: %w", id, by, ErrConflict)
}

// supersedeConcept ends the concept that stands for an archived memory together with it: what was replaced must not go
// on under another id.
func supersedeConcept(tx *store.Tx, member store.Found, s store.Supersession) (string, error) {
	links, err := tx.View().LinksOf(member, LinkConsolidates)
	if err != nil {
		return "", err
	}
	for _, l := range links {
		if l.Outgoing {
			continue
		}
		concept, err := tx.View().ID(l.Other)
		if err != nil {
			return "", err
		}
		f, ok, err := tx.Find(concept)
		if err != nil || !ok || f.SupersededBy() != "" || f.Archived() || concept == s.By {
			return "", err
		}
		return concept, tx.Supersede(concept, s)
	}
	return "", nil
}

func notFound(id string) error { return fmt.Errorf("memory %s: %w", quote(id), ErrNotFound) }
