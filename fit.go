package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// FitOptions say what Fit does. The zero value fits, and goes by the outcome as far as it is better.
type FitOptions struct {
	DryRun bool `json:"dry_run,omitempty"` // only report
	Remove bool `json:"remove,omitempty"`  // return to the default weights and to no coefficients; nothing is fitted
}

// FitReport says what Fit learnt. Losses are mean log losses in nats, on judgements that were held out: the last 20 %.
type FitReport struct {
	// Judgements is how many the space keeps that say of use or of no use.
	Judgements int `json:"judgements"`
	// Forgetting is nil if too few judgements came half a day or more after the last use, Terms if too few name a
	// recall: Note says how many.
	Forgetting *FitForgetting `json:"forgetting,omitempty"`
	Terms      *FitTerms      `json:"terms,omitempty"`
	Note       string         `json:"note,omitempty"`
	// Better says that the fitted weights of forgetting predict better, Adopted that the space goes by them from now
	// on.
	Better  bool `json:"better"`
	Adopted bool `json:"adopted"`
	// Removed says that what was fitted was removed: the space goes by the default weights and no coefficients.
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

// FitTerms is what was learnt of the terms of scores.
type FitTerms struct {
	Training     int              `json:"training"`
	HeldOut      int              `json:"held_out"`
	Intercept    FitCoefficient   `json:"intercept"`
	Coefficients []FitCoefficient `json:"coefficients"` // by name
	// Constant are the terms that were the same in all judgements learnt from.
	Constant []string `json:"constant,omitempty"`
	// OnesLoss is with all coefficients 1 and the intercept fitted, FittedLoss with the coefficients. AppliedLoss is
	// with those that scores may go by, CurrentLoss with those that they go by now, each with the intercept fitted.
	OnesLoss    float64 `json:"ones_loss"`
	FittedLoss  float64 `json:"fitted_loss"`
	AppliedLoss float64 `json:"applied_loss"`
	CurrentLoss float64 `json:"current_loss"`
	// StandardError is that of OnesLoss-AppliedLoss.
	StandardError float64 `json:"standard_error"`
	// Better says that the coefficients to apply predict better, Adopted that the space's scores go by them from now
	// on.
	Better  bool `json:"better"`
	Adopted bool `json:"adopted"`
}

// FitCoefficient is what a term is worth: 1 if its score is the logarithm of odds that it is meant to be, near 0 if it
// says nothing.
type FitCoefficient struct {
	Name          string  `json:"name"`
	Value         float64 `json:"value"`
	StandardError float64 `json:"standard_error"`
	// Applied is what scores multiply the term by if the coefficients are adopted: held to 1, and in [0.25, 4]. It is 0
	// for what scores have no coefficient of.
	Applied float64 `json:"applied,omitempty"`
}

// Fit learns from the space's judgements (see FeedbackLog) how its memories are forgotten, and what the terms of scores
// are worth. It learns from the first 80 % and measures on the rest. The weights of forgetting are adopted if, there,
// they predict better than the default by more than two standard errors, and better than those in use; so are, apart
// from them, coefficients of the terms, if they predict better than none. Both hold for all that follows, and for this
// space only. What was judged before keeps the state it has. Each takes 1,000 judgements: the weights such that came
// half a day or more after the last use, the coefficients such that name a recall. Fewer of both are ErrInvalid.
//
// What is adopted is a file of the space, which is part of exports and of backups.
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
		if err != nil || o.DryRun {
			return err
		}
		return s.adopt(sp, &report)
	})
	if err != nil {
		return FitReport{}, err
	}
	return report, nil
}

// adopt makes the space go by what is better. What is not stays as it is.
func (s *Space) adopt(sp *store.Space, report *FitReport) error {
	terms := report.Terms != nil && report.Terms.Better
	if !report.Better && !terms {
		return nil
	}
	weights, training, coefficients := s.db.models.weights(s.name), 0, []modelCoefficient(nil)
	if f := s.db.models.file(s.name); f != nil {
		training, coefficients = f.Training, f.Coefficients
	}
	next := weights[:]
	if report.Better {
		next, training = report.Forgetting.Weights, report.Forgetting.Training
	}
	if terms {
		coefficients = report.Terms.applied()
	}
	if err := s.db.saveModel(s.name, newModelFile(sp, s.db.o.Clock(), training, next, coefficients)); err != nil {
		return err
	}
	report.Adopted = report.Better
	if terms {
		report.Terms.Adopted = true
	}
	return nil
}

