package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

// TestStreamedEndsWithItsProblem has a server say on its last line why the rest is missing, and cut a line off: what
// came before is given, and then an error, never an empty record.
func TestStreamedEndsWithItsProblem(t *testing.T) {
	for last, damaged := range map[string]bool{
		`{"problem":{"code":"corrupt","title":"damaged","status":500,"detail":"x"}}` + "\n": true,
		`{"id":"b"`: false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"id":"a"}`+"\n"+last)
		}))
		r := &remote{base: server.URL, space: "default", http: server.Client()}
		var ids []string
		var end error
		for record, err := range r.FeedbackLog(t.Context()) {
			if end = err; err == nil {
				ids = append(ids, record.ID)
			}
		}
		p, told := errors.AsType[*problem.Problem](end)
		if len(ids) != 1 || ids[0] != "a" || end == nil || told != damaged || told && p.Code != "corrupt" {
			t.Errorf("judgements that end with %s: %v, then %v", last, ids, end)
		}
		var others []engram.Unembedded
		for u, err := range r.Unembedded(t.Context()) {
			if end = err; err == nil {
				others = append(others, u)
			}
		}
		if _, told := errors.AsType[*problem.Problem](end); len(others) != 1 || end == nil || told != damaged {
			t.Errorf("what has no vector, ending with %s: %v, then %v", last, others, end)
		}
		server.Close()
	}
}
