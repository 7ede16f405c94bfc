package httpapi_test

import (
	"os"
	"strings"
	"testing"

	"github.com/orchard9/engram-go/server/httpapi"
	"github.com/orchard9/engram-go/server/problem"
)

// TestDocumentation holds docs/http.md to the routes, their parameters and the table of problems.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	documented := 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "### `") {
			documented++
		}
	}
	for _, r := range httpapi.Routes() {
		head := "### `" + r.Method + " " + r.Path + "`"
		_, section, ok := strings.Cut(page, head)
		if !ok {
			t.Errorf("docs/http.md lacks %s", head)
			continue
		}
		section, _, _ = strings.Cut(section, "\n#")
		for _, name := range r.Params {
			if !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/http.md says nothing of the parameter %s of %s", name, head)
			}
		}
		if !strings.Contains(section, "curl ") {
			t.Errorf("docs/http.md has no example of %s", head)
		}
	}
	if routes := len(httpapi.Routes()); documented != routes {
		t.Errorf("docs/http.md describes %d routes, there are %d", documented, routes)
	}
	for _, k := range problem.Kinds() {
		if !strings.Contains(page, "\n#### "+k.Code+"\n") {
			t.Errorf("docs/http.md lacks the problem %s", k.Code)
		}
	}
}
