package engram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/dynamics/fit"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// The lines of an export that tell of the space: what it keeps beside its memories. They stand behind these.

// spaceLine is what one of them tells: one of its fields is there.
type spaceLine struct {
	Source    *sourceLine    `json:"source,omitempty"`
	Judgement *judgementLine `json:"judgement,omitempty"`
	Key       *keyLine       `json:"key,omitempty"`
	Event     *eventLine     `json:"event,omitempty"`
	Apart     *apartLine     `json:"apart,omitempty"`
	Weights   *weightsLine   `json:"weights,omitempty"`
}

// sourceLine is how reliable a source is, and was: its states, oldest first.
type sourceLine struct {
	Name   string        `json:"name"`
	States []sourceState `json:"states"`
}

type sourceState struct {
	Right float64   `json:"right"`
	Wrong float64   `json:"wrong"`
	At    time.Time `json:"at,omitzero"`
}

// judgementLine is one record of feedback.
type judgementLine struct {
	FeedbackRecord
}

// keyLine is an idempotency key.
type keyLine struct {
	Key         string `json:"key"`
	Fingerprint string `json:"fingerprint"` // 64 bits in hexadecimal digits
	ID          string `json:"id"`
	Outcome     Result `json:"outcome"`
	Version     int    `json:"version"`
}

// eventLine is an event of feedback that was told.
type eventLine struct {
	EventID     string `json:"event_id"`
	Fingerprint string `json:"fingerprint"`
	Reinforced  int    `json:"reinforced"`
	Weakened    int    `json:"weakened"`
	ID          string `json:"id,omitempty"` // of the one memory that was judged; empty if there were several
}

// apartLine is a version of a memory that is not to be consolidated, because somebody has taken its concept apart.
type apartLine struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
}

// weightsLine are fitted weights.
type weightsLine struct {
	FittedAt time.Time `json:"fitted_at"`
	Training int       `json:"training"`
	Weights  []float64 `json:"weights"`
	// Coefficients of terms, by name; none if none were fitted.
	Coefficients []modelCoefficient `json:"coefficients,omitempty"`
}

// exportSpace writes what the space keeps beside its memories.
func (s *Space) exportSpace(
	ctx context.Context, out io.Writer, v *store.View, now time.Time, report *ExportReport,
) error {
	return spaceLines(ctx, v, now, s.db.models.file(s.name), func(l spaceLine, err error) error {
		if err != nil {
			return err
		}
		report.Others++
		return writeLine(out, struct {
			Space spaceLine `json:"space"`
		}{l})
	})
}

// spaceLines calls fn with what a space keeps beside its memories, and with an error for each thing that cannot be
// read; it ends with the first that fn returns.
func spaceLines(
	ctx context.Context, v *store.View, now time.Time, weights *modelFile, fn func(spaceLine, error) error,
) error {
	for _, known := range v.Sources() {
		l := sourceLine{Name: known.Name}
		for _, st := range v.SourceHistory(known.Name) {
			l.States = append(l.States, sourceState{
				Right: weight64(st.Right), Wrong: weight64(st.Wrong), At: fromNanos(st.At),
			})
		}
		if err := fn(spaceLine{Source: &l}, nil); err != nil {
			return err
		}
	}
	for r := range v.Feedback() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if expired(v.ExpiresAt(r.Row), now) {
			continue
		}
		record, err := recordOfFeedback(v, &r)
		record.Position = 0 // a place in this space's log
		if err := fn(spaceLine{Judgement: &judgementLine{record}}, err); err != nil {
			return err
		}
	}
	for _, k := range v.Keys() {
		l, ok, err := lineOfKey(v, k, now)
		if !ok && err == nil {
			continue
		}
		if err := fn(l, err); err != nil {
			return err
		}
	}
	if weights == nil {
		return nil
	}
	return fn(spaceLine{
		Weights: &weightsLine{
			FittedAt: weights.FittedAt, Training: weights.Training, Weights: weights.Weights,
			Coefficients: weights.Coefficients,
		},
	}, nil)
}

