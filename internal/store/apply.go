package store

import (
	"cmp"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
)

// How each op is staged: by the write that decides it, and again by every replay of the log.

func (o *putOp) apply(tx *Tx) error {
	t, r := tx.t, o.record
	found, exists, err := tx.Find(r.ID)
	if err != nil && tx.replay {
		found, err = tx.findDamaged(r.ID, err)
		exists = err == nil
	}
	if err != nil {
		return err
	}
	if len(o.vector) > 0 {
		if err := tx.setDim(len(o.vector)); err != nil {
			return err
		}
	}
	prepared := o.prepared
	if prepared == nil {
		prepared = tx.s.Prepare(r)
		defer tx.s.Recycle(prepared)
	}
	hot := tx.s.hot
	hash := hashString(r.ID)
	identity := segment.Identity{LSN: tx.position, Index: tx.puts}
	inline := o.vector
	if hot.generation != tx.view.Generation {
		inline = nil // the segment is of a former generation
	}
	row := hot.base + hot.seg.Add(identity, hash, o.body, inline)
	tx.puts++
	if len(inline) < len(o.vector) {
		tx.addApart(tx.view.serving, row, hash, o.vector, true)
	}
	entry := tx.s.nextEntry
	if exists {
		entry = found.entry
	}
	isolate.Point("store/put.row")
	t.stageRow(row, entry, r, len(inline) > 0, prepared)
	t.setGeneration(row, hot.generation)
	isolate.Point("store/put.indexed")
	tx.view.Rows = row + 1
	tx.view.Docs++
	tx.view.KnownDocs++
	tx.view.Tokens += int64(t.words.Length(row))
	tx.view.KnownTokens += int64(t.words.Length(row))
	tx.view.Expiring = tx.view.Expiring || !r.ExpiresAt.IsZero()
	if len(o.vector) > 0 {
		tx.view.Vectors++
	}
	if exists {
		tx.nextVersion(found, row, r)
		return nil
	}
	t.states.Grow(entry + 1) // before the entry counts as made: abort then finds a place for each
	tx.s.nextEntry++
	t.stageEntry(entry, row, hash, r)
	tx.s.insertChain(row, r)
	tx.view.Entries = tx.s.nextEntry
	tx.view.Memories++
	return nil
}

// stageRow fills everything that is kept per row. The row's stamp comes last.
func (t *table) stageRow(row, entry uint32, r *Record, hasVector bool, p *Prepared) {
	t.facts.Set(row, recall.Facts{
		OccurredAt: r.OccurredAt.Nanos, ValidFrom: r.ValidFrom.Nanos, ValidUntil: r.ValidUntil.Nanos,
		ExpiresAt: r.ExpiresAt.Nanos, Entry: entry, Kind: t.symbols.intern(r.Kind),
		Speaker: t.symbols.speaker(r.Speaker), Session: t.symbols.intern(r.Session), Tags: t.symbols.internSet(r.Tags),
		Source: t.sources.listed(r.Source), Odds: r.odds(), Pinned: r.Pin, StoredVector: hasVector,
		Zone: r.OccurredAt.zone(),
	})
	t.recorded.Set(row, r.UpdatedAt.Nanos)
	t.needed.Grow(row + 1)
	isolate.Point("store/put.facts")
	t.words.Add(row, p)
	isolate.Point("store/put.words")
	t.setEnd(row, isolate.Never)
}

// stageEntry fills everything that is kept per entry and makes it findable.
func (t *table) stageEntry(entry, row uint32, hash uint64, r *Record) {
	t.setFirst(entry, row)
	isolate.Point("store/entry.first")
	t.ids.Insert(hash, entry, t.wanted)
	isolate.Point("store/entry.id")
	t.scopes.Insert(scopeHash(r), entry, t.wanted)
}

func (s *Space) insertChain(row uint32, r *Record) {
	if session := s.t.facts.At(row).Session; session != 0 {
		s.t.chain.Insert(session, row, func(a, b uint32) bool { return s.before(a, b, row, r.ID) })
	}
}

// setGeneration notes of which generation the vector of a row is.
func (t *table) setGeneration(row, generation uint32) {
	if generation > 0 {
		t.generations.Set(row, generation)
	}
}

// noRow is the first row of an entry that a failed write was about to make: beyond every view.
const noRow = ^uint32(0)

// wanted reports whether an entry is more than the place of a failed write.
func (t *table) wanted(entry uint32) bool { return t.ends.End(t.first(entry)) != 0 }

// nextVersion makes row the current version of a memory that exists.
func (tx *Tx) nextVersion(found Found, row uint32, r *Record) {
	tx.endRow(found.Row)
	isolate.Point("store/version.ended")
	st := found.change(tx.position)
	st.row = row
	previous := found.versions()
	// A restored memory keeps its version: the new row takes the old one's place.
	if tx.view.lastVersion(previous) == r.Version {
		previous = previous[:len(previous)-1]
	}
	if found.Archived() {
		tx.view.Archived--
		tx.view.Memories++
	}
	st.fate = &fate{
		versions:   append(append(make([]uint32, 0, len(previous)+1), previous...), row),
		archivedAt: NoTime, until: Time{Nanos: NoTime}, supersededAt: NoTime, absent: found.Absent(),
	}
	tx.setState(found.entry, st)
	tx.t.scopes.Insert(scopeHash(r), found.entry, tx.t.wanted)
	isolate.Point("store/version.found")
	tx.s.insertChain(row, r)
}

