package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// reembed is POST …/reembed.
func (a *API) reembed(w http.ResponseWriter, q *call) error {
	o := engram.ReembedOptions{Model: q.query["embedding_model"]}
	var err error
	if o.Dim, err = q.number("dim"); err != nil {
		return err
	}
	if o.Partial, err = q.flag("partial"); err != nil {
		return err
	}
	if o.AllowMissing, err = q.flag("allow_missing"); err != nil {
		return err
	}
	report, err := q.space.Reembed(q.r.Context(), q.stream, o)
	if err != nil {
		p := *problem.From(err)
		p.Reembed = &report
		return &importError{problem: &p, err: err}
	}
	return send(w, http.StatusOK, report)
}

// unembedded is GET …/reembed.
func (a *API) unembedded(w http.ResponseWriter, q *call) error {
	out := &streamWriter{w: w, kind: mediaLines}
	if q.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	for u, err := range q.space.Unembedded(q.r.Context()) {
		var line []byte
		if err == nil {
			line, err = json.Marshal(u)
		}
		if err == nil {
			_, err = out.Write(append(line, '\n'))
		}
		if err != nil {
			if out.open {
				endWith(out, err)
			}
			return fmt.Errorf("list what has no new embedding: %w", err)
		}
	}
	out.begin()
	return nil
}

// cancelReembedding is DELETE …/reembed.
func (a *API) cancelReembedding(w http.ResponseWriter, q *call) error {
	if err := q.space.CancelReembedding(q.r.Context()); err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Canceled{Canceled: true})
}

// nameEmbeddings is POST …/embedding_model.
func (a *API) nameEmbeddings(w http.ResponseWriter, q *call) error {
	name, err := a.names.Decode(q.body)
	if err != nil {
		return err
	}
	if err := q.space.NameEmbeddings(q.r.Context(), name.EmbeddingModel); err != nil {
		return err
	}
	return send(w, http.StatusOK, name)
}
