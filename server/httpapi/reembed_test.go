package httpapi_test

import (
	"strings"
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

func TestReembed(t *testing.T) {
	d := open(t)
	const route = "/v1/spaces/default/reembed"
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	d.want(201, "POST", memories, `{"id":"a","content":"gulls","embedding":[1,0,0,0,0,0,0,0]}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"terns","embedding":[0,1,0,0,0,0,0,0]}`, nil)
	d.want(400, "POST", memories, `{"content":"x","embedding":[0,1,0,0,0,0,0,0],"embedding_model":"small"}`, nil)
	d.want(200, "POST", "/v1/spaces/default/embedding_model", `{"embedding_model":"small"}`, nil)
	d.want(400, "POST", "/v1/spaces/default/embedding_model", `{"embedding_model":"other"}`, nil)
	d.want(400, "POST", "/v1/spaces/default/embedding_model", `{}`, nil)
	_, text := d.send("GET", route, "")
	if text != `{"id":"a","version":1,"content":"gulls"}`+"\n"+`{"id":"b","version":1,"content":"terns"}`+"\n" {
		t.Errorf("what has to be embedded: %s", text)
	}
	d.want(409, "DELETE", route, "", nil)
	a := `{"id":"a","version":1,"embedding":[1,0,0,0,0,0,0,0,5]}` + "\n"
	var report engram.ReembedReport
	d.want(200, "POST", route+"?embedding_model=large&dim=9&partial=true", a+"{}\n", &report, ndjson...)
	if report.Embedded != 1 || report.Missing != 1 || report.Served || report.BadCount != 1 || report.Bad[0].Line != 2 {
		t.Errorf("reembed of a part = %+v", report)
	}
	var stats engram.SpaceStats
	d.want(200, "GET", "/v1/spaces/default/stats", "", &stats)
	if stats.Reembedding == nil ||
		*stats.Reembedding != (engram.Reembedding{Model: "large", Dim: 9, Built: 1, Missing: 1}) {
		t.Errorf("stats = %+v", stats.Reembedding)
	}
	var missing problem.Problem
	d.want(409, "POST", route+"?embedding_model=large", "", &missing, ndjson...)
	if missing.Reembed == nil || missing.Reembed.Missing != 1 || !strings.Contains(missing.Detail, "(b)") {
		t.Errorf("reembed with one missing = %+v", missing)
	}
	d.want(200, "DELETE", route, "", nil)
	d.want(400, "POST", route, a, nil, ndjson...)
	d.want(400, "POST", route+"?embedding_model=large&dim=7", a, nil, ndjson...)
	report = engram.ReembedReport{}
	d.want(200, "POST", route+"?embedding_model=large&allow_missing=true", a, &report, ndjson...)
	if !report.Served || report.Missing != 1 {
		t.Errorf("reembed that leaves one out = %+v", report)
	}
	d.want(200, "POST", "/v1/spaces/default/recall", `{"embedding":[1,0,0,0,0,0,0,0,5],"embedding_model":"large"}`, nil)
	d.want(400, "POST", "/v1/spaces/default/recall", `{"embedding":[1,0,0,0,0,0,0,0],"embedding_model":"small"}`, nil)
}
