package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

// What is kept in memory is checked against the records, and against itself:
//
//   - each record against its line, its facts, its place among the versions, and what the index of words has of it:
//     length, times, sketch and every posting;
//   - each id, each content in its scope, each idempotency key and each replaced memory, against the tables that find
//     them;
//   - each row against the current ones, its session's order and the vectors that are scanned;
//   - each association from both of its ends; and all counts;
//   - what no record tells against state file and log: written.go.
//
// Records are read at the pace of the rest, each beside the newest view: one that is as old as a long verification
// may be shown states that were cut (historyDepth). The rest is quick, of one view. What differs is looked at again
// with a newer view before it is told.

// looks is how often something is looked at that differs each time while the space changes.
const looks = 3

// crossCheck is one verification of what is in memory.
type crossCheck struct {
	s     *Space
	r     *Report
	ctx   context.Context
	step  func(*Report) error
	audit *lexical.Audit
	rows  uint32 // the audit is of those below
}

// verifyMemory checks the indexes against the records. A panic in going through one is its corruption.
func (s *Space) verifyMemory(ctx context.Context, r *Report, step func(*Report) error) error {
	c := &crossCheck{s: s, r: r, ctx: ctx, step: step}
	for _, part := range []func() error{c.words, c.memories, c.structure, c.keys, c.written} {
		err := isolate.Do("verify", s.name, nil, part)
		if p, ok := errors.AsType[*isolate.PanicError](err); ok {
			r.add(fmt.Errorf("going through what is in memory failed: %w", p))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// words sums up the postings.
func (c *crossCheck) words() (err error) {
	rows := c.s.View().Rows
	audit, err := c.s.t.words.Audit(rows, func() error { return errors.Join(c.ctx.Err(), c.step(c.r)) })
	if err != nil {
		return err
	}
	c.audit, c.rows = audit, rows
	if stray := audit.Stray(); stray != nil {
		c.r.add(fmt.Errorf("the index of words: %w", stray))
	}
	return nil
}

// again calls look with the newest view until it finds nothing, or what it finds is not of a view that is being left
// behind, and reports that.
func (c *crossCheck) again(look func(*View) []error) {
	for n := 1; ; n++ {
		v := c.s.View()
		found := look(v)
		if len(found) > 0 && n < looks && c.s.View().Position != v.Position {
			continue
		}
		for _, err := range found {
			c.r.add(err)
		}
		return
	}
}

// memories goes through the records.
func (c *crossCheck) memories() error {
	const between = 256
	for entry := range c.s.View().Entries {
		if entry%between == between-1 {
			if err := errors.Join(c.ctx.Err(), c.step(c.r)); err != nil {
				return err
			}
		}
		read := int64(0)
		c.again(func(v *View) []error {
			row := c.s.t.first(entry)
			if row >= v.Rows || c.s.t.ends.End(row) == 0 {
				return nil
			}
			f := c.s.t.found(entry, v.Position)
			if f.state.erased {
				return nil
			}
			m := memoryCheck{crossCheck: c, v: v, f: f}
			m.all()
			read = m.read
			return m.found
		})
		c.r.Bytes += read
	}
	return nil
}

// memoryCheck is that of one memory.
type memoryCheck struct {
	*crossCheck
	v     *View
	f     Found
	name  string
	read  int64
	found []error
}

func (m *memoryCheck) wrong(format string, args ...any) {
	m.found = append(m.found, fmt.Errorf("memory %s: %w", m.name, fmt.Errorf(format, args...)))
}

func (m *memoryCheck) all() {
	m.name = fmt.Sprintf("of row %d", m.f.Row)
	rows := m.v.Versions(m.f)
	if id, err := m.v.ID(m.f.Row); err == nil {
		m.name = fmt.Sprintf("%q", id)
	}
	if !slices.IsSorted(rows) || rows[len(rows)-1] != m.f.Row {
		m.wrong("its versions are in rows %d, the current one in row %d", rows, m.f.Row)
		return
	}
	records := make([]*Record, len(rows)) // nil where one cannot be read: that was reported with its file
	for i, row := range slices.Backward(rows) {
		if m.s.carried[row].damaged || row >= m.v.Rows {
			continue
		}
		r, err := m.v.Record(row)
		if err != nil {
			continue
		}
		records[i] = r
		m.read += int64(r.RoughSize())
		m.row(row, r)
	}
	m.order(records)
	m.links()
	if by := m.f.SupersededBy(); by != "" && by != ErasedID && !m.holds(&m.s.t.heirs, hashString(by)) {
		m.wrong("it was superseded by %q, which does not lead back to it", by)
	}
	if current := records[len(rows)-1]; current != nil {
		m.findable(current.ID)
	}
}

// order checks that versions are of one memory, each later than the one before.
func (m *memoryCheck) order(records []*Record) {
	var before *Record
	for _, r := range records {
		if r == nil {
			continue
		}
		if before != nil && (r.ID != before.ID || r.Version <= before.Version) {
			m.wrong("version %d of %q follows version %d of %q", r.Version, r.ID, before.Version, before.ID)
		}
		before = r
	}
}

func (m *memoryCheck) findable(id string) {
	again, ok, err := m.v.Find(id)
	switch {
	case err != nil:
		m.wrong("finding it by its id: %s", err.Error())
	case !ok || again.entry != m.f.entry:
		m.wrong("it is not found by its id")
	}
}

// holds reports whether a table has the memory's entry under a hash.
func (m *memoryCheck) holds(t *isolate.Table, hash uint64) bool {
	_, ok := t.Find(hash, func(entry uint32) bool { return entry == m.f.entry })
	return ok
}

func (m *memoryCheck) links() {
	m.s.t.links.Each(m.f.entry, m.v.Position, func(e edge) bool {
		if e.To >= m.v.Entries || m.s.t.state(e.To, m.v.Position).erased {
			m.wrong("it has an association of type %q with a memory that was erased", e.Type)
		}
		return true
	})
}

// row checks what is kept of one version.
func (m *memoryCheck) row(row uint32, r *Record) {
	t := m.s.t
	if info, err := m.rowInfo(row); err == nil && info.IDHash != hashString(r.ID) {
		m.wrong("the line of row %d is of another id", row)
	}
	if t.ends.End(row) == 0 {
		m.wrong("row %d is void, which version %d is in", row, r.Version)
	}
	m.facts(row, r)
	if at := t.recorded.Get(row); at != r.UpdatedAt.Nanos {
		m.wrong("row %d is kept as stored at %d, its record says %d", row, at, r.UpdatedAt.Nanos)
	}
	if !m.holds(&t.scopes, scopeHash(r)) {
		m.wrong("version %d is not found by its content", r.Version)
	}
	if row < m.rows && m.audit != nil {
		p := m.s.Prepare(r)
		if err := m.audit.Check(row, p); err != nil {
			m.wrong("the index of words has version %d otherwise: %w", r.Version, err)
		}
		m.s.Recycle(p)
	}
	vector, err := m.v.Vector(row)
	switch has := m.v.HasVector(row); {
	case m.r.tellsOf(err):
	case err != nil:
		m.wrong("the vector of version %d: %s", r.Version, err.Error()) // by name, though its file may be whole
	case has != (vector != nil):
		m.wrong("version %d is kept as having a vector: %t; it has one: %t", r.Version, has, vector != nil)
	}
	m.neighbours(row, r)
}

func (m *memoryCheck) rowInfo(row uint32) (info rowLine, err error) {
	p, slot := m.v.part(row)
	return p.row(slot)
}

// facts compares what filters and ranking go by with the record.
func (m *memoryCheck) facts(row uint32, r *Record) {
	t := m.s.t
	f := *t.facts.At(row)
	name := func(symbol uint32) string {
		if symbol == 0 || !t.symbols.names.Has(symbol) {
			return ""
		}
		return t.symbols.names.Get(symbol)
	}
	var tags []string
	if t.symbols.sets.Has(f.Tags) {
		for _, symbol := range t.symbols.set(f.Tags) {
			tags = append(tags, name(symbol))
		}
	}
	for _, c := range []struct {
		what string
		same bool
	}{
		{"memory", f.Entry == m.f.entry},
		{"occurred_at", f.OccurredAt == r.OccurredAt.Nanos && f.Zone == r.OccurredAt.zone()},
		{"valid_from", f.ValidFrom == r.ValidFrom.Nanos},
		{"valid_until", f.ValidUntil == r.ValidUntil.Nanos},
		{"expires_at", f.ExpiresAt == r.ExpiresAt.Nanos && (m.v.Expiring || r.ExpiresAt.IsZero())},
		{"kind", name(f.Kind) == r.Kind},
		{"speaker", name(f.Speaker) == r.Speaker && (r.Speaker == "" || t.symbols.speaks(f.Speaker))},
		{"session", name(f.Session) == r.Session},
		{"tags", slices.Equal(tags, r.Tags)},
		{"source", f.Source == noSource || t.sources.name(f.Source) == r.Source},
		{"confidence", math.Float32bits(f.Odds) == math.Float32bits(r.odds())},
		{"pinned", f.Pinned == r.Pin},
	} {
		if !c.same {
			m.wrong("the %s that is kept of row %d is not that of version %d", c.what, row, r.Version)
		}
	}
}

// neighbours checks the order of the session by id, where times do not tell.
func (m *memoryCheck) neighbours(row uint32, r *Record) {
	t := m.s.t
	facts := t.facts.At(row)
	if facts.Session == 0 || m.s.damaged.Load() != nil {
		return
	}
	prev, ok := t.chain.Prev(row, m.v.inSession(facts.Session))
	if !ok || t.facts.At(prev).OccurredAt != facts.OccurredAt {
		return
	}
	id, err := m.v.ID(prev)
	if err == nil && (len(id) > len(r.ID) || len(id) == len(r.ID) && id > r.ID) {
		m.wrong("in the order of session %q it follows %q of the same time", r.Session, id)
	}
}

// inSession tells the rows of memories in a session that are there, whatever became of them.
func (v *View) inSession(session uint32) func(row uint32) bool {
	t := v.s.t
	return func(row uint32) bool {
		if row >= v.Rows || t.ends.End(row) == 0 {
			return false
		}
		f := t.facts.At(row)
		return f.Session == session && f.Entry < v.Entries && !t.state(f.Entry, v.Position).erased
	}
}
