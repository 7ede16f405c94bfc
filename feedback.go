package engram

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/store"
)

// Signal is what somebody says of a memory that was recalled or read.
type Signal string

// The signals.
const (
	// Useful: it helped. Its stability grows, the more the longer ago it was last of use.
	Useful Signal = "useful"
	// Useless: it was brought up for nothing. Its stability falls; that it is true is not in question.
	Useless Signal = "useless"
	// Wrong: it is not true, or not any more. It counts as evidence against it by the feedback's Source.
	Wrong Signal = "wrong"
	// Confirmed: it is true and was of use: evidence for it, and as Useful.
	Confirmed Signal = "confirmed"
	// Contradicted: something else says otherwise: evidence against it by the feedback's Source, or by the source of
	// the memory that Feedback.By names. Unlike Wrong it says which is the other side, not that this one is false.
	Contradicted Signal = "contradicted"
	// Pinned: it must never be forgotten: a new version with Pin set, and a strong use. Unpinned takes the pin away.
	Pinned   Signal = "pinned"
	Unpinned Signal = "unpinned"
)

// Signals lists all signals.
func Signals() []Signal {
	return []Signal{Useful, Useless, Wrong, Confirmed, Contradicted, Pinned, Unpinned}
}

// Feedback says what memories were worth. The memories are those named: in IDs with Signal, or, without IDs, all hits
// of the recall with Signal; and those in Useful, Useless and Wrong. Each may be named once.
type Feedback struct {
	// EventID, up to 128 bytes, makes a retry safe: the same event told again changes nothing and gives the same
	// report, other feedback with the same id is a conflict. Empty: every call counts.
	EventID string `json:"event_id,omitempty" min:"1"`
	// RecallID is Answer.RecallID of the recall that brought the memories up; the terms of their scores are then kept
	// with the feedback. The newest 1,024 recalls of the process are known.
	RecallID string   `json:"recall_id,omitempty" min:"1"`
	IDs      []string `json:"ids,omitempty"`
	Signal   Signal   `json:"signal,omitempty"`
	Useful   []string `json:"useful,omitempty"`
	Useless  []string `json:"useless,omitempty"`
	Wrong    []string `json:"wrong,omitempty"`
	// Source is who says so, as evidence for or against what the memories say: a source is counted once for each
	// memory, with what it said last. The writer of a memory is its first source; "" is the one of memories without a
	// Source.
	Source string `json:"source,omitempty"`
	// By, with the signal Contradicted, is the memory that says otherwise: each that it contradicts gets an association
	// of type "contradicts" with it, and without Source it is what the memory's own source says that counts.
	By string `json:"by,omitempty" min:"1"`
	// During is the session in which they were of use, or not: recalls with the same [Cue.During] are primed by what
	// was of use in it. Empty: that of the recall that RecallID names.
	During string `json:"during,omitempty" min:"1"`
	// Verified says that Confirmed, Wrong or Contradicted was checked, not only said: the reliability of every other
	// source that had spoken for or against the memory is adjusted, once for each memory and each of the two verdicts.
	Verified bool `json:"verified,omitempty"`
	// Reason is kept with the judgements and passed on to the events.
	Reason string `json:"reason,omitempty"`
}

// FeedbackReport says what Feedback did, counted in memories.
type FeedbackReport struct {
	Reinforced int `json:"reinforced"` // useful, confirmed, pinned
	Weakened   int `json:"weakened"`   // useless, wrong, contradicted
	// Repeated is true if the event had been told before, and nothing was changed.
	Repeated bool `json:"repeated,omitempty"`
}

// FeedbackRecord is one judgement of one memory as it stood: what weights can be fitted to.
type FeedbackRecord struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Position uint64    `json:"position,omitempty"` // log position of the write
	Signal   Signal    `json:"signal"`
	// Grade is FSRS's: 1 again, 3 good, 4 easy; 0 if the signal has none.
	Grade int  `json:"grade,omitempty"`
	Used  bool `json:"used"`
	// Retrievability is what was predicted before the judgement, Days the time since the last use.
	Retrievability float64 `json:"retrievability"`
	Days           float64 `json:"days"`
	// Rank, counted from 1, Score and Terms are those of the hit, if a recall was named; of the terms before any fitted
	// coefficient.
	Rank  int     `json:"rank,omitempty"`
	Score float64 `json:"score,omitempty"`
	Terms []Term  `json:"terms,omitempty"`
	// Source, Verified, Reason, EventID, During and By are those of the Feedback.
	Source   string `json:"source,omitempty"`
	Verified bool   `json:"verified,omitempty"`
	Reason   string `json:"reason,omitempty"`
	EventID  string `json:"event_id,omitempty"`
	During   string `json:"during,omitempty"`
	By       string `json:"by,omitempty"`
}

