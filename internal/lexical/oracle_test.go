package lexical_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/orchard9/engram-go/internal/lexical"
)

// oracle is BM25 by the book over plain maps.
type oracle struct {
	k1, b float64
	texts map[uint32][]string
}

func (o *oracle) scores(question []string) map[uint32]float64 {
	n, total := float64(len(o.texts)), 0.0
	for _, text := range o.texts {
		total += float64(len(text))
	}
	count := func(words []string, w string) (c float64) {
		for _, x := range words {
			if x == w {
				c++
			}
		}
		return c
	}
	got := map[uint32]float64{}
	seen := map[string]bool{}
	for _, w := range question {
		if seen[w] {
			continue
		}
		seen[w] = true
		holders := 0.0
		for _, text := range o.texts {
			if count(text, w) > 0 {
				holders++
			}
		}
		for row, text := range o.texts {
			if c := count(text, w); c > 0 {
				idf := math.Log(1 + (n-holders+.5)/(holders+.5))
				length := 1 - o.b + o.b*float64(len(text))/(total/n)
				got[row] += count(question, w) * idf * c * (o.k1 + 1) / (c + o.k1*length)
			}
		}
	}
	return got
}

// randomWords draws from a vocabulary in which low numbers are common.
func randomWords(r *rand.Rand, n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", int(math.Exp(r.Float64()*6)))
	}
	return words
}

// moment is a question with the answer of the time it was asked.
type moment struct {
	view     lexical.View
	question []string
	want     map[uint32]float64
}

func TestOracle(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		k1, b := r.Float64()*2, r.Float64()
		s := newShelf(t, lexical.Options{K1: &k1, B: &b, Language: "none", StopWords: []string{}, Plain: true})
		o := &oracle{k1: k1, b: b, texts: map[uint32][]string{}}
		var moments []moment
		for step := range 300 {
			words := randomWords(r, r.IntN(30))
			o.texts[s.text(strings.Join(words, " "))] = words
			if row := uint32(r.IntN(int(s.rows))); r.IntN(3) == 0 && o.texts[row] != nil {
				s.remove(row)
				delete(o.texts, row)
			}
			if step%20 == 7 {
				question := randomWords(r, 1+r.IntN(6))
				moments = append(moments, moment{s.view(), question, o.scores(question)})
			}
		}
		for i, m := range moments { // long after, each view still gives what was true then
			checkMoment(t, fmt.Sprintf("seed %d moment %d", seed, i), s.x, m)
		}
	}
}

func checkMoment(t *testing.T, name string, x *lexical.Index, m moment) {
	t.Helper()
	v, want := m.view, m.want
	q := x.Analyze(strings.Join(m.question, " "), v)
	got := scoresIn(x, q, v)
	if len(got) != len(want) {
		t.Errorf("%s: %d rows scored, want %d", name, len(got), len(want))
	}
	rows := []uint32{}
	for row, w := range want {
		if !near(got[row], w) {
			t.Errorf("%s: row %d scores %v, want %v", name, row, got[row], w)
		}
		rows = append(rows, row, row)
	}
	for i, why := range x.ExplainRows(q, v, rows) {
		sum := 0.0
		for _, term := range why {
			sum += term.Score
		}
		if sum != got[rows[i]] {
			t.Errorf("%s: row %d: the explanation adds up to %v, the score is %v", name, rows[i], sum, got[rows[i]])
		}
	}
}

func TestOrderOfAddingDoesNotMatter(t *testing.T) {
	const n = 400
	r := rand.New(rand.NewPCG(7, 7))
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strings.Join(randomWords(r, 1+r.IntN(40)), " ")
	}
	a, b := newShelf(t, plain), newShelf(t, plain)
	for _, text := range texts {
		a.text(text)
	}
	rowOf := map[int]uint32{}
	for _, i := range r.Perm(n) {
		gone := b.text(strings.Join(randomWords(r, 10), " "))
		rowOf[i] = b.text(texts[i])
		b.remove(gone)
	}
	for range 20 {
		question := strings.Join(randomWords(r, 5), " ")
		first, second := a.scores(a.ask(question)), b.scores(b.ask(question))
		if len(first) != len(second) {
			t.Fatalf("%q: %d rows and %d rows", question, len(first), len(second))
		}
		for i := range n {
			if first[uint32(i)] != second[rowOf[i]] {
				t.Fatalf("%q: text %d scores %v and %v", question, i, first[uint32(i)], second[rowOf[i]])
			}
		}
	}
}

