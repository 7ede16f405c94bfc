package store

import (
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/segment"
)

// Tx is one write in the making: decisions are looked up and taken on the staged state, under the space's lock, and
// each is staged in memory as it is taken, beyond what any reader may see. If anything fails before the record is in
// the log, abort takes all of it back.
//
// A Tx is valid inside the function given to [Space.Write] only.
type Tx struct {
	s        *Space
	t        *table
	position uint64 // the log position that the write will have
	view     View   // as it will be after the write
	frame    codec.Encoder
	of       touched // what the ops say something of
	ops      int
	firstHot uint32   // hot slots from here on are this write's
	entries  uint32   // entries from here on are this write's
	undo     []func() // takes back changes of what readers can reach, in reverse order
	puts     uint32
	apart    uint32 // vectors added to sets
	replay   bool   // from the log, while nobody reads
	listened bool   // somebody wants the events
	events   []Event
	reason   string
}

// Event is one change, told to subscribers after it is visible.
type Event struct {
	Position uint64
	Kind     string
	ID       string
	Version  uint32
	Other    string
	Signal   string // of a judgement
	Reason   string
}

// abort takes back everything staged. It consists of plain stores only, so it cannot fail half way. What was changed
// goes first: a change to a row of this very write is taken back to that row being current.
func (tx *Tx) abort() {
	for i := len(tx.undo) - 1; i >= 0 && !isolate.Off("undo"); i-- {
		tx.undo[i]()
	}
	hot := tx.s.hot
	if isolate.Off("void rows") {
		return
	}
	hot.seg.Void(tx.firstHot)
	for slot := tx.firstHot; slot < hot.seg.Rows(); slot++ {
		if tx.t.ends.End(hot.base+slot) != 0 {
			tx.t.setEnd(hot.base+slot, 0)
		}
	}
	for entry := tx.entries; entry < tx.s.nextEntry; entry++ {
		tx.t.setFirst(entry, noRow)
	}
}

// Reason is passed on to the events of this write.
func (tx *Tx) Reason(reason string) { tx.reason = reason }

// SetDim fixes the dimension of the space's vectors, if it has none yet.
func (tx *Tx) setDim(dim int) error {
	switch {
	case dim < MinDim || dim > segment.MaxDim:
		return &DimensionError{Got: dim, Min: MinDim, Max: segment.MaxDim}
	case tx.view.Dim == 0:
		tx.view.Dim = dim
	case tx.view.Dim != dim:
		return &DimensionError{Got: dim, Want: tx.view.Dim}
	}
	return nil
}

// keptFrame is the largest frame whose memory is kept for the next one.
const keptFrame = 1 << 16

// do stages an op and adds it to the frame.
func (tx *Tx) do(o op) error {
	if err := isolate.Fault("store/op"); err != nil {
		return err
	}
	tx.touch(o)
	if err := o.apply(tx); err != nil {
		return err
	}
	if err := isolate.Fault("store/encode"); err != nil {
		return err
	}
	if isolate.Off("publish last") {
		view := tx.view
		tx.s.view.Store(&view)
	}
	if tx.ops == 0 {
		tx.frame.Buf = tx.s.frame // the log copies it, and one writer at a time is here
		startFrame(&tx.frame)
	}
	appendOp(&tx.frame, o)
	if cap(tx.frame.Buf) <= keptFrame {
		tx.s.frame = tx.frame.Buf
	}
	tx.ops++
	return nil
}

// touch notes what an op is about to change. An erasure also changes the memories that the erased one had replaced.
func (tx *Tx) touch(o op) {
	of := &tx.of
	for _, id := range o.of() {
		if id != "" {
			of.memories = append(of.memories, hashString(id))
		}
	}
	switch o := o.(type) {
	case *eraseOp:
		tx.t.heirs.Find(hashString(o.id), func(entry uint32) bool {
			if hash, ok := tx.s.hashOf(tx.t.found(entry, tx.position)); ok {
				of.memories = append(of.memories, hash)
			}
			return false
		})
	case *sourceOp:
		of.others = append(of.others, hashString(o.Name))
	case *modelOp, *beginOp, *serveOp, *cancelOp:
		of.others = append(of.others, ofSettings)
	}
	if cap(of.memories) <= keptFrame/8 {
		tx.s.of.memories = of.memories[:0]
	}
}

