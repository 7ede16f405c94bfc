package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/server/httpapi"
	"github.com/orchard9/engram-go/server/problem"
)

// refusal is a request with the code and field of the problem that must answer it. Its status is the code's.
type refusal struct {
	name, method, path, body string
	code, field              string
	headers                  []string
}

const (
	recallPath = "/v1/spaces/default/recall"
	linksPath  = "/v1/spaces/default/links"
)

// pathRefusals are about paths, methods and queries.
func pathRefusals() []refusal {
	return []refusal{
		{"no route", "GET", "/v2", "", "unknown_route", "", nil},
		{"no route below v1", "GET", "/v1/spaces/default", "", "unknown_route", "", nil},
		{"slash at the end", "GET", memories + "/", "", "invalid_argument", "path", nil},
		{"dot segment", "GET", memories + "/../recall", "", "invalid_argument", "path", nil},
		{"doubled slash", "GET", memories + "//a", "", "invalid_argument", "path", nil},
		{"method", "PUT", memories + "/a", "", "method_not_allowed", "method", nil},
		{"method of recall", "GET", recallPath, "", "method_not_allowed", "method", nil},
		{"space's name", "GET", "/v1/spaces/No%20Space/memories", "", "invalid_argument", "space", nil},
		{"parameter", "GET", memories + "?limt=1", "", "unknown_parameter", "limt", nil},
		{"parameter where none is taken", "POST", recallPath + "?limit=1", `{}`, "unknown_parameter", "limit", nil},
		{"parameter twice", "GET", memories + "?limit=1&limit=2", "", "invalid_argument", "limit", nil},
		{"parameter not encoded", "GET", memories + "?limit=%zz", "", "invalid_argument", "query", nil},
		{"parameter not UTF-8", "GET", memories + "?cursor=%ff", "", "invalid_argument", "cursor", nil},
		{"limit not a number", "GET", memories + "?limit=ten", "", "invalid_argument", "limit", nil},
		{"limit of none", "GET", memories + "?limit=0", "", "invalid_argument", "limit", nil},
		{"mode empty", "DELETE", memories + "/a?mode=", "", "invalid_argument", "mode", nil},
		{"limit above", "GET", memories + "?limit=99999", "", "invalid_argument", "limit", nil},
		{"limit of judgements", "GET", "/v1/spaces/default/feedback?limit=0", "", "invalid_argument", "limit", nil},
		{"after of judgements", "GET", "/v1/spaces/default/feedback?after=0", "", "invalid_argument", "after", nil},
		{"vectors", "GET", memories + "?vectors=1", "", "invalid_argument", "vectors", nil},
		{"cursor", "GET", memories + "?cursor=nonsense", "", "invalid_argument", "cursor", nil},
		{"include", "GET", memories + "/a?include=all", "", "invalid_argument", "include", nil},
		{"mode", "DELETE", memories + "/a?mode=burn", "", "invalid_argument", "mode", nil},
		{"id not UTF-8", "GET", memories + "/%ff", "", "invalid_argument", "id", nil},
	}
}

