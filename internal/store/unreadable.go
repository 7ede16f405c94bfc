package store

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/orchard9/engram-go/internal/isolate"
)

// Rows that could not be read are remembered: recall passes them over and answers say so, so that one damaged memory
// costs the answers that it would be in nothing else. A row that can be read again is forgotten here.

// maxUnreadable bounds how many are remembered. Beyond it a damaged row is met again by each answer that it is in.
const maxUnreadable = 10_000

// unreadable is a set of rows. Readers take no lock.
type unreadable struct {
	mu    sync.Mutex               // held to change
	rows  atomic.Pointer[[]uint32] // ascending; nil if there is none
	noted atomic.Int64             // how often one was added
}

func (u *unreadable) all() []uint32 {
	if rows := u.rows.Load(); rows != nil {
		return *rows
	}
	return nil
}

func (u *unreadable) has(row uint32) bool {
	_, found := slices.BinarySearch(u.all(), row)
	return found
}

// set adds a row, or takes it out.
func (u *unreadable) set(row uint32, bad bool) {
	if u.has(row) == bad {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	rows := u.all()
	at, found := slices.BinarySearch(rows, row)
	switch {
	case found == bad, bad && len(rows) >= maxUnreadable:
		return
	case bad:
		rows = slices.Insert(slices.Clone(rows), at, row)
		u.noted.Add(1)
	default:
		rows = slices.Delete(slices.Clone(rows), at, at+1)
	}
	u.rows.Store(&rows)
}

// noteRow remembers whether a sealed row could be read.
func (s *Space) noteRow(row uint32, err error) {
	if err == nil {
		if s.unread.rows.Load() != nil {
			s.unread.set(row, false)
		}
		return
	}
	if isolate.Off("quarantine") {
		return
	}
	s.noteDamage(err)
	if isCorrupt(err) {
		s.unread.set(row, true)
	}
}

// Readable is false if the row could not be read when that was last tried.
func (v *View) Readable(row uint32) bool {
	return v.s.unread.rows.Load() == nil || !v.s.unread.has(row)
}

// AllReadable reports whether every row is Readable.
func (v *View) AllReadable() bool { return len(v.s.unread.all()) == 0 }

// Noted counts how often a row was found that cannot be read. It only grows.
func (v *View) Noted() int64 { return v.s.unread.noted.Load() }

// Lost is why there may be memories of which nothing is known but that they are lost; nil if there are none.
func (v *View) Lost() error { return v.s.lost }

// VectorsLost is why there may be vectors that no scan finds, since it is not known which rows they are for; nil if
// there are none.
func (v *View) VectorsLost() error {
	if v.serving == nil {
		return nil
	}
	return v.serving.lost
}

// Unreadable lists why current memories cannot be read, at most n reasons, in the order of their rows. The first may be
// that of memories of which nothing is known but that they are lost.
func (v *View) Unreadable(n int) (reasons []error) {
	if v.s.lost != nil {
		reasons = append(reasons, v.s.lost)
	}
	for _, row := range v.s.unread.all() {
		if len(reasons) >= n {
			break
		}
		if row >= v.Rows {
			continue
		}
		st := v.s.t.state(v.s.t.facts.At(row).Entry, v.Position)
		if st.row != row || st.erased || st.fate.archivedAt != NoTime || st.fate.supersededBy != "" {
			continue
		}
		if err := v.read(row, func([]byte) error { return nil }); err != nil {
			reasons = append(reasons, err)
		}
	}
	return reasons
}
