package recall_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/orchard9/engram-go/internal/ann"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/segment"
	"github.com/orchard9/engram-go/internal/vec"
)

// shelf is a space with one memory for each value of each filter.
func shelf(t testing.TB) *space {
	s := newSpace(t, lexical.Options{})
	for i, m := range []memory{
		{kind: "note", tags: []string{"red"}, at: 0, confidence: 1},
		{kind: "fact", tags: []string{"red", "blue"}, at: 1 * day, confidence: .7},
		{kind: "note", tags: []string{"blue"}, at: 2 * day, speaker: "Ines", confidence: .5, from: day, until: 3 * day},
		{kind: "plan", at: 3 * day, session: "walk", confidence: 1, expires: 10 * day},
		{kind: "note", tags: []string{"green"}, at: -4 * day, speaker: "Tom", session: "walk", confidence: .2},
		{kind: "note", at: 5 * day, confidence: 1, until: 4 * day},
	} {
		m.id, m.text = name(i), "harbour"
		s.add(m)
	}
	s.supersede("m5", 2*day)
	return s
}

func TestFilters(t *testing.T) {
	s := shelf(t)
	all := []string{"m0", "m1", "m2", "m3", "m4"}
	for what, c := range map[string]struct {
		change func(*recall.Query)
		want   []string
	}{
		"none":    {func(*recall.Query) {}, all},
		"rows":    {func(q *recall.Query) { q.Filters.Rows = []uint32{4, 0, 4, 99} }, []string{"m0", "m4"}},
		"no rows": {func(q *recall.Query) { q.Filters.Rows = []uint32{} }, nil},
		"kind":    {func(q *recall.Query) { q.Filters.Kinds = []uint32{s.symbol("plan")} }, []string{"m3"}},
		"kinds": {func(q *recall.Query) {
			q.Filters.Kinds = []uint32{s.symbol("plan"), s.symbol("fact")}
		}, []string{"m1", "m3"}},
		"unknown kind": {func(q *recall.Query) { q.Filters.Kinds = []uint32{recall.NoSymbol} }, nil},
		"all tags": {func(q *recall.Query) {
			q.Filters.TagsAll = []uint32{s.symbol("red"), s.symbol("blue")}
		}, []string{"m1"}},
		"any tag": {func(q *recall.Query) {
			q.Filters.TagsAny = []uint32{s.symbol("green"), s.symbol("blue")}
		}, []string{"m1", "m2", "m4"}},
		"no tag": {func(q *recall.Query) {
			q.Filters.TagsNone = []uint32{s.symbol("red")}
		}, []string{"m2", "m3", "m4"}},
		"tags together": {func(q *recall.Query) {
			q.Filters.TagsAny, q.Filters.TagsNone = []uint32{s.symbol("red")}, []uint32{s.symbol("blue")}
		}, []string{"m0"}},
		"unknown tag":     {func(q *recall.Query) { q.Filters.TagsAll = []uint32{recall.NoSymbol} }, nil},
		"speaker":         {func(q *recall.Query) { q.Filters.Speaker = s.symbol("Ines") }, []string{"m2"}},
		"session":         {func(q *recall.Query) { q.Filters.Session = s.symbol("walk") }, []string{"m3", "m4"}},
		"from includes":   {func(q *recall.Query) { q.Filters.From = 2 * day }, []string{"m2", "m3"}},
		"to excludes":     {func(q *recall.Query) { q.Filters.To = 2 * day }, []string{"m0", "m1", "m4"}},
		"time zero":       {func(q *recall.Query) { q.Filters.From, q.Filters.To = 0, 1 }, []string{"m0"}},
		"confidence":      {func(q *recall.Query) { q.Filters.MinConfidence = .7 }, []string{"m0", "m1", "m3"}},
		"expires at":      {func(q *recall.Query) { q.Now = 10 * day }, []string{"m0", "m1", "m2", "m4"}},
		"not yet expired": {func(q *recall.Query) { q.Now = 10*day - 1 }, all},
		// m2 is true from day 1 to day 3, m5 until day 4 but superseded from day 2 on.
		"valid at 0": {func(q *recall.Query) {
			q.Filters.ValidAt = 0
		}, []string{"m0", "m1", "m3", "m4", "m5"}},
		"valid from": {func(q *recall.Query) {
			q.Filters.ValidAt = day
		}, []string{"m0", "m1", "m2", "m3", "m4", "m5"}},
		"valid, replaced": {func(q *recall.Query) {
			q.Filters.ValidAt = 2 * day
		}, []string{"m0", "m1", "m2", "m3", "m4"}},
		"valid until": {func(q *recall.Query) {
			q.Filters.ValidAt = 3 * day
		}, []string{"m0", "m1", "m3", "m4"}},
		"valid and tagged": {func(q *recall.Query) {
			q.Filters.ValidAt, q.Filters.TagsAll = day, []uint32{s.symbol("blue")}
		}, []string{"m1", "m2"}},
	} {
		t.Run(what, func(t *testing.T) {
			for _, text := range []string{"harbour", ""} { // by words and by time
				q := ask(text)
				c.change(&q)
				a := s.recall(q)
				got := s.idsOf(a)
				slices.Sort(got)
				equal(t, fmt.Sprintf("%s by %q", what, text), got, append([]string{}, c.want...))
				if a.Searched != len(c.want) {
					t.Errorf("Searched = %d, want %d", a.Searched, len(c.want))
				}
			}
		})
	}
}

