package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) statsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Count what the space holds",
		Args:  cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			return a.withBackend(ctx, reading, func(b backend) error {
				stats, err := b.Stats(ctx)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(stats)
				}
				a.printStats(stats)
				return nil
			})
		}),
	}
}

// printStats prints one fact a line.
func (a *app) printStats(s engram.SpaceStats) {
	a.printf("space       %s\n", s.Space)
	a.printf("memories    %d active, %d archived, %s in all\n", s.Memories, s.Archived,
		counted(s.Versions, "version", "versions"))
	if s.Expired > 0 {
		a.printf("expired     %d besides, which nothing finds any more\n", s.Expired)
	}
	a.printf("held        %d hot, %d warm, %d cold in %s\n", s.Hot, s.Warm, s.Cold,
		counted(s.Segments, "segment", "segments"))
	if s.Dim > 0 {
		a.printf("vectors     %d of dimension %d%s\n", s.Vectors, s.Dim, modelText(s.EmbeddingModel))
	} else {
		a.printf("vectors     none: recall goes by words, time and association\n")
	}
	if s.UnnamedVectors > 0 {
		a.printf("unnamed     %d of them, by a model that nobody named: `engram reembed --name`\n", s.UnnamedVectors)
	}
	if r := s.Reembedding; r != nil {
		a.printf("reembedding %s by %s of dimension %d, %s missing: the former ones serve\n",
			counted(r.Built, "embedding", "embeddings"), printable(r.Model), r.Dim, counted(r.Missing, "is", "are"))
	}
	a.printf("links       %d\n", s.Links)
	a.printf("position    %d in the log\n", s.Position)
	a.printf("on disk     log %s, segments %s\n", sizeText(s.LogBytes), sizeText(s.SegmentBytes))
	if s.Cold > 0 {
		a.printf("cold        %s, contents packed to 1/%.2f\n", sizeText(s.ColdBytes), s.ColdRatio)
	}
	if s.Cooled+s.Warmed > 0 {
		a.printf("moved       %s cold, %d warm again, since the space was opened\n",
			counted(int(s.Cooled), "segment became", "segments became"), s.Warmed)
	}
	if s.ErasedVersions > 0 {
		a.printf("erased      %s, %s in segments: `engram compact` gives it back\n",
			counted(s.ErasedVersions, "version", "versions"), sizeText(s.ErasedBytes))
	}
	if s.EarlierFiles > 0 {
		a.printf("earlier     %s of an earlier format version: `engram upgrade` writes them anew\n",
			counted(s.EarlierFiles, "file is", "files are"))
	}
	if k := s.KeptAside; k != nil {
		a.printf("kept aside  %s%s, from before an upgrade: `engram upgrade --undo` goes back, --finish removes it\n",
			sizeText(k.Bytes), sinceText(k))
	}
	a.printWork("sealing", s.Sealing)
	a.printWork("compaction", s.Compaction)
	a.printWork("consolidation", s.Consolidation)
	for _, b := range s.Budgets {
		a.printf("budget      %s\n", budgetText(b))
	}
	a.printf("in memory   indexes %s, hot contents %s\n", sizeText(s.IndexBytes), sizeText(s.HotBytes))
	if s.Torn > 0 {
		a.printf("torn        %d bytes of an unfinished write were dropped at the last opening", s.Torn)
		if s.TornFile != "" {
			a.printf(" and kept in %s", s.TornFile)
		}
		a.printf("\n")
	}
	if s.ReadOnly != "" {
		a.printf("READ-ONLY   %s\n", printable(s.ReadOnly))
	}
	for _, what := range s.Quarantined {
		a.printf("DAMAGED     %s\n", printable(what))
	}
	for _, what := range s.Problems {
		a.printf("PROBLEM     %s\n", printable(what))
	}
}

// printWork prints how one kind of background work is going, if it ever ran.
func (a *app) printWork(name string, w engram.WorkStats) {
	switch {
	case w.Error != "" && w.NextTry.IsZero():
		a.printf("%-11s FAILED: %s\n", name, printable(w.Error))
	case w.Error != "":
		a.printf("%-11s FAILED, next try %s: %s\n", name, w.NextTry.Format(time.RFC3339), printable(w.Error))
	case w.Running:
		a.printf("%-11s running\n", name)
	case w.Runs > 0:
		a.printf("%-11s %s\n", name, counted(w.Runs, "run", "runs"))
	}
}

// budgetText says how far a budget is used.
func budgetText(b engram.Budget) string {
	name, isBytes := strings.CutSuffix(b.Name, "_bytes")
	used, most := strconv.FormatInt(b.Used, 10), strconv.FormatInt(b.Most, 10)
	if isBytes {
		used, most = sizeText(b.Used), sizeText(b.Most)
	}
	name = strings.ReplaceAll(name, "_", " ")
	if name == "free disk" {
		return fmt.Sprintf("%s: %s, at least %s stay so", name, used, most)
	}
	return fmt.Sprintf("%s: %s of %s", name, used, most)
}

// modelText names the model of vectors, if it is known.
func modelText(name string) string {
	if name == "" {
		return ""
	}
	return " by " + printable(name)
}
