package engram

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// defaultColdAfter is for how long recall must not have needed most of a segment before it becomes cold. Chosen.
const defaultColdAfter = 30 * 24 * time.Hour

// leastColdAfter is the least that can be asked for: what was needed is known by the day.
const leastColdAfter = 24 * time.Hour

// today is the day by the clock, as it is noted of memories that are needed.
func (db *DB) today() uint32 { return store.Day(db.o.Clock().UnixNano()) }

// checkColdAfter refuses less than a day.
func checkColdAfter(field string, d time.Duration) error {
	if d == 0 || d >= leastColdAfter {
		return nil
	}
	return &InvalidError{
		Field: field, Value: d.String(), Allowed: "use 24h or more: what recall needed is known by the day",
	}
}

// checkTiers refuses what cannot be asked of a compaction.
func (o *CompactOptions) checkTiers() error {
	switch {
	case o.Tier != "" && o.Tier != TierWarm && o.Tier != TierCold:
		return &InvalidError{Field: "tier", Value: quote(string(o.Tier)), Allowed: `use "warm" or "cold"`}
	case o.Tier != "" && o.ColdAfter != 0:
		return &InvalidError{
			Field: "tier", Value: quote(string(o.Tier)),
			Allowed: "leave it out where cold_after says which segments move",
		}
	}
	return checkColdAfter("cold_after", o.ColdAfter)
}

// moveOptions say what is asked for; false if no segment is to move.
func (o *CompactOptions) moveOptions(db *DB) (store.MoveOptions, bool) {
	switch {
	case o.Tier == TierCold:
		return store.MoveOptions{Today: db.today(), Since: math.MaxUint32}, true
	case o.Tier == TierWarm:
		return store.MoveOptions{Today: db.today()}, true
	case o.ColdAfter > 0:
		return lately(db, o.ColdAfter), true
	}
	return store.MoveOptions{}, false
}

// lately counts what was needed during the last so many days.
func lately(db *DB, d time.Duration) store.MoveOptions {
	today := db.today()
	days := uint32(min(d/(24*time.Hour), math.MaxInt32))
	return store.MoveOptions{Today: today, Since: today - min(days-1, today-1)}
}

// add counts in what another part of the work did.
func (r *CompactReport) add(more CompactReport) {
	r.Sources += more.Sources
	r.Written += more.Written
	r.Dropped += more.Dropped
	r.Cooled += more.Cooled
	r.Warmed += more.Warmed
	r.BytesBefore += more.BytesBefore
	r.BytesAfter += more.BytesAfter
	for _, p := range more.Left {
		if !slices.Contains(r.Left, p) { // a damaged segment may be met twice
			r.Left = append(r.Left, p)
		}
	}
}

// tierPause is how often the background looks at what segments were needed for. What is noted changes with the day.
const tierPause = time.Hour

// moveTiers moves segments of a space by what recall has needed, if that was not looked at a short while ago. begin is
// told when there is something to do.
func (c *compactor) moveTiers(ctx context.Context, h *handle, begin func()) (store.CompactReport, error) {
	now := c.db.o.Clock()
	if c.policy.ColdAfter < 0 || !h.tiersAt.IsZero() && now.Sub(h.tiersAt) < tierPause && !now.Before(h.tiersAt) {
		return store.CompactReport{}, nil
	}
	o := lately(c.db, c.policy.ColdAfter)
	paced := pace(ctx, c.policy.BytesPerSecond)
	o.Pace = func(n int) error {
		begin()
		return paced(n)
	}
	r, err := h.space.Move(ctx, o)
	if r.Sources > 0 {
		begin() // it was so little that nobody was told of the pace
	}
	if err != nil {
		return r, fmt.Errorf("move segments between tiers: %w", err)
	}
	h.tiersAt = now
	return r, nil
}
