package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go"
)

// trailerBackup is the trailer that carries the report of a backup, as JSON, behind its last byte. A backup that was cut
// off has none, and its stream has no end either.
const trailerBackup = "Engram-Backup"

// backup is POST /v1/backup.
func (a *API) backup(w http.ResponseWriter, q *call) error {
	o, err := a.backups.Decode(q.body)
	if err != nil {
		return err
	}
	w.Header().Set("Trailer", trailerBackup)
	report, err := a.db.Backup(q.r.Context(), &streamWriter{w: w, kind: mediaBytes}, o)
	if err != nil {
		return err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	w.Header().Set(trailerBackup, string(text))
	return nil
}

// restoreBackup is POST /v1/restore.
func (a *API) restoreBackup(w http.ResponseWriter, q *call) error {
	o := engram.RestoreOptions{As: q.query["as"]}
	if names, given := q.query["spaces"]; given {
		o.Spaces = strings.Split(names, ",")
	}
	if v, given := q.query["position"]; given {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil || n == 0 {
			return refuse("position", strconv.Quote(v), "must be a whole number above 0")
		}
		o.Position = n
	}
	var err error
	if o.Time, err = q.time("time"); err != nil {
		return err
	}
	report, err := a.db.Restore(q.r.Context(), q.stream, o)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}
