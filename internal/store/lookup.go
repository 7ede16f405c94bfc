package store

// Key finds what a write with this idempotency key did. Unlike the rest of a view, keys are as they are now.
func (v *View) Key(name string) (Key, bool) {
	t := v.s.t
	place, ok := t.keys.Find(hashString(name), func(at uint32) bool { return t.keyList.Get(at).Name == name })
	if !ok {
		return Key{}, false
	}
	return t.keyList.Get(place), true
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
