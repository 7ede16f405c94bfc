// Command bench measures Engram on the machine it runs on, beside its peers and in the same run. The README in this
// folder says what each benchmark measures, how the peers are configured, and what the figures do not say.
//
//	go run .                 # lists the benchmarks
//	go run . durable         # runs one
//	go run . durable -quick  # the same at a hundredth of the size, to see that it works
//
// Every figure is measured in the run that prints it. Contenders take turns, in an order that rotates, and a figure is
// the median of the rounds unless its column says otherwise. Data is generated from a seed that is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
)

// benchmark is one thing to be run by name.
type benchmark struct {
	name  string
	about string
	run   func(*session) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{
			"durable",
			"acknowledged 256-byte writes from 1, 8, 64 goroutines, beside a bare log, Pebble, SQLite, bbolt", durable,
		},
		{"get", "reading one of 200,000 memories of 512 bytes from warm segments, beside bbolt and Pebble", get},
		{
			"isolation",
			"reading 64 bytes beside writers: a lock, a lock made safe, and publication; the panic boundary", isolation,
		},
		{"stall", "the longest wait of a reader while content grows to 1 GiB beside it", stall},
		{"scan", "exact search through 100,000 vectors of 768 dimensions, beside this machine's streaming reads", scan},
		{"memory", "memory held for 100,000 texts of 200 bytes with all their indexes", memory},
		{"dialogue", "6,000 dialogue turns in, 2,000 questions answered, beside SQLite's full-text index", dialogue},
		{
			"large", "recall from 1,000,000 short memories: p50 and p99 by kind of question, memory of the indexes",
			large,
		},
		{"score", "the whole score of a candidate with every term on, and without each: nanoseconds", score},
		{
			"dynamics", "bytes held of what was said of a memory; recall beside feedback and beside consolidation",
			dynamics,
		},
		{
			"spread",
			"activation spreading over 1,000,000 memories with 20,000,000 associations, beside a hundredth of them",
			spread,
		},
		{
			"year",
			"a simulated year of an agent: right and stale answers with each mechanism switched off, and by words " +
				"alone", year,
		},
		{"spaces", "10,000 small spaces opened, asked and closed: memory and descriptors", spaces},
	}
}

// session is what a benchmark runs with.
type session struct {
	ctx    context.Context
	out    io.Writer
	dir    string // an empty directory, removed after the run
	quick  bool
	rounds int // 0 leaves it to the benchmark
	seed   uint64
}

// size is full, or a hundredth of it but at least least in a quick run.
func (s *session) size(full, least int) int {
	if s.quick {
		return max(full/100, least)
	}
	return full
}

// turns is the number of rounds: what the caller asked for, else full, else two in a quick run.
func (s *session) turns(full int) int {
	switch {
	case s.rounds > 0:
		return s.rounds
	case s.quick:
		return 2
	default:
		return full
	}
}

// folder makes a directory of that name within the session's.
func (s *session) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// run parses the arguments, which may stand before or after the benchmark's name, and runs that benchmark.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	quick := flags.Bool("quick", false, "a hundredth of the size, two rounds: shows that it works, not how fast it is")
	base := flags.String("dir", "results", "where the data goes; measured as the file system that holds it")
	rounds := flags.Int("rounds", 0, "rounds per contender; 0 leaves it to the benchmark")
	seed := flags.Uint64("seed", 1, "seed of everything generated")
	profile := flags.String("cpuprofile", "", "writes a profile of the run to this file")
	flags.Usage = func() { usage(out, flags) }
	if err := flags.Parse(args); err != nil {
		return err
	}
	name := flags.Arg(0)
	if name == "" {
		usage(out, flags)
		return nil
	}
	if err := flags.Parse(flags.Args()[1:]); err != nil {
		return err
	}
	if *rounds < 0 || flags.NArg() > 0 {
		return fmt.Errorf("arguments %q: give one benchmark and flags, with -rounds 0 or more", args)
	}
	for _, b := range benchmarks() {
		if b.name == name {
			s := &session{ctx: ctx, out: out, quick: *quick, rounds: *rounds, seed: *seed}
			return profiled(*profile, func() error { return runIn(*base, b, s) })
		}
	}
	return fmt.Errorf("there is no benchmark %q: go run . lists them", name)
}

// profiled runs fn and writes a profile of it to path, unless that is "".
func profiled(path string, fn func() error) (err error) {
	if path == "" {
		return fn()
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("create profile: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return fmt.Errorf("start profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return fn()
}

// runIn gives the benchmark a directory of its own below base and removes it afterwards.
func runIn(base string, b benchmark, s *session) (err error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if s.dir, err = os.MkdirTemp(base, b.name+"-"); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "## %s: %s\n\n", b.name, b.about)
	describe(s)
	return b.run(s)
}

func usage(out io.Writer, flags *flag.FlagSet) {
	fmt.Fprint(out, "usage: go run . <benchmark> [flags]\n\nBenchmarks:\n")
	for _, b := range benchmarks() {
		fmt.Fprintf(out, "  %-9s %s\n", b.name, b.about)
	}
	fmt.Fprint(out, "\nFlags:\n")
	flags.PrintDefaults()
}
