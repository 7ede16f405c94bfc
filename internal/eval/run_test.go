package eval_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/eval"
)

// value is one estimate of a report.
func value(t *testing.T, r *eval.Report, group, measure string) eval.Estimate {
	t.Helper()
	for _, g := range r.Groups {
		for _, e := range g.Estimates {
			if g.Name == group && e.Name == measure {
				return e
			}
		}
	}
	t.Fatalf("the report has no %s of %s", measure, group)
	return eval.Estimate{}
}

func run(t *testing.T, set *eval.Set, o eval.Options) *eval.Report {
	t.Helper()
	r, err := eval.Run(t.Context(), set, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRunAndAblate: the answer to the first question takes its turn and the neighbour of it, which has no word of the
// question. Without association the neighbour is not found.
func TestRunAndAblate(t *testing.T) {
	set := load(t, "testdata/locomo.json", eval.LoadOptions{Format: eval.LoCoMo})
	r := run(t, set, eval.Options{Ablate: true, Engine: "test", Seed: 3})
	if r.Asked != 4 || r.Unscored != 1 || r.Documents != 5 || r.Spaces != 2 {
		t.Errorf("asked %d, not scored %d, documents %d, spaces %d", r.Asked, r.Unscored, r.Documents, r.Spaces)
	}
	for group, want := range map[string]float64{
		"all": 1, "multi-hop": 1, "temporal": 1, "single-hop": 1, "adversarial": 1,
	} {
		if e := value(t, r, group, "recall@5"); e.Mean != want {
			t.Errorf("recall@5 of %s = %v, want %v", group, e.Mean, want)
		}
	}
	if r.Groups[0].N != 3 || !r.Groups[len(r.Groups)-1].Apart {
		t.Errorf("groups: %+v", r.Groups)
	}
	var terms []string
	worth := map[string]float64{}
	for _, d := range r.Ablation {
		terms = append(terms, d.Term)
		worth[d.Term] = d.Estimates[0].Mean // recall@5
	}
	if !slices.Equal(terms, engram.Terms()) {
		t.Errorf("ablated %v, want every term there is, %v", terms, engram.Terms())
	}
	// One of three headline questions loses one of its two documents.
	if want := (1.0 - 1.0/2) / 3; math.Abs(worth["association"]-want) > 1e-12 || worth["words"] != 1 {
		t.Errorf("association is worth %v and words %v, want %v and 1", worth["association"], worth["words"], want)
	}
	alone := run(t, set, eval.Options{Without: []string{"association"}, Seed: 3})
	if e := value(t, alone, "multi-hop", "recall@10"); e.Mean != 1.0/2 {
		t.Errorf("recall@10 without association = %v, want 1/2", e.Mean)
	}
	filled := run(t, set, eval.Options{Without: []string{"association"}, Fill: true})
	if e := value(t, filled, "multi-hop", "recall@10"); e.Mean != 1 {
		t.Errorf("recall@10 of filled lists = %v, want 1", e.Mean)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"multi-hop (n=1)", "adversarial (n=1)*", "association", r.SHA256, "engine test", "p99",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

func TestRunOtherFormats(t *testing.T) {
	for format, path := range map[eval.Format]string{
		eval.BEIR: "testdata/beir", eval.Cranfield: "testdata/cranfield", eval.Spector: "testdata/spector",
	} {
		r := run(t, load(t, path, eval.LoadOptions{Format: format}), eval.Options{
			K: []int{1, 10}, Depth: 20, Resamples: 100,
		})
		if e := value(t, r, "all", "recall@10"); e.Mean < .5 || r.Settings.Depth != 20 || r.Measures[0] != "recall@1" {
			t.Errorf("%s: recall@10 = %+v, settings %+v", format, e, r.Settings)
		}
	}
}

func TestRefusedRuns(t *testing.T) {
	set := load(t, "testdata/beir", eval.LoadOptions{Format: eval.BEIR})
	k1 := 1.0
	golden := load(t, "testdata/golden.jsonl", eval.LoadOptions{Format: eval.Golden})
	for _, o := range []eval.Options{
		{K: []int{10, 5}},
		{K: []int{0}},
		{K: []int{5, 5}},
		{K: []int{20}, Depth: 10},
		{Depth: 1001},
		{Resamples: 5},
		{Without: []string{"luck"}},
		{Language: "klingon"},
		{Step: 2},
		{Off: []string{"luck"}},
	} {
		if _, err := eval.Run(t.Context(), set, o); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Run %+v = %v, want invalid", o, err)
		}
	}
	for _, o := range []eval.Options{{K1: &k1}, {Step: .3}, {Off: []string{"day"}}} {
		if _, err := eval.RunGolden(t.Context(), golden, nil, o); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("RunGolden %+v = %v, want invalid", o, err)
		}
	}
}

// TestGolden asks a space that exists, and notices when it forgets.
func TestGolden(t *testing.T) {
	db, err := engram.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	space, err := db.Space("mine")
	if err != nil {
		t.Fatal(err)
	}
	for id, text := range map[string]string{"scope": "I bought a telescope.", "bee": "The beehive survived."} {
		if _, err := space.Remember(t.Context(), engram.Draft{ID: id, Content: text}); err != nil {
			t.Fatal(err)
		}
	}
	set := load(t, "testdata/golden.jsonl", eval.LoadOptions{Format: eval.Golden})
	before, err := eval.RunGolden(t.Context(), set, space, eval.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	if e := value(t, before, "all", "recall@10"); e.Mean != (1.0+1.0/2)/2 {
		t.Errorf("recall@10 = %v, want the mean of 1 and 1/2", e.Mean)
	}
	if err := before.Require("recall@10", .75); err != nil {
		t.Errorf("Require .75 of .75 = %v", err)
	}
	if _, ok := errors.AsType[*eval.Below](before.Require("recall@10", .76)); !ok {
		t.Error("Require .76 of .75 is met")
	}
	if err := before.Require("luck", .5); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Require luck = %v, want invalid", err)
	}
	if _, err := space.Forget(t.Context(), engram.ForgetRequest{IDs: []string{"scope"}}); err != nil {
		t.Fatal(err)
	}
	after, err := eval.RunGolden(t.Context(), set, space, eval.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	comparison, err := eval.Compare(parsed(t, before), parsed(t, after), 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if c := comparison.Groups[0].Changes[0]; c.Name != "recall@5" || c.Mean != -1.0/2 || c.P < .4 {
		t.Errorf("change = %+v, want recall@5 down by 1/2 and no significance for one of two questions", c)
	}
	var text strings.Builder
	if err := comparison.WriteText(&text); err != nil || !strings.Contains(text.String(), "recall@5      -0.5000") {
		t.Errorf("text (%v):\n%s", err, text.String())
	}
	if len(comparison.Settings) > 0 || !strings.Contains(text.String(), "the same data and settings") {
		t.Errorf("settings that differ: %v\n%s", comparison.Settings, text.String())
	}
	other := run(t, load(t, "testdata/beir", eval.LoadOptions{Format: eval.BEIR}), eval.Options{})
	if _, err := eval.Compare(before, other, 1, 1000); !errors.Is(err, engram.ErrInvalid) {
		t.Errorf("Compare of two collections = %v, want invalid", err)
	}
}

// TestPlainSettings: what is left out is not found by, the session's time is, and a step reaches the neighbour.
func TestPlainSettings(t *testing.T) {
	set := load(t, "testdata/locomo.json", eval.LoadOptions{
		Format: eval.LoCoMo, LeaveOut: []string{"caption", "speaker"}, Dated: true,
	})
	wantLines(t, "documents", shown(set)[:3], []string{
		"0000000 c1 D1:1|I bought a telescope. 1:30 pm on 28 February, 2024",
		"0000001 c1 D1:2|Saturn first, then! 1:30 pm on 28 February, 2024",
		"0000002 c1 D2:1|The beehive survived the winter. 9:05 am on 3 March, 2024",
	})
	if set.Skipped != 2 {
		t.Errorf("%d documents without text, want the empty one and the one of nothing but a caption", set.Skipped)
	}
	for _, d := range set.Pools[0].Documents {
		if d.Speaker != "" {
			t.Errorf("%s is said by %s", d.ID, d.Speaker)
		}
	}
	turns := load(t, "testdata/locomo.json", eval.LoadOptions{Format: eval.LoCoMo})
	alone := eval.Options{Without: []string{"association"}, Resamples: 100}
	if e := value(t, run(t, turns, alone), "multi-hop", "recall@5"); e.Mean != 1.0/2 {
		t.Errorf("recall@5 without association = %v, want 1/2", e.Mean)
	}
	alone.Step = .5
	if e := value(t, run(t, turns, alone), "multi-hop", "recall@5"); e.Mean != 1 {
		t.Errorf("recall@5 with one step = %v, want the neighbour, too", e.Mean)
	}
}

// TestCompareSettings: a comparison says what else than the engine differs, and refuses other data by both values.
func TestCompareSettings(t *testing.T) {
	set := load(t, "testdata/locomo.json", eval.LoadOptions{Format: eval.LoCoMo})
	k1 := 1.5
	a := run(t, set, eval.Options{
		Resamples: 100, Without: []string{"time", "association"}, Engine: "(devel) commit unknown",
	})
	b := run(t, set, eval.Options{
		Resamples: 100, Without: []string{"association"}, K1: &k1, Engine: "(devel) commit unknown",
	})
	c, err := eval.Compare(parsed(t, a), parsed(t, b), 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []eval.Setting{{Name: "without", A: "association time", B: "association"}, {Name: "k1", A: "", B: "1.5"}}
	if !slices.Equal(c.Settings, want) {
		t.Errorf("settings that differ: %v, want %v", c.Settings, want)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"commit unknown", "  without    a association time, b association\n", "  k1         a the engine's, b 1.5\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("the text lacks %q:\n%s", line, text.String())
		}
	}
	b.SHA256 = strings.Repeat("0", 64)
	if _, err := eval.Compare(a, b, 1, 100); err == nil || !strings.Contains(err.Error(), a.SHA256+" and "+b.SHA256) {
		t.Errorf("Compare of other data = %v, want both checksums", err)
	}
}

// parsed is a report after its JSON.
func parsed(t *testing.T, r *eval.Report) *eval.Report {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := eval.ParseReport("r.json", data)
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestBrokenReports(t *testing.T) {
	for _, text := range []string{"{}", "[]", "{", `{"measures":["m"],"questions":[{"id":"a","values":[1,2]}]}`} {
		if _, err := eval.ParseReport("r.json", []byte(text)); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("ParseReport %s = %v, want invalid", text, err)
		}
	}
}

// TestCranfieldBaseline holds the index to what an independent BM25 reaches on the Cranfield collection with k1 1.2,
// b .75, stop words and Porter's stemmer: MAP .316, nDCG@10 .393, R@100 .746.
func TestCranfieldBaseline(t *testing.T) {
	dir := os.Getenv("ENGRAM_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	path := filepath.Join(dir, "cranfield")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no test collection at %s: set ENGRAM_DATA to the folder that holds cranfield", path)
	}
	k1, b := 1.2, .75
	others := slices.DeleteFunc(engram.Terms(), func(term string) bool { return term == "words" })
	r := run(t, load(t, path, eval.LoadOptions{Format: eval.Cranfield}), eval.Options{
		K1: &k1, B: &b, Language: "porter", Without: others,
	})
	for name, want := range map[string]float64{"map": .316, "ndcg@10": .393, "recall@100": .746} {
		if got := value(t, r, "all", name).Mean; math.Abs(got-want) > .005 {
			t.Errorf("%s = %.4f, want %v within .005", name, got, want)
		}
	}
}
