package engram

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/store"
)

// Remember stores a memory and says what happened:
//
//   - Created: it is new.
//   - Superseded: it is new and ended the memories named in Supersedes.
//   - Reinforced: the same content is known already in the same scope; nothing was stored but that it was met again,
//     and the outcome names the memory that holds it. With an ID, the scope is that id. Without one it is the kind,
//     the speaker and the session, and every other field that the draft gives must agree with what is stored: a
//     draft that says something new is a new memory, so that nothing given is dropped. The source is the exception: the
//     same from another source is evidence for the memory that is there (Memory.Belief).
//
// An ID that holds other content, or the same content with other fields, is ErrConflict: Update changes a memory. A
// memory that has expired is known no longer: it is erased, and its id and content are free for the new one.
// When Remember returns nil the memory is durable, and every later Recall sees it.
func (s *Space) Remember(ctx context.Context, d Draft) (Outcome, error) {
	outcomes, err := s.remember(ctx, []Draft{d}, func(int) string { return "" })
	if err != nil {
		return Outcome{}, err
	}
	return outcomes[0], nil
}

// RememberBatch stores up to Limits.Batch memories as one: all of them become visible together, or none does. The
// outcomes are in the order of the drafts. An error names the draft by its index, as in "memories[3].content".
func (s *Space) RememberBatch(ctx context.Context, drafts []Draft) ([]Outcome, error) {
	l := s.db.o.Limits
	if len(drafts) == 0 {
		return nil, &InvalidError{
			Field: "memories", Value: "empty", Allowed: fmt.Sprintf("give 1 to %d memories", l.Batch),
		}
	}
	if len(drafts) > l.Batch {
		return nil, &SizeError{Field: "memories", Got: len(drafts), Most: l.Batch, Unit: "drafts"}
	}
	size := 0
	for i := range drafts {
		size += len(drafts[i].Content) + 4*len(drafts[i].Embedding)
	}
	if size > l.BatchBytes {
		return nil, &SizeError{Field: "memories", Got: size, Most: l.BatchBytes, Unit: "bytes of contents and vectors"}
	}
	return s.remember(ctx, drafts, func(i int) string { return fmt.Sprintf("memories[%d]", i) })
}

// pending is a draft made ready outside the lock.
type pending struct {
	draft       *Draft
	record      store.Record
	prepared    *store.Prepared
	fingerprint uint64
	at          string // the draft in its request, for errors: "memories[3]", or ""
	outcome     Outcome
	known       bool     // the outcome is that of an earlier write with the same idempotency key
	first       *pending // the draft of the batch that brought the same idempotency key; nil if none did
}

