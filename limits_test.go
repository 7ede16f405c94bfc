package engram_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Every argument that is refused, with the field that the error must name.
func TestRefusedDrafts(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	long := strings.Repeat("x", 70<<10)
	cases := []struct {
		field string
		kind  error
		draft engram.Draft
	}{
		{"content", engram.ErrInvalid, engram.Draft{}},
		{"content", engram.ErrInvalid, engram.Draft{Content: " \n\t"}},
		{"content", engram.ErrInvalid, engram.Draft{Content: "a\xff"}},
		{"content", engram.ErrTooLarge, engram.Draft{Content: long}},
		{"id", engram.ErrInvalid, engram.Draft{Content: "x", ID: "a\nb"}},
		{"id", engram.ErrInvalid, engram.Draft{Content: "x", ID: "\xff"}},
		{"id", engram.ErrTooLarge, engram.Draft{Content: "x", ID: strings.Repeat("i", 129)}},
		{"kind", engram.ErrTooLarge, engram.Draft{Content: "x", Kind: strings.Repeat("k", 65)}},
		{"tags[1]", engram.ErrInvalid, engram.Draft{Content: "x", Tags: []string{"a", ""}}},
		{"tags[1]", engram.ErrInvalid, engram.Draft{Content: "x", Tags: []string{"a", "a"}}},
		{"tags", engram.ErrTooLarge, engram.Draft{Content: "x", Tags: strings.Split(strings.Repeat("t,", 40), ",")}},
		{"speaker", engram.ErrTooLarge, engram.Draft{Content: "x", Speaker: strings.Repeat("s", 257)}},
		{"session", engram.ErrInvalid, engram.Draft{Content: "x", Session: "\x00"}},
		{"source", engram.ErrTooLarge, engram.Draft{Content: "x", Source: strings.Repeat("s", 2049)}},
		{
			"occurred_at", engram.ErrInvalid,
			engram.Draft{Content: "x", OccurredAt: time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
		{
			"expires_at", engram.ErrInvalid,
			engram.Draft{Content: "x", ExpiresAt: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
		},
		{"valid_until", engram.ErrInvalid, engram.Draft{Content: "x", ValidFrom: day(3), ValidUntil: day(3)}},
		{"confidence", engram.ErrInvalid, engram.Draft{Content: "x", Confidence: new(1.1)}},
		{"confidence", engram.ErrInvalid, engram.Draft{Content: "x", Confidence: new(math.NaN())}},
		{"metadata", engram.ErrTooLarge, engram.Draft{Content: "x", Metadata: map[string]string{"a": long}}},
		{"metadata", engram.ErrInvalid, engram.Draft{Content: "x", Metadata: map[string]string{"": "b"}}},
		{
			"embedding", engram.ErrInvalid,
			engram.Draft{Content: "x", Embedding: []float32{1, 2, 3, 4, 5, 6, 7, float32(math.NaN())}},
		},
		{
			"embedding", engram.ErrInvalid,
			engram.Draft{Content: "x", Embedding: []float32{1, 2, 3, 4, 5, 6, 7, float32(math.Inf(1))}},
		},
		{"embedding", engram.ErrInvalid, engram.Draft{Content: "x", Embedding: make([]float32, 8)}},
		{"embedding", engram.ErrInvalid, engram.Draft{Content: "x", Embedding: []float32{}}},
		{"embedding", engram.ErrInvalid, engram.Draft{Content: "x", Embedding: make([]float32, 7)}},
		{"embedding", engram.ErrInvalid, engram.Draft{Content: "x", Embedding: make([]float32, 4097)}},
		{"links[0].to", engram.ErrInvalid, engram.Draft{Content: "x", Links: []engram.Link{{}}}},
		{
			"links[0].weight", engram.ErrInvalid,
			engram.Draft{Content: "x", Links: []engram.Link{{To: "y", Weight: new(-.1)}}},
		},
		{"links[0].to", engram.ErrNotFound, engram.Draft{Content: "x", Links: []engram.Link{{To: "nobody"}}}},
		{"links[1]", engram.ErrInvalid, engram.Draft{
			Content: "x", Links: []engram.Link{{To: "y"}, {To: "y", Type: "relates_to"}},
		}},
		{"contradicts[0]", engram.ErrInvalid, engram.Draft{
			Content: "x", Links: []engram.Link{{To: "y", Type: engram.Contradicts}}, Contradicts: []string{"y"},
		}},
		{"supersedes[0]", engram.ErrInvalid, engram.Draft{Content: "x", ID: "a", Supersedes: []string{"a"}}},
		{"idempotency_key", engram.ErrTooLarge, engram.Draft{Content: "x", IdempotencyKey: strings.Repeat("k", 129)}},
	}
	for _, c := range cases {
		_, err := s.Remember(t.Context(), c.draft)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.field) {
			t.Errorf("Remember = %v, want %v that names %s", err, c.kind, c.field)
		}
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Memories != 0 || stats.Versions != 0 && stats.Position != 0 {
		t.Errorf("after refusals: %+v, %v", stats, err)
	}
}

func TestDimensionIsFixedByTheFirstVector(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "none", Content: "No vector is normal."})
	remember(t, s, engram.Draft{ID: "a", Content: "First.", Embedding: make8(1)})
	for range 2 {
		_, err := s.Remember(t.Context(), engram.Draft{Content: "Second.", Embedding: make([]float32, 9)})
		if err == nil { // zero vector is refused first; use a valid one
			t.Fatal("zero vector accepted")
		}
		nine := append(make8(1), 1)
		_, err = s.Remember(t.Context(), engram.Draft{Content: "Second.", Embedding: nine})
		if !errors.Is(err, engram.ErrDimension) || !strings.Contains(err.Error(), "9") ||
			!strings.Contains(err.Error(), "8") {
			t.Errorf("Remember = %v, want an error that names 9 and 8", err)
		}
		_, err = s.Recall(t.Context(), engram.Cue{Embedding: nine})
		if !errors.Is(err, engram.ErrDimension) {
			t.Errorf("Recall = %v, want dimension error", err)
		}
		w.reopen()
		s = w.def()
	}
	fixed := newWorld(t, engram.Options{Dim: 16})
	_, err := fixed.def().Remember(t.Context(), engram.Draft{Content: "x", Embedding: make8(1)})
	if !errors.Is(err, engram.ErrDimension) {
		t.Errorf("Remember = %v, want dimension error by configuration", err)
	}
}

func TestRefusedCues(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for field, cue := range map[string]engram.Cue{
		"query":          {Text: strings.Repeat("q", 9000)},
		"limit":          {Text: "x", Limit: 1001},
		"ids[0]":         {IDs: []string{""}},
		"to":             {From: day(2), To: day(1)},
		"min_confidence": {MinConfidence: 2},
		"tags[0]":        {Tags: []string{""}},
		"max_tokens":     {Text: "x", MaxTokens: 63},
		"max_time_ms":    {Text: "x", MaxTime: -1},
		"without[0]":     {Text: "x", Without: []string{"luck"}},
		"without[1]":     {Text: "x", Without: []string{"words", "words"}},
		"embedding":      {Embedding: make([]float32, 8)},
		"kinds[1]":       {Kinds: []string{"note", ""}},
	} {
		if _, err := s.Recall(t.Context(), cue); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("Recall with a bad %s = %v", field, err)
		}
	}
	if _, err := s.List(t.Context(), "???", 1); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("List with a bad cursor = %v", err)
	}
	_, err := s.Spread(t.Context(), engram.SpreadRequest{IDs: []string{"a"}, Types: []string{""}})
	if !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Spread over types of no name = %v, want invalid", err)
	}
	_, err = s.Consolidate(t.Context(), engram.ConsolidateOptions{Kinds: []string{""}})
	if !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Consolidate of kinds of no name = %v, want invalid", err)
	}
	for _, r := range []engram.ForgetRequest{
		{}, {IDs: []string{"a"}, Tags: []string{"b"}}, {IDs: []string{"a"}, Mode: "burn"}, {Reason: "x"},
	} {
		if _, err := s.Forget(t.Context(), r); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Forget(%+v) = %v, want invalid", r, err)
		}
	}
}

