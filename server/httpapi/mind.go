package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/orchard9/engram-go/server/wire"
)

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

// consolidate is POST …/consolidate.
func (a *API) consolidate(w http.ResponseWriter, q *call) error {
	body, err := a.passes.Decode(q.body)
	if err != nil {
		return err
	}
	options, err := body.Engine()
	if err != nil {
		return err
	}
	report, err := q.space.Consolidate(q.r.Context(), options)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}

// undoConsolidation is POST …/consolidate/undo.
func (a *API) undoConsolidation(w http.ResponseWriter, q *call) error {
	body, err := a.undos.Decode(q.body)
	if err != nil {
		return err
	}
	undone, err := q.space.UndoConsolidation(q.r.Context(), body.ID)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, undone)
}

// predict is POST …/predict.
func (a *API) predict(w http.ResponseWriter, q *call) error {
	body, err := a.before.Decode(q.body)
	if err != nil {
		return err
	}
	prediction, err := q.space.Predict(q.r.Context(), body)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, prediction)
}

// feedback is POST …/feedback.
func (a *API) feedback(w http.ResponseWriter, q *call) error {
	body, err := a.judged.Decode(q.body)
	if err != nil {
		return err
	}
	report, err := q.space.Feedback(q.r.Context(), body)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}

// judgements is GET …/feedback: the record of feedback, a judgement on each line. Those of one write stay together, so
// that the last line's position is where the next page begins.
func (a *API) judgements(w http.ResponseWriter, q *call) error {
	id := q.query["id"]
	limit, err := q.number("limit")
	if err != nil {
		return err
	}
	after, err := q.position("after")
	if err != nil {
		return err
	}
	out := &streamWriter{w: w, kind: mediaLines}
	if q.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	lines := bufio.NewWriter(out)
	told, last := 0, uint64(0)
	for r, err := range q.space.FeedbackLog(q.r.Context()) {
		if err != nil {
			if out.open && lines.Flush() == nil {
				endWith(out, err)
			}
			return err
		}
		if id != "" && r.ID != id || r.Position <= after {
			continue
		}
		if limit > 0 && told >= limit && r.Position != last {
			break
		}
		told, last = told+1, r.Position
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode judgement: %w", err)
		}
		if _, err := lines.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	out.begin() // nobody judged anything
	return nil
}

// sources is GET …/sources.
func (a *API) sources(w http.ResponseWriter, q *call) error {
	known, err := q.space.Sources(q.r.Context())
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Sources{Sources: known})
}

// fit is POST …/fit.
func (a *API) fit(w http.ResponseWriter, q *call) error {
	body, err := a.fits.Decode(q.body)
	if err != nil {
		return err
	}
	report, err := q.space.Fit(q.r.Context(), body)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}
