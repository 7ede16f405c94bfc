package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

func TestEveryFieldOfADraft(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "old", "--session", "s", "--occurred-at", "2025-05-01", "the", "old", "rail")
		c.ok("remember", "--id", "before", "--session", "s", "--occurred-at", "2025-05-01T12:00", "a rusty bolt")
		vector := filepath.Join(t.TempDir(), "vector")
		if err := os.WriteFile(vector, []byte("[1,2,3,4,5,6,7,8]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		outcome := decoded[engram.Outcome](c, "remember", "--id", "new", "--kind", "fact", "--tag", "rail", "--tag", "a,b",
			"--speaker", "Ines", "--session", "s", "--occurred-at", "2025-05-02T10:00:00+02:00", "--valid-from", "2025-05-03",
			"--valid-until", "2035-05-03", "--expires-at", "2099-01-01", "--pin", "--confidence", "0.5", "--source", "book",
			"--meta", "page=7", "--meta", "empty=", "--embedding", "@"+vector, "--embedding-model", "tiny", "--link", "old,type=replaces,weight=0.25",
			"--language", "german", "--supersedes", "old", "--idempotency-key", "k1", "the", "new", "rail")
		if outcome.ID != "new" || outcome.Result != engram.Superseded || outcome.Embedding != "stored" {
			t.Errorf("remember = %+v", outcome)
		}
		m := decoded[wire.Memory](c, "get", "new", "--neighbors", "--history")
		if m.Content != "the new rail" || m.Kind != "fact" || !slices.Equal(m.Tags, []string{"rail", "a,b"}) ||
			m.Speaker != "Ines" || m.Session != "s" || !m.Pin || m.Confidence != 0.5 || m.Source != "book" ||
			m.Metadata["page"] != "7" || len(m.Metadata) != 2 || len(m.Embedding) != 8 || m.Embedding[7] != 8 ||
			m.EmbeddingModel != "tiny" || m.Language != "de" || m.LanguageDetected {
			t.Errorf("get = %+v", m)
		}
		times := []string{
			m.OccurredAt.Format("2006-01-02T15:04:05Z07:00"), m.ValidFrom.Format("2006-01-02"),
			m.ValidUntil.Format("2006-01-02"), m.ExpiresAt.Format("2006-01-02"),
		}
		want := []string{"2025-05-02T10:00:00+02:00", "2025-05-03", "2035-05-03", "2099-01-01"}
		if !slices.Equal(times, want) {
			t.Errorf("times = %q, want %q", times, want)
		}
		if want := (engram.Association{To: "old", Type: "replaces", Weight: 0.25}); !slices.Contains(m.Links, want) {
			t.Errorf("links = %+v, want %+v among them", m.Links, want)
		}
		if len(m.Neighbors) != 1 || m.Neighbors[0].To != "before" || len(m.History) != 1 {
			t.Errorf("neighbors = %+v, history = %+v", m.Neighbors, m.History)
		}
		retry := decoded[engram.Outcome](c, "remember", "--id", "new", "--idempotency-key", "k1", "--kind", "fact",
			"--tag", "rail", "--tag", "a,b", "--speaker", "Ines", "--session", "s",
			"--occurred-at", "2025-05-02T10:00:00+02:00", "--valid-from", "2025-05-03", "--valid-until", "2035-05-03",
			"--expires-at", "2099-01-01", "--pin", "--confidence", "0.5", "--source", "book", "--meta", "page=7",
			"--meta", "empty=", "--embedding", "@"+vector, "--embedding-model", "tiny", "--link", "old,type=replaces,weight=0.25",
			"--language", "german", "--supersedes", "old", "the", "new", "rail")
		c.fails(2, "remember", "--language", "klingon", "nuqneH")
		c.ok("update", "new", "--language", "fr")
		if m := decoded[wire.Memory](c, "get", "new"); m.Language != "fr" {
			t.Errorf("language after an update = %q", m.Language)
		}
		if retry.ID != "new" || retry.Version != outcome.Version {
			t.Errorf("retry = %+v, want %+v", retry, outcome)
		}
	})
}

func TestContentFromStandardInput(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		for id, args := range map[string][]string{"dash": {"-"}, "none": {}} {
			c.okIn("two\nlines of "+id+"\r\n", append([]string{"remember", "--id", id}, args...)...)
			if m := decoded[wire.Memory](c, "get", id); m.Content != "two\nlines of "+id {
				t.Errorf("content = %q", m.Content)
			}
		}
		out := c.ok("get", "dash")
		wantIn(t, "get", out, "two\n  lines of dash")
		c.fails(2, "remember", "--", "\xff")
		if r := c.run("\xff", "remember"); r.code != 2 {
			t.Errorf("remember of bytes that are not UTF-8 = exit %d, want 2: %s", r.code, r.err)
		}
	})
}

