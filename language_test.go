package engram_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// tongue is the language of a memory and whether it was found out.
func tongue(t *testing.T, s *engram.Space, id string) [2]any {
	t.Helper()
	m, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return [2]any{m.Language, m.LanguageDetected}
}

// TestLanguages: the language of each memory is found out or named, kept with the version, and its words are found in
// it, also after reopening and from an export.
func TestLanguages(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "en", Content: "We were at the harbour and it was cold."})
	remember(t, s, engram.Draft{ID: "de", Content: "Wir waren in den Häusern am Hafen, und es war kalt."})
	remember(t, s, engram.Draft{ID: "fr", Content: "Maisons", Language: "French"})
	remember(t, s, engram.Draft{ID: "short", Content: "ok"})
	check := func(what string, s *engram.Space) {
		t.Helper()
		for id, expected := range map[string][2]any{
			"en": {"en", true}, "de": {"de", true}, "fr": {"fr", false}, "short": {"", false},
		} {
			want(t, what+": language of "+id, tongue(t, s, id), expected)
		}
		for question, ids := range map[string][]string{"Haus": {"de"}, "maison": {"fr"}, "harbours": {"en"}} {
			want(t, what+": "+question, recall(t, s, engram.Cue{Text: question}), ids)
		}
	}
	check("at once", s)
	if err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reopen()
	check("sealed and reopened", w.def())
	var export bytes.Buffer
	if _, err := w.def().Export(t.Context(), &export); err != nil {
		t.Fatal(err)
	}
	copied := w.space("copy")
	report, err := copied.Import(t.Context(), &export, engram.ImportOptions{Strict: true})
	if err != nil || report.Created != 4 {
		t.Fatalf("Import = %+v, %v", report, err)
	}
	check("imported", copied)
}

// TestLanguageOfUpdates: a new content is looked at anew, unless somebody named the language.
func TestLanguageOfUpdates(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	german, english := "Das Haus ist alt, und es war nicht teuer.", "The house is old and it was not dear."
	remember(t, s, engram.Draft{ID: "found", Content: english})
	remember(t, s, engram.Draft{ID: "named", Content: english, Language: "sv"})
	for _, step := range []struct {
		id     string
		change engram.Change
		want   [2]any
	}{
		{"found", engram.Change{Content: &german}, [2]any{"de", true}},
		{"found", engram.Change{Tags: &[]string{"t"}}, [2]any{"de", true}},
		{"found", engram.Change{Language: new("it")}, [2]any{"it", false}},
		{"found", engram.Change{Content: &english}, [2]any{"it", false}},
		{"found", engram.Change{Language: new("")}, [2]any{"en", true}},
		{"named", engram.Change{Content: &german}, [2]any{"sv", false}},
	} {
		if _, err := s.Update(t.Context(), step.id, step.change); err != nil {
			t.Fatalf("Update(%s, %+v) = %v", step.id, step.change, err)
		}
		want(t, "language of "+step.id, tongue(t, s, step.id), step.want)
	}
}

// TestLanguageOfASpace: Options.Language is that of all memories that name none; nothing is found out then.
func TestLanguageOfASpace(t *testing.T) {
	w := newWorld(t, engram.Options{Language: "german"})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "The ships and the harbour were cold"})
	remember(t, s, engram.Draft{ID: "b", Content: "Häuser"})
	remember(t, s, engram.Draft{ID: "c", Content: "houses", Language: "en"})
	want(t, "language", tongue(t, s, "a"), [2]any{"", false})
	want(t, "Haus", recall(t, s, engram.Cue{Text: "Haus"}), []string{"b"})
	want(t, "house", recall(t, s, engram.Cue{Text: "house"}), []string{"c"})
}

func TestLanguagesAreChecked(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	_, err := s.Remember(t.Context(), engram.Draft{Content: "x", Language: "klingon"})
	refused(t, "Remember", err, `language is "klingon": use arabic, danish`)
	remember(t, s, engram.Draft{ID: "a", Content: "x"})
	_, err = s.Update(t.Context(), "a", engram.Change{Language: new("klingon")})
	refused(t, "Update", err, `language is "klingon"`)
	remember(t, s, engram.Draft{ID: "b", Content: "y", Language: "de"})
	_, err = s.Remember(t.Context(), engram.Draft{ID: "b", Content: "y", Language: "en"})
	if !errors.Is(err, engram.ErrConflict) {
		t.Errorf("the same id in another language = %v, want a conflict", err)
	}
	for line, problem := range map[string]string{
		`{"content":"x","language":"klingon"}`:                     "klingon",
		`{"content":"x","language":"de","language_detected":true}`: "language_detected need",
		`{"id":"v","content":"x","version":1,"language_detected":true,"occurred_at":"2024-01-01T00:00:00Z",` +
			`"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z"}`: "it needs language",
		`{"id":"b","content":"y","language":"en","idempotency_key":"other"}`:  "other language",
		`{"id":"c","content":"zz","language":"DE-at","idempotency_key":"c2"}`: "",
	} {
		report, err := s.Import(t.Context(), strings.NewReader(line), engram.ImportOptions{})
		if err != nil || problem == "" != (len(report.Bad) == 0) ||
			problem != "" && !strings.Contains(report.Bad[0].Error, problem) {
			t.Errorf("Import(%s) = %+v, %v, want a problem with %q", line, report, err, problem)
		}
	}
	want(t, "language with a region", tongue(t, s, "c"), [2]any{"de", false})
}

// refused checks that err is an invalid argument that says so.
func refused(t *testing.T, what string, err error, text string) {
	t.Helper()
	if !errors.Is(err, engram.ErrInvalid) || !strings.Contains(err.Error(), text) {
		t.Errorf("%s = %v, want it refused with %q", what, err, text)
	}
}
