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
	const (
		past = `"occurred_at":"2026-03-01T09:00:00Z","created_at":"2026-03-01T09:00:00Z",` +
			`"updated_at":"2026-03-01T09:00:00Z"`
		alien = `"embedding":[1,2,3,4,5,6,7,8],"embedding_model":"other"`
	)
	for name, bad := range map[string]string{
		"a memory that supersedes itself, by its content": `{"content":"AAA","supersedes":["x"]}`,
		"other content under a known id":                  `{"content":"BBB","id":"x"}`,
		"supersedes nobody":                               `{"content":"CCC","supersedes":["nobody"]}`,
		"supersedes what was superseded":                  `{"content":"DDD","supersedes":["gone"]}`,
		"supersedes the same twice":                       `{"content":"EEE","supersedes":["x","x"]}`,
		"a key that stands for something else":            `{"content":"FFF","idempotency_key":"k"}`,
		"a vector of another dimension":                   `{"content":"GGG","embedding":[1,2,3,4,5,6,7,8,9]}`,
		"a vector of another model":                       `{"content":"HHH",` + alien + `}`,
		"a version of another model": `{"id":"y","version":1,` + past + "," + alien +
			`,"content":"HHH"}`,
		"an older version": `{"id":"x","version":1,` + past + `,"content":"other"}`,
		"no JSON":          `{"content":`,
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

// TestImportTakesNothingInSilence: a line is taken as it was written, or is bad. It is held to the same rules as a
// request.
func TestImportTakesNothingInSilence(t *testing.T) {
	for name, line := range map[string]string{
		"bytes that are not UTF-8":    "{\"content\":\"a\xff\"}",
		"half of a surrogate pair":    `{"content":"a\ud800"}`,
		"a name in another case":      `{"CONTENT":"a"}`,
		"a name twice":                `{"content":"a","content":"b"}`,
		"null":                        `{"content":"a","tags":null}`,
		"null in a list":              `{"content":"a","tags":[null]}`,
		"a name that is not known":    `{"content":"a","colour":"red"}`,
		"and not in a link":           `{"content":"a","links":[{"to":"b","colour":"red"}]}`,
		"a time that stands for none": `{"content":"a","occurred_at":"0001-01-01T00:00:00Z"}`,
		"a vector in two forms":       `{"content":"a","embedding":[1,2,3,4,5,6,7,8],"embedding_b64":"AAAA"}`,
		"a vector in no form":         `{"content":"a","embedding_b64":"?"}`,
		"a list":                      `["a"]`,
		"something behind it":         `{"content":"a"}{}`,
	} {
		w := newWorld(t, engram.Options{})
		report, err := importLines(t, w.def(), engram.ImportOptions{}, `{"content":"first"}`, line)
		if err != nil {
			t.Fatalf("%s: Import = %v", name, err)
		}
		want(t, name+": bad", badLines(report), []int{2})
		want(t, name+": created", report.Created, 1)
	}
}

func TestImportOfPackedVectors(t *testing.T) {
	w := newWorld(t, engram.Options{})
	report, err := importLines(t, w.def(), engram.ImportOptions{},
		`{"id":"a","content":"x","embedding_b64":"AACAPwAAAEAAAEBAAACAQAAAoEAAAMBAAADgQAAAAEE="}`)
	if err != nil || report.BadCount > 0 {
		t.Fatalf("Import = %+v, %v", report, err)
	}
	m, err := w.def().Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "embedding", m.Embedding, []float32{1, 2, 3, 4, 5, 6, 7, 8})
}

// TestImportTwice: a second import of the same lines changes nothing, but that drafts without an id are met again.
func TestImportTwice(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	lines := []string{
		`{"id":"a","content":"The office is in Porto.","source":"mail","links":[{"to":"c","weight":0.5}]}`,
		`{"id":"b","content":"The office is in Braga.","supersedes":["a"]}`,
		`{"content":"The lease is signed.","supersedes":["b"],"idempotency_key":"k"}`,
		`{"id":"c","content":"Rent is due.","contradicts":["d"]}`,
		`{"id":"d","content":"Rent is paid.","idempotency_key":"l"}`,
		`{"id":"e","content":"Keys are lost.","tags":["x"],"metadata":{"a":"b"},"embedding":[1,2,3,4,5,6,7,8]}`,
	}
	report, err := importLines(t, s, engram.ImportOptions{Strict: true}, lines...)
	if err != nil {
		t.Fatalf("Import = %v", err)
	}
	want(t, "created", report.Created, 6)
	before := exported(t, s)
	w.clock.set(day(2))
	report, err = importLines(t, s, engram.ImportOptions{Strict: true}, lines...)
	if err != nil {
		t.Fatalf("Import again = %v", err)
	}
	want(t, "created, unchanged, reinforced again", []int{report.Created, report.Unchanged, report.Reinforced},
		[]int{0, 6, 0})
	want(t, "export", exported(t, s), before)

	unnamed := []string{`{"content":"Tea at four."}`, `{"content":"Cake at five.","supersedes":["e"]}`}
	for round, counts := range [][]int{{2, 0}, {0, 2}} {
		report, err = importLines(t, s, engram.ImportOptions{Strict: true}, unnamed...)
		if err != nil {
			t.Fatalf("Import of drafts without ids = %v", err)
		}
		want(t, fmt.Sprint("created, reinforced, round ", round), []int{report.Created, report.Reinforced}, counts)
	}
	// Another source is news.
	other := `{"id":"c","content":"Rent is due.","source":"Bo"}`
	for round, counts := range [][]int{{1, 0}, {0, 1}} {
		report, err = importLines(t, s, engram.ImportOptions{Strict: true}, other)
		if err != nil {
			t.Fatalf("Import of what another source says = %v", err)
		}
		want(t, fmt.Sprint("reinforced, unchanged, round ", round), []int{report.Reinforced, report.Unchanged}, counts)
	}
}
