package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// CompactOptions say how to compact.
type CompactOptions struct {
	// BytesPerSecond bounds how much is read and written, so that others have the disk too; 0 is no bound.
	BytesPerSecond int64
	// ColdAfter moves segments between tiers, too: those of which recall has not needed more than 2 % of the memories
	// for so long, in whole days of at least one, become cold, and cold ones of which it has needed more than 10 % warm
	// again. What is looked at for the first time counts as needed that day. 0 moves none.
	ColdAfter time.Duration
	// Tier moves every segment to a tier, TierWarm or TierCold, whatever was needed; "" moves none. Not with ColdAfter.
	Tier Tier
	// Progress, if not nil, is called after every segment with the report so far. It runs on the calling goroutine.
	Progress func(CompactReport)
}

// CompactReport says what a compaction did. Sizes are in bytes.
type CompactReport struct {
	Sources     int   `json:"sources"` // segments that were replaced
	Written     int   `json:"written"` // segments that replaced them
	Dropped     int   `json:"dropped"` // versions of erased memories that are gone from the segments
	Cooled      int   `json:"cooled"`  // segments that became cold
	Warmed      int   `json:"warmed"`  // segments that became warm again
	BytesBefore int64 `json:"bytes_before"`
	BytesAfter  int64 `json:"bytes_after"`
	// Left are damaged segments, which stay as they are: damage is neither copied nor deleted. What was erased stays in
	// them.
	Left []Problem `json:"left"`
	// KeptAside is what is kept of the space as it was before an upgrade; nil if nothing is. What was erased since is
	// still in it, until [DB.Upgrade] finishes.
	KeptAside *KeptAside `json:"kept_aside,omitempty"`
}

// Compact takes what erased memories left out of every file and puts small segments together, while others read and
// write, and moves segments between tiers if that is asked for. Answers are the same before and after, to the last bit.
//
// When it returns nil and the report leaves no segment out and tells of nothing kept aside, no file of the space holds
// a byte of a memory that was erased before Compact began: neither content, vector, id, tags and metadata, nor
// associations, idempotency keys and log records. Earlier backups and exports are not its business, and an incremental
// backup after it is a full one. It waits for backups that are reading. An error, such as the context's, leaves what
// was done so far, which is whole.
func (s *Space) Compact(ctx context.Context, o CompactOptions) (CompactReport, error) {
	out := CompactReport{Left: []Problem{}}
	if o.BytesPerSecond < 0 {
		return out, &InvalidError{
			Field: "bytes_per_second", Value: fmt.Sprint(o.BytesPerSecond), Allowed: "use 1 or more, or 0 for no bound",
		}
	}
	if err := o.checkTiers(); err != nil {
		return out, err
	}
	err := s.with(ctx, "compact", s.name == DefaultSpace, func(sp *store.Space) error {
		so := store.CompactOptions{Pace: pace(ctx, o.BytesPerSecond)}
		before := out
		if o.Progress != nil {
			so.Progress = func(r store.CompactReport) {
				sofar := before
				sofar.add(compactReport(r))
				o.Progress(sofar)
			}
		}
		// Segments move before small ones are put together: what was needed of each is known better then.
		if mo, moves := o.moveOptions(s.db); moves {
			if err := sp.Seal(ctx); err != nil {
				return err
			}
			mo.Pace, mo.Progress = so.Pace, so.Progress
			r, err := sp.Move(ctx, mo)
			out.add(compactReport(r))
			if err != nil {
				return err
			}
			before = out
		}
		r, err := sp.Compact(ctx, so)
		out.add(compactReport(r))
		out.KeptAside = keptAside(sp)
		return err
	})
	return out, err
}

func compactReport(r store.CompactReport) CompactReport {
	out := CompactReport{
		Sources: r.Sources, Written: r.Written, Dropped: r.Dropped, BytesBefore: r.BytesBefore,
		BytesAfter: r.BytesAfter, Cooled: r.Cooled, Warmed: r.Warmed, Left: []Problem{},
	}
	for _, err := range r.Left {
		p := Problem{What: err.Error()}
		var corrupt *codec.CorruptError
		if errors.As(err, &corrupt) {
			p = Problem{File: corrupt.Path, Offset: corrupt.Offset, What: corrupt.Err.Error()}
		}
		out.Left = append(out.Left, p)
	}
	return out
}

// pace sleeps so that no more than so many bytes a second go by; nil if there is no bound.
func pace(ctx context.Context, bytesPerSecond int64) func(int) error {
	if bytesPerSecond <= 0 {
		return nil
	}
	return func(n int) error {
		return sleep(ctx, time.Duration(float64(n)/float64(bytesPerSecond)*float64(time.Second)))
	}
}

