package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write every memory of the space to standard output, as JSON lines",
		Long: "Write every version of every memory of the space to standard output, one JSON object a line: with\n" +
			"vectors, links, versions and times, nothing lost. 'engram import' reads it.",
		Example: "  engram export > memories.jsonl",
		Args:    cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			return a.withBackend(ctx, reading, func(b backend) error {
				report, err := b.Export(ctx, a.out)
				if err == nil || report.DamagedCount > 0 {
					a.notef("exported %s in %s", counted(report.Memories, "memory", "memories"),
						counted(report.Versions, "version", "versions"))
				}
				return err
			})
		}),
	}
}
