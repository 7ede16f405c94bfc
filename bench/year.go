package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/orchard9/engram-go"
)

// regime is one way to remember the year and to answer from it.
type regime struct {
	name     string
	without  []string // of the score
	feedback bool     // whether recall is told what it was worth
	corrects bool     // whether corrections say what they supersede
	halfLife float64  // days in which words count half, for words times recency; 0 is no such
}

// regimes are everything, everything but one thing, and the words alone.
func regimes() []regime {
	all := []regime{{name: "all mechanisms", feedback: true, corrects: true}}
	var others []string
	for _, term := range engram.Terms() {
		if term == "words" || term == "meaning" { // what is left to find anything by, and what needs vectors
			continue
		}
		all = append(all, regime{name: "without " + term, without: []string{term}, feedback: true, corrects: true})
		others = append(others, term)
	}
	return append(
		all,
		regime{name: "without feedback", corrects: true},
		regime{name: "without supersession", feedback: true},
		regime{name: "without either", feedback: false},
		regime{name: "words only, with supersession", without: others, corrects: true},
		regime{name: "words only", without: others},
		regime{name: "words x recency, 30 days", without: others, halfLife: 30},
		regime{name: "words x recency, 180 days", without: others, halfLife: 180},
	)
}

const (
	yearDays    = 365
	yearFacts   = 120
	yearNeeds   = 3 // a day
	yearLooked  = 5 // hits that the agent judges
	yearRescore = 100
)

// year measures what each mechanism is worth over a simulated year.
func year(s *session) error {
	days, facts, rounds := s.size(yearDays, 12), s.size(yearFacts, 20), s.turns(5)
	settings(s,
		fmt.Sprintf("synthetic: %d days, %d facts of 8 kinds about 30 people, each first told in the first half, true for 120 days in "+
			"the mean; a day brings some 2 restatements (4 in 10 word for word), .3 wrong statements from hearsay, 3 of chatter that "+
			"names the same people and things, seldom twice in the same words", days, facts),
		fmt.Sprintf("%d needs a day, half of them of what was told or needed lately, else one over the fact's rank; asked in other words; "+
			"no vectors, no sessions: associations come of use alone; Limit 10", yearNeeds),
		"7 in 10 corrections name what they supersede; of the first 5 hits right ones are said to be useful and stale ones to "+
			"be wrong with probability .8, others above it to be useless with .5; in 1 need of 20 right and stale are taken for each other",
		"hit@k: a statement of what is true now is among the first k; stale: one that is no longer true, or never was, stands above "+
			"the first true one, or is there without one",
		fmt.Sprintf("words x recency: the %d best by words alone, score times 2^(-age/half-life), of the time when it was last told; like words only it knows neither "+
			"feedback nor supersession", yearRescore),
		fmt.Sprintf("%d rounds, each of another seed, which all contenders share; medians, and least to most", rounds),
		"the numbers of the generator are chosen: what they show is which mechanism works, not how well an agent will fare")
	contenders := regimes()
	tallies := make([][]yearTally, len(contenders))
	for round := range rounds {
		events := newYear(s.seed+uint64(round), days, facts)
		for i, c := range contenders {
			dir, err := s.folder(fmt.Sprintf("%d-%d", round, i))
			if err != nil {
				return err
			}
			t, err := c.live(s.ctx, dir, events, s.seed+uint64(round))
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			tallies[i] = append(tallies[i], t)
		}
	}
	t := newTable("contender", "needs", "hit@1", "hit@5", "hit@10", "stale", "hit@1 less that of all", "stale less that of all")
	for i, c := range contenders {
		needs := 0
		for _, y := range tallies[i] {
			needs += y.needs
		}
		t.row(c.name, thousands(float64(needs)), spanOf(tallies[i], nil, yearTally.hit1), spanOf(tallies[i], nil, yearTally.hit5),
			spanOf(tallies[i], nil, yearTally.hit10), spanOf(tallies[i], nil, yearTally.staleRate),
			spanOf(tallies[i], tallies[0], yearTally.hit1), spanOf(tallies[i], tallies[0], yearTally.staleRate))
	}
	t.print(s.out)
	return nil
}

// yearTally counts needs.
type yearTally struct {
	needs, stale int
	hits         [3]int // the first right one within 1, 5, 10
}

func (t yearTally) share(n int) float64 { return float64(n) / float64(max(1, t.needs)) }
func (t yearTally) hit1() float64       { return t.share(t.hits[0]) }
func (t yearTally) hit5() float64       { return t.share(t.hits[1]) }
func (t yearTally) hit10() float64      { return t.share(t.hits[2]) }
func (t yearTally) staleRate() float64  { return t.share(t.stale) }

