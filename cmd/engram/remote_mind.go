package main

import (
	"context"
	"net/http"

	engram "github.com/orchard9/engram-go"
)

// Complete fills in what a partial memory leaves out.
func (r *remote) Complete(ctx context.Context, p engram.Partial) (c engram.Completion, err error) {
	return c, r.call(ctx, http.MethodPost, r.url("complete"), p, &c)
}
