package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	engram "github.com/orchard9/engram-go"
)

// backend is what the commands speak to: a space of the engine, or the same space behind a server. Both give the same
// answers and the same kinds of errors.
type backend interface {
	Remember(ctx context.Context, d engram.Draft) (engram.Outcome, error)
	Recall(ctx context.Context, cue engram.Cue) (engram.Answer, error)
	Complete(ctx context.Context, p engram.Partial) (engram.Completion, error)
	Consolidate(ctx context.Context, o engram.ConsolidateOptions) (engram.Consolidation, error)
	UndoConsolidation(ctx context.Context, id string) (engram.Undone, error)
	Predict(ctx context.Context, p engram.Precedent) (engram.Prediction, error)
	Spread(ctx context.Context, r engram.SpreadRequest) (engram.Spreading, error)
	Feedback(ctx context.Context, f engram.Feedback) (engram.FeedbackReport, error)
	FeedbackLog(ctx context.Context) iter.Seq2[engram.FeedbackRecord, error]
	Sources(ctx context.Context) ([]engram.SourceRecord, error)
	Fit(ctx context.Context, o engram.FitOptions) (engram.FitReport, error)
	Get(ctx context.Context, id string) (engram.Memory, error)
	GetAt(ctx context.Context, id string, asOf time.Time) (engram.Memory, error)
	Held(ctx context.Context, id string, validAt, asOf time.Time) (engram.Held, error)
	Contradictions(ctx context.Context, id string) ([]engram.Contradiction, error)
	History(ctx context.Context, id string) ([]engram.Memory, error)
	Neighbors(ctx context.Context, id string) ([]engram.Association, error)
	Update(ctx context.Context, id string, c engram.Change) (engram.Outcome, error)
	Forget(ctx context.Context, r engram.ForgetRequest) (engram.ForgetReport, error)
	Restore(ctx context.Context, id string) (engram.Outcome, error)
	Link(ctx context.Context, from string, l engram.Link) error
	Unlink(ctx context.Context, from, to, linkType string) (bool, error)
	Export(ctx context.Context, w io.Writer) (engram.ExportReport, error)
	Import(ctx context.Context, r io.Reader, o engram.ImportOptions) (engram.ImportReport, error)
	Stats(ctx context.Context) (engram.SpaceStats, error)
	Compact(ctx context.Context, o engram.CompactOptions) (engram.CompactReport, error)
	Reembed(ctx context.Context, r io.Reader, o engram.ReembedOptions) (engram.ReembedReport, error)
	ReembedBy(ctx context.Context, embed engram.Embedder, o engram.ReembedOptions) (engram.ReembedReport, error)
	Unembedded(ctx context.Context) iter.Seq2[engram.Unembedded, error]
	CancelReembedding(ctx context.Context) error
	NameEmbeddings(ctx context.Context, model string) error
	VerifyPaced(ctx context.Context, o engram.VerifyOptions) (engram.VerifyReport, error)
}

var (
	_ backend = (*engram.Space)(nil)
	_ backend = (*remote)(nil)
)

// retryLock is the time between two attempts at a directory that is held: chosen.
const retryLock = 50 * time.Millisecond

// intent says whether a command makes sense on a directory that does not exist yet.
type intent int

const (
	reading  intent = iota // it would find nothing: the directory must exist
	creating               // it may make the directory
)

// withBackend opens the data directory, or finds the server that holds it, and runs body on the space asked for. It
// says on standard error which of the two it was.
func (a *app) withBackend(ctx context.Context, want intent, body func(backend) error) error {
	dir, err := a.resolveDataDir()
	if err != nil {
		return err
	}
	if want == reading {
		if err := requireDataDir(dir); err != nil {
			return err
		}
	}
	db, through, err := a.open(ctx, dir)
	if err != nil {
		return err
	}
	if through != nil {
		a.notef("through the server at %s", through.base)
		return body(through)
	}
	a.notef("directly on %s", dir)
	space, err := db.Space(a.space)
	if err == nil {
		err = body(space)
	}
	return errors.Join(err, db.Close())
}

// open opens the directory, or returns a client of the server that holds it. While another process holds it and no
// server answers, open tries again for a while: that process may be a short command, or a server about to listen.
func (a *app) open(ctx context.Context, dir string) (*engram.DB, *remote, error) {
	giveUp := time.Now().Add(a.wait)
	for {
		db, err := a.engine.Open(dir)
		if err == nil {
			return db, nil, nil
		}
		if !errors.Is(err, engram.ErrLocked) {
			return nil, nil, err
		}
		if through := a.findServer(ctx, dir, err); through != nil {
			return nil, through, nil
		}
		if time.Now().After(giveUp) {
			return nil, nil, a.heldError(dir, err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(retryLock):
		}
	}
}

// heldError explains a directory that is held by a process which serves nothing.
func (a *app) heldError(dir string, err error) error {
	holder := "another process"
	if locked, ok := errors.AsType[*engram.LockedError](err); ok && locked.PID > 0 {
		holder = fmt.Sprintf("process %d", locked.PID)
	}
	return fmt.Errorf("%s holds the data directory %s and no server answers there: wait for it with --wait, end it, "+
		"or give another --data: %w", holder, dir, err)
}
