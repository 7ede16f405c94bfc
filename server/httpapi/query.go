package httpapi

import (
	"errors"
	"net/http"

	"github.com/orchard9/engram-go/query"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// query is POST …/query.
func (a *API) query(w http.ResponseWriter, q *call) error {
	body, err := a.queries.Decode(q.body)
	if err != nil {
		return err
	}
	result, err := query.Run(q.r.Context(), q.space, body.Query)
	if bad, ok := errors.AsType[*query.Error](err); ok {
		p := problem.New(problem.CodeInvalid, bad.Error())
		p.Field, p.Value = "query", bad.Query[bad.Offset:min(len(bad.Query), bad.Offset+bad.Length)]
		return p
	}
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.FromResult(result))
}
