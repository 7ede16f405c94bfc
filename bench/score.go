package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/orchard9/engram-go"
	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
	"github.com/orchard9/engram-go/internal/store"
	"github.com/orchard9/engram-go/internal/vfs"
)

const (
	scoreMemories = 20_000
	scoreDim      = 64
	scoreTarget   = 60 // nanoseconds for each candidate
)

// scored is the question of the benchmark: it names a speaker, a day, and asks when.
const scored = "when did Ada repair the copper lantern at the harbour on 5 March 2025?"

// score measures what the whole score of a candidate costs, with every term on, over a space that was written through
// the API and is read from its files.
func score(s *session) error {
	count := s.size(scoreMemories, 2000)
	settings(s,
		fmt.Sprintf("%s memories of sessions of 20, a tenth of which have a word of the question, with vectors of %d "+
			"dimensions; half "+
			"were of use or of none, or confirmed or denied by others; a tenth is associated with two others",
			thousands(float64(count)), scoreDim),
		"the question: \""+scored+"\", with a vector; 20 memories were of use in the hour before",
		"a candidate's score is words + meaning + speaker + time + association + priming + use + belief; it is "+
			"computed for all "+
			"candidates in turn, again and again; what finds them (postings, vectors, walks) comes before and is not "+
			"in it",
		"each row computes it without one term; the last has words and meaning alone; processor time (on linux) of "+
			"one thread, medians of the rounds")
	dir := filepath.Join(s.dir, "store")
	if err := scoreSpace(s, dir, count); err != nil {
		return err
	}
	sp, err := store.Open(store.Options{
		FS: vfs.OS{}, Dir: filepath.Join(dir, "spaces", "space-"+engram.DefaultSpace), Name: engram.DefaultSpace,
		Lexical: lexical.Options{Language: "english"}, HotBytes: 1 << 30, HotLimit: 1 << 31,
	})
	if err != nil {
		return err
	}
	return errors.Join(scoreRows(s, sp), sp.Close())
}

// scoreCases are the terms that each row of the table leaves out.
func scoreCases() [][]string {
	all := recall.Switches()
	cases := [][]string{nil}
	for _, term := range []string{
		recall.TermSpeaker, recall.TermTime, recall.TermAssociation, recall.TermPriming, recall.TermUse,
		recall.TermBelief,
	} {
		cases = append(cases, []string{term})
	}
	bare := slices.DeleteFunc(all, func(n string) bool { return n == recall.TermWords || n == recall.TermMeaning })
	return append(cases, bare)
}

func scoreRows(s *session, sp *store.Space) error {
	v := sp.View()
	now := scoreStart.Add(400 * 24 * time.Hour)
	q := recall.Query{
		Text: scored, Embedding: scoreVector(rand.New(rand.NewPCG(s.seed, 99)), 1), Now: now.UnixNano(), Limit: 100,
		Filters: recall.NoFilters(),
	}
	for _, u := range v.RecentlyUsed(recall.RingSize, "") {
		q.Ring = append(q.Ring, recall.Used{Row: u.Row, Age: now.UnixNano() - u.At})
	}
	var engine recall.Engine
	answer, err := engine.Recall(s.ctx, v.Corpus(), q)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "- terms in the %d best hits: %s\n", len(answer.Hits), termShares(answer.Hits))
	cases := scoreCases()
	times := make([][]float64, len(cases))
	candidates := make([]int, len(cases))
	rounds := s.turns(9)
	err = rotate(s, rounds, len(cases), func(_, i int) error {
		ask := q
		ask.Without = cases[i]
		scoring, err := engine.Scoring(s.ctx, v.Corpus(), ask)
		if err != nil {
			return err
		}
		rows := scoring.Candidates()
		if candidates[i] = len(rows); len(rows) == 0 {
			return errors.New("there are no candidates")
		}
		passes := max(1, s.size(400_000, 4000)/len(rows))
		sum, scores := 0.0, make([]float64, len(rows))
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		start := threadTime()
		for range passes {
			scoring.Scores(rows, scores)
			sum += scores[len(rows)-1] + scores[0]
		}
		times[i] = append(times[i], float64(threadTime()-start)/float64(passes*len(rows)))
		if !(sum > 0) {
			return fmt.Errorf("scores add up to %v", sum)
		}
		return nil
	})
	if err != nil {
		return err
	}
	t := newTable("without", "candidates", "ns each")
	for i, c := range cases {
		name := strings.Join(c, ", ")
		if len(c) == 0 {
			name = "nothing: the full score"
		}
		t.row(name, thousands(float64(candidates[i])), fmt.Sprintf("%.1f", median(times[i])))
	}
	t.print(s.out)
	full := median(times[0])
	verdict(s, fmt.Sprintf("the full score at most %d ns for each candidate (here %.1f)", scoreTarget, full),
		full <= scoreTarget)
	return nil
}

