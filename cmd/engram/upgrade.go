package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) upgradeCommand() *cobra.Command {
	var finish, undo bool
	var rate int64
	var how engram.UndoOptions
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Write files of earlier format versions anew, or go back to them",
		Long: "A directory of an earlier format version is used as any other: from the first opening on what it was\n" +
			"is kept aside, and files are written in today's version bit by bit. This command writes all of them\n" +
			"anew now and verifies the spaces, all or the one that --space names, while others read and write.\n\n" +
			"What is kept aside stays until --finish removes it. Until then --undo makes the directory what it was,\n" +
			"to the byte, so that the earlier engram opens it again. What was written since would be gone: it is\n" +
			"told, and nothing is undone, unless --discard-newer is given. No server may hold the directory then.",
		Example: "  engram upgrade\n  engram upgrade --finish\n  engram --data /var/lib/engram upgrade --undo",
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.BoolVar(&finish, "finish", false, "then remove what is kept aside: there is no way back behind that")
	flags.BoolVar(&undo, "undo", false, "go back to what is kept aside, in every space")
	flags.BoolVar(&how.DiscardNewer, "discard-newer", false, "with --undo: let go of what was written since")
	flags.Int64Var(&rate, "rate", 0, "read and write at most this many `MiB` a second; 0 is no bound")
	annotate(flags, zeroCounts, "rate")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		switch {
		case rate < 0 || rate > maxRate:
			return usagef("--rate is %d: use 0 to %d MiB a second", rate, maxRate)
		case undo && (finish || flags.Changed("rate")):
			return usagef("--undo goes with --discard-newer alone")
		case undo && flags.Changed("space"):
			return usagef("--undo is of the whole directory: leave --space out")
		case how.DiscardNewer && !undo:
			return usagef("--discard-newer goes with --undo")
		case undo:
			return a.undoUpgrade(ctx, how)
		}
		o := engram.UpgradeOptions{Finish: finish, BytesPerSecond: rate << 20}
		if flags.Changed("space") {
			o.Spaces = []string{a.space}
		}
		return a.withVault(ctx, reading, func(v vault) error {
			report, err := v.Upgrade(ctx, o)
			if err != nil {
				return err
			}
			return a.printUpgraded(report)
		})
	})
	return cmd
}

func (a *app) printUpgraded(report engram.UpgradeReport) error {
	if a.json {
		return a.printJSON(report)
	}
	for _, s := range report.Spaces {
		a.printf("space %s: %s anew", s.Space, counted(len(s.Files), "file was written", "files were written"))
		switch {
		case s.Finished:
			a.printf("; what was kept aside is gone\n")
		case s.KeptAside != nil:
			a.printf("; %s%s are kept aside: --undo goes back to it, --finish removes it\n",
				sizeText(s.KeptAside.Bytes), sinceText(s.KeptAside))
		default:
			a.printf("; nothing is kept aside\n")
		}
	}
	return nil
}

// sinceText says since when something is kept aside, if that is known.
func sinceText(k *engram.KeptAside) string {
	if k.At.IsZero() {
		return ""
	}
	return " as of " + k.At.Format(time.RFC3339)
}

// undoUpgrade goes back, on a directory that nobody holds.
func (a *app) undoUpgrade(ctx context.Context, how engram.UndoOptions) error {
	dir, err := a.resolveDataDir()
	if err != nil {
		return err
	}
	if err := requireDataDir(dir); err != nil {
		return err
	}
	report, err := a.engine.UndoUpgrade(ctx, dir, how)
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(report)
	}
	for _, s := range report.Spaces {
		a.printf("space %s: as it was", s.Space)
		if !s.At.IsZero() {
			a.printf(" %s, at position %d; %s gone", s.At.Format(time.RFC3339), s.Position,
				counted(int(s.Newer), "newer write is", "newer writes are"))
		}
		a.printf("\n")
	}
	for _, name := range report.Left {
		a.notef("space %s: nothing is kept aside of it, it stays as it is", name)
	}
	return nil
}