// TestFiltersComeBeforeRanking: the memory wanted is far below the others. Cutting first and filtering then, as is done
// here by hand, would lose it.
func TestFiltersComeBeforeRanking(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	for i := range 50 {
		s.add(memory{id: name(i), text: "harbour harbour harbour", kind: "note", at: int64(i) * day, confidence: 1})
	}
	s.add(memory{
		id: "wanted", text: "a long text about many things, and the harbour is one among them all", kind: "fact",
		at: -day, confidence: .5, speaker: "Ines", session: "walk", tags: []string{"red"},
	})
	q := ask("harbour")
	q.Limit = 3
	if slices.Contains(s.ids(q), "wanted") {
		t.Fatal("the memory wanted is among the best without a filter: the test shows nothing")
	}
	for what, change := range map[string]func(*recall.Filters){
		"rows":    func(f *recall.Filters) { f.Rows = []uint32{50} },
		"kind":    func(f *recall.Filters) { f.Kinds = []uint32{s.symbol("fact")} },
		"all":     func(f *recall.Filters) { f.TagsAll = []uint32{s.symbol("red")} },
		"any":     func(f *recall.Filters) { f.TagsAny = []uint32{s.symbol("red")} },
		"speaker": func(f *recall.Filters) { f.Speaker = s.symbol("Ines") },
		"session": func(f *recall.Filters) { f.Session = s.symbol("walk") },
		"to":      func(f *recall.Filters) { f.To = 0 },
	} {
		q := q
		change(&q.Filters)
		equal(t, what, s.ids(q), []string{"wanted"})
		q.Text = ""
		equal(t, what+" by time", s.ids(q), []string{"wanted"})
	}
}

func TestFilteredMemoriesActivateNoOther(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	s.add(memory{id: "a", text: "harbour", session: "walk", at: 1, kind: "fact"})
	s.add(memory{id: "b", text: "lighthouse", session: "walk", at: 2, kind: "note"})
	s.add(memory{id: "c", text: "gulls", kind: "note"})
	s.link("a", "c", 1)
	equal(t, "all", s.ids(ask("harbour")), []string{"a", "b", "c"})
	q := ask("harbour")
	q.Filters.Kinds = []uint32{s.symbol("note")}
	equal(t, "notes", s.ids(q), []string{})
	q.Filters.Kinds = []uint32{s.symbol("fact")}
	equal(t, "facts", s.ids(q), []string{"a"})
	q.Filters, q.Without = recall.NoFilters(), []string{recall.TermAssociation}
	equal(t, "association off", s.ids(q), []string{"a"})
}

