package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const compactLong = "" +
	"Write the segments of the space anew, without what was erased, and begin the log anew: afterwards no file\n" +
	"holds a byte of it. Small segments are put together. Others read and write meanwhile. Damaged segments\n" +
	"are left as they are, which is exit code 7.\n\n" +
	"Segments are warm or cold: what recall has not needed for long is packed into less space. Answers are the\n" +
	"same; reading takes some microseconds more. This happens by itself; with --cold-after or --tier it happens now."

func (a *app) compactCommand() *cobra.Command {
	var rate int64
	var o engram.CompactOptions
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Take what erased memories left out of every file",
		Long:  compactLong,
		Args:  cobra.NoArgs,
	}
	cmd.Flags().Int64Var(&rate, "rate", 0, "read and write at most this many `MiB` a second; 0 is no bound")
	cmd.Flags().DurationVar(&o.ColdAfter, "cold-after", 0,
		"make segments cold that recall has not needed for this `duration`, such as 720h, and those warm that it has; "+
			"at least 24h")
	cmd.Flags().StringVar((*string)(&o.Tier), "tier", "", "move every segment to this `tier`: warm or cold")
	annotate(cmd.Flags(), zeroCounts, "rate")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		if rate < 0 || rate > maxRate {
			return usagef("--rate is %d: use 0 to %d MiB a second", rate, maxRate)
		}
		return a.withBackend(ctx, reading, func(b backend) error {
			o.BytesPerSecond, o.Progress = rate<<20, a.compactProgress()
			report, err := b.Compact(ctx, o)
			if err != nil {
				return err
			}
			return a.printCompacted(report)
		})
	})
	return cmd
}

// compactProgress draws how far a compaction is, if standard error is a terminal.
func (a *app) compactProgress() func(engram.CompactReport) {
	if !a.terminal(a.stderr) {
		return nil
	}
	return func(r engram.CompactReport) {
		fmt.Fprintf(a.stderr, "\rcompacted %s, %s  ", counted(r.Sources, "segment", "segments"),
			sizeText(r.BytesBefore))
	}
}

// printCompacted prints what was done; damaged segments are an error.
func (a *app) printCompacted(report engram.CompactReport) error {
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.printf("%s of %s became %s of %s; %s gone\n",
			counted(report.Sources, "segment", "segments"), sizeText(report.BytesBefore),
			counted(report.Written, "segment", "segments"), sizeText(report.BytesAfter),
			counted(report.Dropped, "erased version is", "erased versions are"))
		if report.Cooled+report.Warmed > 0 {
			a.printf("%s cold, %d warm again\n",
				counted(report.Cooled, "segment became", "segments became"), report.Warmed)
		}
	}
	for _, p := range report.Left {
		a.notef("left as it is: %s at byte %d: %s", printable(p.File), p.Offset, printable(p.What))
	}
	if k := report.KeptAside; k != nil {
		a.notef("%s from before an upgrade are kept aside, and what was erased since is still in them: "+
			"`engram upgrade --finish` removes them", sizeText(k.Bytes))
	}
	if n := len(report.Left); n > 0 {
		return fmt.Errorf("space %s has %s that could not be compacted, what was erased may still be in them: %w",
			a.space, counted(n, "damaged segment", "damaged segments"), engram.ErrCorrupt)
	}
	return nil
}
