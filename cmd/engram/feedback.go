package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

const feedbackLong = "" +
	"Say what memories were worth. Those of use, on several days above all, are found before others; those\n" +
	"of no use sink; what is wrong is believed less. Being recalled alone strengthens nothing.\n" +
	"Without ids --signal is about all hits of --recall, a recall that the running server answered.\n" +
	"With --log it lists what was said before, of the ids given or of all, in the order in which it came."

func (a *app) feedbackCommand() *cobra.Command {
	var f engram.Feedback
	var signal string
	cmd := &cobra.Command{
		Use: "feedback [ID...]",
		Short: "Say what recalled memories were worth: " +
			"useful, useless, wrong, confirmed, contradicted, pinned, unpinned",
		Long: feedbackLong,
		Example: "  engram feedback --signal useful kh-012 kh-070\n" +
			"  engram feedback --useful kh-012 --wrong kh-044 --source Bo\n" +
			"  engram feedback --signal contradicted kh-044 --by kh-081\n" +
			"  engram feedback --log kh-044",
		Args: cobra.ArbitraryArgs,
	}
	set := cmd.Flags()
	set.StringVar(&signal, "signal", "",
		"what the ids are: useful, useless, wrong, confirmed, contradicted, pinned or unpinned")
	set.StringArrayVar(&f.Useful, "useful", nil, "an `ID` that was of use; repeatable")
	set.StringArrayVar(&f.Useless, "useless", nil, "an `ID` that was of no use; repeatable")
	set.StringArrayVar(&f.Wrong, "wrong", nil, "an `ID` that is not true; repeatable")
	set.StringVar(&f.RecallID, "recall", "", "the `recall_id` of the recall that brought them up")
	set.StringVar(&f.By, "by", "", "the `ID` of the memory that says otherwise, with --signal contradicted")
	set.StringVar(&f.During, "during", "",
		"the `session` in which they were of use: it primes recalls --during the same")
	set.StringVar(&f.Source, "source", "", "`who` says so: counted once for each memory")
	set.BoolVar(&f.Verified, "verified", false,
		"it was checked: sources that said so become more reliable, others less")
	set.StringVar(&f.EventID, "event-id", "", "a `name` that makes a retry safe")
	set.StringVar(&f.Reason, "reason", "", "`why`")
	log := set.Bool("log", false, "list what was said before; nothing else may be given with it but ids")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
		if *log {
			if err := alone(cmd, "log"); err != nil {
				return err
			}
			return a.withBackend(ctx, reading, func(b backend) error { return a.printJudgements(ctx, b, ids) })
		}
		f.IDs, f.Signal = ids, engram.Signal(signal)
		return a.withBackend(ctx, reading, func(b backend) error {
			report, err := b.Feedback(ctx, f)
			if err != nil {
				return err
			}
			return a.printFeedback(report)
		})
	})
	return cmd
}

func (a *app) printFeedback(r engram.FeedbackReport) error {
	if a.json {
		return a.printJSON(r)
	}
	if r.Repeated {
		a.printf("told before, nothing was changed: ")
	}
	a.printf("%s reinforced, %d weakened\n", counted(r.Reinforced, "memory", "memories"), r.Weakened)
	return nil
}

// alone refuses flags of a command beside one of them.
func alone(cmd *cobra.Command, name string) (err error) {
	cmd.LocalNonPersistentFlags().Visit(func(f *pflag.Flag) {
		if f.Name != name && err == nil {
			err = usagef("--%s takes no --%s: give one of the two", name, f.Name)
		}
	})
	return err
}

// printJudgements lists judgements, those of some memories or all.
func (a *app) printJudgements(ctx context.Context, b backend, ids []string) error {
	for r, err := range b.FeedbackLog(ctx) {
		if err != nil {
			return err
		}
		if len(ids) > 0 && !slices.Contains(ids, r.ID) {
			continue
		}
		if a.json {
			if err := a.printJSON(r); err != nil {
				return err
			}
			continue
		}
		parts := []string{whenText(r.At), printable(r.ID), string(r.Signal)}
		for _, p := range []struct{ name, value string }{
			{"by", r.By}, {"source", r.Source}, {"during", r.During}, {"event", r.EventID}, {"because", r.Reason},
		} {
			if p.value != "" {
				parts = append(parts, p.name+" "+printable(p.value))
			}
		}
		if r.Verified {
			parts = append(parts, "verified")
		}
		a.printf("%s  retrievability %s after %.1f days\n",
			strings.Join(parts, "  "), shortNumber(r.Retrievability), r.Days)
	}
	return nil
}

const sourcesLong = "" +
	"List the sources on which verified feedback has given a verdict: how often each was right and wrong, counted\n" +
	"from 4 and 1 on, and how far what it says is believed. Nothing is known of any other source: 0.8."

func (a *app) sourcesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "sources",
		Short: "List how reliable sources are known to be, by verified feedback",
		Long:  sourcesLong,
		Args:  cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			return a.withBackend(ctx, reading, func(b backend) error {
				known, err := b.Sources(ctx)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(wire.Sources{Sources: known})
				}
				if len(known) == 0 {
					a.printf("No source was judged by verified feedback.\n")
				}
				for _, r := range known {
					name := cmp.Or(printable(r.Source), "(no source)")
					a.printf("%s  %.2f  right %g, wrong %g  %s\n",
						name, r.Reliability, r.Right, r.Wrong, whenText(r.JudgedAt))
				}
				return nil
			})
		}),
	}
}
