package engram

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics/consolidate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// Precedent is what [Space.Predict] goes by.
type Precedent struct {
	// IDs are memories after which something is to come: 1 to Limits.IDs. Their restatements count as them.
	IDs []string `json:"ids"`
	// Steps is how far ahead in its session to look from each occurrence: 1 to 16; 0 means 1.
	Steps int `json:"steps,omitempty" min:"1"`
	// Limit is the number of successors wanted: 1 to Limits.Hits; 0 means 10.
	Limit int `json:"limit,omitempty" min:"1"`
	// AsOf counts in what the space knew then: memories stored by then, as they were. Zero: now.
	AsOf time.Time `json:"as_of,omitzero"`
	// Where, if not nil, says which memories may come next; others are passed over, as if they were not in the session.
	// It is given each with its links (but with AsOf) and without Embedding, and may not keep it.
	Where func(*Memory) bool `json:"-"`
}

// Prediction is what usually came next.
type Prediction struct {
	// Occurrences counts the memories in sessions that say what the ids say; Followed are those of them that something
	// came after.
	Occurrences int `json:"occurrences"`
	Followed    int `json:"followed"`
	// Successors are what came after, most certain first.
	Successors []Successor `json:"successors"`
	// Damaged says which memories could not be read, and so were passed over.
	Damaged []string `json:"damaged,omitempty"`
}

// Successor is one thing that came next, however often it was said.
type Successor struct {
	// Content is that of the latest memory of it.
	Content string `json:"content"`
	// IDs are the memories, in ascending order.
	IDs []string `json:"ids"`
	// Count is after how many of the occurrences that were followed by anything it came; Share is the part of them.
	Count int     `json:"count"`
	Share float64 `json:"share"`
	// AtLeast is the lower end of the share's 95 % interval (Wilson): .21 for one of one, .57 for five of five.
	AtLeast float64 `json:"at_least"`
}

const (
	// MaxSteps is the largest Precedent.Steps.
	MaxSteps = 16
	// maxAlike is how many memories with the same words are looked at for each id.
	maxAlike = 200
)

// Predict tells what came next in the sessions in which the given memories, or restatements of them, stand: counted,
// with the memories as evidence, archived ones included. It knows order only, no causes, and generalises to nothing
// that was not said. A memory that does not exist is ErrNotFound.
func (s *Space) Predict(ctx context.Context, p Precedent) (Prediction, error) {
	if err := s.db.o.Limits.precedent(&p); err != nil {
		return Prediction{}, err
	}
	var out Prediction
	now := s.db.o.Clock()
	err := s.read(ctx, "predict", func(v *store.View) error {
		return readWhole(v, func() error {
			out = Prediction{Successors: []Successor{}}
			x := predictor{
				s: s, ctx: ctx, v: v, p: &p, now: now, seen: map[string]bool{}, after: map[string]*following{},
			}
			for _, id := range p.IDs {
				if err := x.occurrences(id); err != nil {
					return err
				}
			}
			out.Occurrences, out.Followed = len(x.seen), x.followed
			out.Successors = x.successors()
			out.Damaged = tellDamage(nil, v.Unreadable(maxDamage)...)
			return nil
		})
	})
	if err != nil {
		return Prediction{}, err
	}
	return out, nil
}

func (l Limits) precedent(p *Precedent) error {
	c := &checks{}
	if len(p.IDs) == 0 {
		c.fail("ids", "empty", "give at least one memory after which something is to come")
	}
	c.ids("ids", p.IDs, l.IDs)
	c.time("as_of", p.AsOf)
	if p.Steps < 0 || p.Steps > MaxSteps {
		c.fail("steps", fmt.Sprint(p.Steps), fmt.Sprintf("use 1 to %d", MaxSteps))
	}
	if p.Limit < 0 || p.Limit > l.Hits {
		c.fail("limit", fmt.Sprint(p.Limit), fmt.Sprintf("use 1 to %d", l.Hits))
	}
	p.Steps, p.Limit = cmp.Or(p.Steps, 1), cmp.Or(p.Limit, min(DefaultLimit, l.Hits))
	return c.err
}

// predictor is one prediction.
type predictor struct {
	s        *Space
	ctx      context.Context
	v        *store.View
	p        *Precedent
	now      time.Time
	seen     map[string]bool // occurrences, by id
	followed int
	after    map[string]*following // what came next, by id
	err      error                 // of reading what may come next
}

// following is a memory that came after occurrences.
type following struct {
	record *store.Record
	of     []int // the occurrences, by number
}

// occurrences finds what says the same as a memory and notes what came after each.
func (x *predictor) occurrences(id string) error {
	f, err := living(x.v, id, x.now)
	if err != nil {
		return err
	}
	ok := false
	if f, ok = x.known(f); !ok {
		return unknownAt(id, x.p.AsOf)
	}
	same, err := x.alike(f)
	if err != nil {
		return err
	}
	for _, f := range same {
		if err := x.occurrence(f); err != nil {
			return err
		}
	}
	return nil
}

// known is a memory as it was known at the time that is asked for; false if it was not.
func (x *predictor) known(f store.Found) (store.Found, bool) {
	if x.p.AsOf.IsZero() {
		return f, true
	}
	return x.v.AsOf(f, x.p.AsOf.UnixNano())
}

