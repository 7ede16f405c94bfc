package engram

import (
	"context"
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
)

// BackgroundConsolidation says whether and how a DB consolidates its spaces by itself. The zero value does not.
type BackgroundConsolidation struct {
	// Every is the time between two passes; 0 means never. Spaces that are not open, or to which nothing was written
	// since their last pass, are left in peace. A space in which nothing was found is looked at half as often, down to
	// every eighth time, until something is; one whose pass failed down to every 64th.
	Every time.Duration
	// ConsolidateOptions bound each pass of each space.
	ConsolidateOptions
	// Report, if not nil, is called after each pass, one at a time, from the goroutine that runs them. A panic in it,
	// as in a pass, ends that pass and nothing else.
	Report func(space string, c Consolidation, err error)
}

func (b *BackgroundConsolidation) validate() error {
	if b.Every < 0 {
		return &InvalidError{
			Field: "Options.Consolidation.Every", Value: b.Every.String(),
			Allowed: "use a duration above 0, or 0 for never",
		}
	}
	if err := b.check(); err != nil {
		return inField(err, "Options.Consolidation")
	}
	return nil
}

// rounds is what the background knows of a space.
type rounds struct {
	position uint64 // of the space after its last pass
	skip     int    // rounds to let pass before the next
	idle     int    // rounds skipped after the last pass, doubled by each that finds nothing
}

const (
	mostIdle   = 8
	mostFailed = 64
)

// consolidateRound runs a pass of every open space that is due one.
func (db *DB) consolidateRound(ctx context.Context, known map[string]*rounds) {
	positions := db.positions()
	for name := range known {
		if _, open := positions[name]; !open {
			delete(known, name)
			db.consolidations.forget(name)
		}
	}
	for _, name := range sortedKeys(positions) {
		if ctx.Err() != nil {
			return
		}
		r := known[name]
		if r == nil {
			r = &rounds{}
			known[name] = r
		}
		r.pass(ctx, db, name, positions[name])
	}
}

// positions tells where the open spaces are, without counting that as use of them.
func (db *DB) positions() map[string]uint64 {
	out := map[string]uint64{}
	for h := range db.handles.all() {
		if h.acquireOpen() {
			out[h.name] = h.space.View().Position
			h.refs.Add(-1)
		}
	}
	return out
}

// pass runs one pass of a space if it is due.
func (r *rounds) pass(ctx context.Context, db *DB, name string, position uint64) {
	if r.skip > 0 {
		r.skip--
		return
	}
	if position == r.position {
		return
	}
	db.consolidations.note(name, func(w *work) { w.Running = true })
	var report Consolidation
	s := &Space{db: db, name: name}
	err := isolate.Go("background consolidation", name, func() (err error) {
		report, err = s.Consolidate(ctx, db.o.Consolidation.ConsolidateOptions)
		return err
	})
	r.position = position
	switch {
	case err != nil:
		r.position = 0 // nothing says that it is done
		r.idle = min(2*r.idle+1, mostFailed-1)
	case report.Archived == 0:
		r.idle = min(2*r.idle+1, mostIdle-1)
	default:
		r.idle = 0
	}
	r.skip = r.idle
	if ctx.Err() == nil {
		next := db.o.Clock().Add(time.Duration(r.skip+1) * db.o.Consolidation.Every)
		db.consolidations.note(name, func(w *work) { w.end(err, next) })
	}
	if ctx.Err() != nil || db.o.Consolidation.Report == nil {
		return
	}
	// What a listener does wrong is its own affair.
	_ = isolate.Go("report of consolidation", name, func() error {
		db.o.Consolidation.Report(name, report, err)
		return nil
	})
}

// String says in a line what a pass did.
func (c Consolidation) String() string {
	verb := "consolidated"
	if c.DryRun {
		verb = "would consolidate"
	}
	return fmt.Sprintf("%s %d of %d memories into %d concepts", verb, c.Archived, c.Considered, len(c.Concepts))
}
