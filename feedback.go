package engram

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
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
	// Pinned: it must never be forgotten: a new version with Pin set, and a strong use. Unpinned takes the pin away.
	Pinned   Signal = "pinned"
	Unpinned Signal = "unpinned"
)

// Signals lists all signals.
func Signals() []Signal { return []Signal{Useful, Useless, Wrong, Confirmed, Pinned, Unpinned} }

// Feedback says what memories were worth. The memories are those named: in IDs with Signal, or, without IDs, all hits of
// the recall with Signal; and those in Useful, Useless and Wrong. Each may be named once.
type Feedback struct {
	// EventID, up to 128 bytes, makes a retry safe: the same event told again changes nothing and gives the same report,
	// other feedback with the same id is a conflict. Empty: every call counts.
	EventID string `json:"event_id,omitempty"`
	// RecallID is Answer.RecallID of the recall that brought the memories up; the terms of their scores are then kept
	// with the feedback. The newest 1,024 recalls of the process are known.
	RecallID string   `json:"recall_id,omitempty"`
	IDs      []string `json:"ids,omitempty"`
	Signal   Signal   `json:"signal,omitempty"`
	Useful   []string `json:"useful,omitempty"`
	Useless  []string `json:"useless,omitempty"`
	Wrong    []string `json:"wrong,omitempty"`
	// Source is who says so, as evidence for or against what the memories say: a source is counted once for each memory,
	// with what it said last. The writer of a memory is its first source; "" is the one of memories without a Source.
	Source string `json:"source,omitempty"`
	// Verified says that Confirmed or Wrong was checked, not only said: the reliability of every source that had spoken
	// for or against the memory is adjusted.
	Verified bool `json:"verified,omitempty"`
	// Reason is passed on to the events.
	Reason string `json:"reason,omitempty"`
}

// FeedbackReport says what Feedback did, counted in memories.
type FeedbackReport struct {
	Reinforced int `json:"reinforced"` // useful, confirmed, pinned
	Weakened   int `json:"weakened"`   // useless, wrong
	// Repeated is true if the event had been told before, and nothing was changed.
	Repeated bool `json:"repeated,omitempty"`
}

// FeedbackRecord is one judgement of one memory as it stood: what weights can be fitted to.
type FeedbackRecord struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Position uint64    `json:"position"` // log position of the write
	Signal   Signal    `json:"signal"`
	// Grade is FSRS's: 1 again, 3 good, 4 easy; 0 if the signal has none.
	Grade int  `json:"grade,omitempty"`
	Used  bool `json:"used"`
	// Retrievability is what was predicted before the judgement, Days the time since the last use.
	Retrievability float64 `json:"retrievability"`
	Days           float64 `json:"days"`
	// Rank, counted from 1, Score and Terms are those of the hit, if a recall was named.
	Rank  int     `json:"rank,omitempty"`
	Score float64 `json:"score,omitempty"`
	Terms []Term  `json:"terms,omitempty"`
}

// Feedback says what recalled memories were worth: those of use are strengthened, those of none weakened, what is
// contradicted is believed less. It is the only thing that does: being recalled strengthens nothing. With
// Options.LinkUsedTogether memories that are useful together become associated ([LinkUsedWith]). All of it
// happens, or on an error nothing. A memory that does not exist is ErrNotFound; so is a recall that is not known any more: name
// the memories by their ids then.
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
		return sp.Write("feedback", nil, func(tx *store.Tx) error {
			j.sp, j.report, j.model = sp, FeedbackReport{}, s.model()
			return j.all(tx)
		})
	})
	if err != nil {
		return FeedbackReport{}, err
	}
	return j.report, nil
}

