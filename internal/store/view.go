package store

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/codec"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/segment"
)

// View is one consistent state of a space: what was visible at a log position. It is immutable and safe for
// concurrent use while its space is open.
type View struct {
	s        *Space
	parts    *[]part // where the rows are; nil: wherever they are now
	Position uint64  // the log position of the last write in it
	Rows     uint32  // rows below this may be in it
	Entries  uint32
	Docs     int   // current rows: those that recall goes through by default
	Tokens   int64 // the sum of their lengths in words
	// KnownDocs and KnownTokens count the superseded rows in.
	KnownDocs   int
	KnownTokens int64
	Expiring    bool // some row has an expiry
	Memories    int  // active memories
	Archived    int
	Vectors     int // current rows with a vector
	LinkCount   int
	Touched     int // memories that something is known of besides what they say: Dynamics
	Verified    int // sources of which a verdict was counted
	Dim         int
	Metric      ann.Metric
	Model       string // what made the vectors; "" if nobody named it
	Generation  uint32 // of the vectors that serve; see vectors.go

	generations uint32     // begun so far, canceled ones included, and the first is number 0
	serving     *vectorSet // of Generation, those that are apart; nil if none were since the space was opened
	building    *vectorSet // nil if there is none
	placed      uint32     // places below this, of what is being built, are in the view
	feedback    feedbackLog
	used        []use // the memories used last, newest first; nobody writes to it
}

// CheckModel returns a *ModelError if vectors of the model that is named cannot be compared with those of the space.
// Where either is not named there is nothing to compare.
func (v *View) CheckModel(name string) error {
	if name != "" && v.Model != "" && name != v.Model {
		return &ModelError{Got: name, Want: v.Model}
	}
	return nil
}

// Unnamed reports whether the space holds vectors and nobody has said which model made them.
func (v *View) Unnamed() bool {
	if v.Model != "" || v.Dim == 0 {
		return false
	}
	for row := range v.Rows {
		if v.s.t.ends.End(row) != 0 && v.HasVector(row) && !v.Fate(row).state.erased {
			return true
		}
	}
	return false
}

// Lookup finds a memory by id, archived and superseded ones included. A damaged record that may be the one asked for
// is a *codec.CorruptError, never "not found".
func (v *View) Lookup(id string) (found Found, ok bool, err error) {
	found, ok, err = v.Find(id)
	if err == nil && !ok && v.s.lost != nil {
		err = v.maybeLost(id)
	}
	return found, ok, err
}

// Find is Lookup for a memory that may be made anew: a damaged row whose id cannot be told does not count.
func (v *View) Find(id string) (found Found, ok bool, err error) {
	return v.find(id, 0, func([]byte) error { return nil })
}

// Get is Lookup that reads the memory's current version into r along the way and notes that it was needed on a day; a
// memory that does not exist is ErrNotFound.
func (v *View) Get(id string, day uint32, r *Record) (Found, error) {
	found, ok, err := v.find(id, day, r.decode)
	if err == nil && !ok {
		err = ErrNotFound
		if v.s.lost != nil {
			err = v.maybeLost(id)
		}
	}
	return found, err
}

func (v *View) maybeLost(id string) error {
	return fmt.Errorf("memory %q may be the one that is damaged: %w", id, v.s.lost)
}

// find finds a memory, calls fn with the body of its current version, and notes that it was got on a day, unless that
// is 0.
func (v *View) find(id string, day uint32, fn func(body []byte) error) (found Found, ok bool, err error) {
	t, hash := v.s.t, hashString(id)
	_, ok = t.ids.Find(hash, func(entry uint32) bool {
		if t.first(entry) >= v.Rows {
			return false // not yet, or never
		}
		f := t.found(entry, v.Position)
		if f.state.erased {
			return false
		}
		if day > 0 {
			v.needGot(entry, day)
		}
		var same bool
		err = v.read(f.Row, func(body []byte) (err error) {
			if same, err = sameID(body, id); same {
				err = fn(body)
			}
			return err
		})
		if err != nil {
			if got, ok := v.s.hashOf(f); ok && got != hash {
				err = nil // damaged, but another memory
				return false
			}
		}
		found = f
		return same || err != nil
	})
	if err != nil {
		return Found{}, false, err
	}
	return found, ok, nil
}

// Fate is the memory that a row in the view is a version of.
func (v *View) Fate(row uint32) Found {
	return v.s.t.found(v.s.t.facts.At(row).Entry, v.Position)
}

