package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const verifyLong = "" +
	"Read every record of the space and check lengths, identities and checksums, and what is kept in memory\n" +
	"against them. Others read and write meanwhile. Damage is exit code 7."

func (a *app) verifyCommand() *cobra.Command {
	var rate int64
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read everything the space holds on disk and check it",
		Long:  verifyLong,
		Args:  cobra.NoArgs,
	}
	cmd.Flags().Int64Var(&rate, "rate", 0, "read at most this many `MiB` a second; 0 is no bound")
	annotate(cmd.Flags(), zeroCounts, "rate")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		if rate < 0 || rate > maxRate {
			return usagef("--rate is %d: use 0 to %d MiB a second", rate, maxRate)
		}
		return a.withBackend(ctx, reading, func(b backend) error {
			report, err := b.VerifyPaced(ctx, engram.VerifyOptions{
				BytesPerSecond: rate << 20, Progress: a.verifyProgress(),
			})
			if err != nil {
				return err
			}
			return a.printVerified(report)
		})
	})
	return cmd
}

// verifyProgress draws how far a verification is, if standard error is a terminal.
func (a *app) verifyProgress() func(engram.VerifyReport) {
	if !a.terminal(a.stderr) {
		return nil
	}
	return func(r engram.VerifyReport) {
		fmt.Fprintf(a.stderr, "\rverified %s, %s  ", sizeText(r.Bytes), counted(len(r.Problems), "problem", "problems"))
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
		if p.File == "" {
			a.notef("%s", printable(p.What))
			continue
		}
		a.notef("%s at byte %d: %s", printable(p.File), p.Offset, printable(p.What))
	}
	if n := len(report.Problems); n > 0 {
		return fmt.Errorf("space %s has %s: %w. Keep a copy of the directory before anything else",
			a.space, counted(n, "problem", "problems"), engram.ErrCorrupt)
	}
	return nil
}
