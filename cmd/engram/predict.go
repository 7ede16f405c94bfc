package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) predictCommand() *cobra.Command {
	var p engram.Precedent
	asOf := timeFlag{zone: a.zone}
	cmd := &cobra.Command{
		Use:   "predict ID...",
		Short: "Tell what usually came next after memories",
		Long: "Count what came next in the sessions in which the memories, or others that say the same, stand. Each\n" +
			"successor has how often it came, its share, and the least that share may be at 95 % certainty.",
		Args: cobra.MinimumNArgs(1),
	}
	set := cmd.Flags()
	set.IntVar(&p.Steps, "steps", 0, "how `many` memories ahead to look in a session (the engine's default: 1)")
	set.IntVar(&p.Limit, "limit", 0, "how many `successors` at most (the engine's default: 10)")
	set.Var(&asOf, "as-of", "count in what was known then")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
		p.IDs, p.AsOf = ids, asOf.time
		return a.withBackend(ctx, reading, func(b backend) error {
			prediction, err := b.Predict(ctx, p)
			if err != nil {
				return err
			}
			return a.printPrediction(prediction)
		})
	})
	return cmd
}

// maxNamed is how many of a successor's ids a person is shown; --json has all.
const maxNamed = 5

// printPrediction prints what came next.
func (a *app) printPrediction(p engram.Prediction) error {
	if a.json {
		return a.printJSON(p)
	}
	a.printDamaged(p.Damaged)
	a.printf("said %s in sessions, followed by something %s\n", counted(p.Occurrences, "time", "times"),
		counted(p.Followed, "time", "times"))
	for i, s := range p.Successors {
		ids := strings.Join(s.IDs[:min(len(s.IDs), maxNamed)], " ")
		if len(s.IDs) > maxNamed {
			ids += " …"
		}
		a.printf("%d. %d of %d (%s, at least %s)  %s\n   %s\n", i+1, s.Count, p.Followed, shortNumber(s.Share),
			shortNumber(s.AtLeast), indented(s.Content, "   "), printable(ids))
	}
	return nil
}