// Feedback says what recalled memories were worth: those of use are strengthened, those of none weakened, what is
// contradicted is believed less. It is the only thing that does: being recalled strengthens nothing. With
// Options.LinkUsedTogether memories that are useful together become associated ([LinkUsedWith]). All of it happens, or
// on an error nothing. A memory that does not exist is ErrNotFound; so is a recall that is not known any more: name the
// memories by their ids then.
func (s *Space) Feedback(ctx context.Context, f Feedback) (FeedbackReport, error) {
	if err := s.db.o.Limits.feedback(&f); err != nil {
		return FeedbackReport{}, err
	}
	recalled, err := s.recalled(f.RecallID)
	if err != nil {
		return FeedbackReport{}, err
	}
	said, err := f.judgements(recalled, s.db.o.Limits.IDs)
	if err != nil {
		return FeedbackReport{}, err
	}
	j := judge{space: s, f: &f, said: said, recalled: recalled, now: s.db.o.Clock()}
	err = s.with(ctx, "feedback", false, func(sp *store.Space) error {
		return sp.Write(ctx, "feedback", nil, func(tx *store.Tx) error {
			j.sp, j.report, j.model = sp, FeedbackReport{}, s.model()
			return j.all(tx)
		})
	})
	if err != nil {
		return FeedbackReport{}, err
	}
	return j.report, nil
}

// FeedbackLog goes through the judgements that the space keeps, in the order in which they came, as of now: the newest
// 100,000, up to 128 more. A judgement of a memory that is damaged is yielded as an error, and the iteration goes on
// behind it.
func (s *Space) FeedbackLog(ctx context.Context) iter.Seq2[FeedbackRecord, error] {
	return outside(func(yield func(FeedbackRecord, error) bool) {
		err := s.read(ctx, "feedback log", func(v *store.View) error {
			for r := range v.Feedback() {
				if err := ctx.Err(); err != nil {
					return err
				}
				if !yield(recordOfFeedback(v, &r)) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(FeedbackRecord{}, err)
		}
	})
}

// SourceRecord is what the space knows of how often a source is right.
type SourceRecord struct {
	Source string `json:"source"`
	// Right and Wrong count verified verdicts on what it said, from 4 and 1 on: what is supposed of a source that
	// nothing is known of. Reliability is Right/(Right+Wrong).
	Right       float64 `json:"right"`
	Wrong       float64 `json:"wrong"`
	Reliability float64 `json:"reliability"`
	// JudgedAt is when the last verdict was counted; zero if that is not known.
	JudgedAt time.Time `json:"judged_at,omitzero"`
}

// Sources lists the sources on which verified feedback has given a verdict, by name. A space knows 4,096 of them: one
// more takes the place of the one that was judged longest ago, of which then nothing is known.
func (s *Space) Sources(ctx context.Context) ([]SourceRecord, error) {
	out := []SourceRecord{}
	err := s.read(ctx, "sources", func(v *store.View) error {
		for _, known := range v.Sources() {
			out = append(out, SourceRecord{
				Source: known.Name, Right: weight64(known.Right), Wrong: weight64(known.Wrong),
				Reliability: known.Mean(), JudgedAt: fromNanos(known.At),
			})
		}
		return nil
	})
	return out, err
}

func recordOfFeedback(v *store.View, r *store.FeedbackRecord) (FeedbackRecord, error) {
	id, err := v.ID(r.Row)
	if err != nil {
		return FeedbackRecord{}, fmt.Errorf("read the memory of a judgement: %w", err)
	}
	out := FeedbackRecord{
		ID: id, At: fromNanos(r.At), Position: r.Position, Signal: Signal(r.Signal), Grade: int(r.Grade),
		Used: r.Used, Retrievability: weight64(r.Retrievability), Days: r.Days, Rank: r.Rank, Score: r.Score,
		Source: r.Source, Verified: r.Verified, Reason: r.Reason, EventID: r.EventID, During: r.During, By: r.By,
	}
	for _, t := range r.Terms {
		out.Terms = append(out.Terms, Term{Name: t.Name, Value: t.Value})
	}
	return out, nil
}

// signalsText lists the signals for errors.
func signalsText() string {
	var names []string
	for _, signal := range Signals() {
		names = append(names, string(signal))
	}
	return "use " + strings.Join(names, ", ")
}

func (l Limits) feedback(f *Feedback) error {
	c := &checks{}
	c.name("event_id", f.EventID, maxIDBytes)
	c.name("recall_id", f.RecallID, maxIDBytes)
	c.ids("ids", f.IDs, l.IDs)
	c.ids("useful", f.Useful, l.IDs)
	c.ids("useless", f.Useless, l.IDs)
	c.ids("wrong", f.Wrong, l.IDs)
	c.name("source", f.Source, maxSourceBytes)
	c.name("by", f.By, maxIDBytes)
	c.name("during", f.During, maxPersonBytes)
	c.text("reason", f.Reason, maxReasonBytes)
	if f.By != "" && f.Signal != Contradicted {
		c.fail("by", quote(f.By), "it names what says otherwise: give it with the signal contradicted, or leave it out")
	}
	if f.By != "" && slices.Contains(f.IDs, f.By) {
		c.fail("by", quote(f.By), "a memory does not contradict itself: leave it out of ids")
	}
	if f.Signal != "" && !slices.Contains(Signals(), f.Signal) {
		c.fail("signal", quote(string(f.Signal)), signalsText())
	}
	lists := len(f.Useful) + len(f.Useless) + len(f.Wrong)
	switch {
	case f.Signal == "" && len(f.IDs) > 0:
		c.fail("signal", "missing", "say what the ids are: "+signalsText())
	case f.Signal != "" && len(f.IDs) == 0 && f.RecallID == "":
		c.fail("ids", "empty", "say what the signal is about: give ids, or a recall_id for all of its hits")
	case f.Signal == "" && lists == 0:
		c.fail("signal", "missing", "say what was useful, useless or wrong")
	}
	return c.err
}