// bodyRefusals are about bodies as such.
func bodyRefusals() []refusal {
	plain := []string{"Content-Type", "text/plain"}
	return []refusal{
		{"media type", "POST", memories, `{"content":"x"}`, "unsupported_media_type", "Content-Type", plain},
		{
			"form", "POST", memories, `content=x`, "unsupported_media_type", "Content-Type",
			[]string{"Content-Type", "application/x-www-form-urlencoded"},
		},
		{
			"charset", "POST", memories, `{"content":"x"}`, "unsupported_media_type", "Content-Type",
			[]string{"Content-Type", "application/json; charset=latin1"},
		},
		{
			"coding", "POST", memories, `{"content":"x"}`, "unsupported_media_type", "Content-Encoding",
			[]string{"Content-Encoding", "gzip"},
		},
		{"import of JSON", "POST", "/v1/spaces/default/import", `{}`, "unsupported_media_type", "Content-Type", nil},
		{"no body", "POST", memories, "", "unsupported_media_type", "Content-Type", nil},
		{"empty body", "POST", memories, "", "malformed_json", "", []string{"Content-Type", "application/json"}},
		{"body where none is taken", "POST", memories + "/a/restore", `{}`, "invalid_argument", "body", nil},
		{"malformed", "POST", memories, `{"content":`, "malformed_json", "", nil},
		{"trailing data", "POST", memories, `{"content":"x"}{}`, "malformed_json", "", nil},
		{"not UTF-8", "POST", memories, "{\"content\":\"\xff\"}", "malformed_json", "", nil},
		{"unknown field", "POST", memories, `{"content":"x","colour":"red"}`, "unknown_field", "colour", nil},
		{"unknown field of recall", "POST", recallPath, `{"query":"x","depth":2}`, "unknown_field", "depth", nil},
		{"hops of recall", "POST", recallPath, `{"query":"x","hops":4}`, "invalid_argument", "hops", nil},
		{"hops of nothing", "POST", recallPath, `{"hops":0}`, "invalid_argument", "hops", nil},
		{"detail of recall", "POST", recallPath, `{"query":"x","detail":"all"}`, "invalid_argument", "detail", nil},
		{"unknown field of update", "PATCH", memories + "/a", `{"id":"b"}`, "unknown_field", "id", nil},
		{"field twice", "POST", memories, `{"content":"x","content":"y"}`, "invalid_argument", "content", nil},
		{"null", "PATCH", memories + "/a", `{"tags":null}`, "invalid_argument", "tags", nil},
		{"limit 0", "POST", recallPath, `{"limit":0}`, "invalid_argument", "limit", nil},
		{"no ids", "POST", recallPath, `{"ids":[]}`, "invalid_argument", "ids", nil},
		{"nobody's speech", "POST", recallPath, `{"speaker":""}`, "invalid_argument", "speaker", nil},
		{"no id", "POST", memories, `{"content":"x","id":""}`, "invalid_argument", "id", nil},
		{
			"no key", "POST", memories, `{"content":"x","idempotency_key":""}`, "invalid_argument", "idempotency_key",
			nil,
		},
		{
			"two vectors", "POST", recallPath, `{"embedding":[1],"embedding_b64":""}`, "invalid_argument",
			"embedding_b64", nil,
		},
	}
}

