package recall

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/dynamics"
	"github.com/orchard9/engram-go/internal/graph"
	"github.com/orchard9/engram-go/internal/lexical"
)

// Engine answers queries. It keeps working memory between them, some 40 bytes for each row of the largest corpus asked
// for each query that ran at a time; the garbage collector takes it when it is not used. The zero value is ready. It
// is safe for concurrent use.
type Engine struct{ pool sync.Pool }

// Recall answers q from c. It changes neither.
//
// It returns an error that names the field for a limit out of range, the errors of ann.Scan for an embedding that
// cannot be compared (with a corpus without vectors any valid one is), and the context's error; the answer is empty
// then. Vectors that cannot be read are left out and told in Answer.Damage.
func (e *Engine) Recall(ctx context.Context, c *Corpus, q Query) (Answer, error) {
	if err := q.check(); err != nil {
		return Answer{}, err
	}
	memory := e.take()
	r := run{ctx: ctx, c: c, q: &q, memory: memory}
	answer, err := r.answer()
	e.give(memory) // not deferred: what a panic left half done is not used again
	if err != nil {
		return Answer{}, err
	}
	return answer, nil
}

// take gets working memory, give hands it back.
func (e *Engine) take() *memory {
	if m, _ := e.pool.Get().(*memory); m != nil {
		return m
	}
	return newMemory()
}

func (e *Engine) give(m *memory) {
	m.reset()
	e.pool.Put(m)
}

// memory is the working memory of one recall. Between recalls every element of words, meaning and marks is 0.
type memory struct {
	words   []float64 // by row
	meaning []float64 // by row; only as long as there were embeddings
	final   []float64 // by row, of candidates; not reset
	marks   []uint64  // bits by row: candidates
	members []uint64  // bits by row: the population after filters, where that is not all
	touched []uint32  // rows with words
	near    []uint32  // rows with meaning
	rows    []uint32  // rows with either
	chosen  []uint32  // candidates
	scan    ann.Result
	order   selection
	walks   walks
}

func newMemory() *memory { return &memory{} }

func (m *memory) reset() {
	for _, row := range m.touched {
		m.words[row] = 0
	}
	for _, row := range m.near {
		m.meaning[row] = 0
	}
	for _, row := range m.chosen {
		m.marks[row>>6] = 0
	}
	m.touched, m.near, m.rows, m.chosen = m.touched[:0], m.near[:0], m.rows[:0], m.chosen[:0]
	m.scan.Release()
}

// zeros returns a with at least n elements; those beyond its former length are 0.
func zeros[T any](a []T, n int) []T {
	if len(a) >= n {
		return a
	}
	return make([]T, n+n/8)
}

// run is one recall.
type run struct {
	*memory
	ctx context.Context
	c   *Corpus
	q   *Query

	weights    Weights
	population *Population
	whole      bool // every row of the population is a member
	out        Answer
	question   lexical.Query
	background background
	rejected   float64 // the largest evidence of meaning that was not enough; 0 if there was none
	network    graph.Network
	asked      asked
	strongest  float64 // the largest score of a row by itself
	walked     bool    // what was found activates others
	primes     bool    // what was used lately primes
	byFound    worth   // of activation from what was found
	byRing     worth   // and from what was used lately
	sways      bool    // history moves scores
	uses       bool    // by what uses made of memories
	believes   bool    // by what sources made of them
	fetched    struct {
		facts [together]*Facts
		past  [together]past
	}
	model *dynamics.Model

	coefficients *coefficients // of the terms; nil if each is 1
}

func (r *run) answer() (Answer, error) {
	r.weigh()
	if err := r.populate(); err != nil {
		return Answer{}, err
	}
	steps := []func() error{r.byWords, r.byMeaning, r.byAsked, r.byAssociation, r.rank}
	if r.q.Text == "" && len(r.q.Embedding) == 0 {
		steps = []func() error{r.byTime}
	}
	if found, err := r.byMoment(); found || err != nil {
		return r.out, err
	}
	for _, step := range steps {
		if err := r.ctx.Err(); err != nil {
			return Answer{}, fmt.Errorf("recall: %w", err)
		}
		if err := step(); err != nil {
			return Answer{}, err
		}
	}
	return r.out, nil
}

// weigh takes the query's weights, or the default ones.
func (r *run) weigh() {
	r.weights = DefaultWeights()
	if r.q.Weights != nil {
		r.weights = *r.q.Weights
	}
	r.coefficients = newCoefficients(r.q.Coefficients)
}

// checkRows is how many rows are gone through between two looks at the context.
const checkRows = 1 << 14

// eachRow calls fn with every row below n, looking at the context now and then.
func (r *run) eachRow(n uint32, fn func(row uint32)) error {
	for row := range n {
		if row%checkRows == 0 && r.ctx.Err() != nil {
			return fmt.Errorf("recall: %w", r.ctx.Err())
		}
		fn(row)
	}
	return nil
}