// part finds the part that holds a row and the row's slot in it. A view that was published stays with the parts that
// there were: what is compacted away meanwhile is still there for it.
func (v *View) part(row uint32) (part, uint32) {
	if v.parts == nil {
		return v.s.part(row)
	}
	return findPart(*v.parts, row)
}

// part finds the part that holds a row now.
func (s *Space) part(row uint32) (part, uint32) { return findPart(*s.parts.Load(), row) }

func findPart(parts []part, row uint32) (part, uint32) {
	from, to := 0, len(parts) // sort.Search calls a function at each step, and every read comes here
	for to-from > 1 {
		if i := int(uint(from+to) >> 1); parts[i].base > row {
			to = i
		} else {
			from = i
		}
	}
	return parts[from], row - parts[from].base
}

// read calls fn with the verified body of a row, valid during the call.
func (v *View) read(row uint32, fn func(body []byte) error) error {
	if err := v.s.doubt(row); err != nil {
		return err
	}
	p, slot := v.part(row)
	switch {
	case p.lost != nil:
		return p.lost
	case p.hot != nil:
		return p.hot.Read(slot, fn)
	}
	err := p.sealed.Read(slot, fn)
	v.s.noteRow(row, err)
	return err
}

// Record reads and decodes a row; damage is a *codec.CorruptError.
func (v *View) Record(row uint32) (r *Record, err error) {
	err = v.read(row, func(body []byte) (err error) {
		r, err = readRecord(body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ID reads the id of a row's memory.
func (v *View) ID(row uint32) (id string, err error) {
	err = v.read(row, func(body []byte) error {
		b, err := recordID(body)
		id = string(b)
		return err
	})
	return id, err
}

// Tier tells where a row is; 0 in memory.
func (v *View) Tier(row uint32) segment.Tier {
	switch p, _ := v.part(row); {
	case p.hot != nil:
		return 0
	case p.sealed != nil:
		return p.sealed.Tier()
	}
	return segment.Warm // a file that cannot be read
}

// Versions lists the rows of all versions of a memory, oldest first.
func (v *View) Versions(f Found) []uint32 { return f.versions() }

func (f Found) versions() []uint32 {
	if f.state.fate.versions == nil {
		return []uint32{f.Row}
	}
	return f.state.fate.versions
}

// Link is an association as seen from a memory.
type Link struct {
	Other    uint32 // the row of the other memory's current version
	Type     string
	Weight   float32
	Outgoing bool
}

// Links lists a memory's explicit associations, in the order of the other memory's id, then type, then direction. Those
// with a damaged memory, whose id cannot be told, are left out; Stats names the damage.
func (v *View) Links(f Found) ([]Link, error) { return v.LinksOf(f, "") }

// LinksOf is Links for associations of one type; "" is every type.
func (v *View) LinksOf(f Found, linkType string) ([]Link, error) {
	edges := v.s.t.links.Edges(f.entry, v.Position)
	if len(edges) == 0 {
		return nil, nil
	}
	type named struct {
		Link
		id string
	}
	links := make([]named, 0, len(edges))
	for _, e := range edges {
		if linkType != "" && e.Type != linkType {
			continue
		}
		st := v.s.t.state(e.To, v.Position)
		id, err := v.ID(st.row)
		if errors.Is(err, codec.ErrCorrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		links = append(links, named{Link{Other: st.row, Type: e.Type, Weight: e.Weight, Outgoing: e.Outgoing}, id})
	}
	slices.SortFunc(links, func(a, b named) int {
		if c := strings.Compare(a.id, b.id); c != 0 {
			return c
		}
		if c := strings.Compare(a.Type, b.Type); c != 0 {
			return c
		}
		if a.Outgoing == b.Outgoing {
			return 0
		}
		if a.Outgoing {
			return -1
		}
		return 1
	})
	out := make([]Link, len(links))
	for i, l := range links {
		out[i] = l.Link
	}
	return out, nil
}

// Neighbors gives the rows of the previous and the next current memory of the same session that has not expired at now;
// ok says which exist.
func (v *View) Neighbors(row uint32, now int64) (prev, next uint32, okPrev, okNext bool) {
	there := v.current
	if v.Expiring {
		there = func(row uint32) bool {
			until := v.ExpiresAt(row)
			return v.current(row) && (until.IsZero() || until.Nanos > now)
		}
	}
	prev, okPrev = v.s.t.chain.Prev(row, there)
	next, okNext = v.s.t.chain.Next(row, there)
	return prev, next, okPrev, okNext
}

// current reports whether a row is a current version that recall goes through by default.
func (v *View) current(row uint32) bool { return row < v.Rows && v.s.t.ends.EndsAfter(row, v.Position) }

// Scan calls fn with every memory in the order in which they were first stored, from entry first on, until fn returns
// false. It gives the entry, for continuing behind it.
func (v *View) Scan(first uint32, fn func(entry uint32, f Found) bool) {
	t := v.s.t
	for entry := first; entry < v.Entries; entry++ {
		row := t.first(entry)
		if row >= v.Rows || t.ends.End(row) == 0 {
			continue
		}
		if f := t.found(entry, v.Position); !f.state.erased && !fn(entry, f) {
			return
		}
	}
}

// Identity tells at which log position, and where in it, a row was written.
func (v *View) Identity(row uint32) (segment.Identity, error) {
	p, slot := v.part(row)
	r, err := p.row(slot)
	if err == nil && r.Void {
		err = fmt.Errorf("row %d: %w", row, segment.ErrVoid)
	}
	return r.Identity, err
}

// before is the order of memories within a session: by time, then by the length of the id, then by the id, so that
// "turn-9" precedes "turn-10" and the order of arrival does not matter.
func (s *Space) before(a, b, newRow uint32, newID string) bool {
	if x, y := s.t.facts.At(a).OccurredAt, s.t.facts.At(b).OccurredAt; x != y {
		return x < y
	}
	idOf := func(row uint32) string {
		if row == newRow {
			return newID
		}
		if id, ok := s.goneIDs[row]; ok {
			return id
		}
		id, err := s.view.Load().ID(row)
		if err != nil {
			return "" // a damaged row keeps a place; it is never shown
		}
		return id
	}
	x, y := idOf(a), idOf(b)
	if len(x) != len(y) {
		return len(x) < len(y)
	}
	return x < y
}

// Words lists the words of what a record says, stemmed and without stop words, each once.
func (v *View) Words(r *Record) []string {
	d := document(r)
	return v.s.t.words.Words(lexical.Document{Content: d.Content, Language: d.Language, Found: d.Found})
}

// document is what of a memory is searched as text.
func document(r *Record) lexical.Document {
	d := lexical.Document{Content: r.Content, Speaker: r.Speaker, Tags: r.Tags}
	switch r.LanguageFrom {
	case LanguageStated:
		d.Language = r.Language
	case LanguageFound:
		d.Found = &r.Language
	case LanguageOpen:
	}
	if !r.OccurredAt.IsZero() {
		d.When = r.OccurredAt.Go()
	}
	return d
}

// zone is the time's own zone, in minutes east of UTC.
func (t Time) zone() int16 { return int16(t.Offset / 60) }

// Go is t as a time.Time in its zone; the zero time if there is none.
func (t Time) Go() time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	zone := time.UTC
	if t.Offset != 0 {
		zone = time.FixedZone("", int(t.Offset))
	}
	return time.Unix(0, t.Nanos).In(zone)
}

// Expired counts the memories that have expired at now and were not erased: those not archived, and those that are.
func (v *View) Expired(now int64) (active, archived int) {
	if !v.Expiring {
		return 0, 0
	}
	v.Scan(0, func(_ uint32, f Found) bool {
		switch until := v.ExpiresAt(f.Row); {
		case until.IsZero() || until.Nanos > now:
		case f.Archived():
			archived++
		default:
			active++
		}
		return true
	})
	return active, archived
}

// ExpiresAt tells when a row expires, without reading it.
func (v *View) ExpiresAt(row uint32) Time { return Time{Nanos: v.s.t.facts.At(row).ExpiresAt} }

// FirstIdentity is the identity of an entry's first row.
func (v *View) FirstIdentity(entry uint32) (segment.Identity, error) {
	return v.Identity(v.s.t.first(entry))
}

// EntryAfter finds the first entry whose first row was written after that identity. Entries are numbered in that order;
// those of failed writes, and ones whose line is damaged, are passed over.
func (v *View) EntryAfter(id segment.Identity) uint32 {
	if id == (segment.Identity{}) {
		return 0
	}
	return uint32(sort.Search(int(v.Entries), func(i int) bool {
		for entry := uint32(i); entry < v.Entries; entry++ {
			if !v.s.t.wanted(entry) {
				continue
			}
			if at, err := v.FirstIdentity(entry); err == nil {
				return at.LSN > id.LSN || at.LSN == id.LSN && at.Index > id.Index
			}
		}
		return true
	}))
}

func (v *View) partsNow() *[]part {
	if v.parts == nil {
		return v.s.parts.Load()
	}
	return v.parts
}
