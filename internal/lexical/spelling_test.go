package lexical

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/orchard9/engram-go/internal/isolate"
)

// randomWord is of few letters, so that many are near each other, and mostly of 4 to 10.
func randomWord(r *rand.Rand) string {
	n := 4 + r.IntN(7)
	if r.IntN(20) == 0 {
		n = 1 + r.IntN(100)
	}
	word := make([]byte, n)
	for i := range word {
		word[i] = "aeiounrst"[r.IntN(9)]
	}
	return string(word)
}

// TestNearestIsExact compares what is nearest in spelling with a look at every term, over vocabularies that end in each
// of the kinds of segments, with rows that are gone.
func TestNearestIsExact(t *testing.T) {
	const seed = 21
	r := rand.New(rand.NewPCG(seed, seed))
	found := 0
	for _, size := range []int{1, 60, 64, 65, 200, 511, 513, 3000} {
		x, err := New(Options{Language: "none"})
		if err != nil {
			t.Fatal(err)
		}
		var ends isolate.Stamps
		v := View{At: 1, Ends: &ends}
		alive := map[string]bool{}
		for row := range uint32(size) {
			word := randomWord(r)
			x.Add(row, x.Prepare(Document{Content: word}))
			end := isolate.Never
			if r.IntN(4) == 0 {
				end = 1
			} else {
				v.Docs++
				alive[word] = true
			}
			ends.Set(row, end)
			v.Rows++
		}
		for range 200 {
			word := randomWord(r)
			if !spelled([]byte(word)) {
				continue
			}
			got, err := x.nearest(context.Background(), []byte(word), v)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, n := range got {
				texts = append(texts, fmt.Sprintf("%s %.3f", x.words.text(n.id), n.dice))
			}
			if want := nearestByLooking(word, alive); !slices.Equal(texts, want) {
				t.Fatalf("seed %d, %d terms, %q: %v, want %v", seed, size, word, texts, want)
			}
			found += len(got)
		}
	}
	if found < 1000 {
		t.Errorf("%d terms were near: too few to show anything", found)
	}
}

func nearestByLooking(word string, alive map[string]bool) (texts []string) {
	set := func(word string) map[string]bool {
		s := map[string]bool{}
		for i := range word {
			for n := 2; n <= 3 && i+n <= len(word); n++ {
				s[word[i:i+n]] = true
			}
		}
		return s
	}
	type near struct {
		text string
		dice float64
	}
	var all []near
	asked := set(word)
	for text := range alive {
		if len(text) < 4 || len(text) > 64 {
			continue
		}
		grams, shared := set(text), 0
		for g := range grams {
			if asked[g] {
				shared++
			}
		}
		if d := float64(2*shared) / float64(len(asked)+len(grams)); d > .4 {
			all = append(all, near{text, d})
		}
	}
	slices.SortFunc(all, func(a, b near) int {
		return cmp.Or(cmp.Compare(b.dice, a.dice), cmp.Compare(a.text, b.text))
	})
	for _, n := range all[:min(3, len(all))] {
		texts = append(texts, fmt.Sprintf("%s %.3f", n.text, n.dice))
	}
	return texts
}

// TestSpellingSetAgain: a term that an interrupted Add left without being known gives its place to another.
func TestSpellingSetAgain(t *testing.T) {
	var s spelling
	long := bytes.Repeat([]byte("abcdefghij"), 6)
	for _, text := range []string{string(long), "harbour"} {
		s.set(0, []byte(text))
	}
	near, err := s.candidates(context.Background(), grams(nil, []byte("harbour")), 1)
	if err != nil || !slices.Equal(near[0], []uint32{0}) {
		t.Errorf("harbour after %s is among %v, %v: want it to be as near as can be", long, near, err)
	}
}

// TestSegments: every term has one place, and places follow each other.
func TestSegments(t *testing.T) {
	number, place := 0, uint32(0)
	for id := range uint32(5000) {
		if place == uint32(termBits*segmentWidth(number)) {
			number, place = number+1, 0
		}
		if place == 0 && firstTerm(number) != id {
			t.Fatalf("segment %d begins with term %d, want %d", number, firstTerm(number), id)
		}
		if n, p := segmentOf(id); n != number || p != place {
			t.Fatalf("term %d is at %d of segment %d, want %d of %d", id, p, n, place, number)
		}
		place++
	}
}

// countdown is a context that is done after its error was asked for some times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestContextEndsWork: a question that takes long ends within a part of a list and within a pass over the vocabulary.
func TestContextEndsWork(t *testing.T) {
	x, err := New(Options{Language: "none"})
	if err != nil {
		t.Fatal(err)
	}
	var ends isolate.Stamps
	v := View{At: 1, Ends: &ends, Rows: 100_000, Docs: 100_000}
	for row := range v.Rows {
		x.Add(row, x.Prepare(Document{Content: "common " + inLetters(int(row)) + "word"}))
		ends.Set(row, isolate.Never)
	}
	looks := func(do func(ctx context.Context) error) int {
		for n := 0; ; n++ {
			switch err := do(&countdown{context.Background(), n}); err {
			case nil:
				return n
			case context.DeadlineExceeded:
			default:
				t.Fatalf("with %d looks the error is %v", n, err)
			}
		}
	}
	scores := make([]float64, v.Rows)
	score := looks(func(ctx context.Context) error {
		touched, err := x.Score(ctx, x.Analyze("common", v), v, scores, nil)
		if err != nil && len(touched) == len(scores) {
			t.Error("Score was ended and has touched every row")
		}
		for _, row := range touched {
			scores[row] = 0
		}
		return err
	})
	if score != 4 { // once for the term, and after each 32,768 of 100,000 rows
		t.Errorf("Score looks at its context %d times, want 4", score)
	}
	expand := looks(func(ctx context.Context) error {
		q, err := x.Expand(ctx, x.Analyze("xbdfgkwork", v), v)
		if err != nil && len(q.Terms) > 0 {
			t.Errorf("Expand was ended and gave %v", q)
		}
		return err
	})
	if expand < 3 { // 100,000 terms, 32,768 between two looks
		t.Errorf("Expand looks at its context %d times, want 3 or more", expand)
	}
}
