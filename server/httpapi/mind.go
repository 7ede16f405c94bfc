package httpapi

import "net/http"

// complete is POST …/complete.
func (a *API) complete(w http.ResponseWriter, q *call) error {
	body, err := a.partial.Decode(q.body)
	if err != nil {
		return err
	}
	partial, err := body.Engine()
	if err != nil {
		return err
	}
	completion, err := q.space.Complete(q.r.Context(), partial)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, completion)
}
