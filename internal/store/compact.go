package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/wal"
)

// A compaction builds a new segment from neighbouring sealed ones, without the rows of erased memories, and a sealing
// swaps it in: the same state file, the same manifest, the same two swaps of a pointer. Rows keep their numbers; one
// that is left out becomes void. Readers of an older view stay with the segments that there were; these are unmapped
// when the last of them is gone. Every step before the manifest's can be interrupted, as with a sealing.
//
// Afterwards the log begins anew behind what the segments hold, so that no file has a byte of what was erased before.

// CompactOptions say how to compact. The zero value compacts all that there is to compact, as fast as it goes.
type CompactOptions struct {
	// DeadOnly leaves segments alone that hold nothing erased, small as they may be.
	DeadOnly bool
	// MendOnly leaves everything alone but damage that costs nothing, see Space.Mendable: segments with damage that a
	// second copy makes up for are written anew, and manifest and state; the log goes where a record of it is damaged.
	MendOnly bool
	// Pace, if not nil, is told of every so many bytes that were read or written; its error ends the compaction.
	Pace func(bytes int) error
	// Progress, if not nil, is called after every segment with the report so far.
	Progress func(CompactReport)
}

// CompactReport says what a compaction did. Sizes are in bytes.
type CompactReport struct {
	Sources     int // segments that were replaced
	Written     int // segments that replaced them
	Dropped     int // rows that are gone
	Cooled      int // segments that became cold
	Warmed      int // segments that became warm again
	BytesBefore int64
	BytesAfter  int64
	// Left are damaged segments that stay as they are: what is damaged is neither copied nor deleted.
	Left []error
}

// mergeBytes is the size up to which neighbouring segments are put together: chosen, so that a compaction of everything
// needs no more than this beside what is there.
const mergeBytes = 256 << 20

// pollFiles is the time between two looks at whether files are free to go: chosen.
const pollFiles = 10 * time.Millisecond

// Compact takes what erased memories left out of every file, and puts small segments together. One compaction runs at a
// time; another waits for it. Reads and writes go on. Answers are the same before and after.
//
// When it returns nil, the report leaves no segment out, and nothing is kept aside, no file of the space has a byte of
// a memory that was erased before Compact began: content, vector, id, tags, associations and idempotency keys. It waits
// for a backup that reads files. An error, such as the context's, leaves what was done so far, which is whole.
func (s *Space) Compact(ctx context.Context, o CompactOptions) (report CompactReport, err error) {
	if err = s.alone(ctx, func() error { return s.compact(ctx, o, &report) }); err != nil {
		return report, fmt.Errorf("compact space %s: %w", s.name, err)
	}
	return report, nil
}

