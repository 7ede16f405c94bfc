package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/orchard9/engram-go"
)

const (
	largeText = 120  // bytes of one memory
	largeP99  = 10.0 // milliseconds, the target for 1,000,000 memories
)

// largeKind is one sort of question.
type largeKind struct {
	name string
	ask  func(random *rand.Rand, words *corpus, count int) string
}

func largeKinds() []largeKind {
	return []largeKind{
		{"4 words of one memory", func(random *rand.Rand, words *corpus, count int) string {
			said := strings.Fields(strings.TrimRight(words.text(random.IntN(count), largeText), "."))
			var asked []string
			for range 4 {
				asked = append(asked, said[random.IntN(len(said))])
			}
			return strings.Join(asked, " ")
		}},
		{"4 misspelt words of one memory", func(random *rand.Rand, words *corpus, count int) string {
			said := strings.Fields(strings.TrimRight(words.text(random.IntN(count), largeText), "."))
			var asked []string
			for range 4 {
				asked = append(asked, misspelt(random, said[random.IntN(len(said))]))
			}
			return strings.Join(asked, " ")
		}},
		{"4 words as frequent as in text", func(random *rand.Rand, words *corpus, _ int) string {
			var asked []string
			for range 4 {
				asked = append(asked, words.words[words.ranks[random.IntN(len(words.ranks))]])
			}
			return strings.Join(asked, " ")
		}},
		{"the most frequent content word", func(_ *rand.Rand, words *corpus, _ int) string {
			return words.words[words.function]
		}},
		{"one rare word", func(random *rand.Rand, words *corpus, _ int) string {
			return words.words[len(words.words)/2+random.IntN(len(words.words)/2)]
		}},
	}
}

// misspelt is a word of two letters or more with one of them left out, doubled, replaced, or behind the next one.
func misspelt(random *rand.Rand, word string) string {
	if len(word) < 2 {
		return word
	}
	at := random.IntN(len(word) - 1)
	before, letter, next, after := word[:at], word[at:at+1], word[at+1:at+2], word[at+2:]
	switch random.IntN(4) {
	case 0:
		return before + next + after
	case 1:
		return before + letter + letter + next + after
	case 2:
		return before + string(rune('a'+random.IntN(26))) + next + after
	default:
		return before + next + letter + after
	}
}

// large remembers a million short texts and asks: the time of a recall, and the memory that the indexes hold.
func large(s *session) (err error) {
	count, questions := s.size(1_000_000, 5000), s.size(2000, 50)
	settings(s,
		fmt.Sprintf("%s texts of %d bytes without vectors and sessions, %s; batches of 1,000; all sealed",
			thousands(float64(count)), largeText, corpusText),
		fmt.Sprintf("%s questions of each kind, one caller, Recall with Limit 10 and default options",
			thousands(float64(questions))),
		"held: live heap (HeapAlloc) after two collections, less the same before the directory was opened")
	words := newCorpus(s.seed)
	defer runtime.KeepAlive(words) // it is in both measurements
	before, _ := liveHeap()
	db, err := engram.Open(filepath.Join(s.dir, "engram"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	space, err := db.Space(engram.DefaultSpace)
	if err != nil {
		return err
	}
	if err := rememberLarge(s, space, words, count); err != nil {
		return err
	}
	t := newTable("question", "p50 ms", "p99 ms", "longest ms", "hits")
	worst := 0.0
	for _, kind := range largeKinds() {
		random := rand.New(rand.NewPCG(s.seed, 11))
		waits, hits := make([]time.Duration, questions), 0
		for i := range waits {
			cue := engram.Cue{Text: kind.ask(random, words, count)}
			began := time.Now()
			answer, err := space.Recall(s.ctx, cue)
			waits[i] = time.Since(began)
			if err != nil {
				return err
			}
			hits += len(answer.Hits)
		}
		ms := func(q float64) float64 { return float64(quantile(waits, q)) / float64(time.Millisecond) }
		worst = max(worst, ms(.99))
		t.row(kind.name, fmt.Sprintf("%.3f", ms(.5)), fmt.Sprintf("%.3f", ms(.99)), fmt.Sprintf("%.3f", ms(1)),
			fmt.Sprintf("%.1f", float64(hits)/float64(questions)))
	}
	t.print(s.out)
	settle()
	after, _ := liveHeap()
	stats, err := space.Stats(s.ctx)
	if err != nil {
		return err
	}
	text := float64(count) * largeText
	held, index := (float64(after)-float64(before))/text, float64(stats.IndexBytes)/text
	fmt.Fprintf(s.out, "held %.2f times the text, of which indexes (Stats) %.2f\n", held, index)
	verdict(s, fmt.Sprintf("p99 below %g ms for every kind of question (here %.3f)", largeP99, worst), worst < largeP99)
	verdict(s, fmt.Sprintf("indexes at most as large as the text (here %.2f times)", index), index <= 1)
	return nil
}

// rememberLarge fills the space and seals it.
func rememberLarge(s *session, space *engram.Space, words *corpus, count int) error {
	for first := 0; first < count; first += 1000 {
		var drafts []engram.Draft
		for i := first; i < min(first+1000, count); i++ {
			drafts = append(drafts, engram.Draft{ID: fmt.Sprintf("m%07d", i), Content: words.text(i, largeText)})
		}
		if _, err := space.RememberBatch(s.ctx, drafts); err != nil {
			return err
		}
	}
	return sealAll(s.ctx, space)
}
