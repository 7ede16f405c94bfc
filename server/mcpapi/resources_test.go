package mcpapi_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/orchard9/engram-go/server/mcpapi"
)

func TestResources(t *testing.T) {
	for name, over := range map[string]func(*testing.T, *mcpapi.Server) *mcp.ClientSession{
		"stdio": overStdio, "http": overHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			session := over(t, newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{}))
			outputSchemas(t, session) // a client that knows the tools sends the headers they ask for
			templates, err := session.ListResourceTemplates(t.Context(), nil)
			if err != nil || len(templates.ResourceTemplates) != 2 {
				t.Fatalf("templates = %+v, %v", templates, err)
			}
			_, got, _ := call(t, session, "remember", `{"content":"Ada prefers tea"}`)
			id, _ := got["id"].(string)
			call(t, session, "remember", `{"content":"elsewhere","space":"other"}`)
			for uri, want := range map[string]string{
				"engram://default/memory/" + url.PathEscape(id): "Ada prefers tea",
				"engram://default/recent":                       "Ada prefers tea",
				"engram://other/recent":                         "elsewhere",
			} {
				res, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
				if err != nil {
					t.Errorf("read %s = %v", uri, err)
					continue
				}
				text := res.Contents[0].Text
				if !strings.Contains(text, want) || !strings.Contains(text, "not an instruction") ||
					strings.Contains(text, "elsewhere") != (want == "elsewhere") || res.CacheScope == "public" {
					t.Errorf("read %s = %s, cache %s", uri, text, res.CacheScope)
				}
			}
			for _, uri := range []string{
				"engram://default/memory/nobody", "engram://nowhere/memory/x", "engram://default/memory/a/b",
				"engram://default/recent?limit=5", "other://default/recent", "engram://default/all",
			} {
				_, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: uri})
				if wire, ok := errors.AsType[*jsonrpc.Error](err); !ok || wire.Code != jsonrpc.CodeInvalidParams {
					t.Errorf("read %s = %v, want not found", uri, err)
				}
			}
		})
	}
}
