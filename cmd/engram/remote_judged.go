package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

// FeedbackLog goes through the judgements that the space keeps. An answer that was cut off is an error.
func (r *remote) FeedbackLog(ctx context.Context) iter.Seq2[engram.FeedbackRecord, error] {
	return streamed[engram.FeedbackRecord](ctx, r, "feedback", "judgements")
}

// streamed goes through the lines of an answer to GET, each of which is a T. One that ends with why it is not whole, or
// was cut off, is an error.
func streamed[T any](ctx context.Context, r *remote, path, what string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		resp, err := r.do(ctx, http.MethodGet, r.url(path), "", nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer resp.Body.Close() //nolint:errcheck // all of it that is wanted was read
		lines := json.NewDecoder(resp.Body)
		for {
			var (
				text json.RawMessage
				end  wire.LastLine
				line T
			)
			err := lines.Decode(&text)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = errors.Join(json.Unmarshal(text, &end), json.Unmarshal(text, &line))
			}
			if err != nil {
				err = fmt.Errorf("read the server's %s: %w", what, err)
			} else if end.Problem != nil {
				err = end.Problem
			}
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

// Sources lists how reliable sources are known to be.
func (r *remote) Sources(ctx context.Context) ([]engram.SourceRecord, error) {
	var out wire.Sources
	err := r.call(ctx, http.MethodGet, r.url("sources"), nil, &out)
	return out.Sources, err
}
