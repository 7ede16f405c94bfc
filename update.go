package engram

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// Update changes an active memory: as Change.Mode says it becomes the next version of the same memory, which keeps the
// old one in its history, or a new memory that supersedes it; the outcome says which (Updated or Superseded) and where
// it is now. An archived or superseded memory, or one that is not at IfVersion, is ErrConflict. A change that changes
// nothing does nothing, and its outcome is Unchanged.
//
// A version with another content keeps what uses made of the memory, but not what other sources said of the old
// content.
func (s *Space) Update(ctx context.Context, id string, change Change) (Outcome, error) {
	c := &checks{}
	if c.id("id", id); c.err != nil {
		return Outcome{}, c.err
	}
	if err := s.db.o.Limits.change(&change); err != nil {
		return Outcome{}, err
	}
	if change.Embedding != nil {
		change.EmbeddingModel = s.modelOf(change.EmbeddingModel, *change.Embedding)
	}
	now := s.db.o.Clock()
	var out Outcome
	err := s.with(ctx, "update", false, func(sp *store.Space) error {
		return sp.Write(ctx, "update", nil, func(tx *store.Tx) (err error) {
			if out, err = s.update(sp, tx, id, &change, now); err != nil {
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

// active finds a memory that may be changed.
func active(tx *store.Tx, id string, now time.Time) (store.Found, *store.Record, error) {
	f, err := living(tx.View(), id, now)
	if err != nil {
		return f, nil, err
	}
	switch {
	case f.Archived():
		return f, nil, fmt.Errorf("memory %q is archived: restore it first: %w", id, ErrConflict)
	case f.SupersededBy() != "":
		return f, nil, fmt.Errorf("memory %q was replaced by %q: update that one: %w",
			id, f.SupersededBy(), ErrConflict)
	}
	r, err := tx.Record(f.Row)
	return f, r, err
}

func (s *Space) update(sp *store.Space, tx *store.Tx, id string, change *Change, now time.Time) (Outcome, error) {
	if err := isolate.Fault("engram/update"); err != nil {
		return Outcome{}, err
	}
	f, old, err := active(tx, id, now)
	if err != nil {
		return Outcome{}, err
	}
	if change.IfVersion > 0 && change.IfVersion != int(old.Version) {
		return Outcome{}, fmt.Errorf("memory %q is at version %d, not %d: read it again: %w",
			id, old.Version, change.IfVersion, ErrConflict)
	}
	vector, err := tx.View().Vector(f.Row)
	if err != nil {
		return Outcome{}, err
	}
	next, newVector := changed(old, vector, change)
	if err := checkSpan(next); err != nil {
		return Outcome{}, err
	}
	if change.Embedding != nil {
		if err := tx.NameModel(change.EmbeddingModel); err != nil {
			return Outcome{}, err
		}
	}
	out := Outcome{ID: id, Result: Unchanged, Version: int(old.Version), Embedding: embeddingOf(newVector)}
	if sameVersion(old, next) && slices.Equal(vector, newVector) {
		return out, nil
	}
	next.UpdatedAt = toTime(now)
	next.Reason = change.Reason
	tx.Reason(change.Reason)
	if change.replaces(f, now) {
		return s.replace(sp, tx, old.ID, next, newVector, change)
	}
	next.Version++
	out.Result, out.Version = Updated, int(next.Version)
	if err := tx.Put(string(EventUpdated), next, newVector, sp.PrepareNew(next)); err != nil {
		return Outcome{}, err
	}
	d := f.Dynamics()
	if d == nil || next.Content == old.Content {
		return out, nil
	}
	d.Evidence, d.At = []dynamics.Evidence{tx.View().Own(f, next)}, now.UnixNano()
	d.State.Learn(d.Evidence)
	return out, tx.SetDynamics(id, d)
}

// replaces reports whether a change makes a new memory.
func (c *Change) replaces(f store.Found, now time.Time) bool {
	switch c.Mode {
	case UpdateReplace:
		return true
	case UpdateByUse:
		st, touched := f.State()
		return !touched || !st.Labile(now.UnixNano())
	case UpdateInPlace:
	}
	return false
}

// replace stores a changed record as a memory of its own that supersedes the one that it was made from. Unless the
// change says otherwise it happened now, and is true from then on.
func (s *Space) replace(
	sp *store.Space, tx *store.Tx, old string, next *store.Record, vector []float32, change *Change,
) (Outcome, error) {
	id, err := s.db.ids.uuid()
	if err != nil {
		return Outcome{}, err
	}
	next.ID, next.Version, next.CreatedAt = id, 1, next.UpdatedAt
	if change.OccurredAt == nil {
		next.OccurredAt = next.UpdatedAt
	}
	if change.ValidFrom == nil {
		next.ValidFrom = store.Time{Nanos: store.NoTime}
	}
	if err := checkSpan(next); err != nil {
		return Outcome{}, err
	}
	if err := s.fits(tx, 1); err != nil {
		return Outcome{}, err
	}
	if err := tx.Put(string(EventCreated), next, vector, sp.PrepareNew(next)); err != nil {
		return Outcome{}, err
	}
	until := next.ValidFrom
	if until.IsZero() {
		until = next.OccurredAt
	}
	err = supersede(tx, []string{old}, store.Supersession{By: id, Until: until, At: next.UpdatedAt.Nanos})
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{
		ID: id, Result: Superseded, Version: 1, Superseded: []string{old}, Embedding: embeddingOf(vector),
	}, nil
}

// changed is the record and the vector that a change makes of the old ones.
func changed(old *store.Record, vector []float32, c *Change) (*store.Record, []float32) {
	next := *old
	set(&next.Content, c.Content)
	set(&next.Kind, c.Kind)
	if next.Kind == "" {
		next.Kind = DefaultKind
	}
	set(&next.Speaker, c.Speaker)
	set(&next.Session, c.Session)
	set(&next.Source, c.Source)
	set(&next.Pin, c.Pin)
	set(&next.Confidence, c.Confidence)
	next.Confidence += 0 // -0 is 0
	set(&next.Tags, c.Tags)
	switch {
	case c.Language != nil && (*c.Language != "" || next.LanguageFrom == store.LanguageStated):
		setLanguage(&next, *c.Language)
	case next.Content != old.Content && next.LanguageFrom == store.LanguageFound:
		setLanguage(&next, "")
	}
	if c.Metadata != nil {
		next.Metadata = toPairs(*c.Metadata)
	}
	for _, t := range []struct {
		to   *store.Time
		from *time.Time
	}{
		{&next.OccurredAt, c.OccurredAt},
		{&next.ValidFrom, c.ValidFrom},
		{&next.ValidUntil, c.ValidUntil},
		{&next.ExpiresAt, c.ExpiresAt},
	} {
		if t.from != nil {
			*t.to = toTime(*t.from)
		}
	}
	switch {
	case c.Embedding != nil && len(*c.Embedding) == 0:
		vector = nil
	case c.Embedding != nil:
		vector = *c.Embedding
	case next.Content != old.Content:
		vector = nil
	}
	return &next, vector
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func checkSpan(r *store.Record) error {
	c := &checks{}
	c.order("valid_from", r.ValidFrom.Go(), "valid_until", r.ValidUntil.Go())
	return c.err
}

func sameVersion(a, b *store.Record) bool {
	return a.Content == b.Content && a.Kind == b.Kind && a.Speaker == b.Speaker && a.Session == b.Session &&
		a.Source == b.Source && a.Pin == b.Pin && a.Confidence == b.Confidence && slices.Equal(a.Tags, b.Tags) &&
		slices.Equal(a.Metadata, b.Metadata) && a.OccurredAt == b.OccurredAt && a.ValidFrom == b.ValidFrom &&
		a.ValidUntil == b.ValidUntil && a.ExpiresAt == b.ExpiresAt && a.Language == b.Language &&
		(a.LanguageFrom == store.LanguageStated) == (b.LanguageFrom == store.LanguageStated)
}
