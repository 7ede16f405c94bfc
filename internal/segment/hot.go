package segment

import (
	"fmt"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/vec"
)

// Hot is the open segment, in memory.
type Hot struct {
	dim     atomic.Int64 // 0 until the first vector
	bodies  *isolate.Arena
	rows    isolate.Column[hotRow]
	pages   atomic.Pointer[[]*vectorPage]
	count   uint32 // rows; the writer's
	vectors uint32 // vectors; the writer's
	dimFrom uint32 // the slot whose vector fixed the dimension, NoVector if NewHot did; the writer's
	// sizeBytes is the memory held by bodies and vectors, for the decision to seal; frontBytes what a file of these
	// rows has besides.
	sizeBytes  atomic.Int64
	frontBytes atomic.Int64
}

type hotRow struct {
	ref isolate.Ref
	len uint32
	row Row
}

// vectorPage holds GroupSize vectors; n is published after the vector is in place.
type vectorPage struct {
	n       atomic.Uint32
	slots   [GroupSize]uint32
	invNorm [GroupSize]float32
	floats  []float32
	// What the codes are is told at vec.Quantize.
	codes    []int8
	scale    [GroupSize]float32
	residual [GroupSize]float32
}

// sizeBytes is the memory of a page's vectors and codes.
func (p *vectorPage) sizeBytes() int64 { return int64(len(p.floats)*4 + len(p.codes)) }

// NewHot returns an empty segment for vectors of dim floats; dim 0 leaves it to the first vector.
func NewHot(dim int) *Hot {
	h := &Hot{bodies: isolate.NewArena(), dimFrom: NoVector}
	h.dim.Store(int64(dim))
	return h
}

// Add appends a row and returns its slot. The body and the vector are copied. vector nil means none; the caller has
// checked its values and its dimension. Until the caller publishes it, nobody reads the row.
func (h *Hot) Add(id Identity, idHash uint64, body []byte, vector []float32) uint32 {
	return h.AddFor(id, idHash, body, vector, h.count)
}

// AddFor is Add for a segment that holds the vectors of rows that are elsewhere: its groups and codes tell of the
// vector as that of row.
func (h *Hot) AddFor(id Identity, idHash uint64, body []byte, vector []float32, row uint32) uint32 {
	// The slot is spent before anything is filled in: if this call dies half way, the place stays void and no later
	// row inherits a vector from it.
	slot := h.count
	h.count++
	h.rows.Set(slot, hotRow{row: Row{Void: true, Vector: NoVector}})
	r := hotRow{len: uint32(len(body)), row: Row{Identity: id, IDHash: idHash, Vector: NoVector}}
	r.ref = h.bodies.Append(body)
	if len(vector) > 0 {
		r.row.Vector = h.vectors
		h.addVector(slot, row, vector)
	}
	h.rows.Set(slot, r)
	isolate.Point("segment/row")
	h.sizeBytes.Add(int64(len(body)))
	front := int64(RowBytes)
	if slot == 0 {
		front += FileBytes
	}
	if len(vector) > 0 {
		front += 2 * blockSize
	}
	h.frontBytes.Add(front)
	return slot
}

// What a file of today has besides bodies and vectors: of each row, and at most of the file itself, which has its front
// twice, each beginning with a page.
const (
	RowBytes  = 2 * lineSize
	FileBytes = 2*linesOff + 2*page
)

// Void takes back every row from slot first on: the operation that added them failed. They keep their places and stay
// void for good. Nobody was shown them. If one of them was the first with a vector, the dimension is open again.
func (h *Hot) Void(first uint32) {
	for slot := first; slot < h.count; slot++ {
		h.rows.At(slot).row = Row{Void: true, Vector: NoVector}
	}
	if h.dimFrom == NoVector || h.dimFrom < first {
		return
	}
	// Every vector there is belongs to a void row, and may be of another dimension than the next one.
	if pages := h.pages.Swap(nil); pages != nil {
		for _, page := range *pages {
			h.sizeBytes.Add(-page.sizeBytes())
		}
	}
	h.vectors, h.dimFrom = 0, NoVector
	h.dim.Store(0)
}

// Withdraw is Void for rows whose vectors nobody has scanned yet, nor does: groups and codes do not tell of them any
// more.
func (h *Hot) Withdraw(first uint32) {
	pages := h.pages.Load()
	for slot := first; slot < h.count; slot++ {
		if v := h.rows.At(slot).row.Vector; v != NoVector {
			(*pages)[v/GroupSize].slots[v%GroupSize] = NoRow
		}
	}
	h.Void(first)
}

