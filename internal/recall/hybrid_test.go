package recall_test

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/orchard9/engram-go/internal/lexical"
	"github.com/orchard9/engram-go/internal/recall"
)

// embedding makes vectors for a collection: one for each turn and one for each question.
type embedding struct {
	name string
	make func(c *collection, seed uint64) (turns, questions [][]float32)
}

func normal(rng *rand.Rand, dim int) []float32 {
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return unit(v)
}

func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return v
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

func addTo(v, w []float32, factor float64) {
	for i := range v {
		v[i] += float32(factor) * w[i]
	}
}

// fromGold makes random turns, and questions that lean towards each of their gold turns by about the given cosine.
// common is the cosine of the direction that all vectors share.
func fromGold(dim int, cosine, common float64) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		rng := rand.New(rand.NewPCG(seed, 1))
		shared := normal(rng, dim)
		mix := func(own []float32) []float32 {
			v := slices.Clone(shared)
			for i := range v {
				v[i] = float32(common*float64(v[i]) + math.Sqrt(1-common*common)*float64(own[i]))
			}
			return unit(v)
		}
		var own [][]float32
		for range c.turns {
			own = append(own, normal(rng, dim))
			turns = append(turns, mix(own[len(own)-1]))
		}
		for _, question := range c.questions {
			v := normal(rng, dim)
			for row := range uint32(len(c.turns)) {
				if question.gold[row] {
					addTo(v, own[row], cosine/math.Sqrt(max(1e-9, 1-cosine*cosine)))
				}
			}
			questions = append(questions, mix(unit(v)))
		}
		return turns, questions
	}
}

// fromWords makes vectors of the words: each word a random direction, frequent words count less, and noise is added.
func fromWords(dim int, noise, common float64) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		rng := rand.New(rand.NewPCG(seed, 2))
		shared := normal(rng, dim)
		words := func(s string) []string {
			return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < 'a' || r > 'z' })
		}
		count := map[string]int{}
		for _, turn := range c.turns {
			for _, w := range words(turn.Text + " " + turn.Speaker) {
				count[w[:min(len(w), 5)]]++
			}
		}
		vector := func(s string) []float32 {
			v := make([]float32, dim)
			for _, w := range words(s) {
				w = w[:min(len(w), 5)]
				h := fnv.New64a()
				h.Write([]byte(w))
				addTo(v, normal(rand.New(rand.NewPCG(seed, h.Sum64())), dim), 1/math.Sqrt(1+float64(count[w])))
			}
			unit(v)
			addTo(v, normal(rng, dim), noise)
			unit(v)
			addTo(v, shared, common)
			return unit(v)
		}
		for _, turn := range c.turns {
			turns = append(turns, vector(turn.Speaker+" "+turn.Text))
		}
		for _, question := range c.questions {
			questions = append(questions, vector(question.Question))
		}
		return turns, questions
	}
}

// fromText makes vectors of the texts by latent semantic analysis, which is what real models are like: they share what
// words share, and go beyond it.
func fromText(t testing.TB, dim int) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		texts := make([]string, len(c.turns))
		for i, turn := range c.turns {
			texts[i] = turn.Speaker + " " + turn.Text + " " + turn.Caption
		}
		vector := latent(t, texts, dim, seed)
		for _, text := range texts {
			turns = append(turns, vector(text))
		}
		for _, question := range c.questions {
			questions = append(questions, vector(question.Question))
		}
		return turns, questions
	}
}

// lean makes the questions of another set lean towards their gold turns by about the given cosine.
func lean(of func(*collection, uint64) ([][]float32, [][]float32), by float64,
) func(*collection, uint64) (turns, questions [][]float32) {
	return func(c *collection, seed uint64) (turns, questions [][]float32) {
		turns, questions = of(c, seed)
		for i, question := range c.questions {
			for row := range uint32(len(c.turns)) {
				if question.gold[row] {
					addTo(questions[i], turns[row], by)
				}
			}
			unit(questions[i])
		}
		return turns, questions
	}
}