func TestStoredTextCannotDriveTheTerminal(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.okIn("red \x1b[31m and back", "remember", "--id", "esc", "-")
		for _, out := range []string{c.ok("get", "esc"), c.ok("recall", "red")} {
			wantIn(t, "output", out, "red")
			if strings.Contains(out, "\x1b") {
				t.Errorf("output has an escape: %q", out)
			}
		}
	})
}

func TestComplete(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--speaker", "Ines", "--meta", "place=dome", "the shutter was oiled")
		c.ok("remember", "--id", "b", "--speaker", "Wen", "--meta", "place=barn", "the shutter was painted",
			"--embedding", "[1,0,0,0,0,0,0,0]")
		wantIn(t, "complete", c.ok("complete", "oiled"), "Reconstructed by scores", "metadata.place = dome", "speaker = Ines", "  a")
		wantIn(t, "without words", c.ok("complete", "oiled", "--without", "words"), "Nothing known resembles it")
		wantIn(t, "two agree", c.ok("complete", "shutter"), "ambiguous, no single memory", "or ")
		wantIn(t, "novel", c.ok("complete", "unheard"), "Nothing known resembles it; 2 memories were searched")
		got := decoded[engram.Completion](c, "complete", "--meta", "place=barn", "--field", "speaker", "--limit", "3")
		if len(got.Fields) != 1 || got.Fields[0].Value != "Wen" || got.By != "fields" || !got.Reconstructed {
			t.Errorf("complete = %+v", got)
		}
		// One vector among one: nothing of 8 dimensions is nearer than chance.
		vector := decoded[engram.Completion](c, "complete", "--embedding", "[1,0,0,0,0,0,0,9]", "--mask", "[1,1,1,1,1,1,1,0]")
		if vector.By != "vectors" || vector.Searched != 2 {
			t.Errorf("complete by a vector = %+v", vector)
		}
		c.fails(2, "complete", "--embedding", "[1,0,0,0,0,0,0,9]", "--mask", "[1,2,1,1,1,1,1,0]")
		c.fails(2, "complete", "x", "--field", "colour")
		c.fails(2, "complete")
		wantIn(t, "compete", c.ok("recall", "oiled", "--compete"), ", probability 0.", "None of these: probability 0.")
	})
}

func TestConsolidate(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "Ada keeps the green bicycle in the shed")
		c.ok("remember", "--id", "b", "in the shed Ada keeps a green bicycle")
		wantIn(t, "two", c.ok("consolidate"), "consolidated 0 of 2 memories into 0 concepts")
		c.ok("remember", "--id", "c", "the green bicycle: Ada keeps it in the shed")
		wantIn(t, "dry run", c.ok("consolidate", "--dry-run", "--max-time", "10s", "--max-memories", "9", "--kind", "note"),
			"would consolidate 3 of 3 memories into 1 concepts", "new  in the shed Ada keeps a green bicycle", "from a b c")
		report := decoded[engram.Consolidation](c, "consolidate")
		if len(report.Concepts) != 1 || report.Archived != 3 {
			t.Fatalf("consolidate = %+v", report)
		}
		id := report.Concepts[0].ID
		wantIn(t, "get", c.ok("get", id), "consolidates", "concept")
		wantIn(t, "undo", c.ok("consolidate", "--undo", id), "took "+id+" apart: 3 memories are active again", "   b")
		wantIn(t, "left apart", c.ok("consolidate"), "consolidated 0 of 0 memories")
		wantIn(t, "again", c.ok("consolidate", "--undone"), "consolidated 3 of 3 memories into 1 concepts")
		c.fails(3, "consolidate", "--undo", id)
		c.fails(4, "consolidate", "--undo", "a")
		c.fails(2, "consolidate", "--undo", "a", "--dry-run")
		c.fails(2, "consolidate", "--max-memories", "-1")
		c.fails(2, "consolidate", "everything")
	})
}