// occurrence notes what came after one memory. Where a concept has taken the place of its latest member, the member is
// what counts.
func (x *predictor) occurrence(f store.Found) error {
	id, err := x.v.ID(f.Row)
	facts := x.v.Corpus().Facts.At(f.Row)
	if err != nil || facts.Session == 0 || x.seen[id] || !x.said(f) {
		return err
	}
	number := len(x.seen)
	x.seen[id] = true
	asOf := store.NoTime
	if !x.p.AsOf.IsZero() {
		asOf = x.p.AsOf.UnixNano()
	}
	next := x.v.Following(f, x.p.Steps, asOf, x.successive)
	if x.err != nil {
		return x.err
	}
	for _, next := range next {
		r, err := x.v.Record(next.Row)
		if err != nil {
			return err
		}
		one := x.after[r.ID]
		if one == nil {
			one = &following{record: r}
			x.after[r.ID] = one
		}
		one.of = append(one.of, number)
	}
	if len(next) > 0 {
		x.followed++
	}
	return nil
}

// said reports whether a memory is one that somebody stored, and not a concept in the place of its latest member.
func (x *predictor) said(f store.Found) bool {
	return !expired(x.v.ExpiresAt(f.Row), x.now) && x.v.CountLinks(f, LinkConsolidates, true) == 0
}

// successive reports whether a memory may come next.
func (x *predictor) successive(f store.Found) bool {
	if x.err != nil || !x.v.Readable(f.Row) || !x.said(f) {
		return false
	}
	if x.p.Where == nil {
		return true
	}
	r, err := x.v.Record(f.Row)
	if err != nil {
		x.err = err
		return false
	}
	look := x.s.lens(x.now)
	m := withFate(x.v, f, r, look)
	if x.err = m.setForWhere(x.v, f, look, x.p.AsOf.IsZero()); x.err != nil {
		return false
	}
	return x.p.Where(&m)
}

// alike lists the memories that say what f says: f, the members of its concept, and its restatements.
func (x *predictor) alike(f store.Found) ([]store.Found, error) {
	r, err := x.v.Record(f.Row)
	if err != nil {
		return nil, err
	}
	out := []store.Found{f}
	q := recall.Query{Text: r.Content, Now: x.now.UnixNano(), Limit: maxAlike, Filters: recall.NoFilters()}
	passOver(x.v, &q.Filters)
	found, err := x.s.db.recall.Recall(x.ctx, corpusOf(x.v, &Cue{AsOf: x.p.AsOf}, x.now), q)
	if err != nil {
		return nil, err
	}
	items := []consolidate.Item{x.item(r)}
	rows := []uint32{f.Row}
	for _, h := range found.Hits {
		other, err := x.v.Record(h.Row)
		if err != nil {
			return nil, err
		}
		if other.ID != r.ID {
			items, rows = append(items, x.item(other)), append(rows, h.Row)
		}
	}
	for i, same := range consolidate.Restates(items, sameStep()) {
		if same && i > 0 {
			f, _ := x.known(x.v.Fate(rows[i]))
			out = append(out, f)
		}
	}
	return x.withMembers(out)
}

// withMembers adds the memories that concepts among found stand for.
func (x *predictor) withMembers(found []store.Found) ([]store.Found, error) {
	out := found
	for _, f := range found {
		links, err := x.v.Links(f)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if l.Type != LinkConsolidates || !l.Outgoing {
				continue
			}
			if f, ok := x.known(x.v.Fate(l.Other)); ok && x.v.Readable(f.Row) {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// sameStep are the thresholds for steps, which may be as short as a word if the words are the same.
func sameStep() consolidate.Options {
	o := consolidate.Defaults()
	o.MinWords, o.MinMembers, o.MaxMembers = 1, 2, math.MaxInt
	return o
}

func (x *predictor) item(r *store.Record) consolidate.Item {
	return consolidate.Item{ID: r.ID, Scope: kindOf(r), Text: r.Content, Words: x.v.Words(r)}
}

// successors groups what came next by what it says.
func (x *predictor) successors() []Successor {
	ids := sortedKeys(x.after)
	items := make([]consolidate.Item, len(ids))
	single := make([]bool, len(ids))
	for i, id := range ids {
		items[i], single[i] = x.item(x.after[id].record), true
	}
	groups := consolidate.Groups(items, sameStep())
	for _, g := range groups {
		for _, m := range g.Members {
			single[m] = false
		}
	}
	for i := range items {
		if single[i] {
			groups = append(groups, consolidate.Group{Members: []int{i}})
		}
	}
	out := make([]Successor, 0, len(groups))
	for _, g := range groups {
		out = append(out, x.successor(ids, g.Members))
	}
	slices.SortFunc(out, func(a, b Successor) int {
		return cmp.Or(cmp.Compare(b.AtLeast, a.AtLeast), cmp.Compare(a.IDs[0], b.IDs[0]))
	})
	return out[:min(len(out), x.p.Limit)]
}

func (x *predictor) successor(ids []string, members []int) Successor {
	var out Successor
	var latest *store.Record
	occurrences := map[int]bool{}
	for _, m := range members {
		one := x.after[ids[m]]
		out.IDs = append(out.IDs, ids[m])
		for _, n := range one.of {
			occurrences[n] = true
		}
		if latest == nil || one.record.OccurredAt.Nanos > latest.OccurredAt.Nanos {
			latest = one.record
		}
	}
	out.Content, out.Count = latest.Content, len(occurrences)
	out.Share = float64(out.Count) / float64(x.followed)
	out.AtLeast = wilson(float64(out.Count), float64(x.followed))
	return out
}

// wilson is the lower end of the 95 % interval of a share of k in n (E. B. Wilson, "Probable inference, the law of
// succession, and statistical inference", JASA 22, 1927).
func wilson(k, n float64) float64 {
	const z = 1.959963984540054
	p := k / n
	return max(0, (p+z*z/(2*n)-z*math.Sqrt(p*(1-p)/n+z*z/(4*n*n)))/(1+z*z/n))
}