// TestChangesOfNothingAreRefused: a change that gives no field would be accepted and have no effect.
func TestChangesOfNothingAreRefused(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "One."})
	for _, c := range []engram.Change{{}, {Reason: "because"}, {IfVersion: 1}, {Mode: engram.UpdateReplace}} {
		out, err := s.Update(t.Context(), "a", c)
		if !errors.Is(err, engram.ErrInvalid) || !strings.Contains(err.Error(), "content, kind, tags") {
			t.Errorf("Update(%+v) = %+v, %v, want an error that names what can be given", c, out, err)
		}
	}
	// Every field by itself is a change, if only one that nothing comes of.
	fields := reflect.TypeFor[engram.Change]()
	for i := range fields.NumField() {
		if f := fields.Field(i); f.Type.Kind() == reflect.Pointer && f.Name != "Content" && f.Name != "OccurredAt" {
			var c engram.Change
			reflect.ValueOf(&c).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
			if _, err := s.Update(t.Context(), "a", c); err != nil {
				t.Errorf("Update of %s alone = %v", f.Name, err)
			}
		}
	}
}

func TestRefusedOptions(t *testing.T) {
	for field, o := range map[string]engram.Options{
		"Metric":         {Metric: "l2"},
		"Dim":            {Dim: 7},
		"K1":             {K1: new(-1.0)},
		"klingon":        {Language: "klingon"},
		"MaxOpenSpaces":  {MaxOpenSpaces: -1},
		"MaxMemories":    {MaxMemories: -1},
		"HotBytes":       {HotBytes: 1},
		"Limits.Content": {Limits: engram.Limits{Content: -5}},
	} {
		_, err := o.Open(t.TempDir())
		if !errors.Is(err, engram.ErrInvalid) ||
			!strings.Contains(strings.ToLower(err.Error()), strings.ToLower(field)) {
			t.Errorf("Open with a bad %s = %v", field, err)
		}
	}
}