// TestReadersBesideWriter has readers check complete answers while the writer adds; run it with -race.
func TestReadersBesideWriter(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	var published atomic.Pointer[lexical.View]
	first := s.view()
	published.Store(&first)
	const rows = 3000
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				v := *published.Load()
				p := s.x.Prepare(lexical.Document{Content: "unheard-of words, running beside"})
				if p.Length() != 4 {
					t.Errorf("Prepare gave length %d, want 4", p.Length())
				}
				q := s.x.Analyze("meeting the walker", v)
				got := scoresIn(s.x, q, v)
				if len(got) != int(v.Rows) { // every row has both words
					t.Errorf("view of %d rows: %d found", v.Rows, len(got))
					return
				}
				if v.Rows > 0 && len(s.x.Explain(q, v, v.Rows-1)) != 2 {
					t.Errorf("row %d lacks a term", v.Rows-1)
				}
				s.x.Stats()
				if v.Rows == rows {
					return
				}
			}
		})
	}
	p := new(lexical.Prepared)
	for i := range rows {
		text := fmt.Sprintf("walkers met walking word%d; meetings meet x%d", i, i%7)
		s.x.PrepareInto(p, lexical.Document{Content: text})
		s.x.Add(s.rows, p)
		s.ends.Set(s.rows, uint64(1)<<63)
		s.tokens += int64(p.Length())
		s.rows, s.docs = s.rows+1, s.docs+1
		v := s.view()
		published.Store(&v)
	}
	readers.Wait()
}

func TestPreparedBeforeOthersWereAdded(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	var waiting []*lexical.Prepared
	d := lexical.Document{Content: "harbours and harbour lights, lighting the 3 東京"}
	for range 5 { // all prepared while the vocabulary is empty
		waiting = append(waiting, s.x.Prepare(d))
	}
	for _, p := range waiting {
		s.x.Add(s.rows, p)
		s.ends.Set(s.rows, ^uint64(0))
		s.rows, s.docs, s.tokens = s.rows+1, s.docs+1, s.tokens+int64(p.Length())
	}
	p := waiting[0]
	s.x.Add(s.rows, p) // once more under another row
	s.ends.Set(s.rows, ^uint64(0))
	s.rows, s.docs, s.tokens = s.rows+1, s.docs+1, s.tokens+int64(p.Length())
	q := s.ask("harbour light 3 東京")
	first := s.x.Explain(q, s.view(), 0)
	if len(first) != 4 || first[0].Frequency != 2 || first[1].Frequency != 2 || first[3].DocFrequency != 6 {
		t.Errorf("Explain = %+v, want four terms, harbour and light twice, in all 6 rows", first)
	}
	for row := range s.rows {
		if diff := gocmp.Diff(first, s.x.Explain(q, s.view(), row)); diff != "" {
			t.Errorf("row %d differs from row 0 with the same text:\n%s", row, diff)
		}
	}
	if got := s.x.Stats(); got.Terms != 6 || got.Rows != 6 {
		t.Errorf("Stats = %+v, want 6 terms and 6 rows", got)
	}
}

func TestLargeDocument(t *testing.T) {
	s := newShelf(t, plain)
	var text strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&text, "x%d x%d ", i, i/2)
	}
	p := new(lexical.Prepared)
	for range 2 { // words unknown, then known
		s.x.PrepareInto(p, lexical.Document{Content: text.String()})
		s.x.Add(s.rows, p)
		s.ends.Set(s.rows, ^uint64(0))
		s.rows, s.docs, s.tokens = s.rows+1, s.docs+1, s.tokens+int64(p.Length())
	}
	for _, c := range []struct {
		word string
		want uint32
	}{{"x0", 3}, {"x4499", 3}, {"x4500", 1}, {"x8999", 1}} {
		for row := range uint32(2) {
			why := s.x.Explain(s.ask(c.word), s.view(), row)
			if len(why) != 1 || why[0].Frequency != c.want {
				t.Errorf("row %d: %s explained as %+v, want frequency %d", row, c.word, why, c.want)
			}
		}
	}
	s.x.PrepareInto(p, lexical.Document{Content: "small again"})
	if p.Length() != 2 {
		t.Errorf("after a large document a small one has length %d, want 2", p.Length())
	}
}

func TestKnownWordsCostNoAllocation(t *testing.T) {
	s := newShelf(t, lexical.Options{})
	d := lexical.Document{Content: "We walked to the harbour at 8, café closed 東京 😂", Speaker: "Ines"}
	s.add(d)
	p := new(lexical.Prepared)
	s.x.PrepareInto(p, d)
	if got := testing.AllocsPerRun(100, func() { s.x.PrepareInto(p, d) }); got != 0 {
		t.Errorf("PrepareInto of known words allocates %v times, want 0", got)
	}
	row := s.rows
	if got := testing.AllocsPerRun(30, func() { s.x.Add(row, p); row++ }); got >= 1 {
		t.Errorf("Add allocates %v times a document, want less than one", got)
	}
}
