package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) forgetCommand() *cobra.Command {
	var r engram.ForgetRequest
	var mode string
	before := timeFlag{zone: a.zone}
	cmd := &cobra.Command{
		Use:   "forget [ID...]",
		Short: "Archive memories (restorable) or erase them",
		Long: "Forget memories by id, or all that match every one of --tag and --before.\n" +
			"Archived memories are no longer recalled, can still be read, and come back with 'engram unarchive'.\n" +
			"--mode erase removes them for good. --dry-run counts and changes nothing.",
		Args: cobra.ArbitraryArgs,
	}
	set := cmd.Flags()
	set.StringArrayVar(&r.Tags, "tag", nil, "those with this `label`; repeatable: all of them")
	set.Var(&before, "before", "those that happened before this time")
	set.StringVar(&mode, "mode", "", "`archive` (the engine's default) or erase")
	set.BoolVar(&r.DryRun, "dry-run", false, "count, and change nothing")
	set.StringVar(&r.Reason, "reason", "", "`why`")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
		r.IDs, r.Before, r.Mode = ids, before.time, engram.ForgetMode(mode)
		return a.withBackend(ctx, reading, func(b backend) error {
			report, err := b.Forget(ctx, r)
			if err != nil {
				return err
			}
			return a.printForgotten(report, r.DryRun)
		})
	})
	return cmd
}

// printForgotten prints what was forgotten, and returns an error if an id was not known.
func (a *app) printForgotten(report engram.ForgetReport, dryRun bool) error {
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printf("%s matched: %d archived, %d erased", counted(report.Matched, "memory", "memories"),
			report.Archived, report.Erased)
		if dryRun {
			a.printf(" (dry run: nothing was changed)")
		}
		a.printf("\n")
	}
	for _, id := range report.Missing {
		a.notef("memory %q does not exist in space %s", id, a.space)
	}
	if len(report.Damaged) > 0 {
		for _, what := range report.Damaged {
			a.notef("whether it is meant is not known: %s", what)
		}
		return fmt.Errorf("%s or more could not be read, and are as they were: %w",
			counted(len(report.Damaged), "memory", "memories"), engram.ErrCorrupt)
	}
	if n := len(report.Missing); n > 0 {
		return fmt.Errorf("%s: %w", counted(n, "memory", "memories"), engram.ErrNotFound)
	}
	return nil
}
