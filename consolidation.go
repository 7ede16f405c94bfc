package engram

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// KindConcept is the kind of a memory that Consolidate wrote to stand for several others.
const KindConcept = "concept"

// LinkConsolidates is the type of the associations from a concept to the memories that it stands for: its provenance.
// Only Consolidate makes them, and only UndoConsolidation and erasing a memory remove them.
const LinkConsolidates = "consolidates"

// conceptKind is the concept's metadata that tells the kind of its members.
const conceptKind = "consolidates.kind"

// Limits of a pass.
const (
	defaultConsidered = 20_000
	// MaxConsidered is the largest ConsolidateOptions.MaxMemories.
	MaxConsidered = 200_000
)

// ConsolidateOptions say what a pass of [Space.Consolidate] looks at. The zero value gives the defaults.
type ConsolidateOptions struct {
	// DryRun finds what would be consolidated and changes nothing.
	DryRun bool `json:"dry_run,omitempty"`
	// MaxMemories is how many memories are compared, the newest of those that can be: up to 200,000; 0 means 20,000.
	MaxMemories int `json:"max_memories,omitempty" min:"1"`
	// MaxTime ends the pass before the next cluster is written when so much time has gone by; 0 is no limit.
	MaxTime time.Duration `json:"-"`
	// Kinds are the kinds to look at. Empty: all but "event" and "task", of which two with the same words are two.
	Kinds []string `json:"kinds,omitempty"`
	// Where, if not nil, keeps the memories for which it returns true. It is given each with its links and without
	// Embedding, and may not keep it. A concept that it leaves out is joined by nothing.
	Where func(*Memory) bool `json:"-"`
	// Undone takes in the memories that UndoConsolidation parted; without it they stay apart until they change.
	Undone bool `json:"undone,omitempty"`
	// Summarize writes the text of a new concept from its members, which are ordered by id; nil takes the medoid's
	// content. It runs outside any lock. If it fails, or its text is not acceptable, the cluster is left alone and the
	// report says so.
	Summarize func(ctx context.Context, members []Memory) (string, error) `json:"-"`
}

