package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go"
)

// trailerBackup is the trailer that carries the report of a backup, as JSON, behind its last byte. A backup that failed
// on its way has trailerProblem instead, one that was cut off neither; the stream of both has no end.
const (
	trailerBackup  = "Engram-Backup"
	trailerProblem = "Engram-Problem"
)

// firstBytes is how much of a backup is held back before the answer begins: an error before that is a problem like any
// other.
const firstBytes = 64 << 10

// backup is POST /v1/backup.
func (a *API) backup(w http.ResponseWriter, q *call) error {
	o, err := a.backups.Decode(q.body)
	if err != nil {
		return err
	}
	stream := &streamWriter{w: w, kind: mediaBytes}
	out := bufio.NewWriterSize(stream, firstBytes)
	w.Header().Set("Trailer", trailerBackup+", "+trailerProblem)
	report, err := a.db.Backup(q.r.Context(), out, o)
	if err == nil {
		err = out.Flush()
	}
	if err != nil && !stream.open {
		w.Header().Del("Trailer")
		return err
	}
	if err != nil {
		text, encodeErr := json.Marshal(told(a.log, q.r, err))
		w.Header().Set(trailerProblem, string(text))
		return encodeErr
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

// upgradeSpaces is POST /v1/upgrade.
func (a *API) upgradeSpaces(w http.ResponseWriter, q *call) error {
	o, err := a.upgrade.Decode(q.body)
	if err != nil {
		return err
	}
	report, err := a.db.Upgrade(q.r.Context(), o)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, report)
}
