package engram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
)

// DefaultLimit is the number of hits that a cue without a limit gets, if there are so many.
const DefaultLimit = 10

// MaxHops is the largest Cue.Hops.
const MaxHops = 3

// Recall finds what a cue brings to mind: memories ranked by one score, the sum of the terms in each hit's Why. Filters
// are applied before ranking. No hits means that nothing relevant is known; a cue with neither text nor embedding
// gives the newest memories that pass the filters. A memory whose bytes turn out to be damaged is no hit, and named in
// Answer.Damaged.
func (s *Space) Recall(ctx context.Context, cue Cue) (Answer, error) {
	if err := s.db.o.Limits.cue(&cue); err != nil {
		return Answer{}, err
	}
	cue.EmbeddingModel = s.modelOf(cue.EmbeddingModel, cue.Embedding)
	ctx, cancel := budget(ctx, cue.MaxTime)
	defer cancel()
	var answer Answer
	var weighed map[string]float64
	now := s.db.o.Clock()
	err := s.read(ctx, "recall", func(v *store.View) error {
		return readWhole(v, func() (err error) {
			for range rereads {
				var dropped bool
				if answer, weighed, dropped, err = s.answer(ctx, v, &cue, now); err != nil || !dropped {
					return err
				}
			}
			return nil // too many in turn: those that could be read
		})
	})
	if err != nil {
		return Answer{}, err
	}
	answer.RecallID = s.db.recents.note(s.name, cue.During, answer.Hits, weighed)
	return answer, nil
}

// answer answers a cue from a view. dropped says that a hit could not be read: another try passes it over, and has the
// next one in its place. weighed are the coefficients that its terms have; nil if they have none.
func (s *Space) answer(
	ctx context.Context, v *store.View, cue *Cue, now time.Time,
) (answer Answer, weighed map[string]float64, dropped bool, err error) {
	answer.Hits = []Hit{}
	q, damage, err := s.query(v, cue, now)
	if err != nil {
		return answer, nil, false, err
	}
	found, chosen, err := s.find(ctx, v, cue, corpusOf(v, cue, now), q)
	if err != nil {
		return answer, nil, false, err
	}
	answer.Searched = found.Searched
	if found.Weighed {
		weighed = q.Coefficients
	}
	answer.Damaged = tellDamage(answer.Damaged, v.Unreadable(maxDamage)...)
	answer.Damaged = tellDamage(answer.Damaged, append(*damage, found.Damage...)...)
	if lost := v.VectorsLost(); lost != nil && cue.Embedding != nil {
		answer.Damaged = tellDamage(answer.Damaged, lost)
	}
	var chances []float64
	if cue.Compete {
		var none float64
		chances, none = compete(found.Hits, found.Searched, len(found.Hits))
		answer.None = &none
	}
	if len(found.Hits) == 0 && found.Rejected != 0 {
		answer.Rejected = &found.Rejected
	}
	tokens, size := 0, result{most: s.db.o.Limits.Result}
	for _, c := range chosen {
		hit, err := hitOf(v, cue, &found.Hits[c.place], s.lens(now))
		if errors.Is(err, ErrCorrupt) {
			answer.Damaged, dropped = tellDamage(answer.Damaged, err), true
			continue
		}
		if err != nil {
			return answer, nil, false, err
		}
		hit.detailed(cue.Detail)
		if err := size.add(hit.Content); err != nil {
			return answer, nil, false, err
		}
		tokens += ApproxTokens(hit.Content)
		if cue.MaxTokens > 0 && tokens > cue.MaxTokens {
			answer.Truncated = true
			break
		}
		if cue.Compete {
			hit.Probability = &chances[c.place]
		}
		hit.Similar = c.similar
		answer.Hits = append(answer.Hits, hit)
		v.Need(store.Day(now.UnixNano()), found.Hits[c.place].Row)
	}
	return answer, weighed, dropped, nil
}

// modelOf is the name of what made a vector, "" if there is none or nobody named it.
func (s *Space) modelOf(name string, vector []float32) string {
	if len(vector) == 0 {
		return ""
	}
	return cmp.Or(name, s.db.o.EmbeddingModel)
}

// budget bounds a context by milliseconds of real time; 0 does not.
func budget(ctx context.Context, millis int) (context.Context, context.CancelFunc) {
	if millis == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Duration(millis)*time.Millisecond)
}

// ApproxTokens is about how many tokens a language model reads a text as: one for each four bytes of ASCII, rounded up,
// and one for each other character. No tokenizer is asked; real ones differ by a third or so in either direction.
func ApproxTokens(text string) int {
	ascii, others := 0, 0
	for _, r := range text {
		if r < utf8.RuneSelf {
			ascii++
		} else {
			others++
		}
	}
	return (ascii+3)/4 + others
}

// Terms lists what Cue.Without can switch off: the terms of the score, and the steps that change one.
func Terms() []string { return recall.Switches() }

// corpusOf is what a cue is answered from.
func corpusOf(v *store.View, cue *Cue, now time.Time) *recall.Corpus {
	if cue.AsOf.IsZero() {
		return v.Corpus()
	}
	return v.CorpusAsOf(store.Past{At: cue.AsOf.UnixNano(), Now: now.UnixNano(), Superseded: !cue.ValidAt.IsZero()})
}

