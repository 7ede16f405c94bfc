package wire

import (
	"fmt"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/query"
)

// Query is the body of a query.
type Query struct {
	Query string `json:"query"`
}

// Result answers a query: one of the pointers is set, that of its verb.
type Result struct {
	// Query is the query in its canonical form.
	Query       string                `json:"query"`
	Recall      *Answer               `json:"recall,omitempty"`
	Spread      *engram.Spreading     `json:"spread,omitempty"`
	Complete    *engram.Completion    `json:"complete,omitempty"`
	Predict     *engram.Prediction    `json:"predict,omitempty"`
	Consolidate *engram.Consolidation `json:"consolidate,omitempty"`
}

// FromResult returns r as the wire has it. The two share what they point to.
func FromResult(r query.Result) Result {
	out := Result{
		Query: r.Query.String(), Spread: r.Spreading, Complete: r.Completion, Predict: r.Prediction,
		Consolidate: r.Consolidation,
	}
	if r.Answer != nil {
		answer := FromAnswer(*r.Answer)
		out.Recall = &answer
	}
	return out
}

// Engine returns the result as package query gives it, for clients.
func (r Result) Engine() (query.Result, error) {
	q, err := query.Parse(r.Query)
	if err != nil {
		return query.Result{}, fmt.Errorf("read the answer's query: %w", err)
	}
	out := query.Result{
		Query: q, Spreading: r.Spread, Completion: r.Complete, Prediction: r.Predict, Consolidation: r.Consolidate,
	}
	if r.Recall != nil {
		answer := r.Recall.Engine()
		out.Answer = &answer
	}
	return out, nil
}
