package engram

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// Forget archives or erases memories, all of them or, on an error, none.
//
// Archived memories are no longer recalled or listed; Get reads them and Restore brings them back. Erased ones are
// gone from every answer when Forget returns, with their versions and links, and their ids are free again; their
// bytes stay in the files until these are rewritten. Erasing finds memories that have expired too: nothing else does.
func (s *Space) Forget(ctx context.Context, r ForgetRequest) (ForgetReport, error) {
	if err := s.db.o.Limits.forget(&r); err != nil {
		return ForgetReport{}, err
	}
	now := s.db.o.Clock()
	var out ForgetReport
	err := s.with(ctx, "forget", s.name == DefaultSpace, func(sp *store.Space) error {
		found, err := r.match(sp.View(), now)
		if err != nil || r.DryRun {
			out = ForgetReport{Matched: len(found.ids), Missing: found.missing, Damaged: found.damaged}
			return err
		}
		return sp.Write(ctx, "forget", nil, func(tx *store.Tx) (err error) {
			out, err = r.forget(tx, found, now)
			return err
		})
	})
	if err != nil {
		return ForgetReport{}, err
	}
	return out, nil
}

// forget stages what was found, as far as it is still so.
func (r *ForgetRequest) forget(tx *store.Tx, found matched, now time.Time) (out ForgetReport, err error) {
	if found, err = r.again(tx.View(), found, now); err != nil {
		return out, err
	}
	out = ForgetReport{Matched: len(found.ids), Missing: found.missing, Damaged: found.damaged}
	tx.Reason(r.Reason)
	for _, id := range found.ids {
		if r.Mode == Erase {
			out.Erased++
			err = tx.Erase(id)
		} else {
			out.Archived++
			err = tx.Archive(id, now.UnixNano())
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (l Limits) forget(r *ForgetRequest) error {
	c := &checks{}
	if r.Mode == "" {
		r.Mode = Archive
	}
	if r.Mode != Archive && r.Mode != Erase {
		c.fail("mode", quote(string(r.Mode)), `use "archive" or "erase"`)
	}
	c.ids("ids", r.IDs, l.IDs)
	c.tags("tags", r.Tags, l.IDs)
	c.time("before", r.Before)
	c.text("reason", r.Reason, maxReasonBytes)
	others := len(r.Tags) > 0 || !r.Before.IsZero()
	switch {
	case len(r.IDs) > 0 && others:
		c.fail("ids", "given together with tags or before", "use ids alone, or tags and before")
	case len(r.IDs) == 0 && !others:
		c.fail("ids", "", "say what to forget: give ids, tags or before")
	}
	return c.err
}

// matched is what a request is about.
type matched struct {
	ids, missing []string
	damaged      []string // why memories that may be meant could not be read
}

// match lists the ids of the memories to be forgotten: for archiving those that are active, for erasing archived and
// expired ones too. It goes by a view, so that nobody waits for it.
func (r *ForgetRequest) match(v *store.View, now time.Time) (out matched, err error) {
	if len(r.IDs) > 0 {
		out.ids, out.missing, err = r.matchIDs(v, now)
		return out, err
	}
	if lost := v.Lost(); lost != nil {
		out.damaged = tellDamage(out.damaged, lost)
	}
	v.Scan(0, func(_ uint32, f store.Found) bool {
		var id string
		switch id, err = r.matches(v, f, now); {
		case errors.Is(err, ErrCorrupt): // what it says cannot be told, so it is not selected by it
			out.damaged, err = tellDamage(out.damaged, err), nil
		case err != nil:
			return false
		case id != "":
			out.ids = append(out.ids, id)
		}
		return true
	})
	return out, err
}

// again is match for a view that is newer than the one that something was found in.
func (r *ForgetRequest) again(v *store.View, found matched, now time.Time) (out matched, err error) {
	if len(r.IDs) > 0 {
		return r.match(v, now)
	}
	out.damaged = found.damaged
	for _, id := range found.ids {
		f, ok, err := v.Lookup(id)
		if err != nil {
			return out, err
		}
		if !ok {
			continue
		}
		if id, err = r.matches(v, f, now); err != nil {
			return out, err
		}
		if id != "" {
			out.ids = append(out.ids, id)
		}
	}
	return out, nil
}

// matches gives the id of a memory that the request's filters select; "" if they do not.
func (r *ForgetRequest) matches(v *store.View, f store.Found, now time.Time) (id string, err error) {
	if r.Mode == Archive && (f.Archived() || expired(v.ExpiresAt(f.Row), now)) {
		return "", nil
	}
	rec, err := v.Record(f.Row)
	if err != nil || !r.selects(rec) {
		return "", err
	}
	return rec.ID, nil
}

func (r *ForgetRequest) selects(rec *store.Record) bool {
	for _, tag := range r.Tags {
		if !slices.Contains(rec.Tags, tag) {
			return false
		}
	}
	return r.Before.IsZero() || rec.OccurredAt.Nanos < r.Before.UnixNano()
}

func (r *ForgetRequest) matchIDs(v *store.View, now time.Time) (ids, missing []string, err error) {
	for i, id := range r.IDs {
		if slices.Index(r.IDs, id) != i {
			continue
		}
		f, ok, err := v.Lookup(id)
		switch {
		case err != nil:
			return nil, nil, err
		case !ok, r.Mode == Archive && expired(v.ExpiresAt(f.Row), now):
			missing = append(missing, id)
		case !f.Archived() || r.Mode == Erase:
			ids = append(ids, id)
		}
	}
	return ids, missing, nil
}

// Restore makes an archived memory active again. One that is not archived is ErrConflict. A memory that was superseded
// stays superseded, and so does one for which a concept stands that was: see [Space.Consolidate].
func (s *Space) Restore(ctx context.Context, id string) (Outcome, error) {
	c := &checks{}
	if c.id("id", id); c.err != nil {
		return Outcome{}, c.err
	}
	now := s.db.o.Clock()
	var out Outcome
	err := s.with(ctx, "restore", false, func(sp *store.Space) error {
		return sp.Write(ctx, "restore", nil, func(tx *store.Tx) (err error) {
			if err := s.fits(tx, 1); err != nil {
				return err
			}
			if _, err := living(tx.View(), id, now); err != nil {
				return err
			}
			if out, err = restore(sp, tx, id, now); err != nil {
				return err
			}
			return s.makeRoom(tx, now)
		})
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// restore makes an archived memory active. now ends the span in which it was archived; if it is zero, it never was. A
// memory that was superseded stays so.
func restore(sp *store.Space, tx *store.Tx, id string, now time.Time) (Outcome, error) {
	f, ok, err := tx.Lookup(id)
	if err != nil || !ok {
		return Outcome{}, orNotFound(err, id)
	}
	if !f.Archived() {
		return Outcome{}, notArchived(id)
	}
	r, err := tx.Record(f.Row)
	if err != nil {
		return Outcome{}, err
	}
	vector, err := tx.View().Vector(f.Row)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{ID: id, Result: Restored, Version: int(r.Version), Embedding: embeddingOf(vector)}
	if err := tx.Put(string(EventRestored), r, vector, sp.Prepare(r)); err != nil {
		return Outcome{}, err
	}
	if span := (store.Span{From: f.ArchivedAt(), Until: toTime(now).Nanos}); span.From < span.Until {
		if err := tx.Absent(id, span); err != nil {
			return Outcome{}, err
		}
	}
	replaced := f
	if f.SupersededBy() == "" {
		if replaced, err = conceptOf(tx, f); err != nil {
			return Outcome{}, err
		}
	}
	by := replaced.SupersededBy()
	if by == "" || by == id {
		return out, nil
	}
	return out, tx.Supersede(id, store.Supersession{By: by, Until: replaced.Until(), At: replaced.SupersededAt()})
}

// conceptOf is the concept that was superseded and stands for a memory, f itself if there is none: what was replaced
// under the concept's id is not to come back under its own.
func conceptOf(tx *store.Tx, f store.Found) (store.Found, error) {
	links, err := tx.View().LinksOf(f, LinkConsolidates)
	if err != nil {
		return f, err
	}
	for _, l := range links {
		if concept := tx.View().Fate(l.Other); !l.Outgoing && concept.SupersededBy() != "" {
			return concept, nil
		}
	}
	return f, nil
}
