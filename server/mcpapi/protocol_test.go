package mcpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/server/mcpapi"
)

// TestOldProtocol speaks as clients of each older revision do, byte by byte, without a library.
func TestOldProtocol(t *testing.T) {
	s := newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{})
	for _, version := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		messages := []string{
			`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"` + version +
				`","capabilities":{},"clientInfo":{"name":"old","version":"1"}}}`,
			`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
			`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"remember",` +
				`"arguments":{"content":"v` + version + `"}}}`,
		}
		answers := append(oldStdio(t, s, messages), oldHTTP(t, s, messages, version)...)
		if len(answers) != 4 {
			t.Fatalf("%s: %d answers, want 2 a transport: %s", version, len(answers), answers)
		}
		for i, want := range []string{`"protocolVersion":"` + version + `"`, `"outcome":"created"`} {
			if !strings.Contains(answers[i], want) {
				t.Errorf("%s over stdio: answer %d is %s, want %s", version, i, answers[i], want)
			}
		}
		for i, want := range []string{`"protocolVersion":"` + version + `"`, `"outcome":"reinforced"`} {
			if !strings.Contains(answers[2+i], want) {
				t.Errorf("%s over HTTP: answer %d is %s, want %s", version, i, answers[2+i], want)
			}
		}
	}
}

// oldStdio sends messages as lines, ends the input at once and gives the lines of the answer: none may be lost.
func oldStdio(t *testing.T, s *mcpapi.Server, messages []string) []string {
	t.Helper()
	var out bytes.Buffer
	in := strings.NewReader(strings.Join(messages, "\n") + "\n")
	if err := s.Stdio(t.Context(), in, &out); err != nil {
		t.Fatalf("Stdio() = %v", err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

// oldHTTP posts each message and gives the answers that have a body.
func oldHTTP(t *testing.T, s *mcpapi.Server, messages []string, version string) []string {
	t.Helper()
	hs := httptest.NewServer(s.Handler())
	defer hs.Close()
	var answers []string
	for i, m := range messages {
		req, err := http.NewRequestWithContext(t.Context(), "POST", hs.URL, strings.NewReader(m))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		if i > 0 && version >= "2025-06-18" {
			req.Header.Set("Mcp-Protocol-Version", version)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode >= 300 {
			t.Fatalf("%s: POST %s = %d %s, %v", version, m, resp.StatusCode, data, err)
		}
		if len(data) > 0 {
			answers = append(answers, string(data))
		}
	}
	return answers
}
