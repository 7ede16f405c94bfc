package httpapi_test

import (
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

func TestSpread(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"the rain began"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"the dam broke",
		"links":[{"to":"a","type":"follows","weight":0.5}]}`, nil)
	const route = "/v1/spaces/default/spread"
	var found engram.Spreading
	d.want(200, "POST", route, `{"ids":["a"],"types":["follows"],"limit":3}`, &found)
	if len(found.Memories) != 1 || found.Memories[0].ID != "b" || len(found.Memories[0].Path) != 2 ||
		found.Memories[0].Path[1] != (engram.PathStep{ID: "b", Type: "follows", Weight: .5, Incoming: true}) {
		t.Errorf("spread = %+v", found)
	}
	d.want(404, "POST", route, `{"ids":["nobody"]}`, nil)
	for _, body := range []string{`{}`, `{"ids":["a"],"query":"x"}`, `{"ids":["a","a"]}`} {
		d.want(400, "POST", route, body, nil)
	}
}

func TestDistinct(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"plums are ripe","session":"x"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"plums are ripe","session":"y"}`, nil)
	var answer wire.Answer
	d.want(200, "POST", "/v1/spaces/default/recall", `{"query":"plums"}`, &answer)
	if len(answer.Hits) != 1 || len(answer.Hits[0].Similar) != 1 || answer.Hits[0].Similar[0] != "b" {
		t.Errorf("hits = %+v", answer)
	}
	answer = wire.Answer{}
	d.want(200, "POST", "/v1/spaces/default/recall", `{"query":"plums","repeats":true}`, &answer)
	if len(answer.Hits) != 2 || answer.Hits[0].Similar != nil {
		t.Errorf("hits with repeats = %+v", answer)
	}
	d.want(400, "POST", "/v1/spaces/default/recall", `{"repeats":true}`, nil)
}
