package httpapi_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

func TestLifeOfAMemory(t *testing.T) {
	d := open(t)
	var out engram.Outcome
	body := `{"id":"m1","content":"The lighthouse keeper likes plums","kind":"fact","tags":["x"],` +
		`"occurred_at":"2026-01-31T09:30:00+02:00","confidence":0.5,"metadata":{"k":"v"}}`
	d.want(201, "POST", memories, body, &out)
	if out.ID != "m1" || out.Result != engram.Created || out.Version != 1 || out.Embedding != "none" {
		t.Errorf("remember = %+v", out)
	}
	d.want(200, "POST", memories, body, &out)
	if out.ID != "m1" || out.Result != engram.Reinforced {
		t.Errorf("remember again = %+v, want reinforced m1", out)
	}
	d.want(200, "PATCH", memories+"/m1", `{"content":"The lighthouse keeper likes pears","reason":"asked"}`, &out)
	if out.Version != 2 || out.Result != engram.Updated {
		t.Errorf("update = %+v", out)
	}
	var m wire.Memory
	d.want(200, "GET", memories+"/m1?include=history,links,neighbors", "", &m)
	if m.Content != "The lighthouse keeper likes pears" || len(m.History) != 2 || m.Reason != "asked" ||
		m.OccurredAt.Format(time.RFC3339) != "2026-01-31T09:30:00+02:00" || m.Metadata["k"] != "v" {
		t.Errorf("get = %+v", m)
	}
	var report engram.ForgetReport
	d.want(200, "DELETE", memories+"/m1?reason=old", "", &report)
	if report.Archived != 1 {
		t.Errorf("delete = %+v, want one archived", report)
	}
	d.want(200, "POST", memories+"/m1/restore", "", &out)
	if out.Result != engram.Restored {
		t.Errorf("restore = %+v", out)
	}
	d.want(200, "DELETE", memories+"/m1?mode=erase", "", &report)
	d.want(404, "GET", memories+"/m1", "", nil)
	d.want(404, "DELETE", memories+"/m1?mode=erase", "", nil)
}

func TestLanguages(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"Maisons","language":"fr"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"Wir waren in den Häusern am Hafen, und es war kalt."}`, nil)
	for id, want := range map[string]wire.Memory{
		"a": {Memory: engram.Memory{Language: "fr"}},
		"b": {Memory: engram.Memory{Language: "de", LanguageDetected: true}},
	} {
		var m wire.Memory
		d.want(200, "GET", memories+"/"+id, "", &m)
		if m.Language != want.Language || m.LanguageDetected != want.LanguageDetected {
			t.Errorf("language of %s = %q, found out %v", id, m.Language, m.LanguageDetected)
		}
	}
	for query, id := range map[string]string{"maison": "a", "Haus": "b"} {
		_, text := d.send("POST", "/v1/spaces/default/recall", `{"query":"`+query+`"}`)
		if !strings.Contains(text, `"id":"`+id+`"`) {
			t.Errorf("recall of %s = %s, want %s", query, text, id)
		}
	}
	d.want(200, "PATCH", memories+"/a", `{"language":"it"}`, nil)
	for _, body := range []string{`{"content":"x","language":"klingon"}`, `{"content":"x","language_detected":true}`} {
		d.want(400, "POST", memories, body, nil)
	}
}

func TestRecallAnswersAsTheIssueSays(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"plums are purple","session":"s"}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"the harbour is small","session":"s"}`, nil)
	resp, text := d.send("POST", "/v1/spaces/default/recall", `{"query":"plums","limit":5,"explain":true}`)
	var answer struct {
		Hits []struct {
			ID         string
			Content    string
			Score      float64
			Confidence *float64
			OccurredAt *time.Time `json:"occurred_at"`
			Why        map[string]float64
			Explain    map[string][]engram.Part
		}
		Searched int
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != 200 {
		t.Fatalf("recall = %d %s: %v", resp.StatusCode, text, err)
	}
	if len(answer.Hits) == 0 || answer.Hits[0].ID != "a" || answer.Searched != 2 {
		t.Fatalf("recall = %s, want a first, of 2", text)
	}
	first := answer.Hits[0]
	sum := 0.0
	for _, v := range first.Why {
		sum += v
	}
	if first.Content != "plums are purple" || first.Confidence == nil || first.OccurredAt == nil ||
		first.Why["words"] == 0 || len(first.Explain["words"]) == 0 || sum-first.Score > 1e-9 ||
		first.Score-sum > 1e-9 {
		t.Errorf("first hit of %s", text)
	}
	_, text = d.send("POST", "/v1/spaces/default/recall", `{"query":"zzzz"}`)
	if !strings.HasPrefix(text, `{"hits":[]`) {
		t.Errorf("nothing relevant = %s", text)
	}
}

