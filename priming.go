package engram

import (
	"cmp"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// LinkUsedWith is the type of associations that grow between memories that are of use together: Feedback that says of
// several memories that they were useful makes them, or strengthens those there are, if Options.LinkUsedTogether says
// so. They are like any other and can be removed.
const LinkUsedWith = "used_with"

// The growth of associations by use together. All are chosen.
const (
	usedTogether = 5   // the memories of one feedback between which associations grow: the first that were useful
	usedWithGain = .25 // the part of what is missing to 1 that each use together adds to the weight
	usedWithMost = 32  // associations of this type that a memory may have; at that no new ones are made
)

// ring are the memories that were used last, as they prime a recall: now, or as of then; in a session, if the cue names
// one.
func ring(v *store.View, cue *Cue, now time.Time) []recall.Used {
	used := v.RecentlyUsed
	if !cue.AsOf.IsZero() {
		past := store.Past{At: cue.AsOf.UnixNano(), Now: now.UnixNano()}
		used = func(n int, session string) []store.Used { return v.UsedAsOf(past, n, session) }
		now = cue.AsOf
	}
	var out []recall.Used
	for _, u := range used(recall.RingSize, cue.During) {
		out = append(out, recall.Used{Row: u.Row, Age: now.UnixNano() - u.At})
	}
	return out
}

// useTogether strengthens the associations between memories that were of use together, each from the lesser id to the
// greater.
func useTogether(tx *store.Tx, ids []string) error {
	ids = slices.Clone(ids[:min(len(ids), usedTogether)])
	slices.SortFunc(ids, cmp.Compare[string])
	for i, from := range ids {
		for _, to := range ids[i+1:] {
			if err := useBoth(tx, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

func useBoth(tx *store.Tx, from, to string) error {
	a, ok, err := tx.Lookup(from)
	if err != nil || !ok {
		return orNotFound(err, from)
	}
	b, ok, err := tx.Lookup(to)
	if err != nil || !ok {
		return orNotFound(err, to)
	}
	weight, ok := tx.View().LinkWeight(a, b, LinkUsedWith)
	if !ok && max(tx.View().CountLinks(a, LinkUsedWith, true)+tx.View().CountLinks(a, LinkUsedWith, false),
		tx.View().CountLinks(b, LinkUsedWith, true)+tx.View().CountLinks(b, LinkUsedWith, false)) >= usedWithMost {
		return nil
	}
	grown := weight + (1-weight)*usedWithGain
	if grown == weight {
		return nil
	}
	return tx.Link(from, to, LinkUsedWith, grown)
}
