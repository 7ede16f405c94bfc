package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

func TestDemoTellsTheTruth(t *testing.T) {
	t.Setenv(envTestMain, "1") // The demo starts this binary again.
	c := &cli{t: t}
	out := c.ok("demo", "--keep")
	wantIn(t, "demo", out, "== Remember", "== Recall by words", "== Recall by time", "== Recall by association",
		"== Correct", "== Forget", "== Kill a writing process")
	if strings.Contains(out, "[NOT SO]") || strings.Count(out, "[ok]") < 12 {
		t.Errorf("claims:\n%s", out)
	}
	if lines := strings.Count(out, "\n"); lines > 80 {
		t.Errorf("the demo takes %d lines, want at most 80", lines)
	}
	found := regexp.MustCompile(`--data (\S+) recall`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("demo --keep does not say where:\n%s", out)
	}
	dir := strings.Trim(found[1], "'")
	defer os.RemoveAll(dir)
	c.dir = dir
	if s := decoded[engram.SpaceStats](c, "stats"); s.Memories < 100 {
		t.Errorf("stats of the kept directory = %+v", s)
	}
}

func TestDemoStory(t *testing.T) {
	drafts, err := parseStory(demoStory)
	if err != nil || len(drafts) < 100 {
		t.Fatalf("parseStory = %d drafts, %v", len(drafts), err)
	}
	ids, contents := map[string]bool{}, map[string]bool{}
	for i, d := range drafts {
		if d.ID == "" || d.OccurredAt.IsZero() || d.Session == "" || d.Speaker == "" || ids[d.ID] ||
			contents[d.Content] {
			t.Errorf("line %d is incomplete or a repetition: %+v", i+1, d)
		}
		if i > 0 && d.OccurredAt.Before(drafts[i-1].OccurredAt) {
			t.Errorf("line %d happened before the line above it", i+1)
		}
		ids[d.ID], contents[d.Content] = true, true
	}
	if _, err := parseStory([]byte(`{"content":"x","surprise":1}`)); err == nil {
		t.Error("parseStory accepts an unknown field")
	}
}

func TestDemoChecksFail(t *testing.T) {
	good := engram.Answer{Hits: []engram.Hit{{Score: 3, Why: []engram.Term{
		{Name: "words", Value: 2, Detail: []engram.Part{{Name: "a", Value: 2}}}, {Name: "recency", Value: 1},
	}}}}
	if !allTermsAddUp(good) || !sameAnswer(good, good) {
		t.Error("a good answer is refused")
	}
	badScore := engram.Answer{Hits: []engram.Hit{{Score: 4, Why: good.Hits[0].Why}}}
	badPart := engram.Answer{Hits: []engram.Hit{{Score: 3, Why: []engram.Term{
		{Name: "words", Value: 3, Detail: []engram.Part{{Name: "a", Value: 2}}},
	}}}}
	for name, bad := range map[string]engram.Answer{"score": badScore, "part": badPart, "empty": {}} {
		if allTermsAddUp(bad) {
			t.Errorf("allTermsAddUp accepts a bad %s", name)
		}
		if name != "part" && sameAnswer(good, bad) {
			t.Errorf("sameAnswer accepts a bad %s", name)
		}
	}
	d := &demo{app: newApp(process{stdout: new(strings.Builder)})}
	d.claim(false, "the moon is made of cheese")
	if d.failed != 1 {
		t.Errorf("a false claim counts %d", d.failed)
	}
}
