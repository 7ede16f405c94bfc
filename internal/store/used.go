package store

import (
	"cmp"
	"slices"
	"strings"
)

// usedKept is how many of the memories that were used last a view knows: more than are asked for, so that some may
// have been archived or erased since. Chosen.
const usedKept = 64

// use is when a memory was last used.
type use struct {
	entry uint32
	at    int64
}

// noteUse puts an entry in its place among those used last, newest first. Views share the list, so it is copied. It is
// derived from the states of memories: whatever keeps these keeps it.
func (v *View) noteUse(entry uint32, d *Dynamics) {
	if d == nil || d.State.LastUse <= d.State.Since {
		return // never used
	}
	used := make([]use, 0, min(len(v.used)+1, usedKept+1))
	for _, u := range v.used {
		if u.entry != entry {
			used = append(used, u)
		}
	}
	own := use{entry: entry, at: d.State.LastUse}
	at, _ := slices.BinarySearchFunc(used, own, func(a, b use) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.entry, b.entry))
	})
	used = slices.Insert(used, at, own)
	v.used = used[:min(len(used), usedKept)]
}

// Used is a current memory that was used, or told again, and when: nanoseconds since 1970 UTC.
type Used struct {
	Row uint32
	At  int64
	id  string
}

// RecentlyUsed lists the current memories that were used last, newest first and by id where that is the same; at most n.
// Those whose id cannot be read are left out.
func (v *View) RecentlyUsed(n int) []Used {
	var out []Used
	for _, u := range v.used {
		st := v.s.t.state(u.entry, v.Position)
		if st.erased || !v.current(st.row) {
			continue
		}
		if id, err := v.ID(st.row); err == nil {
			out = append(out, Used{Row: st.row, At: u.at, id: id})
		}
	}
	slices.SortFunc(out, func(a, b Used) int { return cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(a.id, b.id)) })
	return out[:min(n, len(out))]
}