// TestSpreadByHand checks scores by arithmetic: of two neighbours one was found, so walks from it end at it with
// probability 2/3 and at the other with 1/3; half end where they began, which is not counted.
func TestSpreadByHand(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	for i, text := range []string{"harbour", "gone", "lighthouse"} {
		s.add(memory{id: name(i), text: text, session: "walk", at: int64(i)})
	}
	s.forget("m1") // m0 and m2 become neighbours
	q := ask("harbour")
	q.Explain = true
	hits := s.recall(q).Hits
	equal(t, "hits", s.idsOf(s.recall(q)), []string{"m0", "m2"})
	own, w := hits[0].Terms[0].Value, recall.DefaultWeights()
	for i, pi := range []float64{2./3 - 1./2, 1. / 3} {
		want := w.Association * own * math.Log1p(pi/w.Pi0) / math.Log1p(1/w.Pi0)
		got := hits[i].Terms[len(hits[i].Terms)-1]
		// What is less than 1e-4 for each association is not passed on.
		if got.Name != recall.TermAssociation || math.Abs(got.Value-want) > .01*want {
			t.Errorf("%s: association %v, want %v", s.rows[hits[i].Row].id, got, want)
		}
	}
	if d := hits[1].Terms[0].Detail; len(d) != 1 || d[0].Name != "m0" {
		t.Errorf("m2 was activated by %v, want m0", d)
	}
	if hits[1].Score > own {
		t.Errorf("what only association speaks for has %v, more than the best by itself, %v", hits[1].Score, own)
	}
}

// TestNoEdgesNoActivation (P6): what was found has nothing of its own find from association; what was used has.
func TestNoEdgesNoActivation(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	a := s.add(memory{id: "a", text: "harbour"})
	s.add(memory{id: "b", text: "gulls"})
	b := s.entries["b"]
	value := func(q recall.Query, term string) float64 {
		t.Helper()
		for _, x := range s.recall(q).Hits[0].Terms {
			if x.Name == term {
				return x.Value
			}
		}
		return 0
	}
	q := ask("harbour")
	q.Explain = true
	if x, y := value(q, recall.TermAssociation), value(q, recall.TermPriming); x != 0 || y != 0 {
		t.Errorf("alone and not used: association %v, priming %v, want 0", x, y)
	}
	last := math.Inf(1)
	for _, minutes := range []int64{0, 1, 10, 100, 10_000} {
		q.Ring = []recall.Used{{Row: a, Age: minutes * int64(60e9)}, {Row: b, Age: int64(6e15)}}
		x := value(q, recall.TermPriming)
		if !(x > 0) || !(x < last) || value(q, recall.TermAssociation) != 0 {
			t.Errorf("used %d minutes ago: priming %v, want above 0 and below %v", minutes, x, last)
		}
		last = x
	}
	equal(t, "what was used and has nothing to do with it", s.ids(q), []string{"a"})
	q.Without = []string{recall.TermPriming}
	if x := value(q, recall.TermPriming); x != 0 {
		t.Errorf("priming off: %v", x)
	}
	w := recall.DefaultWeights()
	w.Ring = 0
	q.Without, q.Weights = nil, &w
	if x := value(q, recall.TermPriming); x != 0 {
		t.Errorf("with a ring of no mass: %v", x)
	}
}

// TestHubFloodsNothing: a hub that 3,000 memories hang on is found by its neighbours, and brings none of the others up.
func TestHubFloodsNothing(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	s.add(memory{id: "hub", text: "everything"})
	s.add(memory{id: "asked", text: "harbour"})
	s.add(memory{id: "near", text: "lighthouse"})
	s.link("asked", "hub", 1)
	s.link("asked", "near", 1)
	for i := range 3000 {
		s.add(memory{id: name(i), text: "sand"})
		s.link("hub", name(i), 1)
	}
	q := ask("harbour")
	q.Limit = 100
	equal(t, "hits", s.ids(q), []string{"asked", "near"})
}

func TestExplainNamesWordsAndSimilarity(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	rng := rand.New(rand.NewPCG(1, 1))
	v := normal(rng, 64)
	s.add(memory{id: "a", text: "harbour meetings", vector: v})
	for i := range 30 {
		s.add(memory{id: name(i), text: "harbour", vector: normal(rng, 64)})
	}
	q := ask("meeting at the harbour")
	q.Embedding = v
	for _, h := range s.recall(q).Hits {
		for _, term := range h.Terms {
			if term.Detail != nil {
				t.Fatal("details without being asked")
			}
		}
	}
	q.Explain = true
	hit := s.recall(q).Hits[0]
	var got []string
	for _, term := range hit.Terms {
		for _, p := range term.Detail {
			got = append(got, term.Name+" "+p.Name)
		}
	}
	equal(t, "details", got, []string{"words meet", "words harbour", "meaning cosine 1.0000"})
}