func TestPredict(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		for _, session := range []string{"1", "2", "3"} {
			c.ok("remember", "--id", "a"+session, "--session", session, "run the build")
			c.ok("remember", "--id", "b"+session, "--session", session, "ship the package")
		}
		wantIn(t, "predict", c.ok("predict", "a1"), "said 3 times in sessions, followed by something 3 times",
			"1. 3 of 3 (1.0000, at least 0.4385)  ship the package", "b1 b2 b3")
		got := decoded[engram.Prediction](c, "predict", "b2", "--steps", "2", "--limit", "1")
		if got.Occurrences != 3 || got.Followed != 0 || len(got.Successors) != 0 {
			t.Errorf("predict = %+v", got)
		}
		c.fails(3, "predict", "nobody")
		c.fails(2, "predict")
		c.fails(2, "predict", "a1", "--steps", "99")
	})
}

func TestServeConsolidates(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	startServer(c, "--consolidate-every", "5ms")
	c.ok("remember", "--id", "a", "Ada keeps the green bicycle in the shed")
	c.ok("remember", "--id", "b", "in the shed Ada keeps a green bicycle")
	c.ok("remember", "--id", "c", "the green bicycle: Ada keeps it in the shed")
	for deadline := time.Now().Add(20 * time.Second); ; {
		if stats := decoded[engram.SpaceStats](c, "stats"); stats.Memories == 1 && stats.Archived == 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server consolidates nothing")
		}
	}
}

func TestServeMakesRoom(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	startServer(c, "--max-memories", "2")
	for _, id := range []string{"a", "b", "c"} {
		c.ok("remember", "--id", id, "--pin", "note "+id)
		if id == "b" {
			refused := c.fails(2, "remember", "--id", "c", "--pin", "note c")
			wantIn(t, "the refusal", refused, "max_memories is 2", "unpin")
			c.ok("feedback", "a", "--signal", "unpinned")
		}
	}
	if stats := decoded[engram.SpaceStats](c, "stats"); stats.Memories != 2 || stats.Archived != 1 {
		t.Errorf("stats = %+v, want 2 memories and an archived one", stats)
	}
}

func TestQuery(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--speaker", "Ada", "--source", "book", "the ferry is late")
		c.ok("remember", "--id", "b", "--speaker", "Bo", "the ferry is early")
		wantIn(t, "query", c.ok("query", `RECALL "ferry" WHERE source = "book" OR speaker = "Cy"`), "1. ", "the ferry is late")
		out := c.okIn(`RECALL WHERE NOT source EXISTS`, "query", "--json", "-")
		wantIn(t, "query", out, `"query":"RECALL WHERE NOT source EXISTS","recall":{"hits":[{"id":"b"`, `"searched":1`)
		bad := c.run("", "query", `RECALL "ferry" WHERE sorce = "book"`)
		if bad.code != 2 || bad.out != "" {
			t.Errorf("a bad query = exit %d: %s", bad.code, bad.out)
		}
		wantIn(t, "stderr", bad.err, "  RECALL \"ferry\" WHERE sorce = \"book\"\n                       ^^^^^\n", "column 22",
			"did you mean source?")
		if late := c.run("", "query", `RECALL "ferry" WITHIN 1ns`); late.code != 9 {
			t.Errorf("a query without time = exit %d: %s", late.code, late.err)
		}
	})
}

func TestReinforced(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		wantIn(t, "first", c.ok("remember", "--id", "a", "the same"), "created a (version 1)")
		wantIn(t, "second", c.ok("remember", "the same"), "reinforced a (version 1)")
	})
}

