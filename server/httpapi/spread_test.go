package httpapi_test

import (
	"testing"

	"github.com/orchard9/engram-go"
)

func TestSpread(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"the rain began"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"the dam broke","links":[{"to":"a","type":"follows","weight":0.5}]}`, nil)
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