func TestTiesGoById(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	ids := []string{"m9", "m10", "b", "é", "a", "Z", "m1"}
	for _, id := range ids {
		s.add(memory{id: id, text: "harbour", at: 5})
	}
	sorted := slices.Sorted(slices.Values(ids))
	for limit := 1; limit <= len(ids); limit++ {
		for _, text := range []string{"harbour", ""} {
			q := ask(text)
			q.Limit = limit
			equal(t, "ties", s.ids(q), sorted[:limit])
		}
	}
	s.damaged[s.entries["Z"]] = true // its id cannot be read: it comes last
	equal(t, "with a damaged one", s.ids(ask("harbour")), append(sorted[1:len(sorted):len(sorted)], "Z"))
}

func TestByTimeNewestFirst(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	for i, at := range []int64{0, -day, 3 * day, 3*day + 1, 9 * day, 2 * day} {
		s.add(memory{id: name(i), text: "x", at: at})
	}
	s.forget("m5")
	q := ask("")
	q.Now = 3*day + 1
	a := s.recall(q)
	equal(t, "by time", s.idsOf(a), []string{"m4", "m3", "m2", "m0", "m1"})
	if got := a.Hits[0].Score; got != 1 {
		t.Errorf("score of the future = %v, want 1", got)
	}
	if got, want := a.Hits[3].Score, 1/(1+3+1.0/float64(day)); math.Abs(got-want) > 1e-12 {
		t.Errorf("score of three days = %v, want %v", got, want)
	}
	q.Filters.Rows = []uint32{1, 0}
	equal(t, "those named", s.ids(q), []string{"m0", "m1"})
}

