package engram

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

type deferredLink struct {
	line int
	from string
	link Link
}

// store stages one line. A refusal that comes before anything is staged is reported here; a later one is the error.
func (im *importer) store(tx *store.Tx, n *numbered) error {
	if err := isolate.Fault("engram/import"); err != nil {
		return err
	}
	switch {
	case n.Space != nil:
		return im.storeSpace(tx, n)
	case n.Version == 0:
		return im.storeDraft(tx, n)
	}
	f, exists, err := tx.Find(n.ID)
	if err != nil {
		return im.bad(n.line, err)
	}
	gone := false
	if exists {
		if gone, err = im.gone(tx, f, n); err != nil {
			return im.bad(n.line, err)
		}
	}
	if exists && !gone {
		done, err := im.compare(tx, f, n)
		if done || err != nil {
			return err
		}
	}
	if err := im.dimension(tx, n); err != nil {
		return im.bad(n.line, err)
	}
	if gone {
		exists = false
		if err := tx.Erase(n.ID); err != nil {
			return err
		}
	}
	if err := im.space.nameModel(tx, n.EmbeddingModel, n.Embedding); err != nil {
		return err
	}
	if err := tx.Put(string(eventOf(exists)), &n.record, n.Embedding, n.prepared); err != nil {
		return err
	}
	if exists {
		im.report.Versions++
	} else {
		im.report.Created++
	}
	return im.storeFate(tx, n)
}

// gone reports whether what is stored under a line's id has expired and is another memory than the line's, one made at
// another time. An expired version of the very memory that the line belongs to is a part of its history.
func (im *importer) gone(tx *store.Tx, f store.Found, n *numbered) (bool, error) {
	if !expired(tx.View().ExpiresAt(f.Row), im.now) {
		return false, nil
	}
	known, err := tx.Record(f.Row)
	if err != nil {
		return false, err
	}
	return known.CreatedAt.Nanos != n.record.CreatedAt.Nanos, nil
}

func eventOf(exists bool) EventKind {
	if exists {
		return EventUpdated
	}
	return EventCreated
}

// dimension refuses a vector that the space cannot hold, before anything is staged.
func (im *importer) dimension(tx *store.Tx, n *numbered) error {
	if dim := tx.View().Dim; dim != 0 && len(n.Embedding) != 0 && len(n.Embedding) != dim {
		return &store.DimensionError{Got: len(n.Embedding), Want: dim}
	}
	return tx.View().CheckModel(im.space.modelOf(n.EmbeddingModel, n.Embedding))
}

// compare holds a version against the memory of that id: known already (done), the next version, or a contradiction.
func (im *importer) compare(tx *store.Tx, f store.Found, n *numbered) (done bool, err error) {
	rows := tx.View().Versions(f)
	current, err := tx.Record(f.Row)
	if err != nil {
		return true, im.bad(n.line, err)
	}
	for _, row := range rows {
		r, err := tx.Record(row)
		if err != nil {
			return true, im.bad(n.line, err)
		}
		if r.Version != n.record.Version {
			continue
		}
		if n.record.LanguageFrom == store.LanguageOpen { // an older export does not say
			n.record.Language, n.record.LanguageFrom = r.Language, r.LanguageFrom
		}
		if !sameVersion(r, &n.record) {
			return true, im.bad(n.line, fmt.Errorf("memory %q has another version %d: %w",
				n.ID, n.Version, ErrConflict))
		}
		changed := false
		if changed, err = im.merge(tx, f, n, current); errors.Is(err, ErrConflict) {
			return true, im.bad(n.line, err)
		}
		if changed {
			im.report.Merged++
		} else {
			im.report.Unchanged++
		}
		return true, err
	}
	if n.record.Version < current.Version || f.Archived() {
		return true, im.bad(n.line, fmt.Errorf("memory %q is at version %d already: %w",
			n.ID, current.Version, ErrConflict))
	}
	return false, nil
}

// storeFate stages what became of an exported memory.
func (im *importer) storeFate(tx *store.Tx, n *numbered) error {
	if n.Reinforced > 0 {
		if err := tx.Reinforce(n.ID, uint32(n.Reinforced), n.record.UpdatedAt.Nanos); err != nil {
			return err
		}
	}
	for _, l := range n.states() {
		if err := tx.SetDynamics(n.ID, l.dynamics()); err != nil {
			return err
		}
	}
	if n.SupersededBy != "" {
		s := store.Supersession{By: n.SupersededBy, Until: toTime(n.ValidUntil), At: toTime(n.SupersededAt).Nanos}
		if err := tx.Supersede(n.ID, s); err != nil {
			return err
		}
	}
	for _, span := range n.ArchivedSpans {
		err := tx.Absent(n.ID, store.Span{From: span.From.UnixNano(), Until: span.Until.UnixNano()})
		if err != nil {
			return err
		}
	}
	if !n.ArchivedAt.IsZero() {
		if err := tx.Archive(n.ID, n.ArchivedAt.UnixNano()); err != nil {
			return err
		}
	}
	return im.storeLinks(tx, n, n.ID)
}

