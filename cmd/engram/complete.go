package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

func (a *app) completeCommand() *cobra.Command {
	var f cueFlags
	var mask vectorFlag
	var metadata fieldFlags
	var p engram.Partial
	cmd := &cobra.Command{
		Use:   "complete [TEXT... | -]",
		Short: "Fill in what a partial memory leaves out, with evidence",
		Long: "Complete a partial memory: give some words, a vector of which --mask says what is known, or known\n" +
			"fields, and read what the memories that resemble it have in the others. What comes back is put\n" +
			"together from several memories, which are named with their weights; where they do not agree it is\n" +
			"called ambiguous, and where nothing resembles the cue, novel.",
		Example: "  engram complete --meta project=dome who is responsible\n" +
			"  engram complete --speaker Ines --kind decision --field metadata.place",
		Args: cobra.ArbitraryArgs,
	}
	set := cmd.Flags()
	f.registerCue(a, set)
	set.IntVar(&f.cue.Limit, "limit", 0, "how many `memories` are asked at most (the engine's default: 64)")
	set.Var(&mask, "mask", "which coordinates of --embedding are known: [1,0,1] or @FILE")
	set.StringArrayVar(&metadata.metadata, "meta", nil, "a known `KEY=VALUE`; repeatable: all of them")
	set.StringArrayVar(&p.Fields, "field", nil,
		"a wanted `field`: content, kind, speaker, session, source, occurred_at\n"+
			"or metadata.KEY; repeatable (the engine's default: all that are not given)")
	cmd.RunE = a.command(func(ctx context.Context, args []string) (err error) {
		if p.Cue, err = f.read(a, args); err != nil {
			return err
		}
		if p.Mask, err = maskOf(mask.vector); err != nil {
			return err
		}
		if p.Metadata, err = metadata.metadataMap(); err != nil {
			return err
		}
		return a.withBackend(ctx, reading, func(b backend) error {
			completion, err := b.Complete(ctx, p)
			if err != nil {
				return err
			}
			return a.printCompletion(completion)
		})
	})
	return cmd
}

// maskOf reads ones and zeros.
func maskOf(numbers []float32) ([]bool, error) {
	if numbers == nil {
		return nil, nil
	}
	mask := make([]bool, len(numbers))
	for i, x := range numbers {
		if x != 0 && x != 1 {
			return nil, usagef("--mask has %v: want 1 for what is known and 0 for what is not", x)
		}
		mask[i] = x == 1
	}
	return mask, nil
}

// printCompletion prints the fields with what stands behind them.
func (a *app) printCompletion(c engram.Completion) error {
	if a.json {
		return a.printJSON(c)
	}
	a.printDamaged(c.Damaged)
	if c.Novel {
		a.printf("Nothing known resembles it; %s searched.\n", counted(c.Searched, "memory was", "memories were"))
		return nil
	}
	a.printf("Reconstructed by %s from %s searched%s\n", c.By, counted(c.Searched, "memory", "memories"),
		mark(c.Ambiguous, ": ambiguous, no single memory stands behind it"))
	for _, f := range c.Fields {
		a.printf("%s = %s  (confidence %s%s)\n", printable(f.Name), printable(f.Value), shortNumber(f.Confidence),
			mark(f.Ambiguous, ", ambiguous"))
		a.printMembers(f.Members)
		for _, r := range f.Rivals {
			a.printf("   or %s  (confidence %s)\n", printable(r.Value), shortNumber(r.Confidence))
		}
	}
	if len(c.Fields) == 0 {
		a.printf("The memories that resemble it have none of the fields:\n")
		a.printMembers(c.Members)
	}
	return nil
}

// maxPrinted is how many members a person is shown of a field; --json has all.
const maxPrinted = 5

func (a *app) printMembers(members []engram.Member) {
	for _, m := range members[:min(len(members), maxPrinted)] {
		a.printf("   %s  %s\n", shortNumber(m.Weight), printable(m.ID))
	}
	if n := len(members) - maxPrinted; n > 0 {
		a.printf("   %s\n", fmt.Sprintf("and %d more", n))
	}
}

// mark is text where it holds.
func mark(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}
