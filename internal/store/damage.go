package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
)

// Damage in sealed segments, as Open finds it. Three things can be unreadable:
//
//   - a body: the line still has the hash of the id, so the memory is found and says that it is damaged;
//   - a line: which memory it was cannot be told, unless another version of it is there;
//   - a segment's header: all of its rows. The space is read-only then.
//
// What the state file says of such rows is kept and said again by the next one, so that sealing again, or repairing the
// file, brings nothing back that was erased and loses nothing that was archived.

// carriedRow is what the state file said of a row that was not loaded, erased or damaged, to be said again by the next
// one for as long as the row is in its segment.
type carriedRow struct {
	end     rowEnd
	ended   bool
	damaged bool // it belongs to an entry, whose state counts if it is newer
}

// lostRun is a run of rows without readable lines. used counts those that were given to an entry.
type lostRun struct{ first, rows, used uint32 }

// errLost is what an op of the log meets on replay when its memory is in a row that cannot be told.
var errLost = errors.New("the log changes a memory whose place in a segment is damaged")

// refuseWrites makes the space read-only: what would be written could contradict what cannot be read.
func (s *Space) refuseWrites(err error) {
	s.noteDamage(err)
	s.lost = errors.Join(s.lost, err)
	s.readOnly.set(fmt.Errorf("%w: not all that it holds is there, restore or repair it: %w", ErrReadOnly, err))
}

// loadDamaged makes a row that cannot be read findable by its id, so that asking for it says that it is damaged.
func (s *Space) loadDamaged(row uint32, info segment.Row, st *state) {
	entry, exists := s.entryByHash(info.IDHash)
	if !exists {
		entry = s.newDamaged(row)
	}
	s.place(row, entry, st)
	if exists {
		s.loadVersion(entry, row, 0)
		return
	}
	s.t.ids.Insert(info.IDHash, entry, s.t.wanted)
}

// newDamaged makes an entry whose first row cannot be read.
func (s *Space) newDamaged(row uint32) (entry uint32) {
	entry = s.nextEntry
	s.nextEntry++
	s.t.setFirst(entry, row)
	s.staged.Entries = s.nextEntry
	s.staged.Memories++
	return entry
}

// place gives a row that cannot be read to an entry.
func (s *Space) place(row, entry uint32, st *state) {
	end, ended := st.ends[row]
	s.carried[row] = carriedRow{end: end, ended: ended, damaged: true}
	s.t.facts.Set(row, recall.Facts{
		Entry: entry, OccurredAt: NoTime, ValidFrom: NoTime, ValidUntil: NoTime, ExpiresAt: NoTime,
	})
	s.unread.set(row, true)
	s.t.recorded.Set(row, NoTime)
	s.t.setEnd(row, 1) // before any position that a view can have: never current, but not void
}

// loadLost notes a row whose line cannot be read. An erased one is nobody's any more.
func (s *Space) loadLost(row uint32, err error, st *state) {
	end, ended := st.ends[row]
	s.carried[row] = carriedRow{end: end, ended: ended}
	if ended && end.erased {
		return
	}
	s.lost = errors.Join(s.lost, err)
	s.lostRuns = append(s.lostRuns, lostRun{first: row, rows: 1})
}

// placeLost finds out, once all rows are loaded, what lost rows were. A memory whose last readable version has ended,
// and of which nothing else is said, has its current version in one of them: asking for it must not give the old one.
// Every other lost row that was current is a memory of its own, without an id.
func (s *Space) placeLost(st *state) {
	told := map[uint32]bool{} // rows that ended for another reason than a newer version
	for _, m := range st.memories {
		told[m.row] = m.archivedAt != NoTime || m.supersededBy != ""
	}
	for entry := range s.nextEntry {
		row := s.t.state(entry, s.man.position).row
		end, ended := st.ends[row]
		if !ended || told[row] {
			continue
		}
		if successor, ok := s.takeLost(row, end.position); ok {
			s.place(successor, entry, st)
			s.loadVersion(entry, successor, 0)
			continue
		}
		// It was erased while this row could not be read.
		next := s.t.state(entry, s.man.position).change(s.man.position)
		next.erased = true
		s.t.states.At(entry).p.Store(next)
		s.staged.Memories--
	}
	for _, run := range s.lostRuns {
		_, ended := st.ends[run.first]
		if run.rows == 1 && run.used == 0 && (!ended || told[run.first]) {
			s.place(run.first, s.newDamaged(run.first), st)
		}
	}
	loaded := s.staged
	s.view.Store(&loaded)
}

