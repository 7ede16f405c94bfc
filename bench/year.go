package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/orchard9/engram-go"
)

// regime is one way to remember the year and to answer from it.
type regime struct {
	name     string
	options  engram.Options
	without  []string // of the score
	silent   bool     // recall is not told what it was worth
	forgives bool     // corrections do not say what they supersede
	vectors  bool     // memories and questions have vectors
	tidies   bool     // restatements are consolidated once a week
	halfLife float64  // days in which the score counts half, for score times recency; 0 is no such
}

// regimes are everything as by default, everything but one thing, things that are off by default, and plain search.
func regimes() []regime {
	all := []regime{{name: "everything, as by default"}}
	var terms []string
	for _, term := range engram.Terms() {
		if term == "words" || term == "meaning" { // what is left to find anything by
			continue
		}
		terms = append(terms, term)
		all = append(all, regime{name: "without " + term, without: []string{term}})
	}
	for _, name := range []string{"power_curve", "spacing", "same_day", "retelling"} {
		all = append(all, regime{name: "without " + name, options: engram.Options{Without: []string{name}}})
	}
	together := engram.Options{LinkUsedTogether: true}
	only := func(name string, also ...string) regime {
		return regime{name: name, without: append(slices.Clone(terms), also...), silent: true}
	}
	recent := func(r regime, days float64) regime {
		r.name, r.halfLife, r.forgives = fmt.Sprintf("%s x recency, %.0f days", r.name, days), days, true
		return r
	}
	words, vectors := only("words only"), only("vectors only", "words")
	vectors.vectors = true
	plain := func(r regime) regime {
		r.forgives = true
		return r
	}
	superseding := words
	superseding.name = "words only, with supersession"
	return append(
		all,
		regime{name: "without feedback", silent: true},
		regime{name: "without supersession", forgives: true},
		regime{name: "without either", silent: true, forgives: true},
		regime{name: "with associations by use together", options: together},
		regime{name: "with these, without fan", options: together, without: []string{"fan"}},
		regime{name: "with consolidation", tidies: true},
		regime{name: "with vectors", vectors: true},
		superseding, plain(words), recent(words, 30), recent(words, 180),
		plain(vectors), recent(vectors, 30), recent(vectors, 180),
	)
}

const (
	yearDays    = 365
	yearFacts   = 120
	yearNeeds   = 3 // a day
	yearLooked  = 5 // hits that the agent judges
	yearRescore = 100
	yearDraws   = 2000 // resamples
)

// year measures what each mechanism is worth over a simulated year.
func year(s *session) error {
	days, facts, rounds := s.size(yearDays, 12), s.size(yearFacts, 20), s.turns(5)
	settings(s,
		fmt.Sprintf("synthetic: %d days, %d facts of 8 kinds about 30 people, each first told in the first half, "+
			"true for 120 days in the mean; a day brings some 2 restatements (4 in 10 word for word), .3 wrong "+
			"statements from hearsay, 3 of chatter that names the same people and things, seldom twice in the same "+
			"words", days, facts),
		fmt.Sprintf("%d needs a day, half of them of what was told or needed lately, else one over the fact's rank; "+
			"asked in other words; no sessions: associations come of use alone; Limit 10; vectors, where there are "+
			"any, have %d dimensions and a direction each for person, kind and value", yearNeeds, yearDim),
		"7 in 10 corrections name what they supersede; of the first 5 hits right ones are said to be useful and "+
			"stale ones to be wrong with probability .8, others above it to be useless with .5; in 1 need of 20 "+
			"right and stale are taken for each other",
		"hit@k: a statement of what is true now is among the first k; stale: one that is no longer true, or never "+
			"was, stands above the first true one, or is there without one",
		fmt.Sprintf("x recency: the %d best, score times 2^(-age/half-life), of the time when it was last told; like "+
			"words only and vectors only it knows neither feedback nor supersession", yearRescore),
		fmt.Sprintf("%d rounds, each of another seed, which all contenders share; differences are of the same need, "+
			"with 95 %% intervals by %d resamples of facts, of which the needs are not independent", rounds, yearDraws),
		"the numbers of the generator are chosen: what they show is which mechanism works, not how well an agent "+
			"will fare")
	contenders := regimes()
	needs, err := liveAll(s, contenders, rounds, days, facts)
	if err != nil {
		return err
	}
	t := newTable("contender", "hit@1", "hit@5", "stale", "partner@5", "hit@1, less everything's", "hit@5", "stale",
		"partner@5")
	figures := []func(*need) float64{hit1, hit5, isStale, partner5}
	for i, c := range contenders {
		row := []string{c.name}
		for _, figure := range figures {
			row = append(row, share(needs[i], figure))
		}
		for _, figure := range figures {
			if i == 0 {
				row = append(row, "")
				continue
			}
			row = append(row, difference(needs[i], needs[0], figure, s.seed))
		}
		t.row(row...)
	}
	t.print(s.out)
	fmt.Fprintf(s.out, "%s needs each.\n", thousands(float64(len(needs[0]))))
	return nil
}