// alone runs fn while no other compaction runs.
func (s *Space) alone(ctx context.Context, fn func() error) error {
	select {
	case s.compacting <- struct{}{}:
		defer func() { <-s.compacting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return fn()
}

func (s *Space) compact(ctx context.Context, o CompactOptions, report *CompactReport) error {
	if err := s.writableNow(); err != nil {
		return err
	}
	drop, err := s.beginDrop(o)
	if err != nil {
		return err
	}
	if err := s.Seal(ctx); err != nil {
		return err
	}
	pick := func(base uint32, damaged map[*segment.Sealed]bool) (*group, uint32) {
		return s.nextGroup(base, o, damaged)
	}
	if err := s.rebuild(ctx, pick, o, report); err != nil {
		return err
	}
	v := s.View()
	if slices.ContainsFunc(*v.partsNow(), func(p part) bool { return p.sealed != nil && s.stuck(v, p) }) {
		report.Left = append(report.Left, v.apartDamage(v.serving))
	}
	if err := s.compactApart(ctx, o, false, report); err != nil {
		return err
	}
	if slices.ContainsFunc(s.notes(), s.resealed) { // nothing was written since
		if err := s.commit(ctx, nil); err != nil {
			return err
		}
	}
	return drop(ctx)
}

// beginDrop begins a new file of the log, behind which drop lets go of what there is now, if a compaction is to.
func (s *Space) beginDrop(o CompactOptions) (drop func(context.Context) error, err error) {
	if o.MendOnly && !slices.ContainsFunc(s.notes(), s.inLog) {
		return func(context.Context) error { return nil }, nil
	}
	if err := isolate.Fault("store/compact.rotate"); err != nil {
		return nil, err
	}
	last, err := s.log.Rotate()
	return func(ctx context.Context) error { return s.dropLog(ctx, last) }, err
}

// rebuild replaces the groups that pick finds, one after the other.
func (s *Space) rebuild(
	ctx context.Context, pick func(base uint32, damaged map[*segment.Sealed]bool) (g *group, next uint32),
	o CompactOptions,
	report *CompactReport,
) error {
	damaged := map[*segment.Sealed]bool{}
	for base := uint32(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		group, next := pick(base, damaged)
		if group == nil {
			return nil
		}
		bad, err := s.compactGroup(ctx, o, group, report)
		if err != nil {
			return err
		}
		if bad != nil {
			damaged[bad] = true
			continue // the rest of the group, from where it began
		}
		base = next
		if o.Progress != nil {
			o.Progress(*report)
		}
	}
}

func (s *Space) writableNow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal()
}

// group is a run of neighbouring segments that become one.
type group struct {
	parts []part
	rows  uint32
	bytes int64
	tier  segment.Tier // of the new one
	dead  bool         // one of them holds a row that is to go, was mended by a copy, or is of a former generation
	moves int          // those that were in another tier
}

// takes reports whether p may be added to the group, to become one segment of a tier.
func (g *group) takes(p part, tier segment.Tier) bool {
	return tier != 0 && (len(g.parts) == 0 || tier == g.tier && g.bytes+p.sealed.SizeBytes() <= mergeBytes &&
		g.rows+p.sealed.Rows() <= segment.MaxRows)
}

func (g *group) add(p part, tier segment.Tier) {
	g.parts = append(g.parts, p)
	g.rows += p.sealed.Rows()
	g.bytes += p.sealed.SizeBytes()
	g.tier = tier
}

// nextGroup finds the first group from row base on that is worth rewriting, and the row behind it; nil if there is
// none. A segment stays in its tier.
func (s *Space) nextGroup(base uint32, o CompactOptions, damaged map[*segment.Sealed]bool) (*group, uint32) {
	position, v := s.manifestNow().position, s.View()
	g := &group{}
	for _, p := range *s.parts.Load() {
		if p.base < base {
			continue
		}
		tier := segment.Tier(0)
		if p.sealed != nil && !damaged[p.sealed] && !s.stuck(v, p) {
			tier = p.sealed.Tier()
		}
		if !g.takes(p, tier) || (o.DeadOnly || o.MendOnly) && len(g.parts) > 0 {
			if g.worth() {
				return g, p.base
			}
			g = &group{}
		}
		if tier != 0 {
			g.add(p, tier)
			g.dead = g.dead || len(p.sealed.Mended()) > 0 ||
				!o.MendOnly && (s.deadIn(p, position).Rows > 0 || p.generation != v.Generation)
		}
	}
	return nil, 0 // the hot segment is the last part, and ends every group
}

func (g *group) worth() bool { return g.dead || len(g.parts) > 1 }

// Dead counts what of segments no view will show again.
type Dead struct {
	Rows  int
	Bytes int64 // of bodies and vectors
}

// Fragmentation counts what erased memories still take in sealed segments, and the bytes of all segments. It goes
// through all rows, unless nothing has changed since the last time.
func (s *Space) Fragmentation() (d Dead, totalBytes int64) {
	v := s.View()
	if f := s.fragments.Load(); f != nil && f.position == v.Position && f.parts == v.parts {
		return f.Dead, f.totalBytes
	}
	f := &fragments{position: v.Position, parts: v.parts}
	for _, p := range *v.partsNow() {
		if p.sealed == nil {
			continue
		}
		dead := s.deadIn(p, v.Position)
		f.Rows += dead.Rows
		f.Bytes += dead.Bytes
		f.totalBytes += p.sealed.SizeBytes()
		if p.generation != v.Generation {
			f.Bytes += p.sealed.VectorBytes()
		}
	}
	s.fragments.Store(f)
	return f.Dead, f.totalBytes
}

// fragments is what Fragmentation found for a view.
type fragments struct {
	Dead
	totalBytes int64
	position   uint64
	parts      *[]part
}

// deadIn counts the rows of a sealed segment whose memories were erased by position, and their bytes.
func (s *Space) deadIn(p part, position uint64) (d Dead) {
	for slot := range p.sealed.Rows() {
		if !s.erasedBy(p.base+slot, position) {
			continue
		}
		size, held := p.sealed.RowBytes(slot)
		if held {
			d.Rows++
			d.Bytes += size
		}
	}
	return d
}

// erasedBy reports whether a row's memory was erased by position.
func (s *Space) erasedBy(row uint32, position uint64) bool {
	end, ended := s.endAt(row, position)
	return ended && end.erased
}

// compactGroup replaces one group. bad is a segment in which damage was met: it is told of, and nothing was done.
func (s *Space) compactGroup(
	ctx context.Context, o CompactOptions, g *group, report *CompactReport,
) (bad *segment.Sealed, err error) {
	file := segment.File{FS: s.fs, Dir: s.dir, Store: s.id, Number: s.takeFile()}
	done := false
	defer func() {
		if !done {
			s.addLitter(file.Path())
		}
	}()
	position := s.manifestNow().position
	base := g.parts[0].base
	plan := segment.Plan{
		Base: base, Tier: g.tier, Drop: func(row uint32) bool { return s.erasedBy(base+row, position) },
	}
	var generations []uint32
	for _, p := range g.parts {
		plan.Sources = append(plan.Sources, p.sealed)
		generations = append(generations, p.generation)
	}
	v := s.View()
	plan.Vectors = s.folding(v, base, generations...)
	plan.Pace = func(n int) error {
		if err := ctx.Err(); err != nil || o.Pace == nil {
			return err
		}
		return o.Pace(n)
	}
	built, err := segment.Build(file, plan)
	if err != nil {
		return s.damagedIn(g, err, report)
	}
	sealed, err := segment.Open(file, built.SizeBytes)
	if err != nil {
		return nil, err
	}
	r := &replacement{group: g, sealed: sealed, ref: segmentRef{
		number: file.Number, base: base, rows: built.Rows, sizeBytes: built.SizeBytes, generation: v.Generation,
	}}
	s.noteGone(r, position)
	err = s.commit(ctx, r)
	if done = r.swapped; !done {
		return nil, errors.Join(err, sealed.Close())
	}
	report.Sources += len(g.parts)
	report.Written++
	report.BytesBefore += g.bytes
	report.BytesAfter += built.SizeBytes
	report.Dropped += r.dropped
	s.noteMoves(g, report)
	return nil, err // of letting go of what was replaced
}

// damagedIn finds the segment that damage was met in.
func (s *Space) damagedIn(g *group, err error, report *CompactReport) (*segment.Sealed, error) {
	var corrupt *codec.CorruptError
	if !errors.As(err, &corrupt) {
		return nil, err
	}
	s.noteDamage(err)
	for _, p := range g.parts {
		if p.sealed.Path() == corrupt.Path {
			report.Left = append(report.Left, corrupt)
			return p.sealed, nil
		}
	}
	generation := s.View().Generation
	for _, p := range g.parts { // one that the damaged vector, which is apart, may be for
		if p.generation != generation {
			report.Left = append(report.Left, corrupt)
			return p.sealed, nil
		}
	}
	return nil, err
}

// replacement is a segment that takes the place of others.
type replacement struct {
	*group
	sealed  *segment.Sealed
	ref     segmentRef
	ids     map[uint32]string
	dropped int
	// Or: anew takes the place of apart.
	apart, anew *side
	apartRef    apartRef
	placed      bool // and is named by the manifest
	swapped     bool // it is in force, and durably so
}

// noteGone counts the rows that go, and reads the ids of those that take part in the order of a session: what is
// written later is put in order by comparing with them.
func (s *Space) noteGone(r *replacement, position uint64) {
	r.ids = map[uint32]string{}
	for _, p := range r.parts {
		r.dropped += s.deadIn(p, position).Rows
		for slot := range p.sealed.Rows() {
			if row := p.base + slot; s.erasedBy(row, position) {
				s.keepID(r.ids, p, row)
			}
		}
	}
}

// keepID notes the id of a row, if it is in a session and can be read.
func (s *Space) keepID(ids map[uint32]string, p part, row uint32) {
	if !s.t.facts.Has(row) || s.t.facts.At(row).Session == 0 {
		return
	}
	read := func(body []byte) error {
		id, err := recordID(body)
		if err == nil {
			ids[row] = string(id)
		}
		return err
	}
	// What cannot be read has no place of its own anyway.
	if p.hot != nil {
		_ = p.hot.Read(row-p.base, read)
		return
	}
	_ = p.sealed.Read(row-p.base, read)
}

// commit makes the replacement durable and swaps it in, by a sealing of its own. Without one it writes manifest and
// state anew.
func (s *Space) commit(ctx context.Context, r *replacement) error {
	s.mu.Lock()
	for s.frozen {
		if err := s.awaitSealing(ctx); err != nil {
			s.mu.Unlock()
			return err
		}
	}
	if err := s.refusal(); err != nil {
		s.mu.Unlock()
		return err
	}
	cp := s.freeze()
	s.beginSealing()
	s.mu.Unlock()
	err := isolate.Go("compact", s.name, func() error {
		isolate.Point("store/compact.commit")
		return s.seal(cp, r)
	})
	s.endSealing(err)
	return err
}

// in is the manifest's list of segments with the replacement in it.
func (r *replacement) in(refs []segmentRef) ([]segmentRef, error) {
	if r.apart != nil {
		return refs, nil
	}
	first := slices.IndexFunc(refs, func(ref segmentRef) bool { return ref.base == r.ref.base })
	if first < 0 || first+len(r.parts) > len(refs) {
		return nil, fmt.Errorf("the segments from row %d on are not those that were compacted", r.ref.base)
	}
	return slices.Replace(slices.Clone(refs), first, first+len(r.parts), r.ref), nil
}

// swapIn puts the replacement into parts. What it replaces is unmapped when its last reader is gone.
func (r *replacement) swapIn(parts []part) []part {
	if r.apart != nil {
		return parts
	}
	first := slices.IndexFunc(parts, func(p part) bool { return p.base == r.ref.base && p.sealed != nil })
	return slices.Replace(parts, first, first+len(r.parts), part{
		base: r.ref.base, sealed: r.sealed, generation: r.ref.generation,
	})
}

// dropLog lets go of everything in files that the manifest does not name and in the log up to last. It waits for
// backups and readers of the log.
func (s *Space) dropLog(ctx context.Context, last wal.LSN) error {
	for {
		done, err := s.tryDropLog(last)
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a backup or a check reads files that are to go: erased bytes stay in them until "+
				"another compaction: %w", ctx.Err())
		case <-time.After(pollFiles):
		}
	}
}

func (s *Space) tryDropLog(last wal.LSN) (done bool, err error) {
	s.filesMu.Lock()
	defer s.filesMu.Unlock()
	if s.pins > 0 && !isolate.Off("pins of compactions") {
		return false, nil
	}
	if err := s.sweep(); err != nil {
		return false, err
	}
	if err := isolate.Fault("store/compact.drop"); err != nil {
		return false, err
	}
	busy, err := s.log.Drop(wal.LSN(s.manifestNow().position + 1))
	if err != nil || busy {
		return false, err
	}
	if first := s.log.Stats().First; first <= last {
		return false, fmt.Errorf("the log still holds records from %d on, up to %d was to go", first, last)
	}
	return true, s.forgetTrimmed()
}
