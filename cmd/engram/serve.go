package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server"
)

// serving is what serve prints with --json.
type serving struct {
	Data    string `json:"data"`
	Address string `json:"address"`
}

const (
	// defaultScrub, in MiB a second, is chosen: it is not felt beside other work, and goes through 600 GiB in a day.
	defaultScrub = 8
	// defaultColdAfter is the engine's.
	defaultColdAfter = 720 * time.Hour
	// defaultEraseExpired is the engine's.
	defaultEraseExpired = 720 * time.Hour
	// maxRate bounds flags in MiB a second.
	maxRate = 1 << 20
	// maxBudget bounds budgets in MiB, so that their bytes can be counted.
	maxBudget = 1 << 40
)

func (a *app) serveCommand() *cobra.Command {
	var addr string
	var hosts []string
	var scrub int64
	var coldAfter, eraseExpired time.Duration
	var spaceMiB, memoryMiB, freeMiB int64
	background := &a.engine.Consolidation
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the data directory over HTTP and MCP until interrupted",
		Long: "Hold the data directory and serve it over HTTP under /v1 and MCP under /mcp. Other commands on this\n" +
			"machine find the server by themselves. There is no access control: the default address is reached\n" +
			"from this machine only.",
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVar(&addr, "addr", server.DefaultAddr, "`HOST:PORT` to listen on; port 0 takes a free one")
	cmd.Flags().StringArrayVar(&hosts, "host", nil,
		"a further `name` under which a proxy on this machine may ask; repeatable")
	cmd.Flags().Int64Var(&scrub, "scrub", defaultScrub,
		"read through everything stored, again and again, at this many `MiB` a second, to find damage in time; "+
			"0 for never")
	cmd.Flags().DurationVar(&coldAfter, "cold-after", defaultColdAfter,
		"pack segments that recall has not needed for this `duration` into less space, and back what it has; "+
			"0 for never")
	cmd.Flags().DurationVar(&eraseExpired, "erase-expired", defaultEraseExpired,
		"erase a memory this `duration` after it has expired; 0 for never")
	cmd.Flags().DurationVar(&background.Every, "consolidate-every", 0,
		"consolidate restatements in the background, each time after this `duration`; 0 is never")
	cmd.Flags().DurationVar(&background.MaxTime, "consolidate-time", 0,
		"end a pass of a space before the next cluster after this `duration`; 0 is no limit")
	cmd.Flags().IntVar(&background.MaxMemories, "consolidate-memories", 0,
		"how many memories a pass compares, the newest: a `number` up to 200000; 0 is 20000")
	cmd.Flags().BoolVar(&a.engine.LinkUsedTogether, "link-used-together", false,
		"let associations grow between memories that one feedback says were useful together")
	cmd.Flags().IntVar(&a.engine.MaxMemories, "max-memories", 0,
		"the most active memories of a space: what goes beyond archives those of least worth, never pinned ones; "+
			"0 is no limit")
	budgets := &a.engine.Budgets
	for _, f := range []struct {
		name  string
		value *int64
		usage string
	}{
		{
			"space-rows", &budgets.SpaceRows,
			"the most rows of a space: versions, and erased ones until a compaction; a `number`",
		},
		{"space-mib", &spaceMiB, "the most `MiB` that what a space holds takes on disk, its log besides"},
		{"memory-mib", &memoryMiB, "refuse writes above this many `MiB` in use in the process's heap"},
		{"free-mib", &freeMiB, "refuse writes that leave less than this many `MiB` of the disk free"},
		{"spaces", &budgets.Spaces, "the most spaces, a `number`"},
	} {
		cmd.Flags().Int64Var(f.value, f.name, 0, f.usage+"; 0 is no limit")
		annotate(cmd.Flags(), zeroCounts, f.name)
	}
	annotate(cmd.Flags(), zeroCounts, "scrub", "consolidate-every", "max-memories", "cold-after", "erase-expired")
	cmd.RunE = a.command(func(ctx context.Context, _ []string) error {
		if scrub < 0 || scrub > maxRate {
			return usagef("--scrub is %d: use 0 to %d MiB a second", scrub, maxRate)
		}
		if coldAfter != 0 && coldAfter < 24*time.Hour {
			return usagef("--cold-after is %v: use 24h or more, or 0 for never", coldAfter)
		}
		if background.Every == 0 && (background.MaxTime != 0 || background.MaxMemories != 0) {
			return usagef("--consolidate-time and --consolidate-memories bound passes: give --consolidate-every, too")
		}
		for _, n := range []int64{spaceMiB, memoryMiB, freeMiB} {
			if n < 0 || n > maxBudget {
				return usagef("--space-mib, --memory-mib or --free-mib is %d: use 0 to %d", n, int64(maxBudget))
			}
		}
		budgets.SpaceBytes, budgets.MemoryBytes, budgets.FreeDiskBytes = spaceMiB<<20, memoryMiB<<20, freeMiB<<20
		a.engine.ScrubBytesPerSecond = scrub << 20
		if eraseExpired < 0 {
			return usagef("--erase-expired is %v: use a duration, or 0 for never", eraseExpired)
		}
		a.engine.Compaction.ColdAfter = cmp.Or(coldAfter, -1)
		a.engine.Compaction.EraseExpired = cmp.Or(eraseExpired, -1)
		log := slog.New(slog.NewTextHandler(a.stderr, nil))
		background.Report = func(space string, c engram.Consolidation, err error) { logPass(log, space, c, err) }
		a.engine.OnTorn = func(t engram.Torn) {
			log.Warn("an unfinished write was dropped", "space", t.Space, "torn", t.String())
		}
		dir, err := a.resolveDataDir()
		if err != nil {
			return err
		}
		db, through, err := a.open(ctx, dir)
		if err != nil {
			return err
		}
		if through != nil {
			return fmt.Errorf("%s is served already, at %s: use that server, stop it, or give another --data: %w",
				dir, through.base, engram.ErrLocked)
		}
		return errors.Join(a.serve(ctx, db, log, serveOptions{addr, hosts}), db.Close())
	})
	return cmd
}