// FeedbackLog goes through the judgements that the space keeps, oldest first, as of now: the newest 100,000, up to 128
// more.
func (s *Space) FeedbackLog(ctx context.Context) iter.Seq2[FeedbackRecord, error] {
	return func(yield func(FeedbackRecord, error) bool) {
		err := s.read(ctx, "feedback log", func(v *store.View) error {
			for r := range v.Feedback() {
				if err := ctx.Err(); err != nil {
					return err
				}
				if !yield(recordOfFeedback(r), nil) {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			yield(FeedbackRecord{}, err)
		}
	}
}

func recordOfFeedback(r *store.FeedbackRecord) FeedbackRecord {
	out := FeedbackRecord{
		ID: r.Memory, At: fromNanos(r.At), Position: r.Position, Signal: Signal(r.Signal), Grade: int(r.Grade),
		Used: r.Used, Retrievability: r.Retrievability, Days: r.Days, Rank: r.Rank, Score: r.Score,
	}
	for _, t := range r.Terms {
		out.Terms = append(out.Terms, Term{Name: t.Name, Value: t.Value})
	}
	return out
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
	c.text("reason", f.Reason, maxReasonBytes)
	if f.Signal != "" && !slices.Contains(Signals(), f.Signal) {
		c.fail("signal", quote(string(f.Signal)), "use useful, useless, wrong, confirmed, pinned or unpinned")
	}
	lists := len(f.Useful) + len(f.Useless) + len(f.Wrong)
	switch {
	case f.Signal == "" && len(f.IDs) > 0:
		c.fail("signal", "missing", "say what the ids are: useful, useless, wrong, confirmed, pinned or unpinned")
	case f.Signal != "" && len(f.IDs) == 0 && f.RecallID == "":
		c.fail("ids", "empty", "say what the signal is about: give ids, or a recall_id for all of its hits")
	case f.Signal == "" && lists == 0:
		c.fail("signal", "missing", "say what was useful, useless or wrong")
	}
	return c.err
}

type judgement struct {
	id     string
	signal Signal
}

// judgements lists what is said of which memory.
func (f *Feedback) judgements(recalled *recent, most int) ([]judgement, error) {
	var said []judgement
	add := func(ids []string, signal Signal) {
		for _, id := range ids {
			said = append(said, judgement{id, signal})
		}
	}
	switch {
	case f.Signal != "" && len(f.IDs) > 0:
		add(f.IDs, f.Signal)
	case f.Signal != "":
		for _, h := range recalled.hits {
			add([]string{h.id}, f.Signal)
		}
	}
	add(f.Useful, Useful)
	add(f.Useless, Useless)
	add(f.Wrong, Wrong)
	if len(said) > most {
		return nil, fmt.Errorf("feedback is about %d memories, at most %d are allowed: %w", len(said), most, ErrTooLarge)
	}
	seen := map[string]bool{}
	for _, j := range said {
		if seen[j.id] {
			return nil, &InvalidError{Field: "ids", Value: quote(j.id), Allowed: "it is there twice: say one thing of each memory"}
		}
		seen[j.id] = true
	}
	return said, nil
}

// judge is one Feedback being stored.
type judge struct {
	space    *Space
	f        *Feedback
	said     []judgement
	recalled *recent // nil if no recall was named
	now      time.Time
	model    *dynamics.Model
	sp       *store.Space
	report   FeedbackReport
}

// eventKey is the idempotency key that an event is remembered by: no caller's key has a control character.
func eventKey(id string) string { return "\x00feedback:" + id }

func (j *judge) all(tx *store.Tx) error {
	if err := isolate.Fault("engram/feedback"); err != nil {
		return err
	}
	tx.Reason(j.f.Reason)
	print := j.fingerprint()
	if j.f.EventID != "" {
		if k, ok := tx.Key(eventKey(j.f.EventID)); ok {
			return j.repeat(k, print)
		}
	}
	for _, said := range j.said {
		if err := j.one(tx, said); err != nil {
			return err
		}
	}
	if j.space.db.o.LinkUsedTogether {
		if err := useTogether(tx, j.used()); err != nil {
			return err
		}
	}
	if j.f.EventID == "" {
		return nil
	}
	return tx.PutKey(store.Key{
		Name: eventKey(j.f.EventID), Fingerprint: print, Result: fmt.Sprint(j.report.Reinforced, j.report.Weakened),
	})
}

// used lists the memories that were of use.
func (j *judge) used() []string {
	var ids []string
	for _, said := range j.said {
		if said.signal == Useful || said.signal == Confirmed {
			ids = append(ids, said.id)
		}
	}
	return ids
}

// fingerprint tells feedback apart that uses the same event id.
func (j *judge) fingerprint() uint64 {
	h := xxhash.New()
	fmt.Fprintf(h, "%q %q %v", j.said, j.f.Source, j.f.Verified) //nolint:errcheck // a hash never fails
	return h.Sum64()
}

// repeat answers an event that was told before.
func (j *judge) repeat(k store.Key, print uint64) error {
	if k.Fingerprint != print {
		return fmt.Errorf("event_id %s was used for other feedback: use a new one: %w", quote(j.f.EventID), ErrConflict)
	}
	up, down, _ := strings.Cut(k.Result, " ")
	j.report.Reinforced, _ = strconv.Atoi(up)
	j.report.Weakened, _ = strconv.Atoi(down)
	j.report.Repeated = true
	return nil
}

// one stages what is said of one memory.
func (j *judge) one(tx *store.Tx, said judgement) error {
	found, ok, err := tx.Lookup(said.id)
	if err != nil || !ok || expired(tx.View().ExpiresAt(found.Row), j.now) {
		return orNotFound(err, said.id)
	}
	r, err := tx.Record(found.Row)
	if err != nil {
		return err
	}
	before := standing(tx, found, r, j.model)
	if said.signal == Pinned || said.signal == Unpinned {
		change := Change{Pin: new(said.signal == Pinned), Reason: j.f.Reason}
		if _, err := j.space.update(j.sp, tx, said.id, &change, j.now); err != nil {
			return err
		}
	}
	after, grade, err := j.outcome(tx, before, said.signal)
	if err != nil {
		return err
	}
	j.count(said.signal)
	if said.signal != Unpinned {
		if err := tx.SetDynamics(said.id, after); err != nil {
			return err
		}
	}
	return tx.Feedback(j.record(said, &before.State, grade))
}

func (j *judge) count(signal Signal) {
	switch signal {
	case Useful, Confirmed, Pinned:
		j.report.Reinforced++
	case Useless, Wrong:
		j.report.Weakened++
	case Unpinned:
	}
}

// outcome is what a signal makes of a memory's state; grade is 0 if its stability is not concerned.
func (j *judge) outcome(tx *store.Tx, d store.Dynamics, signal Signal) (store.Dynamics, dynamics.Grade, error) {
	grades := map[Signal]dynamics.Grade{
		Useful: dynamics.Good, Confirmed: dynamics.Good, Pinned: dynamics.Easy, Useless: dynamics.Again,
	}
	grade := grades[signal]
	if grade != 0 {
		d.State = j.model.Use(d.State, grade, j.now.UnixNano())
	}
	if signal != Confirmed && signal != Wrong {
		return d, grade, nil
	}
	supports := signal == Confirmed
	p := tx.View().Reliability(j.f.Source).Mean()
	if j.f.Verified {
		for _, e := range d.Evidence {
			r := tx.View().Reliability(e.Source).Judge(e.Supports == supports)
			if err := tx.SetReliability(e.Source, r); err != nil {
				return d, grade, err
			}
		}
	}
	d.Evidence = dynamics.Hear(d.Evidence, dynamics.NewEvidence(j.f.Source, supports, p))
	d.State.Learn(d.Evidence)
	return d, grade, nil
}

// record is what is kept of a judgement for fitting.
func (j *judge) record(said judgement, before *dynamics.State, grade dynamics.Grade) store.FeedbackRecord {
	now := j.now.UnixNano()
	r := store.FeedbackRecord{
		Memory: said.id, At: now, Signal: string(said.signal), Grade: uint8(grade), Used: grade >= dynamics.Good,
		Retrievability: j.model.StateRetrievability(before, now), Days: dynamics.Days(before.LastUse, now),
	}
	if j.recalled == nil {
		return r
	}
	for i := range j.recalled.hits {
		if h := &j.recalled.hits[i]; h.id == said.id {
			r.Rank, r.Score, r.Terms = i+1, h.score, h.terms
		}
	}
	return r
}

// standing is the state of a memory, or what it would be if somebody had asked before.
func standing(tx *store.Tx, f store.Found, r *store.Record, m *dynamics.Model) store.Dynamics {
	if d := f.Dynamics(); d != nil {
		return *d
	}
	return untouched(r, tx.View().Reliability(r.Source), m)
}

// untouched is the state of a memory that nobody has said anything of. A confidence below 1 is the caller's own word on
// how far it is to be believed; 1, the default, leaves that to what is known of the source.
func untouched(r *store.Record, source dynamics.Reliability, m *dynamics.Model) store.Dynamics {
	p := source.Mean()
	if r.Confidence < 1 {
		p = r.Confidence
	}
	own := dynamics.NewEvidence(r.Source, true, p)
	return store.Dynamics{State: m.Fresh(r.CreatedAt.Nanos, own), Evidence: []dynamics.Evidence{own}}
}

// dynamics checks what an import says of a memory's uses and belief: both or neither.
func (c *checks) dynamics(u *Usage, b *Belief) {
	if (u == nil) != (b == nil) {
		c.fail("use", "without belief, or belief without use", "give both, as Export does, or neither")
	}
	if u == nil || b == nil {
		return
	}
	if !(dynamics.Strength{Stability: u.Stability, Difficulty: u.Difficulty}).Valid() {
		c.fail("use", fmt.Sprintf("stability %v, difficulty %v", u.Stability, u.Difficulty),
			"stability lies in [0.001, 36500], difficulty in [1, 10]")
	}
	c.time("use.last_used", u.LastUsed)
	c.time("use.labile_until", u.LabileUntil)
	if u.LastUsed.IsZero() {
		c.fail("use.last_used", "missing", "say when it was last used: when it was created, if never")
	}
	if n := len(b.Evidence); n < 1 || n > dynamics.MaxSources {
		c.fail("belief.evidence", strconv.Itoa(n), fmt.Sprintf("give 1 to %d sources", dynamics.MaxSources))
	}
	seen := map[string]bool{}
	for _, e := range b.Evidence {
		c.name("belief.evidence source", e.Source, maxSourceBytes)
		if seen[e.Source] {
			c.fail("belief.evidence", quote(e.Source), "it is there twice: give each source once")
		}
		seen[e.Source] = true
		if !(e.LogOdds >= -dynamics.MaxLogOdds && e.LogOdds <= dynamics.MaxLogOdds) {
			c.fail("belief.evidence", fmt.Sprint(e.LogOdds), "log_odds lie in [-4, 4]")
		}
	}
}

// dynamics is what an import says of a memory's uses and belief.
func (n *numbered) dynamics() store.Dynamics {
	d := store.Dynamics{State: dynamics.State{
		Stability: float32(n.Use.Stability), Difficulty: float32(n.Use.Difficulty), Since: n.record.CreatedAt.Nanos,
		LastUse: n.Use.LastUsed.UnixNano(),
	}}
	if !n.Use.LabileUntil.IsZero() {
		d.State.LabileTill = n.Use.LabileUntil.UnixNano()
	}
	for _, e := range n.Belief.Evidence {
		d.Evidence = append(d.Evidence, dynamics.Evidence{
			Source: e.Source, Supports: e.Supports, LogOdds: float32(e.LogOdds),
		})
	}
	d.State.Learn(d.Evidence)
	return d
}