// takeLost finds a lost row behind row that may have been written at position, as the one after it was not before.
func (s *Space) takeLost(row uint32, position uint64) (uint32, bool) {
	for i := range s.lostRuns {
		run := &s.lostRuns[i]
		behind := run.first + run.rows
		if behind <= row+1 {
			continue
		}
		if behind < s.hot.base {
			if info, err := s.rowInfo(behind); err == nil && !info.Void && info.LSN < position {
				continue
			}
		}
		run.used = min(run.used+1, run.rows)
		return run.first + run.used - 1, true
	}
	return 0, false
}

// rowInfo tells what is known of a row besides its body.
func (s *Space) rowInfo(row uint32) (segment.Row, error) {
	p, slot := s.part(row)
	return p.row(slot)
}

// row tells what is known of a row besides its body.
func (p part) row(slot uint32) (segment.Row, error) {
	switch {
	case p.lost != nil:
		return segment.Row{}, p.lost
	case p.hot != nil:
		return p.hot.Row(slot)
	}
	return p.sealed.Row(slot)
}

// hashOf is the hash of a memory's id, from the line of any of its rows; false if none can be read.
func (s *Space) hashOf(f Found) (uint64, bool) {
	for _, row := range f.versions() {
		if info, err := s.rowInfo(row); err == nil {
			return info.IDHash, true
		}
	}
	return 0, false
}

// entryByHash finds a memory by the hash of its id alone, for rows whose bodies cannot be compared.
func (s *Space) entryByHash(hash uint64) (uint32, bool) {
	return s.t.ids.Find(hash, func(entry uint32) bool {
		f := s.t.found(entry, maxPosition)
		if f.state.erased || !s.t.wanted(entry) {
			return false
		}
		got, ok := s.hashOf(f)
		return ok && got == hash
	})
}

// lastVersion is the number of the last of a memory's versions. Where that cannot be read it follows from an older one.
func (v *View) lastVersion(rows []uint32) uint32 {
	for i, row := range slices.Backward(rows) {
		if r, err := v.Record(row); err == nil {
			return r.Version + uint32(len(rows)-1-i)
		}
	}
	return uint32(len(rows))
}

// findDamaged is what an op of the log is applied to when its memory cannot be read. It was found when the op was
// decided, so it is there.
func (tx *Tx) findDamaged(id string, cause error) (Found, error) {
	entry, ok := tx.s.entryByHash(hashString(id))
	if !ok {
		return Found{}, fmt.Errorf("memory %q: %w: %w", id, errLost, cause)
	}
	return tx.t.found(entry, tx.position), nil
}

// endAt tells where a row ended, if it had by position.
func (s *Space) endAt(row uint32, position uint64) (rowEnd, bool) {
	if c, ok := s.carried[row]; ok {
		return s.carriedEnd(row, c, position)
	}
	end := s.t.ends.End(row)
	if end == 0 || end > position {
		return rowEnd{}, false
	}
	st := s.t.states.At(s.t.facts.At(row).Entry).at(position)
	return rowEnd{position: end, erased: st != nil && st.erased}, true
}

// carriedEnd is endAt for a row that was not loaded: as the state file said, or what became of its memory since.
func (s *Space) carriedEnd(row uint32, c carriedRow, position uint64) (rowEnd, bool) {
	if !c.damaged {
		return c.end, c.ended
	}
	st := s.t.states.At(s.t.facts.At(row).Entry).at(position)
	switch {
	case st == nil:
	case st.erased:
		return rowEnd{position: st.position, erased: true}, true
	case !c.ended && (st.row != row || st.fate.archivedAt != NoTime || st.fate.supersededBy != ""):
		return rowEnd{position: st.position}, true
	}
	return c.end, c.ended
}

// Whole returns an error if some of a memory's versions may be among the rows of which it cannot be told what they are
// of.
func (v *View) Whole(f Found) error {
	if v.s.lost == nil {
		return nil
	}
	rows := v.Versions(f)
	last, err := v.Record(rows[len(rows)-1])
	if err != nil || last.Version == uint32(len(rows)) {
		return err
	}
	return fmt.Errorf("a version of memory %q may be the one that is damaged: %w", last.ID, v.s.lost)
}
