package mcpapi

import (
	"context"

	"github.com/orchard9/engram-go"
)

// engine is a Backend over an engine in this process.
type engine struct{ db *engram.DB }

// Engine returns db as a Backend. db stays the caller's to close.
func Engine(db *engram.DB) Backend { return engine{db: db} }

func (e engine) Remember(ctx context.Context, space string, d engram.Draft) (engram.Outcome, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.Outcome{}, err
	}
	return s.Remember(ctx, d)
}

func (e engine) Recall(ctx context.Context, space string, cue engram.Cue) (engram.Answer, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.Answer{}, err
	}
	return s.Recall(ctx, cue)
}

func (e engine) Forget(ctx context.Context, space string, r engram.ForgetRequest) (engram.ForgetReport, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.ForgetReport{}, err
	}
	return s.Forget(ctx, r)
}

func (e engine) Get(ctx context.Context, space, id string) (engram.Memory, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.Memory{}, err
	}
	return s.Get(ctx, id)
}

func (e engine) History(ctx context.Context, space, id string) ([]engram.Memory, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return nil, err
	}
	return s.History(ctx, id)
}

func (e engine) Update(ctx context.Context, space, id string, c engram.Change) (engram.Outcome, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.Outcome{}, err
	}
	return s.Update(ctx, id, c)
}

func (e engine) Link(ctx context.Context, space, from string, l engram.Link) error {
	s, err := e.db.Space(space)
	if err != nil {
		return err
	}
	return s.Link(ctx, from, l)
}

func (e engine) Unlink(ctx context.Context, space, from, to, linkType string) (bool, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return false, err
	}
	return s.Unlink(ctx, from, to, linkType)
}

func (e engine) Stats(ctx context.Context, space string) (engram.SpaceStats, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.SpaceStats{}, err
	}
	return s.Stats(ctx)
}

func (e engine) Contradictions(ctx context.Context, space, id string) ([]engram.Contradiction, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return nil, err
	}
	return s.Contradictions(ctx, id)
}

func (e engine) Feedback(ctx context.Context, space string, f engram.Feedback) (engram.FeedbackReport, error) {
	s, err := e.db.Space(space)
	if err != nil {
		return engram.FeedbackReport{}, err
	}
	return s.Feedback(ctx, f)
}
