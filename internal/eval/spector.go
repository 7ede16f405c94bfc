package eval

import (
	"os"
	"slices"
	"strings"
	"time"

	engram "github.com/orchard9/engram-go"
)

type spectorMemory struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	Tags    []string `json:"synapticTags"`
	Session string   `json:"sessionId"`
	Millis  int64    `json:"timestampMs"`
}

// loadSpector reads a life log with graded judgements. Text, tags, session and time of a memory are remembered; what
// else the collection tells of it is the product of another engine. A query brings its text alone.
func loadSpector(in *input, _ LoadOptions) (*Set, error) {
	j := newJudged()
	j.set.Unit, j.set.Depth, j.set.K = "memory", 100, []int{5, 10, 20}
	names, err := spectorFiles(in)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		err := objects(in, name, func(at Place, m spectorMemory) error {
			return j.document(at, m.ID, engram.Draft{
				Content: m.Text, Tags: distinct(m.Tags), Session: m.Session, OccurredAt: time.UnixMilli(m.Millis).UTC(),
			})
		})
		if err != nil {
			return nil, err
		}
	}
	err = objects(in, "queries.jsonl", func(at Place, q struct {
		ID   string `json:"id"`
		Text string `json:"text"`
	},
	) error {
		return j.question(at, q.ID, q.Text)
	})
	if err != nil {
		return nil, err
	}
	if err := j.judgements(in, "qrels.tsv"); err != nil {
		return nil, err
	}
	return j.finish(), nil
}

// spectorFiles lists the files of memories, those of days in the order of their names first.
func spectorFiles(in *input) ([]string, error) {
	var names []string
	for _, dir := range []string{"daily/", ""} {
		entries, err := os.ReadDir(in.path(dir))
		if err != nil {
			return nil, unreadable(err)
		}
		for _, e := range entries {
			if n := e.Name(); strings.HasPrefix(n, "corpus-") && strings.HasSuffix(n, ".jsonl") {
				names = append(names, dir+n)
			}
		}
	}
	return names, nil
}

// distinct drops repeated and empty tags.
func distinct(tags []string) []string {
	var out []string
	for _, tag := range tags {
		if tag != "" && !slices.Contains(out, tag) {
			out = append(out, tag)
		}
	}
	return out
}
