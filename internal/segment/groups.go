package segment

import (
	"errors"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vec"
)

// freshness is for how long what was verified of a mapping may be lent without verifying it again. Chosen: checksums go
// through 20 GB/s, so that scans without a pause spend some hundredth of their time on them, and a bit that turns over
// in memory or on disk is used for a second at most. What is read from the file is verified each time.
const freshness = time.Second

// seen is what was found when the vectors of a group, or their codes, were verified last.
type seen struct {
	at  atomic.Int64 // nanoseconds since opening, plus 1; 0 for never
	bad atomic.Uint64
}

// verify calls check for the vectors of group g, unless that was done a moment ago and nothing was found: of what is
// mapped list says when. bad has a bit for each that check refuses; the error is all of check's.
func (w *Sealed) verify(list []seen, g int, check func(v uint32) error) (bad uint64, err error) {
	first, end := w.bounds(g)
	mapped := w.in.data != nil
	now := int64(0)
	if mapped {
		s := &list[g]
		now = int64(time.Since(w.opened)) + 1
		at := s.at.Load()
		fresh := at > 0 && (now-at < int64(freshness) || isolate.Off("freshness"))
		if fresh && s.bad.Load() == 0 {
			return 0, nil
		}
	}
	for i := range end - first {
		if one := check(uint32(first + i)); one != nil {
			if !errors.Is(one, codec.ErrCorrupt) {
				return 0, one // what stops the work, such as a page that cannot be read
			}
			bad |= 1 << i
			err = errors.Join(err, one)
		}
	}
	if mapped {
		list[g].bad.Store(bad)
		list[g].at.Store(now)
	}
	return bad, err
}

// doubt has a group verified again when it is lent next.
func (w *Sealed) doubt(v uint32) {
	if g := v / GroupSize; w.vectorsSeen != nil {
		w.vectorsSeen[g].at.Store(0)
		w.codesSeen[g].at.Store(0)
	}
}

// Groups is the number of vector groups.
func (w *Sealed) Groups() int { return (int(w.sum.vectors) + GroupSize - 1) / GroupSize }

// bounds gives the vectors of a group.
func (w *Sealed) bounds(g int) (first, end int) {
	first = g * GroupSize
	return first, min(first+GroupSize, int(w.sum.vectors))
}

// Slots tells which rows the vectors of group g belong to.
func (w *Sealed) Slots(g int) []uint32 {
	first, end := w.bounds(g)
	return w.slots[first:end:end]
}

// Group lends the vectors of group g, verified not longer than freshness ago. An error that comes with a group is of
// what is Bad in it. What is not mapped is read into *scratch, and valid until that is used again. Reading the floats
// of a file that shrank faults: scan inside vfs.Guard.
func (w *Sealed) Group(g int, scratch *[]byte) (group Group, err error) {
	first, end := w.bounds(g)
	size := stride(w.Dim())
	var found error
	err = w.guarded(func() error {
		b, err := w.in.at(w.sum.vectorsOff+uint64(first)*uint64(size), (end-first)*size, scratch)
		if err != nil {
			return err
		}
		check := func(v uint32) error {
			if err := w.badBlock[v]; err != nil {
				return err
			}
			at := (int(v) - first) * size
			return w.checkVector(v, b[at:at+size])
		}
		group.Bad, found = w.verify(w.vectorsSeen, g, check)
		if found != nil && group.Bad == 0 {
			return found
		}
		group.Floats, err = vec.Floats(b)
		return err
	})
	if err != nil {
		return Group{}, err
	}
	group.Slots, group.Stride, group.InvNorm = w.slots[first:end:end], size/4, w.invNorms[first:end:end]
	return group, found
}

// Codes lends the codes of group g, verified as those of Group are. What is not mapped is read into *scratch, and valid
// until that is used again.
func (w *Sealed) Codes(g int, scratch *[]byte) (codes Codes, err error) {
	if w.sum.version == 1 {
		return w.makeCodes(g)
	}
	first, end := w.bounds(g)
	size := vec.CodeLen(w.Dim())
	var found error
	err = w.guarded(func() error {
		b, err := w.in.at(w.sum.codesOff+uint64(first)*uint64(size), (end-first)*size, scratch)
		if err != nil {
			return err
		}
		check := func(v uint32) error {
			if err := w.badBlock[v]; err != nil {
				return err
			}
			at := (int(v) - first) * size
			return w.checkCodes(v, b[at:at+size])
		}
		codes.Bad, found = w.verify(w.codesSeen, g, check)
		if found != nil && codes.Bad == 0 {
			return found
		}
		codes.Codes = vec.Int8s(b)
		return nil
	})
	if err != nil {
		return Codes{}, err
	}
	codes.Slots, codes.InvNorm = w.slots[first:end:end], w.invNorms[first:end:end]
	codes.Scale, codes.Residual = w.scales[first:end:end], w.residuals[first:end:end]
	if found != nil && !isolate.Off("codes made anew") {
		return w.remade(g, codes, found)
	}
	return codes, found
}

// remade makes the codes of a group anew of its vectors, where some are damaged: they tell nothing that these do not.
func (w *Sealed) remade(g int, codes Codes, found error) (Codes, error) {
	made, err := w.makeCodes(g)
	if errors.Is(err, codec.ErrCorrupt) && made.Bad == 0 || err != nil && !errors.Is(err, codec.ErrCorrupt) {
		return codes, found // the vectors cannot be read
	}
	if made.Bad&codes.Bad == 0 {
		w.mends.note(found)
	}
	return made, err
}

// madeCodes are those of a group of a version 1 file, which has none, or of which some are damaged: made when they are
// first asked for, and kept. A compaction writes such a file anew.
type madeCodes struct {
	Codes
	err error
}

func (w *Sealed) makeCodes(g int) (Codes, error) {
	if m := w.made[g].Load(); m != nil {
		return m.Codes, m.err
	}
	group, err := w.Group(g, new([]byte))
	if err != nil && group.Bad == 0 {
		return Codes{}, err
	}
	n, size := len(group.Slots), vec.CodeLen(w.Dim())
	m := &madeCodes{err: err, Codes: Codes{
		Slots: group.Slots, InvNorm: group.InvNorm, Bad: group.Bad,
		Codes: vec.AllocCodes(n * size), Scale: make([]float32, n), Residual: make([]float32, n),
	}}
	fault := w.guarded(func() error {
		for i := range n {
			if group.Bad>>i&1 == 0 {
				at := i * group.Stride
				m.Scale[i], m.Residual[i] = vec.Quantize(group.Floats[at:at+w.Dim()], m.Codes.Codes[i*size:(i+1)*size])
			}
		}
		return nil
	})
	if fault != nil {
		return Codes{}, fault
	}
	if err == nil || w.sum.version == 1 {
		w.made[g].Store(m)
	}
	return m.Codes, err
}

// Exact calls fn with a vector, counted through the groups, its padding, and the inverse of its norm, verified for this
// call.
func (w *Sealed) Exact(vector uint32, fn func(padded []float32, invNorm float32) error) error {
	ws := w.in.workspace()
	err := w.guarded(func() error {
		padded, err := w.verified(vector, ws)
		if err != nil {
			return err
		}
		return fn(padded, w.invNorms[vector])
	})
	w.in.done(ws)
	return err
}

// BadVectors counts those that are damaged in a group or codes.
func BadVectors(bad uint64) int { return bits.OnesCount64(bad) }
