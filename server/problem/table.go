package problem

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/orchard9/engram-go"
)

// Exit codes of the command line.
const (
	ExitOK            = 0
	ExitInternal      = 1 // anything that is in no other class
	ExitInvalid       = 2 // an argument, a flag or the input is refused
	ExitNotFound      = 3
	ExitConflict      = 4
	ExitLocked        = 5 // another process holds the directory
	ExitReadOnly      = 6
	ExitCorrupt       = 7 // stored data is damaged
	ExitFormatVersion = 8
	ExitUnavailable   = 9 // closing, overloaded, timed out, interrupted
)

// Codes that doors use by name. Those above CodeInvalid have no sentinel of the root package behind them.
const (
	CodeMalformed        = "malformed_json"
	CodeUnknownField     = "unknown_field"
	CodeUnknownParameter = "unknown_parameter"
	CodeUnknownRoute     = "unknown_route"
	CodeMethod           = "method_not_allowed"
	CodeMediaType        = "unsupported_media_type"
	CodeHost             = "host_not_allowed"
	CodeCrossOrigin      = "cross_origin"
	CodeOverloaded       = "overloaded"
	CodeNotReady         = "not_ready"
	CodeInvalid          = "invalid_argument"
	CodeTooLarge         = "too_large"
	CodeNotFound         = "not_found"
	CodeClosed           = "closed"
	CodeCanceled         = "canceled"
	CodePanic            = "panic"
	CodeInternal         = "internal"
)

// Kind is one row of the table.
type Kind struct {
	Code   string // stable
	Title  string
	Status int // HTTP
	Exit   int // of the command line
	// Sentinel is the error that the row stands for; nil for rows of the doors' own.
	Sentinel error
	// Hidden withholds the error's text from whoever asked; Advice stands in its place.
	Hidden bool
	Advice string
}

// Kinds returns the table. A row whose sentinel an error matches wins over the rows below it.
func Kinds() []Kind {
	return slices.Concat(engineKinds(), doorKinds(), []Kind{internalKind()})
}

// engineKinds are the rows with a sentinel. Damage comes before what it may be wrapped in, "not found" after it.
func engineKinds() []Kind {
	return []Kind{
		{
			Code: "corrupt", Title: "Stored data is damaged", Sentinel: engram.ErrCorrupt,
			Status: http.StatusInternalServerError, Exit: ExitCorrupt,
		},
		{
			Code: "format_version", Title: "The file was written by a newer Engram", Sentinel: engram.ErrFormatVersion,
			Status: http.StatusInternalServerError, Exit: ExitFormatVersion,
		},
		{
			Code: "locked", Title: "Another process holds the directory", Sentinel: engram.ErrLocked,
			Status: http.StatusServiceUnavailable, Exit: ExitLocked,
		},
		inDoubtKind(),
		{
			Code: "read_only", Title: "The space refuses writes until it is reopened", Sentinel: engram.ErrReadOnly,
			Status: http.StatusServiceUnavailable, Exit: ExitReadOnly,
		},
		{
			Code: CodeClosed, Title: "The engine is closed or closing", Sentinel: engram.ErrClosed,
			Status: http.StatusServiceUnavailable, Exit: ExitUnavailable,
		},
		{
			Code: "embedding_model_mismatch", Title: "The vector is of another model than the space's",
			Sentinel: engram.ErrEmbeddingModel, Status: http.StatusBadRequest, Exit: ExitInvalid,
		},
		{
			Code: "dimension_mismatch", Title: "The vector has another dimension than the space",
			Sentinel: engram.ErrDimension, Status: http.StatusBadRequest, Exit: ExitInvalid,
		},
		{
			Code: CodeTooLarge, Title: "Above a size limit", Sentinel: engram.ErrTooLarge,
			Status: http.StatusRequestEntityTooLarge, Exit: ExitInvalid,
		},
		{
			Code: "conflict", Title: "The write contradicts what is stored", Sentinel: engram.ErrConflict,
			Status: http.StatusConflict, Exit: ExitConflict,
		},
		{
			Code: CodeInvalid, Title: "An argument is refused", Sentinel: engram.ErrInvalid,
			Status: http.StatusBadRequest, Exit: ExitInvalid,
		},
		{
			Code: CodeNotFound, Title: "Not found", Sentinel: engram.ErrNotFound,
			Status: http.StatusNotFound, Exit: ExitNotFound,
		},
		{
			Code: "timeout", Title: "The deadline passed", Sentinel: context.DeadlineExceeded,
			Status: http.StatusGatewayTimeout, Exit: ExitUnavailable,
		},
		{
			Code: CodeCanceled, Title: "The request was called off", Sentinel: context.Canceled,
			Status: http.StatusServiceUnavailable, Exit: ExitUnavailable,
		},
	}
}

