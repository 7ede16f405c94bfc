package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

func TestComplete(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"plums are purple","speaker":"Ada","metadata":{"shelf":"3"}}`,
		nil)
	d.want(201, "POST", memories, `{"id":"b","content":"the harbour is small","speaker":"Bo"}`, nil)
	const route = "/v1/spaces/default/complete"
	var c engram.Completion
	d.want(200, "POST", route, `{"query":"plums","fields":["metadata.shelf","speaker"]}`, &c)
	if len(c.Fields) != 2 || c.Fields[0].Value != "3" || c.Fields[1].Members[0].ID != "a" || !c.Reconstructed {
		t.Errorf("complete = %+v", c)
	}
	b64 := wire.EncodeVector([]float32{1, 0, 0, 0, 0, 0, 0, 0})
	d.want(200, "POST", route, `{"embedding_b64":"`+b64+`","mask":[true,true,true,true,true,true,true,false]}`, &c)
	if !c.Novel || c.By != "vectors" {
		t.Errorf("complete without vectors = %+v, want novel", c)
	}
	for _, body := range []string{
		`{}`, `{"query":"x","explain":true}`, `{"query":"x","colour":1}`, `{"query":"x","mask":[true]}`,
	} {
		d.want(400, "POST", route, body, nil)
	}
	var answer wire.Answer
	d.want(200, "POST", "/v1/spaces/default/recall", `{"query":"plums","compete":true}`, &answer)
	if len(answer.Hits) != 1 || answer.Hits[0].Probability == nil || answer.None == nil ||
		*answer.Hits[0].Probability+*answer.None < 1-1e-9 {
		t.Errorf("recall that competes = %+v", answer)
	}
}

func TestConsolidate(t *testing.T) {
	d := open(t)
	for _, body := range []string{
		`{"id":"a","content":"Ada keeps the green bicycle in the shed"}`,
		`{"id":"b","content":"in the shed Ada keeps a green bicycle"}`,
		`{"id":"c","content":"the green bicycle: Ada keeps it in the shed"}`,
	} {
		d.want(201, "POST", memories, body, nil)
	}
	const route = "/v1/spaces/default/consolidate"
	var report engram.Consolidation
	d.want(200, "POST", route, `{"dry_run":true,"max_memories":100,"max_seconds":5,"kinds":["note"],"undone":true}`,
		&report)
	if len(report.Concepts) != 1 || !report.DryRun || report.Concepts[0].ID != "" {
		t.Fatalf("dry run = %+v", report)
	}
	report = engram.Consolidation{}
	d.want(200, "POST", route, `{}`, &report)
	if len(report.Concepts) != 1 || report.Archived != 3 || report.DryRun {
		t.Fatalf("consolidate = %+v", report)
	}
	id := report.Concepts[0].ID
	var m wire.Memory
	d.want(200, "GET", memories+"/"+id+"?include=links", "", &m)
	if len(m.Links) != 3 || m.Kind != engram.KindConcept {
		t.Errorf("concept = %+v", m)
	}
	var undone engram.Undone
	d.want(200, "POST", route+"/undo", `{"id":"`+id+`"}`, &undone)
	if len(undone.Restored) != 3 {
		t.Errorf("undo = %+v", undone)
	}
	d.want(404, "POST", route+"/undo", `{"id":"`+id+`"}`, nil)
	d.want(409, "POST", route+"/undo", `{"id":"a"}`, nil)
	for _, body := range []string{`{"max_seconds":-1}`, `{"max_memories":-1}`, `{"max_time":1}`, `{"summarize":"x"}`} {
		d.want(400, "POST", route, body, nil)
	}
}

func TestPredict(t *testing.T) {
	d := open(t)
	for _, session := range []string{"1", "2"} {
		d.want(201, "POST", memories, `{"id":"a`+session+`","content":"run the build","session":"`+session+`"}`, nil)
		d.want(201, "POST", memories, `{"id":"b`+session+`","content":"ship the package","session":"`+session+`"}`, nil)
	}
	const route = "/v1/spaces/default/predict"
	var p engram.Prediction
	d.want(200, "POST", route, `{"ids":["a1"],"steps":2,"limit":3}`, &p)
	if p.Occurrences != 2 || len(p.Successors) != 1 || p.Successors[0].Count != 2 || len(p.Successors[0].IDs) != 2 {
		t.Errorf("predict = %+v", p)
	}
	d.want(404, "POST", route, `{"ids":["none"]}`, nil)
	d.want(400, "POST", route, `{}`, nil)
	d.want(400, "POST", route, `{"ids":["a1"],"steps":99}`, nil)
}

func TestFit(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"run the build"}`, nil)
	const route = "/v1/spaces/default/fit"
	var r engram.FitReport
	d.want(200, "POST", route, `{"remove":true}`, &r)
	if r.Removed || r.Adopted {
		t.Errorf("remove = %+v", r)
	}
	d.want(400, "POST", route, `{}`, nil)
	d.want(400, "POST", route, `{"dry_run":true,"remove":true}`, nil)
	d.want(400, "POST", route, `{"dry":true}`, nil)
	d.want(404, "POST", "/v1/spaces/none/fit", `{}`, nil)
}

// TestJudgementsInPages: pages of whatever size make up the whole record, and none tears a write apart.
func TestJudgementsInPages(t *testing.T) {
	d := open(t)
	for _, id := range []string{"a", "b", "c"} {
		d.want(201, "POST", memories, `{"id":"`+id+`","content":"fact `+id+`"}`, nil)
	}
	const route = "/v1/spaces/default/feedback"
	for _, body := range []string{
		`{"useful":["a","b"],"useless":["c"]}`, `{"useful":["a"]}`, `{"wrong":["b","c"]}`, `{"useful":["c"]}`,
	} {
		d.want(200, "POST", route, body, nil)
	}
	read := func(query string) (all []engram.FeedbackRecord) {
		t.Helper()
		_, text := d.send("GET", route+query, "")
		lines := json.NewDecoder(strings.NewReader(text))
		for {
			var r engram.FeedbackRecord
			err := lines.Decode(&r)
			if errors.Is(err, io.EOF) {
				return all
			}
			if err != nil {
				t.Fatalf("%s: %v in %s", query, err, text)
			}
			all = append(all, r)
		}
	}
	whole := read("")
	if len(whole) != 7 {
		t.Fatalf("%d judgements, want 7", len(whole))
	}
	for limit := 1; limit < 9; limit++ {
		var got []engram.FeedbackRecord
		for query := fmt.Sprint("?limit=", limit); ; {
			page := read(query)
			if len(page) == 0 {
				break
			}
			if len(page) > limit+2 || len(page) < min(limit, len(whole)-len(got)) {
				t.Errorf("a page of %d has %d", limit, len(page))
			}
			got = append(got, page...)
			query = fmt.Sprintf("?limit=%d&after=%d", limit, got[len(got)-1].Position)
		}
		if !reflect.DeepEqual(got, whole) {
			t.Errorf("pages of %d make up %+v, want %+v", limit, got, whole)
		}
	}
	if of := read("?id=c"); len(of) != 3 {
		t.Errorf("%d judgements of c, want 3", len(of))
	}
}