// lineOfKey is what a key says; false if its memory is gone.
func lineOfKey(v *store.View, k store.Key, now time.Time) (l spaceLine, ok bool, err error) {
	if k.ID != "" {
		f, ok, err := v.Lookup(k.ID)
		if err != nil || !ok || expired(v.ExpiresAt(f.Row), now) {
			return l, false, err
		}
	}
	fingerprint := strconv.FormatUint(k.Fingerprint, 16)
	if id, is := strings.CutPrefix(k.Name, eventKey("")); is {
		up, down := counts(k.Result)
		l.Event = &eventLine{EventID: id, Fingerprint: fingerprint, Reinforced: up, Weakened: down, ID: k.ID}
		return l, true, nil
	}
	if id, is := strings.CutPrefix(k.Name, apartKey("")); is {
		l.Apart = &apartLine{ID: id, Version: int(k.Version)}
		return l, true, nil
	}
	l.Key = &keyLine{
		Key: k.Name, Fingerprint: fingerprint, ID: k.ID, Outcome: Result(k.Result), Version: int(k.Version),
	}
	return l, true, nil
}

// readModel reads the file of fitted weights of the space that is open as sp; nil if there is none.
func (db *DB) readModel(sp *store.Space, path string) (*modelFile, error) {
	b, err := readSmall(db.o.fs, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read fitted weights: %w", err)
	}
	return decodeModel(sp, path, b)
}

// check checks a line.
func (l *spaceLine) check(c *checks) {
	kinds := 0
	if l.Source != nil {
		kinds++
		l.Source.check(c)
	}
	if l.Judgement != nil {
		kinds++
		l.Judgement.check(c)
	}
	if l.Key != nil {
		kinds++
		c.name("space.key.key", l.Key.Key, maxIDBytes)
		c.id("space.key.id", l.Key.ID)
		c.version("space.key.version", l.Key.Version)
		c.fingerprint("space.key.fingerprint", l.Key.Fingerprint)
		if l.Key.Key == "" || !slices.Contains([]Result{Created, Reinforced, Superseded}, l.Key.Outcome) {
			c.fail("space.key", quote(l.Key.Key)+", "+quote(string(l.Key.Outcome)),
				"give the key, and what the write did: created, reinforced or superseded")
		}
	}
	if l.Event != nil {
		kinds++
		c.id("space.event.event_id", l.Event.EventID)
		if l.Event.ID != "" {
			c.id("space.event.id", l.Event.ID)
		}
		c.fingerprint("space.event.fingerprint", l.Event.Fingerprint)
		c.between("space.event.reinforced", l.Event.Reinforced, 0, maxCount)
		c.between("space.event.weakened", l.Event.Weakened, 0, maxCount)
	}
	if l.Apart != nil {
		kinds++
		c.id("space.apart.id", l.Apart.ID)
		c.version("space.apart.version", l.Apart.Version)
	}
	if l.Weights != nil {
		kinds++
		if len(l.Weights.Weights) != len(dynamics.Weights{}) || !fit.Within(dynamics.Weights(l.Weights.Weights)) {
			const allowed = "give the 21 weights, within the bounds of FSRS-6"
			c.fail("space.weights.weights", fmt.Sprint(l.Weights.Weights), allowed)
		}
		if !possible(l.Weights.Coefficients) {
			c.fail("space.weights.coefficients", fmt.Sprint(l.Weights.Coefficients), fmt.Sprintf(
				"give each of some terms one in [%v,%v], by name: %s", dynamics.LeastCoefficient,
				dynamics.MostCoefficient, strings.Join(recall.Weighable(), ", ")))
		}
		c.time("space.weights.fitted_at", l.Weights.FittedAt)
		c.between("space.weights.training", l.Weights.Training, 0, maxCount)
	}
	if kinds != 1 {
		c.fail("space", fmt.Sprintf("%d things", kinds), "tell one: source, judgement, key, event, apart or weights")
	}
}

// maxCount bounds counts in lines.
const maxCount = 1<<31 - 1

