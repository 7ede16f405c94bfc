package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// SessionType is what SpreadRequest.Types calls the neighbourhood of memories in a session.
const SessionType = "session"

// MaxSeeds is the number of memories that one spreading may start from: chosen.
const MaxSeeds = 100

// SpreadRequest asks what some memories bring to mind. The fields from Kinds on filter what is given, as in a [Cue];
// activation goes over all memories that are current, or were valid at ValidAt.
type SpreadRequest struct {
	// IDs are the memories from which activation starts in equal shares: 1 to 100, each once.
	IDs []string `json:"ids"`
	// Types are the types of associations that it goes over, [SessionType] for neighbours in sessions. Empty means all.
	Types []string `json:"types,omitempty" min:"1"`
	// Limit is the number of memories wanted: 1 to 1000; 0 means 10.
	Limit int `json:"limit,omitempty" min:"1"`

	Kinds         []string  `json:"kinds,omitempty"`
	Tags          []string  `json:"tags,omitempty"`
	TagsAny       []string  `json:"tags_any,omitempty"`
	TagsNone      []string  `json:"tags_none,omitempty"`
	Speaker       string    `json:"speaker,omitempty" min:"1"`
	Session       string    `json:"session,omitempty" min:"1"`
	From          time.Time `json:"from,omitzero"`
	To            time.Time `json:"to,omitzero"`
	ValidAt       time.Time `json:"valid_at,omitzero"`
	MinConfidence float64   `json:"min_confidence,omitempty"`
	// AsOf spreads over what the space knew then, along sessions alone: associations have no dates. Types other than
	// [SessionType] are refused. Zero: now.
	AsOf time.Time `json:"as_of,omitzero"`
	// Where, if not nil, keeps the memories for which it returns true, and WhereLinks gives it their links; see [Cue].
	Where      func(*Memory) bool `json:"-"`
	WhereLinks bool               `json:"-"`
}

// Spreading is what memories bring to mind.
type Spreading struct {
	// Memories are the most active first, ties by id; not those it started from.
	Memories []Activated `json:"memories"`
	// Residual in [0,1] is the part of the activation that was too thin to be passed on: nothing's Pi is too small by
	// more than that.
	Residual float64 `json:"residual"`
	// Associations counts those gone over. Truncated tells that they were too many for spreading to end by itself.
	Associations int  `json:"associations"`
	Truncated    bool `json:"truncated,omitempty"`
	// Damaged says which memories could not be read, and so took no part.
	Damaged []string `json:"damaged,omitempty"`
}

// Activated is one memory that activation came to.
type Activated struct {
	// Memory is the memory without its Embedding and Links.
	Memory
	// Pi in (0,1] is its activation: the probability that a walk that starts at one of the memories asked for, and at
	// each step ends with probability 1/2 and else goes over one of the associations, chosen by weight, ends here.
	Pi float64 `json:"pi"`
	// Path is a way by which it came, from one of the memories asked for to this one: at each step back, from where
	// most came first.
	Path []PathStep `json:"path"`
}

// PathStep is one memory of a path.
type PathStep struct {
	// ID is "" where activation came through a memory that cannot be read.
	ID string `json:"id"`
	// Type and Weight are those of the strongest association with the step before: "next" or "previous" for the one
	// that comes after that or ahead of it in their session. The first step has none.
	Type   string  `json:"type,omitempty"`
	Weight float64 `json:"weight,omitempty"`
	// Incoming is true if the association was made from this memory to the one before.
	Incoming bool `json:"incoming,omitempty"`
}

// Spread tells what memories bring to mind: personalised PageRank from them over explicit associations and neighbours
// in sessions. A memory with many associations passes little on over each, and one with too many for what it holds
// passes nothing on, so that hubs do not flood; the work is bounded whatever the size of the space. It writes nothing,
// and the result does not depend on the order in which memories were stored.
//
// An id that does not exist or has expired is ErrNotFound; one that is archived or superseded is refused.
func (s *Space) Spread(ctx context.Context, r SpreadRequest) (Spreading, error) {
	if err := s.db.o.Limits.spread(&r); err != nil {
		return Spreading{}, err
	}
	var out Spreading
	now := s.db.o.Clock()
	err := s.read(ctx, "spread", func(v *store.View) error {
		return readWhole(v, func() (err error) {
			out, err = s.spread(ctx, v, &r, now)
			return err
		})
	})
	if err != nil {
		return Spreading{}, err
	}
	return out, nil
}

