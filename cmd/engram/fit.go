package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) fitCommand() *cobra.Command {
	var o engram.FitOptions
	cmd := &cobra.Command{
		Use:   "fit",
		Short: "Learn from the feedback how memories are forgotten, and what the terms of scores are worth",
		Long: "Learn from the feedback that the space keeps, 1,000 judgements at least. The weights of forgetting are\n" +
			"learnt from the first 80 % and measured on the rest; the space goes by them from then on if they predict\n" +
			"better there. The coefficients of the terms are shown only: scores do not change by them.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only show it")
	cmd.Flags().BoolVar(&o.Remove, "remove", false, "return to the default weights")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		return a.withBackend(ctx, reading, func(b backend) error {
			report, err := b.Fit(ctx, o)
			if err != nil {
				return err
			}
			return a.printFit(o, report)
		})
	})
	return cmd
}

func (a *app) printFit(o engram.FitOptions, r engram.FitReport) error {
	switch {
	case a.json:
		return a.printJSON(r)
	case o.Remove && r.Removed:
		a.printf("removed the fitted weights: the space goes by the default ones\n")
		return nil
	case o.Remove:
		a.printf("there were no fitted weights: the space goes by the default ones\n")
		return nil
	}
	f := r.Forgetting
	a.printf("forgetting: learnt from %d judgements, measured on %d\n", f.Training, f.HeldOut)
	a.printf("  held-out log loss  fitted %s, default %s, in use %s, standard error of the difference to default %s\n",
		shortNumber(f.FittedLoss), shortNumber(f.DefaultLoss), shortNumber(f.CurrentLoss), shortNumber(f.StandardError))
	switch {
	case r.Adopted:
		a.printf("  adopted: the space goes by the fitted weights from now on\n")
	case r.Better:
		a.printf("  better: without --dry-run the space would go by the fitted weights\n")
	default:
		a.printf("  not better held out: nothing was changed\n")
	}
	weights := make([]string, len(f.Weights))
	for i, w := range f.Weights {
		weights[i] = shortNumber(w)
	}
	a.printf("  fitted weights  %s\n", strings.Join(weights, " "))
	a.printFitTerms(r)
	return nil
}

func (a *app) printFitTerms(r engram.FitReport) {
	t := r.Terms
	if t == nil {
		a.printf("%s\n", r.Note)
		return
	}
	a.printf("terms: learnt from %d judgements, measured on %d; shown only, scores do not change by them\n",
		t.Training, t.HeldOut)
	a.printf("  held-out log loss  fitted %s, all coefficients 1 %s\n", shortNumber(t.FittedLoss), shortNumber(t.OnesLoss))
	for _, c := range append([]engram.FitCoefficient{t.Intercept}, t.Coefficients...) {
		a.printf("  %-12s %s ± %s\n", c.Name, shortNumber(c.Value), shortNumber(c.StandardError))
	}
	if len(t.Constant) > 0 {
		a.printf("  the same in all judgements: %s\n", strings.Join(t.Constant, ", "))
	}
}
