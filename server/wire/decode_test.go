package wire_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, body, code, field, text string
	}{
		{"empty", "", "malformed_json", "", "there is nothing"},
		{"cut off", `{"content":"a"`, "malformed_json", "", "byte 14"},
		{"trailing data", `{"content":"a"} {}`, "malformed_json", "", "nothing after it"},
		{"trailing comma", `{"content":"a",}`, "malformed_json", "", "malformed"},
		{"not an object", `["a"]`, "invalid_argument", "body", "must be an object with confidence, content"},
		{"null body", `null`, "invalid_argument", "body", "null"},
		{
			"unknown field", `{"content":"a","contnet":"b"}`, "unknown_field", "contnet",
			"allowed are confidence, content",
		},
		{"another case", `{"Content":"a"}`, "unknown_field", "Content", "allowed are"},
		{"escaped name", `{"\u0063ontentx":"a"}`, "unknown_field", "contentx", ""},
		{
			"unknown in a link", `{"links":[{"to":"a"},{"too":"b"}]}`, "unknown_field", "links[1].too",
			"to, type, weight",
		},
		{"twice", `{"content":"a","content":"b"}`, "invalid_argument", "content", "once"},
		{"twice, once escaped", `{"content":"a","\u0063ontent":"b"}`, "invalid_argument", "content", "once"},
		{"twice in a map", `{"metadata":{"k":"1","k":"2"}}`, "invalid_argument", "metadata.k", "once"},
		{"null field", `{"content":null}`, "invalid_argument", "content", "left out, or be a string"},
		{"null element", `{"tags":["a",null]}`, "invalid_argument", "tags[1]", "null"},
		{"number for text", `{"content":7}`, "invalid_argument", "content", "a string"},
		{"text for number", `{"confidence":"high"}`, "invalid_argument", "confidence", `confidence is "high": it must`},
		{"flag for number", `{"confidence":true}`, "invalid_argument", "confidence", `confidence is true: it must`},
		{"object for text", `{"content":{"a":1}}`, "invalid_argument", "content", `content is {"a":1}`},
		{"text for list", `{"tags":"a"}`, "invalid_argument", "tags", "a list"},
		{"text for flag", `{"pin":"true"}`, "invalid_argument", "pin", "true or false"},
		{"number in map", `{"metadata":{"a":1}}`, "invalid_argument", "metadata.a", "a string"},
		{"time without zone", `{"occurred_at":"2026-01-31T09:30:00"}`, "invalid_argument", "occurred_at", "RFC 3339"},
		{
			"a time that stands for none", `{"occurred_at":"0001-01-01T00:00:00Z"}`, "invalid_argument", "occurred_at",
			"left out",
		},
		{
			"the same in a zone", `{"expires_at":"0001-01-01T01:00:00+01:00"}`, "invalid_argument", "expires_at",
			"left out",
		},
		{"a day", `{"occurred_at":"2026-01-31"}`, "invalid_argument", "occurred_at", "2026-01-31"},
		{"vector of text", `{"embedding":[1,"2"]}`, "invalid_argument", "embedding[1]", "a number"},
		{"beyond float32", `{"embedding":[1e39]}`, "invalid_argument", "embedding", "float32"},
		{"not UTF-8", "{\"content\":\"a\xff\"}", "malformed_json", "", "byte 13"},
		{"half a pair", `{"content":"\ud83d"}`, "invalid_argument", "content", "surrogate"},
		{"half a pair, then text", `{"content":"\ud83d\u0041"}`, "invalid_argument", "content", "surrogate"},
		{"the wrong half", `{"content":"\ude00"}`, "invalid_argument", "content", "surrogate"},
		{"half a pair as name", `{"metadata":{"\ud83d":""}}`, "invalid_argument", "metadata", "surrogate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := wire.NewDecoder[wire.Draft]().Decode([]byte(tt.body))
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != tt.code || p.Field != tt.field || !strings.Contains(p.Detail, tt.text) {
				t.Errorf("Decode(%s) = %+v, want code %s, field %q, a text with %q",
					tt.body, p, tt.code, tt.field, tt.text)
			}
		})
	}
}

