package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// Reembed sends vectors of another model.
func (r *remote) Reembed(
	ctx context.Context, in io.Reader, o engram.ReembedOptions,
) (report engram.ReembedReport, err error) {
	query := url.Values{
		"embedding_model": {o.Model}, "partial": {strconv.FormatBool(o.Partial)},
		"allow_missing": {strconv.FormatBool(o.AllowMissing)},
	}
	if o.Dim != 0 {
		query.Set("dim", strconv.Itoa(o.Dim))
	}
	resp, err := r.do(ctx, http.MethodPost, r.url("reembed")+"?"+query.Encode(), mediaLines, in)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Reembed != nil {
		return *p.Reembed, err
	}
	if err != nil {
		return report, err
	}
	return report, decodeReply(resp, &report)
}

// Unembedded goes through what has no new vector. An answer that was cut off is an error.
func (r *remote) Unembedded(ctx context.Context) iter.Seq2[engram.Unembedded, error] {
	return streamed[engram.Unembedded](ctx, r, "reembed", "list of what has no new embedding")
}

// unembeddedAtOnce is how many memories are asked for at once: chosen.
const unembeddedAtOnce = 1024

// ReembedBy has everything embedded on this side, and sends the vectors.
func (r *remote) ReembedBy(
	ctx context.Context, embed engram.Embedder, o engram.ReembedOptions,
) (total engram.ReembedReport, err error) {
	last := o
	o.Partial, o.AllowMissing = true, false
	for {
		some, err := r.someUnembedded(ctx)
		if err != nil {
			return total, err
		}
		if len(some) == 0 {
			break
		}
		before := total.Embedded + total.Unchanged
		for batch := range slices.Chunk(some, cmp.Or(o.Batch, 32)) {
			report, err := r.embedBatch(ctx, embed, batch, o)
			report.Embedded += total.Embedded
			report.Unchanged += total.Unchanged
			total = report
			if err != nil {
				return total, err
			}
			if o.Progress != nil {
				o.Progress(total)
			}
		}
		if total.Embedded+total.Unchanged == before && total.BadCount > 0 {
			return total, fmt.Errorf("the server refuses the embeddings: %s: %w",
				total.Bad[0].Error, engram.ErrConflict)
		}
	}
	report, err := r.Reembed(ctx, bytes.NewReader(nil), last)
	report.Embedded, report.Unchanged = total.Embedded, total.Unchanged
	return report, err
}

// someUnembedded lists the first memories without a new vector: so many that asking again is cheap, and so few that
// their texts fit into memory and that the server does not wait for the embedder.
func (r *remote) someUnembedded(ctx context.Context) (some []engram.Unembedded, err error) {
	for u, err := range r.Unembedded(ctx) {
		if err != nil {
			return nil, err
		}
		if some = append(some, u); len(some) == unembeddedAtOnce {
			break
		}
	}
	return some, nil
}

// embedBatch has some memories embedded and sends what comes. What is refused was changed meanwhile: the next round
// sees it.
func (r *remote) embedBatch(
	ctx context.Context, embed engram.Embedder, batch []engram.Unembedded, o engram.ReembedOptions,
) (report engram.ReembedReport, err error) {
	texts := make([]string, len(batch))
	for i, u := range batch {
		texts[i] = u.Content
	}
	vectors, err := embed(ctx, texts)
	if err == nil && len(vectors) != len(texts) {
		err = fmt.Errorf("the embedder gave %d embeddings for %d texts", len(vectors), len(texts))
	}
	if err != nil {
		return report, fmt.Errorf("embed memories %q to %q: %w", batch[0].ID, batch[len(batch)-1].ID, err)
	}
	var lines bytes.Buffer
	for i, u := range batch {
		line, err := json.Marshal(map[string]any{
			"id": u.ID, "version": u.Version, "embedding_b64": wire.EncodeVector(vectors[i]),
		})
		if err != nil {
			return report, fmt.Errorf("encode embedding: %w", err)
		}
		lines.Write(append(line, '\n'))
	}
	return r.Reembed(ctx, &lines, o)
}

// CancelReembedding lets go of the vectors that are being built.
func (r *remote) CancelReembedding(ctx context.Context) error {
	var out wire.Canceled
	return r.call(ctx, http.MethodDelete, r.url("reembed"), nil, &out)
}

// NameEmbeddings says what made the vectors that have no name.
func (r *remote) NameEmbeddings(ctx context.Context, model string) error {
	name := wire.EmbeddingModel{EmbeddingModel: model}
	return r.call(ctx, http.MethodPost, r.url("embedding_model"), name, &name)
}
