package store

import (
	"math"

	"github.com/orchard9/engram-go/internal/graph"
)

// Key finds what a write with this idempotency key did, the last one if there were several. Unlike the rest of a view,
// keys are as they are now.
func (v *View) Key(name string) (Key, bool) {
	k, _ := v.s.t.key(name)
	if k == nil {
		return Key{}, false
	}
	return k.Key, true
}

// key finds the last key of a name, and its place; nil if there is none.
func (t *table) key(name string) (found *keyCell, place uint32) {
	t.keys.Find(hashString(name), func(at uint32) bool {
		k := t.keyList.Get(at)
		if k != nil && k.Name == name && k.gone.Load() == 0 && (found == nil || at > place) {
			found, place = k, at
		}
		return false
	})
	return found, place
}

// Keys lists the keys of a space, oldest first, as they are now.
func (v *View) Keys() []Key {
	v.s.mu.Lock()
	n := v.s.nextKey
	v.s.mu.Unlock()
	var out []Key
	for i := range n {
		k := v.s.t.keyList.Get(i)
		if k == nil || k.gone.Load() != 0 {
			continue
		}
		if _, last := v.s.t.key(k.Name); last == i {
			out = append(out, k.Key)
		}
	}
	return out
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

// Degree counts a memory's explicit associations, of every type and in both directions.
func (v *View) Degree(f Found) int { return v.s.t.links.Degree(f.entry, v.Position, math.MaxInt) }

// Following lists up to n memories that come after f in its session and that keep accepts, nearest first, archived and
// superseded ones included. With asOf they and f are what was known then; NoTime is now.
func (v *View) Following(f Found, n int, asOf int64, keep func(Found) bool) []Found {
	t := v.s.t
	at := func(row uint32) (Found, bool) {
		f := v.Fate(row)
		if asOf == NoTime || f.state.erased {
			return f, !f.state.erased
		}
		return v.AsOf(f, asOf)
	}
	stands := func(row uint32) bool {
		if row >= v.Rows || t.ends.End(row) == 0 {
			return false
		}
		f, ok := at(row)
		return ok && f.Row == row
	}
	var out []Found
	for row := f.Row; len(out) < n; {
		next, ok := t.chain.Next(row, stands)
		if !ok {
			break
		}
		if found, _ := at(next); keep(found) {
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