func TestDecodeRefusesFractionsOfIntegers(t *testing.T) {
	for _, body := range []string{`{"limit":1.0}`, `{"limit":1e1}`, `{"limit":99999999999999999999}`} {
		if _, err := wire.NewDecoder[wire.Cue]().Decode([]byte(body)); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Decode(%s) = %v, want invalid", body, err)
		}
	}
}

// TestDecodeTakesTheTimeThatClears: where a field that is left out stays as it is, the zero time says something.
func TestDecodeTakesTheTimeThatClears(t *testing.T) {
	got, err := wire.NewDecoder[wire.Change]().Decode([]byte(`{"valid_until":"0001-01-01T00:00:00Z"}`))
	if err != nil || got.ValidUntil == nil || !got.ValidUntil.IsZero() {
		t.Errorf("Decode() = %+v, %v, want the zero time", got.Change, err)
	}
}

func TestDecodeNamesTheMemoryOfABatch(t *testing.T) {
	_, err := wire.NewDecoder[wire.Batch]().Decode([]byte(`{"memories":[{"content":"a"},{"content":"b","tag":[]}]}`))
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Field != "memories[1].tag" {
		t.Errorf("Decode() = %+v, want the field memories[1].tag", p)
	}
}

func TestDecodeTakesWhatEncodingGives(t *testing.T) {
	half := 0.5
	want := engram.Draft{
		ID: "a/b ü", Content: "tab\there \\ \"quoted\" 😀 \u2028", Kind: "fact", Tags: []string{"x", "y"},
		Confidence: &half, Metadata: map[string]string{"": "empty", "k\n": "v"}, Embedding: []float32{1, -0.5, 1e-20},
		Links: []engram.Link{{To: "c", Weight: &half}}, Supersedes: []string{"d"}, Pin: true,
	}
	for _, indent := range []string{"", "\t"} {
		body, err := json.MarshalIndent(want, "", indent)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.NewDecoder[wire.Draft]().Decode(body)
		if err != nil {
			t.Fatalf("Decode(%s) = %v", body, err)
		}
		if diff := cmp.Diff(want, got.Draft); diff != "" {
			t.Errorf("Decode(%s) differs (-want +got):\n%s", body, diff)
		}
	}
	got, err := wire.NewDecoder[wire.Draft]().Decode([]byte(`{"content":"\ud83d\ude00 \\ud83d"}`))
	if err != nil || got.Content != "😀 \\ud83d" {
		t.Errorf("Decode(escaped pair) = %q, %v", got.Content, err)
	}
}

// FuzzDecode checks that the decoder panics on nothing and takes nothing that encoding/json refuses.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"memories":[{"content":"a","metadata":{"k":"v"},"links":[{"to":"x","weight":0.5}]}]}`,
		`{"memories":[{"embedding":[1,2],"pin":true,"occurred_at":"2026-01-31T09:30:00Z"}]}`,
		` { "memories" : [ ] } `, `{"memories":[{"content":"\ud83d\ude00\"\\"}]}`, `{"memories":[[]]}`,
		`{"memories":[1e9`,
	} {
		f.Add([]byte(seed))
	}
	decoder := wire.NewDecoder[wire.Batch]()
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decoder.Decode(data)
		if err != nil {
			if _, ok := errors.AsType[*problem.Problem](err); !ok {
				t.Fatalf("Decode(%q) = %v, want a problem", data, err)
			}
			return
		}
		if got.Memories == nil {
			return // Encodes as null, which is refused.
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatalf("Marshal(%+v) = %v", got, err)
		}
		if _, err := decoder.Decode(again); err != nil {
			t.Fatalf("Decode(%s), made from what %q decodes to, = %v", again, data, err)
		}
	})
}
