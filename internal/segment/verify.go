package segment

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/vec"
)

// Verify reads the whole segment again, from the file and not through a mapping, and checks every checksum, every
// reference between its parts, and that codes and norms are those of the vectors. Every damage goes to report, which
// gets *codec.CorruptErrors. pace, if not nil, is told of every piece that was read; its error ends the work and is
// returned, as is that of a file that cannot be opened. rows are those read, void ones not counted.
func (w *Sealed) Verify(pace func(bytes int) error, report func(error)) (rows int, err error) {
	in, end, err := w.InOrder(pace)
	if err != nil {
		return 0, err
	}
	v := verifier{Sealed: in, of: w, report: report}
	err = v.all()
	return v.rows, errors.Join(err, end())
}

// verifier goes through a segment in order.
type verifier struct {
	*Sealed
	of     *Sealed // what others read
	report func(error)
	rows   int
	owner  []uint32        // the row that claims each vector
	lost   map[uint32]bool // rows whose line is damaged: what they claim cannot be told
	pages  map[int64]bool  // those with lines and blocks of which one copy is damaged, and which were told of
}

// told reports damage, and returns any other error.
func (v *verifier) told(err error) error {
	if errors.Is(err, codec.ErrCorrupt) {
		v.report(err)
		return nil
	}
	return err
}

func (v *verifier) all() error {
	v.owner, v.lost, v.pages = make([]uint32, v.sum.vectors), map[uint32]bool{}, map[int64]bool{}
	for i := range v.owner {
		v.owner[i] = NoRow
	}
	if err := v.told(v.head()); err != nil {
		return err
	}
	if err := v.told(v.dictionary()); err != nil {
		return err
	}
	for slot := range v.sum.rows {
		if err := v.told(v.row(slot)); err != nil {
			return err
		}
	}
	for vector := range v.sum.vectors {
		err := v.told(v.vector(vector))
		if err != nil {
			return err
		}
	}
	return nil
}

// head reads header and summary, and their copies, and looks at the size.
func (v *verifier) head() error {
	places := []uint64{0}
	if off, has := v.sum.headCopy(); has {
		places = append(places, off)
	}
	size, damage, err := v.size()
	if err != nil {
		return err
	}
	if damage != nil && uint64(size) >= v.sum.bodiesEnd {
		v.mends.add(damage)
	}
	for _, off := range places {
		err := v.guarded(func() error { return v.headAt(off) })
		if err == nil {
			continue
		}
		if !errors.Is(err, codec.ErrCorrupt) {
			return err
		}
		v.mends.add(err) // by the other copy, or by what Open has read
		damage = errors.Join(damage, err)
	}
	return damage
}

// size compares the file's size with what it is to be.
func (v *verifier) size() (size int64, damage, err error) {
	if size, err = v.in.file.Size(); err != nil {
		return 0, nil, fmt.Errorf("verify segment: %w", err)
	}
	if size != v.SizeBytes() {
		damage = v.corrupt("open segment", min(size, v.SizeBytes()), sizeError(size, v.SizeBytes()))
	}
	return size, damage, nil
}

// dictionary reads both copies of the dictionary.
func (v *verifier) dictionary() error {
	var damage error
	for _, off := range []uint64{v.sum.dictOff, v.sum.dictCopy()} {
		err := v.guarded(func() error {
			b, err := v.in.at(off, int(v.sum.dictBytes), nil)
			if err != nil || len(b) == 0 {
				return err
			}
			return v.checkDict(off, b)
		})
		if err == nil {
			continue
		}
		if !errors.Is(err, codec.ErrCorrupt) {
			return err
		}
		if v.badDict == nil {
			v.mends.add(err)
		}
		damage = errors.Join(damage, err)
	}
	return damage
}

