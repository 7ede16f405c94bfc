package httpapi

import (
	"net/http"
	"strconv"

	"github.com/orchard9/engram-go/server/wire"
)

// getAt is GET …/memories/{id} with as_of.
func (a *API) getAt(w http.ResponseWriter, q *call, vectors bool) error {
	if include, given := q.query["include"]; given {
		return refuse("include", strconv.Quote(include),
			"must be left out with as_of: history has all versions with their "+
				"times, links and neighbors have none")
	}
	asOf, err := q.time("as_of")
	if err != nil {
		return err
	}
	m, err := q.space.GetAt(q.r.Context(), q.r.PathValue("id"), asOf)
	if err != nil {
		return err
	}
	if !vectors {
		m.Embedding = nil
	}
	return send(w, http.StatusOK, wire.Memory{Memory: m})
}

// held is GET …/memories/{id}/held.
func (a *API) heldAt(w http.ResponseWriter, q *call) error {
	validAt, err := q.time("valid_at")
	if err != nil {
		return err
	}
	asOf, err := q.time("as_of")
	if err != nil {
		return err
	}
	held, err := q.space.Held(q.r.Context(), q.r.PathValue("id"), validAt, asOf)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Held{Held: held})
}

// contradictions is GET …/contradictions.
func (a *API) contradictions(w http.ResponseWriter, q *call) error {
	if id, given := q.query["id"]; given && id == "" {
		return refuse("id", "empty", "must be an id, or be left out for all")
	}
	all, err := q.space.Contradictions(q.r.Context(), q.query["id"])
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Contradictions{Contradictions: list(all)})
}
