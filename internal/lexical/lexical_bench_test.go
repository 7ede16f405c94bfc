package lexical_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/isolate"
	"github.com/orchard9/engram-go/internal/lexical"
)

// speech makes texts whose words are as frequent as those of English: by Zipf and Mandelbrot up to rank 5,000 and by
// the square of the rank from there to 300,000, the stop words in front, inflected forms among the rest. 3.3 million
// words hold 72,000 different ones then, as news text does, and 45 % are stop words.
type speech struct {
	r    *rand.Rand
	upTo []float64 // upTo[i] is how likely a word of rank i or less is
	word []string
}

func newSpeech(seed uint64) *speech {
	const size, knee, offset = 300_000, 5000, 2.7
	s := &speech{r: rand.New(rand.NewPCG(seed, seed)), word: lexical.EnglishStopWords()}
	sum := 0.0
	for rank := 1.0; rank <= size; rank++ {
		if rank < knee {
			sum += 1 / (rank + offset)
		} else {
			sum += (knee / rank) * (knee / rank) / (knee + offset)
		}
		s.upTo = append(s.upTo, sum)
	}
	r := s.r
	onset := strings.Fields("b c d f g h j k l m n p r s t v w st tr pl ch sh th br gr")
	vowel := strings.Fields("a e i o u ea ou ai oo ee")
	coda := strings.Fields("n r t l s m d ck nd st ng p")
	ending := []string{"", "", "", "s", "ing", "ed", "er", "ly", "ness", "tion"}
	for len(s.word) < size {
		var b strings.Builder
		for range 1 + r.IntN(2) + len(s.word)/200_000 {
			b.WriteString(onset[r.IntN(len(onset))] + vowel[r.IntN(len(vowel))] + coda[r.IntN(len(coda))])
		}
		s.word = append(s.word, b.String()+ending[r.IntN(len(ending))])
	}
	return s
}

// rank draws a word.
func (s *speech) rank() int {
	i, _ := slices.BinarySearch(s.upTo, s.r.Float64()*s.upTo[len(s.upTo)-1])
	return i
}

func (s *speech) text(bytes int) string {
	var b strings.Builder
	for b.Len() < bytes {
		b.WriteString(s.word[s.rank()])
		b.WriteString([]string{" ", ". ", ", "}[max(0, s.r.IntN(12)-9)])
	}
	return b.String()[:bytes]
}

func (s *speech) texts(n, bytes int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s.text(bytes)
	}
	return all
}

// question draws words by their frequency in text, stop words left out.
func (s *speech) question(n int) string {
	words := make([]string, n)
	for i := range words {
		for words[i] == "" {
			if k := s.rank(); k >= 132 {
				words[i] = s.word[k]
			}
		}
	}
	return strings.Join(words, " ")
}

func fill(b *testing.B, speech *speech, n, bytes int) *shelf {
	s := newShelf(b, lexical.Options{})
	p := new(lexical.Prepared)
	for range n {
		s.x.PrepareInto(p, lexical.Document{Content: speech.text(bytes)})
		s.x.Add(s.rows, p)
		s.ends.Set(s.rows, isolate.Never)
		s.rows, s.docs, s.tokens = s.rows+1, s.docs+1, s.tokens+int64(p.Length())
	}
	return s
}

// A text of 256 bytes has about 45 words, 22 of them distinct and not stop words; about one is new to the index.
func BenchmarkPrepare(b *testing.B) {
	speech := newSpeech(1)
	s := fill(b, speech, 50_000, 256)
	texts := speech.texts(5000, 256)
	p := new(lexical.Prepared)
	b.SetBytes(256)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.x.PrepareInto(p, lexical.Document{Content: texts[i%len(texts)]})
		i++
	}
}

// BenchmarkAdd is what happens under the store's lock, with the text's share of new words.
func BenchmarkAdd(b *testing.B) {
	const ahead = 64 // few enough to stay in the cache, as in a store
	speech := newSpeech(1)
	s := fill(b, speech, 50_000, 256)
	texts := speech.texts(50_000, 256)
	prepared := make([]lexical.Prepared, ahead)
	b.SetBytes(256)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%ahead == 0 {
			b.StopTimer()
			for k := range prepared {
				s.x.PrepareInto(&prepared[k], lexical.Document{Content: texts[(i+k)%len(texts)]})
			}
			b.StartTimer()
		}
		s.x.Add(s.rows, &prepared[i%ahead])
		s.rows++
		i++
	}
}

func BenchmarkPrepareAndAdd(b *testing.B) {
	speech := newSpeech(1)
	s := fill(b, speech, 50_000, 256)
	texts := speech.texts(50_000, 256)
	p := new(lexical.Prepared)
	b.SetBytes(256)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.x.PrepareInto(p, lexical.Document{Content: texts[i%len(texts)]})
		s.x.Add(s.rows, p)
		s.rows++
		i++
	}
}

func BenchmarkScore(b *testing.B) {
	for _, n := range []int{700, 100_000, 1_000_000} {
		speech := newSpeech(2)
		s := fill(b, speech, n, 200)
		questions := make([]lexical.Query, 500)
		for i := range questions {
			questions[i] = s.ask(speech.question(4))
		}
		s.remove(uint32(n / 2)) // so that each row must be looked at
		b.Run(fmt.Sprintf("terms=4/n=%d", n), func(b *testing.B) {
			v := s.view()
			scores := make([]float64, v.Rows)
			touched := make([]uint32, 0, v.Rows)
			var took []time.Duration
			b.ReportAllocs()
			hits := 0
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				touched, _ = s.x.Score(b.Context(), questions[i%len(questions)], v, scores, touched[:0])
				took = append(took, time.Since(start))
				hits += len(touched)
				for _, row := range touched {
					scores[row] = 0
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "µs-p50")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "µs-p99")
			b.ReportMetric(float64(hits)/float64(len(took)), "rows/op")
		})
	}
}

// BenchmarkMemory prints what an index holds per byte of text, from the heap, and what an index of one text holds.
func BenchmarkMemory(b *testing.B) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, n := range []int{1, 10, 1000, 100_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			texts := newSpeech(3).texts(n, 200)
			copies := max(1, 1000/n)
			all := make([]*lexical.Index, copies)
			before := heap()
			for i := range all {
				all[i], _ = lexical.New(lexical.Options{})
				p := new(lexical.Prepared)
				for row, text := range texts {
					all[i].PrepareInto(p, lexical.Document{Content: text})
					all[i].Add(uint32(row), p)
				}
			}
			held := float64(heap()-before) / float64(copies)
			for b.Loop() {
			}
			stats := all[0].Stats()
			b.ReportMetric(held, "B/index")
			b.ReportMetric(held/float64(n*200), "B/text-byte")
			b.ReportMetric(float64(stats.SizeBytes)/held, "said/held")
			b.Logf("%+v", stats)
			runtime.KeepAlive(all)
			runtime.KeepAlive(texts)
		})
	}
}