// termShares tells how many of the hits have which term.
func termShares(hits []recall.Hit) string {
	counts := map[string]int{}
	var names []string
	for _, h := range hits {
		for _, term := range h.Terms {
			if counts[term.Name]++; counts[term.Name] == 1 {
				names = append(names, term.Name)
			}
		}
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, counts[name])
	}
	return strings.Join(names, ", ")
}

// scoreStart is when the first memory of the benchmark was stored.
var scoreStart = time.Date(2025, 1, 1, 8, 0, 0, 0, time.UTC)

// scoreVector is a direction that leans towards the question's by about near.
func scoreVector(r *rand.Rand, near float64) []float32 {
	v := make([]float32, scoreDim)
	for i := range v {
		v[i] = float32(r.NormFloat64() * (1 - near))
	}
	v[0] += float32(8 * near)
	return v
}

// scoreSpace writes what is scored.
func scoreSpace(s *session, dir string, count int) (err error) {
	now := scoreStart
	db, err := engram.Options{Clock: func() time.Time { return now }}.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(s.seed, 60))
	words := newCorpus(s.seed)
	asked := strings.Fields("repair copper lantern harbour")
	for first := 0; first < count; first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, count); i++ {
			d := engram.Draft{
				ID: fmt.Sprintf("m%d", i), Content: words.text(i, 120), Session: fmt.Sprint("s", i/20),
				Speaker: []string{"Ada", "Bo"}[i%2],
				Source:  fmt.Sprint("source", i%9), OccurredAt: scoreStart.Add(time.Duration(i) * 20 * time.Minute),
				Embedding: scoreVector(r, float64(1-min(1, r.IntN(40)))*(.4+.4*r.Float64())),
			}
			if i%10 == 0 {
				d.Content += " " + asked[r.IntN(len(asked))] + " last week"
			}
			if i%10 == 5 && i > 20 {
				d.Links = []engram.Link{{To: fmt.Sprintf("m%d", r.IntN(i-5)/10*10)}}
			}
			drafts = append(drafts, d)
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
	}
	for day, f := range scoreFeedback(r, count) {
		if now = scoreStart.Add(time.Duration(300+day) * 24 * time.Hour); day == 3 {
			now = scoreStart.Add(400*24*time.Hour - 30*time.Minute)
		}
		if err := tellAll(s, space, f); err != nil {
			return err
		}
	}
	return nil
}

// scoreFeedback is what is said of the memories on four days: of use, of none, confirmed and denied, and, of twenty of
// them, of use a moment ago.
func scoreFeedback(r *rand.Rand, count int) [][]engram.Feedback {
	var useful, useless, wrong, confirmed, last []string
	for i := range count {
		id := fmt.Sprintf("m%d", i)
		switch r.IntN(8) {
		case 0:
			useful = append(useful, id)
		case 1:
			useless = append(useless, id)
		case 2:
			wrong = append(wrong, id)
		case 3:
			confirmed = append(confirmed, id)
		}
		if i%(count/20) == 0 {
			last = append(last, id)
		}
	}
	return [][]engram.Feedback{
		{{IDs: useful, Signal: engram.Useful}},
		{{IDs: useless, Signal: engram.Useless}},
		{{IDs: wrong, Signal: engram.Wrong, Source: "Ines"}, {IDs: confirmed, Signal: engram.Confirmed, Source: "Wen"}},
		{{IDs: last, Signal: engram.Useful}},
	}
}

// tellAll gives feedback, in as many calls as the limits want.
func tellAll(s *session, space *engram.Space, all []engram.Feedback) error {
	for _, f := range all {
		for ids := range slices.Chunk(f.IDs, 1000) {
			f.IDs = ids
			if _, err := space.Feedback(s.ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}
