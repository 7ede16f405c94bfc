package query_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/query"
)

// open opens a space whose clock stands at *now.
func open(t *testing.T, now *time.Time) *engram.Space {
	t.Helper()
	db, err := engram.Options{Clock: func() time.Time { return *now }}.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		t.Fatal(err)
	}
	return space
}

func remember(t *testing.T, s *engram.Space, drafts ...engram.Draft) {
	t.Helper()
	for _, d := range drafts {
		if _, err := s.Remember(t.Context(), d); err != nil {
			t.Fatalf("Remember(%+v) = %v", d, err)
		}
	}
}

func run(t *testing.T, s *engram.Space, text string) query.Result {
	t.Helper()
	result, err := query.Run(t.Context(), s, text)
	if err != nil {
		t.Fatalf("Run(%s) = %v", text, err)
	}
	return result
}

func ids(r query.Result) []string {
	out := []string{}
	if r.Answer != nil {
		for _, h := range r.Answer.Hits {
			out = append(out, h.ID)
		}
	}
	slices.Sort(out)
	return out
}

func date(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return at
}

// TestConditions holds every operator of every kind of field against what it must keep.
func TestConditions(t *testing.T) {
	now := date("2024-01-10")
	s := open(t, &now)
	sure, unsure := 0.9, 0.1
	remember(t, s,
		engram.Draft{
			ID: "a", Content: "the ferry leaves at seven", Kind: "fact", Tags: []string{"x", "y"}, Speaker: "Ada",
			Session: "s", Source: "book", OccurredAt: date("2024-01-01"), ValidFrom: date("2024-01-02"),
			Confidence: &sure, Metadata: map[string]string{"place": "Tavira", "a b": "1"},
		},
		engram.Draft{
			ID: "b", Content: "the ferry is blue", Tags: []string{"x"}, Speaker: "Bo", OccurredAt: date("2024-01-05"),
			ValidUntil: date("2024-02-01"), ExpiresAt: date("2030-01-01"), Confidence: &unsure, Pin: true,
		},
		engram.Draft{ID: "c", Content: "a train", OccurredAt: date("2024-01-09"), Language: "french"},
	)
	now = date("2024-01-11")
	text := "the ferry is red"
	if _, err := s.Update(t.Context(), "b", engram.Change{Content: &text, Reason: "paint"}); err != nil {
		t.Fatal(err)
	}
	remember(t, s, engram.Draft{ID: "c", Content: "a train"}) // again
	for where, want := range map[string]string{
		`id = "a"`: "a", `id IN ("a", "c", "nobody")`: "a c", `id != "a"`: "b c",
		`content CONTAINS "ferry"`: "a b", `content = "a train"`: "c",
		`kind = "note"`: "b c", `kind IN ("fact", "event")`: "a", `kind != "fact"`: "b c",
		`tags ALL ("x", "y")`: "a", `tags ANY ("y", "z")`: "a", `tags NONE ("y", "z")`: "b c", `tags EXISTS`: "a b",
		`tags ALL ("x") AND tags ALL ("y")`: "a", `tags ANY ("x") AND tags ANY ("y")`: "a",
		`speaker = "Ada"`: "a", `speaker != "Ada"`: "b c", `speaker EXISTS`: "a b", `speaker = ""`: "c",
		`speaker IN ("Ada", "")`: "a c", `speaker = "Ada" AND speaker = "Bo"`: "", `session EXISTS`: "a",
		`source = "book"`:  "a",
		`reason = "paint"`: "b", `language = "fr"`: "c", `superseded_by EXISTS`: "", `metadata.place = "Tavira"`: "a",
		`metadata."a b" EXISTS`:      "a",
		`metadata.place != "Tavira"`: "b c", `metadata.none = ""`: "a b c",
		`occurred_at >= 2024-01-05`: "b c", `occurred_at < 2024-01-05`: "a", `occurred_at <= 2024-01-05`: "a b",
		`occurred_at > 2024-01-05`: "c", `occurred_at = 2024-01-05`: "b", `occurred_at != 2024-01-05`: "a c",
		`occurred_at >= 2024-01-05 AND occurred_at < 2024-01-05`:  "",
		`occurred_at >= 2024-01-02 AND occurred_at >= 2024-01-06`: "c",
		`valid_from EXISTS`: "a", `valid_from < 2025-01-01`: "a", `NOT valid_from < 2025-01-01`: "b c",
		`valid_until = 2024-02-01`: "b", `expires_at > 2029-01-01`: "b", `created_at < 2024-01-11`: "a b c",
		`updated_at >= 2024-01-11`: "b", `superseded_at EXISTS`: "",
		`confidence >= 0.9`: "a", `confidence > 0.9`: "", `confidence < 0.9`: "b c", `confidence IN (0.1, 0.8)`: "b c",
		`confidence >= 0.8`: "a c", `given_confidence = 0.9`: "a", `given_confidence EXISTS`: "a b",
		`given_confidence < 1`: "a b",
		`confidence >= 7`:      "", `confidence >= -1`: "a b c", `version = 2`: "b", `reinforced >= 1`: "c",
		`pin = true`:  "b",
		`pin = false`: "a c", `NOT (pin = true OR kind = "fact")`: "c", `kind = "fact" OR speaker = "Bo"`: "a b",
		`kind = "fact" OR speaker = "Bo" AND pin = false`: "a", `(kind = "fact" OR speaker = "Bo") AND pin = true`: "b",
	} {
		got := run(t, s, "RECALL WHERE "+where)
		if strings.Join(ids(got), " ") != want {
			t.Errorf("WHERE %s keeps %v, want %s", where, ids(got), want)
		}
		if got.Answer.Searched != len(ids(got)) {
			t.Errorf("WHERE %s: %d were searched, %d kept: it did not decide before ranking", where,
				got.Answer.Searched, len(ids(got)))
		}
	}
	want := []string{"b"}
	if got := ids(run(t, s, `RECALL "ferry" WHERE pin = true LIMIT 1`)); !slices.Equal(got, want) {
		t.Errorf("a condition after the limit: %v, want %v", got, want)
	}
	got := run(t, s, `RECALL "ferry" WHERE id = "b" ASOF 2024-01-10`).Answer.Hits
	if got[0].Content != "the ferry is blue" {
		t.Errorf("ASOF gives %+v", got)
	}
	if got := ids(run(t, s, `RECALL VALID 2024-01-01`)); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("VALID gives %v", got)
	}
	if got := run(t, s, `EXPLAIN RECALL "ferry"`).Answer.Hits; len(got[0].Why[0].Detail) == 0 {
		t.Errorf("EXPLAIN explains nothing: %+v", got[0].Why)
	}
}