// liveAll lets every contender live through every round, as many at a time as there are processors: nothing is timed.
func liveAll(s *session, contenders []regime, rounds, days, facts int) ([][]need, error) {
	parts := make([][][]need, len(contenders))
	for i := range parts {
		parts[i] = make([][]need, rounds)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var failed error
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for round := range rounds {
		seed := s.seed + uint64(round)
		events := newYear(seed, days, facts)
		for i, c := range contenders {
			free <- struct{}{}
			wait.Go(func() {
				defer func() { <-free }()
				dir, err := s.folder(fmt.Sprintf("%d-%d", round, i))
				if err == nil {
					parts[i][round], err = c.live(s.ctx, dir, events, seed)
				}
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()
	needs := make([][]need, len(contenders))
	for i := range parts {
		for round, part := range parts[i] {
			for _, n := range part {
				n.cluster += round * facts
				needs[i] = append(needs[i], n)
			}
		}
	}
	return needs, failed
}

// need is how one need was met.
type need struct {
	cluster int  // the fact and its round
	right   int  // place of the first right hit, -1 if there is none
	stale   bool // a stale one stands above it, or there is no right one
	with    bool // something else is needed for the same purpose
	partner int  // place of the first right hit for that, -1 if there is none
}

func within(n *need, most int) float64 {
	if n.right >= 0 && n.right < most {
		return 1
	}
	return 0
}

func hit1(n *need) float64 { return within(n, 1) }
func hit5(n *need) float64 { return within(n, 5) }

func isStale(n *need) float64 {
	if n.stale {
		return 1
	}
	return 0
}

// partner5 is of needs with a partner only: NaN of others.
func partner5(n *need) float64 {
	switch {
	case !n.with:
		return math.NaN()
	case n.partner >= 0 && n.partner < 5:
		return 1
	}
	return 0
}

// share is a figure's mean over the needs that have it.
func share(needs []need, figure func(*need) float64) string {
	sum, count := 0.0, 0.0
	for i := range needs {
		if x := figure(&needs[i]); !math.IsNaN(x) {
			sum, count = sum+x, count+1
		}
	}
	return fmt.Sprintf("%.3f", sum/max(1, count))
}

// difference is the mean of a figure less that of base for the same needs, and its 95 % interval: the 2.5 and 97.5 %
// points of the means when facts are drawn with replacement.
func difference(needs, base []need, figure func(*need) float64, seed uint64) string {
	type sums struct{ diff, n float64 }
	byFact := map[int]*sums{}
	var all sums
	for i := range needs {
		d := figure(&needs[i]) - figure(&base[i])
		if math.IsNaN(d) {
			continue
		}
		f := byFact[needs[i].cluster]
		if f == nil {
			f = &sums{}
			byFact[needs[i].cluster] = f
		}
		f.diff, f.n = f.diff+d, f.n+1
		all.diff, all.n = all.diff+d, all.n+1
	}
	var facts []*sums
	for _, cluster := range sortedKeys(byFact) {
		facts = append(facts, byFact[cluster])
	}
	r := rand.New(rand.NewPCG(seed, 95))
	means := make([]float64, yearDraws)
	for i := range means {
		diff, n := 0.0, 0.0
		for range facts {
			f := facts[r.IntN(len(facts))]
			diff, n = diff+f.diff, n+f.n
		}
		means[i] = diff / max(1, n)
	}
	slices.Sort(means)
	return fmt.Sprintf("%+.3f [%+.3f, %+.3f]", all.diff/max(1, all.n), means[yearDraws*25/1000],
		means[yearDraws*975/1000-1])
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// agent is a contender living through a year.
type agent struct {
	regime
	space *engram.Space
	now   time.Time
	seed  uint64
	rng   *rand.Rand // of the agent's judgement, not of the world
	said  map[string]told
	texts map[int][]string // what was told of a fact and not superseded since
	truth map[int]string
	tidy  time.Time // when it was last consolidated
	needs []need
}

// told is a text that was remembered.
type told struct {
	statement
	id string
	at time.Time // the last time
}

func (r regime) live(ctx context.Context, dir string, events []yearEvent, seed uint64) (needs []need, err error) {
	a := &agent{
		regime: r, seed: seed, rng: rand.New(rand.NewPCG(seed, 12)), said: map[string]told{}, texts: map[int][]string{},
		truth: map[int]string{},
	}
	o := r.options
	o.Clock = func() time.Time { return a.now }
	db, err := o.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if a.space, err = db.Space(engram.DefaultSpace); err != nil {
		return nil, err
	}
	for i := range events {
		e := &events[i]
		a.now = e.at
		if e.ask == "" {
			err = a.hear(ctx, e)
		} else {
			err = a.need(ctx, e)
		}
		if err == nil && a.tidies && a.now.Sub(a.tidy) >= 7*24*time.Hour {
			err = a.consolidate(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	return a.needs, nil
}

// consolidate lets concepts stand for restatements; from then on the agent knows these by the concept's id.
func (a *agent) consolidate(ctx context.Context) error {
	a.tidy = a.now
	report, err := a.space.Consolidate(ctx, engram.ConsolidateOptions{})
	if err != nil {
		return err
	}
	by := map[string]string{}
	for _, c := range report.Concepts {
		for _, id := range c.Members {
			by[id] = c.ID
		}
	}
	for text, t := range a.said {
		if concept, ok := by[t.id]; ok {
			t.id = concept
			a.said[text] = t
		}
	}
	return nil
}

// hear stores what is said.
func (a *agent) hear(ctx context.Context, e *yearEvent) error {
	d := engram.Draft{Content: e.text, Source: e.source}
	if a.vectors {
		d.Embedding = e.vector(a.seed)
	}
	if e.correction && !a.forgives && e.names {
		for _, text := range a.texts[e.fact] {
			if id := a.said[text].id; text != e.text && !slices.Contains(d.Supersedes, id) {
				d.Supersedes = append(d.Supersedes, id)
			}
		}
		a.texts[e.fact] = nil
	}
	out, err := a.space.Remember(ctx, d)
	if err != nil {
		return err
	}
	a.said[e.text] = told{e.statement, out.ID, a.now}
	if e.fact < 0 {
		return nil
	}
	if !slices.Contains(a.texts[e.fact], e.text) {
		a.texts[e.fact] = append(a.texts[e.fact], e.text)
	}
	if !e.wrong {
		a.truth[e.fact] = e.value
	}
	return nil
}

// need asks for a fact, and for what is needed with it, counts, and says what the answers were worth.
func (a *agent) need(ctx context.Context, e *yearEvent) error {
	n := need{cluster: e.fact, with: e.with != nil, partner: -1}
	hits, err := a.ask(ctx, e)
	if err != nil {
		return err
	}
	right, stale := a.places(e, hits)
	n.right, n.stale = right, stale >= 0 && (right < 0 || stale < right)
	if e.with != nil {
		n.partner, _ = a.places(e.with, hits)
	}
	a.needs = append(a.needs, n)
	f := engram.Feedback{Source: "the agent"}
	a.judge(&f, e, hits, right)
	if e.with != nil {
		if hits, err = a.ask(ctx, e.with); err != nil {
			return err
		}
		right, _ = a.places(e.with, hits)
		a.judge(&f, e.with, hits, right)
	}
	if a.silent || len(f.Useful)+len(f.Wrong)+len(f.Useless) == 0 {
		return nil
	}
	_, err = a.space.Feedback(ctx, f)
	return err
}

// ask gives the hits for a question.
func (a *agent) ask(ctx context.Context, e *yearEvent) ([]engram.Hit, error) {
	cue := engram.Cue{Text: e.ask, Without: a.without}
	if a.vectors {
		cue.Embedding = e.vector(a.seed)
	}
	if a.halfLife > 0 {
		cue.Limit = yearRescore
	}
	answer, err := a.space.Recall(ctx, cue)
	if err != nil || a.halfLife == 0 {
		return answer.Hits, err
	}
	return a.rescored(answer.Hits), nil
}

// places are those of the first hit that says what is true of a fact, and of the first that says what is not, any more;
// -1 if there is none.
func (a *agent) places(e *yearEvent, hits []engram.Hit) (right, stale int) {
	right, stale = -1, -1
	for i := range hits {
		said, known := a.said[hits[i].Content]
		switch {
		case !known || said.fact != e.fact:
		case said.value == a.truth[e.fact]:
			if right < 0 {
				right = i
			}
		case stale < 0:
			stale = i
		}
	}
	return right, stale
}

// rescored orders hits by score times recency, as far as an answer has room.
func (a *agent) rescored(hits []engram.Hit) []engram.Hit {
	weight := func(h *engram.Hit) float64 {
		return h.Score * math.Exp2(-a.now.Sub(a.said[h.Content].at).Hours()/24/a.halfLife)
	}
	slices.SortStableFunc(hits, func(x, y engram.Hit) int { return cmp.Compare(weight(&y), weight(&x)) })
	return hits[:min(len(hits), engram.DefaultLimit)]
}

// judge adds what the first hits were worth. It draws the same numbers whatever they are, so that contenders differ by
// what they are told only.
func (a *agent) judge(f *engram.Feedback, e *yearEvent, hits []engram.Hit, right int) {
	var draws [yearLooked + 1]float64
	for i := range draws {
		draws[i] = a.rng.Float64()
	}
	lapse := draws[yearLooked] < .05
	for i := range hits[:min(len(hits), yearLooked)] {
		id := hits[i].ID
		if slices.Contains(f.Useful, id) || slices.Contains(f.Wrong, id) || slices.Contains(f.Useless, id) {
			continue // the question before said something of it
		}
		said, known := a.said[hits[i].Content]
		about := known && said.fact == e.fact
		is := about && said.value == a.truth[e.fact]
		switch {
		case is && draws[i] < .8 && !lapse, about && !is && lapse:
			f.Useful = append(f.Useful, id)
		case about && !is && draws[i] < .8, is && lapse:
			f.Wrong = append(f.Wrong, id)
		case !about && (right < 0 || i < right) && draws[i] < .5:
			f.Useless = append(f.Useless, id)
		}
	}
}
