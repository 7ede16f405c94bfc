package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

// pathsOf lists the fields of a type as JSON has them, those of what it contains too: "use.stability", "links[].to".
func pathsOf(t reflect.Type, prefix string) (paths []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[time.Time]() {
		return []string{prefix}
	}
	switch t.Kind() {
	case reflect.Slice:
		return pathsOf(t.Elem(), prefix+"[]")
	case reflect.Struct:
	default:
		return []string{prefix}
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			paths = append(paths, pathsOf(field.Type, prefix)...)
		case prefix == "":
			paths = append(paths, pathsOf(field.Type, name)...)
		default:
			paths = append(paths, pathsOf(field.Type, prefix+"."+name)...)
		}
	}
	return paths
}

// seen collects the paths of JSON values that say something: not null, not empty.
type seen map[string]bool

func (s seen) json(t *testing.T, prefix, text string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	for {
		var v any
		err := decoder.Decode(&v)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in %.300s", err, text)
		}
		s.add(prefix, v)
	}
}

func (s seen) add(path string, v any) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, one := range v {
			s.add(path+"[]", one)
		}
	case map[string]any:
		s[path] = true // as a whole, for what is an object with names of its own
		for name, one := range v {
			s.add(strings.TrimPrefix(path+"."+name, "."), one)
		}
	default:
		s[path] = true
	}
}

// told fills a space so that every field of every answer says something somewhere.
func told(c *cli) {
	day := func(n int) string { return fmt.Sprintf("2025-05-%02d", n) }
	c.ok("remember", "--id", "old", "--session", "s", "--occurred-at", day(1), "--source", "book", "the rail is rusty")
	c.ok("remember", "--id", "new", "--kind", "fact", "--tag", "rail", "--speaker", "Ines", "--session", "s",
		"--occurred-at", day(2), "--valid-from", day(3), "--valid-until", "2035-05-03", "--expires-at", "2099-01-01",
		"--pin", "--confidence", "0.5", "--source", "book", "--meta", "page=7", "--embedding", "[1,2,3,4,5,6,7,8]",
		"--embedding-model", "tiny", "--link", "old,type=replaces,weight=0.25", "--supersedes", "old",
		"the rail was painted green and everything is well")
	c.ok("remember", "--id", "away", "--source", "book", "the rail is bent and it will not hold the door of the dome")
	c.ok("remember", "--id", "again", "--source", "book",
		"the rail is bent and it will not hold the door of the dome today")
	c.ok("remember", "--id", "again", "--source", "Bo",
		"the rail is bent and it will not hold the door of the dome today")
	c.ok("remember", "--id", "twin", "--session", "t",
		"the rail is bent and it will not hold the door of the dome today")
	c.ok("forget", "again", "--reason", "twice")
	c.ok("unarchive", "again")
	c.ok("forget", "away")
	c.ok("update", "new", "--tag", "dome", "--reason", "it is of the dome")
	c.ok("feedback", "--signal", "confirmed", "new", "--source", "Bo", "--verified", "--event-id", "e",
		"--reason", "looked", "--during", "s")
	c.ok("feedback", "--signal", "contradicted", "new", "--by", "again", "--source", "Cy", "--reason", "seen")
	c.ok("feedback", "--signal", "contradicted", "new", "--by", "again", "--source", "Di")
	found := decoded[wire.Answer](c, "recall", "rail green", "--during", "s")
	c.ok("feedback", "--recall", found.RecallID, "--useful", "new")
	c.ok("link", "again", "new")
}

// door is one way to the memories. What gives the answers of a kind, by name; nil if the door has none.
type door struct {
	name    string
	answers map[string]func(t *testing.T) []string
	lacks   map[string]map[string]string // kind → path → why this door does not have it
}

// TestEveryFieldThroughEveryDoor walks every field of what answers are made of, and looks for it, with a value, in the
// answers of each door. A new field that a door drops fails here.
func TestEveryFieldThroughEveryDoor(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data"), served: true}
	base := startServer(c)
	byCLI, byHTTP := followedByCLI(c), followedByHTTP(t, base)
	told(c)
	c.ok("remember", "--id", "last", "the end")
	kinds := map[string]reflect.Type{
		"memory": reflect.TypeFor[engram.Memory](), "hit": reflect.TypeFor[engram.Hit](),
		"event":     reflect.TypeFor[engram.Event](),
		"judgement": reflect.TypeFor[engram.FeedbackRecord](), "source": reflect.TypeFor[engram.SourceRecord](),
		"contradiction": reflect.TypeFor[engram.Contradiction](),
	}
	for _, d := range []door{cliDoor(c, byCLI), httpDoor(t, base, byHTTP), mcpDoor(t, base)} {
		for kind, typ := range kinds {
			answers, ok := d.answers[kind]
			if !ok {
				continue
			}
			got := seen{}
			for _, text := range answers(t) {
				got.json(t, "", text)
			}
			for _, path := range pathsOf(typ, "") {
				wanted := wireName(kind, path)
				why, lacks := d.lacks[kind][path]
				if got[wanted] == lacks {
					t.Errorf("%s of a %s through %s: there %v, left out %v %s",
						path, kind, d.name, got[wanted], lacks, why)
				}
			}
		}
	}
}

