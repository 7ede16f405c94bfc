package store_test

import (
	"testing"

	"github.com/orchard9/engram-go/internal/store"
)

// TestOffsetsThatCannotBeStated: earlier versions stored any offset from UTC. One that RFC 3339 cannot state is read as
// none, of the same instant, from the log and from a segment.
func TestOffsetsThatCannotBeStated(t *testing.T) {
	fsys := newFS(t)
	s := mustOpen(t, fsys)
	b := newBook()
	offsets := map[string]struct{ stored, read int32 }{
		"m1": {3600, 3600}, "m2": {-86340, -86340}, "m3": {86400, 0}, "m4": {-86400, 0}, "m5": {4772, 0},
		"m6": {90000, 0},
	}
	for id, o := range offsets {
		a := b.put(id)
		a.version.Record.OccurredAt.Offset = o.stored
		if err := write(s, []action{a}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string) {
		t.Helper()
		for id, o := range offsets {
			var r store.Record
			if _, err := s.View().Get(id, 1, &r); err != nil {
				t.Fatal(err)
			}
			if r.OccurredAt.Offset != o.read {
				t.Errorf("%s: offset %d is read as %d, want %d", what, o.stored, r.OccurredAt.Offset, o.read)
			}
			if _, err := r.OccurredAt.Go().MarshalJSON(); err != nil {
				t.Errorf("%s: offset %d: %v", what, o.stored, err)
			}
		}
	}
	check("written")
	mustClose(t, s)
	s = mustOpen(t, fsys)
	check("replayed")
	mustSeal(t, s)
	check("sealed")
	verified(t, s)
	mustClose(t, s)
}
