package httpapi_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

func TestQuery(t *testing.T) {
	d := open(t)
	const route = "/v1/spaces/default/query"
	d.want(201, "POST", memories, `{"id":"a","content":"plums are green","source":"book"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"plums are blue"}`, nil)
	var result wire.Result
	d.want(200, "POST", route, `{"query":"recall 'plums' where source exists"}`, &result)
	if result.Query != `RECALL "plums" WHERE source EXISTS` || len(result.Recall.Hits) != 1 ||
		result.Recall.Hits[0].ID != "a" {
		t.Errorf("query = %+v", result)
	}
	d.want(200, "POST", route, `{"query":"EXPLAIN CONSOLIDATE"}`, &result)
	if result.Consolidate == nil || !result.Consolidate.DryRun {
		t.Errorf("query = %+v", result)
	}
	var p problem.Problem
	d.want(400, "POST", route, `{"query":"RECALL WHERE sorce EXISTS"}`, &p)
	if p.Field != "query" || p.Value != "sorce" || !strings.Contains(p.Detail, "column 14") ||
		!strings.Contains(p.Detail, "did you mean source?") {
		t.Errorf("a bad query = %+v", p)
	}
	d.want(504, "POST", route, `{"query":"RECALL \"plums\" WITHIN 1ns"}`, nil)
	d.want(404, "POST", route, `{"query":"SPREAD \"nobody\""}`, nil)
}

func TestTime(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"plums are green","valid_from":"2020-01-01T00:00:00Z"}`, nil)
	then := url.QueryEscape(time.Now().Format(time.RFC3339Nano))
	d.want(200, "PATCH", memories+"/a", `{"content":"plums are purple"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"plums are yellow","contradicts":["a"]}`, nil)
	var m wire.Memory
	d.want(200, "GET", memories+"/a?as_of="+then, "", &m)
	if m.Content != "plums are green" || m.Version != 1 {
		t.Errorf("get as of then = %+v", m)
	}
	d.want(404, "GET", memories+"/a?as_of=2020-01-01T00:00:00Z", "", nil)
	d.want(404, "GET", memories+"/b?as_of="+then, "", nil)
	d.want(400, "GET", memories+"/a?include=links&as_of="+then, "", nil)
	d.want(400, "GET", memories+"/a?as_of=yesterday", "", nil)
	d.want(400, "GET", memories+"/a?as_of=0001-01-01T00:00:00Z", "", nil)
	unescaped, err := url.QueryUnescape(then)
	if err != nil {
		t.Fatal(err)
	}
	var answer wire.Answer
	d.want(200, "POST", "/v1/spaces/default/recall", `{"query":"plums","as_of":"`+unescaped+`"}`, &answer)
	if len(answer.Hits) != 1 || answer.Hits[0].Content != "plums are green" || answer.Hits[0].Contradicts[0] != "b" {
		t.Errorf("recall as of then = %+v", answer)
	}
	for query, want := range map[string]engram.Held{
		"valid_at=2021-01-01T00:00:00Z": engram.HeldYes, "valid_at=2019-01-01T00:00:00Z": engram.HeldNo,
	} {
		var held wire.Held
		if d.want(200, "GET", memories+"/a/held?"+query, "", &held); held.Held != want {
			t.Errorf("held %s = %v, want %v", query, held, want)
		}
	}
	d.want(400, "GET", memories+"/a/held", "", nil)
	var pairs wire.Contradictions
	d.want(200, "GET", "/v1/spaces/default/contradictions?id=a", "", &pairs)
	if len(pairs.Contradictions) != 1 ||
		pairs.Contradictions[0] != (engram.Contradiction{A: "a", B: "b", Weight: 1, Open: true}) {
		t.Errorf("contradictions = %+v", pairs)
	}
	d.want(400, "GET", "/v1/spaces/default/contradictions?id=", "", nil)
}
