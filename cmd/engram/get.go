package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

func (a *app) getCommand() *cobra.Command {
	var history, neighbors bool
	asOf := timeFlag{zone: a.zone}
	cmd := &cobra.Command{
		Use:   "get ID...",
		Short: "Show memories by id",
		Long:  "Show memories by id, with their links; archived and replaced ones included.",
		Args:  cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&history, "history", false, "also every version, oldest first")
	cmd.Flags().BoolVar(&neighbors, "neighbors", false, "also the memories before and after it in its session")
	cmd.Flags().Var(&asOf, "as-of", "as it was known then, without links")
	cmd.MarkFlagsMutuallyExclusive("as-of", "history")
	cmd.MarkFlagsMutuallyExclusive("as-of", "neighbors")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
		return a.withBackend(ctx, reading, func(b backend) error {
			var missing error
			for _, id := range ids {
				r, err := readRecord(ctx, b, id, inclusion{asOf.time, history, neighbors})
				switch {
				case err == nil:
					err = a.printRecord(r)
				case len(ids) > 1 && isNotFound(err):
					a.notef("%s", printable(err.Error()))
					missing, err = fmt.Errorf("some memories are missing: %w", engram.ErrNotFound), nil
				}
				if err != nil {
					return err
				}
			}
			return missing
		})
	})
	return cmd
}

// inclusion is what get reads.
type inclusion struct {
	asOf               time.Time // zero: now
	history, neighbors bool
}

// readRecord reads a memory and what was asked for beside it.
func readRecord(
	ctx context.Context, b backend, id string, include inclusion,
) (r wire.Memory, err error) {
	if !include.asOf.IsZero() {
		r.Memory, err = b.GetAt(ctx, id, include.asOf)
		return r, err
	}
	if r.Memory, err = b.Get(ctx, id); err != nil {
		return r, err
	}
	if include.history {
		if r.History, err = b.History(ctx, id); err != nil {
			return r, err
		}
	}
	if include.neighbors {
		r.Neighbors, err = b.Neighbors(ctx, id)
	}
	return r, err
}

// printRecord prints one memory in full.
func (a *app) printRecord(r wire.Memory) error {
	if a.json {
		return a.printJSON(r)
	}
	a.printf("%s  version %d  %s\n", printable(r.ID), r.Version, attributes(r.Memory))
	a.printf("  %s\n", indented(r.Content, "  "))
	a.printTimes(r.Memory)
	if r.SupersededBy != "" {
		a.printf("  %-13s %s\n", "superseded by", printable(r.SupersededBy))
	}
	if r.Source != "" {
		a.printf("  %-13s %s\n", "source", printable(r.Source))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		a.printf("  %-13s %s = %s\n", "metadata", printable(key), printable(r.Metadata[key]))
	}
	if len(r.Embedding) > 0 {
		a.printf("  %-13s %d numbers\n", "embedding", len(r.Embedding))
	}
	for _, l := range append(slices.Clone(r.Links), r.Neighbors...) {
		arrow := "->"
		if l.Incoming {
			arrow = "<-"
		}
		a.printf("  %-13s %s %s %s (%s)\n", "link", printable(l.Type), arrow, printable(l.To), shortNumber(l.Weight))
	}
	for _, v := range r.History {
		a.printf("  %-13s %s\n", fmt.Sprintf("version %d", v.Version), indented(v.Content, "                "))
		if v.Reason != "" {
			a.printf("  %-13s because: %s\n", "", printable(v.Reason))
		}
	}
	return nil
}

// printTimes prints the times that are set.
func (a *app) printTimes(m engram.Memory) {
	for _, row := range []struct {
		name string
		time time.Time
	}{
		{"occurred", m.OccurredAt},
		{"valid from", m.ValidFrom},
		{"valid until", m.ValidUntil},
		{"expires", m.ExpiresAt},
		{"archived", m.ArchivedAt},
		{"superseded", m.SupersededAt},
		{"created", m.CreatedAt},
		{"updated", m.UpdatedAt},
	} {
		if !row.time.IsZero() {
			a.printf("  %-13s %s\n", row.name, whenText(row.time))
		}
	}
}
