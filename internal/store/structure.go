package store

import (
	"fmt"
	"maps"
	"slices"

	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/segment"
)

type (
	edge    = graph.Edge
	rowLine = segment.Row
)

// structure checks all that can be without reading records.
func (c *crossCheck) structure() error {
	c.again(func(v *View) []error {
		k := &structureCheck{s: c.s, r: c.r, v: v, ends: map[uint32]*chainEnds{}, stop: c.ctx.Err}
		k.vectors()
		k.rows()
		k.sessions()
		k.counts()
		for _, entry := range c.s.t.links.Lopsided(v.Entries, v.Position) {
			if c.s.t.wanted(entry) {
				k.wrong(c.s.t.state(entry, v.Position).row, "its associations are not the same from both ends")
			}
		}
		return k.found
	})
	return c.ctx.Err()
}

// structureCheck is that of one view.
type structureCheck struct {
	s       *Space
	r       *Report // of the files
	v       *View
	scanned []uint8               // by row: how many vectors of it a scan meets
	ends    map[uint32]*chainEnds // by session
	got     View                  // counts
	found   []error
	stop    func() error
}

// chainEnds counts the rows of a session that no row precedes, and that none follows.
type chainEnds struct{ first, last int }

// wrong names the memory that a row is of, if it can be told.
func (k *structureCheck) wrong(row uint32, format string, args ...any) {
	if len(k.found) > maxProblems {
		return
	}
	name := fmt.Sprintf("of row %d", row)
	if row < k.v.Rows {
		if id, err := k.v.ID(row); err == nil {
			name = fmt.Sprintf("%q", id)
		}
	}
	k.found = append(k.found, fmt.Errorf("memory %s: %s", name, fmt.Sprintf(format, args...)))
}

// vectors counts, by row, the vectors that a scan goes through.
func (k *structureCheck) vectors() {
	k.scanned = make([]uint8, k.v.Rows)
	meet := func(row uint32) {
		if row < k.v.Rows && k.scanned[row] < 2 {
			k.scanned[row]++
		}
	}
	for _, p := range *k.v.partsNow() {
		switch {
		case p.side != nil && p.side.set == k.v.serving && p.side.lost == nil:
			for g := range p.side.Groups() {
				for _, row := range p.side.Slots(g) {
					if row != segment.NoRow && row < k.v.Rows && k.partOf(row).generation != k.v.Generation {
						meet(row)
					}
				}
			}
		case p.side != nil || p.generation != k.v.Generation:
		case p.hot != nil:
			meetAll(p.base, p.hot, meet)
		case p.sealed != nil:
			meetAll(p.base, p.sealed, meet)
		}
	}
}

func (k *structureCheck) partOf(row uint32) part {
	p, _ := k.v.part(row)
	return p
}

func meetAll(base uint32, in interface {
	Groups() int
	Slots(g int) []uint32
}, meet func(row uint32),
) {
	for g := range in.Groups() {
		for _, slot := range in.Slots(g) {
			if slot != segment.NoRow {
				meet(base + slot)
			}
		}
	}
}

// rows goes through all rows.
func (k *structureCheck) rows() {
	t, v := k.s.t, k.v
	const between = 1 << 16
	for row := range v.Rows {
		if row%between == 0 && k.stop() != nil {
			return
		}
		if t.ends.End(row) == 0 {
			continue // void
		}
		f := t.facts.At(row)
		if f.Entry >= v.Entries {
			k.wrong(row, "row %d is of no memory", row)
			continue
		}
		st := t.state(f.Entry, v.Position)
		if st.erased {
			if v.current(row) {
				k.wrong(row, "it was erased and is still among the current ones")
			}
			continue
		}
		if k.v.s.doubt(row) != nil || k.s.carried[row].damaged {
			continue
		}
		if first := t.first(f.Entry); first >= v.Rows || t.facts.At(first).Entry != f.Entry {
			k.wrong(row, "its first version is said to be in row %d, which is not one of it", first)
		}
		k.current(row, st)
		k.vector(row)
		k.chain(row, f.Session)
	}
}

// current checks whether a row is where recall finds it, and counts it.
func (k *structureCheck) current(row uint32, st *entryState) {
	t, v := k.s.t, k.v
	known := v.current(row)
	if all := t.known.Load(); all != nil {
		known = all.Alive(row, v.Position)
	}
	latest := st.row == row && st.fate.archivedAt == NoTime
	if want := latest && st.fate.supersededBy == ""; v.current(row) != want {
		k.wrong(row, "row %d is among the current ones: %t, want %t", row, v.current(row), want)
	}
	if known != latest {
		k.wrong(row, "row %d is among those that recall as of an instant goes through: %t, want %t", row, known, latest)
	}
	tokens := int64(t.words.Length(row))
	if known {
		k.got.KnownDocs++
		k.got.KnownTokens += tokens
	}
	if v.current(row) {
		k.got.Docs++
		k.got.Tokens += tokens
		if v.HasVector(row) {
			k.got.Vectors++
		}
	}
}

