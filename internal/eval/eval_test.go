package eval_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/eval"
)

func load(t *testing.T, path string, o eval.LoadOptions) *eval.Set {
	t.Helper()
	set, err := eval.Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// shown is a set in a few lines: documents as "id|content", questions as "category: text -> ids".
func shown(set *eval.Set) []string {
	var out []string
	for _, p := range set.Pools {
		for _, d := range p.Documents {
			out = append(out, d.ID+"|"+d.Content)
		}
		for _, q := range p.Questions {
			var ids []string
			for id, grade := range q.Grades {
				ids = append(ids, id+"="+strings.Repeat("+", int(grade)))
			}
			slices.Sort(ids)
			out = append(out, q.Category+": "+q.Text+" -> "+strings.Join(ids, ", "))
		}
	}
	return out
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoCoMoByTurn(t *testing.T) {
	set := load(t, "testdata/locomo.json", eval.LoadOptions{Format: eval.LoCoMo})
	wantLines(t, "set", shown(set), []string{
		"0000000 c1 D1:1|I bought a telescope.",
		"0000001 c1 D1:2|Saturn first, then!",
		"0000002 c1 D2:1|The beehive survived the winter.",
		"0000003 c1 D2:2|a jar of honey",
		"multi-hop: What about the telescope? -> 0000000 c1 D1:1=+, 0000001 c1 D1:2=+",
		"temporal: When did the beehive survive? -> 0000002 c1 D2:1=+",
		"adversarial: Who sold the telescope? -> 0000000 c1 D1:1=+",
		"0000000 c2 D1:1|The kiln is cold again.",
		"single-hop: What is cold? -> 0000000 c2 D1:1=+",
	})
	if set.Skipped != 1 || set.Unscored != 1 || set.Unit != "turn" || set.Pool != "conversation" {
		t.Errorf("skipped %d, unscored %d, unit %s, pool %s", set.Skipped, set.Unscored, set.Unit, set.Pool)
	}
	first := set.Pools[0]
	if d := first.Documents[2]; d.Speaker != "Bo" || d.Session != "c1 session_2" {
		t.Errorf("document: %+v", d)
	}
	if want := time.Date(2024, 3, 3, 9, 5, 0, 0, time.UTC); !first.Now.Equal(want) {
		t.Errorf("now = %v, want the last session with turns, %v", first.Now, want)
	}
	if !first.Questions[2].Apart || first.Questions[1].Apart {
		t.Error("adversarial questions, and only these, are apart")
	}
}

func TestLoCoMoBySession(t *testing.T) {
	set := load(t, "testdata/locomo.json", eval.LoadOptions{Format: eval.LoCoMo, By: "session"})
	wantLines(t, "set", shown(set), []string{
		"0000000 c1 session_1|Ada: I bought a telescope.\nBo: Saturn first, then!\nAda:",
		"0000001 c1 session_2|Bo: The beehive survived the winter.\nAda: a jar of honey",
		"0000002 c2 session_1|Cy: The kiln is cold again.",
		"multi-hop: What about the telescope? -> 0000000 c1 session_1=+",
		"temporal: When did the beehive survive? -> 0000001 c1 session_2=+",
		"adversarial: Who sold the telescope? -> 0000000 c1 session_1=+",
		"single-hop: What is cold? -> 0000002 c2 session_1=+",
	})
	if len(set.Pools) != 1 || set.Pool != "global" {
		t.Errorf("%d pools %s, want one global pool", len(set.Pools), set.Pool)
	}
	each := load(t, "testdata/locomo.json", eval.LoadOptions{
		Format: eval.LoCoMo, By: "session", SpacePer: "conversation",
	})
	if len(each.Pools) != 2 {
		t.Errorf("%d pools, want one a conversation", len(each.Pools))
	}
}

func TestOtherFormats(t *testing.T) {
	beir := load(t, "testdata/beir", eval.LoadOptions{Format: eval.BEIR})
	wantLines(t, "beir", shown(beir), []string{
		"0000000 a|Kiln\nA kiln fires clay.",
		"0000001 b|Clay is dug from the river bank.",
		"0000002 d|Glaze melts at high heat.",
		": what does a kiln do -> 0000000 a=+",
		": where is clay dug -> 0000000 a=+, 0000001 b=++",
	})
	if beir.Skipped != 1 || beir.Unscored != 1 {
		t.Errorf("beir: skipped %d, unscored %d, want 1 and 1", beir.Skipped, beir.Unscored)
	}
	dev := load(t, "testdata/beir", eval.LoadOptions{Format: eval.BEIR, Split: "dev"})
	if got := shown(dev); got[len(got)-1] != ": not judged -> 0000002 d=+" {
		t.Errorf("split dev: %v", got)
	}
	cranfield := load(t, "testdata/cranfield", eval.LoadOptions{Format: eval.Cranfield})
	wantLines(t, "cranfield", shown(cranfield), []string{
		"0000000 1|lift of a thin wing\nlift of a thin wing\n  the lift grows with the angle .",
		"0000001 2|heat in a plate\nheat flows along a plate .",
		": what is the lift\nof a wing . -> 0000000 1=+",
		": how does heat flow . -> 0000000 1=+",
	})
	if d := cranfield.Pools[0].Documents[0]; d.Source != "j. kites 1, 1903." {
		t.Errorf("cranfield source = %q", d.Source)
	}
	spector := load(t, "testdata/spector", eval.LoadOptions{Format: eval.Spector})
	wantLines(t, "spector", shown(spector), []string{
		"0000000 m1|The ferry to the lighthouse is late.",
		"0000001 m2|Bring bread.",
		"0000002 m3|The lighthouse lamp was lit by hand.",
		": lighthouse -> 0000000 m1=+++, 0000002 m3=+",
	})
	if d := spector.Pools[0].Documents[0]; !slices.Equal(d.Tags, []string{"sea"}) || d.Session != "s1" ||
		!d.OccurredAt.Equal(time.Date(2025, 6, 5, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("spector document: %+v", d.Draft)
	}
	if len(spector.Files) != 4 || len(spector.Files[0].SHA256) != 64 {
		t.Errorf("spector files: %v", spector.Files)
	}
}

// TestBrokenFiles: an error names the file and the line.
func TestBrokenFiles(t *testing.T) {
	for _, c := range []struct {
		what   string
		format eval.Format
		from   string // a fixture, copied
		file   string // below it; "" is the fixture itself
		old    string
		new    string
		want   string
	}{
		{"syntax", eval.LoCoMo, "locomo.json", "", `"dia_id": "D2:2", `, `"dia_id" "D2:2", `, ":9: "},
		{"type", eval.LoCoMo, "locomo.json", "", `"category": 2`, `"category": "two"`, ":21: "},
		{
			"type in a turn", eval.LoCoMo, "locomo.json", "", `"text": "The beehive survived the winter."`, `"text": 7`,
			":8: ",
		},
		{"date", eval.LoCoMo, "locomo.json", "", "28 February", "30 February", ":11: the time is"},
		{
			"no date", eval.LoCoMo, "locomo.json", "", `"session_1_date_time": "1:30`, `"session_9_date_time": "1:30`,
			":12: there is no",
		},
		{"turn twice", eval.LoCoMo, "locomo.json", "", `"D1:2"`, `"D1:1"`, ":14: dia_id"},
		{"category", eval.LoCoMo, "locomo.json", "", `"category": 5`, `"category": 6`, ":22: category is 6"},
		{"line", eval.BEIR, "beir", "corpus.jsonl", `"b", "title"`, `"b" "title"`, "corpus.jsonl:2: "},
		{"twice", eval.BEIR, "beir", "corpus.jsonl", `"_id": "b"`, `"_id": "a"`, "corpus.jsonl:2: "},
		{"unknown query", eval.BEIR, "beir", "qrels/test.tsv", "1\ta\t1", "8\ta\t1", "test.tsv:2: there is no query"},
		{
			"unknown document", eval.BEIR, "beir", "qrels/test.tsv", "1\tb\t0", "1\tx\t0",
			"test.tsv:3: there is no document",
		},
		{"fields", eval.BEIR, "beir", "qrels/test.tsv", "1\tb\t0", "1\tb", "test.tsv:3: there are 2 fields"},
		{"grade", eval.BEIR, "beir", "qrels/test.tsv", "1\tb\t0", "1\tb\tno", "test.tsv:3: the grade"},
		{
			"no heading", eval.BEIR, "beir", "qrels/test.tsv", "query-id\tcorpus-id\tscore", "1\ta\thigh",
			"test.tsv:1: the grade",
		},
		{
			"no UTF-8", eval.BEIR, "beir", "corpus.jsonl", "river bank", "river b\xe4nk",
			"corpus.jsonl:2: it is not UTF-8",
		},
		{
			"no UTF-8", eval.LoCoMo, "locomo.json", "", "survived the winter", "survived the \xff winter",
			":8: it is not UTF-8",
		},
		{
			"other mark", eval.Cranfield, "cranfield", "cran.all.1400", ".I 2\n", ".J 2\n",
			"cran.all.1400:12: .J is no mark",
		},
		{"no record", eval.Cranfield, "cranfield", "cran.all.1400", ".I 2\n", "", "cran.all.1400:12: a second .T"},
		{
			"no number", eval.Cranfield, "cranfield", "cran.all.1400", ".I 2\n", ".I two\n",
			"cran.all.1400:12: a record must begin",
		},
		{"empty id", eval.Golden, "golden.jsonl", "", `["bee", "gone"]`, `[""]`, ":3: expected has an empty id"},
		{"no .I", eval.Cranfield, "cranfield", "cran.all.1400", ".I 1\n", "", "cran.all.1400:1: "},
		{"code", eval.Cranfield, "cranfield", "cranqrel", "1 2 -1", "1 2 x", "cranqrel:2: the code"},
		{"memory", eval.Spector, "spector", "daily/corpus-day-01.jsonl", `"m2"`, `"m1"`, "corpus-day-01.jsonl:2: "},
		{"no ids", eval.Golden, "golden.jsonl", "", `["bee", "gone"]`, `[]`, ":3: expected is empty"},
		{"unknown field", eval.Golden, "golden.jsonl", "", `"category"`, `"kategory"`, ":1: "},
	} {
		path := copied(t, c.from, c.file, c.old, c.new)
		_, err := eval.Load(path, eval.LoadOptions{Format: c.format})
		data, ok := errors.AsType[*eval.DataError](err)
		if !ok || !errors.Is(err, engram.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v (%T), want a DataError with %q", c.format, c.what, err, data, c.want)
		}
	}
	if _, err := eval.Load("testdata/none", eval.LoadOptions{Format: eval.BEIR}); !errors.Is(err, engram.ErrNotFound) {
		t.Errorf("missing folder: %v", err)
	}
	for _, o := range []eval.LoadOptions{
		{Format: "trec"},
		{Format: eval.BEIR, By: "turn"},
		{Format: eval.LoCoMo, By: "word"},
		{Format: eval.LoCoMo, SpacePer: "turn"},
		{Format: eval.LoCoMo, Split: "test"},
	} {
		if _, err := eval.Load("testdata/locomo.json", o); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Load %+v = %v, want invalid", o, err)
		}
	}
}

// TestRefusedDocuments: what only the engine refuses is found in the collection, too.
func TestRefusedDocuments(t *testing.T) {
	for _, c := range []struct {
		what   string
		format eval.Format
		from   string
		file   string
		old    string
		new    string
		want   string
	}{
		{
			"text", eval.BEIR, "beir", "corpus.jsonl", "river bank", strings.Repeat("river ", 12_000),
			"corpus.jsonl:2: content",
		},
		{
			"text", eval.LoCoMo, "locomo.json", "", "survived the winter", strings.Repeat("winter ", 12_000),
			"locomo.json:8: content",
		},
		{
			"id", eval.Spector, "spector", "daily/corpus-day-01.jsonl", `"m2"`, `"` + strings.Repeat("m", 121) + `"`,
			"corpus-day-01.jsonl:2: id",
		},
		{
			"query", eval.BEIR, "beir", "queries.jsonl", "where is clay dug", strings.Repeat("clay ", 2_000),
			"queries.jsonl:2: query",
		},
	} {
		set := load(t, copied(t, c.from, c.file, c.old, c.new), eval.LoadOptions{Format: c.format})
		_, err := eval.Run(t.Context(), set, eval.Options{Resamples: 100})
		if _, ok := errors.AsType[*eval.DataError](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want a DataError with %q", c.format, c.what, err, c.want)
		}
	}
}

// copied copies a fixture with one replacement in one of its files.
func copied(t *testing.T, from, file, old, with string) string {
	t.Helper()
	dir := t.TempDir()
	if info, err := os.Stat("testdata/" + from); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		if err := os.CopyFS(filepath.Join(dir, from), os.DirFS("testdata/"+from)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join("testdata", from, file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s/%s does not hold %q", from, file, old)
	}
	data = bytes.Replace(data, []byte(old), []byte(with), 1)
	if err := os.WriteFile(filepath.Join(dir, from, file), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, from)
}
