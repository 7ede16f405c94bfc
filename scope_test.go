package engram_test

import (
	"errors"
	"fmt"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// TestRefusedContentCanBeRemembered: a write that was refused leaves nothing that a later write with the same content,
// which is found by its content for lack of an id, could stumble over.
func TestRefusedContentCanBeRemembered(t *testing.T) {
	for name, refused := range map[string][]engram.Draft{
		"a link to nobody":        {{Content: "Tea at four.", Links: []engram.Link{{To: "nobody"}}}},
		"nobody to supersede":     {{Content: "Tea at four.", Supersedes: []string{"nobody"}}},
		"nobody to contradict":    {{Content: "Tea at four.", Contradicts: []string{"nobody"}}},
		"a batch with a conflict": {{Content: "Tea at four."}, {ID: "taken", Content: "Other."}},
		"a batch of the same twice": {
			{Content: "Tea at four."}, {Content: "Tea at four."}, {ID: "taken", Content: "Other."},
		},
	} {
		w := newWorld(t, engram.Options{})
		s := w.def()
		remember(t, s, engram.Draft{ID: "taken", Content: "Held."})
		for range 3 {
			_, err := s.RememberBatch(t.Context(), refused)
			if !errors.Is(err, engram.ErrNotFound) && !errors.Is(err, engram.ErrConflict) {
				t.Fatalf("%s = %v, want not found or a conflict", name, err)
			}
		}
		first := remember(t, s, engram.Draft{Content: "Tea at four."})
		want(t, name+": outcome", first.Result, engram.Created)
		again := remember(t, s, engram.Draft{Content: "Tea at four."})
		want(t, name+": outcome again", again.Result, engram.Reinforced)
		want(t, name+": id", again.ID, first.ID)
		w.reopen()
		want(t, name+": id, reopened", remember(t, w.def(), engram.Draft{Content: "Tea at four."}).ID, first.ID)
	}
}

// TestOldestIsReinforced: which of several memories with the same content is met again depends on their order alone,
// and not on how the index of contents lies, which differs from content to content and changes when it grows.
func TestOldestIsReinforced(t *testing.T) {
	w := newWorld(t, engram.Options{})
	for i := range 64 {
		s := w.space(fmt.Sprintf("s%d", i))
		same := engram.Draft{Content: fmt.Sprintf("Tea at %d.", i)}
		for _, id := range []string{"z", "a", "m"} {
			d := same
			d.ID = id
			remember(t, s, d)
		}
		var others []engram.Draft
		for j := range 40 {
			others = append(others, engram.Draft{Content: fmt.Sprintf("Remark %d.", j)})
		}
		if _, err := s.RememberBatch(t.Context(), others); err != nil {
			t.Fatal(err)
		}
		want(t, same.Content, remember(t, s, same).ID, "z")
	}
}

// TestExpiredContentWithVersions: a memory that was changed without its content being changed, and then expired, makes
// room for the same content.
func TestExpiredContentWithVersions(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "old", Content: "Tea at four.", ExpiresAt: day(2)})
	if _, err := s.Update(t.Context(), "old", engram.Change{Pin: new(true)}); err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(3))
	want(t, "outcome", remember(t, s, engram.Draft{Content: "Tea at four."}).Result, engram.Created)
}
