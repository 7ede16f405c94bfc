package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const fitLong = "" +
	"Learn from the feedback that the space keeps, 1,000 judgements at least. The weights of forgetting are\n" +
	"learnt from the first 80 % and measured on the rest; the space goes by them from then on if they predict\n" +
	"better there. So are coefficients of the terms: scores multiply by them if they predict better than none."

func (a *app) fitCommand() *cobra.Command {
	var o engram.FitOptions
	cmd := &cobra.Command{
		Use:   "fit",
		Short: "Learn from the feedback how memories are forgotten, and what the terms of scores are worth",
		Long:  fitLong,
		Args:  cobra.NoArgs,
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only show it")
	cmd.Flags().BoolVar(&o.Remove, "remove", false, "return to the default weights, and to scores without coefficients")
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
		a.printf("removed what was fitted: the space goes by the default weights and no coefficients\n")
		return nil
	case o.Remove:
		a.printf("there was nothing fitted: the space goes by the default weights and no coefficients\n")
		return nil
	}
	a.printFitForgetting(r)
	a.printFitTerms(r)
	if r.Note != "" {
		a.printf("%s\n", r.Note)
	}
	return nil
}

func (a *app) printFitForgetting(r engram.FitReport) {
	f := r.Forgetting
	if f == nil {
		return
	}
	a.printf("forgetting: learnt from %d judgements, measured on %d\n", f.Training, f.HeldOut)
	a.printf("  held-out log loss  fitted %s, default %s, in use %s, standard error of the difference to default %s\n",
		shortNumber(f.FittedLoss), shortNumber(f.DefaultLoss), shortNumber(f.CurrentLoss), shortNumber(f.StandardError))
	a.printAdopted(r.Better, r.Adopted, "the space would go by the fitted weights",
		"the space goes by the fitted weights")
	weights := make([]string, len(f.Weights))
	for i, w := range f.Weights {
		weights[i] = shortNumber(w)
	}
	a.printf("  fitted weights  %s\n", strings.Join(weights, " "))
}

// printAdopted says what became of what was learnt.
func (a *app) printAdopted(better, adopted bool, would, does string) {
	switch {
	case adopted:
		a.printf("  adopted: %s from now on\n", does)
	case better:
		a.printf("  better: without --dry-run %s\n", would)
	default:
		a.printf("  not better held out: nothing was changed\n")
	}
}

func (a *app) printFitTerms(r engram.FitReport) {
	t := r.Terms
	if t == nil {
		return
	}
	a.printf("terms: learnt from %d judgements, measured on %d\n", t.Training, t.HeldOut)
	a.printf("  held-out log loss  to apply %s, all coefficients 1 %s, in use %s, standard error of the difference "+
		"to 1 %s; unbounded %s\n", shortNumber(t.AppliedLoss), shortNumber(t.OnesLoss), shortNumber(t.CurrentLoss),
		shortNumber(t.StandardError), shortNumber(t.FittedLoss))
	a.printAdopted(t.Better, t.Adopted, "scores would go by the coefficients", "scores go by the coefficients")
	for _, c := range append([]engram.FitCoefficient{t.Intercept}, t.Coefficients...) {
		applied := ""
		if c.Applied != 0 {
			applied = ", to apply " + shortNumber(c.Applied)
		}
		a.printf("  %-12s %s ± %s%s\n", c.Name, shortNumber(c.Value), shortNumber(c.StandardError), applied)
	}
	if len(t.Constant) > 0 {
		a.printf("  the same in all judgements: %s\n", strings.Join(t.Constant, ", "))
	}
}
