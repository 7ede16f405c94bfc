package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	engram "github.com/orchard9/engram-go"
)

// Options say how a set is measured. The zero value gives the defaults of the set and of the engine.
type Options struct {
	// K are the ranks to judge at, 1 to 1000, and Depth the length of the lists, at least the largest K; nil and 0 take
	// the set's.
	K     []int
	Depth int
	// Seed seeds the resampling; Resamples is how often it draws, 0 means 2000.
	Seed      uint64
	Resamples int
	// Without switches terms off, as Cue.Without does.
	Without []string
	// Ablate asks everything again without each of engram.Terms, and reports what that changes.
	Ablate bool
	// Repeats gives each document a place of its own, as Cue.Repeats does; otherwise one that says the same as one
	// ahead of it is not in the list.
	Repeats bool
	// Fill ends each list with the documents that recall did not return, in the collection's order.
	Fill bool
	// Off switches mechanisms off, as engram.Options.Without does.
	Off []string
	// Step, in [0,1], adds to each document's score so much of those of the documents before and after it in its
	// session, once, as published figures do. 0 adds nothing.
	Step float64
	// Language, K1 and B are the engine's options of these names. They are refused for a golden set, as are Off and
	// Step.
	Language string
	K1, B    *float64
	// Engine is the version of the engine, for the report.
	Engine string
}

// Recaller is what questions are asked of: a space, or one behind a server.
type Recaller interface {
	Recall(ctx context.Context, cue engram.Cue) (engram.Answer, error)
}

// defaultResamples puts the ends of an interval within about a tenth of its half width. Chosen.
const defaultResamples = 2000

// maxDepth is the largest limit that the engine takes by default.
const maxDepth = 1000

// askLimit is the limit of the recalls that are timed: the engine's default.
const askLimit = engram.DefaultLimit

// loadBatch is how many documents are remembered in one write; more than one, as each write is synced.
const loadBatch = 100

// withDefaults fills in what was left out, and refuses what cannot be.
func (o Options) withDefaults(s *Set) (Options, error) {
	if len(o.K) == 0 {
		o.K = s.K
	}
	if o.Depth == 0 {
		o.Depth = max(s.Depth, slices.Max(o.K))
	}
	o.Resamples = cmp.Or(o.Resamples, defaultResamples)
	switch {
	case !increasing(o.K):
		return o, &engram.InvalidError{
			Field: "k", Value: fmt.Sprint(o.K), Allowed: "use ranks from 1, each larger than the last",
		}
	case o.Depth < slices.Max(o.K) || o.Depth > maxDepth:
		return o, &engram.InvalidError{
			Field: "depth", Value: fmt.Sprint(o.Depth),
			Allowed: fmt.Sprintf("use the largest k, %d, to %d", slices.Max(o.K), maxDepth),
		}
	case s.Format == Golden &&
		(o.Language != "" || o.K1 != nil || o.B != nil || o.Fill || o.Step != 0 || len(o.Off) > 0):
		return o, &engram.InvalidError{
			Field: "format", Value: `"golden"`,
			Allowed: "the space exists: language, k1, b, off, step and fill cannot take effect",
		}
	}
	if err := o.checkStep(s); err != nil {
		return o, err
	}
	return o, checkResamples(o.Resamples)
}

// checkStep refuses a step whose sums would lack scores: recall gives maxDepth of them.
func (o Options) checkStep(s *Set) error {
	invalid := func(allowed string) error {
		return &engram.InvalidError{Field: "step", Value: fmt.Sprint(o.Step), Allowed: allowed}
	}
	if !(o.Step >= 0 && o.Step <= 1) {
		return invalid("use 0 to 1")
	}
	for i := range s.Pools {
		if n := len(s.Pools[i].Documents); o.Step > 0 && n > maxDepth {
			return invalid(fmt.Sprintf("it is for pools of up to %d documents, and one has %d", maxDepth, n))
		}
	}
	return nil
}

