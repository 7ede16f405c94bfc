package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/wire"
)

// cueFlags are the flags of recall.
type cueFlags struct {
	cue                     engram.Cue
	embedding               vectorFlag
	from, to, validAt, asOf timeFlag
	maxTime                 time.Duration
	hops                    int
	detail                  string
	set                     *pflag.FlagSet // those of recall; nil for complete
}

// register declares the flags of recall.
func (f *cueFlags) register(a *app, set *pflag.FlagSet) {
	f.registerCue(a, set)
	set.IntVar(&f.cue.Limit, "limit", 0, "how many `hits` at most (the engine's default: 10)")
	set.BoolVar(&f.cue.Explain, "explain", false, "say which words and which neighbours each term comes from")
	set.IntVar(&f.cue.MaxTokens, "max-tokens", 0, "end the hits before their contents are about this `many` tokens")
	set.DurationVar(&f.maxTime, "max-time", 0, "give up, with exit code 9, after this `time` such as 50ms")
	set.IntVar(&f.hops, "hops", 0,
		"over how `many` associations activation goes at most, 0 to 3 (default: as many as are worth it)")
	annotate(set, zeroCounts, "hops")
	set.StringVar(&f.detail, "detail", "",
		"`how` much of each memory: ids, summary (its beginning) or full (the default)")
	f.set = set
	set.BoolVar(&f.cue.Repeats, "repeats", false, "give hits that say the same places of their own, instead of one")
	set.BoolVar(&f.cue.Compete, "compete", false, "say how probable each hit is among its rivals and \"none of these\"")
}

// registerCue declares the flags that recall and complete share.
func (f *cueFlags) registerCue(a *app, set *pflag.FlagSet) {
	for _, t := range []*timeFlag{&f.from, &f.to, &f.validAt, &f.asOf} {
		t.zone = a.zone
	}
	c := &f.cue
	set.Var(&f.embedding, "embedding", "a vector to compare with: [0.1,0.2] or @FILE")
	set.StringVar(&c.EmbeddingModel, "embedding-model", "", "the `name` of what made the vector")
	set.StringArrayVar(&c.IDs, "id", nil, "only the memory with this `id`; repeatable")
	set.StringArrayVar(&c.Kinds, "kind", nil, "only this `kind`; repeatable: one of them")
	set.StringArrayVar(&c.Tags, "tag", nil, "only with this `label`; repeatable: all of them")
	set.StringArrayVar(&c.TagsAny, "tag-any", nil, "only with this `label`; repeatable: one of them")
	set.StringArrayVar(&c.TagsNone, "tag-none", nil, "only without this `label`; repeatable")
	set.StringVar(&c.Speaker, "speaker", "", "only what this `person` said")
	set.StringVar(&c.Session, "session", "", "only of this `session`")
	set.Var(&f.from, "from", "only what happened at this time or later")
	set.Var(&f.to, "to", "only what happened before this time")
	set.Var(&f.validAt, "valid-at", "only what was true then, replaced memories included")
	set.Var(&f.asOf, "as-of", "from what was known then: later memories, changes and archivings do not count")
	set.StringVar(&c.During, "during", "",
		"in which `session` is asked: what was lately of use in it primes the answer")
	set.StringArrayVar(&c.Without, "without", nil, "leave this `term` out of the score; repeatable, for measuring")
	set.Float64Var(&c.MinConfidence, "min-confidence", 0,
		"only what is believed at least so far, a `number` from 0 to 1")
}

// read is the cue that the flags and the words give.
func (f *cueFlags) read(a *app, words []string) (engram.Cue, error) {
	cue := f.cue
	cue.Embedding = f.embedding.vector
	cue.From, cue.To, cue.ValidAt, cue.AsOf = f.from.time, f.to.time, f.validAt.time, f.asOf.time
	cue.MaxTime = int(f.maxTime.Milliseconds())
	cue.Detail = engram.Detail(f.detail)
	if f.set != nil && f.set.Changed("hops") {
		cue.Hops = &f.hops
	}
	if f.maxTime%time.Millisecond != 0 {
		return cue, usagef("--max-time is %v: give whole milliseconds", f.maxTime)
	}
	if len(words) == 0 {
		return cue, nil
	}
	text, err := a.contentFrom(words)
	if err == nil && text == "" {
		err = usagef("the text is empty: give some words, or none at all to list by time")
	}
	cue.Text = text
	return cue, err
}

