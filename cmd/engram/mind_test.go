package main

import (
	"path/filepath"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

func TestComplete(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "--speaker", "Ines", "--meta", "place=dome", "the shutter was oiled")
		c.ok("remember", "--id", "b", "--speaker", "Wen", "--meta", "place=barn", "the shutter was painted",
			"--embedding", "[1,0,0,0,0,0,0,0]")
		wantIn(t, "complete", c.ok("complete", "oiled"), "Reconstructed by scores", "metadata.place = dome",
			"speaker = Ines", "  a")
		wantIn(t, "without words", c.ok("complete", "oiled", "--without", "words"), "Nothing known resembles it")
		wantIn(t, "two agree", c.ok("complete", "shutter"), "ambiguous, no single memory", "or ")
		wantIn(t, "novel", c.ok("complete", "unheard"), "Nothing known resembles it; 2 memories were searched")
		got := decoded[engram.Completion](c, "complete", "--meta", "place=barn", "--field", "speaker", "--limit", "3")
		if len(got.Fields) != 1 || got.Fields[0].Value != "Wen" || got.By != "fields" || !got.Reconstructed {
			t.Errorf("complete = %+v", got)
		}
		// One vector among one: nothing of 8 dimensions is nearer than chance.
		vector := decoded[engram.Completion](c, "complete", "--embedding", "[1,0,0,0,0,0,0,9]",
			"--mask", "[1,1,1,1,1,1,1,0]")
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
		wantIn(t, "dry run", c.ok("consolidate",
			"--dry-run", "--max-time", "10s", "--max-memories", "9", "--kind", "note"),
			"would consolidate 3 of 3 memories into 1 concepts", "new  in the shed Ada keeps a green bicycle",
			"from a b c")
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
		wantIn(t, "query", c.ok("query", `RECALL "ferry" WHERE source = "book" OR speaker = "Cy"`), "1. ",
			"the ferry is late")
		out := c.okIn(`RECALL WHERE NOT source EXISTS`, "query", "--json", "-")
		wantIn(t, "query", out, `"query":"RECALL WHERE NOT source EXISTS","recall":{"hits":[{"id":"b"`, `"searched":1`)
		bad := c.run("", "query", `RECALL "ferry" WHERE sorce = "book"`)
		if bad.code != 2 || bad.out != "" {
			t.Errorf("a bad query = exit %d: %s", bad.code, bad.out)
		}
		wantIn(t, "stderr", bad.err, "  RECALL \"ferry\" WHERE sorce = \"book\"\n                       ^^^^^\n",
			"column 22", "did you mean source?")
		if late := c.run("", "query", `RECALL "ferry" WITHIN 1ns`); late.code != 9 {
			t.Errorf("a query without time = exit %d: %s", late.code, late.err)
		}
	})
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
		wantIn(t, "associations have no dates", c.fails(2, "spread", "a", "--as-of", "2101-01-01", "--type", "follows"),
			"no dates")
		wantIn(t, "predict as of a time before", c.fails(3, "predict", "a", "--as-of", "2001-01-01"), "was not known")
		c.fails(3, "spread", "nobody")
		c.fails(2, "spread")
		c.fails(2, "spread", "a", "a")
	})
}