func TestCancelledContext(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Remember(ctx, engram.Draft{ID: "a", Content: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Remember = %v, want cancelled", err)
	}
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("a cancelled write is there: %v", err)
	}
	if _, err := s.Recall(ctx, engram.Cue{Text: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Recall = %v, want cancelled", err)
	}
}

func TestFiltersBeforeRanking(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	// Fifty better matches stand before the one that passes each filter.
	for i := range 50 {
		remember(t, s, engram.Draft{
			Content: strings.Repeat("copper ", 3+i%3), Speaker: "Bo",
			OccurredAt: day(1).Add(time.Duration(i) * time.Minute), Confidence: new(0.1), Tags: []string{"common"},
		})
	}
	remember(t, s, engram.Draft{
		ID: "x", Content: "A long remark in which copper is named once, among many other things that matter more.",
		Speaker: "Ada", Session: "s", Kind: "fact", Tags: []string{"rare", "blue"}, OccurredAt: day(9),
		ValidFrom: day(9), Confidence: new(0.9),
	})
	for name, cue := range map[string]engram.Cue{
		"speaker": {Speaker: "Ada"}, "session": {Session: "s"}, "kind": {Kinds: []string{"event", "fact"}},
		"all tags": {Tags: []string{"blue", "rare"}}, "any tag": {TagsAny: []string{"red", "blue"}},
		"no tag": {TagsNone: []string{"common"}}, "from": {From: day(8)}, "confidence": {MinConfidence: .5},
		"ids": {IDs: []string{"x", "nobody"}},
	} {
		cue.Text, cue.Limit = "copper", 1
		answer, err := s.Recall(t.Context(), cue)
		if err != nil || len(answer.Hits) != 1 || answer.Hits[0].ID != "x" || answer.Searched != 1 {
			t.Errorf("%s: Recall = %+v, %v, want x of 1 searched", name, answer, err)
		}
	}
	want(t, "unknown name", recall(t, s, engram.Cue{Text: "copper", Speaker: "Nobody"}), []string{})
	want(t, "to", len(recall(t, s, engram.Cue{Text: "copper", To: day(8), Limit: 100, Repeats: true})), 50)
	want(t, "by time", recall(t, s, engram.Cue{Limit: 1}), []string{"x"})
}

func TestExpiry(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	remember(t, s, engram.Draft{ID: "a", Content: "The code is blue.", ExpiresAt: day(3)})
	want(t, "before", recall(t, s, engram.Cue{Text: "code"}), []string{"a"})
	w.clock.set(day(3))
	for range 2 {
		want(t, "at", recall(t, s, engram.Cue{Text: "code"}), []string{})
		if _, err := s.Get(t.Context(), "a"); !errors.Is(err, engram.ErrNotFound) {
			t.Errorf("Get of an expired memory = %v", err)
		}
		page, err := s.List(t.Context(), "", 0)
		if err != nil || len(page.Memories) > 0 {
			t.Errorf("List = %+v, %v", page, err)
		}
		w.reopen()
		s = w.def()
	}
}

func TestListInPages(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	var all []string
	for i := range 25 {
		id := string(rune('a' + i))
		remember(t, s, engram.Draft{ID: id, Content: "x " + id})
		all = append(all, id)
	}
	if _, err := s.Update(t.Context(), "c", engram.Change{Content: new("changed")}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for cursor := ""; ; {
		page, err := s.List(t.Context(), cursor, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Memories {
			got = append(got, m.ID)
		}
		if page.Next == "" {
			break
		}
		cursor = page.Next
		w.reopen()
		s = w.def()
		if len(got) == 10 {
			if err := s.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	want(t, "pages", got, all)
	var iterated []string
	for m, err := range s.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		iterated = append(iterated, m.ID)
	}
	want(t, "All", iterated, all)
}

func TestImportReportsBadLines(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	input := strings.Join([]string{
		`{"id":"a","content":"First.","links":[{"to":"c"}]}`,
		``,
		`not json`,
		`{"id":"b","content":"Second.","colour":"red"}`,
		`{"id":"c","content":"Third."}{}`,
		`{"id":"c","content":"Third."}`,
		`{"id":"c","content":"Other."}`,
		`{"id":"d","content":"Fourth.","links":[{"to":"nobody"}]}`,
		`{"content":"Fifth."}`,
		`{"content":"Fifth."}`,
		`{"id":"e","content":"Sixth.","version":1}`,
	}, "\n")
	report, err := s.Import(t.Context(), strings.NewReader(input), engram.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, b := range report.Bad {
		lines = append(lines, b.Line)
	}
	want(t, "bad lines", lines, []int{3, 4, 5, 11, 7, 8})
	want(t, "counts", []int{report.Lines, report.Created, report.Reinforced, report.Links, report.BadCount},
		[]int{10, 4, 1, 1, 6})

	strict := w.space("strict")
	report, err = strict.Import(t.Context(), strings.NewReader(input), engram.ImportOptions{Strict: true})
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("strict Import = %v, want an error that names line 3", err)
	}
	want(t, "stored before it", report.Created, 1)
}

// TestTheClockGoesBack sets the clock back between writes: positions, versions and order only grow, nothing expires
// early, and a restart finds the same.
func TestTheClockGoesBack(t *testing.T) {
	w := newWorld(t, engram.Options{})
	w.clock.set(day(10))
	remember(t, w.def(), engram.Draft{ID: "a", Content: "the harbour", ExpiresAt: day(12)})
	w.clock.set(day(1))
	out, err := w.def().Update(t.Context(), "a", engram.Change{Content: new("the old harbour")})
	if err != nil || out.Version != 2 {
		t.Fatalf("Update after the clock went back = %+v, %v", out, err)
	}
	remember(t, w.def(), engram.Draft{ID: "b", Content: "the harbour wall"})
	if got := recall(t, w.def(), engram.Cue{Text: "harbour"}); len(got) != 2 {
		t.Errorf("Recall after the clock went back = %v, want both", got)
	}
	before := state(t, w.def())
	w.reopen()
	if after := state(t, w.def()); after != before {
		t.Errorf("reopened:\n%s\nbefore:\n%s", after, before)
	}
	m, err := w.def().Get(t.Context(), "a")
	if err != nil || m.Version != 2 || m.Content != "the old harbour" {
		t.Errorf("Get = %+v, %v", m, err)
	}
}
