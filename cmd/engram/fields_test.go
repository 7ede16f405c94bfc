package main

import (
	"cmp"
	"reflect"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// Where fields are given that have no flag.
const (
	asArguments = "(arguments)"
	notTaken    = "(the call refuses it)"
)

// singular are fields that a flag gives one of at a time, and those with a shorter name.
var singular = map[string]string{
	"tags": "tag", "tags_any": "tag-any", "tags_none": "tag-none", "kinds": "kind", "links": "link", "types": "type",
	"fields": "field", "metadata": "meta", "max_time_ms": "max-time", "recall_id": "recall",
}

// TestEveryFieldHasAFlag walks the fields of what calls take, and looks for the flag of each: a new field that the
// command line cannot give fails here.
func TestEveryFieldHasAFlag(t *testing.T) {
	root := newApp(process{}).rootCommand()
	arguments := map[string]string{"content": asArguments, "query": asArguments, "ids": asArguments, "to": asArguments}
	for _, c := range []struct {
		command string
		takes   any
		named   map[string]string // fields that are given otherwise than by what singular says, or their own name
	}{
		{"remember", engram.Draft{}, arguments},
		{"recall", engram.Cue{}, map[string]string{"query": asArguments, "ids": "id"}},
		{"complete", engram.Partial{}, map[string]string{
			"query": asArguments, "ids": "id", "explain": notTaken, "max_tokens": notTaken, "max_time_ms": notTaken,
			"repeats": notTaken, "compete": notTaken, "hops": notTaken, "detail": notTaken,
		}},
		{"update", engram.Change{}, arguments},
		{"forget", engram.ForgetRequest{}, arguments},
		{"feedback", engram.Feedback{}, arguments},
		{"fit", engram.FitOptions{}, nil},
		{"spread", engram.SpreadRequest{}, arguments},
		{"predict", engram.Precedent{}, arguments},
		{"consolidate", engram.ConsolidateOptions{}, nil},
		{"import", engram.ImportOptions{}, nil},
		{"link", engram.Link{}, arguments},
	} {
		cmd, _, err := root.Find([]string{c.command})
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(c.takes)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.Anonymous || name == "-" || name == "" {
				continue
			}
			flag := cmp.Or(c.named[name], singular[name], strings.ReplaceAll(name, "_", "-"))
			if flag != asArguments && flag != notTaken && cmd.Flags().Lookup(flag) == nil {
				t.Errorf("%s of %T has no flag --%s of engram %s", name, c.takes, flag, c.command)
			}
		}
	}
}
