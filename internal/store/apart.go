package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/segment"
)

// The files of vectors that are apart from their rows: written by sealings, read at opening, built anew by compactions
// without the rows of erased memories, and let go of when they are not needed any more. See vectors.go.

// apartFile names the file of a side.
func (s *Space) apartFile(number uint64) segment.File {
	return segment.File{FS: s.fs, Dir: s.dir, Store: s.id, Number: number, Apart: true}
}

// openApart opens the files that the manifest names, into parts. rows is the number of rows that segments hold.
func (s *Space) openApart(rows uint32) (parts []part, err error) {
	for _, ref := range s.man.apart {
		set := s.staged.building
		if ref.generation == s.staged.Generation {
			if s.staged.serving == nil {
				s.staged.serving = &vectorSet{number: ref.generation, model: s.staged.Model, dim: s.staged.Dim}
			}
			set = s.staged.serving
		}
		one := &side{set: set, base: ref.base, number: ref.number}
		set.next = ref.base + ref.rows
		if set == s.staged.building {
			s.staged.placed = set.next
		}
		one.sealed, err = segment.Open(s.apartFile(ref.number), ref.sizeBytes)
		if err == nil && (one.sealed.Rows() != ref.rows || one.sealed.Dim() != 0 && one.sealed.Dim() != set.dim) {
			err = errors.Join(&codec.CorruptError{
				Op: "open vectors", Path: one.sealed.Path(), Offset: -1,
				Err: fmt.Errorf("it has %d rows of dimension %d, the manifest says %d of %d", one.sealed.Rows(),
					one.sealed.Dim(), ref.rows, set.dim),
			}, one.sealed.Close())
		}
		switch {
		case errors.Is(err, codec.ErrCorrupt):
			s.noteDamage(err)
			if set == s.staged.serving {
				s.readOnly.set(fmt.Errorf("%w: not all that it holds is there, restore or repair it: %w",
					ErrReadOnly, err))
			}
			one.sealed, one.lost, one.damaged = nil, err, true
			set.lost = cmp.Or(set.lost, err)
		case err != nil:
			return parts, err
		default:
			if err := s.loadSide(one, rows); err != nil {
				return append(parts, part{side: one}), err
			}
		}
		parts = append(parts, part{side: one})
	}
	return parts, nil
}

// loadSide learns which rows the vectors of a file belong to.
func (s *Space) loadSide(one *side, rows uint32) error {
	in, end, err := one.sealed.InOrder(nil)
	if err != nil {
		return err
	}
	one.bySlot = make([]uint32, in.Rows())
	for slot := range in.Rows() {
		one.bySlot[slot] = segment.NoRow
		info, err := in.Row(slot)
		if err == nil && info.Void {
			continue
		}
		row := uint32(segment.NoRow)
		if err == nil {
			err = in.Read(slot, func(body []byte) error {
				d := codec.NewDecoder(body)
				row = d.U32()
				return d.Done()
			})
		}
		if err == nil && row >= rows {
			err = &codec.CorruptError{
				Op: "read vector", Path: one.sealed.Path(), Offset: -1,
				Err: fmt.Errorf("slot %d is of row %d of %d", slot, row, rows),
			}
		}
		if err != nil {
			s.noteDamage(err)
			one.damaged = true
			one.set.lost = cmp.Or(one.set.lost, err)
			continue
		}
		one.bySlot[slot] = row
		one.set.places.Slot(row).Store(one.base + slot + 1)
	}
	one.numberRows()
	return end()
}

// numberRows makes byVector of bySlot.
func (s *side) numberRows() {
	s.byVector = nil
	for g := range s.sealed.Groups() {
		for _, slot := range s.sealed.Slots(g) {
			row := uint32(segment.NoRow)
			if slot != segment.NoRow {
				row = s.bySlot[slot]
			}
			s.byVector = append(s.byVector, row)
		}
	}
}

