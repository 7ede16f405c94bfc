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
	return func(yield func(engram.FeedbackRecord, error) bool) {
		resp, err := r.do(ctx, http.MethodGet, r.url("feedback"), "", nil)
		if err != nil {
			yield(engram.FeedbackRecord{}, err)
			return
		}
		defer resp.Body.Close() //nolint:errcheck // all of it that is wanted was read
		lines := json.NewDecoder(resp.Body)
		for {
			var record engram.FeedbackRecord
			err := lines.Decode(&record)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(record, fmt.Errorf("read the server's judgements: %w", err))
				return
			}
			if !yield(record, nil) {
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