// increasing reports whether ranks are at least 1 and each larger than the one before.
func increasing(ks []int) bool {
	last := 0
	for _, k := range ks {
		if k <= last {
			return false
		}
		last = k
	}
	return true
}

func checkResamples(n int) error {
	if n < 100 || n > 1_000_000 {
		return &engram.InvalidError{Field: "resamples", Value: fmt.Sprint(n), Allowed: "use 100 to 1000000"}
	}
	return nil
}

// Run measures on a set with documents: it makes a store in a temporary directory, remembers the documents, asks, and
// removes the store.
func Run(ctx context.Context, s *Set, o Options) (report *Report, err error) {
	if o, err = o.withDefaults(s); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "engram-eval-")
	if err != nil {
		return nil, fmt.Errorf("make temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m := newMeasurement(s, o)
	for i := range s.Pools {
		if err := m.pool(ctx, filepath.Join(dir, fmt.Sprint(i)), &s.Pools[i]); err != nil {
			return nil, err
		}
	}
	return m.report(), nil
}

// RunGolden asks a golden set of a space that exists. It writes nothing.
func RunGolden(ctx context.Context, s *Set, space Recaller, o Options) (*Report, error) {
	o, err := o.withDefaults(s)
	if err != nil {
		return nil, err
	}
	m := newMeasurement(s, o)
	for i := range s.Pools {
		if err := m.ask(ctx, space, &s.Pools[i]); err != nil {
			return nil, err
		}
	}
	return m.report(), nil
}

// measurement collects what was asked.
type measurement struct {
	set       *Set
	o         Options
	names     []string
	questions []Question
	rows      [][]float64            // measures by question
	ablated   map[string][][]float64 // the same without a term
	times     []time.Duration
	documents int
}

func newMeasurement(s *Set, o Options) *measurement {
	return &measurement{set: s, o: o, names: measures(o.K), ablated: map[string][][]float64{}}
}

// rng is seeded alike for every estimate, so that none depends on which others are made.
func (m *measurement) rng() *rand.Rand { return rand.New(rand.NewPCG(m.o.Seed, 1)) }

// pool remembers one pool's documents in a directory of its own and asks its questions.
func (m *measurement) pool(ctx context.Context, dir string, p *Pool) (err error) {
	db, err := engram.Options{
		Clock: func() time.Time { return p.Now }, Language: m.o.Language, K1: m.o.K1, B: m.o.B,
		Without: m.o.Off,
	}.Open(dir)
	if err != nil {
		return fmt.Errorf("open temporary store: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return fmt.Errorf("open temporary store: %w", err)
	}
	for batch := range slices.Chunk(p.Documents, loadBatch) {
		if err := remember(ctx, space, batch); err != nil {
			return err
		}
	}
	m.documents += len(p.Documents)
	return m.ask(ctx, space, p)
}

// remember writes a batch of documents. Of a batch that is refused, the document that is the reason is named.
func remember(ctx context.Context, space *engram.Space, batch []Document) error {
	drafts := make([]engram.Draft, len(batch))
	for i := range batch {
		drafts[i] = batch[i].Draft
	}
	_, err := space.RememberBatch(ctx, drafts)
	if !ofData(err) {
		return err
	}
	for i := range batch {
		if _, alone := space.Remember(ctx, drafts[i]); ofData(alone) {
			return batch[i].At.fail(alone)
		}
	}
	return batch[0].At.fail(err) // only together are they too much
}

// ofData reports whether the engine refused what the collection says.
func ofData(err error) bool {
	return errors.Is(err, engram.ErrInvalid) || errors.Is(err, engram.ErrTooLarge)
}

// ask asks every question of a pool: for the lists, without each term if that is wanted, and once more for the time.
func (m *measurement) ask(ctx context.Context, space Recaller, p *Pool) error {
	for i := range p.Questions {
		q := &p.Questions[i]
		row, err := m.judged(ctx, space, p, q, m.o.Without)
		if err != nil {
			return err
		}
		m.questions, m.rows = append(m.questions, *q), append(m.rows, row)
		for _, term := range m.terms() {
			row, err := m.judged(ctx, space, p, q, append(slices.Clone(m.o.Without), term))
			if err != nil {
				return err
			}
			m.ablated[term] = append(m.ablated[term], row)
		}
	}
	for i := range p.Questions {
		began := time.Now()
		cue := engram.Cue{Text: p.Questions[i].Text, Limit: askLimit, Without: m.o.Without, Repeats: m.o.Repeats}
		if _, err := space.Recall(ctx, cue); err != nil {
			return asking(&p.Questions[i], err)
		}
		m.times = append(m.times, time.Since(began))
	}
	return nil
}

// terms are those to ask without, one by one.
func (m *measurement) terms() []string {
	if !m.o.Ablate {
		return nil
	}
	return slices.DeleteFunc(engram.Terms(), func(term string) bool { return slices.Contains(m.o.Without, term) })
}

// judged asks one question and judges the list.
func (m *measurement) judged(
	ctx context.Context, space Recaller, p *Pool, q *Question, without []string,
) ([]float64, error) {
	limit := m.o.Depth
	if m.o.Step > 0 {
		limit = maxDepth
	}
	answer, err := space.Recall(ctx, engram.Cue{
		Text: q.Text, Limit: limit, Without: without, Repeats: m.o.Repeats || m.o.Step > 0,
	})
	if err != nil {
		return nil, asking(q, err)
	}
	list := make([]string, 0, m.o.Depth)
	for _, hit := range answer.Hits {
		list = append(list, hit.ID)
	}
	if m.o.Step > 0 {
		list = stepped(answer.Hits, p.Documents, m.o.Step)
		list = list[:min(len(list), m.o.Depth)]
	}
	if m.o.Fill {
		list = filled(list, p.Documents, m.o.Depth)
	}
	return judge(list, q.Grades, m.o.K), nil
}

// asking places the error of a question: in the collection, if that is to blame.
func asking(q *Question, err error) error {
	field := ""
	if invalid, ok := errors.AsType[*engram.InvalidError](err); ok {
		field = invalid.Field
	} else if large, ok := errors.AsType[*engram.SizeError](err); ok {
		field = large.Field
	}
	if field == "query" {
		return q.At.fail(err)
	}
	return fmt.Errorf("ask question %s: %w", q.ID, err)
}

// stepped ranks documents by their scores and step times those of their neighbours in their session, equal ones by
// position.
func stepped(hits []engram.Hit, documents []Document, step float64) []string {
	scores := make(map[string]float64, len(hits))
	for _, hit := range hits {
		scores[hit.ID] = hit.Score
	}
	type summed struct {
		id  string
		sum float64
	}
	var all []summed
	for i := range documents {
		d := &documents[i]
		sum := scores[d.ID]
		for _, k := range []int{i - 1, i + 1} {
			if k >= 0 && k < len(documents) && d.Session != "" && documents[k].Session == d.Session {
				sum += step * scores[documents[k].ID]
			}
		}
		if sum > 0 {
			all = append(all, summed{d.ID, sum})
		}
	}
	slices.SortStableFunc(all, func(a, b summed) int { return cmp.Compare(b.sum, a.sum) })
	list := make([]string, len(all))
	for i := range all {
		list[i] = all[i].id
	}
	return list
}

// filled ends a list with documents that it lacks, in their order.
func filled(list []string, documents []Document, depth int) []string {
	there := make(map[string]bool, len(list))
	for _, id := range list {
		there[id] = true
	}
	for i := range documents {
		if len(list) >= depth {
			break
		}
		if id := documents[i].ID; !there[id] {
			list = append(list, id)
		}
	}
	return list
}
