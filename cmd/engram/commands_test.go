package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
		outcome := decoded[engram.Outcome](c, "remember", "--id", "new", "--kind", "fact", "--tag", "rail",
			"--tag", "a,b", "--speaker", "Ines", "--session", "s", "--occurred-at", "2025-05-02T10:00:00+02:00",
			"--valid-from", "2025-05-03", "--valid-until", "2035-05-03", "--expires-at", "2099-01-01", "--pin",
			"--confidence", "0.5", "--source", "book", "--meta", "page=7", "--meta", "empty=",
			"--embedding", "@"+vector, "--embedding-model", "tiny", "--link", "old,type=replaces,weight=0.25",
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
			"--meta", "empty=", "--embedding", "@"+vector, "--embedding-model", "tiny",
			"--link", "old,type=replaces,weight=0.25", "--language", "german", "--supersedes", "old", "the", "new",
			"rail")
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

func TestReinforced(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		wantIn(t, "first", c.ok("remember", "--id", "a", "the same"), "created a (version 1)")
		wantIn(t, "second", c.ok("remember", "the same"), "reinforced a (version 1)")
	})
}

func TestRecall(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "dome", "--kind", "fact", "--tag", "x", "--occurred-at", "2025-05-01",
			"the dome binds")
		c.ok("remember", "--id", "owl", "--kind", "event", "--tag", "y", "--occurred-at", "2025-06-01",
			"--confidence", "0.4", "--speaker", "Wen", "an owl nests in the dome")
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
		c.ok("update", "a", "--speaker", "", "--tag", "", "--meta", "", "--embedding", "", "--valid-until", "",
			"--pin=false")
		m = decoded[wire.Memory](c, "get", "a")
		if m.Speaker != "" || len(m.Tags) != 0 || len(m.Metadata) != 0 || len(m.Embedding) != 0 ||
			!m.ValidUntil.IsZero() || m.Pin {
			t.Errorf("after clearing: get = %+v", m)
		}
		c.ok("update", "a", "--if-version", "3", "second", "text")
		wantIn(t, "get --history", c.ok("get", "a", "--history"), "version 4", "second text", "first",
			"because: misheard")
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
	startServer(c, "--space-rows", "2", "--space-mib", "100", "--memory-mib", "100000", "--free-mib", "1",
		"--spaces", "2")
	c.ok("remember", "one")
	c.ok("remember", "two")
	wantIn(t, "a third row", c.fails(2, "remember", "three"), "space_rows is 2: 2 are used")
	c.ok("remember", "one", "--space", "second")
	wantIn(t, "a third space", c.fails(2, "remember", "one", "--space", "third"), "spaces is 2: 2 are used")
	wantIn(t, "stats", c.ok("stats"), "budget      space rows: 2 of 2", "budget      space: ", " of 100.0 MiB",
		"budget      memory: ", "budget      free disk: ", "at least 1.0 MiB stay so", "budget      spaces: 2 of 2")
	got := decoded[engram.SpaceStats](c, "stats").Budgets
	if len(got) != 5 || got[0].Name != "space_rows" || got[0].Most != 2 {
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

func TestMCP(t *testing.T) {
	messages := []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},` +
			`"clientInfo":{"name":"test","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"remember",` +
			`"arguments":{"content":"about foxes"}}}`,
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

// TestMCPFollowsItsServer: an agent's session outlives the server that it works through, and goes on with the next one,
// which has another address. Without a server a call says what to do.
func TestMCPFollowsItsServer(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	_, stop := serveUntil(c)
	input, send := io.Pipe()
	receive, output := io.Pipe()
	var stderr lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"mcp"}, c.process(input, output, &stderr))
		output.Close()
	}()
	answers, id := json.NewDecoder(receive), 0
	ask := func(method, params string) string {
		t.Helper()
		id++
		_, err := fmt.Fprintf(send, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, params)
		var answer map[string]any
		if err = errors.Join(err, answers.Decode(&answer)); err != nil {
			t.Fatalf("%s %s = %v; stderr:\n%s", method, params, err, stderr.String())
		}
		return asText(t, answer)
	}
	ask("initialize", `{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}`)
	remember := func(what string) string {
		return ask("tools/call", fmt.Sprintf(`{"name":"remember","arguments":{"content":%q}}`, what))
	}
	wantIn(t, "before", remember("about foxes"), "created")
	stop()
	wantIn(t, "without a server", remember("about hens"), `"isError":true`, "closed: ", "engram serve")
	_, stop = serveUntil(c)
	wantIn(t, "with the next server", remember("about wolves"), "created")
	send.Close()
	if code := <-ended; code != 0 {
		t.Errorf("mcp = exit %d; stderr:\n%s", code, stderr.String())
	}
	stop()
	c.served = false
	wantIn(t, "list", c.ok("recall"), "about foxes", "about wolves")
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
