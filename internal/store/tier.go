package store

import (
	"context"
	"fmt"

	"github.com/orchard9/engram-go/internal/segment"
)

// A sealed segment is warm or cold. It moves by being built anew, as a compaction does, and nothing that a reader can
// see depends on where it is. Which segments move is decided by what recall has needed.

// Numbers chosen. The gap between the shares keeps a segment from going to and fro.
const (
	// A warm segment of which at most this share of its rows was needed lately becomes cold.
	coldShare = .02
	// A cold one of which more than this share was becomes warm again.
	warmShare = .1
	// A cold segment of less than this is put together with neighbours that become cold.
	smallCold = mergeBytes / 4
)

// MoveOptions say which segments move to another tier. The zero value moves nothing to cold and everything back.
type MoveOptions struct {
	// Today is the day that it is, see Day. Rows of which nothing is known count as needed today from now on.
	Today uint32
	// Since is the first day of what counts as lately. Above Today nothing was needed lately: all becomes cold.
	Since uint32
	// Pace and Progress are as in CompactOptions.
	Pace     func(bytes int) error
	Progress func(CompactReport)
}

// Move makes segments cold that recall has not needed lately, and warm again if it has. Reads and writes go on, and
// answers are the same before and after. One Move or Compact runs at a time; another waits. An error, such as the
// context's, leaves what was done so far, which is whole. Damaged segments stay where they are and are told of.
func (s *Space) Move(ctx context.Context, o MoveOptions) (report CompactReport, err error) {
	err = s.alone(ctx, func() error { return s.move(ctx, o, &report) })
	if err != nil {
		return report, fmt.Errorf("move segments of space %s to another tier: %w", s.name, err)
	}
	return report, nil
}

func (s *Space) move(ctx context.Context, o MoveOptions, report *CompactReport) error {
	if err := s.writableNow(); err != nil {
		return err
	}
	wanted := s.wantedTiers(o)
	if err := s.saveNeed(); err != nil {
		return err
	}
	pick := func(base uint32, damaged map[*segment.Sealed]bool) (*group, uint32) {
		return s.nextMove(base, wanted, damaged)
	}
	return s.rebuild(ctx, pick, CompactOptions{Pace: o.Pace, Progress: o.Progress}, report)
}

// wantedTiers tells of the segments that are to move where to.
func (s *Space) wantedTiers(o MoveOptions) map[*segment.Sealed]segment.Tier {
	v := s.View()
	wanted := map[*segment.Sealed]segment.Tier{}
	for _, p := range *v.partsNow() {
		if p.sealed == nil {
			continue
		}
		rows, needed := 0, 0
		for row := p.base; row < p.base+p.sealed.Rows(); row++ {
			if s.t.ends.End(row) == 0 || !s.t.needed.Has(row) {
				continue // void, or erased before it was loaded
			}
			rows++
			day := s.neededOn(v, row)
			if day == 0 {
				day = o.Today
				v.Need(day, row)
			}
			if day >= o.Since {
				needed++
			}
		}
		switch share := float64(needed) / float64(max(rows, 1)); {
		case rows == 0:
		case p.sealed.Tier() == segment.Warm && share <= coldShare:
			wanted[p.sealed] = segment.Cold
		case p.sealed.Tier() == segment.Cold && share > warmShare:
			wanted[p.sealed] = segment.Warm
		}
	}
	return wanted
}

// nextMove finds the first group from row base on that is to move, and the row behind it; nil if there is none.
func (s *Space) nextMove(
	base uint32, wanted map[*segment.Sealed]segment.Tier, damaged map[*segment.Sealed]bool,
) (*group, uint32) {
	g, v := &group{}, s.View()
	for _, p := range *s.parts.Load() {
		if p.base < base {
			continue
		}
		tier := segment.Tier(0)
		if p.sealed != nil && !damaged[p.sealed] && !s.stuck(v, p) {
			tier = wanted[p.sealed]
			if tier == 0 && p.sealed.Tier() == segment.Cold && p.sealed.SizeBytes() < smallCold {
				tier = segment.Cold // it may join others
			}
		}
		if !g.takes(p, tier) {
			if g.moves > 0 {
				return g, p.base
			}
			g = &group{}
		}
		if tier != 0 {
			g.add(p, tier)
			if tier != p.sealed.Tier() {
				g.moves++
			}
		}
	}
	return nil, 0 // the hot segment is the last part, and ends every group
}

// noteMoves counts the segments of a group that moved.
func (s *Space) noteMoves(g *group, report *CompactReport) {
	if g.tier == segment.Cold {
		report.Cooled += g.moves
		s.cooled.Add(int64(g.moves))
		return
	}
	report.Warmed += g.moves
	s.warmed.Add(int64(g.moves))
}