func TestRecall(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "dome", "--kind", "fact", "--tag", "x", "--occurred-at", "2025-05-01", "the dome binds")
		c.ok("remember", "--id", "owl", "--kind", "event", "--tag", "y", "--occurred-at", "2025-06-01", "--confidence", "0.4",
			"--speaker", "Wen", "an owl nests in the dome")
		wantIn(t, "recall", c.ok("recall", "binds"), "1. ", "words ", "2025-05-01", "dome", "the dome binds")
		wantIn(t, "recall --explain", c.ok("recall", "binds", "--explain"), "words from ")
		answer := decoded[wire.Answer](c, "recall", "dome", "binds")
		if len(answer.Hits) != 2 || answer.Hits[0].ID != "dome" {
			t.Fatalf("recall = %+v", answer)
		}
		for _, hit := range answer.Hits {
			sum := 0.0
			for _, v := range hit.Why {
				sum += v
			}
			if !nearly(sum, hit.Score) {
				t.Errorf("hit %s: terms %v add up to %v, score %v", hit.ID, hit.Why, sum, hit.Score)
			}
		}
		for _, filter := range [][]string{
			{"--kind", "fact"},
			{"--tag", "x"},
			{"--tag-any", "x"},
			{"--tag-none", "y"},
			{"--id", "dome"},
			{"--to", "2025-05-15"},
			{"--min-confidence", "0.8"},
			{"--limit", "1", "binds"},
		} {
			a := decoded[wire.Answer](c, append([]string{"recall", "dome"}, filter...)...)
			if len(a.Hits) != 1 || a.Hits[0].ID != "dome" {
				t.Errorf("recall dome %q = %+v, want only dome", filter, a.Hits)
			}
		}
		for _, filter := range [][]string{{"--speaker", "Wen"}, {"--from", "2025-05-15"}} {
			a := decoded[wire.Answer](c, append([]string{"recall"}, filter...)...)
			if len(a.Hits) != 1 || a.Hits[0].ID != "owl" {
				t.Errorf("recall %q = %+v, want only owl", filter, a.Hits)
			}
		}
		c.ok("link", "dome", "owl")
		near := decoded[wire.Answer](c, "recall", "binds")
		far := decoded[wire.Answer](c, "recall", "binds", "--hops", "0", "--detail", "ids")
		if len(near.Hits) != 2 || len(far.Hits) != 1 || far.Hits[0].Content != "" || !far.Hits[0].Shortened {
			t.Errorf("recall = %+v, with --hops 0 --detail ids %+v, want the linked one only in the first", near, far)
		}
		if a := decoded[wire.Answer](c, "recall"); len(a.Hits) != 2 || a.Hits[0].ID != "owl" {
			t.Errorf("recall without a cue = %+v, want the newest first", a.Hits)
		}
	})
}

func TestNothingRelevantIsAnAnswer(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "the dome binds")
		wantIn(t, "recall", c.ok("recall", "zeppelin"), "Nothing relevant is known")
		wantIn(t, "recall of a filter", c.ok("recall", "dome", "--kind", "none"), "no memory passes the filters")
		wantIn(t, "recall --json", c.ok("recall", "zeppelin", "--json"), `"hits":[]`)
	})
}

func TestUpdateTouchesOnlyWhatIsGiven(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--tag", "x", "--speaker", "Bo", "--meta", "k=v", "--confidence", "0.5",
			"--embedding", "1,0,0,0,0,0,0,0", "--valid-until", "2099-01-01", "--pin", "first")
		c.ok("update", "a", "--speaker", "Ann", "--reason", "misheard")
		m := decoded[wire.Memory](c, "get", "a")
		if m.Speaker != "Ann" || m.Content != "first" || m.Confidence != 0.5 || m.Metadata["k"] != "v" || !m.Pin ||
			len(m.Embedding) != 8 || len(m.Tags) != 1 || m.Version != 2 || m.Reason != "misheard" {
			t.Errorf("get = %+v", m)
		}
		c.ok("update", "a", "--speaker", "", "--tag", "", "--meta", "", "--embedding", "", "--valid-until", "", "--pin=false")
		m = decoded[wire.Memory](c, "get", "a")
		if m.Speaker != "" || len(m.Tags) != 0 || len(m.Metadata) != 0 || len(m.Embedding) != 0 ||
			!m.ValidUntil.IsZero() || m.Pin {
			t.Errorf("after clearing: get = %+v", m)
		}
		c.ok("update", "a", "--if-version", "3", "second", "text")
		wantIn(t, "get --history", c.ok("get", "a", "--history"), "version 4", "second text", "first", "because: misheard")
		c.fails(4, "update", "a", "--if-version", "1", "third")
	})
}

func TestForgetAndRestore(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--tag", "old", "--occurred-at", "2020-01-01", "about foxes")
		c.ok("remember", "--id", "b", "about hens")
		dry := c.ok("forget", "--tag", "old", "--before", "2021-01-01", "--dry-run")
		wantIn(t, "dry run", dry, "1 memory matched", "dry run")
		wantIn(t, "recall", c.ok("recall", "foxes"), "about foxes")
		wantIn(t, "forget", c.ok("forget", "a"), "1 archived, 0 erased")
		wantIn(t, "recall", c.ok("recall", "foxes"), "Nothing relevant")
		wantIn(t, "get", c.ok("get", "a"), "archived")
		wantIn(t, "unarchive", c.ok("unarchive", "a"), "restored a")
		wantIn(t, "recall", c.ok("recall", "foxes"), "about foxes")
		if r := decoded[engram.ForgetReport](c, "forget", "a", "--mode", "erase"); r.Erased != 1 {
			t.Errorf("forget = %+v", r)
		}
		c.fails(3, "get", "a")
		r := c.run("", "forget", "b", "nobody")
		if r.code != 3 || !strings.Contains(r.out, "1 archived") || !strings.Contains(r.err, `"nobody"`) {
			t.Errorf("forget of an unknown id = %+v", r)
		}
	})
}

