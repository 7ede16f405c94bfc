package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	engram "github.com/orchard9/engram-go"
)

// embedder is a service that gives vectors of nine numbers, the first of which is the length of the text, to who has
// the key.
func embedder(t *testing.T, texts *int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("Authorization") != "Bearer sesame" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		var data []string
		for i, text := range in.Input {
			*texts++
			data = append(data, fmt.Sprintf(`{"index":%d,"embedding":[%d,1,0,0,0,0,0,0,1]}`, i, len(text)))
		}
		fmt.Fprintf(w, `{"data":[%s]}`, strings.Join(data, ","))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

func TestReembed(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		c.ok("remember", "--id", "a", "about foxes", "--embedding", "1,0,0,0,0,0,0,0")
		c.ok("remember", "--id", "b", "about hens", "--embedding", "0,1,0,0,0,0,0,0")
		wantIn(t, "stats", c.ok("stats"), "2 of them, by a model that nobody named")
		c.fails(2, "remember", "more", "--embedding", "0,1,0,0,0,0,0,0", "--embedding-model", "small")
		wantIn(t, "reembed --name", c.ok("reembed", "--name", "small"), "the embeddings are of model small")
		wantIn(t, "reembed --missing", c.ok("reembed", "--missing"), `{"id":"a","version":1,"content":"about foxes"}`)
		line := `{"id":"a","version":1,"embedding":[1,0,0,0,0,0,0,0,2]}` + "\n"
		wantIn(t, "reembed --partial", c.okIn(line, "reembed", "-", "--model", "large", "--partial"), "1 new",
			"1 memory without one", "the former ones serve")
		wantIn(t, "stats", c.ok("stats"), "1 embedding by large of dimension 9, 1 is missing",
			"of dimension 8 by small")
		wantIn(t, "reembed", c.fails(4, "reembed", "/dev/null", "--model", "large"), "(b)",
			"allow that they are missing")
		wantIn(t, "reembed --cancel", c.ok("reembed", "--cancel"), "canceled")
		c.fails(4, "reembed", "--cancel")
		r := decode[engram.ReembedReport](t,
			c.okIn(line, "reembed", "-", "--model", "large", "--allow-missing", "--dimension", "9",
				"--json"))
		if !r.Served || r.Missing != 1 || r.Built != 1 {
			t.Errorf("reembed --allow-missing = %+v", r)
		}
		for _, args := range [][]string{
			{},
			{"-", "--cancel"},
			{"--missing", "--model", "x"},
			{"-"},
			{"-", "--model", "x", "--batch", "2"},
			{"-", "--model", "x", "--partial", "--allow-missing"},
			{"--endpoint", "http://x", "--model", "m", "--key-env", "NO_SUCH"},
			{"--endpoint", "http://x"},
			{"--endpoint", "ftp://x", "--model", "m"},
			{"--endpoint", "localhost:11434", "--model", "m"},
			{"-", "--model", "x", "--dimension", "7"},
			{"a", "b"},
		} {
			c.fails(2, append([]string{"reembed"}, args...)...)
		}
	})
}

func TestReembedByService(t *testing.T) {
	eachMode(t, func(t *testing.T, c *cli) {
		texts := 0
		url := embedder(t, &texts)
		c.env = map[string]string{"EMBED_KEY": "sesame", "WRONG_KEY": "open"}
		for i := range 7 {
			c.ok("remember", "--id", fmt.Sprint("m", i), strings.Repeat("x", i+1))
		}
		c.fails(1, "reembed", "--endpoint", url, "--model", "m", "--key-env", "WRONG_KEY")
		wantIn(t, "reembed", c.ok("reembed",
			"--endpoint", url, "--model", "m", "--key-env", "EMBED_KEY", "--batch", "3"),
			"7 embeddings by m: 7 new", "they serve now")
		if texts != 7 {
			t.Errorf("the service was given %d texts, want 7", texts)
		}
		m := decoded[engram.Memory](c, "get", "m4")
		if len(m.Embedding) != 9 || m.Embedding[0] != 5 || m.EmbeddingModel != "m" {
			t.Errorf("m4 has %v of %q", m.Embedding, m.EmbeddingModel)
		}
	})
}