func (c *checks) version(field string, n int) { c.between(field, n, 1, maxCount) }

func (c *checks) fingerprint(field, text string) {
	if _, err := strconv.ParseUint(text, 16, 64); err != nil {
		c.fail(field, quote(text), "up to 16 hexadecimal digits, as Export writes them")
	}
}

func (l *sourceLine) check(c *checks) {
	c.name("space.source.name", l.Name, maxSourceBytes)
	c.between("space.source.states", len(l.States), 1, store.MaxStates)
	for _, st := range l.States {
		if !(st.Right > 0 && st.Right < maxCount && st.Wrong > 0 && st.Wrong < maxCount) {
			c.fail("space.source.states", fmt.Sprintf("right %v, wrong %v", st.Right, st.Wrong), "counts are above 0")
		}
		c.time("space.source.states at", st.At)
	}
}

func (l *judgementLine) check(c *checks) {
	c.id("space.judgement.id", l.ID)
	c.time("space.judgement.at", l.At)
	c.between("space.judgement.grade", l.Grade, 0, int(dynamics.Easy))
	c.between("space.judgement.rank", l.Rank, 0, maxCount)
	c.between("space.judgement.terms", len(l.Terms), 0, maxTerms)
	if l.At.IsZero() || !slices.Contains(Signals(), l.Signal) {
		c.fail("space.judgement", quote(string(l.Signal)), "say what was judged and when, as Export does")
	}
	if !(l.Retrievability >= 0 && l.Retrievability <= 1 && l.Days >= 0) {
		c.fail("space.judgement", fmt.Sprintf("retrievability %v, days %v", l.Retrievability, l.Days),
			"retrievability lies in [0,1], days are 0 or more")
	}
	c.name("space.judgement.source", l.Source, maxSourceBytes)
	c.text("space.judgement.reason", l.Reason, maxReasonBytes)
	c.name("space.judgement.event_id", l.EventID, maxIDBytes)
	c.name("space.judgement.during", l.During, maxPersonBytes)
	c.name("space.judgement.by", l.By, maxIDBytes)
	for _, t := range l.Terms {
		c.name("space.judgement.terms", t.Name, maxNameBytes)
	}
}

// maxTerms bounds the terms of a judgement in a line: far more than a score has.
const maxTerms = 64

// storeSpace stages what a line tells of the space.
func (im *importer) storeSpace(tx *store.Tx, n *numbered) error {
	l := n.Space
	changed, err := false, error(nil)
	switch {
	case l.Source != nil:
		changed, err = importSource(tx, l.Source)
	case l.Judgement != nil:
		changed, err = im.judgement(tx, l.Judgement)
	case l.Key != nil:
		changed, err = importKey(tx, l.Key.Fingerprint, store.Key{
			Name: l.Key.Key, ID: l.Key.ID, Result: string(l.Key.Outcome), Version: uint32(l.Key.Version),
		})
	case l.Event != nil:
		changed, err = importKey(tx, l.Event.Fingerprint, store.Key{
			Name: eventKey(l.Event.EventID), Result: fmt.Sprint(l.Event.Reinforced, l.Event.Weakened), ID: l.Event.ID,
		})
	case l.Apart != nil:
		changed, err = importKey(tx, "0", store.Key{
			Name: apartKey(l.Apart.ID), ID: l.Apart.ID, Result: resultApart, Version: uint32(l.Apart.Version),
		})
	case l.Weights != nil:
		changed, err = im.weights(l.Weights)
	}
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrNotFound), errors.Is(err, ErrCorrupt):
		return im.bad(n.line, err)
	case err != nil:
		return err
	case changed:
		im.report.Others++
	default:
		im.report.Unchanged++
	}
	return nil
}