// knownApart is the last position that a file of vectors tells of; 0 if it is not whole.
func (s *Space) knownApart(number uint64) (last uint64) {
	info, err := s.fs.Stat(s.apartFile(number).Path())
	if err != nil {
		return 0
	}
	w, err := segment.Open(s.apartFile(number), info.Size)
	if err != nil {
		return 0
	}
	for slot := range w.Rows() {
		if row, err := w.Row(slot); err == nil && !row.Void {
			last = max(last, row.LSN)
		}
	}
	if w.Close() != nil {
		return 0
	}
	return last
}

// freezeApart gives what was added to sets to a checkpoint, and the parts without what was added to sets that are not
// built any more. s.mu must be held.
func (s *Space) freezeApart(cp *checkpoint) []part {
	alive := []*vectorSet{s.staged.serving, s.staged.building}
	parts := slices.DeleteFunc(slices.Clone(*s.parts.Load()), func(p part) bool {
		return p.side != nil && p.side.hot != nil && !slices.Contains(alive, p.side.set)
	})
	for _, set := range alive {
		if set == nil || set.hot == nil {
			continue
		}
		cp.sides = append(cp.sides, set.hot)
		set.hot = nil
	}
	return parts
}

// resealed is what a sealing did with vectors that are apart.
type resealed struct {
	sealed map[*side]*side // by what is in memory, or in a file that is built anew
	gone   []goneSide
}

// goneSide is one that nothing needs any more; path is "" if it was in memory.
type goneSide struct {
	*side
	path string
}

func (r resealed) close() error {
	var errs []error
	for from, to := range r.sealed {
		if from.hot != nil {
			errs = append(errs, closeSealed(to.sealed))
		}
	}
	return errors.Join(errs...)
}

// swapIn puts what was sealed in the place of what was in memory, and takes out what is gone.
func (r resealed) swapIn(parts []part) []part {
	for i := range parts {
		if to := r.sealed[parts[i].side]; to != nil {
			parts[i].side = to
		}
	}
	return slices.DeleteFunc(parts, func(p part) bool {
		return p.side != nil && slices.ContainsFunc(r.gone, func(g goneSide) bool { return g.side == p.side })
	})
}

// sealApart writes the vectors of a checkpoint that are apart, and names in next what of such files is needed: those of
// the generation that is being built, and those of the one that serves while some segment is of a former one.
func (s *Space) sealApart(cp checkpoint, next *manifest, r *replacement) (out resealed, err error) {
	out.sealed = map[*side]*side{}
	parts := *s.parts.Load()
	v := &cp.view
	stale := slices.ContainsFunc(next.segments, func(ref segmentRef) bool { return ref.generation != v.Generation }) ||
		slices.ContainsFunc(parts, func(p part) bool {
			return p.side != nil && p.side.set == v.serving && p.side.damaged
		})
	needed := func(generation uint32) bool {
		return generation == v.Generation && stale || v.building != nil && generation == v.building.number
	}
	var refs []apartRef
	for _, ref := range next.apart {
		at := slices.IndexFunc(parts, func(p part) bool { return p.side != nil && p.side.number == ref.number })
		one := parts[at].side
		switch {
		case !needed(ref.generation):
			out.gone = append(out.gone, goneSide{one, s.apartFile(ref.number).Path()})
		case r != nil && r.apart == one:
			refs = append(refs, r.apartRef)
			out.sealed[one], r.placed = r.anew, true
			out.gone = append(out.gone, goneSide{one, s.apartFile(ref.number).Path()})
		default:
			refs = append(refs, ref)
		}
	}
	for _, one := range cp.sides {
		if !needed(one.set.number) || one.hot.Rows() == 0 {
			out.gone = append(out.gone, goneSide{side: one})
			continue
		}
		sealed, ref, err := s.buildSide(one, cp.position, nil)
		if err != nil {
			return out, err
		}
		s.addLitter(s.apartFile(ref.number).Path())
		out.sealed[one] = sealed
		refs = append(refs, ref)
	}
	next.apart = refs
	return out, nil
}

