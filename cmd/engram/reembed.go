package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/embed"
)

// reembedFlags are those of reembed.
type reembedFlags struct {
	engram.ReembedOptions
	endpoint, keyEnv string
	missing, cancel  bool
	name             string
}

const reembedLong = "" +
	"Read JSON lines of {\"id\", \"version\", \"embedding\"}, or have the memories embedded by a service\n" +
	"(--endpoint), and swap the new embeddings in when none is missing. Until then the former ones serve every\n" +
	"recall. What is given is kept: after an interruption, or with --partial, give the rest. 'engram stats' says\n" +
	"how far it is.\n\n" +
	"  engram reembed --missing > texts.jsonl                    # what has to be embedded: id, version, content\n" +
	"  engram reembed --model e5-large vectors.jsonl\n" +
	"  engram reembed --model nomic-embed-text --endpoint http://localhost:11434/v1\n" +
	"  engram reembed --cancel                                   # back to before\n\n" +
	"The service is one that speaks the embeddings call of OpenAI's API; it is given the contents of all\n" +
	"memories. A key is read from the environment variable that --key-env names. What the former embeddings took\n" +
	"comes back by compaction."

func (a *app) reembedCommand() *cobra.Command {
	var f reembedFlags
	cmd := &cobra.Command{
		Use:   "reembed [FILE | -]",
		Short: "Replace the embeddings of the space by another model's, while the old ones serve",
		Long:  reembedLong,
		Args:  cobra.MaximumNArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Model, "model", "", "`name` of the model that makes the new embeddings")
	flags.IntVar(&f.Dim, "dimension", 0, "how many `numbers` each has; without it as many as the first")
	flags.BoolVar(&f.Partial, "partial", false, "keep what is given and do not swap: more will come")
	flags.BoolVar(&f.AllowMissing, "allow-missing", false,
		"swap although memories lack a new embedding: they have none then")
	flags.StringVar(&f.endpoint, "endpoint", "", "have the memories embedded by the service at this `URL`")
	flags.StringVar(&f.keyEnv, "key-env", "", "environment `variable` that has the service's key")
	flags.IntVar(&f.Batch, "batch", 0, "how many `texts` the service is given at once, 1 to 1000; without it 32")
	flags.BoolVar(&f.missing, "missing", false,
		"print what has no new embedding yet, as JSON lines of id, version and content")
	flags.BoolVar(&f.cancel, "cancel", false, "let go of the new embeddings: back to before")
	flags.StringVar(&f.name, "name", "", "say that the embeddings stored without a model's name are of this `model`")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		do, err := a.reembed(&f, args)
		if err != nil {
			return err
		}
		return a.withBackend(ctx, reading, func(b backend) error { return do(ctx, b) })
	})
	return cmd
}

// reembed finds out what is asked for, and refuses what would have no effect.
func (a *app) reembed(f *reembedFlags, args []string) (do func(context.Context, backend) error, err error) {
	given := []string{}
	for name, is := range map[string]bool{
		"FILE": len(args) > 0, "--endpoint": f.endpoint != "", "--missing": f.missing, "--cancel": f.cancel,
		"--name": f.name != "",
	} {
		if is {
			given = append(given, name)
		}
	}
	options := f.Model != "" || f.Dim != 0 || f.Partial || f.AllowMissing
	fromService := f.keyEnv != "" || f.Batch != 0
	switch {
	case len(given) != 1:
		return nil, usagef("give one of a FILE (or - for standard input), --endpoint, --missing, --cancel and --name")
	case len(args) == 0 && f.endpoint == "" && options:
		return nil, usagef("--model, --dimension, --partial and --allow-missing go with a FILE or --endpoint, not %s",
			given[0])
	case f.endpoint == "" && fromService:
		return nil, usagef("--key-env and --batch go with --endpoint")
	case f.Partial && f.AllowMissing:
		return nil, usagef("--partial does not swap, --allow-missing does: give one of them")
	case f.missing:
		return a.printUnembedded, nil
	case f.cancel:
		return a.cancelReembedding, nil
	case f.name != "":
		return func(ctx context.Context, b backend) error {
			if err := b.NameEmbeddings(ctx, f.name); err != nil {
				return err
			}
			return a.done(map[string]string{"embedding_model": f.name},
				"the embeddings are of model "+printable(f.name))
		}, nil
	case f.Model == "":
		return nil, usagef("--model is missing: name the model that makes the new embeddings")
	case f.endpoint != "":
		return a.reembedBy(f)
	}
	return func(ctx context.Context, b backend) error { return a.reembedFrom(ctx, b, f, args[0]) }, nil
}