func (v *verifier) headAt(off uint64) error {
	b, err := v.in.at(off, linesOff, nil)
	if err != nil {
		return err
	}
	if _, err := v.readHead(b[:codec.HeaderSize], int64(off)); err != nil {
		return err
	}
	s, err := v.readSummary(b, v.sum.version, v.SizeBytes(), int64(off))
	if err == nil && s != v.sum {
		err = v.corrupt("verify segment", int64(off)+summaryOff,
			fmt.Errorf("summary %+v is not that of the segment", s))
	}
	return err
}

// both calls read with the offset at which the front begins, and with that of its copy: damage to one is told, once
// for each page, and costs nothing. The error is that of damage to all that there are.
func (v *verifier) both(read func(front uint64) error) error {
	first := v.guarded(func() error { return read(0) })
	if v.sum.copyOff == 0 || first != nil && !errors.Is(first, codec.ErrCorrupt) {
		return first
	}
	second := v.guarded(func() error { return read(v.sum.copyOff) })
	switch {
	case second != nil && (first != nil || !errors.Is(second, codec.ErrCorrupt)):
		return errors.Join(first, second)
	case first != nil || second != nil:
		v.mend(errors.Join(first, second))
	}
	return nil
}

// mend tells of damage that costs nothing, once for each page.
func (v *verifier) mend(damage error) {
	at, told := v.mends.note(damage)
	if !v.pages[at] {
		v.pages[at] = true
		v.report(told)
	}
}

func (v *verifier) row(slot uint32) error {
	var row line
	err := v.both(func(front uint64) error {
		l, err := v.lineAt(front, slot, &noWorkspace)
		if err == nil {
			row = l
		}
		return err
	})
	if err != nil {
		v.lost[slot] = true
		return err
	}
	if row.Void {
		return nil
	}
	v.rows++
	if row.Vector != NoVector {
		if first := v.owner[row.Vector]; first != NoRow {
			err = v.corrupt("verify segment", linesOff+int64(slot)*lineSize,
				fmt.Errorf("row %d claims vector %d, which row %d has", slot, row.Vector, first))
			v.report(err)
		}
		v.owner[row.Vector] = slot
	}
	return v.Read(slot, func([]byte) error { return nil })
}

// vector checks the block, the codes and the floats of a vector.
func (v *verifier) vector(vector uint32) error {
	err := v.guarded(func() error { return v.vectorParts(vector) })
	if err != nil {
		v.of.doubt(vector)
	}
	return err
}

func (v *verifier) vectorParts(vector uint32) error {
	var m block
	off := v.sum.blocksOff + uint64(vector)*v.sum.blockBytes()
	err := v.both(func(front uint64) error {
		b, err := v.blockAt(front, vector)
		if err == nil {
			m = b
		}
		return err
	})
	if err != nil {
		return err
	}
	if m.slot != v.owner[vector] && !v.lost[m.slot] {
		return v.corrupt("verify segment", int64(off),
			fmt.Errorf("vector %d is said to be of row %d, which does not claim it", vector, m.slot))
	}
	padded, err := v.verified(vector, &noWorkspace)
	if err != nil {
		return err
	}
	if norm := 1 / vec.Norm(padded[:v.Dim()]); math.Float32bits(norm) != math.Float32bits(m.invNorm) {
		err = fmt.Errorf("inverse norm of vector %d is %v, want %v", vector, m.invNorm, norm)
		return v.corrupt("verify segment", int64(off), err)
	}
	if v.sum.version == 1 {
		return nil
	}
	codes := make([]int8, vec.CodeLen(v.Dim()))
	scale, residual := vec.Quantize(padded[:v.Dim()], codes)
	off = v.sum.codesOff + uint64(vector)*uint64(len(codes))
	b, err := v.in.at(off, len(codes), nil)
	if err != nil {
		return err
	}
	if err := v.checkCodes(vector, b); err != nil { // they can be made of the vector, which is whole
		v.of.doubt(vector)
		v.mend(err)
		return nil
	}
	if !bytes.Equal(b, vec.Int8Bytes(codes)) || scale != m.scale || residual != m.residual {
		return v.corrupt("verify segment", int64(off),
			fmt.Errorf("the codes of vector %d are not those of its floats", vector))
	}
	return nil
}
