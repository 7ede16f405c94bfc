package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
	"github.com/orchard9/engram-go/internal/store"
)

// FitOptions say what Fit does. The zero value fits, and goes by the outcome if it is better.
type FitOptions struct {
	DryRun bool `json:"dry_run,omitempty"` // only report
	Remove bool `json:"remove,omitempty"`  // return to the default weights; nothing is fitted
}

// FitReport says what Fit learnt. Losses are mean log losses in nats, on judgements that were held out: the last 20 %.
type FitReport struct {
	// Judgements is how many the space keeps that say of use or of no use.
	Judgements int            `json:"judgements"`
	Forgetting *FitForgetting `json:"forgetting,omitempty"`
	// Terms is nil if too few judgements name a recall: Note says how many.
	Terms *FitTerms `json:"terms,omitempty"`
	Note  string    `json:"note,omitempty"`
	// Better says that the fitted weights predict better, Adopted that the space goes by them from now on.
	Better  bool `json:"better"`
	Adopted bool `json:"adopted"`
	// Removed says that fitted weights were removed: the space goes by the default ones.
	Removed bool `json:"removed,omitempty"`
}

// FitForgetting is what was learnt of forgetting.
type FitForgetting struct {
	Weights  []float64 `json:"weights"`  // the 21 of FSRS-6
	Training int       `json:"training"` // judgements learnt from
	HeldOut  int       `json:"held_out"` // judgements measured on
	// DefaultLoss, CurrentLoss and FittedLoss are those of the default weights, of those in use, and of the fitted.
	DefaultLoss float64 `json:"default_loss"`
	CurrentLoss float64 `json:"current_loss"`
	FittedLoss  float64 `json:"fitted_loss"`
	// StandardError is that of DefaultLoss-FittedLoss.
	StandardError float64 `json:"standard_error"`
}

// FitTerms is what was learnt of the terms of scores. It is a report: scores do not change by it.
type FitTerms struct {
	Training     int              `json:"training"`
	HeldOut      int              `json:"held_out"`
	Intercept    FitCoefficient   `json:"intercept"`
	Coefficients []FitCoefficient `json:"coefficients"` // by name
	// Constant are the terms that were the same in all judgements learnt from.
	Constant []string `json:"constant,omitempty"`
	// OnesLoss is with all coefficients 1 and the intercept fitted, FittedLoss with the coefficients.
	OnesLoss   float64 `json:"ones_loss"`
	FittedLoss float64 `json:"fitted_loss"`
}

// FitCoefficient is what a term is worth: 1 if its score is the logarithm of odds that it is meant to be, near 0 if it
// says nothing.
type FitCoefficient struct {
	Name          string  `json:"name"`
	Value         float64 `json:"value"`
	StandardError float64 `json:"standard_error"`
}

// Fit learns from the space's judgements (see FeedbackLog) how its memories are forgotten, and what the terms of scores
// are worth. It learns from the first 80 % and measures on the rest. The weights of forgetting are adopted if, there,
// they predict better than the default by more than two standard errors, and better than those in use; they then hold
// for all that follows, and for this space only. What was judged before keeps the state it has. Fewer than 1,000
// judgements half a day or more after the last use are ErrInvalid.
//
// The weights are a file of the space, which is part of exports and of backups.
func (s *Space) Fit(ctx context.Context, o FitOptions) (FitReport, error) {
	if o.DryRun && o.Remove {
		return FitReport{}, &InvalidError{Field: "dry_run", Value: "given with remove", Allowed: "give one of the two"}
	}
	var report FitReport
	err := s.with(ctx, "fit", s.name == DefaultSpace, func(sp *store.Space) (err error) {
		s.db.fitting.Lock()
		defer s.db.fitting.Unlock()
		if o.Remove {
			report.Removed, err = s.db.removeModel(s.name)
			return err
		}
		report, err = s.fit(ctx, sp.View())
		if err != nil || o.DryRun || !report.Better {
			return err
		}
		f := &modelFile{
			Format: modelFormat, Version: modelVersion, FittedAt: s.db.o.Clock().UTC().Round(0),
			Training: report.Forgetting.Training, Weights: report.Forgetting.Weights,
		}
		if err := s.db.saveModel(s.name, f); err != nil {
			return err
		}
		report.Adopted = true
		return nil
	})
	if err != nil {
		return FitReport{}, err
	}
	return report, nil
}

// fit learns and adopts nothing.
func (s *Space) fit(ctx context.Context, v *store.View) (FitReport, error) {
	events := fitEvents(v)
	report := FitReport{Judgements: len(events)}
	current, _ := s.db.models.weights(s.name)
	c, err := fit.Forgetting(ctx, events, current)
	if short, ok := errors.AsType[*fit.TooFewError](err); ok {
		return report, &InvalidError{
			Field: "judgements", Value: fmt.Sprintf("%d %s", short.Have, short.What),
			Allowed: fmt.Sprintf("fitting needs at least %d: go on giving feedback", fit.Minimum),
		}
	}
	if err != nil {
		return report, fmt.Errorf("fit: %w", err)
	}
	report.Better = c.Better()
	report.Forgetting = &FitForgetting{
		Weights: c.Weights[:], Training: c.Training, HeldOut: c.HeldOut, DefaultLoss: c.Default, CurrentLoss: c.Current,
		FittedLoss: c.Fitted, StandardError: c.StandardError,
	}
	r, err := fit.Scores(ctx, events)
	if short, ok := errors.AsType[*fit.TooFewError](err); ok {
		report.Note = "no coefficients: " + short.Error()
		return report, nil
	}
	if err != nil {
		return report, fmt.Errorf("fit: %w", err)
	}
	report.Terms = &FitTerms{
		Training: r.Training, HeldOut: r.HeldOut, Intercept: FitCoefficient(r.Intercept), Constant: r.Constant,
		OnesLoss: r.Ones, FittedLoss: r.Fitted, Coefficients: make([]FitCoefficient, len(r.Coefficients)),
	}
	for i, one := range r.Coefficients {
		report.Terms.Coefficients[i] = FitCoefficient(one)
	}
	return report, nil
}

// fitEvents are the judgements that say of use or of no use, in the order of their time.
func fitEvents(v *store.View) []fit.Event {
	var events []fit.Event
	for r := range v.Feedback() {
		if r.Grade < uint8(dynamics.Again) || r.Grade > uint8(dynamics.Easy) {
			continue
		}
		e := fit.Event{
			Memory: strconv.FormatUint(uint64(r.Entry), 10), At: r.At, Days: r.Days, Grade: dynamics.Grade(r.Grade), Used: r.Used,
		}
		for _, t := range r.Terms {
			e.Terms = append(e.Terms, fit.Term(t))
		}
		events = append(events, e)
	}
	// What was imported came later than it was judged.
	slices.SortStableFunc(events, func(a, b fit.Event) int { return cmp.Compare(a.At, b.At) })
	return events
}