// engineRefusals come from the engine, to which the memory a is known.
func engineRefusals() []refusal {
	return []refusal{
		{"empty content", "POST", memories, `{"content":""}`, "invalid_argument", "content", nil},
		{"confidence", "POST", memories, `{"content":"x","confidence":2}`, "invalid_argument", "confidence", nil},
		{
			"model", "POST", memories, `{"content":"x","embedding":[1,2,3,4,5,6,7,8],"embedding_model":"other"}`,
			"embedding_model_mismatch", "embedding_model", nil,
		},
		{
			"dimension", "POST", memories, `{"content":"x","embedding":[1,2,3,4,5,6,7,8,9]}`, "dimension_mismatch",
			"embedding", nil,
		},
		{"zero vector", "POST", recallPath, `{"embedding":[0,0,0,0,0,0,0,0]}`, "invalid_argument", "embedding", nil},
		{
			"content too large", "POST", memories, `{"content":"` + strings.Repeat("x", 1<<17) + `"}`, "too_large",
			"content", nil,
		},
		{
			"id too large", "POST", memories, `{"content":"x","id":"` + strings.Repeat("x", 129) + `"}`, "too_large",
			"id", nil,
		},
		{"tags", "POST", memories, `{"content":"x","tags":["` + manyTags() + `"]}`, "too_large", "tags", nil},
		{
			"a link to nobody", "POST", memories, `{"content":"x","links":[{"to":"nobody"}]}`, "not_found",
			"links[0].to", nil,
		},
		{
			"supersedes nobody", "POST", memories, `{"content":"x","supersedes":["a","nobody"]}`, "not_found",
			"supersedes[1]", nil,
		},
		{
			"a batch with one that refers to nobody", "POST", memories + ":batch",
			`{"memories":[{"content":"x"},{"content":"y","contradicts":["nobody"]}]}`, "not_found",
			"memories[1].contradicts[0]", nil,
		},
		{
			"a batch with another dimension", "POST", memories + ":batch",
			`{"memories":[{"content":"x"},{"content":"y","embedding":[1,2,3,4,5,6,7,8,9]}]}`,
			"dimension_mismatch", "memories[1].embedding", nil,
		},
		{
			"dimension of a cue", "POST", recallPath, `{"embedding":[1,2,3,4,5,6,7,8,9]}`, "dimension_mismatch",
			"embedding", nil,
		},
		{"no vector", "POST", memories, `{"content":"x","embedding":[]}`, "invalid_argument", "embedding", nil},
		{
			"spread from nobody", "POST", "/v1/spaces/default/spread", `{"ids":["a","nobody"]}`, "not_found", "ids[1]",
			nil,
		},
		{
			"body too large", "POST", memories, `{"content":"` + strings.Repeat("x", 5<<20) + `"}`, "too_large", "body",
			nil,
		},
		{"id taken", "POST", memories, `{"id":"a","content":"two"}`, "conflict", "", nil},
		{"key taken", "POST", memories, `{"content":"two","idempotency_key":"k"}`, "conflict", "", nil},
		{"version", "PATCH", memories + "/a", `{"content":"two","if_version":7}`, "conflict", "", nil},
		{"restore what is active", "POST", memories + "/a/restore", "", "conflict", "", nil},
		{"recall in no space", "POST", "/v1/spaces/nowhere/recall", `{"query":"x"}`, "not_found", "", nil},
		{"export of no space", "GET", "/v1/spaces/nowhere/export", "", "not_found", "", nil},
		{"get nobody", "GET", memories + "/nobody", "", "not_found", "", nil},
		{"update nobody", "PATCH", memories + "/nobody", `{"content":"x"}`, "not_found", "", nil},
		{"delete nobody", "DELETE", memories + "/nobody", "", "not_found", "", nil},
		{"restore nobody", "POST", memories + "/nobody/restore", "", "not_found", "", nil},
		{"link to nobody", "POST", linksPath, `{"from":"a","to":"nobody"}`, "not_found", "to", nil},
		{"link weight", "POST", linksPath, `{"from":"a","to":"a","weight":2}`, "invalid_argument", "weight", nil},
		{"unlink without from", "DELETE", linksPath + "?to=a", "", "invalid_argument", "from", nil},
		{"forget all", "POST", "/v1/spaces/default/forget", `{}`, "invalid_argument", "ids", nil},
		{
			"strict", "POST", "/v1/spaces/default/import?strict=yes", `{}`, "invalid_argument", "strict",
			[]string{"Content-Type", "application/x-ndjson"},
		},
	}
}

// manyTags is more tags than a memory may have, as they stand between the outer quotes of a list.
func manyTags() string {
	tags := make([]string, 33)
	for i := range tags {
		tags[i] = fmt.Sprint("t", i)
	}
	return strings.Join(tags, `","`)
}

