package strictjson_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/strictjson"
)

type body struct {
	Inner
	Name   string            `json:"name"`
	Count  int               `json:"count,omitempty"`
	At     time.Time         `json:"at,omitzero"`
	Until  *time.Time        `json:"until,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Parts  []Inner           `json:"parts,omitempty"`
	Hidden int               `json:"-"`
	Limit  int               `json:"limit,omitempty" min:"1"`
	Key    string            `json:"key,omitempty" min:"1"`
	IDs    []string          `json:"ids,omitempty" min:"1"`
}

type Inner struct {
	Weight float32 `json:"weight,omitempty"`
	On     bool    `json:"on,omitempty"`
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]strictjson.Error{
		``:                                  {Kind: strictjson.Malformed},
		`{"name":`:                          {Kind: strictjson.Malformed},
		`{}{}`:                              {Kind: strictjson.Malformed},
		"{\"name\":\"\xff\"}":               {Kind: strictjson.Malformed},
		`{"nam":"a"}`:                       {Kind: strictjson.Unknown, Field: "nam"},
		`{"Hidden":1}`:                      {Kind: strictjson.Unknown, Field: "Hidden"},
		`{"Inner":{}}`:                      {Kind: strictjson.Unknown, Field: "Inner"},
		`{"parts":[{},{"o":true}]}`:         {Kind: strictjson.Unknown, Field: "parts[1].o"},
		`{"limit":0}`:                       {Kind: strictjson.Invalid, Field: "limit"},
		`{"limit":-0}`:                      {Kind: strictjson.Invalid, Field: "limit"},
		`{"key":""}`:                        {Kind: strictjson.Invalid, Field: "key"},
		`{"ids":[]}`:                        {Kind: strictjson.Invalid, Field: "ids"},
		`[]`:                                {Kind: strictjson.Invalid, Field: "body"},
		`{"count":1.5}`:                     {Kind: strictjson.Invalid, Field: "count"},
		`{"count":99999999999999999999}`:    {Kind: strictjson.Invalid, Field: "count"},
		`{"weight":1e40}`:                   {Kind: strictjson.Invalid, Field: "weight"},
		`{"labels":{"a":null}}`:             {Kind: strictjson.Invalid, Field: "labels.a"},
		`{"on":true,"on":true}`:             {Kind: strictjson.Invalid, Field: "on"},
		`{"at":"2026-01-01"}`:               {Kind: strictjson.Invalid, Field: "at"},
		`{"at":"0001-01-01T00:00:00Z"}`:     {Kind: strictjson.Invalid, Field: "at"},
		`{"until":"0001-01-01T00:00:00"}`:   {Kind: strictjson.Invalid, Field: "until"},
		`{"name":"\ud800"}`:                 {Kind: strictjson.Invalid, Field: "name"},
		`{"until":null}`:                    {Kind: strictjson.Invalid, Field: "until"},
		`{"parts":[{"weight":1},{"on":1}]}`: {Kind: strictjson.Invalid, Field: "parts[1].on"},
	} {
		_, err := strictjson.NewDecoder[body]().Decode([]byte(text))
		got, ok := errors.AsType[*strictjson.Error](err)
		if !ok || got.Kind != want.Kind || got.Field != want.Field || got.Text == "" {
			t.Errorf("Decode(%q) = %+v, want kind %d and field %q", text, err, want.Kind, want.Field)
		}
	}
}

// TestRefusedValuesAreShown: of what an error shows nothing stands behind the value.
func TestRefusedValuesAreShown(t *testing.T) {
	for text, want := range map[string]string{
		`{"labels":[]}`:                     `[]`,
		`{"labels":["]",{"a":[1]}],"on":1}`: `["]",{"a":[1]}]`,
		`{"parts":{"a":"\"}"}}`:             `{"a":"\"}"}`,
		`{"parts":[[]]}`:                    `[]`,
		`{"on":12}`:                         `12`,
		`[1,2]`:                             `[1,2]`,
		`{"name":[` + strings.Repeat("1,", 40) + `1]}`: `[` + strings.Repeat("1,", 29) + `1…`,
	} {
		_, err := strictjson.NewDecoder[body]().Decode([]byte(text))
		got, ok := errors.AsType[*strictjson.Error](err)
		if !ok || got.Value != want {
			t.Errorf("Decode(%s) = %+v, want the value %s", text, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	text := `{"weight":0.5,"name":"é\u00e9","at":"2026-01-01T00:00:00+01:00","until":"0001-01-01T00:00:00Z",` +
		`"labels":{"":"x"},"parts":[{"on":true}],"count":0,"limit":10,"key":"k","ids":[""]}`
	got, err := strictjson.NewDecoder[body]().Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Weight != .5 || got.Name != "éé" || got.At.Year() != 2026 || got.Until == nil || !got.Until.IsZero() ||
		got.Labels[""] != "x" || len(got.Parts) != 1 || !got.Parts[0].On {
		t.Errorf("Decode = %+v", got)
	}
}

func TestVector(t *testing.T) {
	packed := "AACAPwAAAMA=" // 1, -2
	got, err := strictjson.Vector("", nil, &packed)
	if err != nil || !slices.Equal(got, []float32{1, -2}) {
		t.Errorf("Vector = %v, %v", got, err)
	}
	if _, err := strictjson.Vector("x.", []float32{1}, &packed); err == nil {
		t.Error("Vector took two")
	}
	for _, bad := range []string{"AAA", "AAAAAAA=", "?"} {
		_, err := strictjson.Vector("x.", nil, &bad)
		if e, ok := errors.AsType[*strictjson.Error](err); !ok || e.Field != "x.embedding_b64" {
			t.Errorf("Vector(%q) = %v", bad, err)
		}
	}
}

// FuzzDecode checks that the decoder panics on nothing and takes nothing that encoding/json refuses.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, ` { "name" : "a" } `, `{"parts":[[]]}`, `{"labels":{"k":"\ud83d\ude00\"\\"}}`, `{"count":1e9`,
		`{"at":"2026-01-01T00:00:00+23:59","until":"0001-01-01T00:00:00Z"}`, `{"parts":[{"weight":-1e-9,"on":false}]}`,
	} {
		f.Add([]byte(seed))
	}
	decoder := strictjson.NewDecoder[body]()
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decoder.Decode(data)
		if err != nil {
			if _, ok := errors.AsType[*strictjson.Error](err); !ok {
				t.Fatalf("Decode(%q) = %v, want an *Error", data, err)
			}
			return
		}
		again, err := json.Marshal(got)
		if err != nil {
			return // a zone that has 24 hours or more
		}
		if _, err := decoder.Decode(again); err != nil {
			t.Fatalf("Decode(%s), made from what %q decodes to, = %v", again, data, err)
		}
	})
}
