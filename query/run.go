package query

import (
	"context"
	"slices"
	"strings"
	"unicode"

	engram "github.com/orchard9/engram-go"
)

// Memories is what queries run on; *engram.Space is one.
type Memories interface {
	Recall(ctx context.Context, cue engram.Cue) (engram.Answer, error)
	Spread(ctx context.Context, r engram.SpreadRequest) (engram.Spreading, error)
	Complete(ctx context.Context, p engram.Partial) (engram.Completion, error)
	Predict(ctx context.Context, p engram.Precedent) (engram.Prediction, error)
	Consolidate(ctx context.Context, o engram.ConsolidateOptions) (engram.Consolidation, error)
}

var _ Memories = (*engram.Space)(nil)

// Result is what a query gave. One of the pointers is set, that of its verb.
type Result struct {
	Query         Query
	Answer        *engram.Answer
	Spreading     *engram.Spreading
	Completion    *engram.Completion
	Prediction    *engram.Prediction
	Consolidation *engram.Consolidation
}

// Run understands a query and answers it from m. Errors are an [*Error], those of the call that the verb stands for,
// and the context's: also context.DeadlineExceeded, if the time of WITHIN was up. m must honour the Where of what it is
// given.
//
// Limits are those that m tells by a method Limits, as *engram.Space has, else the default ones.
func Run(ctx context.Context, m Memories, text string) (Result, error) {
	limits := engram.DefaultLimits()
	if l, ok := m.(interface{ Limits() engram.Limits }); ok {
		limits = l.Limits()
	}
	q, err := ParseWithin(text, limits)
	if err != nil {
		return Result{}, err
	}
	return q.Run(ctx, m)
}

// Run answers a query that Parse gave; see the function of that name.
func (q Query) Run(ctx context.Context, m Memories) (Result, error) {
	out := Result{Query: q}
	if q.Within > 0 && q.Verb != Consolidate {
		limited, cancel := context.WithTimeout(ctx, q.Within)
		defer cancel()
		ctx = limited
	}
	var err error
	switch q.Verb {
	case Spread:
		out.Spreading, err = answer(ctx, m.Spread, q.spreading())
	case Complete:
		out.Completion, err = answer(ctx, m.Complete, q.partial())
	case Predict:
		out.Prediction, err = answer(ctx, m.Predict, engram.Precedent{
			IDs: q.IDs, Steps: q.Steps, Limit: q.Limit, AsOf: q.AsOf, Where: where(conditions(q.Where)),
		})
	case Consolidate:
		out.Consolidation, err = answer(ctx, m.Consolidate, q.consolidation())
	default:
		out.Answer, err = answer(ctx, m.Recall, q.cue())
	}
	if err != nil {
		return Result{}, err
	}
	return out, nil
}

