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
	work := func(tell func(engram.VerifyReport)) (engram.VerifyReport, error) {
		report, err := q.space.VerifyPaced(q.r.Context(), engram.VerifyOptions{
			BytesPerSecond: int64(rate), Progress: tell,
		})
		report.Problems = list(report.Problems)
		return report, err
	}
	return longWork(w, progress, work, func(r *engram.VerifyReport) *[]engram.Problem { return &r.Problems })
}

// tellEvery is how often the progress of long work is told at most. Chosen: a rate that looks alive.
const tellEvery = 200 * time.Millisecond

// longWork sends what comes of long work, with progress as a stream of wire.WorkLines. met is the part of a report that
// grows: in a line of progress it has what was met since the line before.
func longWork[R engram.VerifyReport | engram.CompactReport](
	w http.ResponseWriter, progress bool, work func(tell func(R)) (R, error), met func(*R) *[]engram.Problem,
) error {
	if !progress {
		report, err := work(nil)
		if err != nil {
			return err
		}
		return send(w, http.StatusOK, report)
	}
	out := &streamWriter{w: w, kind: mediaLines}
	line := func(l wire.WorkLine[R]) error {
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
	report, err := work(func(r R) {
		if now := time.Now(); now.Sub(told) >= tellEvery {
			told = now
			all := met(&r)
			since := list((*all)[known:])
			known, *all = len(*all), since
			_ = line(wire.WorkLine[R]{Progress: &r}) // who asked may have gone: then the context ends the work
		}
	})
	if err != nil {
		if out.open {
			endWith(out, err)
		}
		return err
	}
	return line(wire.WorkLine[R]{Report: &report})
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
	progress, err := q.flag("progress")
	if err != nil {
		return err
	}
	work := func(tell func(engram.CompactReport)) (engram.CompactReport, error) {
		return q.space.Compact(q.r.Context(), engram.CompactOptions{
			BytesPerSecond: int64(rate), ColdAfter: coldAfter, Tier: engram.Tier(q.query["tier"]), Progress: tell,
		})
	}
	return longWork(w, progress, work, func(r *engram.CompactReport) *[]engram.Problem { return &r.Left })
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