func (s *Space) remember(ctx context.Context, drafts []Draft, at func(i int) string) ([]Outcome, error) {
	now := s.db.o.Clock()
	batch := make([]pending, len(drafts))
	for i := range drafts {
		batch[i].draft, batch[i].at = &drafts[i], at(i)
		if err := s.db.o.Limits.draft(&drafts[i]); err != nil {
			return nil, inField(err, at(i))
		}
	}
	err := s.creating(ctx, "remember", func(sp *store.Space) error {
		prepare := func() {
			for i := range batch {
				batch[i].prepare(sp, now)
			}
		}
		err := sp.Write(ctx, "remember", prepare, func(tx *store.Tx) error { return s.rememberAll(tx, batch, now) })
		if err == nil {
			for i := range batch {
				sp.Recycle(batch[i].prepared)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(batch))
	for i := range batch {
		outcomes[i] = batch[i].outcome
	}
	return outcomes, nil
}

// prepare makes the draft ready to be staged in sp, whatever came of it before.
func (p *pending) prepare(sp *store.Space, now time.Time) {
	*p = pending{draft: p.draft, at: p.at, record: recordOf(p.draft, now)}
	if p.draft.IdempotencyKey != "" {
		p.fingerprint = fingerprint(p.draft)
	}
	p.prepared = sp.PrepareNew(&p.record)
}

// rememberAll stages a batch: first every memory, then what refers to memories, so that a batch may refer to itself.
func (s *Space) rememberAll(tx *store.Tx, batch []pending, now time.Time) error {
	if len(batch) > 1 || batch[0].refers() || s.db.o.MaxMemories > 0 {
		if err := s.foresee(tx, batch, now); err != nil {
			return err
		}
	}
	for i := range batch {
		if batch[i].first != nil {
			continue
		}
		if err := s.rememberOne(tx, &batch[i], now); err != nil {
			return inField(err, batch[i].at)
		}
	}
	for i := range batch {
		p := &batch[i]
		if p.first != nil {
			p.outcome = p.first.outcome
			continue
		}
		if p.known {
			continue
		}
		if err := p.refer(tx, now); err != nil {
			return inField(err, p.at)
		}
	}
	return s.makeRoom(tx, now)
}

// refers reports whether the draft says something of other memories.
func (p *pending) refers() bool {
	return len(p.draft.Links)+len(p.draft.Contradicts)+len(p.draft.Supersedes) > 0
}

// rememberOne decides what a draft is and stages that.
func (s *Space) rememberOne(tx *store.Tx, p *pending, now time.Time) error {
	if key := p.draft.IdempotencyKey; key != "" {
		if k, ok := tx.Key(key); ok {
			return p.repeat(k)
		}
	}
	if err := isolate.Fault("engram/remember"); err != nil {
		return err
	}
	if err := s.nameModel(tx, p.draft.EmbeddingModel, p.draft.Embedding); err != nil {
		return err
	}
	f, known, gone, err := p.findKnown(tx, now)
	if err != nil {
		return err
	}
	if known {
		return p.reinforce(tx, f, now, s.model())
	}
	for _, id := range gone {
		if err := tx.Erase(id); err != nil {
			return err
		}
	}
	if p.record.ID == "" {
		if p.record.ID, err = s.db.ids.uuid(); err != nil {
			return err
		}
	}
	if err := s.fits(tx, tx.Grown()+1); err != nil {
		return err
	}
	p.outcome = Outcome{ID: p.record.ID, Result: Created, Version: 1, Embedding: embeddingOf(p.draft.Embedding)}
	return tx.Put(string(EventCreated), &p.record, p.draft.Embedding, p.prepared)
}

// nameModel tells the space which model made a vector, and refuses that of another one.
func (s *Space) nameModel(tx *store.Tx, name string, vector []float32) error {
	return tx.NameModel(s.modelOf(name, vector))
}

func embeddingOf(v []float32) string {
	if len(v) > 0 {
		return "stored"
	}
	return "none"
}

// repeat answers a retry with the outcome of the first try.
func (p *pending) repeat(k store.Key) error {
	if err := p.matches(k); err != nil {
		return err
	}
	p.known = true
	p.outcome = Outcome{
		ID: k.ID, Result: Result(k.Result), Version: int(k.Version), Superseded: p.draft.Supersedes,
		Contradicts: p.draft.Contradicts, Embedding: embeddingOf(p.draft.Embedding),
	}
	return nil
}

// matches refuses a draft that is not the one that its key was used for.
func (p *pending) matches(k store.Key) error {
	if k.Fingerprint == p.fingerprint {
		return nil
	}
	return fmt.Errorf("idempotency_key %s was used for other content, held by memory %q: use a new key: %w",
		quote(k.Name), k.ID, ErrConflict)
}

// matchesFirst refuses a draft that is not the one that brought its key in the same batch.
func (p *pending) matchesFirst() error {
	if p.first.fingerprint == p.fingerprint {
		return nil
	}
	return fmt.Errorf("idempotency_key %s is that of another memory of the batch: give each its own: %w",
		quote(p.draft.IdempotencyKey), ErrConflict)
}

// findKnown finds the memory that already holds the draft's content, by id or by scope. An expired memory is as good as
// gone: it is not known, but named, to make room for the new one.
func (p *pending) findKnown(tx *store.Tx, now time.Time) (f store.Found, known bool, gone []string, err error) {
	if p.draft.ID == "" {
		f, known, err = tx.FindScope(&p.record, func(known *store.Record, row uint32) (bool, error) {
			if expired(known.ExpiresAt, now) {
				gone = append(gone, known.ID)
				return false, nil
			}
			field, err := p.differs(known, func() ([]float32, error) { return tx.View().Vector(row) })
			return field == "", err
		})
		return f, known, gone, err
	}
	f, ok, err := tx.Find(p.draft.ID)
	if err != nil || !ok {
		return f, false, nil, err
	}
	if expired(tx.View().ExpiresAt(f.Row), now) {
		return f, false, []string{p.draft.ID}, nil
	}
	f, known, err = p.sameAs(tx, f)
	return f, known, nil, err
}

// sameAs holds the draft against the memory of its id: the same, or a conflict.
func (p *pending) sameAs(tx *store.Tx, f store.Found) (store.Found, bool, error) {
	known, err := tx.Record(f.Row)
	if err != nil {
		return f, false, err
	}
	if f.Archived() {
		return f, false, fmt.Errorf("memory %q is archived: restore it, or use another id: %w", p.draft.ID, ErrConflict)
	}
	err = p.holdAgainst(known, func() ([]float32, error) { return tx.View().Vector(f.Row) })
	return f, err == nil, err
}

// holdAgainst refuses the draft if what the memory of its id says is not what it says.
func (p *pending) holdAgainst(known *store.Record, vector func() ([]float32, error)) (err error) {
	field := "content"
	if known.Content == p.record.Content {
		if field, err = p.differs(known, vector); err != nil {
			return err
		}
	}
	if field != "" {
		return fmt.Errorf("memory %q exists with other %s: use update to change it, or another id: %w",
			p.draft.ID, field, ErrConflict)
	}
	return nil
}

// differs names the first field that the draft gives and in which the known memory is different; "" if there is none.
func (p *pending) differs(known *store.Record, vector func() ([]float32, error)) (string, error) {
	d, r := p.draft, &p.record
	for _, f := range []struct {
		name        string
		given, same bool
	}{
		{"kind", d.Kind != "", known.Kind == r.Kind},
		{"speaker", d.Speaker != "", known.Speaker == r.Speaker},
		{"session", d.Session != "", known.Session == r.Session},
		{"tags", len(d.Tags) > 0, sameSet(known.Tags, r.Tags)},
		{"occurred_at", !d.OccurredAt.IsZero(), known.OccurredAt.Nanos == r.OccurredAt.Nanos},
		{"valid_from", !d.ValidFrom.IsZero(), known.ValidFrom.Nanos == r.ValidFrom.Nanos},
		{"valid_until", !d.ValidUntil.IsZero(), known.ValidUntil.Nanos == r.ValidUntil.Nanos},
		{"expires_at", !d.ExpiresAt.IsZero(), known.ExpiresAt.Nanos == r.ExpiresAt.Nanos},
		{"pin", d.Pin, known.Pin},
		{"confidence", d.Confidence != nil, known.Confidence == r.Confidence},
		{"language", d.Language != "", known.Language == r.Language},
		{"metadata", len(d.Metadata) > 0, slices.Equal(known.Metadata, r.Metadata)},
	} {
		if f.given && !f.same {
			return f.name, nil
		}
	}
	if d.Embedding == nil {
		return "", nil
	}
	held, err := vector()
	if err != nil || !slices.Equal(held, d.Embedding) {
		return "embedding", err
	}
	return "", nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func (p *pending) reinforce(tx *store.Tx, f store.Found, now time.Time, m *dynamics.Model) error {
	known, err := tx.Record(f.Row)
	if err != nil {
		return err
	}
	vector, err := tx.View().Vector(f.Row)
	if err != nil {
		return err
	}
	p.record.ID = known.ID
	p.outcome = Outcome{
		ID: known.ID, Result: Reinforced, Version: int(known.Version), Embedding: embeddingOf(vector),
	}
	if err := tx.Reinforce(known.ID, f.Reinforced()+1, now.UnixNano()); err != nil {
		return err
	}
	d := standing(tx.View(), f, known, m)
	d.State, d.At = m.Use(d.State, dynamics.Hard, now.UnixNano()), now.UnixNano()
	d.During = p.draft.Session
	if source := p.draft.Source; source != "" {
		d.Evidence = dynamics.Hear(d.Evidence, tx.View().Reliability(source).Says(source, true))
		d.State.Learn(d.Evidence)
	}
	return tx.SetDynamics(known.ID, &d)
}

// recordOf is the first version of a draft; its id may still be empty.
func recordOf(d *Draft, now time.Time) store.Record {
	occurred := d.OccurredAt
	if occurred.IsZero() {
		occurred = now
	}
	confidence := 1.0
	if d.Confidence != nil {
		confidence = *d.Confidence + 0 // -0 is 0
	}
	r := store.Record{
		ID: d.ID, Version: 1, Content: d.Content, Kind: cmp.Or(d.Kind, DefaultKind), Tags: slices.Clone(d.Tags),
		Speaker: d.Speaker, Session: d.Session, Source: d.Source, Metadata: toPairs(d.Metadata),
		OccurredAt: toTime(occurred), ValidFrom: toTime(d.ValidFrom), ValidUntil: toTime(d.ValidUntil),
		ExpiresAt: toTime(d.ExpiresAt), CreatedAt: toTime(now), UpdatedAt: toTime(now), Confidence: confidence,
		Pin: d.Pin,
	}
	setLanguage(&r, d.Language)
	return r
}

// setLanguage says what a record is in; "" leaves it to be found out.
func setLanguage(r *store.Record, name string) {
	r.Language, r.LanguageFrom = "", store.LanguageOpen
	if name != "" {
		r.Language, _ = lexical.LanguageCode(name) // it was checked
		r.LanguageFrom = store.LanguageStated
	}
}

// Languages lists the languages that [Draft] and [Options] can name, in alphabetical order. "english" is the second
// edition of Porter's algorithm (Snowball "english"), "porter" the one of 1980, "none" neither stems nor stops.
func Languages() []string { return lexical.Languages() }

// fingerprint tells drafts apart that use the same idempotency key.
func fingerprint(d *Draft) uint64 {
	h := xxhash.New()
	confidence := -1.0
	if d.Confidence != nil {
		confidence = *d.Confidence + 0 // -0 is 0
	}
	links := make([]Link, 0, len(d.Links))
	for _, l := range d.Links {
		links = append(links, Link{To: l.To, Type: l.kind()})
		fmt.Fprintf(h, "%v;", weightOf(l)) //nolint:errcheck // a hash never fails
	}
	fmt.Fprintf(h, "%q %q %q %q %q %q %q %d %d %d %d %v %v %q %v %v %q %q", //nolint:errcheck // as above
		d.ID, d.Content, d.Kind, d.Tags, d.Speaker, d.Session, toPairs(d.Metadata),
		toTime(d.OccurredAt).Nanos, toTime(d.ValidFrom).Nanos, toTime(d.ValidUntil).Nanos, toTime(d.ExpiresAt).Nanos,
		d.Pin, confidence, d.Source, d.Embedding, links, d.Supersedes, d.Contradicts)
	if d.EmbeddingModel != "" {
		fmt.Fprintf(h, " %q", d.EmbeddingModel) //nolint:errcheck // as above
	}
	if d.Language != "" {
		fmt.Fprintf(h, " language %q", d.Language) //nolint:errcheck // as above
	}
	return h.Sum64()
}
