package mcpapi_test

import (
	"testing"

	"github.com/orchard9/engram-go/server/mcpapi"
)

// TestUpdateGoesByUse: a new content edits what was just of use and replaces what was not; what leaves the content as
// it is edits, and so does whoever says so.
func TestUpdateGoesByUse(t *testing.T) {
	session := overStdio(t, newServer(t, mcpapi.Engine(openDB(t)), mcpapi.Options{}))
	remembered := func(content string) string {
		_, got, _ := call(t, session, "remember", `{"content":"`+content+`"}`)
		id, _ := got["id"].(string)
		return id
	}
	used, unused, pinned, told := remembered("one"), remembered("two"), remembered("three"), remembered("four")
	call(t, session, "feedback", `{"useful":["`+used+`"]}`)
	for _, c := range []struct{ id, args, outcome string }{
		{used, `"content":"one at once"`, "updated"},
		{unused, `"content":"two at once"`, "superseded"},
		{pinned, `"pin":true`, "updated"},
		{told, `"content":"four at once","mode":"in_place"`, "updated"},
		{used, `"content":"one anew","mode":"replace"`, "superseded"},
	} {
		_, got, text := call(t, session, "update", `{"id":"`+c.id+`",`+c.args+`}`)
		if got["outcome"] != c.outcome || (got["id"] == c.id) != (c.outcome == "updated") {
			t.Errorf("update with %s = %v, %q, want %s", c.args, got, text, c.outcome)
		}
	}
}