func TestLink(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes")
		c.ok("remember", "--id", "b", "about hens")
		wantIn(t, "link", c.ok("link", "a", "b", "--type", "hunts", "--weight", "0.5"), "linked a -> b")
		wantIn(t, "get", c.ok("get", "a"), "hunts -> b (0.5000)")
		wantIn(t, "get", c.ok("get", "b"), "hunts <- a (0.5000)")
		if l := decoded[linked](c, "link", "a", "b", "--type", "hunts", "--remove"); !l.Removed {
			t.Errorf("link --remove = %+v", l)
		}
		c.fails(3, "link", "a", "b", "--type", "hunts", "--remove")
		c.fails(3, "link", "a", "nobody")
		c.fails(2, "link", "a", "b", "--remove", "--weight", "1")
	})
}

func TestExportAndImport(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--embedding", "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]", "--session", "s", "about foxes")
		c.ok("remember", "--id", "b", "--session", "s", "--link", "a,weight=0.25", "about hens")
		c.ok("update", "a", "about red foxes")
		c.ok("forget", "b")
		r := c.run("", "export")
		if r.code != 0 || strings.Count(r.out, "\n") != 3 {
			t.Fatalf("export = %+v, want three versions", r)
		}
		wantIn(t, "export's summary", r.err, "2 memories in 3 versions")
		file := filepath.Join(t.TempDir(), "export.jsonl")
		if err := os.WriteFile(file, []byte(r.out), 0o600); err != nil {
			t.Fatal(err)
		}
		first := decoded[engram.ImportReport](c, "import", file, "--space", "copy")
		if first.Lines != 3 || first.Created != 2 || first.Versions != 1 || first.BadCount != 0 {
			t.Errorf("import = %+v", first)
		}
		if again := c.ok("export", "--space", "copy"); again != r.out {
			t.Errorf("export of the import differs:\n%s\n%s", again, r.out)
		}
		second := decode[engram.ImportReport](t, c.okIn(r.out, "import", "-", "--space", "copy", "--json"))
		if second.Created != 0 || second.Unchanged != 3 {
			t.Errorf("second import = %+v, want nothing new", second)
		}
	})
}

func TestImportReportsBadLines(t *testing.T) {
	const input = `{"content":"good one"}

{"content":"good two","unknown":1}
not json
{"content":"good three"}
`
	eachMode(t, func(t *testing.T, c *cli) {
		r := c.run(input, "import", "-")
		if r.code != 2 {
			t.Errorf("import = exit %d, want 2", r.code)
		}
		wantIn(t, "stderr", r.err, "line 3:", "unknown", "line 4:", "2 lines were refused")
		wantIn(t, "summary", r.out, "4 lines", "2 created", "2 refused")
		r = c.run(input, "import", "-", "--strict", "--space", "strict")
		if r.code != 2 {
			t.Errorf("import --strict = exit %d, want 2", r.code)
		}
		wantIn(t, "stderr", r.err, "line 3:")
		wantIn(t, "summary", r.out, "1 created", "1 refused")
		if s := decoded[engram.SpaceStats](c, "stats", "--space", "strict"); s.Memories != 1 {
			t.Errorf("stats after a strict import = %+v, want one memory", s)
		}
		c.fails(3, "import", filepath.Join(t.TempDir(), "nowhere.jsonl"))
		c.fails(2, "import", t.TempDir())
	})
}

func TestStrictImportOfMuchIsAnsweredEarly(t *testing.T) {
	input := "bad\n" + strings.Repeat(`{"content":"`+strings.Repeat("x", 1000)+`"}`+"\n", 20_000)
	eachMode(t, func(t *testing.T, c *cli) {
		r := c.run(input, "import", "-", "--strict")
		if r.code != 2 {
			t.Errorf("import --strict = exit %d, want 2; stderr:\n%s", r.code, r.err)
		}
		wantIn(t, "stderr", r.err, "line 1:")
	})
}

func TestProgressIsForTheEyesOnly(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		input := strings.Repeat(`{"content":"a memory"}`+"\n", 3)
		blind := c.run(input, "import", "-", "--json")
		c.watched = true
		seen := c.run(input, "import", "-", "--json")
		if !strings.Contains(seen.err, "importing") || strings.Contains(blind.err, "importing") {
			t.Errorf("progress on a terminal: %q; elsewhere: %q", seen.err, blind.err)
		}
		if r := decode[engram.ImportReport](t, seen.out); r.Lines != 3 {
			t.Errorf("import = %+v", r)
		}
	})
}