func (tx *Tx) event(kind, id string, version uint32, other string) {
	if !tx.listened {
		return
	}
	tx.events = append(tx.events, Event{
		Position: tx.position, Kind: kind, ID: id, Version: version, Other: other, Reason: tx.reason,
	})
}

// Found is a memory as a Tx or a View sees it.
type Found struct {
	entry uint32
	state *entryState
	table *table
	Row   uint32 // of the current version
	past  bool   // it is as it was known at asOf
	asOf  int64
}

// at is the instant that it is seen at: behind every other, unless it is of the past.
func (f Found) at() int64 {
	if f.past {
		return f.asOf
	}
	return maxTime
}

// AsOf is the instant that it is seen at, false if that is now.
func (f Found) AsOf() (at int64, past bool) { return f.asOf, f.past }

// Archived reports whether the memory is archived.
func (f Found) Archived() bool { return f.state.fate.archivedAt != NoTime }

// ArchivedAt is when it was archived, NoTime if it is active.
func (f Found) ArchivedAt() int64 { return f.state.fate.archivedAt }

// SupersededBy is the id of the memory that replaced it, "" if none did; Until is then the end of its validity.
func (f Found) SupersededBy() string { return f.state.fate.supersededBy }

// Until is the end of validity that supersession set.
func (f Found) Until() Time { return f.state.fate.until }

// SupersededAt is when the space learned that it was replaced; NoTime if it was not, or if that was not recorded.
func (f Found) SupersededAt() int64 { return f.state.fate.supersededAt }

// Absent are the spans in which it was archived before it was restored, oldest first. Nobody may write to it.
func (f Found) Absent() []Span { return f.state.fate.absent }

// Reinforced counts how often it was met again.
func (f Found) Reinforced() uint32 { return f.state.reinforced }

// Lookup finds a memory by id, archived and superseded ones included. A damaged record that may be the one asked for
// is a *codec.CorruptError, never "not found".
func (tx *Tx) Lookup(id string) (Found, bool, error) { return tx.view.Lookup(id) }

// Find is Lookup for a memory that may be made anew; see [View.Find].
func (tx *Tx) Find(id string) (Found, bool, error) { return tx.view.Find(id) }

// Record reads a row.
func (tx *Tx) Record(row uint32) (*Record, error) { return tx.view.Record(row) }

// FindScope finds the oldest active memory with the same content, kind, speaker and session as r that match accepts.
// match is given a memory's record and the row that holds it, at most once each.
func (tx *Tx) FindScope(r *Record, match func(known *Record, row uint32) (bool, error)) (f Found, ok bool, err error) {
	var candidates []uint32
	tx.t.scopes.Find(scopeHash(r), func(entry uint32) bool {
		if tx.t.wanted(entry) {
			candidates = append(candidates, entry)
		}
		return false
	})
	slices.Sort(candidates) // entries are numbered by age; the index holds them in the order of its slots
	for _, entry := range slices.Compact(candidates) {
		f := tx.t.found(entry, tx.position)
		if f.state.erased || !tx.t.ends.Alive(f.Row, tx.position) {
			continue
		}
		same, err := tx.sameScope(f.Row, r, match)
		if same || err != nil {
			return f, err == nil, err
		}
	}
	return Found{}, false, nil
}

func (tx *Tx) sameScope(row uint32, r *Record, match func(*Record, uint32) (bool, error)) (bool, error) {
	known, err := tx.view.Record(row)
	if err != nil || known.Content != r.Content || known.Kind != r.Kind || known.Speaker != r.Speaker ||
		known.Session != r.Session {
		return false, err
	}
	return match(known, row)
}

// View is the state that the transaction sees: everything staged so far.
func (tx *Tx) View() *View { return &tx.view }

// Grown is by how many active memories there are more than before the write, as staged so far.
func (tx *Tx) Grown() int { return tx.view.Memories - tx.s.staged.Memories }

// NoteRoom notes how many memories could be archived at most to make room, as a write found out that is going to be
// refused for it: the next one need not find that out again.
func (tx *Tx) NoteRoom(memories int) { tx.s.room = room{tx.s.staged.Position, memories} }

