package store

import (
	"cmp"
	"slices"
	"strings"
)

// What a view knows of the memories that were used last: more than are asked for, so that some may have been archived
// or erased since. Chosen.
const (
	usedKept   = 256
	usedDuring = 32 // of one session
)

// use is when a memory was last used, and in which session.
type use struct {
	entry  uint32
	during uint32
	at     int64
}

// used is what a life says of when its memory was last used; false if it never was.
func (l *life) used(entry uint32) (use, bool) {
	if l == nil || l.lastUse <= l.since {
		return use{}, false
	}
	u := use{entry: entry, at: l.lastUse}
	if l.more != nil {
		u.during = l.more.during
	}
	return u, true
}

// noteUse puts an entry in its place among those used last, newest first. Views share the list, so it is copied. It is
// derived from the states of memories: whatever keeps these keeps it.
func (v *View) noteUse(entry uint32, l *life) {
	own, ok := l.used(entry)
	if !ok {
		return
	}
	used := make([]use, 0, min(len(v.used)+1, usedKept+1))
	for _, u := range v.used {
		if u.entry != entry {
			used = append(used, u)
		}
	}
	at, _ := slices.BinarySearchFunc(used, own, func(a, b use) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.entry, b.entry))
	})
	used = slices.Insert(used, at, own)
	last, n := len(used)-1, 0
	for i, u := range used {
		if u.during != own.during {
			continue
		}
		if n++; n > usedDuring {
			last = i
		}
	}
	if n > usedDuring || len(used) > usedKept {
		used = slices.Delete(used, last, last+1)
	}
	v.used = used
}

// Used is a current memory that was used, or told again, and when: nanoseconds since 1970 UTC.
type Used struct {
	Row uint32
	At  int64
	id  string
}

// RecentlyUsed lists the current memories that were used last, newest first and by id where that is the same; at most
// n. With a session they are those that were of use in it. Those whose id cannot be read are left out.
func (v *View) RecentlyUsed(n int, session string) []Used {
	during := v.Symbol(session)
	var out []Used
	for _, u := range v.used {
		st := v.s.t.state(u.entry, v.Position)
		if st.erased || !v.current(st.row) || session != "" && u.during != during {
			continue
		}
		if id, err := v.ID(st.row); err == nil {
			out = append(out, Used{Row: st.row, At: u.at, id: id})
		}
	}
	return newest(out, n)
}

// newest sorts what was used and cuts it.
func newest(used []Used, n int) []Used {
	slices.SortFunc(used, func(a, b Used) int { return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(a.id, b.id)) })
	return used[:min(n, len(used))]
}

// UsedAsOf is RecentlyUsed as it was at an instant. It goes through all memories of which somebody said something.
func (v *View) UsedAsOf(p Past, n int, session string) []Used {
	if v.Touched == 0 {
		return nil
	}
	during := v.Symbol(session)
	var found []use
	for entry := range v.Entries {
		st := v.s.t.states.At(entry).at(v.Position)
		if st == nil || st.life == nil {
			continue
		}
		u, ok := st.life.asOf(p.At).used(entry)
		if !ok || session != "" && u.during != during {
			continue
		}
		if _, there := v.rowAsOf(entry, p); there {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, func(a, b use) int { return cmp.Compare(b.at, a.at) })
	var out []Used
	for i, u := range found {
		if i >= n && u.at != found[i-1].at { // those of one instant are told apart by their ids
			break
		}
		row, _ := v.rowAsOf(u.entry, p)
		if id, err := v.ID(row); err == nil {
			out = append(out, Used{Row: row, At: u.at, id: id})
		}
	}
	return newest(out, n)
}
