package engram_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	engram "github.com/orchard9/engram-go"
)

// TestZonesWithinADay: an offset that no answer could state is refused, whoever gives it.
func TestZonesWithinADay(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	for _, hours := range []int{24, -24, 30} {
		at := day(1).In(time.FixedZone("", hours*3600))
		_, err := s.Remember(t.Context(), engram.Draft{Content: "x", OccurredAt: at})
		e, ok := errors.AsType[*engram.InvalidError](err)
		if !ok || e.Field != "occurred_at" || !strings.Contains(e.Allowed, "24") {
			t.Errorf("Remember at %d hours from UTC = %v, want occurred_at refused", hours, err)
		}
		if _, err := s.Recall(t.Context(), engram.Cue{From: at}); !errors.Is(err, engram.ErrInvalid) {
			t.Errorf("Recall from %d hours from UTC = %v", hours, err)
		}
	}
	report, err := importLines(t, s, engram.ImportOptions{},
		`{"content":"x","occurred_at":"2026-01-01T00:00:00+24:00"}`)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "bad lines", badLines(report), []int{1})
	edge := day(1).In(time.FixedZone("", 24*3600-60))
	remember(t, s, engram.Draft{ID: "edge", Content: "x", OccurredAt: edge})
	m, err := s.Get(t.Context(), "edge")
	if err != nil || m.OccurredAt.Format(time.RFC3339) != "2026-03-02T08:59:00+23:59" {
		t.Errorf("Get = %v, %v", m.OccurredAt, err)
	}
	if _, err := json.Marshal(m); err != nil {
		t.Errorf("Marshal = %v", err)
	}
}

// TestZonesWithSeconds: before 1937 Amsterdam was 19 minutes and 32 seconds ahead, which RFC 3339 cannot state. The
// instant is kept, in UTC, and an export says what is stored.
func TestZonesWithSeconds(t *testing.T) {
	w := newWorld(t, engram.Options{})
	s := w.def()
	at := time.Date(1930, 6, 1, 12, 0, 0, 5, time.FixedZone("AMT", 4772))
	remember(t, s, engram.Draft{ID: "a", Content: "the lamp", OccurredAt: at, ValidUntil: at.Add(time.Hour)})
	m, err := s.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if !m.OccurredAt.Equal(at) || !m.ValidUntil.Equal(at.Add(time.Hour)) || m.OccurredAt.Location() != time.UTC {
		t.Errorf("Get = %v until %v, want the instant of %v in UTC", m.OccurredAt, m.ValidUntil, at)
	}
	lines := exported(t, s)
	for _, to := range []*engram.Space{s, w.space("copy")} {
		report, err := importLines(t, to, engram.ImportOptions{Strict: true}, lines)
		if err != nil || report.BadCount > 0 {
			t.Errorf("Import of the export = %+v, %v", report, err)
		}
		want(t, "export", exported(t, to), lines)
	}
}
