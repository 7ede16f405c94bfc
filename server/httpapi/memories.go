package httpapi

import (
	"net/http"
	"slices"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// remember is POST …/memories.
func (a *API) remember(w http.ResponseWriter, q *call) error {
	body, err := a.drafts.Decode(q.body)
	if err != nil {
		return err
	}
	draft, err := body.Engine()
	if err != nil {
		return err
	}
	outcome, err := q.space.Remember(q.r.Context(), draft)
	if err != nil {
		return err
	}
	return send(w, statusOf(outcome), outcome)
}

// rememberBatch is POST …/memories:batch.
func (a *API) rememberBatch(w http.ResponseWriter, q *call) error {
	body, err := a.batches.Decode(q.body)
	if err != nil {
		return err
	}
	drafts, err := body.Engine()
	if err != nil {
		return err
	}
	outcomes, err := q.space.RememberBatch(q.r.Context(), drafts)
	if err != nil {
		return err
	}
	return send(w, statusOf(outcomes...), wire.Outcomes{Outcomes: list(outcomes)})
}

// statusOf is 201 if a memory was made, 200 if all were known.
func statusOf(outcomes ...engram.Outcome) int {
	for _, o := range outcomes {
		if o.Result != engram.Reinforced {
			return http.StatusCreated
		}
	}
	return http.StatusOK
}

// list is GET …/memories.
func (a *API) list(w http.ResponseWriter, q *call) error {
	limit, err := q.number("limit")
	if err != nil {
		return err
	}
	vectors, err := q.flag("vectors")
	if err != nil {
		return err
	}
	page, err := q.space.List(q.r.Context(), q.query["cursor"], limit)
	if err != nil {
		return err
	}
	page.Memories = list(page.Memories)
	if !vectors {
		dropVectors(page.Memories)
	}
	return send(w, http.StatusOK, page)
}

// get is GET …/memories/{id}.
func (a *API) get(w http.ResponseWriter, q *call) error {
	include, err := q.words("include", "history", "links", "neighbors")
	if err != nil {
		return err
	}
	vectors, err := q.flag("vectors")
	if err != nil {
		return err
	}
	ctx, id := q.r.Context(), q.r.PathValue("id")
	var out wire.Memory
	if _, past := q.query["as_of"]; past {
		return a.getAt(w, q, vectors)
	}
	if out.Memory, err = q.space.Get(ctx, id); err != nil {
		return err
	}
	if slices.Contains(include, "history") {
		if out.History, err = q.space.History(ctx, id); err != nil {
			return err
		}
	}
	if slices.Contains(include, "neighbors") {
		if out.Neighbors, err = q.space.Neighbors(ctx, id); err != nil {
			return err
		}
	}
	if !slices.Contains(include, "links") {
		out.Links = nil
	}
	if !vectors {
		out.Embedding = nil
		dropVectors(out.History)
	}
	return send(w, http.StatusOK, out)
}

// dropVectors leaves the vectors out of an answer.
func dropVectors(memories []engram.Memory) {
	for i := range memories {
		memories[i].Embedding = nil
	}
}

// update is PATCH …/memories/{id}.
func (a *API) update(w http.ResponseWriter, q *call) error {
	body, err := a.changes.Decode(q.body)
	if err != nil {
		return err
	}
	change, err := body.Engine()
	if err != nil {
		return err
	}
	outcome, err := q.space.Update(q.r.Context(), q.r.PathValue("id"), change)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, outcome)
}

// remove is DELETE …/memories/{id}.
func (a *API) remove(w http.ResponseWriter, q *call) error {
	id := q.r.PathValue("id")
	report, err := q.space.Forget(q.r.Context(), engram.ForgetRequest{
		IDs: []string{id}, Mode: engram.ForgetMode(q.query["mode"]), Reason: q.query["reason"],
	})
	if err != nil {
		return err
	}
	if len(report.Missing) > 0 {
		return problem.New(problem.CodeNotFound, "there is no memory "+id+" in space "+q.space.Name())
	}
	return send(w, http.StatusOK, report)
}

// restore is POST …/memories/{id}/restore.
func (a *API) restore(w http.ResponseWriter, q *call) error {
	outcome, err := q.space.Restore(q.r.Context(), q.r.PathValue("id"))
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, outcome)
}

// recall is POST …/recall.
func (a *API) recall(w http.ResponseWriter, q *call) error {
	body, err := a.cues.Decode(q.body)
	if err != nil {
		return err
	}
	cue, err := body.Engine()
	if err != nil {
		return err
	}
	found, err := q.space.Recall(q.r.Context(), cue)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.FromAnswer(found))
}

// forget is POST …/forget.
func (a *API) forget(w http.ResponseWriter, q *call) error {
	request, err := a.forgets.Decode(q.body)
	if err != nil {
		return err
	}
	report, err := q.space.Forget(q.r.Context(), request)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}

// link is POST …/links.
func (a *API) link(w http.ResponseWriter, q *call) error {
	body, err := a.links.Decode(q.body)
	if err != nil {
		return err
	}
	if err := q.space.Link(q.r.Context(), body.From, body.Link); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// unlink is DELETE …/links.
func (a *API) unlink(w http.ResponseWriter, q *call) error {
	removed, err := q.space.Unlink(q.r.Context(), q.query["from"], q.query["to"], q.query["type"])
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Unlinked{Removed: removed})
}
