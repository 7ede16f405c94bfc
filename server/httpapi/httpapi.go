// Package httpapi is the HTTP/JSON door: the routes under /v1, /healthz and /readyz. docs/http.md describes each.
//
// It decodes strictly, calls the root package and encodes; it has no logic, defaults or validation of its own.
//
// # Invariants
//
// Everything accepted takes effect: unknown fields, unknown or doubled query parameters, a body where none is taken,
// another media type, trailing data and bytes that are not UTF-8 are refused by name. Every error is a
// problem.Problem. Bodies are limited before they are read, all buffered bodies together too, so that requests cannot
// exhaust memory. An answer that fails after its first byte is cut off, never ended as if it were whole.
//
// # Concurrency
//
// The handler may serve any number of requests at once. A panic ends its request and nothing else.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// Limits of bodies, in bytes. Chosen: a memory at the engine's default limits needs at most 0.6 MiB with every byte of
// its text escaped and a vector of 4096 numbers; a batch is held whole, so it is bounded by what a server can spare.
const (
	maxBody  = 4 << 20   // any body but a batch
	maxBatch = 32 << 20  // of memories:batch
	maxHeld  = 256 << 20 // all bodies that are held at one moment
)

// API serves the routes. Make it with New.
type API struct {
	db   *engram.DB
	log  *slog.Logger
	mux  *http.ServeMux
	held atomic.Int64 // bytes of bodies held now, never above maxHeld

	streams context.Context // ends when event streams shall
	end     context.CancelFunc

	drafts  *wire.Decoder[wire.Draft]
	batches *wire.Decoder[wire.Batch]
	changes *wire.Decoder[wire.Change]
	cues    *wire.Decoder[wire.Cue]
	links   *wire.Decoder[wire.Link]
	forgets *wire.Decoder[engram.ForgetRequest]
	backups *wire.Decoder[engram.BackupOptions]
	upgrade *wire.Decoder[engram.UpgradeOptions]
	partial *wire.Decoder[wire.Partial]
	spreads *wire.Decoder[engram.SpreadRequest]
	passes  *wire.Decoder[wire.Consolidate]
	undos   *wire.Decoder[wire.UndoConsolidation]
	before  *wire.Decoder[engram.Precedent]
	queries *wire.Decoder[wire.Query]
	judged  *wire.Decoder[engram.Feedback]
	fits    *wire.Decoder[engram.FitOptions]
	names   *wire.Decoder[wire.EmbeddingModel]
}

var _ http.Handler = (*API)(nil)

// New returns the handler for db, which stays the caller's to close after the last request. Failures that are not the
// client's go to log; nil discards them.
func New(db *engram.DB, log *slog.Logger) *API {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &API{
		db: db, log: log, mux: http.NewServeMux(),
		drafts:  wire.NewDecoder[wire.Draft](),
		batches: wire.NewDecoder[wire.Batch](),
		changes: wire.NewDecoder[wire.Change](),
		cues:    wire.NewDecoder[wire.Cue](),
		links:   wire.NewDecoder[wire.Link](),
		forgets: wire.NewDecoder[engram.ForgetRequest](),
		backups: wire.NewDecoder[engram.BackupOptions](),
		upgrade: wire.NewDecoder[engram.UpgradeOptions](),
		partial: wire.NewDecoder[wire.Partial](),
		spreads: wire.NewDecoder[engram.SpreadRequest](),
		passes:  wire.NewDecoder[wire.Consolidate](),
		undos:   wire.NewDecoder[wire.UndoConsolidation](),
		before:  wire.NewDecoder[engram.Precedent](),
		queries: wire.NewDecoder[wire.Query](),
		judged:  wire.NewDecoder[engram.Feedback](),
		fits:    wire.NewDecoder[engram.FitOptions](),
		names:   wire.NewDecoder[wire.EmbeddingModel](),
	}
	a.streams, a.end = context.WithCancel(context.Background())
	byPath := map[string][]route{}
	for _, r := range routes() {
		byPath[r.path] = append(byPath[r.path], r)
	}
	for p, choices := range byPath {
		a.mux.Handle(p, a.dispatch(choices))
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		text := "there is no route " + r.URL.EscapedPath() +
			": see docs/http.md; ids and names in paths are percent-encoded"
		a.fail(w, r, problem.New(problem.CodeUnknownRoute, text))
	})
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Isolate(http.HandlerFunc(a.serve), a.log).ServeHTTP(w, r)
}

// EndStreams ends the event streams, present and future, which would otherwise outlast any shutdown.
func (a *API) EndStreams() { a.end() }

// serve refuses paths that the mux would redirect: a redirected write is a surprise, and what a client meant by
// a doubled slash or a dot segment is more likely an id that it forgot to encode.
func (a *API) serve(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.EscapedPath(); path.Clean(p) != p {
		bad := problem.New(problem.CodeInvalid, "the path "+p+" has an empty or dot segment, or ends in a slash: "+
			"percent-encode ids, with dots as %2E and slashes as %2F")
		bad.Field = "path"
		a.fail(w, r, bad)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// dispatch chooses among the routes of one path by method. HEAD is GET without the body.
func (a *API) dispatch(choices []route) http.Handler {
	var methods []string
	for _, c := range choices {
		methods = append(methods, c.method)
		if c.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range choices {
			if c.method != r.Method && (c.method != http.MethodGet || r.Method != http.MethodHead) {
				continue
			}
			if err := a.run(c, w, r); err != nil {
				a.fail(w, r, err)
			}
			return
		}
		w.Header().Set("Allow", allow)
		p := problem.New(problem.CodeMethod, r.URL.EscapedPath()+" does not take "+r.Method+": it takes "+allow)
		p.Field, p.Value, p.Allowed = "method", r.Method, allow
		a.fail(w, r, p)
	})
}

// run answers one request by its route.
func (a *API) run(c route, w http.ResponseWriter, r *http.Request) error {
	q := &call{r: r}
	if err := q.params(c.params); err != nil {
		return err
	}
	if name := r.PathValue("space"); name != "" {
		space, err := a.db.Space(name)
		if err != nil {
			return err
		}
		q.space = space
	}
	free, err := a.body(w, q, c)
	if err != nil {
		return err
	}
	defer free()
	return c.handle(a, w, q)
}