func TestNothingRelevantIsAnAnswer(t *testing.T) {
	s := shelf(t)
	for _, text := range []string{"zeppelin", "what is it", "!!"} {
		if a := s.recall(ask(text)); len(a.Hits) != 0 || a.Searched != 5 {
			t.Errorf("Recall(%q) = %d hits of %d searched, want none of 5", text, len(a.Hits), a.Searched)
		}
	}
	empty := newSpace(t, lexical.Options{})
	byVector := ask("")
	byVector.Embedding = []float32{1, 2}
	for _, q := range []recall.Query{ask("harbour"), ask(""), byVector} {
		if a := empty.recall(q); len(a.Hits) != 0 || a.Searched != 0 {
			t.Errorf("recall from nothing = %+v", a)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	s.add(memory{id: "a", text: "harbour", vector: make8(1)})
	var e recall.Engine
	wrong := recall.DefaultWeights()
	wrong.Speaker = 2
	for what, c := range map[string]struct {
		q     recall.Query
		match func(error) bool
	}{
		"limit 0": {recall.Query{Text: "a"}, func(err error) bool {
			return strings.Contains(err.Error(), "limit is 0")
		}},
		"limit 1001": {recall.Query{Text: "a", Limit: 1001}, func(err error) bool {
			return strings.Contains(err.Error(), "1000")
		}},
		"dimension": {recall.Query{Embedding: []float32{1}, Limit: 1}, func(err error) bool {
			var d *ann.DimensionError
			return errors.Is(err, ann.ErrDimension) && errors.As(err, &d) && d.Got == 1 && d.Want == 8
		}},
		"NaN": {recall.Query{Embedding: make8(float32(math.NaN())), Limit: 1}, func(err error) bool {
			var v *vec.InvalidError
			return errors.As(err, &v)
		}},
		"weights": {recall.Query{Text: "a", Limit: 1, Weights: &wrong}, func(err error) bool {
			return strings.Contains(err.Error(), "speaker is 2")
		}},
	} {
		c.q.Filters = recall.NoFilters()
		if a, err := e.Recall(context.Background(), s.corpus(), c.q); err == nil || !c.match(err) || len(a.Hits) > 0 {
			t.Errorf("%s: Recall = %v, %v", what, a, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, text := range []string{"harbour", ""} {
		if _, err := e.Recall(ctx, s.corpus(), ask(text)); !errors.Is(err, context.Canceled) {
			t.Errorf("Recall of %q after cancel = %v", text, err)
		}
	}
	// Nothing of a failed recall is left in the engine's memory.
	if a, err := e.Recall(context.Background(), s.corpus(), ask("harbour")); err != nil || len(a.Hits) != 1 {
		t.Errorf("Recall after failures = %v, %v", a, err)
	}
}

func make8(x float32) []float32 { return []float32{x, 0, 0, 0, 0, 0, 0, 1} }

// broken lends vectors but for one group.
type broken struct {
	ann.Source
	bad int
}

func (b broken) Codes(g int, scratch *[]byte) (segment.Codes, error) {
	if g == b.bad {
		return segment.Codes{}, errDamaged
	}
	return b.Source.Codes(g, scratch)
}

func TestDamagedVectorsAreLeftOutAndTold(t *testing.T) {
	s := newSpace(t, lexical.Options{})
	rng := rand.New(rand.NewPCG(2, 1))
	v := normal(rng, 64)
	for i := range 3 * segment.GroupSize {
		m := memory{id: name(i), text: "harbour", vector: normal(rng, 64)}
		if i == 2 || i == segment.GroupSize {
			m.vector = v
		}
		s.add(m)
	}
	q := recall.Query{Embedding: v, Limit: 2, Filters: recall.NoFilters()}
	equal(t, "undamaged", s.ids(q), []string{"m2", "m64"})
	q.Limit = 1
	s.parts = []ann.Part{{Source: broken{s.vectors, 0}}}
	a := s.recall(q)
	equal(t, "damaged", s.idsOf(a), []string{"m64"})
	if a.Damaged != segment.GroupSize || len(a.Damage) != 1 || !errors.Is(a.Damage[0], errDamaged) {
		t.Errorf("Damage = %v", a.Damage)
	}
}

// TestOrderOfStoringDoesNotShow stores the same memories in different orders, with others that are gone in between.
func TestOrderOfStoringDoesNotShow(t *testing.T) {
	const seed = 21
	t.Logf("seed %d", seed)
	c := generate(seed, 300, 20)
	turns, questions := fromGold(64, .4, .3)(&c, seed)
	build := func(order []int) *space {
		s := newSpace(t, lexical.Options{})
		for n, i := range order {
			s.add(memory{
				id: name(i), text: c.turns[i].Text, session: c.turns[i].session, at: c.turns[i].when.UnixNano(),
				vector: turns[i],
			})
			if n%7 == 3 {
				gone := fmt.Sprint("gone", n)
				s.add(memory{
					id: gone, text: c.turns[i].Text, session: c.turns[i].session, at: c.turns[i].when.UnixNano(),
					vector: turns[i],
				})
				s.forget(gone)
			}
		}
		for i := range 100 {
			s.link(name(i*7%300), name(i*13%300), float32(i%10)/10)
		}
		return s
	}
	inOrder := make([]int, len(c.turns))
	for i := range inOrder {
		inOrder[i] = i
	}
	first := build(inOrder)
	for round := range uint64(3) {
		order := slices.Clone(inOrder)
		rng := rand.New(rand.NewPCG(seed, round))
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		other := build(order)
		for k, question := range c.questions {
			for _, q := range []recall.Query{ask(question.Question), ask(question.Question), ask("")} {
				if k%2 == 0 {
					q.Embedding = questions[k]
				}
				a, b := first.recall(q), other.recall(q)
				equal(t, "answer", other.idsOf(b), first.idsOf(a))
				for i := range a.Hits {
					if i < len(b.Hits) && a.Hits[i].Score != b.Hits[i].Score {
						t.Fatalf("score of hit %d = %v, want the very same %v", i, b.Hits[i].Score, a.Hits[i].Score)
					}
				}
			}
		}
	}
}

// TestConcurrentRecalls share one engine. Run with -race.
func TestConcurrentRecalls(t *testing.T) {
	c := generate(31, 200, 20)
	s := c.remember(t, nil)
	var e recall.Engine
	corpus := s.corpus()
	want := make([][]string, len(c.questions))
	for i, q := range c.questions {
		want[i] = s.ids(ask(q.Question))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, q := range c.questions {
				a, err := e.Recall(context.Background(), corpus, ask(q.Question))
				if err != nil || !slices.Equal(s.idsOf(a), want[i]) {
					t.Errorf("concurrent Recall(%q) = %v, %v, want %v", q.Question, s.idsOf(a), err, want[i])
				}
			}
		})
	}
	wg.Wait()
}
