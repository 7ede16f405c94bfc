package store

import (
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/recall"
)

// What a space knew at an instant follows from what it keeps: each version has the time at which it was stored and ends
// with the next one's, and an archiving, a restoring and a supersession have theirs. These are times that writes carry,
// not positions in the log, so that they mean the same in a copy made by export and import. Associations and
// reinforcements have none: what was known at an instant is told without them. What was erased was never there.

// Span is the time from one instant until another, in nanoseconds since 1970 UTC: From is in it, Until is not.
type Span struct{ From, Until int64 }

func appendSpan(e *codec.Encoder, s Span) {
	e.U64(uint64(s.From))
	e.U64(uint64(s.Until))
}

func readSpan(d *codec.Decoder) Span { return Span{From: int64(d.U64()), Until: int64(d.U64())} }

func appendSpans(e *codec.Encoder, spans []Span) {
	e.Uvarint(uint64(len(spans)))
	for _, s := range spans {
		appendSpan(e, s)
	}
}

func readSpans(d *codec.Decoder) (spans []Span) {
	for range d.Count(16) {
		spans = append(spans, readSpan(d))
	}
	return spans
}

// told reports whether something is kept of the memory besides its rows.
func (st *entryState) told() bool {
	return st.fate.archivedAt != NoTime || st.fate.supersededBy != "" || st.reinforced > 0 || len(st.fate.absent) > 0
}

// archivedIn gives the beginning of the span of being archived that at lies in; NoTime if it lies in none.
func (st *entryState) archivedIn(at int64) int64 {
	if st.fate.archivedAt != NoTime && st.fate.archivedAt <= at {
		return st.fate.archivedAt
	}
	for _, s := range st.fate.absent {
		if s.From <= at && at < s.Until {
			return s.From
		}
	}
	return NoTime
}

// supersededBefore reports whether the space knew at an instant that the memory was replaced.
func (st *entryState) supersededBefore(at int64) bool {
	return st.fate.supersededBy != "" && (st.fate.supersededAt == NoTime || st.fate.supersededAt <= at)
}

// versionsAt gives the number of versions that the space knew of at an instant. One that cannot be read counts as
// stored right after the one before it: it may be the one that is asked for.
func (t *table) versionsAt(rows []uint32, at int64) (known int) {
	stored := NoTime
	for i, row := range rows {
		if recorded := t.recorded.Get(row); recorded != NoTime {
			stored = recorded
		}
		if stored <= at {
			known = i + 1
		}
	}
	return known
}

// AsOf is a memory as the space knew it at an instant: its version of then, what had become of it, and what had been
// made of its uses. ok is false if it was not stored yet. How often it had been met by then is not known: that counts
// 0.
func (v *View) AsOf(f Found, at int64) (_ Found, ok bool) {
	rows := v.Versions(f)
	known := v.s.t.versionsAt(rows, at)
	if known == 0 {
		return Found{}, false
	}
	was := f.state.fate
	then := &fate{
		versions: rows[:known:known], archivedAt: f.state.archivedIn(at), until: Time{Nanos: NoTime},
		supersededAt: NoTime,
	}
	if f.state.supersededBefore(at) {
		then.supersededBy, then.until, then.supersededAt = was.supersededBy, was.until, was.supersededAt
	}
	for _, s := range was.absent {
		if s.Until <= at {
			then.absent = append(then.absent, s)
		}
	}
	st := &entryState{position: f.state.position, row: rows[known-1], fate: then, life: f.state.life.asOf(at)}
	return Found{entry: f.entry, state: st, Row: st.row, table: f.table, past: true, asOf: at}, true
}

// Past asks for a corpus of former days.
type Past struct {
	At  int64 // the instant
	Now int64 // what has expired by now is not shown
	// Superseded counts memories in that were known to be replaced; for recall by ValidAt.
	Superseded bool
}

// CorpusAsOf is what recall goes through to answer from what the space knew at an instant. Its statistics of words are
// those of the memories known then, and what was made of their uses and said of them is as it was. It costs some
// nanoseconds and eight bytes for each row of the space.
func (v *View) CorpusAsOf(p Past) *recall.Corpus {
	c := v.Corpus()
	c.Current, c.Known = v.populationAsOf(p), recall.Population{}
	c.Links = graph.NewLinks()
	c.Source = pastSource{source: source{v}, at: p.At}
	return c
}

func (v *View) populationAsOf(p Past) recall.Population {
	t := v.s.t
	population := recall.Population{Ends: new(isolate.Stamps)}
	if v.Rows > 0 {
		population.Ends.Set(v.Rows-1, 0) // a place for each row
	}
	for entry := range v.Entries {
		row, ok := v.rowAsOf(entry, p)
		if !ok {
			continue
		}
		population.Ends.Set(row, isolate.Never)
		population.Docs++
		population.Tokens += int64(t.words.Length(row))
	}
	return population
}

// rowAsOf gives the row of the version that recall goes by; false if there is none.
func (v *View) rowAsOf(entry uint32, p Past) (row uint32, ok bool) {
	t := v.s.t
	first := t.first(entry)
	if first >= v.Rows || t.ends.End(first) == 0 {
		return 0, false
	}
	current, rows := first, []uint32(nil)
	if st := t.states.At(entry).at(v.Position); st != nil {
		if st.erased || st.archivedIn(p.At) != NoTime || !p.Superseded && st.supersededBefore(p.At) {
			return 0, false
		}
		current, rows = st.row, st.fate.versions
	}
	if expires := t.facts.At(current).ExpiresAt; expires != NoTime && expires <= p.Now {
		return 0, false
	}
	row = current
	if rows == nil {
		ok = t.recorded.Get(row) <= p.At
	} else if known := t.versionsAt(rows, p.At); known > 0 {
		row, ok = rows[known-1], true
	}
	return row, ok && !v.s.carried[row].damaged
}

// pastSource answers what recall asks for few rows only, as it was at an instant.
type pastSource struct {
	source
	at int64
}

// Row gives the row of an entry's version of then.
func (s pastSource) Row(entry uint32) (row uint32, ok bool) {
	if row, ok = s.source.Row(entry); !ok {
		return 0, false
	}
	f, ok := s.AsOf(s.Fate(row), s.at)
	return f.Row, ok
}

// life is that of a row's memory then; nil if nobody had said anything of it.
func (s pastSource) life(row uint32) *life { return s.lifeOf(s.s.t.facts.At(row).Entry) }

func (s pastSource) lifeOf(entry uint32) *life {
	st := s.s.t.states.At(entry).at(s.Position)
	if st == nil {
		return nil
	}
	return st.life.asOf(s.at)
}

// History is the state of a row's memory then; false if nobody had said anything of it.
func (s pastSource) History(row uint32) (dynamics.State, bool) {
	l := s.life(row)
	if l == nil {
		return dynamics.State{}, false
	}
	return l.state(), true
}

// Standing is what a score asks of the History of an entry.
func (s pastSource) Standing(entry uint32) (dynamics.Standing, bool) {
	l := s.lifeOf(entry)
	if l == nil {
		return dynamics.Standing{}, false
	}
	return l.standing(), true
}

// Confidence is how far a row's memory was believed then.
func (s pastSource) Confidence(row uint32) float64 {
	if l := s.life(row); l != nil {
		return l.tally().Confidence()
	}
	return s.untouched(row, s.at)
}

// Until is the end of validity that a supersession known then gave a row's memory.
func (s pastSource) Until(row uint32) int64 {
	if f, ok := s.AsOf(s.Fate(row), s.at); ok {
		return f.state.fate.until.Nanos
	}
	return NoTime
}