// Consolidation is what a pass did, or with DryRun would do.
type Consolidation struct {
	// Considered is the number of memories that were compared; Left is how many more there were than MaxMemories.
	Considered int `json:"considered"`
	Left       int `json:"left"`
	// Concepts are what was written, in the order of the clusters' least ids.
	Concepts []Concept `json:"concepts"`
	// Archived is the number of memories that concepts now stand for.
	Archived int `json:"archived"`
	// Pending is the number of clusters that were found and not written, because the time was up.
	Pending int `json:"pending,omitempty"`
	// Problems are clusters that were left alone, each with the reason.
	Problems []string `json:"problems,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
}

// Concept is a cluster of restatements and the memory that stands for it.
type Concept struct {
	// ID is the concept's; "" for one that a dry run would make.
	ID      string `json:"id,omitempty"`
	Content string `json:"content"`
	// Members are the ids of the memories that were archived now, in ascending order.
	Members []string `json:"members"`
	// Joined says that the concept was there before and the members joined it.
	Joined bool `json:"joined,omitempty"`
}

// Undone is what UndoConsolidation did.
type Undone struct {
	ID string `json:"id"`
	// Restored are the members that are active again, in ascending order of their ids.
	Restored []string `json:"restored"`
}

// Consolidate finds memories that say the same thing three times or more, and for each cluster writes one memory of
// kind "concept" that stands for them, cites each by an association of type "consolidates", and archives them. Get and
// History still read the members; [Space.UndoConsolidation] takes a cluster apart again. A second pass changes nothing;
// a later restatement joins the concept that there is.
//
// Memories can be in one cluster if they have the same kind, speaker and span of validity, and neither expire nor are
// pinned, superseded or archived. What makes two of them restatements is told in package internal/dynamics/consolidate:
// without vectors the same salient words, one memory having all those of the other; with vectors a cosine of .9 as
// well; and never different numbers, negations, names or values.
//
// The concept has the text of the medoid, or Summarize's, the centroid of the members' vectors, all their tags, the
// metadata and the source that all of them share, the highest confidence, and their associations with other memories.
// It is as stable as its most stable member, was last used when any of them was, and is believed by what the sources of
// all of them say, each source once: a statement that several have made is not less sure for being consolidated. It
// takes the place of the latest member, with its time and session. Its kind is "concept": a cue that filters by kind
// finds it under that name.
//
// Each cluster is one write: after a crash it is there or not. On an error the report tells what was done before it.
func (s *Space) Consolidate(ctx context.Context, o ConsolidateOptions) (Consolidation, error) {
	if err := o.check(); err != nil {
		return Consolidation{}, err
	}
	var out Consolidation
	err := s.with(ctx, "consolidate", s.name == DefaultSpace, func(sp *store.Space) error {
		c := consolidator{s: s, sp: sp, o: &o, ctx: ctx, start: s.db.o.Clock()}
		err := c.run()
		out = c.out
		return err
	})
	return out, err
}

func (o *ConsolidateOptions) check() error {
	c := &checks{}
	if o.MaxMemories < 0 || o.MaxMemories > MaxConsidered {
		c.fail("max_memories", fmt.Sprint(o.MaxMemories),
			fmt.Sprintf("use 1 to %d, or 0 for %d", MaxConsidered, defaultConsidered))
	}
	if o.MaxTime < 0 {
		c.fail("max_seconds", o.MaxTime.String(), "use a duration above 0, or 0 for no limit")
	}
	c.names("kinds", o.Kinds)
	return c.err
}

// consolidator is one pass.
type consolidator struct {
	s     *Space
	sp    *store.Space
	o     *ConsolidateOptions
	ctx   context.Context
	start time.Time
	out   Consolidation
}

func (c *consolidator) run() error {
	c.out = Consolidation{Concepts: []Concept{}, DryRun: c.o.DryRun}
	v := c.sp.View()
	found, err := c.candidates(v)
	if err != nil {
		return err
	}
	c.out.Considered = len(found)
	clusters := c.plan(found)
	for i, cl := range clusters {
		if err := c.ctx.Err(); err != nil {
			c.out.Pending = len(clusters) - i
			return fmt.Errorf("consolidate: %w", err)
		}
		if c.o.MaxTime > 0 && c.s.db.o.Clock().Sub(c.start) >= c.o.MaxTime {
			c.out.Pending = len(clusters) - i
			return nil
		}
		err := c.settle(v, cl)
		if err == nil && !c.o.DryRun {
			err = c.write(cl)
		}
		if err := c.note(cl, err); err != nil {
			return err
		}
	}
	return nil
}

// errLeftAlone is matched by the reasons for which a cluster is passed over and the pass goes on.
var errLeftAlone = errors.New("left as they are")

// note puts a cluster into the report.
func (c *consolidator) note(cl *cluster, err error) error {
	if errors.Is(err, errLeftAlone) {
		c.out.Problems = append(c.out.Problems, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	concept := Concept{ID: cl.record.ID, Content: cl.record.Content, Joined: cl.concept != nil}
	for _, m := range cl.members {
		concept.Members = append(concept.Members, m.record.ID)
	}
	c.out.Concepts = append(c.out.Concepts, concept)
	c.out.Archived += len(cl.members)
	return nil
}

// errChanged is returned when a member is no longer what the clusters were made from.
var errChanged = fmt.Errorf("a member changed in the meantime: %w", errLeftAlone)

// write stores a cluster in one transaction.
func (c *consolidator) write(cl *cluster) (err error) {
	now := c.s.db.o.Clock()
	put := true
	if cl.concept == nil {
		if cl.record.ID, err = c.s.db.ids.uuid(); err != nil {
			return err
		}
		cl.record.CreatedAt = toTime(now)
	} else {
		put = !sameVersion(&cl.record, cl.concept.record)
		cl.record.Version++
	}
	cl.record.UpdatedAt = toTime(now)
	prepared := c.sp.PrepareNew(&cl.record)
	// What a summariser was paid for is written, also where the pass was called off meanwhile.
	err = c.sp.Write(context.WithoutCancel(c.ctx), "consolidate", nil, func(tx *store.Tx) error {
		met, err := cl.verify(tx)
		if err != nil {
			return err
		}
		links, err := heritage(tx, cl.ids(), cl.record.ID, LinkConsolidates)
		if err != nil {
			return err
		}
		if put {
			if err := tx.Put(string(cl.event()), &cl.record, cl.vector, prepared); err != nil {
				return err
			}
		}
		life, err := cl.life(tx, c.s.model())
		if err != nil {
			return err
		}
		life.At = now.UnixNano()
		return cl.stage(tx, links, life, met, now)
	})
	if err == nil {
		c.sp.Recycle(prepared)
	}
	return err
}

// event is what is told of a concept.
func (cl *cluster) event() EventKind {
	if cl.concept == nil {
		return EventConsolidated
	}
	return EventUpdated
}

// stage stages, behind the concept, how often its content was met, what was made of its members' uses and said of them,
// its associations, and that the members are archived.
func (cl *cluster) stage(tx *store.Tx, links []tie, life *store.Dynamics, met uint32, now time.Time) error {
	id := cl.record.ID
	if cl.concept == nil {
		met-- // the first time is no repetition
	}
	if err := tx.Reinforce(id, met, now.UnixNano()); err != nil {
		return err
	}
	if err := tx.SetDynamics(id, life); err != nil {
		return err
	}
	if err := isolate.Fault("engram/consolidate"); err != nil {
		return err
	}
	for _, l := range links {
		if err := tx.Link(l.from, l.to, l.kind, l.weight); err != nil {
			return err
		}
	}
	for _, m := range cl.members {
		if err := tx.Link(id, m.record.ID, LinkConsolidates, 1); err != nil {
			return err
		}
		if err := isolate.Fault("engram/consolidate.cited"); err != nil {
			return err
		}
		if err := tx.Archive(m.record.ID, now.UnixNano()); err != nil {
			return err
		}
	}
	return nil
}

// verify checks that everything is as it was when the clusters were made, and counts how often the content was met.
func (cl *cluster) verify(tx *store.Tx) (met uint32, err error) {
	all := cl.members
	if cl.concept != nil {
		all = append([]*candidate{cl.concept}, all...)
	}
	for _, m := range all {
		f, ok, err := tx.Find(m.record.ID)
		if err != nil {
			return 0, err
		}
		if !ok || f.Archived() || f.SupersededBy() != "" {
			return 0, errChanged
		}
		r, err := tx.Record(f.Row)
		if err != nil {
			return 0, err
		}
		if r.Version != m.record.Version || r.UpdatedAt != m.record.UpdatedAt || !sameVersion(r, m.record) {
			return 0, errChanged
		}
		met += f.Reinforced()
	}
	return met + uint32(len(cl.members)), nil
}

// ids are those of the members.
func (cl *cluster) ids() []string {
	ids := make([]string, len(cl.members))
	for i, m := range cl.members {
		ids[i] = m.record.ID
	}
	return ids
}

// UndoConsolidation takes a concept apart: the memories that it stands for are active again, as they were, and the
// concept is gone with everything that was said of it. Members that were erased in the meantime stay erased, ones that
// were restored stay as they are. If the concept was superseded, so are they: what was replaced does not come back. An
// id that is no concept of Consolidate's is ErrConflict, and a member that cannot be read ErrCorrupt: nothing is
// changed then. The members are not consolidated again until they change, unless ConsolidateOptions.Undone says so.
func (s *Space) UndoConsolidation(ctx context.Context, id string) (Undone, error) {
	c := &checks{}
	if c.id("id", id); c.err != nil {
		return Undone{}, c.err
	}
	out := Undone{ID: id, Restored: []string{}}
	now := s.db.o.Clock()
	err := s.with(ctx, "undo consolidation", false, func(sp *store.Space) error {
		return sp.Write(ctx, "undo consolidation", nil, func(tx *store.Tx) error {
			members, err := cited(tx, id, now)
			if err != nil {
				return err
			}
			for _, m := range members {
				if err := part(sp, tx, m, &out); err != nil {
					return err
				}
			}
			if err := tx.Erase(id); err != nil {
				return err
			}
			return s.makeRoom(tx, now)
		})
	})
	if err != nil {
		return Undone{}, err
	}
	return out, nil
}

// cited lists the ids that a concept stands for, in ascending order.
func cited(tx *store.Tx, id string, now time.Time) ([]string, error) {
	f, err := living(tx.View(), id, now)
	if err != nil {
		return nil, err
	}
	links, err := tx.View().Links(f)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range links {
		if l.Type != LinkConsolidates || !l.Outgoing {
			continue
		}
		member, err := tx.View().ID(l.Other)
		if err != nil {
			return nil, err
		}
		ids = append(ids, member)
	}
	// Those whose bytes are damaged are not among the links: what could not be restored must not lose its concept.
	if n := tx.View().CountLinks(f, LinkConsolidates, true); n != len(ids) {
		return nil, fmt.Errorf("memory %q stands for %d memories, of which %d cannot be read: verify names them: %w",
			id, n, n-len(ids), ErrCorrupt)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("memory %q stands for no others: give the id of a concept that consolidate wrote: %w",
			id, ErrConflict)
	}
	return ids, nil
}

// part makes a member active again and notes that it is to stay apart.
func part(sp *store.Space, tx *store.Tx, id string, out *Undone) error {
	f, _, err := tx.Lookup(id)
	if err != nil {
		return err
	}
	r, err := tx.Record(f.Row)
	if err != nil {
		return err
	}
	if f.Archived() {
		// Without a span of being archived: an answer as of the meantime, when the concept stood for it, has it again.
		if _, err := restore(sp, tx, id, time.Time{}); err != nil {
			return err
		}
		out.Restored = append(out.Restored, id)
	}
	if err := isolate.Fault("engram/undo"); err != nil {
		return err
	}
	return tx.PutKey(store.Key{Name: apartKey(id), ID: id, Result: resultApart, Version: r.Version})
}

// apartKey is the name under which a memory is remembered to stay apart. No caller can give it: keys have no control
// characters.
func apartKey(id string) string { return "\x00apart:" + id }

const resultApart = "apart"
