package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/orchard9/engram-go/internal/eval"
)

// evalFlags are the flags of eval.
type evalFlags struct {
	load      eval.LoadOptions
	run       eval.Options
	format    string
	k1, b     float64
	compare   bool
	failUnder []string
}

func (f *evalFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.format, "format", "", "how the collection is laid out: locomo, beir, cranfield, spector or golden")
	set.StringVar(&f.load.By, "by", "", "locomo: a document is a `turn` or a session (default turn)")
	set.StringVar(&f.load.SpacePer, "space-per", "",
		"locomo: `conversation` or global (default: conversation by turn, global by session)")
	set.StringVar(&f.load.Split, "split", "", "beir: the `name` of the judgements in qrels (default test)")
	set.IntSliceVar(&f.run.K, "k", nil, "the `ranks` to judge at (default 5,10,20; beir and cranfield 5,10,20,100)")
	set.IntVar(&f.run.Depth, "depth", 0, "how many hits are asked for (default 100; beir and cranfield 1000)")
	set.Uint64Var(&f.run.Seed, "seed", 1, "the `seed` of the resampling")
	annotate(set, zeroCounts, "seed")
	set.IntVar(&f.run.Resamples, "resamples", 0, "how often is drawn for an interval (default 2000)")
	set.StringArrayVar(&f.run.Without, "without", nil, "leave this `term` out of the score; repeatable")
	set.BoolVar(&f.run.Ablate, "ablate", false, "also tell what each term of the score is worth")
	set.BoolVar(&f.run.Repeats, "repeats", false, "give hits that say the same places of their own, instead of one")
	set.StringArrayVar(&f.run.Off, "off", nil, "switch this `mechanism` off, such as names, stems or day; repeatable")
	set.StringArrayVar(&f.load.LeaveOut, "leave-out", nil, "locomo: leave the `speaker` or the caption out; repeatable")
	set.BoolVar(&f.load.Dated, "dated", false,
		"locomo: write the session's time into the text, as published ladders do")
	set.Float64Var(&f.run.Step, "step", 0,
		"add this `part` of both neighbours' scores in the session, as published ladders do")
	set.BoolVar(&f.run.Fill, "fill", false,
		"end the lists with what was not found, by position, as published ladders do")
	set.StringVar(&f.run.Language, "language", "", "the engine's stemming (default: the engine's)")
	set.Float64Var(&f.k1, "k1", 0, "BM25's k1 (default: the engine's)")
	set.Float64Var(&f.b, "b", 0, "BM25's b (default: the engine's)")
	set.BoolVar(&f.compare, "compare", false, "compare two reports that --json printed")
	set.StringArrayVar(&f.failUnder, "fail-under", nil,
		"exit with code 1 if a measure is below, as in `recall@10=.68`; repeatable")
}

const evalLong = "" +
	"Remember a collection's documents in a temporary store with the engine's default settings, ask its\n" +
	"questions, and print recall@k, hit@k, nDCG@k, MRR and MAP with 95 % intervals, and the latency.\n\n" +
	"The format golden asks your own questions of the data directory's space, and changes nothing there: JSON\n" +
	"lines of {\"query\": text, \"expected\": [ids]}. With --fail-under it notices when recall gets worse."

func (a *app) evalCommand() *cobra.Command {
	var f evalFlags
	cmd := &cobra.Command{
		Use:   "eval --format FORMAT PATH | eval --compare A.json B.json",
		Short: "Measure how well recall finds what it should",
		Long:  evalLong,
		Example: "  engram eval --format locomo locomo10.json --ablate\n" +
			"  engram eval --format golden questions.jsonl --fail-under recall@10=.9\n" +
			"  engram eval --compare before.json after.json",
		Args: cobra.RangeArgs(1, 2),
	}
	f.register(cmd.Flags())
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		if f.compare {
			return a.compareReports(cmd.Flags(), &f, args)
		}
		required, err := f.read(cmd.Flags(), args)
		if err != nil {
			return err
		}
		set, err := eval.Load(args[0], f.load)
		if err != nil {
			return err
		}
		report, err := a.evaluate(ctx, set, &f)
		if err != nil {
			return err
		}
		if err := a.printReport(report); err != nil {
			return err
		}
		for _, r := range required {
			err = errors.Join(err, report.Require(r.measure, r.least))
		}
		return err
	})
	return cmd
}

// requirement is what --fail-under asks.
type requirement struct {
	measure string
	least   float64
}

// read makes the options of the flags, and refuses what makes no sense together.
func (f *evalFlags) read(set *pflag.FlagSet, args []string) ([]requirement, error) {
	if len(args) != 1 {
		return nil, usagef("give one collection; two reports are compared with --compare")
	}
	f.load.Format = eval.Format(f.format)
	for _, name := range []string{"data", "space"} {
		if f.load.Format != eval.Golden && set.Changed(name) {
			return nil, usagef("--%s belongs to --format golden: other collections get a temporary store", name)
		}
	}
	if set.Changed("k1") {
		f.run.K1 = &f.k1
	}
	if set.Changed("b") {
		f.run.B = &f.b
	}
	v := buildVersion()
	f.run.Engine = v.Version + " commit " + cmp.Or(v.Revision, "unknown")
	var required []requirement
	for _, text := range f.failUnder {
		measure, number, _ := strings.Cut(text, "=")
		least, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, usagef("--fail-under %s: want MEASURE=NUMBER, as in recall@10=.68", strconv.Quote(text))
		}
		required = append(required, requirement{measure, least})
	}
	return required, nil
}

// evaluate runs on a temporary store, or on the space that a golden set is about.
func (a *app) evaluate(ctx context.Context, set *eval.Set, f *evalFlags) (report *eval.Report, err error) {
	if f.load.Format != eval.Golden {
		return eval.Run(ctx, set, f.run)
	}
	err = a.withBackend(ctx, reading, func(b backend) error {
		report, err = eval.RunGolden(ctx, set, b, f.run)
		return err
	})
	return report, err
}

func (a *app) printReport(report interface{ WriteText(w io.Writer) error }) error {
	if a.json {
		return a.printJSON(report)
	}
	return report.WriteText(a.out)
}

// compareReports reads two reports and tests how they differ.
func (a *app) compareReports(set *pflag.FlagSet, f *evalFlags, args []string) error {
	if len(args) != 2 {
		return usagef("--compare wants two reports that eval --json printed")
	}
	var refused error
	set.Visit(func(given *pflag.Flag) {
		switch given.Name {
		case "compare", "seed", "resamples", "json", "wait":
		default:
			refused = usagef("--%s has no effect on --compare: leave it out", given.Name)
		}
	})
	if refused != nil {
		return refused
	}
	var reports [2]*eval.Report
	for i, path := range args {
		in, _, err := a.openInput(path)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(in, maxReply+1))
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
		if reports[i], err = eval.ParseReport(path, data); err != nil {
			return err
		}
	}
	comparison, err := eval.Compare(reports[0], reports[1], f.run.Seed, f.run.Resamples)
	if err != nil {
		return err
	}
	return a.printReport(comparison)
}
