package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
)

const eventsLong = "" +
	"Follow the changes of the space from now on, one a line, until interrupted, until the server stops, or until\n" +
	"--limit of them came. Only a server has changes to tell: a directory that no server holds is changed by nobody."

func (a *app) eventsCommand() *cobra.Command {
	limit := 0
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Follow what happens to memories, through the server that holds the directory",
		Long:    eventsLong,
		Example: "  engram events --json | grep judged",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "end after this `many`; 0 is no limit")
	annotate(cmd.Flags(), zeroCounts, "limit")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		if limit < 0 {
			return usagef("--limit is %d: use 1 or more, or 0 for no limit", limit)
		}
		through, err := a.server(ctx)
		if err != nil {
			return err
		}
		events, err := through.events(ctx)
		if err != nil {
			return err
		}
		a.notef("listening to space %s through the server at %s", a.space, through.base)
		return a.follow(events, limit)
	})
	return cmd
}

// server is the server that holds the directory; without one it is an error.
func (a *app) server(ctx context.Context) (*remote, error) {
	dir, err := a.resolveDataDir()
	if err == nil {
		err = requireDataDir(dir)
	}
	if err != nil {
		return nil, err
	}
	db, through, err := a.open(ctx, dir)
	if err != nil || through != nil {
		return through, err
	}
	return nil, errors.Join(usagef("no server holds %s, so nothing changes it: start one with engram serve", dir),
		db.Close())
}

// follow prints events until they end, or limit of them were printed.
func (a *app) follow(events iter.Seq2[engram.Event, error], limit int) error {
	printed := 0
	for e, err := range events {
		if errors.Is(err, engram.ErrEventsLost) {
			a.notef("%v", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(a.printEvent(e), a.flush()); err != nil {
			return err
		}
		if printed++; printed == limit {
			return nil
		}
	}
	return nil
}

func (a *app) printEvent(e engram.Event) error {
	if a.json {
		return a.printJSON(e)
	}
	parts := []string{whenText(e.At), fmt.Sprint(e.Position), string(e.Kind), printable(e.ID)}
	if e.Version > 0 {
		parts = append(parts, fmt.Sprint("version ", e.Version))
	}
	for _, p := range []struct{ name, value string }{
		{"signal", string(e.Signal)}, {"other", e.Other}, {"because", e.Reason},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+printable(p.value))
		}
	}
	a.printf("%s\n", strings.Join(parts, "  "))
	return nil
}

// events listens to the space, from the moment that it returns until ctx or the server ends.
func (r *remote) events(ctx context.Context) (iter.Seq2[engram.Event, error], error) {
	resp, err := r.do(ctx, http.MethodGet, r.url("events"), "", nil)
	if err != nil {
		return nil, err
	}
	return func(yield func(engram.Event, error) bool) {
		defer resp.Body.Close() //nolint:errcheck // all of it that is wanted was read
		lines := bufio.NewReader(resp.Body)
		kind := ""
		for {
			line, err := lines.ReadString('\n')
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return
			}
			if err != nil {
				yield(engram.Event{}, fmt.Errorf("read the server's events: %w", err))
				return
			}
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch name {
			case "event":
				kind = value
			case "data":
				if !yield(readEvent(kind, value)) {
					return
				}
			}
		}
	}, nil
}

// readEvent reads the data of an event.
func readEvent(kind, data string) (e engram.Event, err error) {
	if kind == "lost" {
		var text string
		if err := json.Unmarshal([]byte(data), &text); err != nil {
			return e, fmt.Errorf("read the server's events: %w", err)
		}
		return e, fmt.Errorf("%w by the server: %s", engram.ErrEventsLost, text)
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return e, fmt.Errorf("read the server's events: %w", err)
	}
	return e, nil
}