func answer[A, B any](ctx context.Context, call func(context.Context, A) (B, error), a A) (*B, error) {
	b, err := call(ctx, a)
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// cue is a RECALL as the engine takes it.
func (q Query) cue() engram.Cue {
	cue := engram.Cue{
		Text: q.Text, AsOf: q.AsOf, ValidAt: q.Valid, Limit: q.Limit, Explain: q.Explain, Repeats: q.Repeats,
	}
	rest := give(&cue, q.Where)
	cue.Where, cue.WhereLinks = where(rest), needsLinks(rest)
	return cue
}

// needsLinks reports whether a condition asks for links.
func needsLinks(rest []Cond) bool { return slices.ContainsFunc(rest, Cond.linked) }

// consolidation is a CONSOLIDATE as the engine takes it: kinds that are asked for outright are the kinds looked at.
func (q Query) consolidation() engram.ConsolidateOptions {
	o := engram.ConsolidateOptions{DryRun: q.Explain, MaxMemories: q.Limit, MaxTime: q.Within}
	rest := slices.DeleteFunc(conditions(q.Where), func(c Cond) bool {
		t, ok := c.(Test)
		if !ok || t.Field != "kind" || t.Op != Equal && t.Op != In || !plainAll(t) || o.Kinds != nil {
			return false
		}
		o.Kinds = texts(t)
		return true
	})
	o.Where = where(rest)
	return o
}

// partial is a COMPLETE as the engine takes it. Metadata that must have a value is known, and so not asked for.
func (q Query) partial() engram.Partial {
	cue := engram.Cue{Text: q.Text, AsOf: q.AsOf, ValidAt: q.Valid, Limit: q.Limit}
	p := engram.Partial{Fields: q.Fields, Metadata: map[string]string{}}
	rest := slices.DeleteFunc(give(&cue, q.Where), func(c Cond) bool {
		t, ok := c.(Test)
		key, is := strings.CutPrefix(t.Field, metadata)
		if !ok || !is || t.Op != Equal || !plain(t.Values[0]) || !plain(Value{Text: key}) {
			return false
		}
		if _, twice := p.Metadata[key]; twice {
			return false
		}
		p.Metadata[key] = t.Values[0].Text
		return true
	})
	cue.Where, cue.WhereLinks = where(rest), needsLinks(rest)
	if cue.Where == nil && len(cue.TagsNone) > 0 {
		// To the engine, tags that are not there are nothing to go by.
		cue.Where = func(*engram.Memory) bool { return true }
	}
	p.Cue = cue
	return p
}

// spreading is a SPREAD as the engine takes it.
func (q Query) spreading() engram.SpreadRequest {
	var cue engram.Cue
	rest := give(&cue, q.Where)
	if cue.IDs != nil { // SPREAD has no filter for ids
		rest, cue = conditions(q.Where), engram.Cue{}
	}
	return engram.SpreadRequest{
		IDs: q.IDs, Types: q.Types, Limit: q.Limit, AsOf: q.AsOf, ValidAt: q.Valid, Kinds: cue.Kinds, Tags: cue.Tags,
		TagsAny: cue.TagsAny, TagsNone: cue.TagsNone, Speaker: cue.Speaker, Session: cue.Session, From: cue.From,
		To: cue.To, MinConfidence: cue.MinConfidence, Where: where(rest), WhereLinks: needsLinks(rest),
	}
}

// where makes the filter of what the engine has none for.
func where(rest []Cond) func(*engram.Memory) bool {
	if len(rest) == 0 {
		return nil
	}
	return And(rest).match()
}

// conditions lists what must all hold.
func conditions(c Cond) []Cond {
	if c == nil {
		return nil
	}
	if and, ok := c.(And); ok {
		return slices.Clone(and)
	}
	return []Cond{c}
}

// give puts those conditions into the cue that the engine has filters for, and returns the others.
func give(cue *engram.Cue, c Cond) (rest []Cond) {
	return slices.DeleteFunc(conditions(c), func(c Cond) bool {
		t, ok := c.(Test)
		return ok && (giveNames(cue, t) || giveTags(cue, t) || giveRange(cue, t))
	})
}

// plain reports whether a value can stand in a filter of the engine, for which "" is no filter, and which refuses names
// that no memory can have: those keep nothing.
func plain(v Value) bool {
	const shortest = 64 // bytes that every kind of name may have
	return v.Text != "" && len(v.Text) <= shortest && !strings.ContainsFunc(v.Text, unicode.IsControl)
}

func plainAll(t Test) bool {
	return !slices.ContainsFunc(t.Values, func(v Value) bool { return !plain(v) })
}

// giveNames reports whether the cue now says all that t does.
func giveNames(cue *engram.Cue, t Test) bool {
	if t.Op != Equal && t.Op != In || !plainAll(t) {
		return false
	}
	texts := texts(t)
	switch {
	case t.Field == "id" && cue.IDs == nil:
		cue.IDs = texts
	case t.Field == "kind" && cue.Kinds == nil:
		cue.Kinds = texts
	case t.Field == "speaker" && cue.Speaker == "" && len(texts) == 1:
		cue.Speaker = texts[0]
	case t.Field == "session" && cue.Session == "" && len(texts) == 1:
		cue.Session = texts[0]
	default:
		return false
	}
	return true
}

func texts(t Test) []string {
	out := make([]string, len(t.Values))
	for i, v := range t.Values {
		out[i] = v.Text
	}
	return out
}

func giveTags(cue *engram.Cue, t Test) bool {
	if t.Field != "tags" || !plainAll(t) {
		return false
	}
	switch {
	case t.Op == All && cue.Tags == nil:
		cue.Tags = texts(t)
	case t.Op == Any && cue.TagsAny == nil:
		cue.TagsAny = texts(t)
	case t.Op == None && cue.TagsNone == nil:
		cue.TagsNone = texts(t)
	default:
		return false
	}
	return true
}

// giveRange gives the bounds of times and of confidence: the engine's filter goes by the number that the answer shows.
func giveRange(cue *engram.Cue, t Test) bool {
	switch v := t.Values; {
	case t.Field == "occurred_at" && t.Op == AtLeast && cue.From.IsZero() &&
		(cue.To.IsZero() || v[0].Time.Before(cue.To)):
		cue.From = v[0].Time
		return true
	case t.Field == "occurred_at" && t.Op == Less && cue.To.IsZero() &&
		(cue.From.IsZero() || cue.From.Before(v[0].Time)):
		cue.To = v[0].Time
		return true
	case t.Field == "confidence" && t.Op == AtLeast && v[0].Number >= 0 && v[0].Number <= 1:
		cue.MinConfidence = max(cue.MinConfidence, v[0].Number)
		return true
	}
	return false
}