func TestBatch(t *testing.T) {
	d := open(t)
	var out wire.Outcomes
	body := `{"memories":[{"id":"a","content":"one","links":[{"to":"b"}]},{"id":"b","content":"two"}]}`
	d.want(201, "POST", memories+":batch", body, &out)
	if len(out.Outcomes) != 2 || out.Outcomes[1].ID != "b" {
		t.Errorf("batch = %+v", out)
	}
	d.want(200, "POST", memories+":batch", body, &out)
	var p struct{ Code, Field string }
	d.want(400, "POST", memories+":batch", `{"memories":[{"content":"three"},{"content":""}]}`, &p)
	if p.Field != "memories[1].content" {
		t.Errorf("problem = %+v, want the field memories[1].content", p)
	}
	var page engram.Page
	d.want(200, "GET", memories, "", &page)
	if len(page.Memories) != 2 {
		t.Errorf("a refused batch left %d memories, want 2", len(page.Memories))
	}
}

func TestIDsOfAnyCharacters(t *testing.T) {
	d := open(t)
	ids := []string{"a/b", "..", ".", "a//b", "a b+c%2F?#&=", "memories:batch", "ü 😀", "restore", "x/restore"}
	for _, id := range ids {
		data, _ := json.Marshal(wire.Draft{Draft: engram.Draft{ID: id, Content: "the text of " + id}})
		d.want(201, "POST", memories, string(data), nil)
		path := memories + "/" + wire.EscapeSegment(id)
		var m engram.Memory
		d.want(200, "GET", path, "", &m)
		if m.ID != id {
			t.Errorf("GET %s = %q, want %q", path, m.ID, id)
		}
		d.want(200, "PATCH", path, `{"tags":["t"]}`, nil)
		d.want(200, "DELETE", path, "", nil)
		d.want(200, "POST", path+"/restore", "", nil)
		d.want(200, "DELETE", path+"?mode=erase", "", nil)
		d.want(404, "GET", path, "", nil)
	}
}

func TestVectorsInEitherForm(t *testing.T) {
	d := open(t)
	v := []float32{1, 2, 3, 4, 5, -6, 7.25, 1e-3}
	numbers, _ := json.Marshal(v)
	b64 := wire.EncodeVector(v)
	d.want(201, "POST", memories, `{"id":"a","content":"one","embedding":`+string(numbers)+`}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"two","embedding_b64":"`+b64+`"}`, nil)
	d.want(201, "POST", memories, `{"id":"c","content":"three"}`, nil)
	var out engram.Outcome
	d.want(200, "PATCH", memories+"/c", `{"embedding_b64":"`+b64+`"}`, &out)
	if out.Embedding != "stored" {
		t.Errorf("update = %+v, want embedding stored", out)
	}
	for _, id := range []string{"a", "b", "c"} {
		var with, without engram.Memory
		d.want(200, "GET", memories+"/"+id+"?vectors=true", "", &with)
		d.want(200, "GET", memories+"/"+id, "", &without)
		if !cmp.Equal(with.Embedding, v) || without.Embedding != nil {
			t.Errorf("%s has the vector %v with and %v without vectors=true, want %v and none", id, with.Embedding,
				without.Embedding, v)
		}
	}
	var page engram.Page
	d.want(200, "GET", memories+"?vectors=true", "", &page)
	if !cmp.Equal(page.Memories[0].Embedding, v) {
		t.Errorf("list with vectors gives %v", page.Memories[0].Embedding)
	}
	d.want(200, "GET", memories, "", &page)
	var first, second string
	_, first = d.send("POST", "/v1/spaces/default/recall", `{"embedding":`+string(numbers)+`}`)
	_, second = d.send("POST", "/v1/spaces/default/recall", `{"embedding_b64":"`+b64+`"}`)
	if first != second || !strings.Contains(first, `"meaning"`) {
		t.Errorf("recall by the same vector differs:\n%s\n%s", first, second)
	}
}

func TestLinks(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories+":batch", `{"memories":[{"id":"a/1","content":"one"},{"id":"b","content":"two"}]}`,
		nil)
	d.want(204, "POST", "/v1/spaces/default/links", `{"from":"a/1","to":"b","type":"causes","weight":0.25}`, nil)
	var m engram.Memory
	d.want(200, "GET", memories+"/b?include=links", "", &m)
	want := []engram.Association{{To: "a/1", Type: "causes", Weight: 0.25, Incoming: true}}
	if diff := cmp.Diff(want, m.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	m = engram.Memory{}
	if d.want(200, "GET", memories+"/b", "", &m); m.Links != nil {
		t.Errorf("links %v came unasked", m.Links)
	}
	for _, want := range []bool{true, false} {
		var out wire.Unlinked
		d.want(200, "DELETE", "/v1/spaces/default/links?from=a%2F1&to=b&type=causes", "", &out)
		if out.Removed != want {
			t.Errorf("unlink = %v, want %v", out.Removed, want)
		}
	}
}

