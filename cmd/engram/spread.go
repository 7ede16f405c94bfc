package main

import (
	"context"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) spreadCommand() *cobra.Command {
	var r engram.SpreadRequest
	var from, to, validAt, asOf timeFlag
	for _, t := range []*timeFlag{&from, &to, &validAt, &asOf} {
		t.zone = a.zone
	}
	cmd := &cobra.Command{
		Use:   "spread ID...",
		Short: "Show what memories bring to mind",
		Long: "Let activation spread from memories over associations and to neighbours in sessions, and show the\n" +
			"most active others with the way there. The flags but --type and --limit filter what is shown.",
		Example: "  engram spread 01a20df0-9b05-7000-864d-318f46a39d84 --type causes --type session",
		Args:    cobra.MinimumNArgs(1),
	}
	set := cmd.Flags()
	set.StringArrayVar(&r.Types, "type", nil,
		"go over associations of this `type` only, \"session\" for neighbours in\n"+
			"sessions; repeatable")
	set.IntVar(&r.Limit, "limit", 0, "how many `memories` at most (the engine's default: 10)")
	set.StringArrayVar(&r.Kinds, "kind", nil, "only this `kind`; repeatable: one of them")
	set.StringArrayVar(&r.Tags, "tag", nil, "only with this `label`; repeatable: all of them")
	set.StringArrayVar(&r.TagsAny, "tag-any", nil, "only with this `label`; repeatable: one of them")
	set.StringArrayVar(&r.TagsNone, "tag-none", nil, "only without this `label`; repeatable")
	set.StringVar(&r.Speaker, "speaker", "", "only what this `person` said")
	set.StringVar(&r.Session, "session", "", "only of this `session`")
	set.Var(&from, "from", "only what happened at this time or later")
	set.Var(&to, "to", "only what happened before this time")
	set.Var(&validAt, "valid-at", "only what was true then, replaced memories included")
	set.Var(&asOf, "as-of", "along sessions as they were known then; associations have no dates, and take no part")
	set.Float64Var(&r.MinConfidence, "min-confidence", 0,
		"only what is believed at least so far, a `number` from 0 to 1")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		r.IDs, r.From, r.To, r.ValidAt, r.AsOf = args, from.time, to.time, validAt.time, asOf.time
		return a.withBackend(ctx, reading, func(b backend) error {
			found, err := b.Spread(ctx, r)
			if err != nil {
				return err
			}
			return a.printSpreading(found)
		})
	})
	return cmd
}

// printSpreading prints memories, the most active first, each with the way to it.
func (a *app) printSpreading(found engram.Spreading) error {
	if a.json {
		return a.printJSON(found)
	}
	a.printDamaged(found.Damaged)
	if len(found.Memories) == 0 {
		a.printf("Nothing is associated with it that passes the filters.\n")
	}
	for i, m := range found.Memories {
		a.printf("%d. %.4f  %s  %s  %s\n", i+1, m.Pi, whenText(m.OccurredAt), printable(m.ID), attributes(m.Memory))
		a.printf("  ")
		for _, s := range m.Path {
			if s.Type != "" {
				a.printf(" %s %s %s", mark(s.Incoming, "<"), printable(s.Type), mark(!s.Incoming, ">"))
			}
			a.printf(" %s", printable(s.ID))
		}
		a.printf("\n   %s\n", printable(m.Content))
	}
	if found.Truncated {
		a.printf("There are too many associations to follow all of them.\n")
	}
	return nil
}