// done says that something was done.
func (a *app) done(answer any, text string) error {
	if a.json {
		return a.printJSON(answer)
	}
	a.printf("%s\n", text)
	return nil
}

func (a *app) cancelReembedding(ctx context.Context, b backend) error {
	if err := b.CancelReembedding(ctx); err != nil {
		return err
	}
	return a.done(map[string]bool{"canceled": true}, "canceled: the embeddings that there were go on serving")
}

func (a *app) printUnembedded(ctx context.Context, b backend) error {
	var unreadable error
	for u, err := range b.Unembedded(ctx) {
		if errors.Is(err, engram.ErrCorrupt) {
			unreadable = err
			continue
		}
		if err != nil {
			return err
		}
		line, err := json.Marshal(u)
		if err != nil {
			return fmt.Errorf("encode memory: %w", err)
		}
		a.printf("%s\n", line)
	}
	return unreadable
}

// reembedBy asks a service for the embeddings.
func (a *app) reembedBy(f *reembedFlags) (func(context.Context, backend) error, error) {
	service := embed.OpenAI{URL: f.endpoint, Model: f.Model, Dim: f.Dim}
	if f.keyEnv != "" {
		if service.Key = a.getenv(f.keyEnv); service.Key == "" {
			return nil, usagef("the environment variable %s, which is to have the service's key, is empty", f.keyEnv)
		}
	}
	if err := service.Check(); err != nil {
		return nil, usagef("--endpoint: %v", err)
	}
	o := f.ReembedOptions
	o.Progress = a.reembedProgress()
	return func(ctx context.Context, b backend) error {
		report, err := b.ReembedBy(ctx, service.Embed, o)
		return a.printReembedded(report, err)
	}, nil
}

func (a *app) reembedFrom(ctx context.Context, b backend, f *reembedFlags, name string) error {
	input, sizeBytes, err := a.openInput(name)
	if err != nil {
		return err
	}
	defer input.Close()
	in := a.withProgress(input, sizeBytes)
	report, err := b.Reembed(ctx, in.Reader, f.ReembedOptions)
	in.finish()
	return a.printReembedded(report, err)
}

// reembedProgress draws how far a replacing of embeddings is, if standard error is a terminal.
func (a *app) reembedProgress() func(engram.ReembedReport) {
	if !a.terminal(a.stderr) {
		return nil
	}
	return func(r engram.ReembedReport) {
		fmt.Fprintf(a.stderr, "\rembedded %s, %d missing  ", counted(r.Built, "memory", "memories"), r.Missing)
	}
}

// printReembedded prints what was done. Bad lines are an error at the end, so that a script notices them.
func (a *app) printReembedded(r engram.ReembedReport, err error) error {
	for _, bad := range r.Bad {
		a.notef("line %d: %s", bad.Line, printable(bad.Error))
	}
	if more := r.BadCount - len(r.Bad); more > 0 {
		a.notef("and %s", counted(more, "more bad line", "more bad lines"))
	}
	switch {
	case a.json:
		err = errors.Join(err, a.printJSON(r))
	default:
		state := "the former ones serve"
		if r.Served {
			state = "they serve now"
		}
		a.printf("%s by %s: %d new, %d known already; %s without one, %d refused: %s\n",
			counted(r.Built, "embedding", "embeddings"), printable(r.Model), r.Embedded, r.Unchanged,
			counted(r.Missing, "memory", "memories"), r.BadCount, state)
	}
	if err == nil && r.BadCount > 0 {
		err = fmt.Errorf("%s refused, the rest is kept: %w",
			counted(r.BadCount, "line was", "lines were"), engram.ErrInvalid)
	}
	return err
}
