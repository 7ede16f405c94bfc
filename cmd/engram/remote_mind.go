package main

import (
	"context"
	"net/http"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

// Complete fills in what a partial memory leaves out.
func (r *remote) Complete(ctx context.Context, p engram.Partial) (c engram.Completion, err error) {
	return c, r.call(ctx, http.MethodPost, r.url("complete"), p, &c)
}

// Consolidate lets the server make one pass.
func (r *remote) Consolidate(ctx context.Context, o engram.ConsolidateOptions) (c engram.Consolidation, err error) {
	body := wire.Consolidate{ConsolidateOptions: o, MaxSeconds: o.MaxTime.Seconds()}
	return c, r.call(ctx, http.MethodPost, r.url("consolidate"), body, &c)
}

// UndoConsolidation takes a concept apart.
func (r *remote) UndoConsolidation(ctx context.Context, id string) (u engram.Undone, err error) {
	return u, r.call(ctx, http.MethodPost, r.url("consolidate", "undo"), wire.UndoConsolidation{ID: id}, &u)
}

// Predict tells what came next after memories.
func (r *remote) Predict(ctx context.Context, p engram.Precedent) (out engram.Prediction, err error) {
	return out, r.call(ctx, http.MethodPost, r.url("predict"), p, &out)
}

// Fit learns from the space's judgements.
func (r *remote) Fit(ctx context.Context, o engram.FitOptions) (report engram.FitReport, err error) {
	return report, r.call(ctx, http.MethodPost, r.url("fit"), o, &report)
}
