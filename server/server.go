// Package server composes the front doors into one HTTP server: /v1, /healthz and /readyz (httpapi) and /mcp (mcpapi).
//
// # Invariants
//
// Over a loopback connection only requests for this machine's own names are served, so that a page which rebinds its
// name to 127.0.0.1 reaches nothing; writes from a browser page of another origin are refused everywhere.
//
// # Concurrency
//
// [Server.Serve] owns the goroutines of the connections and returns after the requests in flight have ended. A panic
// ends its request and nothing else.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/httpapi"
	"github.com/orchard9/engram-go/server/mcpapi"
)

// DefaultAddr is where the server listens unless told otherwise: this machine only.
const DefaultAddr = "127.0.0.1:7474"

// maxMCP is how many requests of /mcp are worked on at once: each may hold a message of 4 MiB, all of them 256 MiB.
const maxMCP = 64

// Options of a server; the zero value is the default.
type Options struct {
	// Logger gets failures that are not the client's. nil discards them.
	Logger *slog.Logger
	// Version is what the MCP door calls this program's version; "" means "dev".
	Version string
	// Hosts are names, without port, under which the server may be reached over loopback besides localhost and
	// loopback addresses: those of a reverse proxy on this machine.
	Hosts []string
	// MaxRequests is how many requests are worked on at once; more are refused with 503. 0 means 512.
	MaxRequests int
	// Grace is how long a shutdown waits for requests in flight before it cancels them. 0 means 10 seconds.
	Grace time.Duration
	// Serving, if not nil, is called when requests are answered and the directory has the address; its error ends
	// Serve.
	Serving func() error
}

// withDefaults returns o with every default filled in.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Version = cmp.Or(o.Version, "dev")
	o.MaxRequests = cmp.Or(o.MaxRequests, 512)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	return o
}

// Server serves one engine.
type Server struct {
	db      *engram.DB
	opts    Options
	api     *httpapi.API
	handler http.Handler
}

// New returns a server for db, which stays the caller's to close, after Serve has returned.
func New(db *engram.DB, o Options) (*Server, error) {
	if o.MaxRequests < 0 || o.Grace < 0 {
		return nil, &engram.InvalidError{
			Field:   "max_requests, grace",
			Value:   fmt.Sprintf("%d, %v", o.MaxRequests, o.Grace),
			Allowed: "must not be negative",
		}
	}
	o = o.withDefaults()
	mcp, err := mcpapi.New(mcpapi.Engine(db), mcpapi.Options{Version: o.Version, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	api := httpapi.New(db, o.Logger)
	few := limiter(min(maxMCP, o.MaxRequests))
	doors := split(api, few(httpapi.Isolate(mcp.Handler(), o.Logger)), limiter(o.MaxRequests))
	// What a foreign page sends is refused before it takes a place or is read.
	return &Server{db: db, opts: o, api: api, handler: onlyHosts(o.Hosts, sameOrigin(doors))}, nil
}

// split sends /mcp to mcp and the rest to api, both within the limit; health is told whatever the load. It is not a
// ServeMux because that redirects paths it finds unclean, and what a path means is the api's to judge.
func split(api, mcp http.Handler, limit func(http.Handler) http.Handler) http.Handler {
	limitedAPI, limitedMCP := limit(api), limit(mcp)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/mcp":
			limitedMCP.ServeHTTP(w, r)
		case "/healthz", "/readyz":
			api.ServeHTTP(w, r)
		default:
			limitedAPI.ServeHTTP(w, r)
		}
	})
}

// Handler returns all doors as one handler, for embedding into another program's server.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve answers requests on l until ctx ends, then lets the requests in flight end, for at most Options.Grace, and
// cancels what is left. It closes l. While it runs, the engine's directory has the address for [ReadAddress]. The
// result is nil after an orderly end; otherwise it says how the server failed or that requests were cut off.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	address := Address{Addr: reachable(l.Addr()), PID: os.Getpid(), Started: time.Now().UTC()}
	if err := WriteAddress(s.db.Dir(), address); err != nil {
		return errors.Join(err, l.Close())
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	hs := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
	}
	hs.RegisterOnShutdown(s.api.EndStreams)
	ended := make(chan error, 1)
	go func() { ended <- hs.Serve(l) }()
	var err error
	if s.opts.Serving != nil {
		if err = s.opts.Serving(); err != nil {
			err = errors.Join(err, s.shutdown(hs, cancel))
			<-ended
			return errors.Join(err, RemoveAddress(s.db.Dir(), address))
		}
	}
	select {
	case err = <-ended:
		err = fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
		err = s.shutdown(hs, cancel)
		<-ended
	}
	return errors.Join(err, RemoveAddress(s.db.Dir(), address))
}

// shutdown ends hs: new connections at once, requests in flight when they are done or the grace is over.
func (s *Server) shutdown(hs *http.Server, cancel context.CancelFunc) error {
	grace, stop := context.WithTimeout(context.Background(), s.opts.Grace)
	defer stop()
	if err := hs.Shutdown(grace); err == nil {
		return nil
	}
	cancel()
	// What ends when it is canceled gets a moment to say so; then the connections are cut.
	last, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	_ = hs.Shutdown(last) // Close follows whatever it says.
	return errors.Join(fmt.Errorf("shut down: requests still ran after %v and were cut off", s.opts.Grace), hs.Close())
}
