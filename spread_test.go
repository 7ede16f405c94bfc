package engram_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// story: a and b are neighbours in a session, b causes c, d supports c; e is alone.
func story(t *testing.T, s *engram.Space, order []int) {
	t.Helper()
	drafts := []engram.Draft{
		{ID: "a", Content: "the rain began", Session: "s", OccurredAt: day(1)},
		{ID: "b", Content: "the dam broke", Session: "s", OccurredAt: day(2)},
		{ID: "c", Content: "the mill was flooded", Tags: []string{"damage"}, OccurredAt: day(3)},
		{ID: "d", Content: "a photograph of the mill", OccurredAt: day(4)},
		{ID: "e", Content: "plums are purple", OccurredAt: day(5)},
	}
	for _, i := range order {
		if _, err := s.Remember(t.Context(), drafts[i]); err != nil {
			t.Fatal(err)
		}
	}
	half := .5
	for from, l := range map[string]engram.Link{
		"b": {To: "c", Type: "causes", Weight: &half}, "d": {To: "c", Type: "supports"},
	} {
		if err := s.Link(t.Context(), from, l); err != nil {
			t.Fatal(err)
		}
	}
}

func spread(t *testing.T, s *engram.Space, r engram.SpreadRequest) engram.Spreading {
	t.Helper()
	found, err := s.Spread(t.Context(), r)
	if err != nil {
		t.Fatalf("Spread(%+v) = %v", r, err)
	}
	return found
}

func activatedIDs(found engram.Spreading) []string {
	ids := []string{}
	for _, m := range found.Memories {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestSpread(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.space("s")
	story(t, s, []int{0, 1, 2, 3, 4})
	all := spread(t, s, engram.SpreadRequest{IDs: []string{"a"}})
	if got := activatedIDs(all); !reflect.DeepEqual(got, []string{"b", "c", "d"}) {
		t.Errorf("a brings to mind %v, want b c d", got)
	}
	want := []engram.PathStep{
		{ID: "a"},
		{ID: "b", Type: "next", Weight: 1},
		{ID: "c", Type: "causes", Weight: .5},
		{ID: "d", Type: "supports", Weight: .8, Incoming: true},
	}
	if got := all.Memories[2].Path; !reflect.DeepEqual(got, want) {
		t.Errorf("path = %+v, want %+v", got, want)
	}
	for _, c := range []struct {
		name string
		r    engram.SpreadRequest
		want []string
	}{
		{"sessions only", engram.SpreadRequest{IDs: []string{"a"}, Types: []string{"session"}}, []string{"b"}},
		{"one type", engram.SpreadRequest{IDs: []string{"b"}, Types: []string{"causes"}}, []string{"c"}},
		{"the other end", engram.SpreadRequest{IDs: []string{"c"}, Types: []string{"causes"}}, []string{"b"}},
		{"filtered", engram.SpreadRequest{IDs: []string{"a"}, Tags: []string{"damage"}}, []string{"c"}},
		{"limited", engram.SpreadRequest{IDs: []string{"a"}, Limit: 1}, []string{"b"}},
		// a gives all to b and d all to c; c gives b .5 of 1.3 and b gives c .5 of 1.5.
		{"from two", engram.SpreadRequest{IDs: []string{"a", "d"}}, []string{"b", "c"}},
		{"alone", engram.SpreadRequest{IDs: []string{"e"}}, []string{}},
		{"unknown type", engram.SpreadRequest{IDs: []string{"a"}, Types: []string{"x"}}, []string{}},
	} {
		if got := activatedIDs(spread(t, s, c.r)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	after := spread(t, w.space("s"), engram.SpreadRequest{IDs: []string{"a"}})
	for i := range after.Memories {
		after.Memories[i].Tier = all.Memories[i].Tier
	}
	if !reflect.DeepEqual(after, all) {
		t.Errorf("after a restart: %+v, before: %+v", after, all)
	}
	other := w.space("t")
	story(t, other, []int{4, 2, 3, 1, 0})
	again := spread(t, other, engram.SpreadRequest{IDs: []string{"a"}})
	for i, m := range again.Memories {
		if m.ID != all.Memories[i].ID || m.Pi != all.Memories[i].Pi ||
			!reflect.DeepEqual(m.Path, all.Memories[i].Path) {
			t.Errorf("stored in another order: %+v, want %+v", m, all.Memories[i])
		}
	}
}

func TestSpreadGoesOverWhatExists(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.space("s")
	story(t, s, []int{0, 1, 2, 3, 4})
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"b"}}); err != nil {
		t.Fatal(err)
	}
	if got := activatedIDs(spread(t, s, engram.SpreadRequest{IDs: []string{"a"}})); len(got) != 0 {
		t.Errorf("over an archived memory it comes to %v", got)
	}
	var invalid *engram.InvalidError
	_, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"a", "b"}})
	if !errors.As(err, &invalid) || invalid.Field != "ids[1]" {
		t.Errorf("Spread(archived) = %v, want an InvalidError of ids[1]", err)
	}
	_, err = s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"nobody"}})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Spread(nobody) = %v, want ErrNotFound", err)
	}
	for _, r := range []engram.SpreadRequest{
		{},
		{IDs: []string{"a", "a"}},
		{IDs: []string{""}},
		{IDs: []string{"a"}, Limit: -1},
		{IDs: []string{"a"}, Types: []string{"x", "x"}},
		{IDs: []string{"a"}, MinConfidence: 2},
		{IDs: []string{"a"}, From: day(2), To: day(1)},
	} {
		if _, err := s.Spread(t.Context(), r); !errors.As(err, &invalid) {
			t.Errorf("Spread(%+v) = %v, want an InvalidError", r, err)
		}
	}
	_, err = s.Remember(t.Context(), engram.Draft{ID: "f", Content: "soon gone", ExpiresAt: day(1).Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(2))
	if _, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"f"}}); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("Spread(expired) = %v, want ErrNotFound", err)
	}
}

// TestAnotherLinkTakesFromAllOthers (P2) goes through the API: with one more association of the cue everything else
// that the cue brings to mind is less active, and the hub that grew so floods nothing.
func TestAnotherLinkTakesFromAllOthers(t *testing.T) {
	s := newWorld(t, engram.Options{}).space("s")
	link := func(from, to string) {
		t.Helper()
		if err := s.Link(t.Context(), from, engram.Link{To: to}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		_, err := s.Remember(t.Context(), engram.Draft{
			ID: fmt.Sprint("m", i), Content: fmt.Sprint("memory number ", i),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i < 10; i++ {
		link("m0", fmt.Sprint("m", i))
		link(fmt.Sprint("m", i), fmt.Sprint("m", i+10))
	}
	before := map[string]float64{}
	for _, m := range spread(t, s, engram.SpreadRequest{IDs: []string{"m0"}, Limit: 100}).Memories {
		before[m.ID] = m.Pi
	}
	link("m0", "m30")
	after := spread(t, s, engram.SpreadRequest{IDs: []string{"m0"}, Limit: 100})
	if len(before) != 18 || len(after.Memories) != 19 {
		t.Fatalf("%d and %d memories, want 18 and 19", len(before), len(after.Memories))
	}
	sum := after.Residual
	for _, m := range after.Memories {
		sum += m.Pi
		if was, ok := before[m.ID]; ok && !(m.Pi < was) {
			t.Errorf("%s had %v and has %v", m.ID, was, m.Pi)
		}
	}
	if sum > 1 || math.IsNaN(sum) {
		t.Errorf("activation adds up to %v", sum)
	}
}