// Room tells what [Tx.NoteRoom] noted, if nothing was written since.
func (tx *Tx) Room() (memories int, known bool) {
	r := tx.s.room
	return r.memories, r.memories >= 0 && r.position == tx.s.staged.Position
}

// room is how many memories could be archived at a position; below 0 if nobody knows.
type room struct {
	position uint64
	memories int
}

// Brought reports whether the write stored the memory's current version or said something of it, other than that it was
// replaced.
func (tx *Tx) Brought(f Found) bool {
	return f.Row >= tx.s.hot.base+tx.firstHot || f.state.position == tx.position && f.state.fate.supersededBy == ""
}

// Made reports whether the write made the memory.
func (tx *Tx) Made(f Found) bool { return f.entry >= tx.entries }

// Key finds what a write with this idempotency key did.
func (tx *Tx) Key(name string) (Key, bool) { return tx.view.Key(name) }

// Put stores a version of a memory: a new memory if there is none of that id, else its next version; an archived
// memory becomes active. p is the analysis that Space.Prepare made of r outside the lock. kind is the event to tell.
func (tx *Tx) Put(kind string, r *Record, vector []float32, p *Prepared) error {
	if err := tx.Admit(1, int64(r.RoughSize()+4*len(vector))); err != nil {
		return err
	}
	body := appendRecord(make([]byte, 0, r.RoughSize()), r)
	if err := tx.do(&putOp{record: r, vector: vector, prepared: p, body: body}); err != nil {
		return err
	}
	tx.event(kind, r.ID, r.Version, "")
	return nil
}

// Admit asks the owner of the space whether so much may be added, as Put, Link and Embed do.
func (tx *Tx) Admit(rows, sizeBytes int64) error {
	if tx.s.o.Admit == nil {
		return nil
	}
	sizeBytes += rows * segment.RowBytes
	if rows > 0 && tx.s.hot.seg.Rows() == 0 {
		sizeBytes += segment.FileBytes
	}
	return tx.s.o.Admit(tx.s, &tx.view, rows, sizeBytes)
}

// linkBytes is about what an association takes besides its names.
const linkBytes = 32

// Archive takes a memory out of recall.
func (tx *Tx) Archive(id string, at int64) error {
	if err := tx.do(&archiveOp{id: id, at: at}); err != nil {
		return err
	}
	tx.event("archived", id, 0, "")
	return nil
}

// Erase removes a memory with its versions and links.
func (tx *Tx) Erase(id string) error {
	if err := tx.do(&eraseOp{id: id}); err != nil {
		return err
	}
	tx.event("erased", id, 0, "")
	return nil
}

// Supersession is how a memory was replaced.
type Supersession struct {
	By    string
	Until Time  // when the old memory ended being true
	At    int64 // when the space learned of it; NoTime if that is not known
}

// Supersede says that a memory was replaced.
func (tx *Tx) Supersede(old string, s Supersession) error {
	err := tx.do(&supersedeOp{old: old, by: s.By, until: s.Until, at: s.At, undated: s.At == NoTime})
	if err != nil {
		return err
	}
	tx.event("superseded", old, 0, s.By)
	return nil
}

// Absent says that a memory, which is active, was archived in a span that is over.
func (tx *Tx) Absent(id string, span Span) error { return tx.do(&absentOp{id: id, Span: span}) }

// Reinforce sets how often a memory was met again, the last time at at.
func (tx *Tx) Reinforce(id string, count uint32, at int64) error {
	if err := tx.do(&reinforceOp{id: id, count: count, at: at}); err != nil {
		return err
	}
	tx.event("reinforced", id, 0, "")
	return nil
}

// Link sets the association from one memory to another.
func (tx *Tx) Link(from, to, linkType string, weight float32) error {
	if err := tx.Admit(0, linkBytes+int64(len(from)+len(to)+len(linkType))); err != nil {
		return err
	}
	if err := tx.do(&linkOp{from: from, to: to, linkType: linkType, weight: weight}); err != nil {
		return err
	}
	tx.event("linked", from, 0, to)
	return nil
}

// Linked reports whether there is an association from one memory to another.
func (tx *Tx) Linked(from, to, linkType string) (bool, error) {
	a, okA, err := tx.Lookup(from)
	if err != nil || !okA {
		return false, err
	}
	b, okB, err := tx.Lookup(to)
	return err == nil && okB && tx.linked(a.entry, b.entry, linkType), err
}