func TestListByPages(t *testing.T) {
	d := open(t)
	for i := range 5 {
		d.want(201, "POST", memories, fmt.Sprintf(`{"id":"m%d","content":"number %d"}`, i, i), nil)
	}
	var seen []string
	for cursor := ""; ; {
		var page engram.Page
		d.want(200, "GET", memories+"?limit=2&cursor="+cursor, "", &page)
		for _, m := range page.Memories {
			seen = append(seen, m.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"m0", "m1", "m2", "m3", "m4"}, seen); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestForget(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"one","tags":["t"]}`, nil)
	var report engram.ForgetReport
	d.want(200, "POST", "/v1/spaces/default/forget", `{"tags":["t"],"mode":"erase","dry_run":true}`, &report)
	if report.Matched != 1 || report.Erased != 0 {
		t.Errorf("dry run = %+v", report)
	}
	d.want(200, "POST", "/v1/spaces/default/forget", `{"ids":["a","nobody"]}`, &report)
	if report.Archived != 1 || !cmp.Equal(report.Missing, []string{"nobody"}) {
		t.Errorf("forget = %+v", report)
	}
}

func TestExportImport(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"one","embedding":[1,2,3,4,5,6,7,8],"tags":["t"]}`, nil)
	d.want(201, "POST", memories, `{"id":"b","content":"two","links":[{"to":"a"}]}`, nil)
	d.want(200, "PATCH", memories+"/a", `{"tags":["u"]}`, nil)
	resp, lines := d.send("GET", "/v1/spaces/default/export", "")
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("export = %d %v", resp.StatusCode, resp.Header)
	}
	ndjson := []string{"Content-Type", "application/x-ndjson"}
	var report engram.ImportReport
	d.want(200, "POST", "/v1/spaces/copy/import?strict=true", lines, &report, ndjson...)
	if report.Created != 2 || report.BadCount != 0 {
		t.Errorf("import = %+v, want 2 created", report)
	}
	if _, again := d.send("GET", "/v1/spaces/copy/export", ""); again != lines {
		t.Errorf("export of the import differs:\n%s\n%s", lines, again)
	}
	d.want(200, "POST", "/v1/spaces/lax/import", "{}\n"+lines, &report, ndjson...)
	if report.BadCount != 1 || len(report.Bad) != 1 || report.Bad[0].Line != 1 || report.Created != 2 {
		t.Errorf("import with a bad line = %+v", report)
	}
	var p struct{ Report *engram.ImportReport }
	resp, text := d.send("POST", "/v1/spaces/strict/import?strict=true", lines+"{}\n"+lines, ndjson...)
	err := json.Unmarshal([]byte(text), &p)
	if err != nil || resp.StatusCode != 400 || p.Report == nil || p.Report.Created != 2 {
		t.Errorf("strict import with a bad line = %d %s", resp.StatusCode, text)
	}
}

func TestExportOfNothing(t *testing.T) {
	d := open(t)
	resp, text := d.send("GET", "/v1/spaces/default/export", "")
	if resp.StatusCode != 200 || text != "" || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("export of an empty space = %d %q", resp.StatusCode, text)
	}
}