// TestHybrid holds what fusing channels must not lose: with vectors that are good, mediocre or random, that share a
// direction or not, that are made of the words or of the texts, words and meaning together find at least what the
// better of them finds by itself, less .005, in the mean over seeds that no weight was chosen on.
func TestHybrid(t *testing.T) {
	loaded := loadLocomo(t) // skips here, not in a subtest
	conversations := func(uint64) []collection { return loaded }
	for _, e := range []embedding{
		{"very good", fromGold(256, .5, 0)},
		{"good", fromGold(256, .35, 0)},
		{"good, common direction", fromGold(256, .35, .8)},
		{"mediocre", fromGold(256, .3, 0)},
		{"mediocre, common direction", fromGold(256, .3, .8)},
		{"weak", fromGold(256, .2, 0)},
		{"very weak", fromGold(256, .1, 0)},
		{"of the words", fromWords(256, 0, 0)},
		{"of the words, noisy", fromWords(256, .7, 0)},
		{"of the words, common direction", fromWords(256, 0, 1)},
		{"of the words, and better", lean(fromWords(256, 0, 0), .15)},
		{"of the texts", fromText(t, 100)},
		{"of the texts, in few dimensions", fromText(t, 32)},
		{"random", fromGold(256, 0, 0)},
		{"random, common direction", fromGold(256, 0, .8)},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			checkHybrid(t, conversations, e)
		})
	}
}

// TestHybridOnGeneratedText is the same on text that needs no collection.
func TestHybridOnGeneratedText(t *testing.T) {
	generated := func(seed uint64) []collection {
		return []collection{generate(10*seed, 400, 90), generate(10*seed+1, 1000, 90)}
	}
	for _, e := range []embedding{
		{"good", fromGold(128, .5, 0)},
		{"good, common direction", fromGold(128, .5, .8)},
		{"mediocre", fromGold(128, .25, 0)},
		{"random", fromGold(128, 0, 0)},
		{"random, common direction", fromGold(128, 0, .8)},
	} {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			checkHybrid(t, generated, e)
		})
	}
}

// generate makes a collection: turns of words with the frequencies of language, questions with some words of one or two
// turns that follow each other or not, and some others.
func generate(seed uint64, turns, questions int) collection {
	rng := rand.New(rand.NewPCG(seed, 5))
	zipf := rand.NewZipf(rng, 1.1, 4, 4000)
	word := func() string { return fmt.Sprintf("w%dx", zipf.Uint64()) }
	var c collection
	var words [][]string
	for i := range turns {
		var w []string
		for range 6 + rng.IntN(14) {
			w = append(w, word())
		}
		words = append(words, w)
		c.turns = append(c.turns, turn{
			Text: strings.Join(w, " "), session: fmt.Sprint("s", i/20), when: time.Unix(int64(i)*60, 0),
		})
	}
	for range questions {
		gold := map[uint32]bool{}
		var text []string
		for range 1 + rng.IntN(2) {
			g := rng.IntN(turns)
			gold[uint32(g)] = true
			for range 2 {
				text = append(text, words[g][rng.IntN(len(words[g]))])
			}
		}
		text = append(text, word(), word())
		c.questions = append(c.questions, question{Question: strings.Join(text, " "), gold: gold})
	}
	return c
}

// checkHybrid compares the channels through the engine, in the mean over seeds.
func checkHybrid(t *testing.T, collections func(seed uint64) []collection, e embedding) {
	t.Helper()
	const allowed = .005
	var recallGain, ndcgGain float64
	seeds := []uint64{9001, 9002, 9003, 9004} // not those that weights were chosen on
	for _, seed := range seeds {
		w, m, h := channels(t, collections(seed), e, seed)
		t.Logf("seed %d\nwords   %v\nmeaning %v\nhybrid  %v", seed, w, m, h)
		recallGain += (h.recall10 - max(w.recall10, m.recall10)) / float64(len(seeds))
		ndcgGain += (h.ndcg10 - max(w.ndcg10, m.ndcg10)) / float64(len(seeds))
	}
	t.Logf("both beside the better one alone: R@10 %+.4f, nDCG@10 %+.4f", recallGain, ndcgGain)
	if recallGain < -allowed || ndcgGain < -allowed {
		t.Errorf("both beside the better one alone: R@10 %+.4f, nDCG@10 %+.4f, want %+.4f at least",
			recallGain, ndcgGain, -allowed)
	}
}