// spread answers a request from a view.
func (s *Space) spread(ctx context.Context, v *store.View, r *SpreadRequest, now time.Time) (Spreading, error) {
	out := Spreading{Memories: []Activated{}}
	ask, damage, err := s.spreading(v, r, now)
	if err != nil {
		return out, err
	}
	cue := r.cue()
	found, err := s.db.recall.Spread(ctx, corpusOf(v, &cue, now), ask)
	if err != nil {
		return out, err
	}
	if len(found.Idle) > 0 {
		i := slices.Index(ask.From, found.Idle[0])
		return out, &InvalidError{
			Field: fmt.Sprintf("ids[%d]", i), Value: quote(r.IDs[i]),
			Allowed: "it is archived, superseded or expired: start from memories that recall would find",
		}
	}
	out.Residual, out.Associations, out.Truncated = found.Residual, found.Associations, found.Truncated
	out.Damaged = tellDamage(nil, append(*damage, v.Unreadable(maxDamage)...)...)
	var unreadable error // of all of them, so that the next try passes over each
	for _, hit := range found.Hits {
		a, err := activated(v, &cue, hit, s.lens(now))
		if err != nil {
			unreadable = errors.Join(unreadable, err)
			continue
		}
		out.Memories = append(out.Memories, a)
	}
	return out, unreadable
}

// cue is the part of a request that filters.
func (r *SpreadRequest) cue() Cue {
	return Cue{
		Limit: r.Limit, Kinds: r.Kinds, Tags: r.Tags, TagsAny: r.TagsAny, TagsNone: r.TagsNone, Speaker: r.Speaker,
		Session: r.Session, From: r.From, To: r.To, ValidAt: r.ValidAt, AsOf: r.AsOf, MinConfidence: r.MinConfidence,
		Where: r.Where, WhereLinks: r.WhereLinks,
	}
}

// spread checks a request.
func (l Limits) spread(r *SpreadRequest) error {
	cue := r.cue()
	if err := l.cue(&cue); err != nil {
		return err
	}
	c := &checks{}
	if len(r.IDs) == 0 {
		c.fail("ids", "empty", "give the memories to start from, 1 to "+strconv.Itoa(MaxSeeds))
	}
	c.ids("ids", r.IDs, MaxSeeds)
	c.distinct("ids", r.IDs)
	if len(r.Types) > l.IDs {
		c.tooLarge("types", len(r.Types), l.IDs, "types")
		return c.err
	}
	c.names("types", r.Types)
	c.distinct("types", r.Types)
	for i, kind := range r.Types {
		if !r.AsOf.IsZero() && kind != SessionType {
			c.fail(fmt.Sprintf("types[%d]", i), quote(kind),
				"associations have no dates: with as_of leave types out, or go over "+quote(SessionType))
		}
	}
	return c.err
}

// distinct refuses a value that stands in a list twice.
func (c *checks) distinct(field string, values []string) {
	if c.err != nil {
		return
	}
	for i, v := range values {
		if slices.Index(values, v) != i {
			c.fail(fmt.Sprintf("%s[%d]", field, i), quote(v), "it is there twice: give each once")
			return
		}
	}
}

// spreading is a request in the numbers of a view.
func (s *Space) spreading(
	v *store.View, r *SpreadRequest, now time.Time,
) (out recall.Spreading, damage *[]error, err error) {
	cue := r.cue()
	q, damage, err := s.query(v, &cue, now)
	if err != nil {
		return out, nil, err
	}
	out = recall.Spreading{
		Session: true, Filters: q.Filters, Now: q.Now, Limit: cmp.Or(r.Limit, DefaultLimit),
		Without: s.db.o.switchedOff(nil),
	}
	if len(r.Types) > 0 {
		out.Session = slices.Contains(r.Types, SessionType)
		out.Types = func(kind string) bool { return slices.Contains(r.Types, kind) }
	}
	for i, id := range r.IDs {
		found, err := living(v, id, time.Unix(0, q.Now))
		if err != nil {
			return out, nil, inField(err, fmt.Sprintf("ids[%d]", i))
		}
		if !r.AsOf.IsZero() {
			ok := false
			if found, ok = v.AsOf(found, r.AsOf.UnixNano()); !ok {
				return out, nil, unknownAt(id, r.AsOf)
			}
		}
		out.From = append(out.From, found.Row)
	}
	return out, damage, nil
}

// activated reads a memory from its tier, and the ids of its path.
func activated(v *store.View, cue *Cue, hit recall.Activated, at lens) (Activated, error) {
	r, err := v.Record(hit.Row)
	if err != nil {
		return Activated{}, fmt.Errorf("read activated memory: %w", err)
	}
	out := Activated{
		Memory: withFate(v, fateOf(v, cue, hit.Row), r, at), Pi: hit.Pi, Path: make([]PathStep, 0, len(hit.Path)),
	}
	out.Held = heldFor(&out.Memory, cue)
	for _, s := range hit.Path {
		id, err := v.ID(s.Row)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			return Activated{}, fmt.Errorf("read path: %w", err)
		}
		out.Path = append(out.Path, PathStep{
			ID: id, Type: s.Type, Weight: weight64(float32(s.Weight)), Incoming: s.Incoming,
		})
	}
	return out, nil
}