// applied are the coefficients to apply, by name.
func (t *FitTerms) applied() (list []modelCoefficient) {
	for _, c := range t.Coefficients {
		if c.Applied != 0 {
			list = append(list, modelCoefficient{c.Name, c.Applied})
		}
	}
	return list
}

// fit learns and adopts nothing.
func (s *Space) fit(ctx context.Context, v *store.View) (FitReport, error) {
	events := fitEvents(v)
	report := FitReport{Judgements: len(events)}
	fewWeights, err := report.fitForgetting(ctx, events, s.db.models.weights(s.name))
	if err != nil {
		return report, err
	}
	fewTerms, err := report.fitTerms(ctx, events, s.coefficients())
	if err != nil {
		return report, err
	}
	switch {
	case fewWeights != nil && fewTerms != nil:
		return report, &InvalidError{
			Field: "judgements",
			Allowed: fmt.Sprintf("there are %d %s and %d %s; fitting needs %d of either: go on giving feedback",
				fewWeights.Have, strings.TrimPrefix(fewWeights.What, "judgements "), fewTerms.Have,
				strings.TrimPrefix(fewTerms.What, "judgements "), fit.Minimum),
		}
	case fewWeights != nil:
		report.Note = "no weights of forgetting: " + fewWeights.Error()
	case fewTerms != nil:
		report.Note = "no coefficients: " + fewTerms.Error()
	}
	return report, nil
}

// fitForgetting learns how memories are forgotten; few says that there is too little to learn from.
func (r *FitReport) fitForgetting(
	ctx context.Context, events []fit.Event, current dynamics.Weights,
) (few *fit.TooFewError, err error) {
	c, err := fit.Forgetting(ctx, events, current)
	if short, ok := errors.AsType[*fit.TooFewError](err); ok {
		return short, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	r.Better = c.Better()
	r.Forgetting = &FitForgetting{
		Weights: c.Weights[:], Training: c.Training, HeldOut: c.HeldOut, DefaultLoss: c.Default, CurrentLoss: c.Current,
		FittedLoss: c.Fitted, StandardError: c.StandardError,
	}
	return nil, nil
}

// fitTerms learns what terms are worth; few says that there is too little to learn from.
func (r *FitReport) fitTerms(
	ctx context.Context, events []fit.Event, current map[string]float64,
) (few *fit.TooFewError, err error) {
	x, err := fit.Scores(ctx, events, recall.Weighable(), current)
	if short, ok := errors.AsType[*fit.TooFewError](err); ok {
		return short, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fit: %w", err)
	}
	r.Terms = &FitTerms{
		Training: x.Training, HeldOut: x.HeldOut, Constant: x.Constant, OnesLoss: x.Ones, FittedLoss: x.Fitted,
		AppliedLoss: x.Applied.Loss, CurrentLoss: x.Applied.Current, StandardError: x.Applied.StandardError,
		Better: x.Better(), Coefficients: make([]FitCoefficient, len(x.Coefficients)),
		Intercept: FitCoefficient{
			Name: x.Intercept.Name, Value: x.Intercept.Value, StandardError: x.Intercept.StandardError,
		},
	}
	for i, one := range x.Coefficients {
		r.Terms.Coefficients[i] = FitCoefficient{
			Name: one.Name, Value: one.Value, StandardError: one.StandardError,
			Applied: x.Applied.Coefficients[one.Name],
		}
	}
	return nil, nil
}

// fitEvents are the judgements that say of use or of no use, in the order of their time.
func fitEvents(v *store.View) []fit.Event {
	var events []fit.Event
	for r := range v.Feedback() {
		if r.Grade < uint8(dynamics.Again) || r.Grade > uint8(dynamics.Easy) {
			continue
		}
		e := fit.Event{
			Memory: strconv.FormatUint(uint64(r.Entry), 10), At: r.At, Days: r.Days, Grade: dynamics.Grade(r.Grade),
			Used: r.Used,
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
