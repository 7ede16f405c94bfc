package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
	"github.com/orchard9/engram-go/server/wire"
)

// stats is GET …/stats.
func (a *API) stats(w http.ResponseWriter, q *call) error {
	stats, err := q.space.Stats(q.r.Context())
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, stats)
}

// verify is POST …/verify.
func (a *API) verify(w http.ResponseWriter, q *call) error {
	rate, err := q.number("bytes_per_second")
	if err != nil {
		return err
	}
	progress, err := q.flag("progress")
	if err != nil {
		return err
	}
	o := engram.VerifyOptions{BytesPerSecond: int64(rate)}
	if progress {
		return verifyTelling(w, q, o)
	}
	report, err := q.space.VerifyPaced(q.r.Context(), o)
	if err != nil {
		return err
	}
	report.Problems = list(report.Problems)
	return send(w, http.StatusOK, report)
}

// verifyEvery is how often the progress of a verification is told at most. Chosen: a rate that looks alive.
const verifyEvery = 200 * time.Millisecond

// verifyTelling is verify as a stream of wire.VerifyLines.
func verifyTelling(w http.ResponseWriter, q *call, o engram.VerifyOptions) error {
	out := &streamWriter{w: w, kind: mediaLines}
	line := func(l wire.VerifyLine) error {
		text, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("encode progress: %w", err)
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
		return http.NewResponseController(w).Flush()
	}
	var told time.Time
	known := 0
	o.Progress = func(r engram.VerifyReport) {
		if now := time.Now(); now.Sub(told) >= verifyEvery {
			told = now
			found := r.Problems[known:]
			known = len(r.Problems)
			r.Problems = list(found)
			_ = line(wire.VerifyLine{Progress: &r}) // who asked may have gone: then the context ends the verification
		}
	}
	report, err := q.space.VerifyPaced(q.r.Context(), o)
	if err != nil {
		if out.open {
			endWith(out, err)
		}
		return err
	}
	report.Problems = list(report.Problems)
	return line(wire.VerifyLine{Report: &report})
}

// compact is POST …/compact.
func (a *API) compact(w http.ResponseWriter, q *call) error {
	rate, err := q.number("bytes_per_second")
	if err != nil {
		return err
	}
	coldAfter, err := q.duration("cold_after")
	if err != nil {
		return err
	}
	report, err := q.space.Compact(q.r.Context(), engram.CompactOptions{
		BytesPerSecond: int64(rate), ColdAfter: coldAfter, Tier: engram.Tier(q.query["tier"]),
	})
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}

// scrub is GET /v1/scrub.
func (a *API) scrub(w http.ResponseWriter, _ *call) error {
	return send(w, http.StatusOK, a.db.ScrubReport())
}

// export is GET …/export.
func (a *API) export(w http.ResponseWriter, q *call) error {
	out := &streamWriter{w: w, kind: mediaLines}
	if q.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	if _, err := q.space.Export(q.r.Context(), out); err != nil {
		if out.open {
			endWith(out, err)
		}
		return err
	}
	out.begin() // An empty space is an empty export.
	return nil
}

// endWith ends a stream of lines that has begun with one that says why it is not whole. The connection is cut behind
// it, so that it does not look whole to those who do not read lines, and no import takes the line.
func endWith(out *streamWriter, err error) {
	p := *problem.From(err)
	if line, encodeErr := json.Marshal(wire.LastLine{Problem: &p}); encodeErr == nil {
		_, _ = out.Write(append(line, '\n'))          // Who asked may have gone.
		_ = http.NewResponseController(out.w).Flush() // As above.
	}
}

// imports is POST …/import.
func (a *API) imports(w http.ResponseWriter, q *call) error {
	strict, err := q.flag("strict")
	if err != nil {
		return err
	}
	report, err := q.space.Import(q.r.Context(), q.stream, engram.ImportOptions{Strict: strict})
	if err != nil {
		p := *problem.From(err)
		p.Report = &report
		return &importError{problem: &p, err: err}
	}
	return send(w, http.StatusOK, report)
}

// importError is an import's failure with how far it came; the log gets the failure itself.
type importError struct {
	problem *problem.Problem
	err     error
}

func (e *importError) Error() string { return e.err.Error() }

// Unwrap gives the problem first: it is the answer.
func (e *importError) Unwrap() []error { return []error{e.problem, e.err} }

// spaces is GET /v1/spaces.
func (a *API) spaces(w http.ResponseWriter, q *call) error {
	names, err := a.db.Spaces(q.r.Context())
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, wire.Spaces{Spaces: list(names)})
}

// status answers healthz and readyz.
type status struct {
	Status string `json:"status"`
}

// healthz is GET /healthz: the process serves.
func (a *API) healthz(w http.ResponseWriter, _ *call) error {
	return send(w, http.StatusOK, status{Status: "ok"})
}

// readyz is GET /readyz: every open space takes reads and writes.
func (a *API) readyz(w http.ResponseWriter, _ *call) error {
	if err := a.db.Ready(); err != nil {
		return problem.New(problem.CodeNotReady, err.Error())
	}
	return send(w, http.StatusOK, status{Status: "ready"})
}