func TestProblems(t *testing.T) {
	d := open(t)
	d.want(201, "POST", memories, `{"id":"a","content":"one","embedding":[1,2,3,4,5,6,7,8],"embedding_model":"mine",
		"idempotency_key":"k"}`, nil)
	for _, tt := range slices.Concat(pathRefusals(), bodyRefusals(), engineRefusals()) {
		t.Run(tt.name, func(t *testing.T) {
			resp, text := d.send(tt.method, tt.path, tt.body, tt.headers...)
			var p problem.Problem
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Fatalf("answer %d %q: %v", resp.StatusCode, text, err)
			}
			status := problem.New(tt.code, "").Status
			if resp.StatusCode != status || p.Status != status || p.Code != tt.code || p.Field != tt.field {
				t.Errorf("answer %d %s, want %d %s of field %q", resp.StatusCode, text, status, tt.code, tt.field)
			}
			if p.Detail == "" || resp.Header.Get("Content-Type") != problem.ContentType {
				t.Errorf("answer %s of type %q", text, resp.Header.Get("Content-Type"))
			}
		})
	}
	if resp, _ := d.send("PUT", memories+"/a", ""); resp.Header.Get("Allow") != "DELETE, GET, HEAD, PATCH" {
		t.Errorf("Allow = %q", resp.Header.Get("Allow"))
	}
}

// TestBodiesHeldTogether fills the budget of all bodies with batches of unknown size that do not arrive.
func TestBodiesHeldTogether(t *testing.T) {
	d := open(t)
	const batches = 8 // of 32 MiB each: the whole budget
	for range batches {
		body := d.hold(memories + ":batch")
		defer func() { _ = body.Close() }()
	}
	resp, text := d.send("POST", memories, `{"content":"x"}`)
	if resp.StatusCode != 503 || !strings.Contains(text, problem.CodeOverloaded) ||
		resp.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the budget = %d %s", resp.StatusCode, text)
	}
	d.want(200, "GET", memories, "", nil)
}

func TestChunkedBodyTooLarge(t *testing.T) {
	d := open(t)
	// A body whose size net/http cannot tell is sent in chunks.
	body := io.MultiReader(strings.NewReader(`{"content":"`), io.LimitReader(endless{}, 5<<20))
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.url+memories, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answer %d, want 413", resp.StatusCode)
	}
}

// endless reads as x for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("x"), len(p))), nil }

func TestClosedEngine(t *testing.T) {
	d := open(t)
	if err := d.db.Close(); err != nil {
		t.Fatal(err)
	}
	d.want(503, "POST", memories, `{"content":"x"}`, nil)
	d.want(503, "GET", "/readyz", "", nil)
	d.want(200, "GET", "/healthz", "", nil)
}

func TestPanicEndsItsRequestOnly(t *testing.T) {
	var log bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("/early", func(http.ResponseWriter, *http.Request) { panic("secret") })
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 1<<16))
		panic("secret")
	})
	mux.HandleFunc("/fine", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	hs := httptest.NewServer(httpapi.Isolate(mux, slog.New(slog.NewTextHandler(&log, nil))))
	defer hs.Close()
	resp, err := http.Get(hs.URL + "/early")
	if err != nil {
		t.Fatal(err)
	}
	var p problem.Problem
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	err = json.Unmarshal(text, &p)
	if err != nil || p.Code != problem.CodePanic || p.ErrorID == "" || resp.StatusCode != 500 {
		t.Errorf("a panic answers %d %s", resp.StatusCode, text)
	}
	if strings.Contains(string(text), "secret") {
		t.Errorf("the panic's value left the process: %s", text)
	}
	resp, err = http.Get(hs.URL + "/late")
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half an answer ends with %v, want a cut connection", err)
	}
	if resp, err = http.Get(hs.URL + "/fine"); err != nil || resp.StatusCode != 200 {
		t.Errorf("the next request: %v", err)
	}
	_ = resp.Body.Close()
	hs.Close() // So that nobody writes the log any more.
	for _, want := range []string{p.ErrorID, "secret", "errors_test.go"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

// TestHandlersAreIsolated lets a route meet a defect: there is no engine.
func TestHandlersAreIsolated(t *testing.T) {
	w := httptest.NewRecorder()
	httpapi.New(nil, nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/spaces", http.NoBody))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"panic"`) {
		t.Errorf("answer %d %s, want the problem panic", w.Code, w.Body)
	}
}