func TestStatsAndVerify(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes")
		wantIn(t, "stats", c.ok("stats"), "memories    1 active", "vectors     none")
		if s := decoded[engram.SpaceStats](c, "stats"); s.Memories != 1 || s.Space != engram.DefaultSpace {
			t.Errorf("stats = %+v", s)
		}
		wantIn(t, "verify", c.ok("verify"), "0 problems")
		wantIn(t, "verify --json", c.ok("verify", "--json"), `"problems":[]`)
	})
}

func TestBudgets(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	startServer(c, "--space-rows", "2", "--space-mib", "100", "--memory-mib", "100000", "--free-mib", "1", "--spaces", "2")
	c.ok("remember", "one")
	c.ok("remember", "two")
	wantIn(t, "a third row", c.fails(2, "remember", "three"), "space_rows is 2: 2 are used")
	c.ok("remember", "one", "--space", "second")
	wantIn(t, "a third space", c.fails(2, "remember", "one", "--space", "third"), "spaces is 2: 2 are used")
	wantIn(t, "stats", c.ok("stats"), "budget      space rows: 2 of 2", "budget      space: ", " of 100.0 MiB",
		"budget      memory: ", "budget      free disk: ", "at least 1.0 MiB stay so", "budget      spaces: 2 of 2")
	if got := decoded[engram.SpaceStats](c, "stats").Budgets; len(got) != 5 || got[0].Name != "space_rows" || got[0].Most != 2 {
		t.Errorf("stats has the budgets %v", got)
	}
	c.fails(2, "serve", "--space-mib", "-1")
	c.fails(2, "serve", "--spaces", "-1")
}

func TestCompact(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes")
		c.ok("remember", "--id", "b", "about hens")
		c.ok("forget", "b", "--mode", "erase")
		wantIn(t, "compact", c.ok("compact", "--rate", "100"), "gone")
		wantIn(t, "compact --json", c.ok("compact", "--json"), `"left":[]`)
		wantIn(t, "recall", c.ok("recall", "foxes"), "about foxes")
		c.fails(2, "compact", "--rate", "-1")
		wantIn(t, "compact to cold", c.ok("compact", "--tier", "cold"), "1 segment became cold, 0 warm again")
		wantIn(t, "stats", c.ok("stats"), "0 warm, 2 cold in 1 segment")
		wantIn(t, "get", c.ok("get", "a"), "about foxes")
		wantIn(t, "compact to warm", c.ok("compact", "--tier", "warm"), "0 segments became cold, 1 warm again")
		wantIn(t, "compact by need", c.ok("compact", "--cold-after", "48h", "--json"), `"cooled":0`)
		c.fails(2, "compact", "--tier", "hot")
		c.fails(2, "compact", "--cold-after", "1h")
		c.fails(2, "compact", "--cold-after", "48h", "--tier", "cold")
		c.fails(2, "serve", "--cold-after", "1h")
	})
}

func TestSpacesAreApart(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--space", "one", "about foxes")
		c.ok("remember", "--space", "two", "about hens")
		wantIn(t, "recall", c.ok("recall", "foxes", "--space", "two"), "Nothing relevant")
		c.fails(2, "recall", "foxes", "--space", "Not A Space")
	})
}

func TestVersion(t *testing.T) {
	c := &cli{t: t}
	wantIn(t, "version", c.ok("version"), "engram ", "go1.")
	if v := decoded[versionInfo](c, "version"); v.Go == "" || v.Platform == "" {
		t.Errorf("version = %+v", v)
	}
}

// moments are times of this run, and sizes that depend on them.
var moments = regexp.MustCompile(
	`"(created_at|updated_at|archived_at|superseded_at|from|until|last_used|labile_until|at|judged_at|since|lapsed_at)":"[^"]*"|(created|updated|archived|superseded) +[0-9: +Z-]+|` +
		`"(retrievability|days)":[0-9.e-]+|[0-9-]{10} [0-9:]{8}Z`)