func (o *archiveOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	if f.Archived() {
		return nil
	}
	tx.endRow(f.Row)
	isolate.Point("store/archive.ended")
	st := f.change(tx.position)
	st.alter().archivedAt = o.at
	tx.setState(f.entry, st)
	isolate.Point("store/archive.state")
	tx.view.Archived++
	tx.view.Memories--
	return nil
}

func (o *eraseOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	tx.endRow(f.Row)
	isolate.Point("store/erase.ended")
	undo, removed := tx.t.links.Clear(f.entry, tx.position)
	tx.undo = append(tx.undo, undo)
	tx.view.LinkCount -= removed
	isolate.Point("store/erase.links")
	st := f.change(tx.position)
	st.erased = true
	if st.life != nil {
		tx.view.Touched--
	}
	tx.setState(f.entry, st)
	tx.forgetID(o.id)
	if f.Archived() {
		tx.view.Archived--
	} else {
		tx.view.Memories--
	}
	return nil
}

func (o *supersedeOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.old)
	if err != nil {
		return err
	}
	if tx.t.known.Load() == nil {
		// The copy has what this write ended before; if it fails, the next one makes another.
		tx.t.knownEnds(tx.s.hot.base + tx.s.hot.seg.Rows())
		tx.undo = append(tx.undo, func() { tx.t.known.Store(nil) })
	}
	isolate.Point("store/supersede.known")
	tx.endCurrent(f.Row)
	st := f.change(tx.position)
	own := st.alter()
	own.supersededBy, own.until, own.supersededAt = o.by, o.until, o.at
	tx.setState(f.entry, st)
	isolate.Point("store/supersede.state")
	tx.t.heirs.Insert(hashString(o.by), f.entry, nil)
	isolate.Point("store/supersede.heirs")
	return nil
}

func (o *absentOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	st := f.change(tx.position)
	own := st.alter()
	own.absent = append(slices.Clone(own.absent), o.Span)
	slices.SortStableFunc(own.absent, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	tx.setState(f.entry, st)
	isolate.Point("store/absent")
	return nil
}

// ErasedID is what a memory says that it was superseded by once that one is erased: its id is forgotten with it.
const ErasedID = "(erased)"

// forgetID takes an erased memory's id out of what is kept of others: memories that it superseded, and idempotency keys
// that stand for it. A retry of the write that such a key was for is a new write.
func (tx *Tx) forgetID(id string) {
	hash := hashString(id)
	tx.t.heirs.Find(hash, func(entry uint32) bool {
		if old := tx.t.state(entry, tx.position); old.fate.supersededBy == id && !old.erased {
			st := old.change(tx.position)
			st.alter().supersededBy = ErasedID
			tx.setState(entry, st)
		}
		return false
	})
	isolate.Point("store/erase.heirs")
	tx.t.keysOf.Find(hash, func(place uint32) bool {
		if k := tx.t.keyList.Get(place); k != nil && k.ID == id && k.gone.Load() == 0 {
			k.gone.Store(tx.position)
			tx.undo = append(tx.undo, func() { k.gone.Store(0) })
		}
		return false
	})
}

func (o *reinforceOp) apply(tx *Tx) error {
	f, err := tx.mustFind(o.id)
	if err != nil {
		return err
	}
	st := f.change(tx.position)
	st.reinforced = o.count
	tx.setState(f.entry, st)
	isolate.Point("store/reinforce")
	return nil
}

func (o *linkOp) apply(tx *Tx) error {
	from, to, err := tx.mustFindBoth(o.from, o.to)
	if err != nil {
		return err
	}
	if !tx.linked(from.entry, to.entry, o.linkType) {
		tx.view.LinkCount++
	}
	tx.undo = append(tx.undo, tx.t.links.Set(from.entry, to.entry, o.linkType, o.weight, tx.position))
	isolate.Point("store/link")
	return nil
}

func (tx *Tx) removeLink(from, to uint32, linkType string) {
	undo, removed := tx.t.links.Remove(from, to, linkType, tx.position)
	if removed {
		tx.undo = append(tx.undo, undo)
		tx.view.LinkCount--
	}
}

func (o *unlinkOp) apply(tx *Tx) error {
	from, to, err := tx.mustFindBoth(o.from, o.to)
	if err != nil {
		return err
	}
	tx.removeLink(from.entry, to.entry, o.linkType)
	isolate.Point("store/unlink")
	return nil
}

// apply names the model, once: a second name is another model.
func (o *modelOp) apply(tx *Tx) error {
	if tx.view.Model != "" && tx.view.Model != o.name {
		return &ModelError{Got: o.name, Want: tx.view.Model}
	}
	tx.view.Model = o.name
	isolate.Point("store/model")
	return nil
}

func (o *keyOp) apply(tx *Tx) error {
	tx.s.stageKey(o.Key)
	place := tx.s.nextKey - 1
	tx.undo = append(tx.undo, func() { tx.t.keyList.Set(place, nil) })
	if place >= maxKeys { // what is too old lapses, as it would with the next sealing and reopening
		before := tx.s.lapsed
		tx.undo = append(tx.undo, func() { tx.s.lapsed = before })
		for ; tx.s.lapsed <= place-maxKeys; tx.s.lapsed++ {
			if k := tx.t.keyList.Get(tx.s.lapsed); k != nil && k.gone.Load() == 0 {
				k.gone.Store(tx.position)
				tx.undo = append(tx.undo, func() { k.gone.Store(0) })
			}
		}
	}
	isolate.Point("store/key")
	return nil
}
