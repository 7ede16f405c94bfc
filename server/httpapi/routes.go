package httpapi

import (
	"net/http"
	"slices"
)

// bodyForm is what body a route takes.
type bodyForm int

const (
	bodyNone  bodyForm = iota
	bodyJSON           // one JSON object, held whole
	bodyLines          // JSON lines, streamed
	bodyBytes          // a backup, streamed
)

// route is one method of one path.
type route struct {
	method string
	path   string // a pattern of http.ServeMux
	params []string
	body   bodyForm
	max    int64 // of bodyJSON, bytes
	handle func(*API, http.ResponseWriter, *call) error
}

// Paths.
const (
	pathSpace    = "/v1/spaces/{space}"
	pathMemories = pathSpace + "/memories"
	pathMemory   = pathMemories + "/{id}"
	pathLinks    = pathSpace + "/links"
	pathReembed  = pathSpace + "/reembed"
)

// routes is every route of the door.
func routes() []route {
	return slices.Concat(memoryRoutes(), timeRoutes(), mindRoutes(), spaceRoutes())
}

func memoryRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{method: post, path: pathMemories, body: bodyJSON, max: maxBody, handle: (*API).remember},
		{method: post, path: pathMemories + ":batch", body: bodyJSON, max: maxBatch, handle: (*API).rememberBatch},
		{method: get, path: pathMemories, params: []string{"cursor", "limit", "vectors"}, handle: (*API).list},
		{method: get, path: pathMemory, params: []string{"include", "vectors", "as_of"}, handle: (*API).get},
		{method: http.MethodPatch, path: pathMemory, body: bodyJSON, max: maxBody, handle: (*API).update},
		{method: http.MethodDelete, path: pathMemory, params: []string{"mode", "reason"}, handle: (*API).remove},
		{method: post, path: pathMemory + "/restore", handle: (*API).restore},
		{method: post, path: pathSpace + "/recall", body: bodyJSON, max: maxBody, handle: (*API).recall},
		{method: post, path: pathSpace + "/forget", body: bodyJSON, max: maxBody, handle: (*API).forget},
		{method: post, path: pathLinks, body: bodyJSON, max: maxBody, handle: (*API).link},
		{method: http.MethodDelete, path: pathLinks, params: []string{"from", "to", "type"}, handle: (*API).unlink},
	}
}

// timeRoutes tell what was true, what cannot be true together, and what a query asks.
func timeRoutes() []route {
	const get = http.MethodGet
	return []route{
		{method: get, path: pathMemory + "/held", params: []string{"valid_at", "as_of"}, handle: (*API).heldAt},
		{method: http.MethodPost, path: pathSpace + "/query", body: bodyJSON, max: maxBody, handle: (*API).query},
		{method: get, path: pathSpace + "/contradictions", params: []string{"id"}, handle: (*API).contradictions},
	}
}

// mindRoutes are what a memory does besides remembering and recalling.
func mindRoutes() []route {
	const post = http.MethodPost
	return []route{
		{method: post, path: pathSpace + "/complete", body: bodyJSON, max: maxBody, handle: (*API).complete},
		{method: post, path: pathSpace + "/spread", body: bodyJSON, max: maxBody, handle: (*API).spread},
		{method: post, path: pathSpace + "/consolidate", body: bodyJSON, max: maxBody, handle: (*API).consolidate},
		{
			method: post, path: pathSpace + "/consolidate/undo", body: bodyJSON, max: maxBody,
			handle: (*API).undoConsolidation,
		},
		{method: post, path: pathSpace + "/predict", body: bodyJSON, max: maxBody, handle: (*API).predict},
		{method: post, path: pathSpace + "/feedback", body: bodyJSON, max: maxBody, handle: (*API).feedback},
		{
			method: http.MethodGet, path: pathSpace + "/feedback", params: []string{"id", "after", "limit"},
			handle: (*API).judgements,
		},
		{method: http.MethodGet, path: pathSpace + "/sources", handle: (*API).sources},
		{method: post, path: pathSpace + "/fit", body: bodyJSON, max: maxBody, handle: (*API).fit},
	}
}

func spaceRoutes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{method: get, path: pathSpace + "/stats", handle: (*API).stats},
		{
			method: post, path: pathSpace + "/verify", params: []string{"bytes_per_second", "progress"},
			handle: (*API).verify,
		},
		{
			method: post, path: pathSpace + "/compact",
			params: []string{"bytes_per_second", "cold_after", "tier", "progress"}, handle: (*API).compact,
		},
		{method: get, path: pathSpace + "/export", handle: (*API).export},
		{
			method: post, path: pathSpace + "/import", params: []string{"strict"}, body: bodyLines,
			handle: (*API).imports,
		},
		{
			method: post, path: pathReembed, params: []string{"embedding_model", "dim", "partial", "allow_missing"},
			body: bodyLines, handle: (*API).reembed,
		},
		{method: get, path: pathReembed, handle: (*API).unembedded},
		{method: http.MethodDelete, path: pathReembed, handle: (*API).cancelReembedding},
		{
			method: post, path: pathSpace + "/embedding_model", body: bodyJSON, max: maxBody,
			handle: (*API).nameEmbeddings,
		},
		{method: get, path: pathSpace + "/events", handle: (*API).events},
		{method: post, path: "/v1/backup", body: bodyJSON, max: maxBody, handle: (*API).backup},
		{
			method: post, path: "/v1/restore", params: []string{"spaces", "as", "position", "time"}, body: bodyBytes,
			handle: (*API).restoreBackup,
		},
		{method: post, path: "/v1/upgrade", body: bodyJSON, max: maxBody, handle: (*API).upgradeSpaces},
		{method: get, path: "/v1/spaces", handle: (*API).spaces},
		{method: get, path: "/v1/scrub", handle: (*API).scrub},
		{method: get, path: "/healthz", handle: (*API).healthz},
		{method: get, path: "/readyz", handle: (*API).readyz},
	}
}

// Route names one route, for documentation and its test.
type Route struct {
	Method string
	Path   string   // with the wildcards {space} and {id}
	Params []string // query parameters
}

// Routes lists every route.
func Routes() []Route {
	var all []Route
	for _, r := range routes() {
		all = append(all, Route{Method: r.method, Path: r.path, Params: r.params})
	}
	return all
}
