package problem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/server/problem"
)

func TestFrom(t *testing.T) {
	for _, tt := range []struct {
		err    error
		code   string
		status int
		exit   int
	}{
		{
			&engram.InvalidError{Field: "limit", Value: "0", Allowed: "use 1"}, "invalid_argument", 400,
			problem.ExitInvalid,
		},
		{engram.ErrNotFound, "not_found", 404, problem.ExitNotFound},
		{engram.ErrConflict, "conflict", 409, problem.ExitConflict},
		{engram.ErrTooLarge, "too_large", 413, problem.ExitInvalid},
		{engram.ErrReadOnly, "read_only", 503, problem.ExitReadOnly},
		{fmt.Errorf("%w: %w", engram.ErrReadOnly, engram.ErrInDoubt), "in_doubt", 503, problem.ExitReadOnly},
		{&engram.PanicError{Op: "remember", Value: "boom", InDoubt: true}, "in_doubt", 503, problem.ExitReadOnly},
		{engram.ErrClosed, "closed", 503, problem.ExitUnavailable},
		{engram.ErrEmbeddingModel, "embedding_model_mismatch", 400, problem.ExitInvalid},
		{engram.ErrDimension, "dimension_mismatch", 400, problem.ExitInvalid},
		{&engram.CorruptError{Op: "read", Path: "f", Err: errors.New("x")}, "corrupt", 500, problem.ExitCorrupt},
		{engram.ErrFormatVersion, "format_version", 500, problem.ExitFormatVersion},
		{&engram.LockedError{Path: "d", PID: 7}, "locked", 503, problem.ExitLocked},
		{context.DeadlineExceeded, "timeout", 504, problem.ExitUnavailable},
		{context.Canceled, "canceled", 503, problem.ExitUnavailable},
		{&engram.PanicError{Op: "recall", Value: engram.ErrNotFound}, "panic", 500, problem.ExitInternal},
		{errors.New("disk on fire"), "internal", 500, problem.ExitInternal},
	} {
		err := fmt.Errorf("do it: %w", tt.err)
		p := problem.From(err)
		if p.Code != tt.code || p.Status != tt.status || problem.ExitCode(err) != tt.exit {
			t.Errorf("From(%v) = %s %d exit %d, want %s %d exit %d",
				err, p.Code, p.Status, problem.ExitCode(err), tt.code, tt.status, tt.exit)
		}
		// What a client decodes is the same error again.
		data, _ := json.Marshal(p)
		var back problem.Problem
		if e := json.Unmarshal(data, &back); e != nil {
			t.Fatal(e)
		}
		sentinel := problem.Of(err).Sentinel
		if sentinel != nil && !errors.Is(fmt.Errorf("call: %w", &back), sentinel) {
			t.Errorf("%s does not decode to its sentinel", data)
		}
		if problem.ExitCode(&back) != tt.exit {
			t.Errorf("ExitCode(decoded %s) = %d, want %d", back.Code, problem.ExitCode(&back), tt.exit)
		}
	}
	if problem.ExitCode(nil) != problem.ExitOK || problem.From(nil) != nil {
		t.Error("no error is not a problem")
	}
}

func TestHiddenTextStaysInside(t *testing.T) {
	for _, err := range []error{
		errors.New("secret path"), &engram.PanicError{Op: "get", Value: "secret value"},
		&engram.PanicError{Op: "remember", Value: "secret value", InDoubt: true},
	} {
		p := problem.From(err)
		if data, _ := json.Marshal(p); strings.Contains(string(data), "secret") || p.Detail == "" {
			t.Errorf("From(%v) = %s", err, data)
		}
	}
}

func TestFieldsOfInvalid(t *testing.T) {
	p := problem.From(fmt.Errorf("recall: %w", &engram.InvalidError{Field: "limit", Value: "0", Allowed: "use 1 to 9"}))
	if p.Field != "limit" || p.Value != "0" || p.Allowed != "use 1 to 9" || !strings.Contains(p.Detail, "limit is 0") {
		t.Errorf("From() = %+v", p)
	}
}

func TestFieldsOfTheOthers(t *testing.T) {
	for _, tt := range []struct {
		err                         error
		code, field, value, allowed string
	}{
		{
			&engram.SizeError{Field: "content", Got: 9, Most: 8, Unit: "bytes"}, "too_large", "content", "9 bytes",
			"at most 8",
		},
		{&engram.FieldError{Field: "links[0].to", Err: engram.ErrNotFound}, "not_found", "links[0].to", "", ""},
		{&engram.DimensionError{Got: 9, Want: 8}, "dimension_mismatch", "embedding", "9 numbers", "8 numbers"},
		{&engram.ModelError{Got: "a", Want: "b"}, "embedding_model_mismatch", "embedding_model", `"a"`, `"b"`},
		{
			&engram.FieldError{Field: "memories[1]", Err: &engram.DimensionError{Got: 9, Want: 8}},
			"dimension_mismatch", "memories[1].embedding", "9 numbers", "8 numbers",
		},
	} {
		p := problem.From(fmt.Errorf("remember: %w", tt.err))
		got := []string{p.Code, p.Field, p.Value, p.Allowed}
		if want := []string{tt.code, tt.field, tt.value, tt.allowed}; !slices.Equal(got, want) {
			t.Errorf("From(%v) = %q, want %q", tt.err, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range problem.Kinds() {
		if k.Code == "" || k.Title == "" || k.Status < 400 || k.Exit == 0 || seen[k.Code] {
			t.Errorf("row %+v is incomplete or doubled", k)
		}
		if k.Hidden && k.Advice == "" {
			t.Errorf("row %s hides its text and says nothing instead", k.Code)
		}
		seen[k.Code] = true
		p := problem.New(k.Code, "why")
		if p.Code != k.Code || p.Status != k.Status || !strings.HasSuffix(p.Type, "#"+k.Code) {
			t.Errorf("New(%s) = %+v", k.Code, p)
		}
	}
	if p := problem.New("nonsense", "why"); p.Code != problem.CodeInternal {
		t.Errorf("New(nonsense) = %+v", p)
	}
}

func TestWrite(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Write(w, problem.New(problem.CodeNotFound, "no such memory"))
	if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" ||
		!strings.Contains(w.Body.String(), `"detail":"no such memory"`) {
		t.Errorf("Write() = %d %v %s", w.Code, w.Header(), w.Body)
	}
}
