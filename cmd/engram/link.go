package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

// linked is what link answers.
type linked struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Removed bool   `json:"removed"`
}

func (a *app) linkCommand() *cobra.Command {
	var link engram.Link
	var weight float64
	var remove bool
	cmd := &cobra.Command{
		Use:   "link FROM TO",
		Short: "Associate two memories, change the weight of their association, or remove it",
		Args:  cobra.ExactArgs(2),
	}
	set := cmd.Flags()
	set.StringVar(&link.Type, "type", "", "the `kind` of association (the engine's default: relates_to)")
	set.Float64Var(&weight, "weight", 0, "its strength, a `number` from 0 to 1 (the engine's default: 0.8)")
	set.BoolVar(&remove, "remove", false, "remove the association")
	cmd.MarkFlagsMutuallyExclusive("weight", "remove")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		if set.Changed("weight") {
			link.Weight = &weight
		}
		answer := linked{From: args[0], To: args[1], Removed: remove}
		link.To = answer.To
		return a.withBackend(ctx, reading, func(b backend) error {
			if remove {
				return a.unlink(ctx, b, answer, link.Type)
			}
			if err := b.Link(ctx, answer.From, link); err != nil {
				return err
			}
			return a.printLinked("linked", answer)
		})
	})
	return cmd
}

// unlink removes an association; one that does not exist is an error.
func (a *app) unlink(ctx context.Context, b backend, l linked, linkType string) error {
	removed, err := b.Unlink(ctx, l.From, l.To, linkType)
	if err != nil {
		return err
	}
	if !removed {
		return fmt.Errorf("association from %q to %q: %w. 'engram get %s' shows those that exist",
			l.From, l.To, engram.ErrNotFound, l.From)
	}
	return a.printLinked("unlinked", l)
}

// printLinked prints what was done.
func (a *app) printLinked(verb string, l linked) error {
	if a.json {
		return a.printJSON(l)
	}
	a.printf("%s %s -> %s\n", verb, printable(l.From), printable(l.To))
	return nil
}
