package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

// process is what the operating system gives a command. Tests give something else.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	terminal       func(stream any) bool
	zone           *time.Location // of times that are typed without an offset
	program        string         // how a person calls this binary
}

// app is one command line being executed.
type app struct {
	process
	out *bufio.Writer // standard output; flushed when the command returns

	// Global flags.
	dataDir string
	space   string
	json    bool
	wait    time.Duration

	engine engram.Options // what a directory is opened with; serve has flags for some of it

	started bool // the command line was understood; an error before that is one of usage
}

// defaultWait is how long a command waits for a directory that another process holds without serving it: chosen to be
// longer than another short command takes, and shorter than a person's patience.
const defaultWait = 2 * time.Second

func newApp(p process) *app {
	a := &app{process: p, out: bufio.NewWriter(p.stdout)}
	a.engine.OnTorn = func(t engram.Torn) { a.notef("space %s: %s", t.Space, printable(t.String())) }
	return a
}

// rootCommand builds the tree of commands.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "engram",
		Short: "A memory engine: remembers text, recalls it by words, time and association",
		Long: "Engram remembers text and recalls it by words, vectors, time and association.\n" +
			"Every command works directly on the data directory, or through the server that holds it.",
		SilenceUsage:      true,
		SilenceErrors:     true,
		Args:              a.noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: a.checkFlags,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&a.dataDir, "data", "", "data `directory` (environment ENGRAM_DATA_DIR; default: the platform's)")
	flags.StringVar(&a.space, "space", engram.DefaultSpace, "the `name` of the space to work in")
	flags.BoolVar(&a.json, "json", false, "print JSON: one document a line")
	flags.DurationVar(&a.wait, "wait", defaultWait, "how long to wait for a directory that another command holds")
	annotate(flags, zeroCounts, "wait")
	root.AddCommand(
		a.serveCommand(), a.mcpCommand(), a.demoCommand(), a.demoWriterCommand(),
		a.rememberCommand(), a.recallCommand(), a.completeCommand(), a.consolidateCommand(), a.predictCommand(),
		a.getCommand(), a.updateCommand(), a.spreadCommand(), a.feedbackCommand(), a.sourcesCommand(), a.fitCommand(),
		a.eventsCommand(), a.forgetCommand(), a.unarchiveCommand(), a.linkCommand(),
		a.importCommand(), a.exportCommand(), a.backupCommand(), a.restoreCommand(),
		a.statsCommand(), a.evalCommand(), a.labCommand(), a.verifyCommand(), a.compactCommand(),
		a.reembedCommand(), a.repairCommand(), a.upgradeCommand(),
		a.versionCommand(), a.queryCommand(), a.heldCommand(), a.contradictionsCommand(),
		exitCodesTopic(),
	)
	root.SetHelpCommand(helpCommand())
	return root
}

// noSuchCommand refuses arguments of the bare binary, with the commands that were perhaps meant.
func (a *app) noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return fmt.Errorf("%s Run 'engram help' for the list", strings.TrimSuffix(text, "?")+".")
}

// helpCommand is cobra's help command, except that it refuses what it does not know.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command or a topic",
		RunE: func(cmd *cobra.Command, args []string) error {
			topic, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("there is no help on %q. Run 'engram help' for the list", strings.Join(args, " "))
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// command wraps the body of a command: it marks the end of the command line's understanding, and flushes the answer.
func (a *app) command(body func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		err := body(cmd.Context(), args)
		unsent := a.flush()
		if err != nil && unsent != nil && errors.Is(err, errors.Unwrap(unsent)) {
			return err // not told twice
		}
		return errors.Join(err, unsent)
	}
}

// flush sends what was printed to standard output.
func (a *app) flush() error {
	if err := a.out.Flush(); err != nil {
		return fmt.Errorf("write standard output: %w", err)
	}
	return nil
}

// printf prints to standard output; flush tells of an error.
func (a *app) printf(format string, args ...any) {
	fmt.Fprintf(a.out, format, args...)
}

// notef prints a line to standard error, where it does not mix with the answer.
func (a *app) notef(format string, args ...any) {
	fmt.Fprintf(a.stderr, "engram: "+format+"\n", args...)
}

// printJSON prints v as one line of JSON.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// usageError is returned when a command line was not understood. Nothing was done.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// Unwrap makes the cause and its class visible to errors.Is.
func (e *usageError) Unwrap() []error { return []error{e.err, engram.ErrInvalid} }

// usagef makes a usageError.
func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}
