package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/orchard9/engram-go/internal/lab"
)

// envLabData names the folder with data of the laboratory that is not shipped.
const envLabData = "ENGRAM_DATA"

func (a *app) labCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Replicate published experiments on memory",
		Long: "Replicate published experiments in a temporary store, with a clock of their own, and print for each what\n" +
			"was published, what a reference model gives, what the engine gives, and whether they match; and the same\n" +
			"run without the mechanism in question, which must fail. Ends with exit code 1 if a row is not as documented.\n\n" +
			"Data that is not shipped is read from the folder that the environment names as ENGRAM_DATA.",
		Args: cobra.NoArgs,
	}
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		for _, name := range []string{"data", "space"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s has no place here: the laboratory has a temporary store", name)
			}
		}
		rows, err := lab.Run(ctx, a.getenv(envLabData))
		if err != nil {
			return err
		}
		if err := a.printLab(rows); err != nil {
			return err
		}
		var failed []string
		for i := range rows {
			if !rows[i].OK() {
				failed = append(failed, rows[i].ID)
			}
		}
		if len(failed) > 0 {
			return fmt.Errorf("replicate experiments: not as documented: %s", strings.Join(failed, ", "))
		}
		return nil
	})
	return cmd
}

// printLab prints the rows: as JSON one a line.
func (a *app) printLab(rows []lab.Row) error {
	if !a.json {
		a.printf("%s", lab.Table(rows))
		return nil
	}
	for i := range rows {
		if err := a.printJSON(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}