func TestSpacesStatsVerifyHealth(t *testing.T) {
	d := open(t)
	d.want(201, "POST", "/v1/spaces/team.a/memories", `{"content":"one"}`, nil)
	var spaces wire.Spaces
	if d.want(200, "GET", "/v1/spaces", "", &spaces); !cmp.Equal(spaces.Spaces, []string{"default", "team.a"}) {
		t.Errorf("spaces = %v", spaces.Spaces)
	}
	var stats engram.SpaceStats
	if d.want(200, "GET", "/v1/spaces/team.a/stats", "", &stats); stats.Memories != 1 || stats.Space != "team.a" {
		t.Errorf("stats = %+v", stats)
	}
	resp, text := d.send("POST", "/v1/spaces/team.a/verify", "")
	if resp.StatusCode != 200 || !strings.Contains(text, `"problems":[]`) {
		t.Errorf("verify = %d %s", resp.StatusCode, text)
	}
	resp, text = d.send("POST", "/v1/spaces/team.a/verify?progress=true", "")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var first, last wire.WorkLine[engram.VerifyReport]
	err := errors.Join(json.Unmarshal([]byte(lines[0]), &first), json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" ||
		len(lines) < 2 || first.Progress == nil || last.Report == nil || last.Report.Records == 0 ||
		last.Report.Records < first.Progress.Records {
		t.Errorf("verify with progress = %d %s, %v", resp.StatusCode, text, err)
	}
	d.want(400, "POST", "/v1/spaces/team.a/verify?progress=maybe", "", nil)
	d.want(404, "POST", "/v1/spaces/nobody/verify?progress=true", "", nil)
	resp, text = d.send("POST", "/v1/spaces/team.a/compact", "")
	if resp.StatusCode != 200 || !strings.Contains(text, `"left":[]`) {
		t.Errorf("compact = %d %s", resp.StatusCode, text)
	}
	d.want(400, "POST", "/v1/spaces/team.a/compact?bytes_per_second=x", "", nil)
	var moved engram.CompactReport
	if d.want(200, "POST", "/v1/spaces/team.a/compact?tier=cold", "", &moved); moved.Cooled != 1 {
		t.Errorf("compact to cold = %+v", moved)
	}
	if d.want(200, "GET", "/v1/spaces/team.a/stats", "", &stats); stats.Cold != stats.Versions || stats.Warm != 0 {
		t.Errorf("stats = %+v, want all cold", stats)
	}
	if d.want(200, "POST", "/v1/spaces/team.a/compact?cold_after=48h", "", &moved); moved.Warmed != 1 {
		t.Errorf("compact by need = %+v, want what is new warm again", moved)
	}
	resp, text = d.send("POST", "/v1/spaces/team.a/compact?progress=true&tier=cold", "")
	lines = strings.Split(strings.TrimSpace(text), "\n")
	var begun, done wire.WorkLine[engram.CompactReport]
	err = errors.Join(json.Unmarshal([]byte(lines[0]), &begun), json.Unmarshal([]byte(lines[len(lines)-1]), &done))
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" ||
		len(lines) < 2 || begun.Progress == nil || begun.Progress.Left == nil || done.Report == nil ||
		done.Report.Cooled != 1 || done.Report.Left == nil {
		t.Errorf("compact with progress = %d %s, %v", resp.StatusCode, text, err)
	}
	d.want(400, "POST", "/v1/spaces/team.a/compact?progress=maybe", "", nil)
	d.want(404, "POST", "/v1/spaces/nobody/compact?progress=true", "", nil)
	d.want(400, "POST", "/v1/spaces/team.a/compact?progress=true&tier=hot", "", nil)
	for _, bad := range []string{"tier=hot", "tier=warm&cold_after=48h", "cold_after=1h", "cold_after=soon"} {
		d.want(400, "POST", "/v1/spaces/team.a/compact?"+bad, "", nil)
	}
	d.want(200, "GET", "/healthz", "", nil)
	d.want(200, "GET", "/readyz", "", nil)
	if resp, text = d.send("HEAD", "/v1/spaces", ""); resp.StatusCode != 200 || text != "" {
		t.Errorf("HEAD = %d %q", resp.StatusCode, text)
	}
}

func TestEvents(t *testing.T) {
	d := open(t)
	req, err := http.NewRequestWithContext(t.Context(), "GET", d.url+"/v1/spaces/default/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	// The header has come, so whatever is written now must be told.
	d.want(201, "POST", memories, `{"id":"a","content":"one"}`, nil)
	lines := bufio.NewScanner(resp.Body)
	var got []string
	for lines.Scan() && lines.Text() != "" {
		got = append(got, lines.Text())
	}
	if len(got) != 3 || !strings.HasPrefix(got[0], "id: ") || got[1] != "event: created" ||
		!strings.Contains(got[2], `"id":"a"`) {
		t.Errorf("events = %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := open(t)
	const clients, each = 8, 10
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf(`{"id":"%d-%d","content":"client %d says %d"}`, c, i, c, i)
				if resp, text := d.send("POST", memories, body); resp.StatusCode != 201 {
					t.Errorf("remember = %d %s", resp.StatusCode, text)
				}
				if resp, text := d.send("GET", fmt.Sprintf("%s/%d-%d", memories, c, i), ""); resp.StatusCode != 200 {
					t.Errorf("what was acknowledged is not there: %d %s", resp.StatusCode, text)
				}
			}
		})
	}
	wg.Wait()
	var stats engram.SpaceStats
	if d.want(200, "GET", "/v1/spaces/default/stats", "", &stats); stats.Memories != clients*each {
		t.Errorf("%d memories, want %d", stats.Memories, clients*each)
	}
}
