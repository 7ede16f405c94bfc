package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	engram "github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server"
	"github.com/orchard9/engram-go/server/mcpapi"
)

const mcpLong = "" +
	"Serve the tools remember, recall, forget, get, update, link, feedback and status to an agent that starts\n" +
	"this command. It works on the directory itself, or through the server that holds it: start 'engram serve'\n" +
	"once to share a directory among several agents."

func (a *app) mcpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "mcp",
		Short: "Serve agents over the Model Context Protocol on standard input and output",
		Long:  mcpLong,
		Args:  cobra.NoArgs,
		RunE: a.command(func(ctx context.Context, _ []string) error {
			dir, err := a.resolveDataDir()
			if err != nil {
				return err
			}
			db, through, err := a.open(ctx, dir)
			if err != nil {
				return err
			}
			if through != nil {
				a.notef("through the server at %s", through.base)
				return a.serveAgent(ctx, remoteSpaces{through, dir})
			}
			a.notef("directly on %s", dir)
			return errors.Join(a.serveAgent(ctx, mcpapi.Engine(db)), db.Close())
		}),
	}
}

// serveAgent serves one session. Standard output belongs to the protocol.
func (a *app) serveAgent(ctx context.Context, b mcpapi.Backend) error {
	s, err := mcpapi.New(b, mcpapi.Options{
		Space:   a.space,
		Version: buildVersion().Version,
		Logger:  slog.New(slog.NewTextHandler(a.stderr, nil)),
	})
	if err != nil {
		return err
	}
	return s.Stdio(ctx, a.stdin, a.stdout)
}

// remoteSpaces is the server of a directory as the agents' door sees it: any space, by its name. A session may outlive
// the server: each call goes to the one that serves by now.
type remoteSpaces struct {
	*remote
	dir string
}

var _ mcpapi.Backend = remoteSpaces{}

// in is the client of a space.
func (r remoteSpaces) in(space string) *remote {
	in := &remote{base: r.base, space: space, http: r.http}
	address, err := server.ReadAddress(r.dir)
	if err != nil {
		in.gone = noServer(in.base, err)
		return in
	}
	in.base = "http://" + address.Addr
	return in
}

func (r remoteSpaces) Remember(ctx context.Context, space string, d engram.Draft) (engram.Outcome, error) {
	return r.in(space).Remember(ctx, d)
}

func (r remoteSpaces) Recall(ctx context.Context, space string, cue engram.Cue) (engram.Answer, error) {
	return r.in(space).Recall(ctx, cue)
}

func (r remoteSpaces) Forget(
	ctx context.Context, space string, q engram.ForgetRequest,
) (engram.ForgetReport, error) {
	return r.in(space).Forget(ctx, q)
}

func (r remoteSpaces) Get(ctx context.Context, space, id string) (engram.Memory, error) {
	return r.in(space).Get(ctx, id)
}

func (r remoteSpaces) Feedback(ctx context.Context, space string, f engram.Feedback) (engram.FeedbackReport, error) {
	return r.in(space).Feedback(ctx, f)
}

func (r remoteSpaces) History(ctx context.Context, space, id string) ([]engram.Memory, error) {
	return r.in(space).History(ctx, id)
}

func (r remoteSpaces) Update(ctx context.Context, space, id string, c engram.Change) (engram.Outcome, error) {
	return r.in(space).Update(ctx, id, c)
}

func (r remoteSpaces) Link(ctx context.Context, space, from string, l engram.Link) error {
	return r.in(space).Link(ctx, from, l)
}

func (r remoteSpaces) Unlink(ctx context.Context, space, from, to, linkType string) (bool, error) {
	return r.in(space).Unlink(ctx, from, to, linkType)
}

func (r remoteSpaces) Stats(ctx context.Context, space string) (engram.SpaceStats, error) {
	return r.in(space).Stats(ctx)
}

func (r remoteSpaces) Contradictions(ctx context.Context, space, id string) ([]engram.Contradiction, error) {
	return r.in(space).Contradictions(ctx, id)
}
