package store

import (
	"bytes"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// table is the memory of a space in rows and entries: what is derived from log and segments and kept in RAM.
//
// A row is one version of a memory, an entry is the memory over all its versions. Both are numbered in the order of
// the log, only grow, and are never moved or reused: a failed write's rows stay void for good. The writer fills them
// beyond every reader's view; Space publishes the view.
type table struct {
	ends  isolate.Stamps                 // by row: the position from which on it is not current; 0 is void
	known atomic.Pointer[isolate.Stamps] // as ends, but superseded rows go on; nil until the first is superseded
	facts isolate.Column[recall.Facts]   // by row
	// generations is by row: of its vector, as it was stored or loaded. A row without a place in it is of generation 0.
	generations isolate.Column[uint32]
	recorded    isolate.Column[int64]         // by row: when it was stored; NoTime if that cannot be read
	needed      isolate.Column[atomic.Uint32] // by row: the day on which recall needed it last; see need.go
	states      isolate.Column[stateCell]     // by entry
	ids         isolate.Table                 // hash of id -> entry
	scopes      isolate.Table                 // hash of content and scope -> entry
	keys        isolate.Table                 // hash of idempotency key -> place in keyList
	keysOf      isolate.Table                 // hash of the id that an idempotency key stands for -> place in keyList
	keyList     isolate.Column[*keyCell]      // nil where the write failed
	heirs       isolate.Table                 // hash of the id that superseded a memory -> its entry
	symbols     symbols
	sources     sources
	words       *lexical.Index
	chain       *graph.Chain
	links       *graph.Links
}

// stateCell is what is kept of an entry: 16 bytes, read together.
type stateCell struct {
	p     atomic.Pointer[entryState] // nil while it has one version and nothing was said of it
	first atomic.Uint32              // its first row; noRow if the write that was to make it failed
	got   atomic.Uint32              // the day on which it was got last, see need.go
}

// first gives an entry's first row.
func (t *table) first(entry uint32) uint32 { return t.states.At(entry).first.Load() }

// setFirst gives an entry its first row. Only the writer may call it.
func (t *table) setFirst(entry, row uint32) { t.states.Slot(entry).first.Store(row) }

// keyCell is an idempotency key.
type keyCell struct {
	Key
	gone atomic.Uint64 // the position at which its memory was erased, or it lapsed; 0 if neither
}

// entryState is what became of an entry at a position. States are immutable and lead to older ones, so that a reader
// at any position finds the one that holds for it.
type entryState struct {
	position   uint64
	older      atomic.Pointer[entryState]
	fate       *fate
	life       *life  // nil while nobody said anything of it
	row        uint32 // the current version
	reinforced uint32
	erased     bool
}

// fate is what became of a memory besides its uses. Nobody writes to one that a state has: most states share theirs
// with others.
type fate struct {
	versions     []uint32 // the rows of all versions, oldest first; nil if the current one is the only one
	archivedAt   int64    // NoTime if active
	supersededBy string
	until        Time   // the end of validity that supersession set
	supersededAt int64  // when the space learned of it; NoTime: no supersession, or one that says not when
	absent       []Span // in which it was archived, before now
}

// noFate is that of a memory of one version that is neither archived nor superseded, and never was.
var noFate = &fate{archivedAt: NoTime, until: Time{Nanos: NoTime}, supersededAt: NoTime}

// alter gives a state a fate of its own, to be altered before the state is set.
func (st *entryState) alter() *fate {
	own := *st.fate
	st.fate = &own
	return st.fate
}

// historyDepth is how many states of an entry are kept. A reader whose view is older than all of them is shown the
// oldest kept one, which was committed as a whole like any other: it would have to stay in one call while this many
// writes to one memory were committed.
const historyDepth = 64

// trimmed stands at the end of a chain of states that was cut.
var trimmed = new(entryState)

// at finds the state that holds at position p, nil if the entry is as it was created.
func (c *stateCell) at(p uint64) *entryState {
	st := c.p.Load()
	for st != nil && st.position > p {
		older := st.older.Load()
		if older == trimmed {
			return st
		}
		st = older
	}
	return st
}

// state gives what holds for an entry at position p, in the same form for entries that never changed. Nobody may
// write to it.
func (t *table) state(entry uint32, p uint64) *entryState {
	if st := t.states.At(entry).at(p); st != nil {
		return st
	}
	return &entryState{row: t.first(entry), fate: noFate}
}

// untouched is the state of every memory of which nothing was said since it was stored. Its row is each one's own.
var untouched = &entryState{row: noRow, fate: noFate}

// found gives the memory of an entry as it is at position p, erased or not. It allocates nothing: recall does it for
// every hit.
func (t *table) found(entry uint32, p uint64) Found {
	cell := t.states.At(entry)
	if st := cell.at(p); st != nil {
		return Found{entry: entry, state: st, Row: st.row, table: t}
	}
	return Found{entry: entry, state: untouched, Row: cell.first.Load(), table: t}
}

// change makes a new state from that of f, to be altered by the caller and then set.
func (f Found) change(position uint64) *entryState {
	st := f.state.change(position)
	st.row = f.Row
	return st
}

// change makes a new state from old, to be altered by the caller and then set.
func (old *entryState) change(position uint64) *entryState {
	return &entryState{
		position: position, fate: old.fate, life: old.life, row: old.row, reinforced: old.reinforced,
		erased: old.erased,
	}
}

// trim cuts the chain behind the historyDepth newest states, but never behind what position keep still needs.
func trim(st *entryState, keep uint64) {
	for depth := 1; ; depth++ {
		older := st.older.Load()
		if older == nil || older == trimmed {
			return
		}
		if depth >= historyDepth && st.position <= keep {
			st.older.Store(trimmed)
			return
		}
		st = older
	}
}

func hashString(s string) uint64 { return xxhash.Sum64String(s) }

// scopeHash identifies a content within its scope: two memories with the same content, kind, speaker and session are
// one memory met twice, unless their times say otherwise.
func scopeHash(r *Record) uint64 {
	d := xxhash.New()
	for _, s := range []string{r.Content, r.Kind, r.Speaker, r.Session} {
		var n [4]byte
		n[0], n[1], n[2], n[3] = byte(len(s)), byte(len(s)>>8), byte(len(s)>>16), byte(len(s)>>24)
		d.Write(n[:])    //nolint:errcheck // a hash never fails
		d.WriteString(s) //nolint:errcheck // as above
	}
	return d.Sum64()
}

// symbols numbers the words that filters go by (kinds, speakers, sessions, tags) and sets of them. Symbol 0 is "".
type symbols struct {
	index isolate.Table
	names isolate.Column[string]
	spoke isolate.Column[atomic.Bool] // by symbol: some memory was said by it
	next  uint32
	sets  isolate.Column[[]uint32]
	// setIndex finds a set by the hash of its members; set 0 is empty.
	setIndex isolate.Table
	nextSet  uint32
}

// find gives the symbol of a name; false if no memory ever used it.
func (s *symbols) find(name string) (uint32, bool) {
	if name == "" {
		return 0, true
	}
	return s.index.Find(hashString(name), func(v uint32) bool { return s.names.Get(v) == name })
}

// intern gives the symbol of a name, making one if need be. Only the writer may call it. A symbol made by a write
// that fails stays, and is used by the next one.
func (s *symbols) intern(name string) uint32 {
	if v, ok := s.find(name); ok {
		return v
	}
	v := s.next + 1
	s.names.Set(v, name)
	s.next = v
	s.index.Insert(hashString(name), v, nil)
	return v
}

// speaker is intern for who says something. Only the writer may call it.
func (s *symbols) speaker(name string) uint32 {
	v := s.intern(name)
	s.spoke.Slot(v).Store(true)
	return v
}

// speaks reports whether a symbol was ever a memory's speaker.
func (s *symbols) speaks(v uint32) bool { return s.spoke.Has(v) && s.spoke.At(v).Load() }

func setHash(set []uint32) uint64 {
	h := uint64(len(set))
	for _, v := range set {
		h = (h ^ uint64(v)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

// internSet gives the number of a set of symbols in the order given. Only the writer may call it.
func (s *symbols) internSet(names []string) uint32 {
	if len(names) == 0 {
		return 0
	}
	set := make([]uint32, len(names))
	for i, name := range names {
		set[i] = s.intern(name)
	}
	hash := setHash(set)
	same := func(v uint32) bool { return equalSets(s.sets.Get(v), set) }
	if v, ok := s.setIndex.Find(hash, same); ok {
		return v
	}
	v := s.nextSet + 1
	s.sets.Set(v, set)
	s.nextSet = v
	s.setIndex.Insert(hash, v, nil)
	return v
}

func equalSets(a, b []uint32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// set lists the symbols of a set; nobody may write to it.
func (s *symbols) set(v uint32) []uint32 {
	if v == 0 {
		return nil
	}
	return s.sets.Get(v)
}

func sameID(body []byte, id string) (bool, error) {
	got, err := recordID(body)
	if err != nil {
		return false, err
	}
	return bytes.Equal(got, []byte(id)), nil
}

// setEnd stamps a row in both populations.
func (t *table) setEnd(row uint32, end uint64) {
	t.ends.Set(row, end)
	if known := t.known.Load(); known != nil {
		known.Set(row, end)
	}
}

// knownEnds gives the stamps of the population with superseded memories, making them when the first memory is
// superseded. Only the writer may call it; rows is the number of rows that have a stamp.
func (t *table) knownEnds(rows uint32) *isolate.Stamps {
	if known := t.known.Load(); known != nil {
		return known
	}
	known := new(isolate.Stamps)
	for row := range rows {
		known.Set(row, t.ends.End(row))
	}
	t.known.Store(known)
	return known
}
