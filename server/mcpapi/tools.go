package mcpapi

import (
	"cmp"
	"context"
	_ "embed" // for tools.json
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

//go:embed tools.json
var toolsJSON []byte

// Bounds of one call, as the schemas say them. An agent reads every hit, so that it gets fewer than a program may, and
// no more text than it asks for: maxTokens is what a recall brings if it does not say.
const (
	maxGet    = 100
	maxHits   = 100
	maxTokens = 2000
)

// rememberArgs are the arguments of remember.
type rememberArgs struct {
	Space          string        `json:"space"`
	Content        string        `json:"content"`
	Kind           string        `json:"kind"`
	Tags           []string      `json:"tags"`
	Confidence     *float64      `json:"confidence"`
	OccurredAt     time.Time     `json:"occurred_at"`
	ValidFrom      time.Time     `json:"valid_from"`
	ValidUntil     time.Time     `json:"valid_until"`
	ExpiresAt      time.Time     `json:"expires_at"`
	Pin            bool          `json:"pin"`
	Source         string        `json:"source"`
	Links          []engram.Link `json:"links"`
	Supersedes     []string      `json:"supersedes"`
	Contradicts    []string      `json:"contradicts"`
	Embedding      []float32     `json:"embedding"`
	IdempotencyKey string        `json:"idempotency_key" min:"1"`
}

// recallArgs are the arguments of recall.
type recallArgs struct {
	Space         string    `json:"space"`
	Query         string    `json:"query"`
	Limit         int       `json:"limit" min:"1"`
	MaxTokens     int       `json:"max_tokens" min:"1"`
	Kinds         []string  `json:"kinds"`
	Tags          []string  `json:"tags"`
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	AsOf          time.Time `json:"as_of"`
	ValidAt       time.Time `json:"valid_at"`
	MinConfidence float64   `json:"min_confidence"`
	During        string    `json:"during"`
	Hops          *int      `json:"hops"`
	Detail        string    `json:"detail"`
	Repeats       bool      `json:"repeats"`
	Explain       bool      `json:"explain"`
	Embedding     []float32 `json:"embedding"`
}

// forgetArgs are the arguments of forget.
type forgetArgs struct {
	Space string `json:"space"`
	engram.ForgetRequest
}

// getArgs are the arguments of get.
type getArgs struct {
	Space   string   `json:"space"`
	IDs     []string `json:"ids"`
	Include []string `json:"include"`
}

// feedbackArgs are the arguments of feedback.
type feedbackArgs struct {
	Space string `json:"space"`
	engram.Feedback
}

// recalled is the structured result of recall.
type recalled struct {
	Provenance string `json:"provenance"`
	wire.Answer
}

// gotten is the structured result of get.
type gotten struct {
	Provenance string        `json:"provenance"`
	Memories   []wire.Memory `json:"memories"`
	Missing    []string      `json:"missing,omitempty"`
}

// parseTools reads the tools with their schemas as they were written.
func parseTools() ([]*mcp.Tool, error) {
	var raw []struct {
		Name         string               `json:"name"`
		Title        string               `json:"title"`
		Description  string               `json:"description"`
		InputSchema  json.RawMessage      `json:"inputSchema"`
		OutputSchema json.RawMessage      `json:"outputSchema"`
		Annotations  *mcp.ToolAnnotations `json:"annotations"`
	}
	if err := json.Unmarshal(toolsJSON, &raw); err != nil {
		return nil, fmt.Errorf("read tools.json: %w", err)
	}
	tools := make([]*mcp.Tool, len(raw))
	for i, t := range raw {
		tools[i] = &mcp.Tool{
			Name: t.Name, Title: t.Title, Description: t.Description,
			InputSchema: t.InputSchema, OutputSchema: t.OutputSchema, Annotations: t.Annotations,
		}
	}
	return tools, nil
}

// handlers are the tools' functions by name.
func (s *Server) handlers() map[string]mcp.ToolHandler {
	return map[string]mcp.ToolHandler{
		"remember": tool(s, "remember", s.remember),
		"recall":   tool(s, "recall", s.recall),
		"forget":   tool(s, "forget", s.forget),
		"get":      tool(s, "get", s.get),
		"update":   tool(s, "update", s.update),
		"link":     tool(s, "link", s.link),
		"status":   tool(s, "status", s.status),
		"feedback": tool(s, "feedback", s.feedback),
	}
}

// tool makes a handler of fn, which takes decoded arguments and gives a structured result and its short text.
func tool[A any](s *Server, name string, fn func(context.Context, A) (any, string, error)) mcp.ToolHandler {
	decoder := wire.NewDecoder[A]()
	return func(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		raw := req.Params.Arguments
		if len(raw) == 0 {
			raw = json.RawMessage("{}")
		}
		args, err := decoder.Decode(raw)
		if err != nil {
			return failed(problem.From(argumentError(name, err))), nil
		}
		result, text, err := fn(ctx, args)
		if err != nil {
			return failed(s.told(ctx, "tool "+name, err)), nil
		}
		structured, err := json.Marshal(result) // Here: the library ends the process over what does not encode.
		if err != nil {
			return failed(s.told(ctx, "tool "+name, err)), nil
		}
		return &mcp.CallToolResult{
			Content:           []mcp.Content{&mcp.TextContent{Text: text}},
			StructuredContent: json.RawMessage(structured),
		}, nil
	}
}

// argumentError says "argument" where the decoder says "field".
func argumentError(tool string, err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.CodeUnknownField {
		return err
	}
	told := problem.New(p.Code, fmt.Sprintf("%s has no argument %q: allowed are %s", tool, p.Field, p.Allowed))
	told.Field, told.Allowed = p.Field, p.Allowed
	return told
}

// in is the space a call works in.
func (s *Server) in(space string) string {
	if space == "" {
		return s.space
	}
	return space
}

func (s *Server) remember(ctx context.Context, a rememberArgs) (any, string, error) {
	outcome, err := s.backend.Remember(ctx, s.in(a.Space), engram.Draft{
		Content: a.Content, Kind: a.Kind, Tags: a.Tags, Confidence: a.Confidence,
		OccurredAt: a.OccurredAt, ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, ExpiresAt: a.ExpiresAt,
		Pin: a.Pin, Source: a.Source, Links: a.Links, Supersedes: a.Supersedes, Contradicts: a.Contradicts,
		Embedding: a.Embedding, IdempotencyKey: a.IdempotencyKey,
	})
	if err != nil {
		return nil, "", err
	}
	return outcome, outcomeText(outcome), nil
}

func (s *Server) recall(ctx context.Context, a recallArgs) (any, string, error) {
	if a.Limit > maxHits {
		return nil, "", &engram.InvalidError{
			Field: "limit", Value: strconv.Itoa(a.Limit), Allowed: fmt.Sprintf("give 1 to %d", maxHits),
		}
	}
	space := s.in(a.Space)
	found, err := s.backend.Recall(ctx, space, engram.Cue{
		Text: a.Query, Embedding: a.Embedding, Limit: a.Limit, MaxTokens: cmp.Or(a.MaxTokens, maxTokens),
		Kinds: a.Kinds, Tags: a.Tags, From: a.From, To: a.To,
		AsOf: a.AsOf, ValidAt: a.ValidAt, MinConfidence: a.MinConfidence, During: a.During,
		Hops: a.Hops, Detail: engram.Detail(a.Detail), Repeats: a.Repeats, Explain: a.Explain,
	})
	if err != nil {
		return nil, "", err
	}
	result := recalled{Provenance: provenance(space), Answer: wire.FromAnswer(found)}
	return result, recallText(result), nil
}

func (s *Server) forget(ctx context.Context, a forgetArgs) (any, string, error) {
	report, err := s.backend.Forget(ctx, s.in(a.Space), a.ForgetRequest)
	if err != nil {
		return nil, "", err
	}
	return report, forgetText(report, a.DryRun), nil
}

func (s *Server) get(ctx context.Context, a getArgs) (any, string, error) {
	if len(a.IDs) < 1 || len(a.IDs) > maxGet {
		return nil, "", &engram.InvalidError{
			Field: "ids", Value: strconv.Itoa(len(a.IDs)) + " ids", Allowed: fmt.Sprintf("give 1 to %d", maxGet),
		}
	}
	for _, word := range a.Include {
		if word != "links" && word != "history" {
			return nil, "", &engram.InvalidError{
				Field: "include", Value: strconv.Quote(word), Allowed: `use "links", "history" or both`,
			}
		}
	}
	space := s.in(a.Space)
	result := gotten{Provenance: provenance(space), Memories: []wire.Memory{}}
	for _, id := range a.IDs {
		m, err := s.read(ctx, space, id, a.Include)
		switch {
		case errors.Is(err, engram.ErrNotFound):
			result.Missing = append(result.Missing, id)
		case err != nil:
			return nil, "", err
		default:
			result.Memories = append(result.Memories, m)
		}
	}
	return result, getText(result), nil
}

func (s *Server) feedback(ctx context.Context, a feedbackArgs) (any, string, error) {
	report, err := s.backend.Feedback(ctx, s.in(a.Space), a.Feedback)
	if err != nil {
		return nil, "", err
	}
	return report, feedbackText(report), nil
}

// read reads one memory with what is to be included, without vectors.
func (s *Server) read(ctx context.Context, space, id string, include []string) (wire.Memory, error) {
	m, err := s.backend.Get(ctx, space, id)
	if err != nil {
		return wire.Memory{}, err
	}
	out := wire.Memory{Memory: m}
	out.Embedding = nil
	if !slices.Contains(include, "links") {
		out.Links = nil
	}
	if !slices.Contains(include, "history") {
		return out, nil
	}
	if out.History, err = s.backend.History(ctx, space, id); err != nil {
		return wire.Memory{}, err
	}
	for i := range out.History {
		out.History[i].Embedding = nil
	}
	return out, nil
}