// BackgroundCompaction says when spaces are compacted by themselves. The zero value is the default. Damage that costs
// nothing, because there is a second copy, or memory or a segment holds the same, is written anew whatever it says,
// unless it says never to all three; damage that costs something is left alone, and all of its space with it.
type BackgroundCompaction struct {
	// ErasedShare is the share of a space's segments, in bytes and above 0, from which on those with erased memories in
	// them are compacted; 0 means .25, negative means never.
	ErasedShare float64
	// ColdAfter is for how long recall must not have needed more than 2 % of a segment's memories before it becomes
	// cold; it becomes warm again when more than 10 % were needed within that time. 0 means 30 days, negative means
	// never; at least a day.
	ColdAfter time.Duration
	// EraseExpired is how long after it has expired a memory is erased, with an event whose reason is "expired"; what
	// it takes comes back like that of others that were erased. Until then a clock that ran ahead has lost nothing. 0
	// means 30 days, negative means never.
	EraseExpired time.Duration
	// BytesPerSecond bounds how much is read and written; 0 means 32 MiB.
	BytesPerSecond int64
	// Every is how often open spaces are looked at; 0 means a minute.
	Every time.Duration
}

func (c BackgroundCompaction) withDefaults() BackgroundCompaction {
	return BackgroundCompaction{
		ErasedShare: cmp.Or(c.ErasedShare, .25), BytesPerSecond: cmp.Or(c.BytesPerSecond, 32<<20),
		Every: cmp.Or(c.Every, time.Minute), ColdAfter: cmp.Or(c.ColdAfter, defaultColdAfter),
		EraseExpired: cmp.Or(c.EraseExpired, defaultEraseExpired),
	}
}

func (c BackgroundCompaction) validate() error {
	switch {
	case c.ErasedShare > 1:
		return &InvalidError{
			Field: "Options.Compaction.ErasedShare", Value: fmt.Sprint(c.ErasedShare),
			Allowed: "use up to 1, or below 0 for never",
		}
	case c.BytesPerSecond < 0:
		return &InvalidError{
			Field: "Options.Compaction.BytesPerSecond", Value: fmt.Sprint(c.BytesPerSecond), Allowed: "use 1 or more",
		}
	case c.Every < 0:
		return &InvalidError{
			Field: "Options.Compaction.Every", Value: c.Every.String(), Allowed: "use a duration above 0",
		}
	case c.ColdAfter < 0:
		return nil
	}
	return checkColdAfter("Options.Compaction.ColdAfter", c.ColdAfter)
}

// compactor erases what expired long ago, compacts open spaces in which much was erased or that hold damage that can be
// written anew, and moves segments between tiers, one space after the other.
type compactor struct {
	db     *DB
	policy BackgroundCompaction
	works  works
}

const (
	firstRetry = time.Minute // then twice as long after each failure, chosen
	lastRetry  = time.Hour

	defaultEraseExpired = 30 * 24 * time.Hour // chosen
	eraseAtOnce         = 500                 // memories in one write, which others wait for; chosen
)

// startCompactor begins, unless Options say never.
func (db *DB) startCompactor() {
	c := &compactor{db: db, policy: db.o.Compaction}
	db.compactor = c
	if c.policy.ErasedShare < 0 && c.policy.ColdAfter < 0 && c.policy.EraseExpired < 0 {
		return
	}
	db.every(c.policy.Every, "compact", func(ctx context.Context) error {
		c.round(ctx)
		return nil
	})
}

// round looks at every open space once.
func (c *compactor) round(ctx context.Context) {
	for h := range c.db.handles.all() {
		if ctx.Err() != nil || !c.due(h.name) || !h.acquireOpen() {
			continue
		}
		func() {
			defer h.refs.Add(-1)
			c.space(ctx, h)
		}()
	}
}

// due reports whether a space that failed before is to be tried again.
func (c *compactor) due(name string) bool {
	stats, _ := c.works.told(name)
	return !c.db.o.Clock().Before(stats.NextTry) || isolate.Off("pauses of compactions")
}

// space compacts one space if it is worth it, and moves its segments. A panic is this run's failure.
func (c *compactor) space(ctx context.Context, h *handle) {
	ran := false
	begin := func() {
		if !ran {
			ran = true
			c.works.note(h.name, func(w *work) { w.Running = true })
		}
	}
	err := isolate.Go("compact", h.name, func() error {
		free, mend := h.space.Mendable()
		if !free {
			return nil // it is told elsewhere, and what is damaged is not touched
		}
		if err := c.eraseExpired(ctx, h, begin); err != nil {
			return err
		}
		if much := c.muchErased(h); much || len(mend) > 0 {
			begin()
			r, err := h.space.Compact(ctx, store.CompactOptions{
				DeadOnly: true, MendOnly: !much, Pace: pace(ctx, c.policy.BytesPerSecond),
			})
			if err = errors.Join(append(r.Left, err)...); err != nil {
				return err
			}
			c.db.scrubber.forget(h.name, mend)
		}
		r, err := c.moveTiers(ctx, h, begin)
		return errors.Join(append(r.Left, err)...)
	})
	if !ran && err == nil {
		return
	}
	if ctx.Err() != nil {
		c.works.note(h.name, func(w *work) { w.Running = false })
		return
	}
	c.works.note(h.name, func(w *work) {
		w.end(err, c.db.o.Clock().Add(min(firstRetry<<min(w.failures, 10), lastRetry)))
	})
}

// muchErased reports whether what was erased takes the share of a space that counts.
func (c *compactor) muchErased(h *handle) bool {
	if c.policy.ErasedShare < 0 {
		return false
	}
	dead, total := h.space.Fragmentation()
	return dead.Bytes > 0 && float64(dead.Bytes) >= c.policy.ErasedShare*float64(total)
}