// buildSide writes a side as a new file, without the rows of memories that were erased by position.
func (s *Space) buildSide(of *side, position uint64, pace func(int) error) (*side, apartRef, error) {
	file := s.apartFile(s.takeFile())
	one := &side{set: of.set, base: of.base, number: file.Number}
	source := segment.Source(of.hot)
	if of.hot == nil {
		source = of.sealed
		one.bySlot = slices.Clone(of.bySlot)
	} else {
		one.bySlot = of.hotRows()
	}
	dropped := make([]bool, len(one.bySlot)) // what is erased meanwhile is not looked at
	for slot, row := range one.bySlot {
		dropped[slot] = row == segment.NoRow || s.goneBy(row, position)
	}
	built, err := segment.Build(file, segment.Plan{
		Sources: []segment.Source{source}, Base: of.base, Pace: pace,
		Drop: func(slot uint32) bool { return dropped[slot] },
	})
	if err != nil {
		return nil, apartRef{}, err
	}
	if one.sealed, err = segment.Open(file, built.SizeBytes); err != nil {
		s.addLitter(file.Path())
		return nil, apartRef{}, err
	}
	for slot := range one.bySlot {
		if dropped[slot] {
			one.bySlot[slot] = segment.NoRow
		}
	}
	one.numberRows()
	return one, apartRef{
		number: file.Number, generation: of.set.number, base: of.base, rows: built.Rows, sizeBytes: built.SizeBytes,
	}, nil
}

// hotRows tells the row of each slot of a side in memory that nobody adds to any more.
func (s *side) hotRows() []uint32 {
	rows := make([]uint32, s.hot.Rows())
	for slot := range rows {
		rows[slot] = segment.NoRow
		if info, err := s.hot.Row(uint32(slot)); err == nil && !info.Void && info.Vector != segment.NoVector {
			rows[slot] = s.hot.Slots(int(info.Vector / segment.GroupSize))[info.Vector%segment.GroupSize]
		}
	}
	return rows
}

// deadApart reports whether a file of vectors has some of a memory that was erased by position.
func (s *Space) deadApart(one *side, position uint64) bool {
	return slices.ContainsFunc(one.bySlot, func(row uint32) bool {
		return row != segment.NoRow && s.goneBy(row, position)
	})
}

// goneBy reports whether a row's memory was erased by position, or the row itself is in no file any more.
func (s *Space) goneBy(row uint32, position uint64) bool {
	_, carried := s.carried[row]
	return s.erasedBy(row, position) || !carried && s.t.ends.End(row) == 0
}

// compactApart takes what erased memories left out of the files of vectors, and writes those anew that were mended,
// and, if that is what is asked for, those of an earlier version.
func (s *Space) compactApart(ctx context.Context, o CompactOptions, earlier bool, report *CompactReport) error {
	for _, p := range *s.parts.Load() {
		one, position := p.side, s.manifestNow().position
		if one == nil || one.sealed == nil {
			continue
		}
		anew := len(one.sealed.Mended()) > 0 || earlier && one.sealed.Version() < segment.FormatVersion
		if !anew && (o.MendOnly || !s.deadApart(one, position)) {
			continue
		}
		if one.damaged {
			report.Left = append(report.Left, &codec.CorruptError{
				Op: "compact vectors", Path: one.sealed.Path(), Offset: -1,
				Err: errors.New("not all of its rows can be told: what was erased stays in it"),
			})
			continue
		}
		if err := s.compactSide(ctx, o, one, report); err != nil {
			return err
		}
	}
	return nil
}