func (a *app) recallCommand() *cobra.Command {
	var f cueFlags
	cmd := &cobra.Command{
		Use:   "recall [TEXT... | -]",
		Short: "Find memories by words, vector, time and association",
		Long: "Find memories. With a text or a vector they are ranked by words, meaning and association; with\n" +
			"neither, by time, newest first. The other flags filter, before the ranking. The terms of a hit add\n" +
			"up to its score. Finding nothing relevant is an answer, not an error.",
		Example: "  engram recall why does the dome stick\n" +
			"  engram recall --from 2025-06-01 --to 2025-07-01 --kind decision",
		Args: cobra.ArbitraryArgs,
	}
	f.register(a, cmd.Flags())
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		cue, err := f.read(a, args)
		if err != nil {
			return err
		}
		return a.withBackend(ctx, reading, func(b backend) error {
			answer, err := b.Recall(ctx, cue)
			if err != nil {
				return err
			}
			return a.printAnswer(answer)
		})
	})
	return cmd
}

// printAnswer prints the hits, best first, or that there are none.
func (a *app) printAnswer(answer engram.Answer) error {
	if a.json {
		return a.printJSON(wire.FromAnswer(answer)) // as the server answers
	}
	switch {
	case answer.Searched == 0:
		a.printf("Nothing relevant is known: no memory passes the filters.\n")
	case len(answer.Hits) == 0 && answer.Truncated:
		a.printf("Not even the best hit fits in the tokens allowed, give more or ask for less --detail; %s searched.\n",
			counted(answer.Searched, "memory was", "memories were"))
	case len(answer.Hits) == 0:
		a.printf("Nothing relevant is known; %s searched.\n", counted(answer.Searched, "memory was", "memories were"))
	}
	if answer.Rejected != nil {
		a.printf("The nearest by its vector has evidence of %s, which chance gives too.\n",
			shortNumber(*answer.Rejected))
	}
	a.printDamaged(answer.Damaged)
	for i, hit := range answer.Hits {
		terms := largestFirst(hit.Why)
		a.printf("%d. %.4f = %s%s\n", i+1, hit.Score, termsLine(terms), chance(", probability ", hit.Probability))
		a.printf("   %s  %s  %s\n", whenText(hit.OccurredAt), printable(hit.ID), attributes(hit.Memory))
		for _, term := range terms {
			if len(term.Detail) > 0 {
				a.printf("   %s from %s\n", term.Name, partsLine(term.Detail))
			}
		}
		for _, id := range hit.Similar {
			a.printf("   the same is said by %s\n", printable(id))
		}
		for _, id := range hit.Contradicts {
			a.printf("   contradicts %s\n", printable(id))
		}
		if hit.Content != "" {
			a.printf("   %s%s\n", indented(hit.Content, "   "), shortened(hit))
		}
	}
	if answer.Truncated && len(answer.Hits) > 0 {
		a.printf("Further hits do not fit in the tokens allowed.\n")
	}
	if answer.None != nil {
		a.printf("None of these: probability %s\n", shortNumber(*answer.None))
	}
	return nil
}

// shortened tells that a content goes on.
func shortened(hit engram.Hit) string {
	if hit.Shortened {
		return " …"
	}
	return ""
}

// chance writes a probability, if there is one.
func chance(what string, p *float64) string {
	if p == nil {
		return ""
	}
	return what + shortNumber(*p)
}

// largestFirst sorts the terms for reading: by value, then by name.
func largestFirst(terms []engram.Term) []engram.Term {
	return slices.SortedFunc(slices.Values(terms), func(x, y engram.Term) int {
		return cmp.Or(cmp.Compare(y.Value, x.Value), strings.Compare(x.Name, y.Name))
	})
}

// termsLine writes the terms as a sum.
func termsLine(terms []engram.Term) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = t.Name + " " + shortNumber(t.Value)
	}
	return strings.Join(parts, " + ")
}

// partsLine writes what a term comes from.
func partsLine(detail []engram.Part) string {
	parts := make([]string, len(detail))
	for i, p := range detail {
		parts[i] = printable(p.Name) + " " + shortNumber(p.Value)
	}
	return strings.Join(parts, ", ")
}
