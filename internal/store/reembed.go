package store

import (
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

// The kinds of ops that make a generation of vectors; see vectors.go.
const (
	kindBegin uint8 = iota + 18
	kindEmbed
	kindServe
	kindCancel
)

// ErrNotBuilding is returned where a generation of vectors is asked for that is not being built.
var ErrNotBuilding = fmt.Errorf("no embeddings are being built: %w", ErrConflict)

// beginOp begins a generation of vectors.
type beginOp struct {
	model string
	dim   int
}

// embedOp gives a version of a memory its vector in the generation that is being built.
type embedOp struct {
	id      string
	version uint32
	vector  []float32
}

// serveOp makes the generation that is being built the one that serves.
type serveOp struct{}

// cancelOp lets go of the generation that is being built.
type cancelOp struct{}

func (*beginOp) kind() uint8  { return kindBegin }
func (*embedOp) kind() uint8  { return kindEmbed }
func (*serveOp) kind() uint8  { return kindServe }
func (*cancelOp) kind() uint8 { return kindCancel }

func (o *beginOp) append(e *codec.Encoder) { e.String(o.model); e.U32(uint32(o.dim)) }

func (o *beginOp) read(d *codec.Decoder) {
	o.model, o.dim = d.String(), int(d.U32())
	if d.Err() == nil && (len(o.model) > maxModelBytes || o.dim < MinDim || o.dim > segment.MaxDim) {
		d.Fail(fmt.Errorf("generation of vectors of dimension %d with a name of %d bytes is impossible",
			o.dim, len(o.model)))
	}
}

func (o *embedOp) append(e *codec.Encoder) {
	e.String(o.id)
	e.U32(o.version)
	e.Uvarint(uint64(len(o.vector)))
	e.Raw(vec.Bytes(o.vector))
}

func (o *embedOp) read(d *codec.Decoder) {
	o.id, o.version = d.String(), d.U32()
	o.vector = readVector(d)
}

func (*serveOp) append(*codec.Encoder)  {}
func (*serveOp) read(*codec.Decoder)    {}
func (*cancelOp) append(*codec.Encoder) {}
func (*cancelOp) read(*codec.Decoder)   {}

func (o *beginOp) apply(tx *Tx) error {
	if set := tx.view.building; set != nil {
		return fmt.Errorf("embeddings of model %q are being built already: %w", set.model, ErrConflict)
	}
	tx.view.generations++
	tx.view.building = &vectorSet{number: tx.view.generations, model: o.model, dim: o.dim}
	tx.view.placed = 0
	isolate.Point("store/begin")
	return nil
}

func (o *embedOp) apply(tx *Tx) error {
	set := tx.view.building
	switch {
	case set == nil:
		return ErrNotBuilding
	case len(o.vector) != set.dim:
		return &DimensionError{Got: len(o.vector), Want: set.dim, Building: true}
	}
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	row, err := tx.view.versionRow(f, o.version)
	if err != nil {
		if tx.replay {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		return err
	}
	if tx.view.built(row) {
		return fmt.Errorf("version %d of memory %q has an embedding of model %q: %w",
			o.version, o.id, set.model, ErrConflict)
	}
	tx.addApart(set, row, hashString(o.id), o.vector, false)
	tx.view.placed = set.next
	isolate.Point("store/embed")
	return nil
}

// versionRow finds the row of a version of a memory.
func (v *View) versionRow(f Found, version uint32) (row uint32, err error) {
	latest := uint32(0)
	for _, row := range slices.Backward(v.Versions(f)) {
		r, err := v.Record(row)
		if err != nil {
			return 0, err
		}
		if latest = max(latest, r.Version); r.Version == version {
			return row, nil
		}
		if r.Version < version {
			break
		}
	}
	return 0, fmt.Errorf("the memory is at version %d, the embedding is of version %d: %w",
		latest, version, ErrConflict)
}

func (*serveOp) apply(tx *Tx) error {
	set := tx.view.building
	if set == nil {
		return ErrNotBuilding
	}
	view := &tx.view
	view.Generation, view.Dim, view.Model = set.number, set.dim, set.model
	view.serving, view.building = set, nil
	isolate.Point("store/serve")
	view.Vectors = 0
	for row := range view.Rows {
		if set.has(row) && tx.t.ends.Alive(row, tx.position) {
			view.Vectors++
		}
	}
	return nil
}

func (*cancelOp) apply(tx *Tx) error {
	if tx.view.building == nil {
		return ErrNotBuilding
	}
	tx.view.building = nil
	isolate.Point("store/cancel")
	return nil
}

// BeginVectors begins to build a generation of vectors, beside those that serve.
func (tx *Tx) BeginVectors(model string, dim int) error {
	if dim < MinDim || dim > segment.MaxDim {
		return &DimensionError{Got: dim, Min: MinDim, Max: segment.MaxDim}
	}
	return tx.do(&beginOp{model: model, dim: dim})
}

// embedBytes is about what a vector apart takes besides its numbers and the id.
const embedBytes = 64

// Embed gives a version of a memory its vector in the generation that is being built; false if it has that vector there
// already, and then nothing is written. Another vector is an ErrConflict, and so is a version that there is not.
func (tx *Tx) Embed(id string, version uint32, vector []float32) (bool, error) {
	if f, ok, err := tx.Lookup(id); err == nil && ok && tx.view.building != nil {
		row, err := tx.view.versionRow(f, version)
		if err != nil {
			return false, err
		}
		if place, ok := tx.view.building.place(row); ok {
			same := false
			err := tx.view.vectorAt(tx.view.building, place, func(padded []float32, _ float32) error {
				same = slices.Equal(padded[:tx.view.building.dim], vector)
				return nil
			})
			if err != nil || same {
				return false, err
			}
		}
	}
	if err := tx.Admit(0, embedBytes+int64(len(id)+4*len(vector))); err != nil {
		return false, err
	}
	err := tx.do(&embedOp{id: id, version: version, vector: vector})
	return err == nil, err
}

// ServeVectors makes the generation that is being built the one that serves. Where a file of it is damaged it is
// refused.
func (tx *Tx) ServeVectors() error {
	if err := tx.view.apartDamage(tx.view.building); err != nil {
		return err
	}
	return tx.do(&serveOp{})
}

// CancelVectors lets go of the generation that is being built: those that serve go on.
func (tx *Tx) CancelVectors() error { return tx.do(&cancelOp{}) }

// Building tells of the generation of vectors that is being built; false if there is none.
func (v *View) Building() (model string, dim int, ok bool) {
	if v.building == nil {
		return "", 0, false
	}
	return v.building.model, v.building.dim, true
}

// Unbuilt calls fn with every memory, from an entry on, whose current version has no vector in the generation that is
// being built, and whether it has one in the generation that serves, until fn returns false. entry is for continuing.
// Where none is being built that is every memory.
func (v *View) Unbuilt(first uint32, fn func(entry uint32, f Found, served bool) bool) {
	v.Scan(first, func(entry uint32, f Found) bool {
		return v.built(f.Row) || fn(entry, f, v.HasVector(f.Row))
	})
}

// built reports whether a row has a vector in the generation that is being built.
func (v *View) built(row uint32) bool {
	place, ok := v.building.place(row)
	return ok && place < v.placed
}

// Built counts the memories whose current version has a vector in the generation that is being built.
func (v *View) Built() (n int) {
	if v.building == nil {
		return 0
	}
	v.Scan(0, func(_ uint32, f Found) bool {
		if v.built(f.Row) {
			n++
		}
		return true
	})
	return n
}
