package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/orchard9/engram-go"
)

// events is GET …/events: server-sent events, from the moment the header is sent.
func (a *API) events(w http.ResponseWriter, q *call) error {
	out := &streamWriter{w: w, kind: "text/event-stream"}
	if q.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	ctx, cancel := context.WithCancel(q.r.Context())
	defer cancel()
	defer context.AfterFunc(a.streams, cancel)()
	changes := q.space.Events(ctx) // Listens from here on: before the client is told.
	out.begin()
	control := http.NewResponseController(w)
	if err := control.Flush(); err != nil {
		return err
	}
	for e, err := range changes {
		if err := writeEvent(out, e, err); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// writeEvent writes one event. Events that this listener missed are told as an event "lost".
func writeEvent(out *streamWriter, e engram.Event, err error) error {
	switch {
	case errors.Is(err, engram.ErrEventsLost):
		_, err = fmt.Fprintf(out, "event: lost\ndata: %q\n\n", err.Error())
		return err
	case err != nil:
		return err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	_, err = fmt.Fprintf(out, "id: %d\nevent: %s\ndata: %s\n\n", e.Position, e.Kind, data)
	return err
}
