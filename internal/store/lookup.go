package store

import "github.com/orchard9/engram-go/internal/graph"

// Key finds what a write with this idempotency key did. Unlike the rest of a view, keys are as they are now.
func (v *View) Key(name string) (Key, bool) {
	t := v.s.t
	var found *keyCell
	t.keys.Find(hashString(name), func(at uint32) bool {
		k := t.keyList.Get(at)
		if k != nil && k.Name == name && k.gone.Load() == 0 {
			found = k
		}
		return found != nil
	})
	if found == nil {
		return Key{}, false
	}
	return found.Key, true
}

// CountLinks counts a memory's explicit associations of a type in one direction, without reading the other memories.
func (v *View) CountLinks(f Found, linkType string, outgoing bool) int {
	n := 0
	for _, e := range v.s.t.links.Edges(f.entry, v.Position) {
		if e.Type == linkType && e.Outgoing == outgoing {
			n++
		}
	}
	return n
}

// Following lists up to n memories that come after f in its session and that keep accepts, nearest first, archived and
// superseded ones included.
func (v *View) Following(f Found, n int, keep func(Found) bool) []Found {
	t := v.s.t
	stands := func(row uint32) bool {
		if row >= v.Rows || t.ends.End(row) == 0 {
			return false
		}
		st := t.state(t.facts.At(row).Entry, v.Position)
		return !st.erased && st.row == row
	}
	var out []Found
	for row := f.Row; len(out) < n; {
		next, ok := t.chain.Next(row, stands)
		if !ok {
			break
		}
		if found := v.Fate(next); keep(found) {
			out = append(out, found)
		}
		row = next
	}
	return out
}

// LinkWeight is the weight of the association of that type from one memory to another, false if there is none.
func (v *View) LinkWeight(from, to Found, linkType string) (weight float32, ok bool) {
	v.s.t.links.Each(from.entry, v.Position, func(e graph.Edge) bool {
		if e.Outgoing && e.To == to.entry && e.Type == linkType {
			weight, ok = e.Weight, true
		}
		return !ok
	})
	return weight, ok
}