// spanOf is the median, least and most of a figure over the rounds; with base, of its difference in the same round.
func spanOf(rounds, base []yearTally, figure func(yearTally) float64) string {
	var all []float64
	form := "%.3f (%.3f to %.3f)"
	for i, r := range rounds {
		x := figure(r)
		if base != nil {
			x -= figure(base[i])
			form = "%+.3f (%+.3f to %+.3f)"
		}
		all = append(all, x)
	}
	return fmt.Sprintf(form, median(all), slices.Min(all), slices.Max(all))
}

// agent is a contender living through a year.
type agent struct {
	regime
	space *engram.Space
	now   time.Time
	rng   *rand.Rand // of the agent's judgement, not of the world
	said  map[string]told
	texts map[int][]string // what was told of a fact and not superseded since
	truth map[int]string
	tally yearTally
}

// told is a text that was remembered.
type told struct {
	statement
	id string
	at time.Time // the last time
}

func (r regime) live(ctx context.Context, dir string, events []yearEvent, seed uint64) (t yearTally, err error) {
	a := &agent{
		regime: r, rng: rand.New(rand.NewPCG(seed, 12)), said: map[string]told{}, texts: map[int][]string{}, truth: map[int]string{},
	}
	db, err := engram.Options{Clock: func() time.Time { return a.now }}.Open(dir)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if a.space, err = db.Space(engram.DefaultSpace); err != nil {
		return t, err
	}
	for i := range events {
		e := &events[i]
		a.now = e.at
		if e.ask == "" {
			err = a.hear(ctx, e)
		} else {
			err = a.need(ctx, e)
		}
		if err != nil {
			return t, err
		}
	}
	return a.tally, nil
}

// hear stores what is said.
func (a *agent) hear(ctx context.Context, e *yearEvent) error {
	d := engram.Draft{Content: e.text, Source: e.source}
	if e.correction && a.corrects && e.names {
		for _, text := range a.texts[e.fact] {
			if text != e.text {
				d.Supersedes = append(d.Supersedes, a.said[text].id)
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

// need asks for a fact, counts, and says what the answer was worth.
func (a *agent) need(ctx context.Context, e *yearEvent) error {
	cue := engram.Cue{Text: e.ask, Without: a.without}
	if a.halfLife > 0 {
		cue.Limit = yearRescore
	}
	answer, err := a.space.Recall(ctx, cue)
	if err != nil {
		return err
	}
	hits := answer.Hits
	if a.halfLife > 0 {
		hits = a.rescored(hits)
	}
	right, stale := -1, -1
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
	a.tally.needs++
	for i, most := range []int{1, 5, 10} {
		if right >= 0 && right < most {
			a.tally.hits[i]++
		}
	}
	if stale >= 0 && (right < 0 || stale < right) {
		a.tally.stale++
	}
	return a.judge(ctx, e, hits, right)
}

// rescored orders hits by words times recency, as far as an answer has room.
func (a *agent) rescored(hits []engram.Hit) []engram.Hit {
	weight := func(h *engram.Hit) float64 {
		return h.Score * math.Exp2(-a.now.Sub(a.said[h.Content].at).Hours()/24/a.halfLife)
	}
	slices.SortStableFunc(hits, func(x, y engram.Hit) int { return cmp.Compare(weight(&y), weight(&x)) })
	return hits[:min(len(hits), engram.DefaultLimit)]
}

// judge says what the first hits were worth. It draws the same numbers whatever they are, so that contenders differ by what
// they are told only.
func (a *agent) judge(ctx context.Context, e *yearEvent, hits []engram.Hit, right int) error {
	var draws [yearLooked + 1]float64
	for i := range draws {
		draws[i] = a.rng.Float64()
	}
	if !a.feedback {
		return nil
	}
	lapse := draws[yearLooked] < .05
	f := engram.Feedback{Source: "the agent"}
	for i := range hits[:min(len(hits), yearLooked)] {
		said, known := a.said[hits[i].Content]
		about := known && said.fact == e.fact
		is := about && said.value == a.truth[e.fact]
		switch {
		case is && draws[i] < .8 && !lapse, about && !is && lapse:
			f.Useful = append(f.Useful, hits[i].ID)
		case about && !is && draws[i] < .8, is && lapse:
			f.Wrong = append(f.Wrong, hits[i].ID)
		case !about && (right < 0 || i < right) && draws[i] < .5:
			f.Useless = append(f.Useless, hits[i].ID)
		}
	}
	if len(f.Useful)+len(f.Wrong)+len(f.Useless) == 0 {
		return nil
	}
	_, err := a.space.Feedback(ctx, f)
	return err
}
