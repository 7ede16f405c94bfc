package engram_test

import (
	"errors"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// An expired memory is gone: whoever remembers its content or its id again gets a new memory that is seen.
func TestRememberReplacesTheExpired(t *testing.T) {
	tests := []struct {
		name  string
		again engram.Draft
	}{
		{"same content", engram.Draft{Content: "The code is blue."}},
		{"same id, same content", engram.Draft{ID: "a", Content: "The code is blue."}},
		{"same id, other content", engram.Draft{ID: "a", Content: "The code is green."}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, engram.Options{})
			remember(t, w.def(), engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
			remember(t, w.def(), engram.Draft{ID: "b", Content: "Bo knows it.", Links: []engram.Link{{To: "a"}}})
			w.clock.set(day(3))
			out, err := w.def().RememberBatch(t.Context(), []engram.Draft{tt.again, {Content: "Something else."}})
			if err != nil || out[0].Result != engram.Created || out[0].Version != 1 {
				t.Fatalf("RememberBatch = %+v, %v", out, err)
			}
			for range 2 {
				got, err := w.def().Get(t.Context(), out[0].ID)
				if err != nil || got.Content != tt.again.Content || got.Reinforced != 0 || len(got.Links) != 0 {
					t.Fatalf("Get = %+v, %v", got, err)
				}
				if !got.CreatedAt.Equal(day(3)) {
					t.Errorf("the memory is the old one")
				}
				w.reopen()
			}
		})
	}
}

// A batch that fails leaves the expired memory as it was: erasing it was part of the batch.
func TestFailedBatchErasesNothing(t *testing.T) {
	w := newWorld(t, engram.Options{})
	remember(t, w.def(), engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
	w.clock.set(day(4))
	_, err := w.def().RememberBatch(t.Context(), []engram.Draft{
		{ID: "a", Content: "The code is green."}, {Content: "x", Links: []engram.Link{{To: "nobody"}}},
	})
	if !errors.Is(err, engram.ErrNotFound) {
		t.Fatalf("RememberBatch = %v", err)
	}
	w.clock.set(day(2))
	if got, err := w.def().Get(t.Context(), "a"); err != nil || got.Content != "The code is blue." {
		t.Errorf("Get = %+v, %v", got, err)
	}
}

// Import treats an expired memory of the same id as gone, but not the expired version of the memory that it restores:
// a later version may have put off the end.
func TestImportReplacesTheExpired(t *testing.T) {
	w := newWorld(t, engram.Options{})
	from, to := w.space("from"), w.space("to")
	remember(t, from, engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
	later := day(20)
	if _, err := from.Update(t.Context(), "a", engram.Change{ExpiresAt: &later}); err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	if _, err := from.Export(t.Context(), &lines); err != nil {
		t.Fatal(err)
	}
	w.clock.set(day(2))
	remember(t, to, engram.Draft{ID: "a", Content: "Something else altogether.", ExpiresAt: day(4)})
	remember(t, to, engram.Draft{ID: "d", Content: "A draft.", ExpiresAt: day(4)})
	w.clock.set(day(5))
	lines.WriteString(`{"content":"A draft."}` + "\n")
	report, err := to.Import(t.Context(), strings.NewReader(lines.String()), engram.ImportOptions{})
	if err != nil || report.BadCount != 0 || report.Created != 2 || report.Versions != 1 {
		t.Fatalf("Import = %+v, %v", report, err)
	}
	versions, err := to.History(t.Context(), "a")
	if err != nil || len(versions) != 2 || versions[1].Content != "The code is blue." {
		t.Errorf("History = %+v, %v", versions, err)
	}
	report, err = to.Import(t.Context(), strings.NewReader(lines.String()), engram.ImportOptions{})
	if err != nil || report.BadCount != 0 || report.Created != 0 {
		t.Errorf("second Import = %+v, %v", report, err)
	}
}