func (s *Space) compactSide(ctx context.Context, o CompactOptions, one *side, report *CompactReport) error {
	pace := func(n int) error {
		if err := ctx.Err(); err != nil || o.Pace == nil {
			return err
		}
		return o.Pace(n)
	}
	anew, ref, err := s.buildSide(one, s.manifestNow().position, pace)
	if errors.Is(err, codec.ErrCorrupt) {
		s.noteDamage(err)
		report.Left = append(report.Left, err)
		return nil
	}
	if err != nil {
		return err
	}
	r := &replacement{group: &group{}, apart: one, anew: anew, apartRef: ref}
	err = s.commit(ctx, r)
	if !r.swapped || !r.placed {
		s.addLitter(s.apartFile(ref.number).Path())
		return errors.Join(err, anew.sealed.Close())
	}
	report.Sources++
	report.Written++
	report.BytesBefore += one.sealed.SizeBytes()
	report.BytesAfter += ref.sizeBytes
	return err
}

// stuck reports whether the vectors of a part cannot be put beside its rows, since not all of them can be told: the
// part, of a former generation, is left as it is.
func (s *Space) stuck(v *View, p part) bool {
	return p.generation != v.Generation && v.apartDamage(v.serving) != nil
}

// apartDamage is what is damaged of the files of a set; nil if nothing is.
func (v *View) apartDamage(set *vectorSet) error {
	for _, p := range *v.partsNow() {
		if p.side == nil || p.side.set != set || !p.side.damaged {
			continue
		}
		if p.side.lost != nil {
			return p.side.lost
		}
		return &codec.CorruptError{
			Op: "read vectors", Path: p.side.sealed.Path(), Offset: -1,
			Err: errors.New("not all of its rows can be told"),
		}
	}
	return nil
}

// folding are the vectors that a view has for the rows from base on, to be put beside them; nil if they are there
// already.
func (s *Space) folding(v *View, base uint32, generations ...uint32) segment.Vectors {
	if !slices.ContainsFunc(generations, func(g uint32) bool { return g != v.Generation }) {
		return nil
	}
	return folded{v, base}
}

// folded are the vectors of a view for rows from a base on.
type folded struct {
	v    *View
	base uint32
}

func (f folded) Dim() int { return f.v.Dim }

func (f folded) Has(row uint32) bool {
	row += f.base
	p, slot := f.v.part(row)
	if p.generation != f.v.Generation {
		return f.v.serving.has(row)
	}
	info, err := p.row(slot)
	return err == nil && info.Vector != segment.NoVector
}

func (f folded) Vector(row uint32, fn func(padded []float32, invNorm float32) error) error {
	row += f.base
	p, slot := f.v.part(row)
	switch {
	case p.generation != f.v.Generation:
		place, _ := f.v.serving.place(row)
		return f.v.vectorAt(f.v.serving, place, fn)
	case p.hot != nil:
		return p.hot.VectorOf(slot, fn)
	}
	return p.sealed.VectorOf(slot, fn)
}

// verifyApart reads a file of vectors.
func (s *Space) verifyApart(ctx context.Context, one *side, r *Report, step func(*Report) error) error {
	if one.hot != nil {
		return nil
	}
	return s.verifyPart(ctx, part{sealed: one.sealed, lost: one.lost, side: one}, r, step)
}

// checkApart verifies every byte of a file of vectors, for a backup.
func (s *Space) checkApart(ctx context.Context, ref apartRef) (err error) {
	w, err := segment.Open(s.apartFile(ref.number), ref.sizeBytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	_, stopped := w.Verify(func(int) error { return ctx.Err() }, func(damage error) { err = errors.Join(err, damage) })
	return errors.Join(err, stopped)
}

// gonePart reports whether a part's file has been replaced, or let go of.
func (s *Space) gonePart(p part, err error) bool {
	return errors.Is(err, fs.ErrNotExist) && !slices.ContainsFunc(*s.parts.Load(), func(q part) bool {
		return p.side == nil && q.sealed == p.sealed || p.side != nil && q.side == p.side
	})
}