func TestBothBackendsSayTheSame(t *testing.T) {
	script := [][]string{
		{"remember", "--id", "a", "--session", "s", "--occurred-at", "2025-05-01T10:00:00+02:00", "--tag", "x", "the foxes"},
		{"remember", "--id", "b", "--session", "s", "--occurred-at", "2025-05-01T10:01:00+02:00", "--link", "a", "silence"},
		{"remember", "--id", "a", "something else"},
		{"remember", "--id", "c/d ä?", "--occurred-at", "2025-05-02T00:00:00Z", "--json", "an odd id <&>"},
		{"remember", "--confidence", "7", "too sure"},
		{"remember", ""},
		{"recall", "foxes", "--explain"},
		{"recall", "foxes", "--explain", "--json"},
		{"recall", "--limit", "-1", "foxes"},
		{"recall", "--limit", "5"},
		{"get", "a", "b", "nobody", "c/d ä?", "--history", "--neighbors"},
		{"get", "a", "--json", "--history", "--neighbors"},
		{"get", "nobody"},
		{"update", "a", "--kind", "fact", "--occurred-at", "2025-05-01T09:00:00+02:00", "about red foxes"},
		{"update", "nobody", "x"},
		{"update", "a", "--confidence", "-1"},
		{"update", "a"},
		{"link", "a", "b", "--weight", "3"},
		{"link", "b", "a", "--type", "t"},
		{"forget", "b", "nobody"},
		{"forget"},
		{"forget", "a", "--mode", "burn"},
		{"unarchive", "b"},
		{"unarchive", "nobody"},
		{"recall", "foxes", "--json"},
		{
			"remember", "--id", "e", "--supersedes", "b", "--contradicts", "a", "--valid-from", "2025-05-03T00:00:00Z",
			"--occurred-at", "2025-05-04T00:00:00Z", "noise",
		},
		{"get", "b", "--json"},
		{"get", "b"},
		{"get", "a", "--as-of", "2020-01-01"},
		{"get", "a", "--as-of", "2100-01-01T00:00:00Z"},
		{"get", "a", "--as-of", "2100-01-01T00:00:00Z", "--json"},
		{"get", "a", "--as-of", "2100-01-01", "--history"},
		{"recall", "noise", "--as-of", "2020-01-01"},
		{"recall", "noise", "--as-of", "2100-01-01T00:00:00Z", "--json"},
		{"recall", "noise"},
		{"held", "e", "--valid-at", "2025-05-04"},
		{"held", "b", "--valid-at", "2025-05-04", "--json"},
		{"held", "a", "--valid-at", "2025-05-04", "--as-of", "2020-01-01"},
		{"held", "a"},
		{"query", `RECALL "noise" WHERE speaker = ""`},
		{"query", "EXPLAIN RECALL 'foxes'", "LIMIT 1", "--json"},
		{"query", `RECALL "noise foxes" WHERE NOT id = "a"`, "--json"},
		{"query", `RECALL "x" WHERE speeker = "Ada"`},
		{"query", `FORGET "x"`, "--json"},
		{"query", `SPREAD "a"`},
		{"query", `SPREAD "nobody"`},
		{"query", `COMPLETE "noise" FIELDS kind`},
		{"query", `PREDICT "a"`},
		{"query", `EXPLAIN CONSOLIDATE`},
		{"contradictions"},
		{"contradictions", "a", "--json"},
		{"contradictions", "nobody"},
		{"contradictions", "--space", "empty"},
		{"export"},
		{"recall", "--space", "NO", "x"},
		{"recall", "--embedding", "[1,2]", "x"},
		{"fit"},
		{"fit", "--dry-run", "--json"},
		{"fit", "--remove"},
		{"fit", "--remove", "--json"},
		{"fit", "--remove", "--dry-run"},
		{"feedback", "a"},
		{"feedback", "nobody", "--signal", "useful"},
		{"feedback", "a", "--signal", "great"},
		{"feedback", "--recall", "zz", "--signal", "useful"},
		{"feedback", "--useful", "c/d ä?", "--wrong", "b", "--source", "Bo", "--event-id", "e1"},
		{"feedback", "--useful", "c/d ä?", "--wrong", "b", "--source", "Bo", "--event-id", "e1", "--json"},
		{"update", "c/d ä?", "--mode", "sideways", "x"},
		{"feedback", "--signal", "contradicted", "a", "--by", "c/d ä?", "--during", "s9", "--reason", "two say so", "--verified"},
		{"feedback", "--signal", "contradicted", "a", "--by", "a"},
		{"feedback", "--signal", "wrong", "a", "--by", "b"},
		{"feedback", "--signal", "wrong", "b", "--source", "Cy", "--verified", "--event-id", "e2"},
		{"feedback", "--log"},
		{"feedback", "--log", "a"},
		{"feedback", "--log", "a", "--json"},
		{"feedback", "--log", "--signal", "wrong"},
		{"feedback", "--log", "--space", "nowhere"},
		{"sources"},
		{"sources", "--json"},
		{"sources", "--space", "empty"},
		{"recall", "foxes", "--during", "s8"},
		{"recall", "noise", "--valid-at", "2025-05-04", "--without", "priming", "--json"},
		{"recall", "noise", "--valid-at", "2025-05-04", "--without", "priming"},
		{"get", "a"},
		{"export"},
	}
	var said [2]strings.Builder
	for i := range said {
		c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
		if i == 1 {
			startServer(c)
		}
		for _, args := range script {
			r := c.run("", args...)
			where, rest, _ := strings.Cut(r.err, "\n") // The first line says which backend it was.
			if r.code == 2 && rest == "" {
				rest = where
			}
			said[i].WriteString(strings.Join(args, " ") + "\n" + moments.ReplaceAllString(r.out, "$1$2$3") + rest + "\n")
			if r.code != 0 {
				said[i].WriteString("exit " + string(rune('0'+r.code)) + "\n")
			}
		}
	}
	direct, served := strings.Split(said[0].String(), "\n"), strings.Split(said[1].String(), "\n")
	for i := range min(len(direct), len(served)) {
		if direct[i] != served[i] {
			t.Errorf("line %d:\ndirectly: %s\nserver:   %s", i, direct[i], served[i])
		}
	}
	if len(direct) != len(served) {
		t.Errorf("%d lines directly, %d through the server", len(direct), len(served))
	}
}