func (im *importer) storeDraft(tx *store.Tx, n *numbered) error {
	p := pending{draft: &n.Draft, record: n.record, prepared: n.prepared}
	if p.draft.IdempotencyKey != "" {
		p.fingerprint = fingerprint(p.draft)
	}
	same, err := im.settled(tx, &p)
	if err == nil {
		err = errors.Join(im.dimension(tx, n), supersedable(tx, p.draft.Supersedes, p.outcome.ID, im.now))
	}
	if err != nil {
		return im.bad(n.line, err)
	}
	// A draft's links may lead to later lines; they are stored apart.
	links := p.draft.Links
	for _, id := range p.draft.Contradicts {
		links = append(links, Link{To: id, Type: Contradicts, Weight: new(1.0)})
	}
	p.draft.Links, p.draft.Contradicts = nil, nil
	if !same {
		if err := im.space.rememberOne(tx, &p, im.now); err != nil {
			if errors.Is(err, ErrConflict) || errors.Is(err, ErrCorrupt) {
				return im.bad(n.line, err)
			}
			return err
		}
	}
	switch {
	case same || p.known:
		im.report.Unchanged++
	case p.outcome.Result == Reinforced:
		im.report.Reinforced++
	default:
		im.report.Created++
	}
	if p.known {
		return nil
	}
	if err := p.refer(tx, im.now); err != nil {
		return err
	}
	n.Draft.Links = links
	return im.storeLinks(tx, n, p.outcome.ID)
}

// settled reports whether a draft says nothing of a memory but what is stored: its id and content are known, and so is
// that its source says so. The outcome names the memory that holds the draft's content, if one does.
func (im *importer) settled(tx *store.Tx, p *pending) (bool, error) {
	if p.draft.ID == "" && len(p.draft.Supersedes) == 0 {
		return false, nil // it is looked up when it is stored
	}
	f, known, _, err := p.findKnown(tx, im.now)
	if err != nil || !known {
		return false, err
	}
	r, err := tx.Record(f.Row)
	if err != nil {
		return false, err
	}
	p.outcome = Outcome{ID: r.ID, Result: Reinforced, Version: int(r.Version)}
	if p.draft.ID == "" || p.draft.IdempotencyKey != "" {
		return false, nil
	}
	heard := slices.ContainsFunc(standing(tx.View(), f, r, im.space.model()).Evidence, func(e dynamics.Evidence) bool {
		return e.Source == p.draft.Source && e.Supports
	})
	return heard || p.draft.Source == "", nil
}

// supersedable checks what supersede would refuse, before anything is staged. own is the memory that supersedes, if it
// is known already.
func supersedable(tx *store.Tx, ids []string, own string, now time.Time) error {
	for _, id := range ids {
		f, err := living(tx.View(), id, now)
		if err != nil {
			return err
		}
		if by := f.SupersededBy(); by != "" && by != own {
			return replacedAlready(id, by)
		}
	}
	return nil
}

// storeLinks stages the links to memories that exist and keeps the others for the end of the input.
func (im *importer) storeLinks(tx *store.Tx, n *numbered, from string) error {
	for _, l := range n.Draft.Links {
		_, ok, err := tx.Lookup(l.To)
		if err != nil || !ok || from == l.To {
			if len(im.deferred) < maxDeferred {
				im.deferred = append(im.deferred, deferredLink{n.line, from, l})
				continue
			}
			err := fmt.Errorf("link to %q: more than %d links lead to later lines", l.To, maxDeferred)
			if err := im.bad(n.line, err); err != nil {
				return err
			}
			continue
		}
		if err := link(tx, from, l); err != nil {
			return err
		}
		im.report.Links++
	}
	return nil
}

// deferredLinks stores the links that led to later lines. A strict import, too, stores those that can be: it ends with
// them.
func (im *importer) deferredLinks() error {
	links := im.deferred
	im.deferred = nil
	var strict error
	for len(links) > 0 {
		n := min(len(links), importBatch)
		before, stored := im.report, 0
		err := im.sp.Write(im.ctx, "import", nil, func(tx *store.Tx) error {
			for _, d := range links[:n] {
				err := link(tx, d.from, d.link)
				switch {
				case err == nil:
					stored++
				case refuses(err):
					strict = cmp.Or(strict, im.bad(d.line, fmt.Errorf("link to %q: %w", d.link.To, err)))
				default:
					return err
				}
			}
			return nil
		})
		if err != nil {
			im.report = before
			return errors.Join(strict, fmt.Errorf("import links: %w", err))
		}
		im.report.Links += stored
		links = links[n:]
	}
	return strict
}
