package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const consolidateLong = "" +
	"Find memories that say the same thing three times or more, write one concept for each such group that\n" +
	"cites its members, and archive these. 'engram get ID' of the concept shows them; --undo ID takes it\n" +
	"apart, and everything is as it was. --dry-run shows what would be done."

func (a *app) consolidateCommand() *cobra.Command {
	var o engram.ConsolidateOptions
	var undo string
	cmd := &cobra.Command{
		Use:   "consolidate",
		Short: "Let one memory stand for several that say the same, or undo that",
		Long:  consolidateLong,
		Args:  cobra.NoArgs,
	}
	set := cmd.Flags()
	set.BoolVar(&o.DryRun, "dry-run", false, "show what would be consolidated, and change nothing")
	set.StringVar(&undo, "undo", "", "take the concept with this `id` apart")
	set.IntVar(&o.MaxMemories, "max-memories", 0,
		"how `many` memories are compared, the newest (the engine's default: 20000)")
	set.DurationVar(&o.MaxTime, "max-time", 0, "write nothing more after this `duration`; 0 is no limit")
	annotate(set, zeroCounts, "max-time")
	set.StringArrayVar(&o.Kinds, "kind", nil,
		"only memories of this `kind`; repeatable (the engine's default: all but event and task)")
	set.BoolVar(&o.Undone, "undone", false, "also what --undo took apart")
	for _, other := range []string{"dry-run", "max-memories", "max-time", "kind", "undone"} {
		cmd.MarkFlagsMutuallyExclusive("undo", other)
	}
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		return a.withBackend(ctx, reading, func(b backend) error {
			if set.Changed("undo") {
				undone, err := b.UndoConsolidation(ctx, undo)
				if err != nil {
					return err
				}
				return a.printUndone(undone)
			}
			report, err := b.Consolidate(ctx, o)
			if err != nil {
				return err
			}
			return a.printConsolidation(report)
		})
	})
	return cmd
}

// printConsolidation prints what a pass did.
func (a *app) printConsolidation(c engram.Consolidation) error {
	if a.json {
		return a.printJSON(c)
	}
	a.printf("%s\n", c)
	for _, concept := range c.Concepts {
		what := "new"
		switch {
		case concept.Joined:
			what = concept.ID + ", which was there"
		case concept.ID != "":
			what = concept.ID
		}
		a.printf("%s  %s\n   from %s\n", printable(what), indented(concept.Content, "   "),
			printable(strings.Join(concept.Members, " ")))
	}
	if c.Left > 0 {
		a.printf("%s not looked at: see --max-memories\n", counted(c.Left, "older memory was", "older memories were"))
	}
	if c.Pending > 0 {
		a.printf("%s left for the next pass: the time was up\n", counted(c.Pending, "group was", "groups were"))
	}
	for _, problem := range c.Problems {
		a.printf("Left alone: %s\n", printable(problem))
	}
	return nil
}

// printUndone prints what is active again.
func (a *app) printUndone(u engram.Undone) error {
	if a.json {
		return a.printJSON(u)
	}
	a.printf("took %s apart: %s active again\n", printable(u.ID), counted(len(u.Restored), "memory is", "memories are"))
	for _, id := range u.Restored {
		a.printf("   %s\n", printable(id))
	}
	return nil
}
