package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

// progressEvery is how often the progress bar is drawn at most: chosen, a rate that looks fluid.
const progressEvery = 100 * time.Millisecond

func (a *app) importCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "import FILE | -",
		Short: "Store memories from JSON lines: what export writes, or drafts",
		Long: "Read memories from a file, or from standard input, one JSON object a line: what 'engram export'\n" +
			"writes, or drafts with at least a content. A bad line is reported with its number and the rest is\n" +
			"imported; the exit code is then 2. Importing the same file twice changes nothing.",
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "stop at the first bad line; what was stored before it stays")
	cmd.RunE = a.command(func(ctx context.Context, args []string) error {
		input, sizeBytes, err := a.openInput(args[0])
		if err != nil {
			return err
		}
		defer input.Close()
		return a.withBackend(ctx, creating, func(b backend) error {
			return a.importFrom(ctx, b, a.withProgress(input, sizeBytes), strict)
		})
	})
	return cmd
}

// openInput opens a file, or standard input for "-". The size in bytes is -1 if it is not known beforehand.
func (a *app) openInput(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(a.stdin), -1, nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, 0, fmt.Errorf("open input: %w: %w", err, engram.ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open input: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = usagef("%s is a directory; give a file of JSON lines, or - for standard input", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

// progressReader is an input whose bytes move a progress bar.
type progressReader struct {
	io.Reader
	bar *progressbar.ProgressBar // nil if nobody is looking
}

// finish removes the bar from the terminal.
func (p progressReader) finish() {
	if p.bar != nil {
		_ = p.bar.Clear() // The bar is for the eyes; an import does not fail by it.
	}
}

// withProgress draws a progress bar on standard error if that is a terminal.
func (a *app) withProgress(r io.Reader, sizeBytes int64) progressReader {
	if !a.terminal(a.stderr) {
		return progressReader{Reader: r}
	}
	bar := progressbar.NewOptions64(sizeBytes,
		progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(progressEvery),
		progressbar.OptionClearOnFinish(),
	)
	reader := progressbar.NewReader(r, bar)
	return progressReader{Reader: &reader, bar: bar}
}

// importFrom imports and reports. Bad lines are an error at the end, so that a script notices them.
func (a *app) importFrom(ctx context.Context, b backend, input progressReader, strict bool) error {
	report, err := b.Import(ctx, input.Reader, engram.ImportOptions{Strict: strict})
	input.finish()
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Report != nil {
		report = *p.Report
	}
	for _, bad := range report.Bad {
		a.notef("line %d: %s", bad.Line, printable(bad.Error))
	}
	if more := report.BadCount - len(report.Bad); more > 0 {
		a.notef("and %s", counted(more, "more bad line", "more bad lines"))
	}
	if a.json {
		err = errors.Join(err, a.printJSON(report))
	} else {
		a.printImport(report)
	}
	if err == nil && report.BadCount > 0 {
		err = fmt.Errorf("%s refused, the rest is imported: %w",
			counted(report.BadCount, "line was", "lines were"), engram.ErrInvalid)
	}
	return err
}

// printImport prints the summary.
func (a *app) printImport(r engram.ImportReport) {
	a.printf("%s (%s): %d created, %d later versions, %d told more, %d of the space, %d unchanged, %d reinforced, "+
		"%s, %d refused\n", counted(r.Lines, "line", "lines"), counted(int(r.Bytes), "byte", "bytes"),
		r.Created, r.Versions, r.Merged, r.Others, r.Unchanged, r.Reinforced, counted(r.Links, "link", "links"),
		r.BadCount)
}
