package engram_test

import (
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestWhatReplacesTakesOver: whichever way a memory is replaced, what replaces it is brought to mind by what the old
// one belonged to. Not by what contradicted the old one; and what its writer says of an association stands.
func TestWhatReplacesTakesOver(t *testing.T) {
	text := "The ferry leaves at eight"
	for name, replace := range map[string]func(s *engram.Space) string{
		"supersedes": func(s *engram.Space) string {
			return remember(t, s, engram.Draft{
				Content: text, Supersedes: []string{"a"}, Links: []engram.Link{{To: "own", Weight: new(.3)}},
			}).ID
		},
		"update by use": func(s *engram.Space) string {
			out, err := s.Update(t.Context(), "a", engram.Change{Content: &text, Mode: engram.UpdateByUse})
			if err != nil {
				t.Fatal(err)
			}
			return out.ID
		},
		"update that replaces": func(s *engram.Space) string {
			out, err := s.Update(t.Context(), "a", engram.Change{Content: &text, Mode: engram.UpdateReplace})
			if err != nil {
				t.Fatal(err)
			}
			return out.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, engram.Options{})
			s := w.def()
			for id, content := range map[string]string{
				"in": "Tavira has a market", "out": "gulls", "own": "plums", "other side": "The ferry never leaves",
			} {
				remember(t, s, engram.Draft{ID: id, Content: content})
			}
			remember(t, s, engram.Draft{
				ID: "a", Content: "The ferry leaves at seven", Contradicts: []string{"other side"},
				Links: []engram.Link{{To: "out", Type: "causes", Weight: new(.5)}, {To: "own", Weight: new(.9)}},
			})
			if err := s.Link(t.Context(), "in", engram.Link{To: "a", Weight: new(.7)}); err != nil {
				t.Fatal(err)
			}
			w.clock.set(day(3))
			id := replace(s)
			own := .9
			if name == "supersedes" {
				own = .3
			}
			w.stages(func(s *engram.Space) {
				m, err := s.Get(t.Context(), id)
				want(t, "associations", []any{m.Links, err}, []any{[]engram.Association{
					{To: "in", Type: "relates_to", Weight: .7, Incoming: true},
					{To: "out", Type: "causes", Weight: .5},
					{To: "own", Type: "relates_to", Weight: own},
				}, nil})
				for _, from := range []string{"in", "out", "own"} {
					mind := activatedIDs(spread(t, s, engram.SpreadRequest{IDs: []string{from}}))
					want(t, "what "+from+" brings to mind", mind[0], id)
				}
				old, err := s.Get(t.Context(), "a")
				want(t, "associations of the old one", []any{len(old.Links), err}, []any{4, nil})
			})
			s = w.def()
			if removed, err := s.Unlink(t.Context(), "in", id, ""); err != nil || !removed {
				t.Errorf("Unlink = %v, %v", removed, err)
			}
			// Told again, it takes nothing over again.
			remember(t, s, engram.Draft{Content: text, Supersedes: []string{"a"}, OccurredAt: day(3)})
			m, err := s.Get(t.Context(), id)
			want(t, "told again", []any{len(m.Links), err}, []any{2, nil})
		})
	}
}

// TestReplacingAConceptTakesOver: what replaces a memory for which a concept stands takes over what all of the
// concept's members belonged to.
func TestReplacingAConceptTakesOver(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for i, text := range []string{
		"Ada keeps the green bicycle in the shed", "the green bicycle Ada keeps in the shed",
		"in the shed Ada keeps the green bicycle",
	} {
		id := string(rune('x' + i))
		remember(t, s, engram.Draft{ID: "of " + id, Content: "note " + id})
		remember(t, s, engram.Draft{ID: id, Content: text, Links: []engram.Link{{To: "of " + id}}})
	}
	want(t, "archived", consolidateIn(t, s, engram.ConsolidateOptions{}).Archived, 3)
	remember(t, s, engram.Draft{
		ID: "new", Content: "Ada keeps the green bicycle in the garage", Supersedes: []string{"x"},
	})
	m, err := s.Get(t.Context(), "new")
	want(t, "associations", []any{m.Links, err}, []any{[]engram.Association{
		{To: "of x", Type: "relates_to", Weight: .8},
		{To: "of y", Type: "relates_to", Weight: .8},
		{To: "of z", Type: "relates_to", Weight: .8},
	}, nil})
}
