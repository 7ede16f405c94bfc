package embed_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/embed"
	"github.com/orchard9/engram-go/internal/leak"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

// service answers each request by the next of answers; the last one stays.
func service(t *testing.T, answers ...http.HandlerFunc) string {
	t.Helper()
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// lengths answers with vectors that begin with the length of the text, the last text's first.
func lengths(t *testing.T, key string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Model      string   `json:"model"`
			Input      []string `json:"input"`
			Dimensions int      `json:"dimensions"`
			Format     string   `json:"encoding_format"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Model != "m" || in.Format != "float" ||
			r.Method != http.MethodPost || r.URL.Path != "/v1/embeddings" || r.Header.Get("Authorization") != key {
			t.Errorf("asked %s %s, %+v, %v", r.Method, r.URL, in, err)
		}
		var data []string
		for i, text := range slices.Backward(in.Input) {
			data = append(data, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":[%d,%d]}`,
				i, len(text), in.Dimensions))
		}
		fmt.Fprintf(w, `{"object":"list","data":[%s],"model":"m","usage":{"total_tokens":1}}`, strings.Join(data, ","))
	}
}

func TestEmbed(t *testing.T) {
	for _, c := range []struct{ key, header string }{{"", ""}, {"secret", "Bearer secret"}} {
		base := service(t, lengths(t, c.header))
		for _, url := range []string{base + "/v1", base + "/v1/", base + "/v1/embeddings"} {
			e := embed.OpenAI{URL: url, Model: "m", Key: c.key, Dim: 2}
			got, err := e.Embed(t.Context(), []string{"a", "bbb", "cc"})
			want := [][]float32{{1, 2}, {3, 2}, {2, 2}}
			if err != nil || !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("Embed at %s = %v, %v, want %v", url, got, err, want)
			}
		}
	}
}

// TestBusyService: what passes is asked again, for as long as the service says; what does not is told.
func TestBusyService(t *testing.T) {
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}
	broken := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oh", http.StatusBadGateway) }
	var waits []time.Duration
	e := embed.OpenAI{Model: "m", Wait: func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}}
	e.URL = service(t, busy, broken, lengths(t, "")) + "/v1"
	if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
		t.Errorf("Embed of a service that was busy = %v", err)
	}
	if want := []time.Duration{7 * time.Second, 2 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("it waited %v, want %v", waits, want)
	}
	waits = nil
	e.URL = service(t, broken) + "/v1"
	_, err := e.Embed(t.Context(), []string{"a"})
	if err == nil || !strings.Contains(err.Error(), "502") || len(waits) != 4 {
		t.Errorf("Embed of a broken service = %v after %v, want its answer after four waits", err, waits)
	}
}

func TestRefusedAnswers(t *testing.T) {
	never := func(context.Context, time.Duration) error { t.Error("it was asked again"); return nil }
	for what, body := range map[string]string{
		"too few": `{"data":[{"index":0,"embedding":[1]}]}`,
		"twice":   `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"outside": `{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}`,
		"empty":   `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[]}]}`,
		"no JSON": `<html>`,
	} {
		url := service(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		e := embed.OpenAI{URL: url, Model: "m", Wait: never}
		if got, err := e.Embed(t.Context(), []string{"a", "b"}); err == nil {
			t.Errorf("%s: %v, want an error", what, got)
		}
	}
	url := service(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "bad key", http.StatusUnauthorized)
	})
	_, err := embed.OpenAI{URL: url, Model: "m", Key: "secret", Wait: never}.Embed(t.Context(), []string{"a"})
	if err == nil || !strings.Contains(err.Error(), "bad key") || strings.Contains(err.Error(), "secret") {
		t.Errorf("a refused key = %v, want what the service said, without the key", err)
	}
	for _, url := range []string{"", "localhost:11434", "ftp://x/v1"} {
		if _, err := (embed.OpenAI{URL: url, Wait: never}).Embed(t.Context(), []string{"a"}); err == nil {
			t.Errorf("address %q is taken", url)
		}
	}
	// The key does not follow a redirection.
	other := service(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("redirected to %s with %v", r.URL, r.Header)
	})
	url = service(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/x", http.StatusTemporaryRedirect)
	})
	if _, err := (embed.OpenAI{URL: url, Key: "secret", Wait: never}).Embed(t.Context(), []string{"a"}); err == nil {
		t.Error("a redirection is followed")
	}
}
