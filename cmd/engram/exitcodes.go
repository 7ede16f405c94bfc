package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

// exitOK is the exit code of success.
const exitOK = problem.ExitOK

// exitCode returns the exit code of an error, by the table that all doors share.
func exitCode(err error) int { return problem.ExitCode(err) }

// isNotFound reports whether err says that something does not exist.
func isNotFound(err error) bool { return errors.Is(err, engram.ErrNotFound) }

// exitCodesTopic is the help page on exit codes, made from the table itself.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "The exit codes of every command",
		Long:  exitCodesText(),
	}
}

// exitCodesText lists the codes with what they stand for.
func exitCodesText() string {
	titles := map[int][]string{exitOK: {"Done; \"nothing relevant is known\" is an answer too"}}
	for _, kind := range problem.Kinds() {
		titles[kind.Exit] = append(titles[kind.Exit], kind.Title)
	}
	codes := make([]int, 0, len(titles))
	for code := range titles {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	var text strings.Builder
	text.WriteString("Every command ends with one of these exit codes:\n\n")
	for _, code := range codes {
		fmt.Fprintf(&text, "  %d  %s\n", code, strings.Join(titles[code], "\n     "))
	}
	text.WriteString(exitCodesMore)
	return text.String()
}

const exitCodesMore = "\n" +
	"A command line that was not understood is 2. An import that refused some lines and stored\n" +
	"the rest is 2 as well; verify is 7 if it finds damage, and so are export\n" +
	"and forget if memories could not be read, when they have done the rest; forget is 3 if an id does not exist.\n"
