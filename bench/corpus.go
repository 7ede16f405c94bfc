package main

import (
	"math/rand/v2"
	"strings"
)

// corpus is generated text whose words are distributed like those of English: the frequent ones are real function
// words, so that a stop list finds its due, and behind them come invented words of two to five syllables, the rarer
// the longer, a quarter of them with an ending that a stemmer takes off. Ranks follow Zipf and Mandelbrot:
// p(rank) ~ (2.7 + rank)^-1.05 over vocabularySize words.
//
// It is immutable and safe for concurrent use.
type corpus struct {
	words []string
	ranks []uint32 // the text: ranks of words, one after the other
	// function is the number of function words: ranks from there on are words that say what a text is about.
	function uint32
}

const (
	vocabularySize = 50_000
	corpusWords    = 3 << 20
)

const functionWords = `the of and to a in that it is was i for you he be with on as have but they at not we this do his
her she or an will my one all would there their what so up out if about who get which go me when make can like time no
just him know take people into year your good some could them see other than then now look only come its over think
also back after use two how our work first well way even new want because any these give day most us are were had has
been did said more very much such where why too here both each few own same through before between under again once`

const corpusText = "words by Zipf and Mandelbrot (s 1.05, v 2.7) over 50,000, the most frequent of them English " +
	"function words; seeded"

// newCorpus generates a text of corpusWords words.
func newCorpus(seed uint64) *corpus {
	random := rand.New(rand.NewPCG(seed, 1))
	c := &corpus{
		words: vocabulary(random), ranks: make([]uint32, corpusWords),
		function: uint32(len(strings.Fields(functionWords))),
	}
	zipf := rand.NewZipf(random, 1.05, 2.7, uint64(len(c.words)-1))
	for i := range c.ranks {
		c.ranks[i] = uint32(zipf.Uint64())
	}
	return c
}

// vocabulary invents words in order of frequency, all different.
func vocabulary(random *rand.Rand) []string {
	onsets := strings.Fields("b c d f g h k l m n p r s t v w br cl st tr")
	nuclei := strings.Fields("a e i o u ai ea ou")
	codas := []string{"", "", "n", "r", "l", "t", "m", "nd", "st"}
	endings := strings.Fields("s ed ing er")
	words := strings.Fields(functionWords)
	seen := map[string]bool{}
	for _, w := range words {
		seen[w] = true
	}
	for len(words) < vocabularySize {
		syllables := 1 + random.IntN(2)
		if len(words) > 1000 {
			syllables = 2 + random.IntN(2)
		}
		var b strings.Builder
		for range syllables {
			b.WriteString(onsets[random.IntN(len(onsets))])
			b.WriteString(nuclei[random.IntN(len(nuclei))])
		}
		b.WriteString(codas[random.IntN(len(codas))])
		if random.IntN(4) == 0 {
			b.WriteString(endings[random.IntN(len(endings))])
		}
		if w := b.String(); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	return words
}

// text is the i-th text of exactly size bytes: whole words, and dots where no further word fits. Texts of one size
// differ for the first million of them; they begin at different words and overlap only after the whole corpus was
// gone through once.
func (c *corpus) text(i, size int) string {
	step := max(1, size/4)
	if step%7 == 0 {
		step++ // so that the passes, shifted by 7 words, begin at different words
	}
	pass, place := i/(len(c.ranks)/step), i%(len(c.ranks)/step)
	at := place*step + pass*7
	b := make([]byte, 0, size)
	for {
		word := c.words[c.ranks[at%len(c.ranks)]]
		if len(b)+1+len(word) > size {
			break
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, word...)
		at++
	}
	for len(b) < size {
		b = append(b, '.')
	}
	return string(b)
}

// pool renders the first n texts of a size, so that no benchmark pays for rendering while it measures.
func (c *corpus) pool(n, size int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = c.text(i, size)
	}
	return texts
}
