// Command engram is the memory engine's binary: a server, a command line and a demonstration over one embedded store.
//
//	engram serve                      # HTTP and MCP on 127.0.0.1:7474
//	engram remember The rail has sunk # works on the directory, or through the server that holds it
//	engram recall rail
//
// One file holds one command. Flags and environment are read in this package and nowhere else; every default of the
// engine stays in the engine: a flag that was not given is not passed on.
//
// # Invariants
//
// A command behaves the same on the directory and through a server: it speaks to a backend, which is either the
// engine's own space or an HTTP client of a server that holds the directory. Standard output carries the answer only,
// so that it can be piped; everything else goes to standard error. Unknown flags and arguments are errors.
//
// # Concurrency
//
// A command runs on one goroutine, apart from the server's. An interrupt cancels the command's context; a second one
// ends the process.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/orchard9/engram-go/server/problem"
)

func main() {
	os.Exit(mainExit())
}

// mainExit runs the command line of this process and returns its exit code, after every deferred call has run.
func mainExit() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second interrupt must end a command that is slow to obey the first.
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], process{
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		getenv:   os.Getenv,
		terminal: isTerminal,
		zone:     time.Local,
		program:  programName(),
	})
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, p process) int {
	if i := slices.IndexFunc(args, func(arg string) bool { return !utf8.ValidString(arg) }); i >= 0 {
		fmt.Fprintf(p.stderr, "engram: argument %d is not UTF-8: set the terminal to UTF-8, or pipe the text in\n", i+1)
		return problem.ExitInvalid
	}
	a := newApp(p)
	root := a.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !a.started {
		if cmd != root {
			err = fmt.Errorf("%w. Usage: %s, more with --help", err, cmd.UseLine())
		}
		err = &usageError{err: err}
	}
	// Errors that are joined stand on lines of their own.
	fmt.Fprintf(p.stderr, "engram: %s\n", printable(strings.ReplaceAll(err.Error(), "\n", "; ")))
	return exitCode(err)
}

// isTerminal reports whether stream is a file that a person looks at.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// programName returns how a person can call this binary again: by its name if the shell finds it, else by its path. A
// binary that 'go run' built is gone afterwards and is called by 'go run' again.
func programName() string {
	if _, err := exec.LookPath("engram"); err == nil {
		return "engram"
	}
	self, err := os.Executable()
	if err != nil {
		return "engram"
	}
	if strings.Contains(filepath.ToSlash(self), "/go-build") {
		return "go run ./cmd/engram"
	}
	return shellQuote(self)
}