// addVector adds the vector of a slot, which groups and codes name by row.
func (h *Hot) addVector(slot, row uint32, vector []float32) {
	dim := len(vector)
	if h.dim.CompareAndSwap(0, int64(dim)) {
		h.dimFrom = slot
	}
	floats := stride(dim) / 4
	var pages []*vectorPage
	if p := h.pages.Load(); p != nil {
		pages = *p
	}
	at := int(h.vectors % GroupSize)
	if int(h.vectors/GroupSize) == len(pages) {
		page := &vectorPage{floats: vec.Alloc(GroupSize * floats), codes: vec.AllocCodes(GroupSize * vec.CodeLen(dim))}
		pages = append(pages, page)
		h.pages.Store(&pages)
		h.sizeBytes.Add(page.sizeBytes())
	}
	isolate.Point("segment/vector")
	page := pages[h.vectors/GroupSize]
	copy(page.floats[at*floats:], vector)
	page.slots[at] = row
	page.invNorm[at] = 1 / vec.Norm(vector)
	n := vec.CodeLen(dim)
	page.scale[at], page.residual[at] = vec.Quantize(vector, page.codes[at*n:(at+1)*n])
	h.vectors++
	page.n.Store(uint32(at + 1))
}

// Rows is the number of rows, void ones included. It is the writer's view: readers go by what was published to them.
func (h *Hot) Rows() uint32 { return h.count }

// SizeBytes is the memory held by bodies and vectors.
func (h *Hot) SizeBytes() int64 { return h.sizeBytes.Load() }

// SealedBytes is about what the rows take once they are sealed, rather more than less; nothing if there are none.
func (h *Hot) SealedBytes() int64 { return h.sizeBytes.Load() + h.frontBytes.Load() }

// Dim is the dimension of the vectors, 0 if there is none yet.
func (h *Hot) Dim() int { return int(h.dim.Load()) }

// Row tells what is known of a row.
func (h *Hot) Row(slot uint32) (Row, error) {
	if !h.rows.Has(slot) {
		return Row{}, errSlot(slot, 0)
	}
	return h.rows.At(slot).row, nil
}

// Read calls fn with the row's body, which is valid for good and not to be written to.
func (h *Hot) Read(slot uint32, fn func(body []byte) error) error {
	if !h.rows.Has(slot) {
		return errSlot(slot, 0)
	}
	r := h.rows.At(slot)
	body, err := h.bodies.At(r.ref, r.len)
	if err != nil {
		return fmt.Errorf("read slot %d: %w", slot, err)
	}
	return fn(body)
}

// Vector returns the row's vector, nil if it has none. Nobody may write to it.
func (h *Hot) Vector(slot uint32) ([]float32, error) {
	if !h.rows.Has(slot) {
		return nil, errSlot(slot, 0)
	}
	v := h.rows.At(slot).row.Vector
	if v == NoVector {
		return nil, nil
	}
	dim := h.Dim()
	floats := stride(dim) / 4
	page := (*h.pages.Load())[v/GroupSize]
	at := int(v%GroupSize) * floats
	return page.floats[at : at+dim : at+dim], nil
}

// VectorOf calls fn with the row's vector and its padding, and the inverse of its norm; not at all if it has none.
func (h *Hot) VectorOf(slot uint32, fn func(padded []float32, invNorm float32) error) error {
	v := h.rows.At(slot).row.Vector
	if v == NoVector {
		return nil
	}
	return h.Exact(v, fn)
}

// Exact calls fn with a vector, counted through the groups, its padding, and the inverse of its norm.
func (h *Hot) Exact(vector uint32, fn func(padded []float32, invNorm float32) error) error {
	floats := stride(h.Dim()) / 4
	page := (*h.pages.Load())[vector/GroupSize]
	at := int(vector % GroupSize)
	return fn(page.floats[at*floats:(at+1)*floats:(at+1)*floats], page.invNorm[at])
}

// Groups is the number of vector groups there are now.
func (h *Hot) Groups() int {
	if p := h.pages.Load(); p != nil {
		return len(*p)
	}
	return 0
}

// Slots tells which rows the vectors of group g belong to: of those that there are now.
func (h *Hot) Slots(g int) []uint32 {
	page := (*h.pages.Load())[g]
	n := page.n.Load()
	return page.slots[:n:n]
}

// Group lends the vectors of group g, those that there are now. It needs no scratch and does not fail.
func (h *Hot) Group(g int, _ *[]byte) (Group, error) {
	page := (*h.pages.Load())[g]
	n := page.n.Load()
	return Group{
		Slots: page.slots[:n:n], Floats: page.floats, Stride: stride(h.Dim()) / 4, InvNorm: page.invNorm[:n:n],
	}, nil
}

// Codes lends the codes of group g, as Group its vectors.
func (h *Hot) Codes(g int, _ *[]byte) (Codes, error) {
	page := (*h.pages.Load())[g]
	n := page.n.Load()
	return Codes{
		Slots: page.slots[:n:n], Codes: page.codes, Scale: page.scale[:n:n], Residual: page.residual[:n:n],
		InvNorm: page.invNorm[:n:n],
	}, nil
}
