package main

import (
	"context"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) feedbackCommand() *cobra.Command {
	var f engram.Feedback
	var signal string
	cmd := &cobra.Command{
		Use:   "feedback [ID...]",
		Short: "Say what recalled memories were worth: useful, useless, wrong, confirmed, pinned, unpinned",
		Long: "Say what memories were worth. Those of use, on several days above all, are found before others; those\n" +
			"of no use sink; what is wrong is believed less. Being recalled alone strengthens nothing.\n" +
			"Without ids --signal is about all hits of --recall, a recall that the running server answered.",
		Example: "  engram feedback --signal useful kh-012 kh-070\n" +
			"  engram feedback --useful kh-012 --wrong kh-044 --source Bo",
		Args: cobra.ArbitraryArgs,
	}
	set := cmd.Flags()
	set.StringVar(&signal, "signal", "", "what the ids are: useful, useless, wrong, confirmed, pinned or unpinned")
	set.StringArrayVar(&f.Useful, "useful", nil, "an `ID` that was of use; repeatable")
	set.StringArrayVar(&f.Useless, "useless", nil, "an `ID` that was of no use; repeatable")
	set.StringArrayVar(&f.Wrong, "wrong", nil, "an `ID` that is not true; repeatable")
	set.StringVar(&f.RecallID, "recall", "", "the `recall_id` of the recall that brought them up")
	set.StringVar(&f.Source, "source", "", "`who` says so: counted once for each memory")
	set.BoolVar(&f.Verified, "verified", false, "it was checked: sources that said so become more reliable, others less")
	set.StringVar(&f.EventID, "event-id", "", "a `name` that makes a retry safe")
	set.StringVar(&f.Reason, "reason", "", "`why`")
	cmd.RunE = a.command(func(ctx context.Context, ids []string) error {
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
