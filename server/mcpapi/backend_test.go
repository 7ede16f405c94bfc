package mcpapi_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/mcpapi"
)

// faulty is a backend whose calls go wrong.
type faulty struct{ fail func() error }

func (f faulty) Remember(context.Context, string, engram.Draft) (engram.Outcome, error) {
	return engram.Outcome{}, f.fail()
}

func (f faulty) Recall(context.Context, string, engram.Cue) (engram.Answer, error) {
	return engram.Answer{}, f.fail()
}

func (f faulty) Forget(context.Context, string, engram.ForgetRequest) (engram.ForgetReport, error) {
	return engram.ForgetReport{}, f.fail()
}

func (f faulty) Get(context.Context, string, string) (engram.Memory, error) {
	return engram.Memory{}, f.fail()
}

func (f faulty) History(context.Context, string, string) ([]engram.Memory, error) {
	return nil, f.fail()
}

func (f faulty) Update(context.Context, string, string, engram.Change) (engram.Outcome, error) {
	return engram.Outcome{}, f.fail()
}

func (f faulty) Link(context.Context, string, string, engram.Link) error { return f.fail() }

func (f faulty) Unlink(context.Context, string, string, string, string) (bool, error) {
	return false, f.fail()
}

func (f faulty) Stats(context.Context, string) (engram.SpaceStats, error) {
	return engram.SpaceStats{}, f.fail()
}

func (f faulty) Contradictions(context.Context, string, string) ([]engram.Contradiction, error) {
	return nil, f.fail()
}

func (f faulty) Feedback(context.Context, string, engram.Feedback) (engram.FeedbackReport, error) {
	return engram.FeedbackReport{}, f.fail()
}

func TestFailuresWithholdTheirText(t *testing.T) {
	for name, fail := range map[string]func() error{
		"panic":    func() error { panic("secret") },
		"internal": func() error { return errors.New("secret") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, nil))
			session := overStdio(t, newServer(t, faulty{fail}, mcpapi.Options{Logger: logger}))
			for range 2 { // The second call finds a server that still works.
				res, _, text := call(t, session, "recall", `{"query":"x"}`)
				if !res.IsError || strings.Contains(text, "secret") || !strings.HasPrefix(text, name+": ") {
					t.Errorf("recall = %q", text)
				}
				_, id, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(id ")
				if id == "" || !strings.Contains(log.String(), id) || !strings.Contains(log.String(), "secret") {
					t.Errorf("the log does not tell of %q:\n%s", id, log.String())
				}
			}
		})
	}
}

// noted is a backend that notes what it is asked.
type noted struct {
	faulty
	draft  engram.Draft
	cue    engram.Cue
	change engram.Change
	judged engram.Feedback
	link   engram.Link
	ends   [3]string
	space  string
}

func (n *noted) Remember(_ context.Context, space string, d engram.Draft) (engram.Outcome, error) {
	n.space, n.draft = space, d
	return engram.Outcome{ID: "x", Result: engram.Created, Version: 1, Embedding: "none"}, nil
}

func (n *noted) Recall(_ context.Context, space string, c engram.Cue) (engram.Answer, error) {
	n.space, n.cue = space, c
	return engram.Answer{}, nil
}

func (n *noted) Update(_ context.Context, _, id string, c engram.Change) (engram.Outcome, error) {
	n.change = c
	return engram.Outcome{ID: id, Result: engram.Updated, Version: 2, Embedding: "none"}, nil
}

func (n *noted) Feedback(_ context.Context, _ string, f engram.Feedback) (engram.FeedbackReport, error) {
	n.judged = f
	return engram.FeedbackReport{}, nil
}

func (n *noted) Link(_ context.Context, _, from string, l engram.Link) error {
	n.link, n.ends = l, [3]string{from, l.To}
	return nil
}

func (n *noted) Unlink(_ context.Context, _, from, to, linkType string) (bool, error) {
	n.ends = [3]string{from, to, linkType}
	return true, nil
}

// TestEveryArgumentArrives sets every argument that the schemas have and looks for it in what the backend gets.
func TestEveryArgumentArrives(t *testing.T) {
	n := &noted{}
	session := overStdio(t, newServer(t, n, mcpapi.Options{Space: "mine"}))
	call(t, session, "remember", `{"content":"x","kind":"fact","tags":["t"],"confidence":0,
		"occurred_at":"2026-01-01T00:00:00Z","valid_from":"2026-01-02T00:00:00Z",
		"valid_until":"2026-01-03T00:00:00Z","expires_at":"2026-01-04T00:00:00Z",
		"pin":true,"source":"s","links":[{"to":"a","type":"t","weight":0}],"supersedes":["b"],"contradicts":["c"],
		"embedding":[1],"idempotency_key":"k"}`)
	if n.space != "mine" {
		t.Errorf("without a space the call went to %q, want the door's", n.space)
	}
	// What the tool of this slice does not take; everything else must have arrived.
	wantSet(t, n.draft, "EmbeddingModel", "ID", "Language", "Speaker", "Session", "Metadata")
	call(t, session, "recall", `{"query":"q","limit":3,"max_tokens":64,"kinds":["k"],"tags":["t"],
		"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z","valid_at":"2026-01-03T00:00:00Z",
		"as_of":"2026-01-04T00:00:00Z","min_confidence":0.5,"during":"d","repeats":true,"explain":true,
		"embedding":[1],"hops":0,"detail":"ids","space":"other"}`)
	wantSet(t, n.cue, "EmbeddingModel", "IDs", "TagsAny", "TagsNone", "Speaker", "Session", "Compete", "Where",
		"WhereLinks", "Without", "MaxTime")
	if n.space != "other" {
		t.Errorf("the call went to %q, want other", n.space)
	}
	call(t, session, "update", `{"id":"x","content":"c","confidence":0,"tags":[],"pin":false,
		"valid_until":"2026-01-01T00:00:00Z","mode":"by_use","reason":"r"}`)
	wantSet(t, n.change, "EmbeddingModel", "Kind", "Speaker", "Session", "OccurredAt", "ValidFrom", "ExpiresAt",
		"Source", "Language", "Metadata", "Embedding", "IfVersion")
	call(t, session, "feedback", `{"event_id":"e","recall_id":"r","ids":["a"],"signal":"contradicted",
		"useful":["b"],"useless":["c"],"wrong":["d"],"by":"x","during":"s","source":"Bo","verified":true,"reason":"r"}`)
	wantSet(t, n.judged)
	call(t, session, "link", `{"from":"a","to":"b","type":"t","weight":0}`)
	wantSet(t, n.link)
	call(t, session, "link", `{"from":"c","to":"d","type":"t","remove":true}`)
	if n.ends != [3]string{"c", "d", "t"} {
		t.Errorf("unlinked %v", n.ends)
	}
}

// wantSet checks that every field of v but those named is set.
func wantSet(t *testing.T, v any, but ...string) {
	t.Helper()
	fields := reflect.ValueOf(v)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if fields.Field(i).IsZero() != slices.Contains(but, name) {
			t.Errorf("%T.%s = %v", v, name, fields.Field(i))
		}
	}
}
