package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

// GetAt reads one memory as it was known at asOf, with its vector.
func (r *remote) GetAt(ctx context.Context, id string, asOf time.Time) (engram.Memory, error) {
	var m wire.Memory
	query := url.Values{"as_of": {asOf.Format(time.RFC3339Nano)}, "vectors": {"true"}}
	err := r.call(ctx, http.MethodGet, r.url("memories", id)+"?"+query.Encode(), nil, &m)
	return m.Memory, err
}

// Held tells whether what a memory states was true at validAt.
func (r *remote) Held(ctx context.Context, id string, validAt, asOf time.Time) (engram.Held, error) {
	var out wire.Held
	query := url.Values{}
	for name, t := range map[string]time.Time{"valid_at": validAt, "as_of": asOf} {
		if !t.IsZero() {
			query.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	err := r.call(ctx, http.MethodGet, r.url("memories", id, "held")+"?"+query.Encode(), nil, &out)
	return out.Held, err
}

// Contradictions lists those of a memory, or all.
func (r *remote) Contradictions(ctx context.Context, id string) ([]engram.Contradiction, error) {
	var out wire.Contradictions
	target := r.url("contradictions")
	if id != "" {
		target += "?" + url.Values{"id": {id}}.Encode()
	}
	err := r.call(ctx, http.MethodGet, target, nil, &out)
	return out.Contradictions, err
}