// wireName is where the fields of a kind stand in a door's answers: hits lie in a list, and their terms are objects.
func wireName(kind, path string) string {
	switch {
	case kind == "hit" && (path == "why[].term" || path == "why[].value"):
		return "hits[].why.words"
	case kind == "hit" && strings.HasPrefix(path, "why[].detail[]"):
		return "hits[].explain.words[]" + strings.TrimPrefix(path, "why[].detail[]")
	case kind == "hit":
		return "hits[]." + path
	case kind == "contradiction":
		return "contradictions[]." + path
	case kind == "source":
		return "sources[]." + path
	}
	return path
}

// withoutDetails is of judgements: they keep no details of terms.
var withoutDetails = map[string]string{"terms[].detail[].name": "not kept", "terms[].detail[].value": "not kept"}

// Lists of memories leave out what reading one gives.
var inHits = map[string]string{
	"embedding[]": "answers of recall have no vectors", "embedding_model": "nor what made them",
	"links[].to": "get has them", "links[].type": "get has them", "links[].weight": "get has them",
	"links[].incoming": "get has them",
	"archived_at":      "what is archived is no hit",
}

// cues are recalls whose hits have every field between them.
func cues(recall func(args map[string]any) string) []string {
	return []string{
		recall(map[string]any{
			"query": "rail green dome", "explain": true, "compete": true, "valid_at": "2025-06-01T00:00:00Z",
		}),
		recall(map[string]any{"query": "rail rusty", "valid_at": "2025-05-02T00:00:00Z"}),
		recall(map[string]any{"query": "rail bent dome"}),
		recall(map[string]any{"query": "rail bent dome", "detail": "ids"}),
	}
}

func cliDoor(c *cli, events func() string) door {
	return door{
		name: "the command line", lacks: map[string]map[string]string{"hit": inHits, "judgement": withoutDetails},
		answers: map[string]func(*testing.T) []string{
			"memory": func(*testing.T) []string {
				return append(hitsOf(c.ok("recall", "rail", "--valid-at", "2025-06-01", "--json")),
					c.ok("get", "old", "new", "away", "again", "--json"))
			},
			"hit": func(*testing.T) []string {
				return cues(func(args map[string]any) string {
					line := []string{"recall", args["query"].(string), "--json"}
					for name, flag := range map[string]string{
						"explain": "--explain", "compete": "--compete",
					} {
						if args[name] == true {
							line = append(line, flag)
						}
					}
					if at, ok := args["valid_at"].(string); ok {
						line = append(line, "--valid-at", at)
					}
					if how, ok := args["detail"].(string); ok {
						line = append(line, "--detail", how)
					}
					return c.ok(line...)
				})
			},
			"event":         func(*testing.T) []string { return []string{events()} },
			"judgement":     func(*testing.T) []string { return []string{c.ok("feedback", "--log", "--json")} },
			"source":        func(*testing.T) []string { return []string{c.ok("sources", "--json")} },
			"contradiction": func(*testing.T) []string { return []string{c.ok("contradictions", "--json")} },
		},
	}
}

func httpDoor(t *testing.T, base string, events func() string) door {
	space := base + "/v1/spaces/default"
	ask := func(method, path string, body any) string {
		data, _ := json.Marshal(body)
		var reader io.Reader
		if body != nil {
			reader = bytes.NewReader(data)
		}
		return fetched(t, method, space+path, reader, nil)
	}
	return door{
		name: "HTTP", lacks: map[string]map[string]string{"hit": inHits, "judgement": withoutDetails},
		answers: map[string]func(*testing.T) []string{
			"memory": func(*testing.T) []string {
				now := map[string]any{"query": "rail", "valid_at": "2025-06-01T00:00:00Z"}
				texts := hitsOf(ask("POST", "/recall", now))
				for _, id := range []string{"old", "new", "away", "again"} {
					texts = append(texts, ask("GET", "/memories/"+id+"?include=links&vectors=true", nil))
				}
				return texts
			},
			"hit": func(*testing.T) []string {
				return cues(func(args map[string]any) string { return ask("POST", "/recall", args) })
			},
			"event":         func(*testing.T) []string { return []string{events()} },
			"judgement":     func(*testing.T) []string { return []string{ask("GET", "/feedback", nil)} },
			"source":        func(*testing.T) []string { return []string{ask("GET", "/sources", nil)} },
			"contradiction": func(*testing.T) []string { return []string{ask("GET", "/contradictions", nil)} },
		},
	}
}

