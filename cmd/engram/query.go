package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orchard9/engram-go/query"
	"github.com/orchard9/engram-go/server/wire"
)

const queryLong = "" +
	"Answer a query of the language that docs/query.md describes. The query is the arguments, joined by blanks,\n" +
	"or standard input. It is understood as a whole or refused with a pointer to what is wrong."

func (a *app) queryCommand() *cobra.Command {
	return &cobra.Command{
		Use: "query TEXT... | -",
		Short: "Answer a query: RECALL, SPREAD, COMPLETE, PREDICT or CONSOLIDATE, " +
			"with WHERE, ASOF, VALID, LIMIT, WITHIN",
		Long: queryLong,
		Example: `  engram query 'RECALL "ferry" WHERE speaker = "Ada" AND NOT tags ANY ("rumour") LIMIT 5'` + "\n" +
			`  engram query 'EXPLAIN RECALL "where does Ada live?" ASOF 2024-03-01'`,
		Args: cobra.ArbitraryArgs,
		RunE: a.command(func(ctx context.Context, args []string) error {
			text, err := a.contentFrom(args)
			if err != nil {
				return err
			}
			q, err := query.Parse(text)
			if bad, ok := errors.AsType[*query.Error](err); ok {
				a.pointAt(bad)
			}
			if err != nil {
				return &usageError{err: err}
			}
			return a.withBackend(ctx, reading, func(b backend) error {
				result, err := ask(ctx, b, q)
				if err != nil {
					return err
				}
				return a.printResult(result)
			})
		}),
	}
}

// ask answers a query where the memories are: conditions do not travel.
func ask(ctx context.Context, b backend, q query.Query) (query.Result, error) {
	if r, ok := b.(*remote); ok {
		return r.Query(ctx, q)
	}
	return q.Run(ctx, b)
}

// Query answers a query.
func (r *remote) Query(ctx context.Context, q query.Query) (query.Result, error) {
	var out wire.Result
	if err := r.call(ctx, http.MethodPost, r.url("query"), wire.Query{Query: q.String()}, &out); err != nil {
		return query.Result{}, err
	}
	return out.Engine()
}

// printResult prints what the verb's own command prints.
func (a *app) printResult(r query.Result) error {
	switch {
	case a.json:
		return a.printJSON(wire.FromResult(r))
	case r.Spreading != nil:
		return a.printSpreading(*r.Spreading)
	case r.Completion != nil:
		return a.printCompletion(*r.Completion)
	case r.Prediction != nil:
		return a.printPrediction(*r.Prediction)
	case r.Consolidation != nil:
		return a.printConsolidation(*r.Consolidation)
	default:
		return a.printAnswer(*r.Answer)
	}
}

// pointAt shows where a query is wrong.
func (a *app) pointAt(bad *query.Error) {
	line, pointer, _ := strings.Cut(bad.Caret(), "\n")
	fmt.Fprintf(a.stderr, "  %s\n  %s\n", printable(line), pointer)
}
