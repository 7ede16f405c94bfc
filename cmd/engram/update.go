package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	engram "github.com/orchard9/engram-go"
)

// updateFlags are the flags of update.
type updateFlags struct {
	fieldFlags
	reason    string
	ifVersion int
	mode      string
}

func (a *app) updateCommand() *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update ID [TEXT... | -]",
		Short: "Make a new version of a memory; the old one stays in its history",
		Long: "Make a new version of a memory. Only what is given changes; an empty value, as in --speaker '',\n" +
			"clears a field. --tag and --meta replace all labels and all metadata. New text without a new\n" +
			"--embedding drops the old vector, which described other words.",
		Example: "  engram update kh-070 --valid-until 2025-09-06 --reason 'the road is closed'\n" +
			"  engram update kh-070 The opening night will be on 4 October",
		Args: cobra.MinimumNArgs(1),
	}
	set := cmd.Flags()
	f.register(set, a.zone)
	annotate(set, emptyClears, "kind", "tag", "speaker", "session", "occurred-at", "valid-from", "valid-until",
		"expires-at", "source", "meta", "language", "embedding")
	set.StringVar(&f.reason, "reason", "", "`why`; kept with the version")
	set.IntVar(&f.ifVersion, "if-version", 0, "only if the memory is at this `version`")
	set.StringVar(&f.mode, "mode", "",
		"`in_place` (the engine's default), replace (a new memory supersedes this one), or\n"+
			"by_use (in place within six hours of a reported use, else replace)")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		change, err := f.change(set)
		if err != nil {
			return err
		}
		if len(args) > 1 {
			text, err := a.contentFrom(args[1:])
			if err != nil {
				return err
			}
			change.Content = &text
		}
		return a.withBackend(ctx, reading, func(b backend) error {
			outcome, err := b.Update(ctx, args[0], change)
			if err != nil {
				return err
			}
			return a.printOutcome(outcome)
		})
	})
	return cmd
}

// change makes the change that the given flags describe, and touches no other field.
func (f *updateFlags) change(set *pflag.FlagSet) (engram.Change, error) {
	c := engram.Change{
		Kind:       touched(set, "kind", f.kind),
		Speaker:    touched(set, "speaker", f.speaker),
		Session:    touched(set, "session", f.session),
		OccurredAt: touched(set, "occurred-at", f.occurredAt.time),
		ValidFrom:  touched(set, "valid-from", f.validFrom.time),
		ValidUntil: touched(set, "valid-until", f.validUntil.time),
		ExpiresAt:  touched(set, "expires-at", f.expiresAt.time),
		Pin:        touched(set, "pin", f.pin),
		Confidence: touched(set, "confidence", f.confidence),
		Source:     touched(set, "source", f.source),
		Language:   touched(set, "language", f.language),
		Embedding:  touched(set, "embedding", f.embedding.vector),
		Tags:       touched(set, "tag", f.tags),
		Reason:     f.reason,
		IfVersion:  f.ifVersion,
		Mode:       engram.UpdateMode(f.mode),

		EmbeddingModel: f.model,
	}
	if len(f.tags) == 1 && f.tags[0] == "" {
		c.Tags = &[]string{}
	}
	if len(f.metadata) == 1 && f.metadata[0] == "" {
		c.Metadata = &map[string]string{}
		return c, nil
	}
	metadata, err := f.metadataMap()
	c.Metadata = touched(set, "meta", metadata)
	return c, err
}

// touched returns a pointer to value if the flag was given, else nil.
func touched[T any](set *pflag.FlagSet, name string, value T) *T {
	if !set.Changed(name) {
		return nil
	}
	return &value
}
