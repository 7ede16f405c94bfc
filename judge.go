package engram

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/store"
)

// How a Feedback is stored.

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
		return nil, &SizeError{
			Field: "ids", Got: len(said), Most: most, Unit: "memories, with those in useful, useless and wrong",
		}
	}
	seen := map[string]bool{}
	for _, j := range said {
		if seen[j.id] {
			return nil, &InvalidError{
				Field: "ids", Value: quote(j.id), Allowed: "it is there twice: say one thing of each memory",
			}
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
	recalled *recent            // nil if no recall was named
	other    *dynamics.Evidence // what the source of Feedback.By says, if it speaks; else nil
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
	if err := j.contradict(tx); err != nil {
		return err
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
		ID: j.only(),
	})
}

// only is the one memory that was judged, with which the event is forgotten when it is erased; "" if there are several.
func (j *judge) only() string {
	if len(j.said) != 1 {
		return ""
	}
	return j.said[0].id
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
	if j.f.By != "" || j.f.During != "" {
		fmt.Fprintf(h, " %q %q", j.f.By, j.f.During) //nolint:errcheck // as above
	}
	return h.Sum64()
}

// repeat answers an event that was told before.
func (j *judge) repeat(k store.Key, print uint64) error {
	if k.Fingerprint != print {
		return fmt.Errorf("event_id %s was used for other feedback: use a new one: %w", quote(j.f.EventID), ErrConflict)
	}
	j.report.Reinforced, j.report.Weakened = counts(k.Result)
	j.report.Repeated = true
	return nil
}

// counts are what the key of an event tells of its report.
func counts(result string) (reinforced, weakened int) {
	up, down, _ := strings.Cut(result, " ")
	reinforced, _ = strconv.Atoi(up)
	weakened, _ = strconv.Atoi(down)
	return reinforced, weakened
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
	before := standing(tx.View(), found, r, j.model)
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
		after.At = j.now.UnixNano()
		if err := tx.SetDynamics(said.id, &after); err != nil {
			return err
		}
	}
	if said.signal == Contradicted && j.f.By != "" {
		if err := link(tx, said.id, Link{To: j.f.By, Type: Contradicts, Weight: new(1.)}); err != nil {
			return err
		}
	}
	return tx.Feedback(j.record(said, &before.State, grade))
}

func (j *judge) count(signal Signal) {
	switch signal {
	case Useful, Confirmed, Pinned:
		j.report.Reinforced++
	case Useless, Wrong, Contradicted:
		j.report.Weakened++
	case Unpinned:
	}
}

// outcome is what a signal makes of a memory's state; grade is 0 if its stability is not concerned.
func (j *judge) outcome(
	tx *store.Tx, d store.Dynamics, signal Signal,
) (_ store.Dynamics, grade dynamics.Grade, err error) {
	grades := map[Signal]dynamics.Grade{
		Useful: dynamics.Good, Confirmed: dynamics.Good, Pinned: dynamics.Easy, Useless: dynamics.Again,
	}
	grade = grades[signal]
	if grade != 0 {
		d.State = j.model.Use(d.State, grade, j.now.UnixNano())
	}
	if grade >= dynamics.Good {
		d.During = j.during()
	}
	if !j.tells(signal) {
		return d, grade, nil
	}
	says := tx.View().Reliability(j.f.Source).Says(j.f.Source, signal == Confirmed)
	if signal == Contradicted && j.other != nil {
		says = *j.other
	}
	if j.f.Verified {
		if d.Evidence, err = j.verify(tx, d.Evidence, says); err != nil {
			return d, grade, err
		}
	}
	d.Evidence = dynamics.Hear(d.Evidence, says)
	d.State.Learn(d.Evidence)
	return d, grade, nil
}

// tells reports whether a signal says that something is true, or not.
func (j *judge) tells(signal Signal) bool {
	return signal == Confirmed || signal == Wrong || signal == Contradicted
}

// during is the session in which the judgement was given.
func (j *judge) during() string {
	if j.f.During == "" && j.recalled != nil {
		return j.recalled.during
	}
	return j.f.During
}

// contradict finds out what the memory that says otherwise says by its own source, unless the feedback has one.
func (j *judge) contradict(tx *store.Tx) error {
	if j.f.By == "" {
		return nil
	}
	f, ok, err := tx.Lookup(j.f.By)
	if err != nil || !ok || expired(tx.View().ExpiresAt(f.Row), j.now) {
		return orNotFound(err, j.f.By)
	}
	if j.f.Source != "" {
		return nil
	}
	r, err := tx.Record(f.Row)
	if err != nil {
		return err
	}
	own := tx.View().Own(f, r)
	own.Supports = false
	j.other = &own
	return nil
}

// verify adjusts how reliable those sources are that have spoken of a memory: that one was right, or wrong, counts once
// for each memory. Who verifies is no judge of itself.
func (j *judge) verify(tx *store.Tx, said []dynamics.Evidence, says dynamics.Evidence) ([]dynamics.Evidence, error) {
	said = slices.Clone(said)
	for i, e := range said {
		if e.Source == says.Source {
			continue
		}
		e, r, counted := e.Verify(e.Supports == says.Supports, tx.View().Reliability(e.Source))
		if !counted {
			continue
		}
		said[i] = e
		if err := tx.SetSource(store.Source{Name: e.Source, Reliability: r, At: j.now.UnixNano()}); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// record is what is kept of a judgement for fitting.
func (j *judge) record(said judgement, before *dynamics.State, grade dynamics.Grade) store.FeedbackRecord {
	now := j.now.UnixNano()
	r := store.FeedbackRecord{
		Memory: said.id, At: now, Signal: string(said.signal), Grade: uint8(grade), Used: grade >= dynamics.Good,
		Verified:       j.f.Verified && j.tells(said.signal),
		Retrievability: float32(j.model.StateRetrievability(before, now)), Days: dynamics.Days(before.LastUse, now),
	}
	r.Source, r.Reason, r.EventID, r.During = j.f.Source, j.f.Reason, j.f.EventID, j.during()
	if said.signal == Contradicted {
		r.By = j.f.By
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
func standing(v *store.View, f store.Found, r *store.Record, m *dynamics.Model) store.Dynamics {
	if d := f.Dynamics(); d != nil {
		return *d
	}
	return untouched(v, f, r, m)
}

// untouched is the state of a memory that nobody has said anything of.
func untouched(v *store.View, f store.Found, r *store.Record, m *dynamics.Model) store.Dynamics {
	own := v.Own(f, r)
	return store.Dynamics{
		State: m.Fresh(r.CreatedAt.Nanos, own), Evidence: []dynamics.Evidence{own}, At: r.CreatedAt.Nanos,
	}
}
