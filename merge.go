package engram

import (
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/store"
)

// An import over a copy that is there: what a line tells in addition of a version that is known. What both know is
// kept, whichever copy it is made in and in whatever order, and a second import of the same lines changes nothing:
//
//   - of uses and belief the later, if it follows from the earlier one; else what both know together;
//   - what was superseded, or met more often, in one of them is so in both;
//   - archived is what was archived last, and restored what was restored since;
//   - of an association's two weights the greater.
//
// Only what contradicts is refused: two memories that say to have replaced one, or a line of an older version that
// tells of something else than what is known.

// merge stages what a line tells in addition of a known memory, whose current record is given.
func (im *importer) merge(tx *store.Tx, f store.Found, n *numbered, current *store.Record) (changed bool, err error) {
	if n.record.Version != current.Version {
		return false, im.olderVersion(f, n)
	}
	if by := f.SupersededBy(); by != "" && n.SupersededBy != "" && by != n.SupersededBy {
		return false, fmt.Errorf("memory %q was replaced by %q here, by %q there: %w",
			n.ID, by, n.SupersededBy, ErrConflict)
	}
	for _, step := range []func(*store.Tx, store.Found, *numbered) (bool, error){
		mergeReinforced, mergeStates, mergeSupersession, im.mergeArchived, im.mergeLinks,
	} {
		one, err := step(tx, f, n)
		if err != nil {
			return changed, err
		}
		changed = changed || one
	}
	return changed, nil
}

// olderVersion refuses what a line tells of a version that is not the current one any more, unless it is known.
func (im *importer) olderVersion(f store.Found, n *numbered) error {
	states := n.states()
	known := len(states) == 0 || slices.ContainsFunc(append(f.Past(), f.Dynamics()), func(d *store.Dynamics) bool {
		return d != nil && sameState(d, states[len(states)-1].dynamics())
	})
	if known && (n.SupersededBy == "" || n.SupersededBy == f.SupersededBy()) && n.ArchivedAt.IsZero() {
		return nil
	}
	return fmt.Errorf("memory %q is at a later version here: what became of version %d there is not taken over: %w",
		n.ID, n.Version, ErrConflict)
}

func mergeReinforced(tx *store.Tx, f store.Found, n *numbered) (bool, error) {
	if n.Reinforced <= int(f.Reinforced()) {
		return false, nil
	}
	return true, tx.Reinforce(n.ID, uint32(n.Reinforced), n.record.UpdatedAt.Nanos)
}

// mergeStates stages the states that follow from what is known, or what both copies know together.
func mergeStates(tx *store.Tx, f store.Found, n *numbered) (bool, error) {
	lines := n.states()
	if len(lines) == 0 {
		return false, nil
	}
	told := make([]*store.Dynamics, len(lines))
	for i := range lines {
		told[i] = lines[i].dynamics()
	}
	last := told[len(told)-1]
	has := func(states []*store.Dynamics, d *store.Dynamics) int {
		return slices.IndexFunc(states, func(x *store.Dynamics) bool { return sameState(x, d) })
	}
	own := f.Dynamics()
	switch {
	case own == nil:
	case has(append(f.Past(), own), last) >= 0:
		return false, nil
	case has(told, own) >= 0:
		told = told[has(told, own)+1:]
	default:
		both := joined(own, last)
		if sameState(both, own) {
			return false, nil
		}
		told = []*store.Dynamics{both}
	}
	for _, d := range told {
		if err := tx.SetDynamics(n.ID, d); err != nil {
			return false, err
		}
	}
	return true, nil
}

func mergeSupersession(tx *store.Tx, f store.Found, n *numbered) (bool, error) {
	if n.SupersededBy == "" || f.SupersededBy() != "" {
		return false, nil
	}
	return true, tx.Supersede(n.ID, store.Supersession{
		By: n.SupersededBy, Until: toTime(n.ValidUntil), At: toTime(n.SupersededAt).Nanos,
	})
}

// mergeArchived stages the spans in which a memory was archived there, and whether it is.
func (im *importer) mergeArchived(tx *store.Tx, f store.Found, n *numbered) (changed bool, err error) {
	spans := make([]store.Span, len(n.ArchivedSpans))
	for i, span := range n.ArchivedSpans {
		spans[i] = store.Span{From: span.From.UnixNano(), Until: span.Until.UnixNano()}
	}
	known, archived := f.Absent(), f.Archived()
	if i := slices.IndexFunc(spans, func(s store.Span) bool { return s.From == f.ArchivedAt() }); archived && i >= 0 {
		if _, err := restore(im.sp, tx, n.ID, fromNanos(spans[i].Until)); err != nil {
			return false, err
		}
		known = append(slices.Clone(known), spans[i])
		archived, changed = false, true
	}
	for _, span := range spans {
		if slices.Contains(known, span) {
			continue
		}
		changed = true
		if err := tx.Absent(n.ID, span); err != nil {
			return changed, err
		}
	}
	if n.ArchivedAt.IsZero() {
		return changed, nil
	}
	at := n.ArchivedAt.UnixNano()
	if archived || slices.ContainsFunc(known, func(s store.Span) bool { return s.From == at }) {
		return changed, nil // archived here too, or restored since
	}
	return true, tx.Archive(n.ID, at)
}

// mergeLinks stages the associations that are not there, or weigh less.
func (im *importer) mergeLinks(tx *store.Tx, f store.Found, n *numbered) (changed bool, err error) {
	var more []Link
	for _, l := range n.Draft.Links {
		other, ok, err := tx.Lookup(l.To)
		if err != nil {
			return false, err
		}
		if ok {
			linkType := l.kind()
			weight, linked := tx.View().LinkWeight(f, other, linkType)
			if !linked && linkType == Contradicts { // it is the same from either end
				weight, linked = tx.View().LinkWeight(other, f, linkType)
			}
			if linked && weight >= float32(weightOf(l)) {
				continue
			}
		}
		more = append(more, l)
	}
	if len(more) == 0 {
		return false, nil
	}
	n.Draft.Links = more
	return true, im.storeLinks(tx, n, n.ID)
}