// mcpDoor has tools for what agents need; the records are for people.
func mcpDoor(t *testing.T, base string) door {
	tool := func(name string, args map[string]any) string {
		body, _ := json.Marshal(map[string]any{
			"jsonrpc": "2.0", "id": 1, "method": "tools/call",
			"params": map[string]any{"name": name, "arguments": args},
		})
		text := fetched(t, "POST", base+"/mcp", bytes.NewReader(body), map[string]string{
			"Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2025-06-18",
		})
		if strings.HasPrefix(text, "event: ") {
			_, text, _ = strings.Cut(text, "data: ")
		}
		var answer struct {
			Result struct{ StructuredContent json.RawMessage }
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Result.StructuredContent == nil {
			t.Fatalf("%s = %s, %v", name, text, err)
		}
		return string(answer.Result.StructuredContent)
	}
	hits := map[string]string{"probability": "recall takes no compete"}
	maps.Copy(hits, inHits)
	return door{
		name: "MCP",
		lacks: map[string]map[string]string{
			"hit": hits, "memory": {"embedding[]": "an agent has no use for numbers", "held": "it is of hits"},
		},
		answers: map[string]func(*testing.T) []string{
			"memory": func(*testing.T) []string {
				var got struct{ Memories []json.RawMessage }
				text := tool("get", map[string]any{
					"ids": []string{"old", "new", "away", "again"}, "include": []string{"links", "history"},
				})
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatal(err)
				}
				return asTexts(got.Memories)
			},
			"hit": func(*testing.T) []string {
				return cues(func(args map[string]any) string {
					delete(args, "compete")
					return tool("recall", args)
				})
			},
		},
	}
}

func asTexts(raw []json.RawMessage) (texts []string) {
	for _, one := range raw {
		texts = append(texts, string(one))
	}
	return texts
}

// hitsOf are the hits of an answer, each by itself.
func hitsOf(answer string) []string {
	var hits struct{ Hits []json.RawMessage }
	if err := json.Unmarshal([]byte(answer), &hits); err != nil {
		return nil
	}
	return asTexts(hits.Hits)
}

// fetched is the body of an answer that must be a success.
func fetched(t *testing.T, method, target string, body io.Reader, header map[string]string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, target, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s = %d %s, %v", method, target, resp.StatusCode, data, err)
	}
	return string(data)
}

// followedByCLI follows the events with the command from now on; what it gives are those until the memory "last" came.
func followedByCLI(c *cli) func() string {
	c.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(c.t.Context()))
	stdout, told := io.Pipe()
	stderr := new(lockedBuffer)
	var group sync.WaitGroup
	code := -1
	group.Go(func() {
		code = run(ctx, []string{"events", "--json"}, c.process(strings.NewReader(""), told, stderr))
		told.Close()
	})
	for !strings.Contains(stderr.String(), "listening to space default") {
		runtime.Gosched()
	}
	lines := make(chan string, 1)
	group.Go(func() { lines <- untilLast(stdout) })
	c.t.Cleanup(func() {
		stop()
		group.Wait()
		if code != 0 {
			c.t.Errorf("engram events = exit %d, want 0; stderr:\n%s", code, stderr.String())
		}
	})
	return func() string { return <-lines }
}

// followedByHTTP is the same by server-sent events.
func followedByHTTP(t *testing.T, base string) func() string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/spaces/default/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return func() string { return untilLast(resp.Body) }
}

// untilLast gives the JSON lines of a stream until that of the memory "last"; then it reads on and drops what comes.
func untilLast(stream io.Reader) string {
	var b strings.Builder
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		line := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		b.WriteString(line + "\n")
		if strings.Contains(line, `"id":"last"`) {
			break
		}
	}
	return b.String()
}

func TestEvents(t *testing.T) {
	c := &cli{t: t, dir: filepath.Join(t.TempDir(), "data")}
	c.fails(3, "events")
	c.ok("remember", "--id", "a", "the rail is rusty")
	wantIn(t, "events without a server", c.fails(2, "events"), "no server holds", "engram serve")
	c.fails(2, "events", "--limit", "-1")
	startServer(c)
	c.fails(2, "events", "all")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, errs lockedBuffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"events", "--limit", "2"}, c.process(strings.NewReader(""), &out, &errs))
	}()
	for !strings.Contains(errs.String(), "listening to space default") {
		runtime.Gosched()
	}
	c.ok("feedback", "--signal", "wrong", "a", "--reason", "it shines")
	c.ok("remember", "--space", "other", "elsewhere")
	c.ok("forget", "a")
	if code := <-done; code != 0 {
		t.Fatalf("events = exit %d, stderr:\n%s", code, errs.String())
	}
	wantIn(t, "events", out.String(), "judged  a  signal wrong  because it shines\n", "archived  a\n")
}