// Unlink removes an association; false if there was none, and then nothing is written.
func (tx *Tx) Unlink(from, to, linkType string) (bool, error) {
	a, okA, err := tx.Lookup(from)
	if err != nil {
		return false, err
	}
	b, okB, err := tx.Lookup(to)
	if err != nil || !okA || !okB || !tx.linked(a.entry, b.entry, linkType) {
		return false, err
	}
	if err := tx.do(&unlinkOp{from: from, to: to, linkType: linkType}); err != nil {
		return false, err
	}
	tx.event("unlinked", from, 0, to)
	return true, nil
}

// NameModel says which model made the vectors that this write brings. The first name given is the space's until its
// vectors are replaced; another one is a *ModelError, and so is a name for vectors that were stored without one: see
// NameUnnamed.
func (tx *Tx) NameModel(name string) error {
	if name != "" && tx.view.Unnamed() {
		return &ModelError{Got: name, Unnamed: true}
	}
	return tx.NameUnnamed(name)
}

// NameUnnamed is NameModel that is for vectors without a name, too: somebody says that they are of that model.
func (tx *Tx) NameUnnamed(name string) error {
	if err := tx.view.CheckModel(name); err != nil || name == "" || name == tx.view.Model {
		return err
	}
	return tx.do(&modelOp{name})
}

// PutKey remembers what an idempotency key stands for.
func (tx *Tx) PutKey(k Key) error { return tx.do(&keyOp{k}) }

func (tx *Tx) linked(from, to uint32, linkType string) bool {
	for _, e := range tx.t.links.Edges(from, tx.position) {
		if e.Outgoing && e.To == to && e.Type == linkType {
			return true
		}
	}
	return false
}

// setState gives an entry a new state.
func (tx *Tx) setState(entry uint32, st *entryState) {
	cell := tx.t.states.At(entry)
	old := cell.p.Load()
	older := old
	if old != nil && old.position == st.position {
		older = old.older.Load() // an earlier state of this write holds at no position
	}
	st.older.Store(older)
	cell.p.Store(st)
	tx.undo = append(tx.undo, func() { cell.p.Store(old) })
	kept := tx.s.keep
	if isolate.Off("states of sealings") {
		kept = maxPosition
	}
	trim(st, min(kept, tx.s.view.Load().Position))
}

// endRow takes a row out of the current ones, and of those known by supersession, if it was among them.
func (tx *Tx) endRow(row uint32) {
	if known := tx.t.known.Load(); known != nil && known.Alive(row, tx.position) {
		tx.stamp(known, row)
		tx.view.KnownDocs--
		tx.view.KnownTokens -= int64(tx.t.words.Length(row))
	} else if known == nil && tx.t.ends.Alive(row, tx.position) {
		tx.view.KnownDocs--
		tx.view.KnownTokens -= int64(tx.t.words.Length(row))
	}
	tx.endCurrent(row)
}

// endCurrent takes a row out of the current ones, if it was among them.
func (tx *Tx) endCurrent(row uint32) {
	if !tx.t.ends.Alive(row, tx.position) {
		return
	}
	tx.stamp(&tx.t.ends, row)
	tx.view.Docs--
	tx.view.Tokens -= int64(tx.t.words.Length(row))
	if tx.view.HasVector(row) {
		tx.view.Vectors--
	}
}

func (tx *Tx) stamp(ends *isolate.Stamps, row uint32) {
	old := ends.End(row)
	ends.Set(row, tx.position)
	tx.undo = append(tx.undo, func() { ends.Set(row, old) })
}

// mustFind is Lookup for an op whose memory was checked before. On replay one that cannot be read is found by its hash.
func (tx *Tx) mustFind(id string) (Found, error) {
	f, ok, err := tx.Lookup(id)
	switch {
	case err != nil && tx.replay:
		return tx.findDamaged(id, err)
	case err == nil && !ok:
		err = fmt.Errorf("memory %q does not exist: %w", id, ErrNotFound)
	}
	return f, err
}

// mustFindBoth is mustFind for the two ends of an association.
func (tx *Tx) mustFindBoth(from, to string) (a, b Found, err error) {
	if a, err = tx.mustFind(from); err == nil {
		b, err = tx.mustFind(to)
	}
	return a, b, err
}
