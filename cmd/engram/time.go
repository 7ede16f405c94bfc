package main

import (
	"context"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

const heldLong = "" +
	"Tell whether what a memory states was true at a time, as far as is known now or was known at --as-of.\n" +
	"It is unknown if the memory does not say since when it is true and nothing says that it had ended."

func (a *app) heldCommand() *cobra.Command {
	validAt, asOf := timeFlag{zone: a.zone}, timeFlag{zone: a.zone}
	cmd := &cobra.Command{
		Use:   "held ID --valid-at TIME [--as-of TIME]",
		Short: "Tell whether what a memory states was true at a time: yes, no or unknown",
		Long:  heldLong,
		Args:  cobra.ExactArgs(1),
	}
	cmd.Flags().Var(&validAt, "valid-at", "the time that is asked about")
	cmd.Flags().Var(&asOf, "as-of", "go by what was known then")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		return a.withBackend(ctx, reading, func(b backend) error {
			held, err := b.Held(ctx, args[0], validAt.time, asOf.time)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(wire.Held{Held: held})
			}
			a.printf("%s\n", held)
			return nil
		})
	})
	return cmd
}

const contradictionsLong = "" +
	"List the pairs of memories that contradict each other, all or those of one memory. A pair is settled when\n" +
	"one side was replaced or archived."

func (a *app) contradictionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "contradictions [ID]",
		Short: "List the memories that cannot both be true",
		Long:  contradictionsLong,
		Args:  cobra.MaximumNArgs(1),
		RunE: a.command(func(ctx context.Context, args []string) error {
			id := ""
			if len(args) > 0 {
				if id = args[0]; id == "" {
					return usagef("the id is empty: give an id, or none for all")
				}
			}
			return a.withBackend(ctx, reading, func(b backend) error {
				pairs, err := b.Contradictions(ctx, id)
				if err != nil {
					return err
				}
				return a.printContradictions(pairs)
			})
		}),
	}
}

func (a *app) printContradictions(pairs []engram.Contradiction) error {
	if a.json {
		return a.printJSON(wire.Contradictions{Contradictions: pairs})
	}
	if len(pairs) == 0 {
		a.printf("No contradiction is known.\n")
	}
	for _, p := range pairs {
		state := "settled"
		if p.Open {
			state = "open"
		}
		a.printf("%s <> %s (%s, %s)\n", printable(p.A), printable(p.B), shortNumber(p.Weight), state)
	}
	return nil
}