// channels measures words alone, meaning alone, and both.
func channels(t *testing.T, collections []collection, e embedding, seed uint64) (w, m, h quality) {
	t.Helper()
	var words, meaning, hybrid quality
	for i, c := range collections {
		turns, questions := e.make(&c, seed*31+uint64(i))
		s := c.remember(t, turns)
		for k, question := range c.questions {
			q := ask(question.Question)
			q.Limit = 20
			words.add(s.ranked(q), question.gold)
			q.Embedding = questions[k]
			hybrid.add(s.ranked(q), question.gold)
			q.Text = ""
			meaning.add(s.ranked(q), question.gold)
		}
	}
	return words.mean(), meaning.mean(), hybrid.mean()
}

// TestRandomVectorFindsNothing: meaning alone is evidence only where it is more than chance.
func TestRandomVectorFindsNothing(t *testing.T) {
	const seed, questions = 5, 100
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, dim := range []int{8, 64, 384} {
		for _, kind := range []string{"isotropic", "in one cone", "few different"} {
			c := generate(seed, 300, 1)
			shared := normal(rng, dim)
			var turns [][]float32
			for i := range c.turns {
				v := normal(rng, dim)
				switch {
				case kind == "in one cone":
					addTo(v, shared, 2)
				case kind == "few different" && i > 5:
					v = slices.Clone(turns[i%5])
				}
				turns = append(turns, unit(v))
			}
			s := c.remember(t, turns)
			found, rejected := 0, 0
			question := func() []float32 {
				v := normal(rng, dim)
				if kind == "in one cone" { // as a question's vector is by the same model
					addTo(v, shared, 2)
				}
				return unit(v)
			}
			for range questions {
				q := recall.Query{Embedding: question(), Limit: 5, Filters: recall.NoFilters()}
				a := s.recall(q)
				if len(a.Hits) > 0 {
					found++
				}
				if a.Rejected != 0 {
					rejected++
				}
			}
			if found > questions/25 { // Alpha is .01; 4 times that is far outside
				t.Errorf("%d dimensions, %s: %d of %d random questions found something", dim, kind, found, questions)
			}
			if rejected < questions-found {
				t.Errorf("%d dimensions, %s: %d answers tell what was rejected, want %d",
					dim, kind, rejected, questions-found)
			}
			// The mechanism off: everything is evidence.
			w := recall.DefaultWeights()
			w.Alpha = 1
			found = 0
			for range questions {
				q := recall.Query{Embedding: question(), Limit: 5, Filters: recall.NoFilters(), Weights: &w}
				found += min(1, len(s.recall(q).Hits))
			}
			if dim > 8 && kind == "isotropic" && found < questions/10 {
				t.Errorf("%d dimensions, %s: with alpha 1 %d of %d random questions found something",
					dim, kind, found, questions)
			}
		}
	}
}

// TestOneMemoryIsFoundByMeaning: a population too small to have a background is compared with chance.
func TestOneMemoryIsFoundByMeaning(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	v := normal(rng, 384)
	for n := 1; n <= 40; n *= 2 {
		s := newSpace(t, lexical.Options{})
		for i := range n {
			m := memory{id: name(i), vector: normal(rng, 384)}
			if i == 0 {
				m.vector = v
			}
			s.add(m)
		}
		q := slices.Clone(v)
		addTo(q, normal(rng, 384), 1.2)
		got := s.ids(recall.Query{Embedding: q, Limit: 3, Filters: recall.NoFilters()})
		equal(t, fmt.Sprintf("by meaning among %d", n), got, []string{"m0"})
	}
}