// fateOf is the memory of a row as a cue sees it.
func fateOf(v *store.View, cue *Cue, row uint32) store.Found {
	f := v.Fate(row)
	if !cue.AsOf.IsZero() {
		if past, ok := v.AsOf(f, cue.AsOf.UnixNano()); ok {
			return past
		}
	}
	return f
}

// query is a cue in the numbers of a view. A name that no memory has becomes a symbol that none has. What its filters
// cannot read is added to damage while they run.
func (s *Space) query(v *store.View, cue *Cue, now time.Time) (q recall.Query, damage *[]error, err error) {
	f := recall.Filters{
		Kinds: symbols(v, cue.Kinds), TagsAll: symbols(v, cue.Tags), TagsAny: symbols(v, cue.TagsAny),
		TagsNone: symbols(v, cue.TagsNone), Speaker: v.Symbol(cue.Speaker), Session: v.Symbol(cue.Session),
		From: toTime(cue.From).Nanos, To: toTime(cue.To).Nanos, ValidAt: toTime(cue.ValidAt).Nanos,
		MinConfidence: cue.MinConfidence,
	}
	damage = new([]error)
	if cue.IDs != nil {
		f.Rows = []uint32{}
	}
	for _, id := range cue.IDs {
		found, ok, err := v.Lookup(id)
		if errors.Is(err, ErrCorrupt) {
			note(damage, err)
			continue
		}
		if err != nil {
			return q, nil, err
		}
		if ok && !cue.AsOf.IsZero() {
			found, ok = v.AsOf(found, cue.AsOf.UnixNano())
		}
		if ok {
			f.Rows = append(f.Rows, found.Row)
		}
	}
	if err := v.CheckModel(cue.EmbeddingModel); err != nil {
		return recall.Query{}, nil, err
	}
	if dim := len(cue.Embedding); dim > 0 && v.Dim > 0 && dim != v.Dim {
		return q, nil, &store.DimensionError{Got: dim, Want: v.Dim}
	}
	look, primes := s.lens(now), ring(v, cue, now)
	if !cue.AsOf.IsZero() {
		now = cue.AsOf // what had expired then, and how recent a memory was
	}
	q = recall.Query{
		Text: cue.Text, Embedding: cue.Embedding, Now: now.UnixNano(), Limit: cmp.Or(cue.Limit, DefaultLimit),
		Filters: f, Explain: cue.Explain, Without: s.db.o.switchedOff(cue.Without), Model: look.model.Model,
		Ring: primes, Coefficients: s.coefficients(), Hops: cue.Hops,
	}
	passOver(v, &q.Filters)
	if cue.Where != nil {
		q.Filters.Keep = keep(v, damage, func(row uint32, r *store.Record) bool {
			f := fateOf(v, cue, row)
			m := withFate(v, f, r, look)
			if err := m.setForWhere(v, f, look, cue.WhereLinks && cue.AsOf.IsZero()); err != nil {
				note(damage, err)
				return false
			}
			return cue.Where(&m)
		})
	}
	return q, damage, nil
}

// keep is a filter that reads each memory. One that cannot be read is left out and told in damage.
func keep(v *store.View, damage *[]error, ok func(row uint32, r *store.Record) bool) func(row uint32) bool {
	return func(row uint32) bool {
		r, err := v.Record(row)
		if err != nil {
			note(damage, err)
			return false
		}
		return ok(row, r)
	}
}

// note adds to the damage that an answer lists.
func note(damage *[]error, err error) {
	if len(*damage) < maxDamage {
		*damage = append(*damage, err)
	}
}

// setForWhere adds what a caller's condition may ask for besides: what made the vector, and the links.
func (m *Memory) setForWhere(v *store.View, f store.Found, at lens, links bool) error {
	vector, err := v.Vector(f.Row)
	if err != nil {
		return err
	}
	if vector != nil {
		m.EmbeddingModel = v.Model
	}
	if links {
		m.Links, err = associations(v, f, at.now)
	}
	return err
}

func symbols(v *store.View, names []string) []uint32 {
	out := make([]uint32, 0, len(names))
	for _, name := range names {
		out = append(out, v.Symbol(name))
	}
	return out
}

// hitOf reads a hit's memory from its tier.
func hitOf(v *store.View, cue *Cue, h *recall.Hit, at lens) (Hit, error) {
	r, err := v.Record(h.Row)
	if err != nil {
		return Hit{}, fmt.Errorf("read hit: %w", err)
	}
	hit := Hit{Memory: withFate(v, fateOf(v, cue, h.Row), r, at), Score: h.Score, Why: make([]Term, 0, len(h.Terms))}
	hit.Held = heldFor(&hit.Memory, cue)
	for _, t := range h.Terms {
		term := Term{Name: t.Name, Value: t.Value}
		for _, p := range slices.Clone(t.Detail) {
			term.Detail = append(term.Detail, Part(p))
		}
		hit.Why = append(hit.Why, term)
	}
	if hit.Contradicts, err = contradicted(v, v.Fate(h.Row), at.now); err != nil {
		return Hit{}, fmt.Errorf("read hit: %w", err)
	}
	return hit, nil
}