// populate decides which rows are members and counts them.
func (r *run) populate() error {
	f := &r.q.Filters
	r.population = &r.c.Current
	if f.ValidAt != NoTime && r.c.Known.Ends != nil {
		r.population = &r.c.Known
	}
	if f.none() && !r.c.Expiring {
		r.whole = true
		r.out.Searched = r.population.Docs
		return nil
	}
	n := int(r.c.Rows)/64 + 1
	r.members = zeros(r.members, n)
	clear(r.members[:n])
	admit := func(row uint32) {
		if row >= r.c.Rows {
			return
		}
		word, bit := row>>6, uint64(1)<<(row&63)
		if r.members[word]&bit == 0 && r.alive(row) && f.keep(row, r.c.Facts.At(row), r.c.Source) &&
			(f.Keep == nil || f.Keep(row)) {
			r.members[word] |= bit
			r.out.Searched++
		}
	}
	if f.Rows != nil {
		for _, row := range f.Rows {
			admit(row)
		}
		return nil
	}
	return r.eachRow(r.c.Rows, admit)
}

// alive reports whether a row exists for this question: it is in the population, has not expired and, if that was
// asked, was valid. Neighbours in a session are the nearest of these.
func (r *run) alive(row uint32) bool {
	if !r.population.contains(r.c, row) {
		return false
	}
	at := r.q.Filters.ValidAt
	if !r.c.Expiring && at == NoTime {
		return true
	}
	facts := r.c.Facts.At(row)
	if facts.ExpiresAt != NoTime && facts.ExpiresAt <= r.q.Now {
		return false
	}
	return at == NoTime || valid(facts, r.c.Source.Until(row), at)
}

// member reports whether a row takes part.
func (r *run) member(row uint32) bool {
	if r.whole {
		return r.population.contains(r.c, row)
	}
	return row < r.c.Rows && r.members[row>>6]>>(row&63)&1 != 0
}

// own is what a row was found by: words and meaning.
func (r *run) own(row uint32) float64 { return r.words[row] + r.byVector(row) }

// score is a row's score by itself: what it was found by, and what the question asks for besides.
func (r *run) score(row uint32) float64 {
	own := r.own(row)
	if own == 0 || r.asked.most == 0 {
		return own
	}
	return own + r.gain(row, r.c.Facts.At(row))
}

// byVector is what meaning gives to a row.
func (r *run) byVector(row uint32) float64 {
	if len(r.near) == 0 {
		return 0
	}
	return r.meaning[row]
}

// byWords scores members by the words of the text.
func (r *run) byWords() error {
	r.words = zeros(r.words, int(r.c.Rows))
	if r.q.Text == "" || r.off(TermWords) {
		return nil
	}
	view := r.population.view(r.c)
	r.question = r.c.Words.Analyze(r.q.Text, view)
	if r.off(StepWording) {
		r.question = r.question.AnyWording()
	}
	if !r.off(StepSpelling) {
		var err error
		if r.question, err = r.c.Words.Expand(r.ctx, r.question, view); err != nil {
			return fmt.Errorf("recall: %w", err)
		}
	}
	if err := r.addWords(r.question, view); err != nil {
		return err
	}
	return r.byTopic(view)
}

// addWords scores members by the words of a question.
func (r *run) addWords(q lexical.Query, view lexical.View) (err error) {
	r.touched, err = r.c.Words.Score(r.ctx, q, view, r.words, r.touched)
	if err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	r.keepMembers()
	return nil
}

// keepMembers takes the words of rows that do not take part away.
func (r *run) keepMembers() {
	if r.whole {
		return
	}
	kept := r.touched[:0]
	for _, row := range r.touched {
		if r.member(row) {
			kept = append(kept, row)
		} else {
			r.words[row] = 0
		}
	}
	r.touched = kept
}

// byMeaning scores members by the embedding.
func (r *run) byMeaning() error {
	r.rows = append(r.rows, r.touched...)
	if len(r.q.Embedding) == 0 || r.off(TermMeaning) {
		return nil
	}
	query := ann.Query{
		Vector: r.q.Embedding, Dim: r.c.Dim, Metric: r.c.Metric, Parts: r.c.Vectors, Accept: r.member,
	}
	if r.c.Dim == 0 {
		query.Dim, query.Parts = len(r.q.Embedding), nil
	}
	if err := ann.Scan(r.ctx, query, &r.scan); err != nil {
		return fmt.Errorf("recall: %w", err)
	}
	if len(r.scan.Rows) > 0 {
		// The background is learnt from similarities as the codes have them; what may be evidence is made exact.
		r.background = learn(&r.weights, r.scan.Similarities, peakOf(&r.scan), r.c.Dim, &r.order)
		if err := r.scan.Refine(r.ctx, r.background.least()); err != nil {
			return fmt.Errorf("recall: %w", err)
		}
	}
	r.out.Damage, r.out.Damaged = r.scan.Damage, r.scan.Damaged
	if len(r.scan.Rows) == 0 {
		return nil
	}
	r.fuse()
	r.addMeaning()
	return nil
}