// TestFiltersOfTheEngineChangeNothing asks each question twice, the second time so that no filter of the engine can be
// used: both must give the same.
func TestFiltersOfTheEngineChangeNothing(t *testing.T) {
	now := date("2024-01-10")
	s := open(t, &now)
	m := maker{rng: rand.New(rand.NewPCG(1, 5))}
	for range 60 {
		d := engram.Draft{
			Content: "x " + m.text(), Kind: pick(m, "", "a", "b"), Speaker: pick(m, "", "a", "Ada"),
			Session: pick(m, "", "a"), OccurredAt: m.time(), Tags: pick(m, nil, []string{"a"}, []string{"a", "b"}),
			Pin: pick(m, true, false), Confidence: new(pick(m, 0, .25, .5, 1)),
			Metadata: map[string]string{"key": m.text()},
		}
		remember(t, s, d)
	}
	// Belief in half of them is other than what their writers said.
	for i, h := range run(t, s, `RECALL LIMIT 1000`).Answer.Hits {
		if i%2 == 0 {
			continue
		}
		f := engram.Feedback{
			IDs: []string{h.ID}, Signal: pick(m, engram.Wrong, engram.Confirmed), Source: pick(m, "Ada", "Bo"),
		}
		if _, err := s.Feedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	some := 0
	for seed := range uint64(500) {
		m := maker{rng: rand.New(rand.NewPCG(seed, 6)), sets: []string{"links", "contradicts"}}
		q := query.Query{Verb: query.Recall, Limit: 1000, Where: m.cond(m.rng.IntN(3))}
		plain := q
		plain.Where = query.Or{
			q.Where, query.Test{Field: "id", Op: query.Equal, Values: []query.Value{{Text: "nobody"}}},
		}
		got, err := q.Run(t.Context(), s)
		other, otherErr := plain.Run(t.Context(), s)
		if err != nil || otherErr != nil || !slices.Equal(ids(got), ids(other)) {
			t.Fatalf("%s gives %v, %v; without filters %v, %v", q, ids(got), err, ids(other), otherErr)
		}
		if n := len(ids(got)); n > 0 && n < 60 {
			some++
		}
	}
	if some < 100 {
		t.Errorf("only %d conditions kept some and not all", some)
	}
}

func TestOtherVerbs(t *testing.T) {
	now := date("2024-01-10")
	s := open(t, &now)
	remember(t, s,
		engram.Draft{
			ID: "a", Content: "the harbour wakes", Session: "s", Speaker: "Ada", OccurredAt: date("2024-01-01"),
		},
		engram.Draft{
			ID: "b", Content: "boats go out", Session: "s", Speaker: "Bo", OccurredAt: date("2024-01-02"),
			Metadata: map[string]string{"place": "pier"},
		},
		engram.Draft{
			ID: "c", Content: "nets are mended", OccurredAt: date("2024-01-03"), Source: "log",
			Links: []engram.Link{{To: "a"}},
		},
	)
	near := run(t, s, `SPREAD "a"`).Spreading.Memories
	if len(near) != 2 {
		t.Fatalf("SPREAD = %+v", near)
	}
	near = run(t, s, `SPREAD "a" OVER "session"`).Spreading.Memories
	if len(near) != 1 || near[0].ID != "b" {
		t.Errorf("SPREAD OVER = %+v", near)
	}
	for _, where := range []string{`source = "log"`, `id = "c"`, `NOT speaker EXISTS`} {
		near = run(t, s, `SPREAD "a" WHERE `+where).Spreading.Memories
		if len(near) != 1 || near[0].ID != "c" {
			t.Errorf("SPREAD WHERE %s = %+v", where, near)
		}
	}
	completion := run(t, s, `COMPLETE "boats" FIELDS metadata.place, speaker`).Completion
	if len(completion.Fields) != 2 || completion.Fields[0].Value != "pier" || completion.Fields[1].Value != "Bo" {
		t.Errorf("COMPLETE = %+v", completion)
	}
	completion = run(t, s, `COMPLETE FIELDS speaker WHERE metadata.place = "pier"`).Completion
	if len(completion.Fields) != 1 || completion.Fields[0].Value != "Bo" {
		t.Errorf("COMPLETE WHERE = %+v", completion)
	}
	completion = run(t, s, `COMPLETE FIELDS speaker WHERE content CONTAINS "harbour"`).Completion
	if len(completion.Fields) != 1 || completion.Fields[0].Value != "Ada" {
		t.Errorf("COMPLETE WHERE CONTAINS = %+v", completion)
	}
	if next := run(t, s, `PREDICT "a"`).Prediction; len(next.Successors) != 1 || next.Successors[0].IDs[0] != "b" {
		t.Errorf("PREDICT = %+v", next)
	}
	if next := run(t, s, `PREDICT "a" WHERE speaker = "Ada"`).Prediction; len(next.Successors) != 0 {
		t.Errorf("PREDICT of what Ada said next = %+v", next)
	}
	remember(t, s,
		engram.Draft{ID: "d", Content: "the old mill turns slowly"},
		engram.Draft{ID: "e", Content: "slowly turns the old mill"},
		engram.Draft{ID: "f", Content: "turns the old mill slowly"})
	would := run(t, s, `EXPLAIN CONSOLIDATE`).Consolidation
	if len(would.Concepts) != 1 || !would.DryRun {
		t.Fatalf("EXPLAIN CONSOLIDATE = %+v", would)
	}
	if got := run(t, s, `CONSOLIDATE WHERE kind = "decision"`).Consolidation; got.Considered != 0 {
		t.Errorf("CONSOLIDATE of another kind = %+v", got)
	}
	got := run(t, s, `CONSOLIDATE WHERE kind = "note" AND content CONTAINS "mill" AND NOT id = "d"`).Consolidation
	if got.Considered != 2 {
		t.Errorf("CONSOLIDATE WHERE = %+v, want the two that are left", got)
	}
	if got := run(t, s, `CONSOLIDATE LIMIT 2`).Consolidation; got.Considered != 2 {
		t.Errorf("CONSOLIDATE LIMIT 2 = %+v", got)
	}
	if got := ids(run(t, s, `RECALL "mill"`)); len(got) != 1 {
		t.Errorf("RECALL = %v, want one of three that say the same", got)
	}
	if got := ids(run(t, s, `RECALL "mill" REPEATS`)); len(got) != 3 {
		t.Errorf("REPEATS = %v, want three that say the same", got)
	}
	if got := run(t, s, `CONSOLIDATE WITHIN 1h`).Consolidation; got.Archived != 3 {
		t.Errorf("CONSOLIDATE = %+v", got)
	}
	if _, err := query.Run(t.Context(), s, `RECALL "x" WITHIN 1ns`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WITHIN 1ns = %v, want the deadline's error", err)
	}
	if _, err := query.Run(t.Context(), s, `SPREAD "nobody"`); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("SPREAD from nobody = %v, want not found", err)
	}
}

