package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) repairCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "repair NEWDIR",
		Short: "Save what is whole of a damaged directory into a new one",
		Long: "Read every space of the data directory as far as it is whole, also where opening it is refused, and\n" +
			"store it in a new directory. What is lost is listed, with file and offset; the exit code is then 7.\n" +
			"Nothing in the damaged directory is changed. No server may hold it.",
		Example: "  engram --data /var/lib/engram repair /var/lib/engram-repaired",
		Args:    cobra.ExactArgs(1),
		RunE: a.command(func(ctx context.Context, args []string) error {
			dir, err := a.resolveDataDir()
			if err != nil {
				return err
			}
			if err := requireDataDir(dir); err != nil {
				return err
			}
			report, err := engram.Options{}.RepairWith(ctx, dir, args[0], engram.RepairOptions{
				Progress: a.repairProgress(),
			})
			if err != nil {
				return err
			}
			return a.printRepaired(report, dir)
		}),
	}
}

// repairProgress draws how far a repair is, if standard error is a terminal.
func (a *app) repairProgress() func(engram.RepairReport) {
	if !a.terminal(a.stderr) {
		return nil
	}
	return func(r engram.RepairReport) {
		one := r.Spaces[len(r.Spaces)-1]
		fmt.Fprintf(a.stderr, "\rspace %s: saved %s, %s  ", one.Space, counted(one.Memories, "memory", "memories"),
			counted(one.LostCount, "thing lost", "things lost"))
	}
}

// printRepaired prints what was saved; losses are an error, so that a script notices them.
func (a *app) printRepaired(report engram.RepairReport, dir string) error {
	lost := 0
	for _, s := range report.Spaces {
		lost += s.LostCount
		if !a.json {
			a.printf("space %s: %s saved in %s, with %s; %s\n", s.Space, counted(s.Memories, "memory", "memories"),
				counted(s.Versions, "version", "versions"), counted(s.Links, "link", "links"),
				counted(s.LostCount, "thing lost", "things lost"))
		}
		for _, what := range s.Lost {
			a.notef("space %s: lost: %s", s.Space, printable(what))
		}
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	}
	if lost > 0 {
		return fmt.Errorf("%s could not be saved from %s: %w. Keep that directory until you know what it was",
			counted(lost, "thing", "things"), dir, engram.ErrCorrupt)
	}
	return nil
}