// addMeaning gives each row the evidence of its similarity.
func (r *run) addMeaning() {
	r.meaning = zeros(r.meaning, int(r.c.Rows))
	b := &r.background
	refused := float32(math.Inf(-1))
	for i, row := range r.scan.Rows {
		similarity := r.scan.Similarities[i]
		if b.deviation(similarity) < b.skip { // most memories: spare the logarithm
			refused = max(refused, similarity)
			continue
		}
		value := b.nats(similarity) * b.weight
		worded := r.words[row] > 0
		if !(value > 0) || !worded && !b.known {
			refused = max(refused, similarity)
			continue
		}
		if !worded {
			r.rows = append(r.rows, row)
		}
		r.meaning[row] = value
		r.near = append(r.near, row)
	}
	if !math.IsInf(float64(refused), -1) {
		r.rejected = b.nats(refused)
	}
}

// byAssociation lets activation spread.
func (r *run) byAssociation() error {
	r.network = r.reader()
	r.walk()
	return nil
}

// off reports whether the query switches something off by its name, which stands in Switches.
func (r *run) off(name string) bool {
	return len(r.q.Without) > 0 && slices.Contains(r.q.Without, name)
}

// reader is the graph as this question sees it.
func (r *run) reader() graph.Network {
	return graph.Network{
		Chain: r.c.Chain, Links: r.c.Links, Position: r.c.Position, Alive: r.alive, Member: r.member,
		Entry: func(row uint32) uint32 { return r.c.Facts.At(row).Entry }, Row: r.c.Source.Row,
	}
}

// choose adds a row to the candidates once.
func (r *run) choose(row uint32) {
	if word, bit := row>>6, uint64(1)<<(row&63); r.marks[word]&bit == 0 {
		r.marks[word] |= bit
		r.chosen = append(r.chosen, row)
	}
}

// candidates chooses every row that can be among the best Limit.
//
// The Limit-th best score by itself is a lower bound of the Limit-th best in the end, and a row that was not walked to
// has no more than its own: rows with less than the bound matter only if they were walked to. What history does to a
// score is at most Sway times of it either way: where there is any, the bound is lowered by as much, and so it is by
// the spread of the coefficients.
func (r *run) candidates() {
	r.marks = zeros(r.marks, int(r.c.Rows)/64+1)
	bound := 0.0
	if len(r.rows) > r.q.Limit {
		bound = largest(r.rows, r.q.Limit, r.own)
	}
	if r.sways {
		bound *= (1 - r.weights.Sway) / (1 + r.weights.Sway)
	}
	if c := r.coefficients; c != nil {
		bound *= c.least / c.most
	}
	bound *= 1 - 1e-9 // rounding must not cost a row
	for _, row := range r.rows {
		if r.own(row)+r.asked.most >= bound && r.score(row) >= bound {
			r.choose(row)
		}
	}
	r.chooseWalked()
}

// relevance is a row's score by what was asked and by what other memories give it.
func (r *run) relevance(row uint32, facts *Facts) float64 {
	if r.coefficients != nil {
		return r.weighed(row, facts)
	}
	own := r.own(row)
	if own != 0 && r.asked.most != 0 {
		own += r.gain(row, facts)
	}
	return own + r.activated(row) + r.primed(row)
}

// together is how many candidates are scored together. Chosen: what is fetched of them fits the nearest cache.
const together = 64

// totals sets scores to the whole scores of at most together rows. What is known of each lies far away, behind two or
// three pointers: it is fetched for all of them first, so that the processor waits for many at once and not for one
// after the other.
func (r *run) totals(rows []uint32, scores []float64) {
	facts, past := &r.fetched.facts, &r.fetched.past
	for i, row := range rows {
		facts[i] = r.c.Facts.At(row)
	}
	if r.sways {
		for i := range rows {
			past[i].Standing, past[i].told = r.c.Source.Standing(facts[i].Entry)
		}
	}
	for i, row := range rows {
		relevance := r.relevance(row, facts[i])
		scores[i] = relevance + r.history(facts[i], &past[i], relevance).sum()
	}
}

// rank makes the hits from what was scored.
func (r *run) rank() error {
	r.sways = r.moved()
	r.candidates()
	r.final = zeros(r.final, int(r.c.Rows))
	var scores [together]float64
	for i := 0; i < len(r.chosen); i += together {
		if i%checkRows == 0 && r.ctx.Err() != nil {
			return fmt.Errorf("recall: %w", r.ctx.Err())
		}
		rows := r.chosen[i:min(i+together, len(r.chosen))]
		r.totals(rows, scores[:])
		for k, row := range rows {
			r.final[row] = scores[k]
		}
	}
	best, err := top(r.ctx, r.chosen, r.q.Limit, func(row uint32) float64 { return r.final[row] }, r.c.Source.ID)
	if err != nil {
		return err
	}
	if len(best) == 0 {
		r.out.Rejected = r.rejected
	}
	r.out.Weighed = r.coefficients != nil
	r.explain(best)
	return nil
}
