package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// moments are times of this run, and sizes that depend on them.
var moments = regexp.MustCompile(
	`"(created_at|updated_at|archived_at|superseded_at|from|until|last_used|labile_until|at|judged_at|since|` +
		`lapsed_at)":"[^"]*"|(created|updated|archived|superseded) +[0-9: +Z-]+|` +
		`"(retrievability|days)":[0-9.e-]+|[0-9-]{10} [0-9:]{8}Z`)

func TestBothBackendsSayTheSame(t *testing.T) {
	script := [][]string{
		{
			"remember", "--id", "a", "--session", "s", "--occurred-at", "2025-05-01T10:00:00+02:00", "--tag", "x",
			"the foxes",
		},
		{
			"remember", "--id", "b", "--session", "s", "--occurred-at", "2025-05-01T10:01:00+02:00", "--link", "a",
			"silence",
		},
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
		{
			"feedback", "--signal", "contradicted", "a", "--by", "c/d ä?", "--during", "s9", "--reason", "two say so",
			"--verified",
		},
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
			said[i].WriteString(strings.Join(args, " ") + "\n" + moments.ReplaceAllString(r.out, "$1$2$3") + rest +
				"\n")
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
