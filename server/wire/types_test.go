package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

func TestVectorInEitherForm(t *testing.T) {
	v := []float32{1, -2.5, 3e-10, 0}
	b64 := wire.EncodeVector(v)
	draft, err := wire.Draft{EmbeddingB64: &b64}.Engine()
	if err != nil || !cmp.Equal(draft.Embedding, v) {
		t.Errorf("Draft.Engine() = %v, %v, want %v", draft.Embedding, err, v)
	}
	cue, err := wire.Cue{EmbeddingB64: &b64}.Engine()
	if err != nil || !cmp.Equal(cue.Embedding, v) {
		t.Errorf("Cue.Engine() = %v, %v, want %v", cue.Embedding, err, v)
	}
	change, err := wire.Change{EmbeddingB64: &b64}.Engine()
	if err != nil || change.Embedding == nil || !cmp.Equal(*change.Embedding, v) {
		t.Errorf("Change.Engine() = %v, %v, want %v", change.Embedding, err, v)
	}
	if change, err = (wire.Change{}).Engine(); err != nil || change.Embedding != nil {
		t.Errorf("Change.Engine() without a vector = %v, %v, want nil", change.Embedding, err)
	}
}

func TestVectorRefused(t *testing.T) {
	good := wire.EncodeVector([]float32{1})
	short, odd := "!", base64.StdEncoding.EncodeToString([]byte("abc"))
	both := wire.Change{EmbeddingB64: &good}
	both.Embedding = &[]float32{}
	_, bothErr := both.Engine()
	draft := func(b64 string, numbers []float32) error {
		_, err := wire.Draft{Draft: engram.Draft{Embedding: numbers}, EmbeddingB64: &b64}.Engine()
		return err
	}
	_, batchErr := wire.Batch{Memories: []wire.Draft{{}, {EmbeddingB64: &odd}}}.Engine()
	for name, tt := range map[string]struct {
		err   error
		field string
	}{
		"both":           {draft(good, []float32{1}), "embedding_b64"},
		"both in change": {bothErr, "embedding_b64"},
		"not base64":     {draft(short, nil), "embedding_b64"},
		"half a number":  {draft(odd, nil), "embedding_b64"},
		"in a batch":     {batchErr, "memories[1].embedding_b64"},
	} {
		p, ok := errors.AsType[*problem.Problem](tt.err)
		if !ok || p.Code != "invalid_argument" || p.Field != tt.field {
			t.Errorf("%s: got %+v, want invalid_argument of %s", name, p, tt.field)
		}
	}
}

func TestAnswerOnTheWire(t *testing.T) {
	answer := engram.Answer{Searched: 7, Hits: []engram.Hit{{
		Memory: engram.Memory{ID: "a", Content: "text", Confidence: 1, Version: 2}, Score: 0.75,
		Why: []engram.Term{
			{Name: "association", Value: 0.25, Detail: []engram.Part{{Name: "b", Value: 0.25}}},
			{Name: "words", Value: 0.5},
		},
	}}}
	data, err := json.Marshal(wire.FromAnswer(answer))
	if err != nil {
		t.Fatal(err)
	}
	var shape struct {
		Hits []struct {
			ID      string
			Content string
			Score   float64
			Why     map[string]float64
			Explain map[string][]engram.Part
		}
		Searched int
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		t.Fatal(err)
	}
	if len(shape.Hits) != 1 || shape.Hits[0].ID != "a" || shape.Hits[0].Why["words"] != 0.5 || shape.Searched != 7 {
		t.Errorf("on the wire: %s", data)
	}
	var back wire.Answer
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(answer, back.Engine()); diff != "" {
		t.Errorf("through the wire and back (-want +got):\n%s", diff)
	}
	if data, _ = json.Marshal(wire.FromAnswer(engram.Answer{})); string(data) != `{"hits":[],"searched":0}` {
		t.Errorf("an answer without hits is %s", data)
	}
}

func TestEscapeSegment(t *testing.T) {
	for _, id := range []string{"a", ".", "..", "a/b", "a//b?c#d%2F", "ü 😀", "-_~"} {
		escaped := wire.EscapeSegment(id)
		u, err := url.Parse("http://x/v1/" + escaped + "/y")
		if err != nil || u.EscapedPath() != "/v1/"+escaped+"/y" || u.Path != "/v1/"+id+"/y" {
			t.Errorf("EscapeSegment(%q) = %q, which parses as %v, %v", id, escaped, u, err)
		}
	}
}
