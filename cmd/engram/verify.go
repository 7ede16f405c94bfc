package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read everything the space holds on disk and check it",
		Long:  "Read every record of the space and check lengths, identities and checksums. Damage is exit code 7.",
		Args:  cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			return a.withBackend(ctx, reading, func(b backend) error {
				report, err := b.Verify(ctx)
				if err != nil {
					return err
				}
				return a.printVerified(report)
			})
		}),
	}
}

// printVerified prints what was found; problems are an error.
func (a *app) printVerified(report engram.VerifyReport) error {
	if a.json {
		if report.Problems == nil {
			report.Problems = []engram.Problem{} // a list in JSON, never null
		}
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printf("%s, %s, %s read: %s\n", counted(report.Files, "file", "files"),
			counted(report.Records, "record", "records"), sizeText(report.Bytes),
			counted(len(report.Problems), "problem", "problems"))
	}
	for _, p := range report.Problems {
		a.notef("%s at byte %d: %s", printable(p.File), p.Offset, printable(p.What))
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("space %s has %s: %w. Keep a copy of the directory before anything else",
			a.space, counted(n, "problem", "problems"), engram.ErrCorrupt)
	}
	return nil
}
