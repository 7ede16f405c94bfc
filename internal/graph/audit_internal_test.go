package graph

import (
	"slices"
	"testing"
)

// TestLopsided: an association that one end does not have, or has with another weight, shows at the end that was
// pointed at; a count that is wrong at the entry that it is of. What is whole, ended or of an entry with itself does
// not show.
func TestLopsided(t *testing.T) {
	whole := func() *Links {
		l := NewLinks()
		l.Set(0, 1, "about", .5, 1)
		l.Set(1, 2, "about", .25, 1)
		l.Set(1, 2, "after", .25, 2)
		l.Set(3, 3, "self", 1, 2)
		l.Set(2, 0, "about", 1, 3)
		l.Remove(2, 0, "about", 4)
		return l
	}
	for _, c := range []struct {
		name   string
		change func(*Links)
		want   []uint32
	}{
		{"whole", func(*Links) {}, nil},
		{"lost at the end that made it", func(l *Links) { l.load(0).spans[0].ended.Store(0) }, []uint32{0, 1}},
		{"lost at the other end", func(l *Links) { l.load(1).spans[0].ended.Store(0) }, []uint32{1}},
		{"another weight", func(l *Links) { l.load(1).arcs[0].weight = .75 }, []uint32{1}},
		{"another type", func(l *Links) { l.load(1).arcs[0].kind ^= 2 }, []uint32{1}},
		{"leads nowhere", func(l *Links) { l.load(0).arcs[0].to = 99 }, []uint32{0, 1}},
		{"counted wrong", func(l *Links) { l.degrees.At(3).set(2, 4) }, []uint32{3}},
	} {
		l := whole()
		c.change(l)
		if got := l.Lopsided(4, 4); !slices.Equal(got, c.want) {
			t.Errorf("%s: Lopsided = %d, want %d", c.name, got, c.want)
		}
	}
}
