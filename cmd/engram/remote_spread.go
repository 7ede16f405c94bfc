package main

import (
	"context"
	"net/http"

	engram "github.com/orchard9/engram-go"
)

// Spread lets activation spread from memories.
func (r *remote) Spread(ctx context.Context, q engram.SpreadRequest) (found engram.Spreading, err error) {
	return found, r.call(ctx, http.MethodPost, r.url("spread"), q, &found)
}