// doorKinds are the rows that doors use by code.
func doorKinds() []Kind {
	invalid := func(code, title string, status int) Kind {
		return Kind{Code: code, Title: title, Status: status, Exit: ExitInvalid}
	}
	return []Kind{
		invalid(CodeMalformed, "The body is not the JSON that is expected", http.StatusBadRequest),
		invalid(CodeUnknownField, "A field is unknown", http.StatusBadRequest),
		invalid(CodeUnknownParameter, "A query parameter is unknown", http.StatusBadRequest),
		invalid(CodeUnknownRoute, "There is no such route", http.StatusNotFound),
		invalid(CodeMethod, "The route does not take this method", http.StatusMethodNotAllowed),
		invalid(CodeMediaType, "The body has another media type than the route takes", http.StatusUnsupportedMediaType),
		invalid(CodeHost, "The Host header is not one of this server's names", http.StatusForbidden),
		invalid(CodeCrossOrigin, "A page of another origin may not write", http.StatusForbidden),
		{
			Code: CodeOverloaded, Title: "Too many requests at once",
			Status: http.StatusServiceUnavailable, Exit: ExitUnavailable,
		},
		{
			Code: CodeNotReady, Title: "A space is not usable",
			Status: http.StatusServiceUnavailable, Exit: ExitUnavailable,
		},
		panicKind(),
	}
}

func inDoubtKind() Kind {
	return Kind{
		Code: "in_doubt", Title: "The log failed in the middle of the write", Sentinel: engram.ErrInDoubt,
		Status: http.StatusServiceUnavailable, Exit: ExitReadOnly,
		Advice: "the write may or may not be there when the space is opened again; it met a defect: " +
			"look the error id up in the server's log and report what stands there",
	}
}

func panicKind() Kind {
	return Kind{
		Code: CodePanic, Title: "The operation panicked", Hidden: true,
		Status: http.StatusInternalServerError, Exit: ExitInternal,
		Advice: "this operation met a defect and changed nothing; other requests go on: " +
			"look the error id up in the server's log and report what stands there",
	}
}

func internalKind() Kind {
	return Kind{
		Code: CodeInternal, Title: "Internal error", Hidden: true,
		Status: http.StatusInternalServerError, Exit: ExitInternal,
		Advice: "the server could not do this: look the error id up in its log",
	}
}

// Of returns the row for err: the row of its code if it is, or wraps, a *Problem; "internal" if no row fits.
func Of(err error) Kind {
	if p, ok := errors.AsType[*Problem](err); ok {
		return byCode(p.Code)
	}
	// Before the sentinels: a PanicError unwraps to the value of the panic, which may be any of them.
	if e, ok := errors.AsType[*engram.PanicError](err); ok {
		if e.InDoubt {
			return inDoubtKind()
		}
		return panicKind()
	}
	for _, k := range engineKinds() {
		if errors.Is(err, k.Sentinel) {
			return k
		}
	}
	return internalKind()
}

// ExitCode returns the exit code for err; 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	return Of(err).Exit
}

// byCode returns the row of a code; "internal" if there is none.
func byCode(code string) Kind {
	for _, k := range Kinds() {
		if k.Code == code {
			return k
		}
	}
	return internalKind()
}
