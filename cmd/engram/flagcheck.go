package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every flag that is given takes effect. A flag that is not given has the zero value of its type, so that an empty
// value, or a number 0, would be as if it had not been given: both are refused, where they do not mean something.

// Annotations of flags.
const (
	emptyClears = "engram-empty-clears" // an empty value says that a field is to be cleared
	zeroCounts  = "engram-zero-counts"  // 0 says something, such as that there is no bound
)

// annotate gives flags an annotation.
func annotate(set *pflag.FlagSet, annotation string, names ...string) {
	for _, name := range names {
		if err := set.SetAnnotation(name, annotation, nil); err != nil {
			panic(err) // there is no such flag: a defect of the command's
		}
	}
}

// checkFlags refuses flags that were given and would have no effect.
func (a *app) checkFlags(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if err == nil {
			err = checkFlag(f)
		}
	})
	if err == nil && a.wait < 0 {
		err = fmt.Errorf("--wait is %v: want a duration from 0", a.wait)
	}
	return err
}

func checkFlag(f *pflag.Flag) error {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = list.GetSlice()
	}
	if _, clears := f.Annotations[emptyClears]; !clears && slices.Contains(values, "") {
		return fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name)
	}
	_, counts := f.Annotations[zeroCounts]
	if !counts && slices.Contains([]string{"int", "int64", "uint64"}, f.Value.Type()) && values[0] == "0" {
		return fmt.Errorf("--%s is 0: want a whole number from 1, or leave it out", f.Name)
	}
	if !counts && f.Value.Type() == "duration" && values[0] == "0s" {
		return fmt.Errorf("--%s is 0: want a duration such as 50ms, 2s or 5m, or leave it out", f.Name)
	}
	return nil
}

// flagError says what a flag wants, in the place of what the parser of its type says.
func flagError(_ *cobra.Command, err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	f := invalid.GetFlag()
	wants := map[string]string{
		"int": "want a whole number", "int64": "want a whole number", "uint64": "want a whole number",
		"float64":  "want a number",
		"duration": "want a duration such as 50ms, 2s or 5m", "bool": "want true or false",
	}[f.Value.Type()]
	if wants == "" {
		wants = errors.Unwrap(err).Error()
	}
	return fmt.Errorf("--%s is %s: %s", f.Name, strconv.Quote(invalid.GetValue()), wants)
}
