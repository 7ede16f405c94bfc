package engram

import (
	"fmt"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// A place in memory that was given to a write is not given back when the write is refused: nobody may wait for readers
// who could be looking. So a batch is held against everything that can refuse it before the first of it is staged; else
// one bad batch, sent again and again, would fill memory and files with places that hold nothing.

// foresight is what a batch would make of the space, as far as that can be told before.
type foresight struct {
	s     *Space
	tx    *store.Tx
	now   time.Time
	batch []pending

	dim   int
	model string
	// unnamed says that a draft before brings a vector without a name.
	unnamed bool
	made    map[string]*pending // drafts that will be new memories, by the ids that they bring
	own     []string            // the id of each draft's memory; "" if it will be given one
	fresh   int                 // how many memories there will be more
	gone    map[string]bool     // expired memories that make room
	ended   map[string]int      // superseded by a draft of the batch
	repeat  []bool              // known by its key
	keys    map[string]int      // drafts that bring an idempotency key, by it
}

// foresee gives the error that staging the batch would give. What passes can still be refused, but not for what the
// batch says.
func (s *Space) foresee(tx *store.Tx, batch []pending, now time.Time) error {
	v := tx.View()
	f := &foresight{
		s: s, tx: tx, now: now, batch: batch, dim: v.Dim, model: v.Model, made: map[string]*pending{},
		own: make([]string, len(batch)), gone: map[string]bool{}, ended: map[string]int{},
		repeat: make([]bool, len(batch)), keys: map[string]int{},
	}
	size := 0
	for i := range batch {
		if err := f.memory(i); err != nil {
			return inField(err, batch[i].at)
		}
		size += batch[i].sizeBytes()
	}
	if size > maxRecordBytes {
		return &SizeError{Field: "memories", Got: size, Most: maxRecordBytes, Unit: "bytes with all that they say"}
	}
	for i := range batch {
		if f.repeat[i] {
			continue
		}
		if err := f.references(i); err != nil {
			return inField(err, batch[i].at)
		}
	}
	if err := s.db.admitAll(tx, f.fresh, size); err != nil {
		return err
	}
	return s.fits(tx, f.fresh)
}

// sizeBytes is about what a draft takes in a log record, rather more than less.
func (p *pending) sizeBytes() int {
	n := p.record.RoughSize() + 4*len(p.draft.Embedding)
	for _, l := range p.draft.Links {
		n += maxIDBytes + len(l.To) + len(l.Type) + 16
	}
	for _, ids := range [][]string{p.draft.Contradicts, p.draft.Supersedes} {
		for _, id := range ids {
			n += maxIDBytes + len(id) + 32
		}
	}
	return n
}

// memory foresees what becomes of a draft, as rememberOne does it.
func (f *foresight) memory(i int) error {
	p := &f.batch[i]
	if key := p.draft.IdempotencyKey; key != "" {
		if k, ok := f.tx.Key(key); ok {
			f.repeat[i] = true
			f.own[i] = k.ID
			return p.matches(k)
		}
		if first, told := f.keys[key]; told {
			p.first, f.repeat[i], f.own[i] = &f.batch[first], true, f.own[first]
			return p.matchesFirst()
		}
		f.keys[key] = i
	}
	if err := f.vector(p); err != nil {
		return err
	}
	f.own[i] = p.draft.ID
	if earlier := f.made[p.draft.ID]; earlier != nil && !expired(earlier.record.ExpiresAt, f.now) {
		return p.holdAgainst(&earlier.record, earlier.vectorOf)
	}
	found, known, gone, err := p.findKnown(f.tx, f.now)
	if err != nil {
		return err
	}
	if known {
		f.own[i], err = f.tx.View().ID(found.Row)
		return err
	}
	for _, id := range gone {
		f.gone[id] = true
		f.fresh--
	}
	f.fresh++
	if p.draft.ID != "" {
		f.made[p.draft.ID] = p
	}
	return nil
}

// vector holds a draft's vector against the space's, or against the first of the batch.
func (f *foresight) vector(p *pending) error {
	if len(p.draft.Embedding) == 0 {
		return nil
	}
	model := f.s.modelOf(p.draft.EmbeddingModel, p.draft.Embedding)
	switch {
	case model != "" && f.model == "" && (f.unnamed || f.tx.View().Unnamed()):
		return &store.ModelError{Got: model, Unnamed: true}
	case model != "" && f.model == "":
		f.model = model
	case model != "" && f.model != model:
		return &store.ModelError{Got: model, Want: f.model}
	}
	f.unnamed = f.unnamed || f.model == ""
	if f.dim == 0 {
		f.dim = len(p.draft.Embedding)
	}
	if len(p.draft.Embedding) != f.dim {
		return &store.DimensionError{Got: len(p.draft.Embedding), Want: f.dim}
	}
	return nil
}

func (p *pending) vectorOf() ([]float32, error) { return p.draft.Embedding, nil }

// references foresees what refers to other memories, as refer does it.
func (f *foresight) references(i int) error {
	p := &f.batch[i]
	for n, l := range p.draft.Links {
		if err := f.link(i, fmt.Sprintf("links[%d].to", n), l.To); err != nil {
			return err
		}
	}
	for n, id := range p.draft.Contradicts {
		if err := f.link(i, fmt.Sprintf("contradicts[%d]", n), id); err != nil {
			return err
		}
	}
	for n, id := range p.draft.Supersedes {
		if err := f.supersede(i, id); err != nil {
			return inField(err, fmt.Sprintf("supersedes[%d]", n))
		}
	}
	return nil
}

func (f *foresight) link(i int, field, to string) error {
	if to == f.own[i] {
		return linkToItself(field, to)
	}
	_, _, err := f.find(to)
	return inField(err, field)
}

// find finds a memory that will be there when references are staged; made says that the batch brings it.
func (f *foresight) find(id string) (found store.Found, made bool, err error) {
	if f.made[id] != nil {
		return found, true, nil
	}
	found, err = living(f.tx.View(), id, f.now)
	if err == nil && f.gone[id] {
		err = notFound(id)
	}
	return found, false, err
}

func (f *foresight) supersede(i int, old string) error {
	found, made, err := f.find(old)
	if err != nil {
		return err
	}
	own := f.own[i]
	by := ""
	if !made {
		by = found.SupersededBy()
	}
	earlier, twice := f.ended[old]
	if by == "" && twice {
		by = f.own[earlier]
	}
	switch {
	case old == own:
		return supersedesItself(old)
	case twice && earlier != i && (by == "" || by != own):
		return fmt.Errorf("memory %q is replaced by another memory of the batch: %w", old, ErrConflict)
	case by != "" && by != own:
		return replacedAlready(old, by)
	}
	f.ended[old] = i
	return nil
}