func TestSaysWhichBackend(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		r := c.run("", "remember", "x")
		want := "engram: directly on " + c.dir
		if c.served {
			want = "engram: through the server at http://127.0.0.1:"
		}
		wantIn(t, "stderr", r.err, want)
	})
}

func TestMCP(t *testing.T) {
	messages := []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` +
			`"clientInfo":{"name":"test","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"remember","arguments":{"content":"about foxes"}}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"recall","arguments":{"query":"foxes"}}}`,
		`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"forget","arguments":{"ids":["nobody"]}}}`,
		`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"get","arguments":{"ids":["fox-1"],` +
			`"include":["history"]}}}`,
	}
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "fox-1", "about red foxes")
		input, send := io.Pipe()
		receive, output := io.Pipe()
		var stderr lockedBuffer
		ended := make(chan int, 1)
		go func() {
			ended <- run(t.Context(), []string{"mcp"}, c.process(input, output, &stderr))
			output.Close()
		}()
		answers := json.NewDecoder(receive)
		var last map[string]any
		for _, m := range messages {
			if _, err := io.WriteString(send, m+"\n"); err != nil {
				t.Fatalf("send %s: %v; stderr:\n%s", m, err, stderr.String())
			}
			if !strings.Contains(m, `"id"`) {
				continue
			}
			last = nil
			if err := answers.Decode(&last); err != nil || last["result"] == nil {
				t.Fatalf("answer to %s = %v, %v", m, last, err)
			}
			if strings.Contains(m, `"recall"`) {
				wantIn(t, "recall", asText(t, last), "about red foxes", "about foxes")
			}
		}
		wantIn(t, "get", asText(t, last), "fox-1", "history")
		send.Close()
		if code := <-ended; code != 0 {
			t.Errorf("mcp = exit %d, want 0 at the end of its input; stderr:\n%s", code, stderr.String())
		}
	})
}

// asText encodes v for looking into it.
func asText(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSpread(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "the rain began")
		c.ok("remember", "--id", "b", "--link", "a,type=follows", "the dam broke")
		wantIn(t, "spread", c.ok("spread", "a"), "1. 0.3", " a < follows  b", "the dam broke")
		wantIn(t, "filtered", c.ok("spread", "a", "--kind", "plan"), "Nothing is associated with it")
		got := decoded[engram.Spreading](c, "spread", "b", "--type", "follows")
		if len(got.Memories) != 1 || got.Memories[0].ID != "a" {
			t.Errorf("spread = %+v", got)
		}
		wantIn(t, "spread as of a time before", c.fails(3, "spread", "a", "--as-of", "2001-01-01"), "was not known")
		wantIn(t, "associations have no dates", c.fails(2, "spread", "a", "--as-of", "2101-01-01", "--type", "follows"), "no dates")
		wantIn(t, "predict as of a time before", c.fails(3, "predict", "a", "--as-of", "2001-01-01"), "was not known")
		c.fails(3, "spread", "nobody")
		c.fails(2, "spread")
		c.fails(2, "spread", "a", "a")
	})
}
