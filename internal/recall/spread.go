package recall

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/graph"
)

// SessionWeight is the weight of neighbours in a session where activation spreads over several steps. Chosen.
const SessionWeight = 1

// Spreading asks what some memories bring to mind.
type Spreading struct {
	// From are the rows where activation starts, in equal shares.
	From []uint32
	// Types, if not nil, tells which types of explicit associations it goes over; Session whether it goes over the
	// neighbours in sessions.
	Types   func(kind string) bool
	Session bool
	// Filters say which memories are given; activation goes over all that exist for Now and Filters.ValidAt.
	Filters Filters
	Now     int64 // as in Query
	Limit   int   // memories wanted: 1 to MaxLimit
	// Without switches off StepFan, or, with TermAssociation, that activation leaves the memories where it starts.
	Without []string
}

// Spread is what some memories bring to mind.
type Spread struct {
	Hits []Activated // the most active first; not those it started from
	// Idle are rows of From that do not exist for Now and ValidAt: nothing starts there.
	Idle []uint32
	// Residual is the part of the activation that was too thin to be passed on; Associations counts those gone over,
	// and Truncated tells that graph.Walk.MaxEdges ended it.
	Residual     float64
	Associations int
	Truncated    bool
}

// Activated is one memory that was reached.
type Activated struct {
	Row  uint32
	Pi   float64 // the probability that a walk from a seed ends here
	Path []Step  // from a seed to it
}

// Step is one memory of a path, and how it was reached from the one before.
type Step struct {
	Row uint32
	// Type and Weight are those of the strongest association with the step before; of the first step they are zero.
	// Incoming tells that it was made from this memory to the one before.
	Type     string
	Weight   float64
	Incoming bool
}

// Types of steps between neighbours in a session: this memory comes after the one before it in the path, or ahead.
const (
	StepNext     = "next"
	StepPrevious = "previous"
)

// Spread lets activation spread from memories over associations; see package graph. It changes nothing.
//
// It returns an error that names the field for a limit out of range, and the context's error.
func (e *Engine) Spread(ctx context.Context, c *Corpus, s Spreading) (out Spread, err error) {
	q := Query{Limit: s.Limit, Filters: s.Filters, Now: s.Now, Without: s.Without}
	if err := q.check(); err != nil {
		return Spread{}, err
	}
	memory := e.take()
	r := run{ctx: ctx, c: c, q: &q, memory: memory}
	if err = r.populate(); err == nil {
		out, err = r.spread(&s)
	}
	e.give(memory)
	return out, err
}

func (r *run) spread(s *Spreading) (Spread, error) {
	n := r.reader()
	n.Member, n.Types = r.alive, s.Types
	if s.Session {
		n.Session = SessionWeight
	}
	var out Spread
	var seeds []graph.Seed
	for _, row := range s.From {
		if !r.alive(row) {
			out.Idle = append(out.Idle, row)
			continue
		}
		seeds = append(seeds, graph.Seed{Row: row, Mass: 1 / float64(len(s.From))})
	}
	walk := graph.DefaultWalk()
	walk.Trace, walk.Even = true, r.off(StepFan)
	if r.off(TermAssociation) {
		walk.Alpha = 1
	}
	a := &r.walks.found
	a.Spread(&n, seeds, walk)
	out.Residual = a.Residual()
	out.Associations, _, out.Truncated = a.Work()
	var rows []uint32
	a.Each(func(row uint32, _ float64) {
		if r.member(row) && !slices.Contains(s.From, row) {
			rows = append(rows, row)
		}
	})
	best, err := top(r.ctx, rows, s.Limit, a.Pi, r.c.Source.ID)
	if err != nil {
		return Spread{}, err
	}
	for i, b := range best {
		if i%16 == 0 && r.ctx.Err() != nil {
			return Spread{}, fmt.Errorf("spread: %w", r.ctx.Err())
		}
		out.Hits = append(out.Hits, Activated{Row: b.row, Pi: b.key, Path: r.path(&n, b.row)})
	}
	return out, nil
}

// path tells by which associations activation came to row.
func (r *run) path(n *graph.Network, row uint32) []Step {
	id := func(row uint32) string {
		id, err := r.c.Source.ID(row)
		if err != nil {
			return damagedID
		}
		return id
	}
	rows := r.walks.found.Path(row, func(x, y uint32) bool { return id(x) < id(y) })
	steps := make([]Step, len(rows))
	for i, row := range rows {
		steps[i].Row = row
		if i > 0 {
			steps[i] = step(n, rows[i-1], row)
		}
	}
	return steps
}

// step names the strongest association from one row to the next; among equals the first by type.
func step(n *graph.Network, from, to uint32) Step {
	all := []Step{}
	before, after := n.Between(from, to, func(e graph.Edge) bool {
		all = append(all, Step{Row: to, Type: e.Type, Weight: float64(e.Weight), Incoming: !e.Outgoing})
		return true
	})
	if before {
		all = append(all, Step{Row: to, Type: StepPrevious, Weight: n.Session})
	}
	if after {
		all = append(all, Step{Row: to, Type: StepNext, Weight: n.Session})
	}
	if len(all) == 0 {
		return Step{Row: to}
	}
	return slices.MinFunc(all, func(a, b Step) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Type, b.Type))
	})
}
