package main

import (
	"context"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

// rememberFlags are the flags of remember.
type rememberFlags struct {
	fieldFlags
	id, key     string
	links       []string
	supersedes  []string
	contradicts []string
}

func (a *app) rememberCommand() *cobra.Command {
	var f rememberFlags
	cmd := &cobra.Command{
		Use:   "remember [TEXT... | -]",
		Short: "Store one memory",
		Long: "Store one memory. The text is the arguments, joined by blanks, or standard input.\n" +
			"The answer says what happened: created, reinforced (it was known already) or superseded.",
		Example: "  engram remember --kind decision --tag roof 'The copper is repaired with new plates'\n" +
			"  pbpaste | engram remember --session standup -",
		Args: cobra.ArbitraryArgs,
	}
	set := cmd.Flags()
	set.StringVar(&f.id, "id", "", "its `id`; made by the engine if not given")
	f.register(set, a.zone)
	set.StringArrayVar(&f.links, "link", nil, "an association `TO[,type=TYPE][,weight=W]`; may be given several times")
	set.StringArrayVar(&f.supersedes, "supersedes", nil, "the `id` of a memory that this one replaces; repeatable")
	set.StringArrayVar(&f.contradicts, "contradicts", nil, "the `id` of a memory that says otherwise; repeatable")
	set.StringVar(&f.key, "idempotency-key", "", "a `key` that makes a retry safe")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		draft, err := a.draft(&f, cmd, args)
		if err != nil {
			return err
		}
		return a.withBackend(ctx, creating, func(b backend) error {
			outcome, err := b.Remember(ctx, draft)
			if err != nil {
				return err
			}
			return a.printOutcome(outcome)
		})
	})
	return cmd
}

// draft makes the draft that the flags and arguments describe.
func (a *app) draft(f *rememberFlags, cmd *cobra.Command, args []string) (engram.Draft, error) {
	metadata, err := f.metadataMap()
	if err != nil {
		return engram.Draft{}, err
	}
	d := engram.Draft{
		ID: f.id, Kind: f.kind, Tags: f.tags, Speaker: f.speaker, Session: f.session,
		OccurredAt: f.occurredAt.time, ValidFrom: f.validFrom.time, ValidUntil: f.validUntil.time,
		ExpiresAt: f.expiresAt.time, Pin: f.pin, Source: f.source, Metadata: metadata, Language: f.language,
		Embedding: f.embedding.vector, EmbeddingModel: f.model, Supersedes: f.supersedes, Contradicts: f.contradicts,
		IdempotencyKey: f.key,
	}
	if cmd.Flags().Changed("confidence") {
		d.Confidence = &f.confidence
	}
	for _, text := range f.links {
		link, err := parseLink(text)
		if err != nil {
			return engram.Draft{}, err
		}
		d.Links = append(d.Links, link)
	}
	d.Content, err = a.contentFrom(args)
	return d, err
}

// printOutcome prints what a write did.
func (a *app) printOutcome(o engram.Outcome) error {
	if a.json {
		return a.printJSON(o)
	}
	a.printf("%s %s (version %d)\n", o.Result, printable(o.ID), o.Version)
	for _, id := range o.Superseded {
		a.printf("  ended %s\n", printable(id))
	}
	for _, id := range o.Contradicts {
		a.printf("  contradicts %s\n", printable(id))
	}
	return nil
}
