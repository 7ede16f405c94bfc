package httpapi

import "net/http"

// spread is POST …/spread.
func (a *API) spread(w http.ResponseWriter, q *call) error {
	request, err := a.spreads.Decode(q.body)
	if err != nil {
		return err
	}
	found, err := q.space.Spread(q.r.Context(), request)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, found)
}
