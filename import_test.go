package engram_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// importLines imports lines into a space and gives the report.
func importLines(t *testing.T, s *engram.Space, o engram.ImportOptions, lines ...string) (engram.ImportReport, error) {
	t.Helper()
	return s.Import(t.Context(), strings.NewReader(strings.Join(lines, "\n")), o)
}

func badLines(r engram.ImportReport) (numbers []int) {
	for _, b := range r.Bad {
		numbers = append(numbers, b.Line)
	}
	return numbers
}

// TestBadLinesStopNothing: whatever is wrong with a line, be it seen before anything of it was staged or after, is
// reported with the line's number, and the lines before and behind it are stored.
func TestBadLinesStopNothing(t *testing.T) {
	const past = `"occurred_at":"2026-03-01T09:00:00Z","created_at":"2026-03-01T09:00:00Z","updated_at":"2026-03-01T09:00:00Z"`
	for name, bad := range map[string]string{
		"a memory that supersedes itself, by its content": `{"content":"AAA","supersedes":["x"]}`,
		"other content under a known id":                  `{"content":"BBB","id":"x"}`,
		"supersedes nobody":                               `{"content":"CCC","supersedes":["nobody"]}`,
		"supersedes what was superseded":                  `{"content":"DDD","supersedes":["gone"]}`,
		"supersedes the same twice":                       `{"content":"EEE","supersedes":["x","x"]}`,
		"a key that stands for something else":            `{"content":"FFF","idempotency_key":"k"}`,
		"a vector of another dimension":                   `{"content":"GGG","embedding":[1,2,3,4,5,6,7,8,9]}`,
		"a vector of another model":                       `{"content":"HHH","embedding":[1,2,3,4,5,6,7,8],"embedding_model":"other"}`,
		"a version of another model":                      `{"id":"y","version":1,` + past + `,"content":"HHH","embedding":[1,2,3,4,5,6,7,8],"embedding_model":"other"}`,
		"an older version":                                `{"id":"x","version":1,` + past + `,"content":"other"}`,
		"no JSON":                                         `{"content":`,
	} {
		for _, strict := range []bool{false, true} {
			w := newWorld(t, engram.Options{EmbeddingModel: "mine"})
			s := w.def()
			remember(t, s, engram.Draft{ID: "gone", Content: "gone", Embedding: make8(1), IdempotencyKey: "k"})
			remember(t, s, engram.Draft{ID: "heir", Content: "heir", Supersedes: []string{"gone"}})
			report, err := importLines(t, s, engram.ImportOptions{Strict: strict},
				`{"content":"AAA","id":"x"}`, `{"content":"first"}`, `{"content":"later","links":[{"to":"z"}]}`, bad,
				`{"content":"second"}`, `{"id":"z","content":"third"}`)
			want(t, name+": bad", badLines(report)[:1], []int{4})
			counts := []int{report.Created, report.BadCount}
			stats, statsErr := s.Stats(t.Context())
			if statsErr != nil {
				t.Fatal(statsErr)
			}
			if strict {
				if !errors.Is(err, engram.ErrInvalid) || !strings.Contains(fmt.Sprint(err), "line 4") {
					t.Errorf("%s: strict import = %v, want an error that names line 4", name, err)
				}
				// The link of line 3 leads to a line that was not read.
				want(t, name+": strictly created, bad, stored", append(counts, stats.Memories), []int{3, 2, 5})
				continue
			}
			if err != nil {
				t.Errorf("%s: import = %v", name, err)
			}
			want(t, name+": created, bad, stored", append(counts, stats.Memories), []int{5, 1, 7})
			want(t, name+": links", report.Links, 1)
		}
	}
}

// TestManyBadLines: bad lines that are seen late, in several batches.
func TestManyBadLines(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	lines := []string{`{"content":"AAA","id":"x"}`}
	var bad []int
	for i := range 600 {
		if i%50 == 49 {
			lines = append(lines, `{"content":"AAA","supersedes":["x"]}`)
			bad = append(bad, len(lines))
		}
		lines = append(lines, fmt.Sprintf(`{"content":"note %d"}`, i))
	}
	report, err := importLines(t, s, engram.ImportOptions{}, lines...)
	if err != nil {
		t.Fatalf("Import = %v", err)
	}
	want(t, "bad", badLines(report), bad)
	want(t, "created", report.Created, 601)
	again, err := importLines(t, s, engram.ImportOptions{}, lines...)
	if err != nil {
		t.Fatalf("Import again = %v", err)
	}
	want(t, "created again", again.Created, 0)
	want(t, "bad again", badLines(again), bad)
}
