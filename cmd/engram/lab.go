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

const labLong = "" +
	"Replicate published experiments in a temporary store, with a clock of their own, and print for each what\n" +
	"was published, what a reference model gives, what the engine gives, and whether they match; and the same\n" +
	"run without the mechanism in question, which must fail. With rows, such as F1 or K2, only these. Ends with\n" +
	"exit code 1 if a row is not as documented.\n\n" +
	"Data that is not shipped is read from the folder that the environment names as ENGRAM_DATA."

func (a *app) labCommand() *cobra.Command {
	markdown := false
	cmd := &cobra.Command{
		Use:     "lab [ROW]...",
		Short:   "Replicate published experiments on memory",
		Long:    labLong,
		Example: "  engram lab\n  engram lab S2 S3 S4\n  engram lab --json",
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print one table with a line for each row")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
		for _, name := range []string{"data", "space"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s has no place here: the laboratory has a temporary store", name)
			}
		}
		if markdown && a.json {
			return usagef("give --markdown or --json, not both")
		}
		if err := lab.Known(ids...); err != nil {
			return usagef("%v", err)
		}
		rows, err := lab.Run(ctx, a.getenv(envLabData), ids...)
		if err != nil {
			return err
		}
		if err := a.printLab(rows, markdown); err != nil {
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

// printLab prints the rows and how many there are of which kind: as JSON one a line, and the summary on the last.
func (a *app) printLab(rows []lab.Row, markdown bool) error {
	switch {
	case markdown:
		a.printf("%s", lab.Markdown(rows))
		return nil
	case !a.json:
		a.printf("%s", lab.Table(rows))
		return nil
	}
	for i := range rows {
		if err := a.printJSON(&rows[i]); err != nil {
			return err
		}
	}
	return a.printJSON(map[string]lab.Summary{"summary": lab.Summarize(rows)})
}