// importSource takes over what is known of a source. Counts only grow, so that of two the greater is known by both.
func importSource(tx *store.Tx, l *sourceLine) (changed bool, err error) {
	known := tx.View().SourceHistory(l.Name)
	for _, st := range l.States {
		next := store.Source{
			Name: l.Name, At: toTime(st.At).Nanos,
			Reliability: dynamics.Reliability{Right: float32(st.Right), Wrong: float32(st.Wrong)},
		}
		if len(known) > 0 {
			last := known[len(known)-1]
			next.Right, next.Wrong = max(next.Right, last.Right), max(next.Wrong, last.Wrong)
			next.At = max(next.At, last.At)
			if next == last {
				continue
			}
		}
		if err := tx.SetSource(next); err != nil {
			return changed, err
		}
		known = append(known, next)
		changed = true
	}
	return changed, nil
}

// importKey takes over a key; one that stands for something else here is a conflict.
func importKey(tx *store.Tx, fingerprint string, k store.Key) (changed bool, err error) {
	if k.Fingerprint, err = strconv.ParseUint(fingerprint, 16, 64); err != nil {
		return false, fmt.Errorf("fingerprint: %w", err)
	}
	if k.ID != "" {
		if _, ok, err := tx.Lookup(k.ID); err != nil || !ok {
			return false, orNotFound(err, k.ID)
		}
	}
	known, ok := tx.Key(k.Name)
	switch {
	case !ok, k.Result == resultApart && known.Version < k.Version:
		return true, tx.PutKey(k)
	case known.Fingerprint != k.Fingerprint || known.ID != k.ID && known.ID != "" && k.ID != "":
		return false, fmt.Errorf("key %s stands for something else here: %w", quote(k.Name), ErrConflict)
	}
	return false, nil
}

// weights takes over fitted weights, unless the space has others.
func (im *importer) weights(l *weightsLine) (changed bool, err error) {
	if im.rehearsing { // they are stored when the space is there
		im.weighed = true
		return true, nil
	}
	db, name := im.space.db, im.space.name
	db.fitting.Lock()
	defer db.fitting.Unlock()
	switch known := db.models.file(name); {
	case known == nil:
		return true, db.saveModel(name, newModelFile(im.sp, l.FittedAt, l.Training, l.Weights, l.Coefficients))
	case slices.Equal(known.Weights, l.Weights) && slices.Equal(known.Coefficients, l.Coefficients):
		return false, nil
	}
	return false, fmt.Errorf("the space goes by other fitted weights: remove them first: %w", ErrConflict)
}

// judgement takes over a record of feedback that is not there yet.
func (im *importer) judgement(tx *store.Tx, l *judgementLine) (changed bool, err error) {
	if _, ok, err := tx.Lookup(l.ID); err != nil || !ok {
		return false, orNotFound(err, l.ID)
	}
	if im.judged == nil {
		if im.judged, err = judgedIn(tx.View()); err != nil {
			return false, err
		}
	}
	key := l.key()
	if im.judged[key] > 0 {
		im.judged[key]--
		im.tried = append(im.tried, key)
		return false, nil
	}
	r := store.FeedbackRecord{
		Memory: l.ID, At: l.At.UnixNano(), Signal: string(l.Signal), Grade: uint8(l.Grade), Used: l.Used,
		Verified: l.Verified, Retrievability: float32(l.Retrievability), Days: l.Days,
		FeedbackContext: store.FeedbackContext{
			Rank: l.Rank, Score: l.Score, Source: l.Source, Reason: l.Reason, EventID: l.EventID, During: l.During,
			By: l.By,
		},
	}
	for _, t := range l.Terms {
		r.Terms = append(r.Terms, store.FeedbackTerm{Name: t.Name, Value: t.Value})
	}
	return true, tx.Feedback(r)
}

// key tells judgements apart.
func (r *FeedbackRecord) key() string {
	return fmt.Sprintf("%q %d %s %q %q %q %v", r.ID, r.At.UnixNano(), r.Signal, r.EventID, r.Source, r.During, r.Days)
}

// judgedIn counts the judgements that a space has of each kind.
func judgedIn(v *store.View) (map[string]int, error) {
	count := map[string]int{}
	for r := range v.Feedback() {
		record, err := recordOfFeedback(v, &r)
		if errors.Is(err, ErrCorrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		count[record.key()]++
	}
	return count, nil
}