// logPass tells of a pass in the background that did something or failed.
func logPass(log *slog.Logger, space string, c engram.Consolidation, err error) {
	switch {
	case err != nil:
		log.Error("consolidation failed", "space", space, "error", err)
	case len(c.Concepts)+len(c.Problems) > 0:
		log.Info("consolidated", "space", space, "memories", c.Archived, "concepts", len(c.Concepts), "problems",
			c.Problems)
	}
}

// serveOptions are where the server is reached.
type serveOptions struct {
	addr  string
	hosts []string
}

// serve listens and serves until ctx ends.
func (a *app) serve(ctx context.Context, db *engram.DB, log *slog.Logger, o serveOptions) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return usagef("cannot listen on %s: %w. Stop what uses the address, or choose another with --addr, "+
			"such as --addr 127.0.0.1:0 for any free port", o.addr, err)
	}
	s, err := server.New(db, server.Options{
		Logger: log, Version: buildVersion().Version, Hosts: o.hosts,
		Serving: func() error { return a.printServing(db.Dir(), listener.Addr()) },
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	err = s.Serve(ctx, listener)
	if err == nil {
		a.notef("stopped; everything acknowledged is on disk")
	}
	return err
}

// printServing says where the memories are, where the server is, and what to try.
func (a *app) printServing(dir string, at net.Addr) error {
	url := "http://" + at.String()
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() { // every address of this machine, this one too
		url = fmt.Sprintf("http://127.0.0.1:%d", tcp.Port)
	}
	if a.json {
		return errors.Join(a.printJSON(serving{Data: dir, Address: url}), a.flush())
	}
	if tcp, ok := at.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		a.notef("warning: %s is reached from other machines, and there is no access control", at)
	}
	command := a.program
	if a.dataDir != "" {
		command += " --data " + shellQuote(dir)
	}
	a.printf("data    %s\nserver  %s  (HTTP under /v1, MCP under /mcp)\n\n", dir, url)
	a.printf("Try, in another terminal:\n")
	a.printf("  %s remember 'The door of the observatory sticks in wet weather'\n", command)
	a.printf("  %s recall door\n", command)
	a.printf("  curl -s -H 'Content-Type: application/json' -d '{\"query\":\"door\"}' %s/v1/spaces/default/recall\n",
		url)
	a.printf("Stop with Ctrl-C.\n")
	return a.flush()
}
