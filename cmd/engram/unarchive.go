package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) unarchiveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unarchive ID",
		Short: "Bring an archived memory back",
		Args:  cobra.ExactArgs(1),
		RunE: a.command(func(ctx context.Context, args []string) error {
			return a.withBackend(ctx, reading, func(b backend) error {
				outcome, err := b.Restore(ctx, args[0])
				if err != nil {
					return err
				}
				return a.printOutcome(outcome)
			})
		}),
	}
}