// TestDocumentation runs every example of docs/query.md as far as parsing, and looks for each field there.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../docs/query.md")
	if err != nil {
		t.Fatal(err)
	}
	page, examples := string(data), 0
	for line := range strings.Lines(page) {
		text, ok := strings.CutPrefix(line, "    ")
		if !ok || !regexp.MustCompile(`^(EXPLAIN|RECALL|SPREAD|COMPLETE|PREDICT|CONSOLIDATE)\b`).MatchString(text) {
			continue
		}
		examples++
		if q, err := query.Parse(text); err != nil || q.String() != strings.TrimSpace(text) {
			t.Errorf("%s: %v, canonical %s", text, err, q)
		}
	}
	if examples < 6 {
		t.Errorf("docs/query.md has %d examples, want some of each", examples)
	}
	_, err = query.Parse("RECALL WHERE no_such_field_at_all = 1")
	_, names, _ := strings.Cut(err.Error(), "there are ")
	for name := range strings.SplitSeq(names, ", ") {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/query.md says nothing of the field %s", name)
		}
	}
}

// TestFieldsOfUseAndBelief asks by what uses and sources made of memories, by what they are associated with, and by
// where they are.
func TestFieldsOfUseAndBelief(t *testing.T) {
	now := date("2024-01-10")
	s := open(t, &now)
	remember(t, s,
		engram.Draft{
			ID: "plain", Content: "a train", Embedding: []float32{1, 2, 3, 4, 5, 6, 7, 8}, EmbeddingModel: "m1",
		},
		engram.Draft{
			ID: "used", Content: "the ferry leaves at seven", Source: "Ada", Links: []engram.Link{{To: "plain"}},
		},
		engram.Draft{ID: "doubted", Content: "the mast is red", Source: "Bo", Contradicts: []string{"used"}},
		engram.Draft{ID: "back", Content: "a bus"},
	)
	if _, err := s.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"back"}}); err != nil {
		t.Fatal(err)
	}
	now = date("2024-01-12")
	if _, err := s.Restore(t.Context(), "back"); err != nil {
		t.Fatal(err)
	}
	for _, f := range []engram.Feedback{
		{Useful: []string{"used"}},
		{Wrong: []string{"doubted"}, Source: "Ines"},
		{Wrong: []string{"doubted"}, Source: "Wen"},
	} {
		if _, err := s.Feedback(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	now = date("2024-01-13")
	for where, want := range map[string]string{
		`use.stability > 3`: "used", `use.last_used >= 2024-01-12`: "used", `use.labile_until EXISTS`: "used",
		`use.difficulty EXISTS AND use.retrievability < 1 AND use.last_used > 2024-01-11`: "used",
		`belief.probability < 0.5`: "doubted", `belief.disputed = true`: "doubted", `belief.against >= 2`: "doubted",
		`belief.sources ANY ("Ines")`:                               "doubted",
		`belief.low < 0.3 AND belief.high < 0.9 AND belief.for = 1`: "doubted",
		`links ANY ("plain")`:                                       "used", `links EXISTS`: "doubted plain used",
		`links NONE ("used")`: "back used",
		`contradicts EXISTS`:  "doubted used", `contradicts ALL ("used")`: "doubted", `NOT links EXISTS`: "back",
		`embedding_model = "m1"`: "plain", `embedding_model EXISTS`: "plain", `tier = "hot"`: "back doubted plain used",
		`archived_at EXISTS`: "", `archived_spans = 1`: "back", `NOT archived_spans >= 1`: "doubted plain used",
		`use.stability > 3 OR links ANY ("used")`: "doubted plain used",
	} {
		if got := strings.Join(ids(run(t, s, "RECALL WHERE "+where)), " "); got != want {
			t.Errorf("WHERE %s keeps %s, want %s", where, got, want)
		}
	}
	spread := run(t, s, `SPREAD "plain" WHERE contradicts ANY ("doubted")`).Spreading.Memories
	if len(spread) != 1 || spread[0].ID != "used" {
		t.Errorf("SPREAD WHERE contradicts = %+v", spread)
	}
}

// TestPast asks SPREAD and PREDICT of what was known.
func TestPast(t *testing.T) {
	now := date("2024-01-01")
	s := open(t, &now)
	remember(t, s,
		engram.Draft{ID: "a", Content: "the harbour wakes", Session: "s", OccurredAt: date("2024-01-01")},
		engram.Draft{
			ID: "b", Content: "boats go out", Session: "s", OccurredAt: date("2024-01-02"),
			Links: []engram.Link{{To: "a"}},
		},
	)
	now = date("2024-02-01")
	remember(t, s,
		engram.Draft{
			ID: "between", Content: "gulls follow", Session: "s", OccurredAt: date("2024-01-01").Add(time.Hour),
		},
		engram.Draft{ID: "late", Content: "nets are mended", Links: []engram.Link{{To: "a"}}},
	)
	text := "boats come home"
	if _, err := s.Update(t.Context(), "b", engram.Change{Content: &text}); err != nil {
		t.Fatal(err)
	}
	then := run(t, s, `SPREAD "a" ASOF 2024-01-15`).Spreading.Memories
	if len(then) != 1 || then[0].Content != "boats go out" || then[0].Path[1].Type != "next" {
		t.Errorf("SPREAD ASOF = %+v", then)
	}
	if today := run(t, s, `SPREAD "a"`).Spreading.Memories; len(today) != 3 {
		t.Errorf("SPREAD = %+v", today)
	}
	next := run(t, s, `PREDICT "a" ASOF 2024-01-15`).Prediction
	if len(next.Successors) != 1 || next.Successors[0].Content != "boats go out" {
		t.Errorf("PREDICT ASOF = %+v", next)
	}
	next = run(t, s, `PREDICT "a"`).Prediction
	if len(next.Successors) != 1 || next.Successors[0].IDs[0] != "between" {
		t.Errorf("PREDICT = %+v", next)
	}
	if next := run(t, s, `PREDICT "a" WHERE NOT id = "between"`).Prediction; next.Successors[0].Content != text {
		t.Errorf("PREDICT WHERE = %+v", next)
	}
	for _, q := range []string{`SPREAD "late" ASOF 2024-01-15`, `PREDICT "late" ASOF 2024-01-15`} {
		if _, err := query.Run(t.Context(), s, q); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("%s = %v, want not found", q, err)
		}
	}
}

// TestNothingWaitsForTheCall runs random queries: what Parse accepts the engine does not refuse.
func TestNothingWaitsForTheCall(t *testing.T) {
	now := date("2024-01-10")
	s := open(t, &now)
	for _, id := range []string{"a", "019-ferry", `q"u'o\te`, "ünï", "AND", "session", " "} {
		remember(t, s, engram.Draft{ID: id, Content: "x " + id, Session: "s"})
	}
	for seed := range uint64(2000) {
		m := maker{rng: rand.New(rand.NewPCG(seed, 7))}
		q := m.query()
		if q.Within = 0; !q.AsOf.IsZero() {
			q.AsOf = date("2030-01-01")
		}
		if _, err := query.Run(t.Context(), s, q.String()); err != nil && !errors.Is(err, engram.ErrConflict) {
			t.Fatalf("seed %d: %s = %v", seed, q, err)
		}
	}
}