// vector checks that what a scan of the vectors meets of a row is what the row has.
func (k *structureCheck) vector(row uint32) {
	n, want := k.scanned[row], uint8(0)
	if k.v.HasVector(row) {
		want = 1
	}
	if n == want {
		return
	}
	if _, err := k.v.Vector(row); k.r.tellsOf(err) {
		return
	}
	k.wrong(row, "a scan of the vectors meets row %d %d times, want %d", row, n, want)
}

// chain checks that a row is between its neighbours in the order of its session.
func (k *structureCheck) chain(row, session uint32) {
	if session == 0 {
		return
	}
	t := k.s.t
	there := k.v.inSession(session)
	e := k.ends[session]
	if e == nil {
		e = &chainEnds{}
		k.ends[session] = e
	}
	prev, ok := t.chain.Prev(row, there)
	if !ok {
		e.first++
	} else if back, ok := t.chain.Next(prev, there); !ok || back != row {
		k.wrong(row, "in the order of session %q it follows a memory that it is not behind",
			t.symbols.names.Get(session))
	} else if t.facts.At(prev).OccurredAt > t.facts.At(row).OccurredAt {
		k.wrong(row, "in the order of session %q it follows one that is later", t.symbols.names.Get(session))
	}
	next, ok := t.chain.Next(row, there)
	if !ok {
		e.last++
	} else if back, ok := t.chain.Prev(next, there); !ok || back != row {
		k.wrong(row, "in the order of session %q a memory follows it that it is not ahead of",
			t.symbols.names.Get(session))
	}
}

// sessions checks that each has one beginning and one end.
func (k *structureCheck) sessions() {
	for _, session := range slices.Sorted(maps.Keys(k.ends)) {
		if e := k.ends[session]; e.first != 1 || e.last != 1 {
			k.found = append(k.found, fmt.Errorf("the order of session %q has %d beginnings and %d ends",
				k.s.t.symbols.names.Get(session), e.first, e.last))
		}
	}
}

// counts compares what the view says with what going through all gave.
func (k *structureCheck) counts() {
	v, got := k.v, &k.got
	v.Scan(0, func(entry uint32, f Found) bool {
		if f.Archived() {
			got.Archived++
		} else {
			got.Memories++
		}
		if f.state.life != nil {
			got.Touched++
		}
		got.LinkCount += v.outgoing(entry)
		return true
	})
	for _, c := range []struct {
		what        string
		kept, found int64
	}{
		{"current rows", int64(v.Docs), int64(got.Docs)},
		{"words", v.Tokens, got.Tokens},
		{"rows known as of an instant", int64(v.KnownDocs), int64(got.KnownDocs)},
		{"their words", v.KnownTokens, got.KnownTokens},
		{"vectors", int64(v.Vectors), int64(got.Vectors)},
		{"archived memories", int64(v.Archived), int64(got.Archived)},
		{"associations", int64(v.LinkCount), int64(got.LinkCount)},
		{"memories", int64(v.Memories), int64(got.Memories)},
		{"memories with a history of use", int64(v.Touched), int64(got.Touched)},
	} {
		if c.kept != c.found {
			k.found = append(k.found, fmt.Errorf("the count of %s is %d, going through them gives %d",
				c.what, c.kept, c.found))
		}
	}
}

func (v *View) outgoing(entry uint32) (n int) {
	v.s.t.links.Each(entry, v.Position, func(e edge) bool {
		if e.Outgoing {
			n++
		}
		return true
	})
	return n
}

// keys checks that every idempotency key is found, by its name and by the memory that it stands for.
func (c *crossCheck) keys() error {
	t := c.s.t
	c.s.mu.Lock()
	n := c.s.nextKey
	c.s.mu.Unlock()
	for place := range n {
		c.again(func(v *View) (found []error) {
			k := t.keyList.Get(place)
			if k == nil || k.gone.Load() != 0 {
				return nil
			}
			if last, at := t.key(k.Name); last == nil || at < place {
				found = append(found, fmt.Errorf("idempotency key %q is not found by its name", k.Name))
			}
			if _, ok := t.keysOf.Find(hashString(k.ID), func(at uint32) bool { return at == place }); !ok {
				found = append(found, fmt.Errorf("idempotency key %q is not found by memory %q, which it stands for",
					k.Name, k.ID))
			}
			if k.gone.Load() != 0 {
				return nil // meanwhile
			}
			return found
		})
	}
	return c.ctx.Err()
}
